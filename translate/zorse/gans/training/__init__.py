"""Runs of generators that draw samples from noise, in the same loop as those that translate."""
