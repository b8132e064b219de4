"""What somebody else does in the instant before a call is executed; a new way is one line of `MEDDLERS`.

What is theirs must be as they left it when the run has ended, however it ends. How the rest is judged is in
`judge`.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.faults.commands import NAMESPACE, THEIRS
from tests.faults.judge import Json, Object, objects
from tests.faults.stages import OTHER, FaultStage

MEDDLED = "meddled"
AUDIENCE = "theirs.example.com"
POLICY = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"
ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"


@dataclass(frozen=True)
class Meddler:
    """What is done; it gets the stage and the new roles of the desired world, and names what is theirs now.

    `in_rollback`: only when what the run made is being taken back.
    """

    do: Callable[[FaultStage, Sequence[str]], Sequence[Object]]
    in_rollback: bool = False


@dataclass
class Theirs:
    """The objects that are somebody else's, as they left them."""

    values: dict[Object, Any]

    def destroyed(self, world: Json, *, done: bool) -> list[Object]:
        """Those that are not as they were left; a run that is `done` may have annotated a ServiceAccount."""
        there = dict(objects(world, world))
        return [
            key
            for key, value in self.values.items()
            if _kept(key, there.get(key), done=done) != _kept(key, value, done=done)
        ]


def meddle(stage: FaultStage, operation: tuple[str, str], roles: Sequence[str]) -> Theirs:
    """Do what somebody else does before a call of the operation."""
    names = MEDDLERS[operation].do(stage, roles)
    world = stage.world()
    there = dict(objects(world, world))
    return Theirs({name: there.get(name) for name in names})


def _kept(key: Object, value: Any, *, done: bool) -> Any:
    if key[0] == "ServiceAccount" and done and value:
        return {name: item for name, item in value.items() if name != "annotations"}
    return value


def _make_roles(stage: FaultStage, roles: Sequence[str]) -> list[Object]:
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    there = stage.world()["roles"]
    roles = [role for role in roles if role not in there]
    for role in roles:
        stage.iam_of(role).create_role(RoleName=role, AssumeRolePolicyDocument=document)
    return [(kind, role) for role in roles for kind in ("Role", "TrustStatement", "RoleOwner")]


def _make_provider(stage: FaultStage, roles: Sequence[str]) -> list[Object]:
    iam = stage.other_iam() if OTHER in stage.homes.values() else stage.iam()
    answer = iam.create_open_id_connect_provider(Url=stage.issuer, ClientIDList=[AUDIENCE], ThumbprintList=[])
    arn = stage.neutral(answer["OpenIDConnectProviderArn"])
    # It bears no mark of a run, and is to get none.
    return [("OIDCProvider", arn), ("ProviderOwner", arn), ("OIDCProviderAudience", f"{arn}/{AUDIENCE}")]


def _attach(stage: FaultStage, roles: Sequence[str]) -> list[Object]:
    attached = []
    for role in roles:
        iam = stage.iam_of(role)
        # Of roles that change at the same time, one may not exist yet, or no longer.
        with suppress(iam.exceptions.NoSuchEntityException):
            iam.attach_role_policy(RoleName=role, PolicyArn=POLICY)
            attached.append(("PolicyAttachment", f"{role}/{POLICY}"))
    return attached


def _make_namespace(stage: FaultStage, roles: Sequence[str]) -> list[Object]:
    stage.make_namespace(NAMESPACE)
    # It bears no mark of a run, and is to get none.
    return [(kind, NAMESPACE) for kind in ("Namespace", "NamespaceOwner")]


def _make_account_again(stage: FaultStage, roles: Sequence[str]) -> list[Object]:
    stage.kube.delete(f"{ACCOUNTS}/app")
    stage.make_account(NAMESPACE, "app", labels={"of": "them"})
    return [("ServiceAccount", f"{NAMESPACE}/app")]


def _move_in(stage: FaultStage, roles: Sequence[str]) -> list[Object]:
    """Put something into a namespace that the run has made, as long as it is there.

    Before the lists of its contents, which are read at the same time.
    """
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "guest"}}
    made = stage.kube.create(ACCOUNTS, body).status == 201
    return [("ServiceAccount", f"{NAMESPACE}/guest")] if made else []


MEDDLERS = {
    ("iam", "CreateRole"): Meddler(_make_roles),
    ("iam", "CreateOpenIDConnectProvider"): Meddler(_make_provider),
    ("iam", "DeleteRole"): Meddler(_attach),
    ("kubernetes", "POST namespaces"): Meddler(_make_namespace),
    ("kubernetes", "PATCH serviceaccounts"): Meddler(_make_account_again),
    ("kubernetes", "DELETE serviceaccounts"): Meddler(_make_account_again),
    ("kubernetes", "GET /apis"): Meddler(_move_in, in_rollback=True),
}
