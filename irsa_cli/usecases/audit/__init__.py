"""`irsa audit`, `irsa who-can` and `irsa lint`: read an account or files, and report risks."""
