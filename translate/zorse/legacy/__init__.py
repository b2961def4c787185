"""Checkpoints of pytorch-CycleGAN-and-pix2pix and of CUT: read safely, recognised by their keys, made ours."""
