"""Trust policies: irsa's statement, the subjects that a policy allows, tokens, unsafe policies (`rules`)."""
