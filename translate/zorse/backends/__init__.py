"""What runs a network: ONNX Runtime or torch. Both rooms have the same files, and give a Translator the same protocols.

    onnx     .onnx files, without torch
    torch    .safetensors files

In each, `backend` is a `Backend` (runtime.translator) made from a model file, and `kernels` are the `Kernels`
(runtime.streamed) that compute the tiles of large pictures. The runtime knows neither; `zorse.loading` chooses.
"""
