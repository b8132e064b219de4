"""The two Kubernetes APIs that must agree, behind one face: the sandbox's own and a real kube-apiserver.

Both take bearer tokens of the form that `token_of` makes, so that tests may be whoever they like.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube.admission import Webhook
from irsa_cli.sandbox.kube.api import KubeApi
from irsa_cli.sandbox.model import Identity, Rule
from tests.support.controlplane import ControlPlane, Etcd
from tests.support.kubeclient import Json, KubeClient
from tests.support.podwebhook import pod_webhook
from tests.support.servers import make_certificate, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_TOKEN = "contract-test."
REGION = "eu-west-1"
ASSOCIATED = "associated"
"""The name of the ServiceAccounts that have an EKS Pod Identity association."""


def associated(_namespace: str, name: str) -> bool:
    """Whether a ServiceAccount has an EKS Pod Identity association."""
    return name == ASSOCIATED


def token_of(username: str, groups: Sequence[str] = ()) -> str:
    """Make the bearer token of a user that nobody needs to have created."""
    return _TOKEN + "/".join([username, *groups])


def identify(token: str) -> Identity | None:
    """Tell who a token of `token_of` is."""
    if not token.startswith(_TOKEN):
        return None
    username, *groups = token.removeprefix(_TOKEN).split("/")
    return Identity(username, tuple(groups))


class Grants(Protocol):
    """Something that can give a user rights."""

    def __call__(self, username: str, rules: Sequence[Rule]) -> None: ...


@dataclass
class Cluster:
    """One API server under test. `admin` may do everything."""

    endpoint: str
    ca_pem: str
    issuer: str
    grant: Grants
    world: Callable[[], Json]
    admin: KubeClient = field(init=False)

    def __post_init__(self) -> None:
        self.admin = self.connect(token_of("admin", ["system:masters"]))

    def connect(self, token: str | None) -> KubeClient:
        """Return a client with this bearer token; None: anonymous."""
        return KubeClient(self.endpoint, self.ca_pem, token)

    def user(self, username: str, rules: Sequence[Rule] = ()) -> KubeClient:
        """Return a client of a user who may do what `rules` say and nothing else."""
        self.grant(username, rules)
        return self.connect(token_of(username))


@contextmanager
def simulated() -> Iterator[Cluster]:
    """Serve the sandbox's API over TLS, as bare of controllers as the real one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    certificate = make_certificate()
    webhook = Webhook(REGION, certificate.certificate, associated)
    api = KubeApi(issuer, key, identify, controllers=False, webhook=webhook)
    with serve(api, certificate) as url:
        yield Cluster(url, certificate.certificate, issuer, api.set_rules, api.world)


@contextmanager
def on_real_server(etcd: Etcd) -> Iterator[Cluster]:
    """Start a real API server that asks `identify` who a token is, and has EKS's webhook for pods."""
    with (
        serve(_token_review) as url,
        ControlPlane(etcd.assets, etcd, token_review_url=url) as plane,
        pod_webhook(plane.admin, REGION, associated),
    ):
        yield Cluster(plane.endpoint, plane.ca_pem, plane.issuer, plane.grant_rbac, plane.world)


def _token_review(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer a TokenReview (the authentication webhook of the real server)."""
    review = json.loads(Request(environ).get_data())
    who = identify(review["spec"]["token"])
    status: Json = {"authenticated": who is not None}
    if who is not None:
        status["user"] = {"username": who.username, "uid": who.username, "groups": list(who.groups)}
    answer = {"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}
    return Response(json.dumps(answer), mimetype="application/json")(environ, start_response)
