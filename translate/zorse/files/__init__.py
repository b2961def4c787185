"""From file to file: the way that pictures, videos and folders take through a model.

jobs       which file becomes which
selection  which files of a folder are pictures or videos, and which belong to them
names      file names that every system takes
left_out   what a folder holds that is not translated, and why
pipeline   from one picture file to its result: its frames through a function, then encoded again
translate  many files at once: decoding, network and encoding overlap
batches    files in batches, for programs that spread work over many processes
"""
