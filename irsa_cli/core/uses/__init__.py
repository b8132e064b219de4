"""Users of a role, and their way to it: pods, the templates of new pods, tokens used outside of pods.

Whether somebody may use a role is the subject of `trust`.
"""
