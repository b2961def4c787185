"""A small generator learns what a large one does.

config   the settings that follow from the teacher
teacher  any model, as a network that works and does not learn
student  how near the student came
"""
