"""The commands that work on configuration files: apply, diff, delete, prune."""
