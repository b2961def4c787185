"""Generators that draw from noise, at work: what they draw, and sheets of it to look at.

sampler       a generator that samples are drawn from
onnx_network  an exported one
sheets        sheets and films of samples
"""
