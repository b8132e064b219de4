"""What a command tells while it runs, for whoever shows it: the events of its transaction, and its calls.

How they look is in `irsa_cli.cli.terminal.progress`; the result at the end is in `irsa_cli.core.results`.
"""

from irsa_cli.aws.session import WireCall
from irsa_cli.transaction.events import Event, Step

__all__ = ["Event", "Step", "WireCall"]
