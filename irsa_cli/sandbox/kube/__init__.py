"""A small Kubernetes API of our own: what irsa calls, answered as a real API server answers.

tests/contract runs the same tests against it and a real kube-apiserver.
"""
