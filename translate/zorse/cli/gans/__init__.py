"""What the command line does with the baseline GANs.

sample, lesson, benchmark  commands of their own (`gan_table` prints the last one's results)
baselines                  `zorse train` with a preset of theirs
sample_export              `zorse export`, of a generator of samples
sample_info                `zorse models info`, likewise
"""
