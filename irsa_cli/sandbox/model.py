"""The shared values of the sandbox: partitions, callers, clusters, logged calls, faults."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

_TABLES = json.loads(Path(__file__).with_name("tables.json").read_text(encoding="utf-8"))
DEFAULT_ACCOUNT = "111122223333"
DEFAULT_REGION = "eu-west-1"


def table(name: str) -> Any:
    """A copy of one of the facts in tables.json about AWS, EKS and Kubernetes."""
    return copy.deepcopy(_TABLES[name])


FaultKind = Literal[
    "error",
    "error-after",
    "throttle",
    "status",
    "reset-before",
    "reset-after",
    "truncate-after",
    "half-body",
    "garble-after",
    "answer",
    "answer-after",
    "drip",
    "hang",
    "late",
    "callback",
    "tls-stranger",
    "tls-garbage",
]
HANDSHAKES = ("tls-stranger", "tls-garbage")
"""Kinds that break TLS handshakes, not calls: by the certificate of another CA, by bytes that are no TLS."""


@dataclass
class Answer:
    """A complete HTTP answer; `error_code` is the service's own word for an error, empty for a success."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error_code: str = ""

    @classmethod
    def of_json(cls, value: Any, status: int = 200, error_code: str = "") -> Answer:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"}, error_code)


@dataclass(frozen=True)
class Identity:
    """A bearer token's identity in Kubernetes; `arn` is the AWS caller behind it, empty if there is none."""

    username: str
    groups: tuple[str, ...] = ()
    arn: str = ""


@dataclass(frozen=True)
class Rule:
    """One RBAC rule, on the core group by default; without a namespace, bound to the whole cluster."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    namespace: str | None = None
    groups: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class ExternalCluster:
    """A real control plane instead of the sandbox's API; `jwks`: the public keys, for STS."""

    endpoint: str
    ca_pem: str
    issuer: str
    jwks: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class ClusterSpec:
    """An EKS cluster; `oidc` False: without issuer; `pod_webhook`: with EKS's webhook, unless external."""

    name: str = "demo"
    region: str = DEFAULT_REGION
    account: str = DEFAULT_ACCOUNT
    status: str = "ACTIVE"
    oidc: bool = True
    pod_webhook: bool = True
    external: ExternalCluster | None = None


@dataclass(frozen=True)
class Call:
    """One answered (or broken) call; `started` and `ended` are seconds of a monotonic clock.

    `subject` names what the call is about, such as a role or an object's path. `status` is 0 when the
    client got no answer; `error_code` is empty for a success. `caller` is as in `Fault`.
    """

    service: str
    operation: str
    subject: str
    status: int
    error_code: str
    started: float
    ended: float
    caller: str = ""


@dataclass(frozen=True)
class RoleSpec:
    """A role that is put into an account as it is: what IAM would refuse is not looked for."""

    name: str
    trust: dict[str, Any]
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: Sequence[str] = ()


@dataclass
class Fault:
    """A fault in calls of `operation` ("*" for any) of `service`.

    It applies to calls whose subject or body contains `match`, after letting `skip` of them through, and
    `times` times (None: for ever). `code`, `message` and `status` are for kinds `error` and `error-after`,
    which executes the call before; `status` also for `status`; `seconds` for `hang` and `late`. `run` is
    called when the fault strikes a call, before anything else; kind `callback` does only that.
    `garble-after` executes the call and answers with bytes that are neither TLS nor HTTP. `answer` answers
    in the service's place, with `status`, `body` and `content_type` (a redirect leads back to its
    source); `answer-after` executes the call before. `drip` also executes it, and sends the answer's body
    byte by byte, one in `seconds`.

    With `lasts` it is over that many seconds after it has struck for the first time.

    Kinds in `HANDSHAKES` strike new connections to a port with TLS instead: `service` is "aws" or
    "kubernetes", all the rest but `skip` and `times` is ignored. While one is armed, such a port closes each
    connection after its answer.

    With a `caller` it applies to calls with this access key only; to a Kubernetes API, to those with a bearer
    token that the key signed. Calls without a signature (AssumeRoleWithWebIdentity) count as those of the
    SDK's application id (AWS_SDK_UA_APP_ID).
    """

    service: str
    operation: str
    kind: FaultKind
    match: str = ""
    caller: str = ""
    times: int | None = 1
    skip: int = 0
    code: str = "AccessDenied"
    message: str = "Injected by the sandbox"
    status: int = 403
    seconds: float = 1.0
    lasts: float | None = None
    body: str = ""
    content_type: str = "text/html"
    run: Callable[[], None] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Partition:
    """A partition, the beginning of its regions' names, and its DNS suffix."""

    name: str
    region_prefix: str
    suffix: str
    home: str
    """The region that signs calls to its global services, such as IAM."""


_AWS, *_OTHERS = (Partition(**row) for row in table("partitions"))
BY_NAME = {partition.name: partition for partition in (_AWS, *_OTHERS)}


def partition_of(region: str) -> Partition:
    """The partition of a region; `aws` for any that no other partition claims."""
    return next((p for p in _OTHERS if region.startswith(p.region_prefix)), _AWS)
