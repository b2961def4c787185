"""What generators that draw from noise learn from: points in the plane, digits, pictures in class folders.

config    the kinds of sets                     dataset     from settings to a set, and to batches
batch     what sets and batches are             companions  what comes with a sample
mixtures  points in the plane                   digits      MNIST and its likes (`idx` reads their files)
folders   pictures in folders                   pixels      batches of pictures by their numbers
"""
