"""What interrupted runs leave behind, what of it may be rolled back, and on whose word.

Reading it and taking it back is in `irsa_cli.usecases.recovery`.
"""
