"""The commands, one module each: options in, use case called, result shown."""
