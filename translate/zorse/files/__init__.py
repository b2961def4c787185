"""From file to file: the way that pictures, videos and folders take through a model.

jobs       which file becomes which
selection  which files of a folder are pictures or videos, and which belong to them
names      file names that every system takes
translate  many files at once: decoding, network and encoding overlap
batches    files in batches, for programs that spread work over many processes
"""
