"""Plans of the writing commands, and their refusals."""
