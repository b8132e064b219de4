"""`irsa doctor`: reads the facts for `irsa_cli.core.doctor`."""
