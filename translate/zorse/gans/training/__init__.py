"""Runs of generators that draw samples from noise, in the same loop as those that translate.

config      the settings                        presets    settings by name
run         a run from settings to files        build      from settings to a method
cards       the generator's card                sheet      samples to look at while it trains
evaluation  one figure to keep the best by      digits     how digits are measured
benchmark   presets side by side                tricks     each trick as settings
view        what players see in the plane
"""
