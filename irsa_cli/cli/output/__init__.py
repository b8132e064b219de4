"""How results leave irsa: as text, as documents, as reports for pipelines and files.

One result has many forms; which there are is in `forms`, how each command's result looks in `screens`.
"""
