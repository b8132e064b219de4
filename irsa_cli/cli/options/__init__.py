"""Groups of options that several commands have, their types, and taking them as what use cases ask for."""
