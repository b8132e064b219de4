"""The EKS pod identity webhook: what it adds to a new pod whose ServiceAccount has a role.

One implementation for both Kubernetes APIs of the tests: the sandbox's own calls `PodWebhook.mutate`, a real
API server is answered over HTTPS by `admission_app`. Known are the annotations of ServiceAccounts (role-arn,
audience, token-expiration, sts-regional-endpoints) and of pods (skip-containers, token-expiration), and that
an EKS Pod Identity association comes first. The webhook's other prefixes and its cache are not.

Sources: https://github.com/aws/amazon-eks-pod-identity-webhook (README) and
https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html
"""

from __future__ import annotations

import base64
import copy
import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Json = dict[str, Any]
CONFIGURATION = "pod-identity-webhook"
URL = "https://127.0.0.1:23443/mutate"
"""Where EKS's own configuration leads to: a port of the control plane itself."""
_PREFIX = "eks.amazonaws.com/"
_SHORTEST, _USUAL = 600, 86_400
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True)
class _Way:
    """A way to hand an identity to a container: a projected token, and variables that lead to it.

    `variables` are set together, or, where the container has one of them already, not at all; `{path}`
    is the token's file.
    """

    volume: str
    folder: str
    file: str
    audience: str
    variables: Mapping[str, str]


def _web_identity(annotations: Mapping[str, str]) -> _Way | None:
    role = annotations.get(f"{_PREFIX}role-arn")
    if not role:
        return None
    return _Way(
        "aws-iam-token",
        "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        "token",
        annotations.get(f"{_PREFIX}audience", "sts.amazonaws.com"),
        {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": "{path}"},
    )


_POD_IDENTITY = _Way(
    "eks-pod-identity-token",
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
    "eks-pod-identity-token",
    "pods.eks.amazonaws.com",
    {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{path}",
    },
)


@dataclass(frozen=True)
class PodWebhook:
    """The webhook of one cluster.

    `annotations` gives those of a ServiceAccount (namespace, name), None when there is none; `associated`
    tells whether it has an EKS Pod Identity association.
    """

    region: str
    annotations: Callable[[str, str], Mapping[str, str] | None]
    associated: Callable[[str, str], bool] = lambda _namespace, _name: False

    def mutate(self, pod: Json, namespace: str) -> Json:
        """The pod with what the webhook adds; the same as before when that is nothing."""
        name = pod["spec"].get("serviceAccountName", "")
        found = self.annotations(namespace, name) or {}
        way = _POD_IDENTITY if self.associated(namespace, name) else _web_identity(found)
        if way is None:
            return pod
        pod = copy.deepcopy(pod)
        own: Mapping[str, str] = pod["metadata"].get("annotations", {})
        skipped = next(csv.reader([own.get(f"{_PREFIX}skip-containers", "")]), [])
        usual = _seconds(found, _USUAL)
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"].get("containers", [])]:
            if container.get("name") not in skipped:
                self._equip(container, way, _path(way, pod), regional=_regional(found))
        _add_volume(pod["spec"], way, _seconds(own, usual))
        return pod

    def _equip(self, container: Json, way: _Way, path: str, *, regional: bool) -> None:
        there = {variable.get("name") for variable in container.get("env", [])}
        identity = {name: value.format(path=path) for name, value in way.variables.items()}
        region = {"AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region}
        endpoint = {"AWS_STS_REGIONAL_ENDPOINTS": "regional"}
        if there & identity.keys() and there & region.keys() and there & endpoint.keys():
            return
        added = [*(endpoint.items() if regional and not there & endpoint.keys() else ())]
        for group in (region, identity):
            added += [] if there & group.keys() else group.items()
        container["env"] = container.get("env", []) + [{"name": k, "value": v} for k, v in added]
        mounts = container.get("volumeMounts", [])
        if all(mount.get("name") != way.volume for mount in mounts):
            mount = {"name": way.volume, "readOnly": True, "mountPath": way.folder}
            container["volumeMounts"] = [*mounts, mount]


def _add_volume(spec: Json, way: _Way, seconds: int) -> None:
    volumes = spec.get("volumes", [])
    if any(volume.get("name") == way.volume for volume in volumes):
        return
    token = {"audience": way.audience, "expirationSeconds": seconds, "path": way.file}
    volume = {"name": way.volume, "projected": {"sources": [{"serviceAccountToken": token}]}}
    spec["volumes"] = [volume, *volumes]


def _path(way: _Way, pod: Json) -> str:
    path = f"{way.folder}/{way.file}"
    selector = pod["spec"].get("nodeSelector", {})
    windows = "windows" in (selector.get("kubernetes.io/os"), selector.get("beta.kubernetes.io/os"))
    return "C:" + path.replace("/", "\\") if windows else path


def _seconds(annotations: Mapping[str, str], usual: int) -> int:
    try:
        return max(int(annotations[f"{_PREFIX}token-expiration"]), _SHORTEST)
    except (KeyError, ValueError):
        return usual


def _regional(annotations: Mapping[str, str]) -> bool:
    """On EKS regional endpoints are the default, and the annotation is read as Go reads a bool."""
    value = annotations.get(f"{_PREFIX}sts-regional-endpoints", "true")
    return value not in _FALSE if value in (*_TRUE, *_FALSE) else True


def configuration(url: str = URL, ca_pem: str = "") -> Json:
    """The MutatingWebhookConfiguration as a new EKS cluster has it, leading to `url`."""
    client = {"url": url, "caBundle": base64.b64encode(ca_pem.encode()).decode()}
    skip = {"key": f"{_PREFIX}skip-pod-identity-webhook", "operator": "DoesNotExist"}
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    webhook = {
        "name": "iam-for-pods.amazonaws.com",
        "clientConfig": client,
        "rules": [rule],
        "failurePolicy": "Ignore",
        "objectSelector": {"matchExpressions": [skip]},
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1beta1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [webhook],
    }


def admission_app(webhook: PodWebhook) -> WSGIApplication:
    """A WSGI application that answers the AdmissionReviews of an API server; it is to be served over TLS."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        review = json.loads(Request(environ).get_data())
        answer = {key: review[key] for key in ("apiVersion", "kind")}
        answer["response"] = _response(webhook, review["request"])
        return Response(json.dumps(answer), mimetype="application/json")(environ, start_response)

    return app


def _response(webhook: PodWebhook, request: Json) -> Json:
    old = request["object"]
    new = webhook.mutate(old, request["namespace"])
    # "add" replaces a member that is there: https://www.rfc-editor.org/rfc/rfc6902#section-4.1
    operations = [
        {"op": "add", "path": f"/spec/{part}", "value": new["spec"][part]}
        for part in ("volumes", "initContainers", "containers")
        if new["spec"].get(part) != old["spec"].get(part)
    ]
    response: Json = {"uid": request["uid"], "allowed": True}
    if operations:
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    return response
