"""`irsa lint`: the objects in files and their risks. Values and pure functions."""
