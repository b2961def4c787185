"""Generators and discriminators of translators as plain modules; `build` turns a config into one."""
