"""Generators and discriminators as plain modules; `build` turns a config into one."""
