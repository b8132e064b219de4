"""Runs that work on the same objects at the same time, and have no lock to keep them apart.

Who counts on what a run made, and what is put back for their sake. The marks by which
runs take objects over from each other are written in `irsa_cli.changes.role_owner`.
"""
