"""The commands that show bindings: `get-sa`, `describe-sa` and `init`."""
