"""Generators that draw from noise, at work: what they draw, and sheets of it to look at."""
