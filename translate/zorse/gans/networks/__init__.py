"""Networks of the baseline GANs as plain modules.

generators  fully connected, DCGAN, CoGAN's pair     growing  DCGANs that grow while they learn
judges      discriminators, critics, encoders        latents  what generators draw from
layers      layers through which samples see each other
affine      random turns and slants, for InfoGAN
"""
