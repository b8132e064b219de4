"""Where handlers are played: the cloud in memory, and the sandbox. Each takes a `World`, and tells one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from unittest import mock

from irsa_cli.changes import handlers
from irsa_cli.changes.kubernetes import config_map_body
from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.plan.states import (
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    ConfigMapState,
    ProviderState,
    RoleState,
)
from irsa_cli.core.values import limits
from irsa_cli.kube.client import Kube
from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.transaction.protocol import Handler
from tests.support.kubes import kube_of
from tests.support.memory import MemoryCloud
from tests.support.memory.cloud import LOST_AFTER, LOST_BEFORE
from tests.support.memory.iam import MemoryIam, Refusal
from tests.support.memory.kube import MemoryKube
from tests.support.sandbox_clients import client
from tests.support.sandbox_kube import kube_as
from tests.unit.world import Account, Role, World

REFUSED, BEFORE, AFTER = "refused", "lost before it", "lost after it"
Write = tuple[str, str]
"""A call: its service, and its operation as the stage's faults name it."""


class Stage(Protocol):
    """Some AWS and some Kubernetes."""

    handlers: Mapping[Kind, Handler]

    def fill(self, world: World) -> None:
        """Make it what this world is; of what there was, nothing stays."""

    def world(self) -> World:
        """What is there; ServiceAccounts without uids."""

    def writes(self) -> list[Write]:
        """The writes since it was filled, each once."""

    def break_(self, writes: list[Write], how: str) -> None:
        """Break each of these writes, each time."""

    def mend(self) -> None:
        """Break nothing any more."""


class InMemory:
    """tests/support/memory."""

    def __init__(self, cloud: MemoryCloud) -> None:
        self._cloud = cloud
        self.handlers = handlers(*cloud.clients())

    def fill(self, world: World) -> None:
        self._cloud.iam, self._cloud.kube = MemoryIam(World()), MemoryKube()
        self._cloud.fill(world)
        self._cloud.calls.clear()

    def world(self) -> World:
        return told(self._cloud.world)

    def writes(self) -> list[Write]:
        return [("", item) for item in dict.fromkeys(self._cloud.writes)]

    def break_(self, writes: list[Write], how: str) -> None:
        kinds: dict[str, Refusal | str] = {
            REFUSED: Refusal("AccessDenied", 403),
            BEFORE: LOST_BEFORE,
            AFTER: LOST_AFTER,
        }
        for _, operation in writes:
            self._cloud.break_(operation, kinds[how], times=1000)

    def mend(self) -> None:
        self._cloud.faults.clear()


class InSandbox:
    """The sandbox's AWS and its Kubernetes API, over sockets."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._iam = client(sandbox, "iam")
        self._kube = kube_as(sandbox)
        kube: Kube = kube_of(self._kube)
        self.handlers = handlers(self._iam, kube)

    def fill(self, world: World) -> None:
        self.sandbox.reset()
        for provider in world.providers.values():
            tags = _listed(provider.tags)
            self._iam.create_open_id_connect_provider(
                Url=provider.url, ClientIDList=provider.audiences, Tags=tags
            )
        for name, role in world.roles.items():
            self._make_role(name, role)
        for name in world.namespaces:
            marks = {TRANSACTION_TAG: world.makers[name]} if name in world.makers else {}
            self._create("namespaces", {"metadata": {"name": name, "annotations": marks}})
        for (namespace, name), account in world.accounts.items():
            metadata = {"name": name, "annotations": account.annotations, "labels": account.labels}
            self._create(f"namespaces/{namespace}/serviceaccounts", {"metadata": metadata})
        for (namespace, name), state in world.config_maps.items():
            body = config_map_body(namespace, name, state, state.transaction)
            self._create(f"namespaces/{namespace}/configmaps", body)
        self.sandbox.calls.clear()

    def _make_role(self, name: str, role: Role) -> None:
        state = role.state
        boundary = {"PermissionsBoundary": state.permissions_boundary} if state.permissions_boundary else {}
        self._iam.create_role(
            RoleName=name,
            Path=state.path,
            AssumeRolePolicyDocument=json.dumps(state.trust),
            Description=state.description,
            MaxSessionDuration=state.max_session_duration,
            Tags=_listed(state.tags),
            **boundary,
        )
        for arn in role.attached:
            self._iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for key, document in role.inline.items():
            self._iam.put_role_policy(RoleName=name, PolicyName=key, PolicyDocument=json.dumps(document))

    def _create(self, path: str, body: dict[str, Any]) -> None:
        answer = self._kube.create(f"/api/v1/{path}", body)
        assert answer.status == 201, answer.text

    def world(self) -> World:
        found = self.sandbox.world()
        kubernetes = found["kubernetes"]["demo"]
        # Those that every cluster has, and each namespace's `default`, are nobody's.
        own = ("default", "kube-system", "kube-public", "kube-node-lease")
        spaces = {
            name: body
            for name, body in kubernetes["namespaces"].items()
            if name not in own and body["phase"] == "Active"
        }
        accounts = {tuple(key.split("/")): body for key, body in kubernetes["serviceaccounts"].items()}
        return told(
            World(
                providers={
                    arn: ProviderState(
                        "https://" + item["url"].removeprefix("https://"),
                        item["audiences"],
                        item["thumbprints"],
                        item["tags"],
                    )
                    for arn, item in found["oidc_providers"].items()
                },
                namespaces=set(spaces),
                roles={name: _role(item) for name, item in found["roles"].items()},
                accounts={
                    (namespace, name): Account(dict(body["annotations"]), dict(body["labels"]))
                    for (namespace, name), body in accounts.items()
                    if name != "default" and namespace in spaces
                },
                makers={
                    name: body["annotations"][TRANSACTION_TAG]
                    for name, body in spaces.items()
                    if TRANSACTION_TAG in body["annotations"]
                },
                config_maps={
                    tuple(key.split("/")): ConfigMapState(
                        body["data"],
                        body["annotations"][SERVICE_ACCOUNT_TAG],
                        body["annotations"][TRANSACTION_TAG],
                    )
                    for key, body in kubernetes["configmaps"].items()
                },
            )
        )

    def writes(self) -> list[Write]:
        reading = ("Get", "List", "GET")
        made = [(call.service, call.operation) for call in self.sandbox.calls]
        return [item for item in dict.fromkeys(made) if not item[1].startswith(reading)]

    def break_(self, writes: list[Write], how: str) -> None:
        kinds = {REFUSED: "error", BEFORE: "reset-before", AFTER: "reset-after"}
        for service, operation in writes:
            self.sandbox.faults.add(Fault(service, operation, kinds[how], times=None))  # type: ignore[arg-type]

    def mend(self) -> None:
        self.sandbox.faults.clear()


def told(world: World) -> World:
    """What stages can be compared by: no uids, no thumbprints (IAM fetches its own), no run's mark twice.

    Who made a ServiceAccount, tests/unit/world.py leaves out.
    """
    return World(
        providers={
            arn: ProviderState(item.url, sorted(item.audiences), [], dict(item.tags))
            for arn, item in world.providers.items()
        },
        namespaces=set(world.namespaces),
        roles=dict(world.roles),
        accounts={
            key: Account(
                {name: value for name, value in item.annotations.items() if name != TRANSACTION_TAG},
                dict(item.labels),
                "",
            )
            for key, item in world.accounts.items()
        },
        makers=dict(world.makers),
        config_maps=dict(world.config_maps),
    )


def _role(item: Mapping[str, Any]) -> Role:
    state = RoleState(
        item["path"],
        item["trust"],
        item["description"],
        item["max_session_duration"],
        item["boundary"] or "",
        item["tags"],
    )
    return Role(state, set(item["attached"]), item["inline"])


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@contextmanager
def impatient() -> Iterator[None]:
    """A call is made once, and nothing is waited for."""
    with (
        mock.patch.object(limits, "RETRY_SECONDS", 0.0),
        mock.patch.object(limits, "PROPAGATION_SECONDS", 0.0),
    ):
        yield
