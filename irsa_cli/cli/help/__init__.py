"""Help texts, completion, and the environment variables and settings that stand for options.

Imported for every command, so it imports little.
"""
