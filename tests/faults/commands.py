"""The commands whose every call is broken: how each is called, and what is there before.

A new command that writes joins by one line in `COMMANDS`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.injections import Call
from tests.faults.stages import FaultStage
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN

NAMESPACE = "apps"
MANAGED = (READ_ONLY, *(f"arn:aws:iam::aws:policy/Amazon{name}ReadOnlyAccess" for name in ("SQS", "SNS")))
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass(frozen=True)
class Command:
    """A command line (without cluster, time limits and form of output), and the stage it starts from."""

    name: str
    arguments: tuple[str, ...]
    prepare: tuple[Callable[[FaultStage], None], ...] = ()
    failing: str = "denied"
    """How its last write is broken, to have its rollback broken as well."""


def _namespace(stage: FaultStage) -> None:
    stage.make_namespace(NAMESPACE)


def _provider(stage: FaultStage) -> None:
    stage.iam().create_open_id_connect_provider(
        Url=stage.issuer, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
    )


def _account(stage: FaultStage) -> None:
    stage.make_account(
        NAMESPACE,
        "app",
        labels={"app.kubernetes.io/managed-by": "Helm"},
        annotations={"note": "theirs", ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/old"},
    )


def _inline(stage: FaultStage) -> None:
    (stage.folder / "queue.json").write_text(json.dumps(DOCUMENT))


def _shared_role(stage: FaultStage) -> None:
    document = {"Version": "2012-10-17", "Statement": [THEIRS]}
    stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=json.dumps(document))


_CREATE = ("create-sa", "app", "-n", NAMESPACE)
_ONE = ("--attach-policy-arn", READ_ONLY)
_SHARED = ("--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/shared", "--update-trust")
COMMANDS = {
    command.name: command
    for command in (
        Command("associate-oidc", ("associate-oidc",), failing="500"),
        Command("fresh", (*_CREATE, *_ONE), (_provider, _namespace)),
        Command(
            "existing",
            (*_CREATE, *_ONE, "--override-existing-serviceaccounts"),
            (_provider, _namespace, _account),
        ),
        Command("no-namespace", (*_CREATE, *_ONE), (_provider,)),
        Command(
            "policies",
            (*_CREATE, "--inline-policy", "queue.json", "--attach-policy-arn", ",".join(MANAGED)),
            (_provider, _namespace, _inline),
        ),
        Command("shared-role", (*_CREATE, *_SHARED), (_provider, _namespace, _shared_role)),
        Command("verify", (*_CREATE, *_ONE, "--verify"), (_provider, _namespace)),
        Command("everything", (*_CREATE, *_ONE, "--verify", "--associate-oidc")),
    )
}


def is_write(call: Call) -> bool:
    """Whether the call changes something."""
    if call.service == "kubernetes":
        return call.operation.split()[0] != "GET" and not call.operation.endswith("/token")
    return call.service == "iam" and not call.operation.startswith(("Get", "List"))
