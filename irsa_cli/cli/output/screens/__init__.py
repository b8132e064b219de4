"""What the results of commands look like at a terminal, and as reports: one module for each result."""
