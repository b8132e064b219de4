"""irsa's own Kubernetes client, for the API server and the user of a raw one."""

import urllib3

from irsa_cli.kube.client import Kube
from irsa_cli.kube.connection import ApiServer, Bounded
from tests.support.kubeclient import KubeClient


def kube_of(raw: KubeClient) -> Kube:
    """The client under test, as the same user."""
    pool = urllib3.PoolManager(ca_cert_data=raw.ca_pem)
    return Kube(ApiServer(raw.endpoint, Bounded(pool), lambda: f"Bearer {raw.token}"))
