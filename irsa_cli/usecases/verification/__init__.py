"""`irsa verify`: proves step by step that STS exchanges a token for a role."""
