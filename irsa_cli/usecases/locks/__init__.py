"""Locks by which one run at a time changes a binding: taking, renewing and releasing them."""
