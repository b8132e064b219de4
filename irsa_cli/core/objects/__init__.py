"""Kubernetes objects as values, and the identity of pods."""
