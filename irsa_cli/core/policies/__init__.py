"""The language of IAM policies: documents, their grammar, operators, conditions and what they allow.

IAM reads a policy in ways that its JSON does not show: one element stands for a list, keys ignore case, a
condition with an unknown key may hold. A room that interpreted documents by itself would get one of these
wrong, so all ask here. An answer may be unknown: SCPs, boundaries and session policies are not evaluated.

Whether a token may assume a role is in `irsa_cli.core.trust`, which knows ServiceAccounts and issuers; here
nobody does. The catalogue of well-known policies is data in `data`, with its rules in `wellknown`.
"""
