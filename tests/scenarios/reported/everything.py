"""All cases: importing this registers them."""

from tests.scenarios.reported import accounts, healthy, pod_identity, pods, trusts, uncreated
from tests.scenarios.reported.cases import HEALTHY, REPORTED

__all__ = ["HEALTHY", "REPORTED", "accounts", "healthy", "pod_identity", "pods", "trusts", "uncreated"]
