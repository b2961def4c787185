"""ONNX Runtime: a model file, opened on the device that is meant.

backend         a model file that pictures are given to
kernels         the tiles of pictures that are streamed
sessions        sessions of ONNX Runtime: device, threads, memory, and what to say when one does not start
cuda_libraries  the libraries that it needs for CUDA
rewrite         graphs that compute the same in less time
"""
