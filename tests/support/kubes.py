"""irsa's own Kubernetes client, for the API server and the user of a raw one."""

import kubernetes.client

from irsa_cli.kube.client import Kube
from tests.support.kubeclient import KubeClient


def kube_of(raw: KubeClient) -> Kube:
    """The client under test, as the same user."""
    configuration = kubernetes.client.Configuration()
    configuration.host = raw.endpoint
    configuration.api_key = {"authorization": f"Bearer {raw.token}"}
    client = kubernetes.client.ApiClient(configuration)
    client.rest_client.pool_manager.connection_pool_kw["ca_cert_data"] = raw.ca_pem
    return Kube(client)
