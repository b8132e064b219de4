"""Kubernetes objects as values, unreadable ones, and the identity of pods."""
