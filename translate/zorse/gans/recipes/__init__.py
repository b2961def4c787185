"""Published methods that draw samples from noise: one method, one file, one page; `../README.md` has a table of them.

    game    what several of them share
    tricks  what can be switched on in the games of GANs

All others are methods by their names.
"""
