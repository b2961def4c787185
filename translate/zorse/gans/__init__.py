"""The baseline GANs: generators that draw samples from noise, a wing of their own.

    architecture      the networks as plain data             card              what a generator says of itself
    safetensors_file  generators, written and read           onnx_model        exported generators, without torch
    data              points in the plane, digits, pictures  networks          generators, discriminators, latents
    recipes           the methods, one file for each         training          runs, presets, benchmarks
    sampling          what generators draw                   metrics           modes, digits, means over seeds
    lessons           what GAN lectures teach, shown         sheets            many small pictures as a large one

It stands on the rest of Zorse, which does not know it: only `cli/gans`, the page's GAN lab and the exporter import it.
"""
