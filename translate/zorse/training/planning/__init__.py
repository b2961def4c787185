"""What a run would take, before it is started.

plan   time, memory and disk of the whole run
trial  a few steps of it
peak   the most memory that something takes
"""
