"""Strangers' files are decoded and encoded in processes of their own, and never in the one that serves the page.

messages   what the page and such a process say to each other
work       what the process does: open, hand over frames, take them back, encode
server     the program that makes such processes, each with memory that no other file has been in
launch     the page's end: starts the server, or where processes cannot be forked a program for each file
files      the page's end: pictures and videos that are opened there
"""
