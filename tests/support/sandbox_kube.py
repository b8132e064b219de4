"""A cluster of the sandbox as somebody sees it who has found it by DescribeCluster."""

import base64
from collections.abc import Mapping

from irsa_cli.sandbox import Sandbox
from tests.support.eks import bearer
from tests.support.kubeclient import KubeClient
from tests.support.sandbox_clients import client


def kube_as(sandbox: Sandbox, env: Mapping[str, str] | None = None, *, token: str = "") -> KubeClient:
    """The cluster `demo`, by its administrator's environment, another one, or a token."""
    found = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    own = sandbox.env() if env is None else dict(env)
    return KubeClient(found["endpoint"], ca, token or bearer(own, "demo"))
