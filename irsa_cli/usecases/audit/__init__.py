"""`irsa audit` and `irsa who-can`: reading a whole account and its clusters, live or from files."""
