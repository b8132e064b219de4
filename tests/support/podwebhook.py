"""The EKS pod identity webhook for a real API server: served over HTTPS, and registered with it.

What it does is in `irsa_cli.sandbox.kube.admission`, which the sandbox's own API shares.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from irsa_cli.sandbox.kube.admission import WEBHOOK_NAME, PodWebhook, admission_app, webhook_configuration
from tests.support.kubeclient import KubeClient
from tests.support.servers import make_certificate, serve

PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
EFFECT_SECONDS = 30.0


@contextmanager
def pod_webhook(
    admin: KubeClient, region: str, associated: Callable[[str, str], bool] = lambda *_: False
) -> Iterator[None]:
    """The webhook in effect for the block; `associated` as in `PodWebhook`."""

    def annotations(namespace: str, name: str) -> Mapping[str, str] | None:
        answer = admin.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        if answer.status != 200:
            return None
        found: Mapping[str, str] = answer.body["metadata"].get("annotations", {})
        return found

    certificate = make_certificate()
    with serve(admission_app(PodWebhook(region, annotations, associated)), certificate) as url:
        desired = webhook_configuration(f"{url}/mutate", certificate.certificate)
        answer = admin.create(PATH, desired)
        assert answer.status == 201, answer.text
        _wait_until_in_effect(admin)
        try:
            yield
        finally:
            admin.delete(f"{PATH}/{WEBHOOK_NAME}")


def _wait_until_in_effect(admin: KubeClient) -> None:
    """A new configuration is seen after a while; a pod for show tells when."""
    namespace = f"webhook-{uuid.uuid4().hex[:8]}"
    admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/show"}
    path = f"/api/v1/namespaces/{namespace}"
    admin.create(f"{path}/serviceaccounts", {"metadata": {"name": "show", "annotations": annotations}})
    pod = {
        "metadata": {"name": "show"},
        "spec": {"serviceAccountName": "show", "containers": [{"name": "show", "image": "show"}]},
    }
    deadline = time.monotonic() + EFFECT_SECONDS
    while True:
        answer = admin.create(f"{path}/pods", pod, dryRun="All")
        assert answer.status == 201, answer.text
        if "AWS_ROLE_ARN" in answer.text:
            break
        assert time.monotonic() < deadline, "the webhook does not take effect"
        time.sleep(0.1)
    admin.delete(f"/api/v1/namespaces/{namespace}")
