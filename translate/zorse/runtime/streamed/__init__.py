"""Pictures of any size through a generator in bounded memory, with the result of one pass over the whole picture.

A normalisation needs the mean and variance of a whole map; everything between two normalisations is local. So the
network runs stage by stage over tiles: a stage computes the tiles of one map, each with its own small halo, and adds up
their statistics in 64 bits; the next stage uses them. Maps that are costly to compute are kept, in memory or in a
temporary file; cheap ones are computed again where they are needed. Padding happens at the real border only.

    program     a network as a list of operations          reader      from an ONNX graph to its program
    geometry    which part of a map an operation needs      stages      a program cut where statistics are complete
    moments     mean and variance of a map, tile by tile    shelf       kept maps, in memory or in a temporary file
    plan        tiles and maps that fit into the memory     execute     the run over stages and tiles
    kernels     what computes a stage's tile: `zorse.backends.onnx.kernels`
"""
