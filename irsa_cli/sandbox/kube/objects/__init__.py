"""The objects of the sandbox's Kubernetes API: their kinds, fields, checks, and where they are kept.

What requests do with them is beside this folder.
"""
