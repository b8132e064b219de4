"""The output of each command at a terminal, and as reports."""
