"""Many bindings of a cluster, or one in detail, judged and shown: `get-sa` and `describe-sa`.

Each binding is judged by itself, so that one that is broken, or that the caller may not read, hides no
other. A binding that could not be judged is never called good.
"""
