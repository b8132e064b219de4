"""One account and one cluster, what stands between irsa's clients and them, and what breaks there."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import boto3
import botocore.config
import botocore.exceptions
import urllib3.exceptions

from irsa_cli.aws.session import AwsSession
from irsa_cli.changes.kubernetes import config_map_body
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, ConfigMapState
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.trust_policy import admits
from irsa_cli.core.uses.ways import AGENT_TOKEN_FILE, CREDENTIALS_URI, ROLE, TOKEN_FILE
from irsa_cli.core.values import limits
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.kube import connection as kube_connection
from irsa_cli.kube.client import Kube
from irsa_cli.kube.connection import ApiServer, Bounded
from irsa_cli.transaction.protocol import Run
from tests.support.memory.eks import MemoryEks
from tests.support.memory.iam import ACCOUNT, MemoryIam, Refusal
from tests.support.memory.kube import Asked, MemoryKube, read_request
from tests.unit.world import Account, World

Json = dict[str, Any]
REGION = "eu-west-1"
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER.removeprefix('https://')}"
CLUSTER = Cluster("demo", f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/demo", REGION, "aws", ACCOUNT, ISSUER)
LOST_BEFORE, LOST_AFTER = "never arrives", "executed, and not answered"
_CURRENT: list[MemoryCloud] = []


class Lost(Exception):
    """No answer: whether the call was executed is not known."""


@dataclass
class Fault:
    """What goes wrong at a call: `how` is a `Refusal`, `LOST_BEFORE` or `LOST_AFTER`.

    `first` is done before anything else, `then` when the call was executed. `skip` calls are let through, and
    `times` are struck.
    """

    operation: str
    how: Refusal | str | None = None
    skip: int = 0
    times: int = 1
    first: Callable[[], None] = lambda: None
    then: Callable[[], None] = lambda: None


@dataclass
class MemoryCloud:
    """An account with one cluster, `demo`."""

    iam: MemoryIam = field(default_factory=lambda: MemoryIam(World()))
    kube: MemoryKube = field(default_factory=MemoryKube)
    eks: MemoryEks = field(default_factory=lambda: MemoryEks(CLUSTER))
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """The operations in their order, as faults name them: `CreateRole`, `patch serviceaccounts`."""
    logs: list[Callable[..., None]] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.RLock)

    @property
    def world(self) -> World:
        """All there is, as the model of tests/unit/world.py has it. Not to be changed."""
        kept = self.kube.objects
        namespaces = {
            name: body["metadata"] for (kind, _, name), body in kept.items() if kind == "namespaces"
        }
        return World(
            providers=dict(self.iam.world.providers),
            namespaces=set(namespaces),
            roles={
                name: replace(role, attached=set(role.attached), inline=dict(role.inline))
                for name, role in self.iam.world.roles.items()
            },
            accounts={
                (namespace, name): account_of(body)
                for (kind, namespace, name), body in kept.items()
                if kind == "serviceaccounts"
            },
            makers={
                name: found["annotations"][TRANSACTION_TAG]
                for name, found in namespaces.items()
                if TRANSACTION_TAG in (found.get("annotations") or {})
            },
            config_maps={
                (namespace, name): config_map_of(body)
                for (kind, namespace, name), body in kept.items()
                if kind == "configmaps" and TRANSACTION_TAG in (body["metadata"].get("annotations") or {})
            },
            associations=self.eks.world,
        )

    def fill(self, world: World) -> None:
        """Put all that a world has into this cloud."""
        self.iam.world.providers.update(world.providers)
        self.iam.world.roles.update(
            {n: replace(r, attached=set(r.attached), inline=dict(r.inline)) for n, r in world.roles.items()}
        )
        for name in world.namespaces:
            marks = {TRANSACTION_TAG: world.makers[name]} if name in world.makers else {}
            self.kube.put("namespaces", "", name, annotations=marks)
        for (namespace, name), account in world.accounts.items():
            metadata: Json = {"annotations": dict(account.annotations), "labels": dict(account.labels)}
            if account.uid:
                metadata["uid"] = account.uid
            self.kube.put("serviceaccounts", namespace, name, **metadata)
        for (namespace, name), state in world.config_maps.items():
            body = config_map_body(namespace, name, state, state.transaction)
            metadata = {key: body["metadata"][key] for key in ("labels", "annotations")}
            self.kube.put("configmaps", namespace, name, {"data": body["data"]}, **metadata)

    def break_(self, operation: str, how: Refusal | str | None = None, **more: Any) -> None:
        """Let the next call of an operation go wrong; see `Fault`."""
        self.faults.append(Fault(operation, how, **more))

    def meanwhile(self, operation: str, do: Callable[[], None], **more: Any) -> None:
        """Let somebody do something right before a call of an operation is executed."""
        self.faults.append(Fault(operation, None, first=do, **more))

    @property
    def writes(self) -> list[str]:
        """The calls that write what runs are about; locks are none of that."""
        reading = (
            "Get",
            "List",
            "Describe",
            "get ",
            "list ",
            "AssumeRole",
            "Simulate",
            "Lookup",
            "rehearse ",
        )
        return [
            item
            for item in self.calls
            if not item.startswith(reading)
            and "/token" not in item
            and not item.endswith((" leases", " selfsubjectaccessreviews"))
        ]

    @property
    def locks(self) -> list[str]:
        """The names of the Leases that are there."""
        return [name for kind, _, name in self.kube.objects if kind == "leases"]

    # Between the clients and the services

    def aws(self, service: str, operation: str, asked: Mapping[str, Any]) -> Json:
        """What a service of AWS answers; raises `Refusal` or `Lost`."""
        work = {"iam": self._iam, "eks": self._eks, "sts": self._sts}.get(service)
        if work is None:
            raise Refusal("AccessDenied", 403)
        return self._struck(operation, lambda: work(operation, asked))

    def kubernetes(self, asked: Asked) -> Json:
        """What the API server answers; raises `Refusal` or `Lost`."""
        return self._struck(asked.operation, lambda: self._mutated(asked, self.kube.answer(asked)))

    def _mutated(self, asked: Asked, answer: Json) -> Json:
        """A new pod with the variables and the token of EKS's webhook."""
        if asked.resource != "pods" or asked.method != "POST":
            return answer
        place = asked.namespace, answer["spec"]["serviceAccountName"]
        by_agent = place in self.eks.associations
        names = (CREDENTIALS_URI, AGENT_TOKEN_FILE) if by_agent else (ROLE, TOKEN_FILE)
        for container in answer["spec"]["containers"]:
            container["env"] = [{"name": name, "value": "/given/token"} for name in names]
            container["volumeMounts"] = [{"name": "given", "mountPath": "/given"}]
        token = {"serviceAccountToken": {"audience": "x", "path": "token"}}
        answer["spec"]["volumes"] = [{"name": "given", "projected": {"sources": [token]}}]
        return answer

    def _struck(self, operation: str, work: Callable[[], Json]) -> Json:
        fault = self._strike(operation)
        if fault is not None:
            fault.first()
            if isinstance(fault.how, Refusal):
                raise fault.how
            if fault.how == LOST_BEFORE:
                raise Lost
        with self._lock:
            answer = work()
            if fault is not None:
                fault.then()
        if fault is not None and fault.how == LOST_AFTER:
            raise Lost
        return answer

    def _strike(self, operation: str) -> Fault | None:
        with self._lock:
            self.calls.append(operation)
            for fault in self.faults:
                if fault.operation not in (operation, "*") or not fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
            return None

    def _iam(self, operation: str, asked: Mapping[str, Any]) -> Json:
        found: Json = getattr(self.iam, _snake(operation))(**asked)
        return found

    def _eks(self, operation: str, asked: Mapping[str, Any]) -> Json:
        return self.eks.answer(operation, asked, self.iam)

    def _sts(self, operation: str, asked: Mapping[str, Any]) -> Json:
        user = f"arn:aws:iam::{ACCOUNT}:user/admin"
        if operation == "GetCallerIdentity":
            return {"Arn": user, "Account": ACCOUNT, "UserId": "AIDA"}
        if operation != "AssumeRoleWithWebIdentity":
            raise Refusal("AccessDenied", 403)
        namespace, name, audience = asked["WebIdentityToken"].split("/", 2)
        subject = f"system:serviceaccount:{namespace}:{name}"
        found = asked["RoleArn"].rsplit("/", 1)[-1]
        role = self.iam.world.roles.get(found)
        provider = self.iam.world.providers.get(PROVIDER)
        if provider is None or audience not in provider.audiences:
            raise Refusal("InvalidIdentityToken")
        if role is None or not admits(role.state.trust, WebIdentity(PROVIDER, ISSUER, subject, audience)):
            raise Refusal("AccessDenied", 403)
        return {
            "SubjectFromWebIdentityToken": subject,
            "Audience": audience,
            "Provider": PROVIDER,
            "AssumedRoleUser": {
                "AssumedRoleId": f"{self.iam.id_of(found)}:x",
                "Arn": f"{asked['RoleArn']}/x",
            },
            "Credentials": {
                "AccessKeyId": "ASIAEXAMPLE000000000",
                "SecretAccessKey": "example",
                "SessionToken": "example",
                "Expiration": datetime.now(timezone.utc) + timedelta(hours=1),
            },
        }

    @contextmanager
    def ruling(self) -> Iterator[MemoryCloud]:
        """While it rules, all clients that irsa makes in this process lead here, and nobody waits."""
        clock = _Clock()
        with ExitStack() as stack:

            def patch(owner: Any, name: str, value: Any) -> None:
                stack.enter_context(mock.patch.object(owner, name, value))

            stack.enter_context(mock.patch.dict(os.environ, _ENVIRONMENT, clear=False))
            patch(self.kube, "clock", clock.time)
            patch(AwsSession, "_make", _make)
            patch(kube_connection, "from_eks", lambda found, token: _api_server())
            patch(Run, "pause", clock.pause)
            patch(limits, "RETRY_SECONDS", 0.0)
            patch(limits, "PROPAGATION_SECONDS", 0.0)
            for name, module in [*sys.modules.items()]:
                if not name.startswith("irsa_cli."):
                    continue
                if getattr(module, "sleep", None) is time.sleep:
                    patch(module, "sleep", clock.sleep)
                if getattr(module, "monotonic", None) is time.monotonic:
                    patch(module, "monotonic", clock.monotonic)
                if name.startswith(_OWN_TIME) and getattr(module, "time", None) is time:
                    patch(module, "time", clock)
            _CURRENT.append(self)
            stack.callback(_CURRENT.remove, self)
            yield self

    def clients(self) -> tuple[Any, Kube]:
        """IAM's client and the cluster's API, for handlers that are played by themselves."""
        return _client("iam"), Kube(_api_server())


def config_map_of(body: Json) -> ConfigMapState:
    """A ConfigMap of irsa's, as the model has it."""
    marks = body["metadata"]["annotations"]
    return ConfigMapState(body.get("data") or {}, marks.get(SERVICE_ACCOUNT_TAG, ""), marks[TRANSACTION_TAG])


def account_of(body: Json) -> Account:
    """A ServiceAccount of Kubernetes as the model has it."""
    found = body["metadata"]
    return Account(dict(found.get("annotations") or {}), dict(found.get("labels") or {}), found["uid"])


_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE000000000",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


_OWN_TIME = ("irsa_cli.transaction.", "irsa_cli.usecases.")
"""Modules that count time for whole runs; that of single calls (irsa_cli.core) stays real."""


class _Clock:
    """Time that passes only when somebody waits for it, beside the time that a test takes."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()

    def __deepcopy__(self, _: Any) -> _Clock:
        """A cloud that is copied has its time in common with the other."""
        return self

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def time(self) -> float:
        return time.time() + self._skipped

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._skipped += seconds

    @property
    def pause(self) -> Callable[[Run, float], None]:
        """In place of `Run.pause`."""

        def pause(run: Run, seconds: float) -> None:
            self.sleep(max(0.0, min(seconds, run.remaining)))
            run.check()

        return pause


def _make(session: AwsSession, service: str, keys: Any = None, **_: Any) -> Any:
    """In place of `AwsSession._make`: the one client of a service, whose calls the ruling cloud answers."""
    _CURRENT[-1].logs.append(session._log)
    return _client(service)


@cache
def _client(service: str) -> Any:
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    with mock.patch.dict(os.environ, _ENVIRONMENT):
        client = boto3.Session(region_name=REGION).client(service, config=config)  # type: ignore[call-overload]

    def noted(params: Json, context: Json, **_: Any) -> None:
        context["asked"] = dict(params)

    def answered(model: Any, context: Json, **_: Any) -> Any:
        metadata: Json = {"HTTPStatusCode": 200, "RequestId": "memory", "HTTPHeaders": {}}
        try:
            found = _CURRENT[-1].aws(service, model.name, context["asked"])
        except Refusal as error:
            metadata["HTTPStatusCode"] = error.status
            words = {"Code": error.code, "Message": "refused in memory"}
            return SimpleNamespace(status_code=error.status), {"Error": words, "ResponseMetadata": metadata}
        except Lost:
            raise botocore.exceptions.ReadTimeoutError(endpoint_url="memory") from None
        return SimpleNamespace(status_code=200), {**found, "ResponseMetadata": metadata}

    client.meta.events.register(f"before-parameter-build.{service}", noted)
    client.meta.events.register_first(f"before-call.{service}", answered)
    return client


class _Pool(Bounded):
    """In place of connections."""

    def request(self, method: str, url: str, **options: Any) -> urllib3.HTTPResponse:
        cloud = _CURRENT[-1]
        query = parse_qsl(urlsplit(url).query)
        try:
            asked = read_request(method, url, query, options["body"])
            return _answer(200, cloud.kubernetes(asked), cloud.kube.now)
        except Refusal as error:
            words = {"kind": "Status", "reason": error.code, "message": "refused in memory"}
            return _answer(error.status, words)
        except Lost as error:
            raise urllib3.exceptions.ProtocolError("no answer") from error


def _answer(status: int, body: Json, at: datetime | None = None) -> urllib3.HTTPResponse:
    headers = {"Date": format_datetime(at, usegmt=True)} if at else {}
    reason = str(body.get("reason", ""))
    return urllib3.HTTPResponse(json.dumps(body).encode(), headers, status, reason=reason)


def _api_server() -> ApiServer:
    return ApiServer("https://demo.invalid", _Pool(None))


def _snake(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))
