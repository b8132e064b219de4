"""Small values and their rules, without policies and plans: ARNs, issuers, names, errors, limits, texts."""
