"""Carrying out a plan as one transaction: run, journal, roll back, recover.

Knows changes only by their protocol, and neither AWS nor Kubernetes.
"""
