"""Changes as values, plans of changes, and the states of objects; planned in `irsa_cli.core.planning`."""
