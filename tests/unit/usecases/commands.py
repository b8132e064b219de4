"""Command lines that write, each with the world that it meets: for tests of what is true of all of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.memory.cloud import CLUSTER, ISSUER, PROVIDER
from tests.support.memory.iam import ACCOUNT
from tests.support.memory.playing import Play

S3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
SHARED = f"arn:aws:iam::{ACCOUNT}:role/shared"
ROLE_ARN = "eks.amazonaws.com/role-arn"
READER = ("reader", "-n", "backend", "-c", "demo")
CREATE = ("create-sa", *READER, "--attach-policy-arn", S3)
POD_IDENTITY = ("--pod-identity", "--create-service-account")
FILE = f"""
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: demo, region: eu-west-1}}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {{name: reader, namespace: backend}}
    attachPolicyARNs: ["{S3}"]
  - metadata: {{name: writer, namespace: frontend}}
    attachPolicyARNs: ["{SQS}"]
"""
ONE = FILE.partition("  - metadata: {name: writer")[0].replace("  withOIDC: true\n", "")
READ_S3 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


def nothing(play: Play) -> None:
    """An empty account."""


def provider(play: Play) -> None:
    play.irsa("associate-oidc", "-c", "demo")


def bound(play: Play) -> None:
    """One binding, with the policy S3."""
    provider(play)
    play.irsa(*CREATE)


def applied(play: Play) -> None:
    """Both of the file, and two of an earlier file that it does not name any more."""
    more = (
        FILE
        + f"""
  - metadata: {{name: old, namespace: backend}}
    attachPolicyARNs: ["{S3}"]
  - metadata: {{name: older, namespace: attic}}
    attachPolicyARNs: ["{S3}"]
"""
    )
    play.irsa("apply", "-f", play.file(more))


def shared(play: Play) -> None:
    """A role of somebody else's, which trusts EC2, and a ServiceAccount without any."""
    provider(play)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    play.cloud.iam.create_role(RoleName="shared", AssumeRolePolicyDocument=document)
    play.cloud.kube.put("namespaces", "", "backend")
    play.cloud.kube.put("serviceaccounts", "backend", "reader", annotations={"team": "a"})


def attached(play: Play) -> None:
    """A binding on somebody else's role."""
    shared(play)
    play.irsa("create-sa", *READER, "--attach-role-arn", SHARED, "--update-trust")


def by_hand(play: Play) -> None:
    """A binding that somebody has made by hand."""
    provider(play)
    prefix = ISSUER.removeprefix("https://")
    equals = {f"{prefix}:sub": "system:serviceaccount:backend:reader", f"{prefix}:aud": "sts.amazonaws.com"}
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    play.cloud.iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=document)
    play.cloud.iam.attach_role_policy(RoleName="theirs", PolicyArn=S3)
    arn = f"arn:aws:iam::{ACCOUNT}:role/theirs"
    play.cloud.kube.put("namespaces", "", "backend")
    play.cloud.kube.put("serviceaccounts", "backend", "reader", annotations={ROLE_ARN: arn})


def associated(play: Play) -> None:
    """A binding by an association, without an annotation."""
    provider(play)
    play.cloud.kube.put("namespaces", "", "backend")
    play.irsa(*CREATE, *POD_IDENTITY)


def migrated(*steps: str) -> Callable[[Play], None]:
    """A binding after these steps of `irsa migrate`."""

    def prepare(play: Play) -> None:
        bound(play)
        for step in steps:
            play.irsa("migrate", *READER, "--to", *step.split())

    return prepare


@dataclass(frozen=True)
class Case:
    """A command, and what is there when it is run; `files` are made first, as `{name}` in the arguments."""

    arguments: tuple[str, ...]
    prepare: Callable[[Play], None]
    files: tuple[tuple[str, str], ...] = ()

    def begin(self, play: Play) -> tuple[str, ...]:
        """Prepare the world; the arguments with the files in them."""
        self.prepare(play)
        made = {name: play.file(text, f"{name}.txt") for name, text in self.files}
        return tuple(item.format(**made) for item in self.arguments)


POLICY = ("policy", json.dumps(READ_S3))
CASES: dict[str, Case] = {
    "create-sa": Case((*CREATE, "--inline-policy", "{policy}", "--associate-oidc"), nothing, (POLICY,)),
    "create-sa gated": Case((*CREATE, "--verify"), provider),
    "create-sa on a shared role": Case(
        ("create-sa", *READER, "--attach-role-arn", SHARED, "--update-trust"), shared
    ),
    "create-sa of a role only": Case((*CREATE, "--role-only"), provider),
    "associate-oidc": Case(("associate-oidc", "-c", "demo"), nothing),
    "disassociate-oidc": Case(("disassociate-oidc", "-c", "demo"), provider),
    "update-sa": Case(
        (
            "update-sa",
            *READER,
            "--set-policy-arns",
            SQS,
            "--inline-policy",
            "{policy}",
            "--tags",
            "team=b",
            "--max-session-duration",
            "7200",
            "--permissions-boundary",
            S3,
            "--annotation",
            "note=x",
        ),
        bound,
        (POLICY,),
    ),
    "delete-sa": Case(("delete-sa", *READER), bound),
    "delete-sa on a shared role": Case(("delete-sa", *READER), attached),
    "delete -f": Case(("delete", "--yes", "-f", "{file}"), bound, (("file", ONE),)),
    "create-sa --pod-identity": Case((*CREATE, *POD_IDENTITY), provider),
    "delete-sa of an association": Case(("delete-sa", *READER), associated),
    "update-sa --also": Case(("update-sa", *READER, "--also", "pod-identity"), bound),
    "migrate": Case(("migrate", *READER, "--to", "pod-identity"), bound),
    "migrate --finish": Case(
        ("migrate", *READER, "--to", "pod-identity", "--finish"), migrated("pod-identity")
    ),
    "migrate back": Case(
        ("migrate", *READER, "--to", "irsa"), migrated("pod-identity", "pod-identity --finish")
    ),
    "migrate back --finish": Case(
        ("migrate", *READER, "--to", "irsa", "--finish"),
        migrated("pod-identity", "pod-identity --finish", "irsa"),
    ),
    "adopt": Case(("adopt", *READER), by_hand),
    "apply": Case(("apply", "-f", "{file}"), provider, (("file", ONE),)),
    "apply --atomic": Case(("apply", "-f", "{file}", "--atomic"), nothing, (("file", FILE),)),
    "apply --atomic --prune": Case(
        ("apply", "-f", "{file}", "--atomic", "--prune", "--yes"), applied, (("file", FILE),)
    ),
}
WHOLE = tuple(CASES)


def snapshot(play: Play) -> object:
    """The world as it is now, for later."""
    return copy.deepcopy(play.world)


__all__ = ["CASES", "CLUSTER", "CREATE", "FILE", "READER", "S3", "SQS", "Case"]
