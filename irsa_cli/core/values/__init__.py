"""Small values and their rules: ARNs, issuers, names, errors, limits, texts that may be shown.

No policy and no plan lives here, and nothing that knows of either.
"""
