"""The audit of an account: who can assume which roles, and the risks. Values and pure functions."""
