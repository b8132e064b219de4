"""Reading the current state, of one ServiceAccount, of many, of a cluster. Nothing is written here."""
