"""The rules of audit, lint and warnings in one table, and the pure functions that apply them."""
