"""The commands, one module each, to be read from top to bottom.

First the class of the options, then the table of those that contradict each other, then `command`: it
checks the options, turns them into the `Request` of a use case, runs it, and shows the result. A command
decides nothing about AWS or the cluster: the use case does, so files, saved plans and tests get the same
answer without a command line.

A module is imported when its command runs; it imports slow modules in functions.
"""
