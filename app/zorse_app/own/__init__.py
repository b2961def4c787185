"""Models that visitors bring: checked, run in a process of their own with little memory and time, and forgotten."""
