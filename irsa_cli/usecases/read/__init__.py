"""Reading the current state, of one ServiceAccount, of many, of a cluster. Nothing is written here.

What one question needs is asked for at the same time, since a round trip costs more than an answer. Many
bindings are read in lists, whose answers may be older than those about one object: who finds something
else there looks again.
"""
