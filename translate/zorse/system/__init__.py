"""What has nothing to do with pictures.

atomic  files that are complete or not there
extras  the optional parts of Zorse, and whether they are installed
import_paths  code of others, named in settings: what may run, and how it is called
memory  how much is free, and how people write it
"""
