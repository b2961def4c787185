"""Training: one loop for every recipe, and everything around it that makes a run survive."""
