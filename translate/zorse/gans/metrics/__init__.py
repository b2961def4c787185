"""How good samples are.

modes             of points: which Gaussians are found, and how well
digit_classifier  of digits: a small classifier to judge them through
seeds             means over runs with several seeds, and their intervals
"""
