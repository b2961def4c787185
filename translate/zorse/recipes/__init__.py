"""Published methods that translate: one method, one file, one page. Recipes share functions, never a base class.

pix2pix, cyclegan, cut, distillation  the methods
recipe                                what the loop knows of them, and functions that they share
losses, pool                          losses as functions, and the image pool
"""
