"""Locks by which one run at a time changes a binding, as values: locked objects, contents of Leases."""
