"""Proving that the binding works: the ServiceAccount's token is exchanged at STS as a pod's SDK would."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from irsa_cli.core.binding import Wish
from irsa_cli.core.errors import ServiceError, Unverified
from irsa_cli.transaction.engine import Event, Listener, Step
from irsa_cli.usecases.connect import Connection

PROPAGATION_SECONDS = 90.0
"""For how long STS may refuse what IAM has confirmed; measured in public reports at 2 to 60 seconds."""


def verify(
    connection: Connection, wish: Wish, *, seconds: float, pause: Callable[[float], None], listen: Listener
) -> dict[str, Any]:
    """Exchange a token of the ServiceAccount for the role's credentials, and throw them away.

    Waits out IAM's propagation for at most `seconds`. Raises `Unverified` when STS refuses until then.
    """
    from irsa_cli.aws.sts import exchange

    until = monotonic() + min(seconds, PROPAGATION_SECONDS)
    wait = iter(_waits())

    def again(error: ServiceError) -> bool:
        step = next(wait)
        if monotonic() + step > until:
            return False
        listen(Event(Step.WAITING, text=f"STS says {error.code}, IAM may still be spreading the role"))
        pause(step)
        return True

    def token() -> str:
        return connection.kube.token(wish.namespace, wish.name, wish.audience)

    try:
        accepted = exchange(connection.aws, wish.role_arn, token, again)
    except ServiceError as error:
        raise Unverified(
            f"the token of {wish.namespace}/{wish.name} was not accepted for {wish.role_arn}",
            reason=f"{error.message}: {error.reason}",
            details=error.details,
            code=error.code,
        ) from error
    return {
        "subject": accepted.subject,
        "audience": accepted.audience,
        "provider": accepted.provider,
        "roleSession": accepted.role_session,
        "endpoint": accepted.endpoint,
    }


def _waits() -> list[float]:
    """Seconds between tries: quick at first, then every five."""
    return [0.5, 1.0, 2.0, 3.0] + [5.0] * 100
