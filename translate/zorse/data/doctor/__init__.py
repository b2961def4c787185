"""The data doctor: what is wrong with a training set, what it does to the training, and what to do about it.

One pass over the files collects small facts for each picture (`survey`); checks are functions from these facts to
findings; `repair` writes a clean copy. Nothing here imports torch.
"""
