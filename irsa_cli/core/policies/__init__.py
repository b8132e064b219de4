"""The language of IAM policies: documents, grammar, operators, conditions, permissions."""
