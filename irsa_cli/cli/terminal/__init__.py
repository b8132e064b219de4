"""The terminal as a device: its width, its colours, its characters, and lines that change while irsa works.

Output goes to terminals, pipes, CI logs and screen readers, and each can do less than the one before. This
room finds out once what a stream can do, so that no text asks for itself. rich is imported for terminals
only, because importing it is slow.

It knows no results: their words are in `irsa_cli.cli.output`. Whether a text of others may be shown as it
is, `irsa_cli.core.values.shown` decides.
"""
