"""What runs a network: ONNX Runtime or torch. Both rooms give a Translator the same protocols.

    onnx     .onnx files, without torch
    torch    .safetensors files

In each, `backend` is a `Backend` (runtime.translator) made from a model file. `onnx.kernels` are the `Kernels`
(runtime.streamed) that compute the tiles of large pictures, for torch with the graph that it exports. The runtime knows
neither room; `zorse.loading` chooses.
"""
