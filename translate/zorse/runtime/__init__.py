"""Translating pictures with whatever runs the network: nothing here imports ONNX Runtime or torch.

translator  a picture in, a picture out
passes      one picture through the network, whole or streamed
streamed    tiles of a large picture, with the result of one pass
guided      the change of a small picture, brought to a large one
strips      how much a network sees of pictures that are far longer than high
cost        what a picture costs a network, known before it is decoded
video       videos, frame by frame
steady      less flicker in them
devices     where and how a network is computed
"""
