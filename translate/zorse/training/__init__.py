"""Training: one loop for every recipe, and everything around it that makes a run survive.

config        the settings                            presets       settings by name
run           a training from settings to files       driver        what all runs have in common
files         the run folder                          cards         what the generators say of themselves
start         first weights from models that exist    freezing      layers that keep theirs
stages        crops that grow                         loop          steps and checkpoints
observers     logs, evaluation, alarms                planning      what a run would take
distillation  small generators that learn from large ones
"""
