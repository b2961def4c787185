"""How good a model's pictures are: distances between sets of pictures, and between pairs."""
