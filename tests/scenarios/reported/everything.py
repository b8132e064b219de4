"""All cases: importing this registers them."""

from tests.scenarios.reported import (
    accounts,
    blind_healthy,
    blind_pod_identity,
    blind_pods,
    blind_trusts,
    healthy,
    newest,
    pod_identity,
    pods,
    trusts,
    uncreated,
)
from tests.scenarios.reported.cases import HEALTHY, REPORTED

__all__ = [
    "HEALTHY",
    "REPORTED",
    "accounts",
    "blind_healthy",
    "blind_pod_identity",
    "blind_pods",
    "blind_trusts",
    "healthy",
    "newest",
    "pod_identity",
    "pods",
    "trusts",
    "uncreated",
]
