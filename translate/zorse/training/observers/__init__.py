"""What watches a run while it trains.

logging     progress, losses, grids of pictures
saver       checkpoints and generators
evaluation  what translators are measured by
best        the checkpoint that measured best
recorder    the flight recorder: signals, alarms, rollback
"""
