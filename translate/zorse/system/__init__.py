"""What has nothing to do with pictures.

atomic        files that are complete or not there
extras        the optional parts of Zorse, and whether they are installed
import_paths  code of others that settings name, and who may run it
memory        how much is free, and how people write it
stopping      work that somebody else may end
texts         texts from elsewhere, fit to be seen
"""
