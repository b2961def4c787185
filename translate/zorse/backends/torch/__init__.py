"""PyTorch: a model file, as a network that runs or learns.

backend           a model file that pictures are given to
kernels           the tiles of pictures that are streamed
safetensors_file  generators with their cards, written and read
onnx_weights      generators out of exported .onnx files
"""
