"""What a model file is: the card inside it, the network as plain data, and where models come from. No torch.

card          what a file says of itself
architecture  generators and discriminators as plain data
model_file    the network and the card out of an .onnx file
onnx_file     what is in any .onnx file
protobuf      the form in which it is stored
parity        how an exported file was compared with its network
registry      shipped and published models by their names
"""
