"""A role's permissions: real calls with its credentials, or IAM's simulation of its policies."""
