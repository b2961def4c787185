"""What GAN lectures teach, shown: one lesson, one page, computed with the losses, networks and recipes of Zorse."""
