"""Parts of all commands: connection, execution, retries, parallel runs, settings."""
