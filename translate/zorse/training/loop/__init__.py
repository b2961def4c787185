"""The loop of every run, whatever its method.

loop         steps, devices, precision, and the observers that are called
schedule     learning rates and moving averages
checkpoint   everything that a run needs to go on
interrupt    Ctrl-C between two iterations
distributed  processes that train together
"""
