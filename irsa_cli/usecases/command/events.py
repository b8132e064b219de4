"""Events of a running command: those of its transaction, and its calls."""

from irsa_cli.aws.session import WireCall
from irsa_cli.transaction.protocol import Event, Step

__all__ = ["Event", "Step", "WireCall"]
