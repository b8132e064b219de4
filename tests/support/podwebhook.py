"""The EKS pod identity webhook for a real API server: served over HTTPS, and registered with it.

What it does is in `irsa_cli.sandbox.kube.admission`, which the sandbox's own API shares.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube.admission import PodWebhook, webhook_configuration
from irsa_cli.sandbox.kube.schema import JsonObject
from tests.support.kubeclient import KubeClient
from tests.support.servers import make_certificate, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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
            admin.delete(f"{PATH}/{desired['metadata']['name']}")


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


def admission_app(webhook: PodWebhook) -> WSGIApplication:
    """A WSGI application that answers the AdmissionReviews of an API server; serve it over TLS."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        review = json.loads(Request(environ).get_data())
        answer = {key: review[key] for key in ("apiVersion", "kind")}
        answer["response"] = _response(webhook, review["request"])
        return Response(json.dumps(answer), mimetype="application/json")(environ, start_response)

    return app


def _response(webhook: PodWebhook, request: JsonObject) -> JsonObject:
    old = request["object"]
    new = webhook.mutate(old, request["namespace"])
    # "add" replaces a member that is there: https://www.rfc-editor.org/rfc/rfc6902#section-4.1
    operations = [
        {"op": "add", "path": f"/spec/{part}", "value": new["spec"][part]}
        for part in ("volumes", "initContainers", "containers")
        if new["spec"].get(part) != old["spec"].get(part)
    ]
    response: JsonObject = {"uid": request["uid"], "allowed": True}
    if operations:
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    return response
