"""Results of commands as values, with their JSON documents and exit codes."""
