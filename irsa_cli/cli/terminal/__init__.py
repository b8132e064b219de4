"""The terminal: progress, colours and widths, words that are printed."""
