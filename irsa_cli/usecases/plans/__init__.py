"""Saved plans: write a dry run's plan to a file, read it, and carry out exactly that."""
