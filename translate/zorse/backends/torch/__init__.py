"""PyTorch: a model file, as a network that runs or learns.

backend           a model file that pictures are given to
cost              what a pass takes, found out without computing it
graph             a network as an ONNX graph; operators: those that become other nodes than PyTorch would choose
safetensors_file  generators with their cards, written and read
onnx_weights      generators out of exported .onnx files
"""
