"""What is known on this machine."""
