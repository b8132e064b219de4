"""AWS and a cluster in memory, behind irsa's own clients: no socket, no process, no time that passes.

The real clients (boto3's, Kubernetes') build each request and check each parameter; what would go over the
wire is answered here from values. So whole commands are played in milliseconds, and every call can be broken.
That it agrees with the sandbox, tests/contract holds.
"""

from tests.support.memory.cloud import CLUSTER, MemoryCloud
from tests.support.memory.iam import ACCOUNT, Refusal

__all__ = ["ACCOUNT", "CLUSTER", "MemoryCloud", "Refusal"]
