"""Command lines that write, each with the world that it meets: for tests of what is true of all of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from string import Template
from typing import Any

from irsa_cli.core.policies.web_identity import WebIdentity
from tests.support.documents import policy
from tests.support.memory.cloud import CLUSTER, ISSUER, PROVIDER
from tests.support.memory.iam import ACCOUNT
from tests.support.memory.playing import Play
from tests.support.ran import Ran
from tests.support.rows import Running, Texts
from tests.support.trusts import trust_of

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
EC2 = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {"Service": "ec2.amazonaws.com"}}]}'
)
READ_S3 = policy("Allow s3:Get* on *")


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
    play.cloud.iam.create_role(RoleName="shared", AssumeRolePolicyDocument=EC2)
    play.cloud.kube.put("namespaces", "", "backend")
    play.cloud.kube.put("serviceaccounts", "backend", "reader", annotations={"team": "a"})


def attached(play: Play) -> None:
    """A binding on somebody else's role."""
    shared(play)
    play.irsa("create-sa", *READER, "--attach-role-arn", SHARED, "--update-trust")


def by_hand(play: Play) -> None:
    """A binding that somebody has made by hand."""
    provider(play)
    subject = "system:serviceaccount:backend:reader"
    trust = trust_of(WebIdentity(PROVIDER, ISSUER, subject, "sts.amazonaws.com"))
    play.cloud.iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))
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


def _case(line: str, prepare: Callable[[Play], None], *files: tuple[str, str]) -> Case:
    """A command in one line; `READER` in it is the ServiceAccount of most."""
    words = {"READER": "reader -n backend -c demo", "S3": S3, "SQS": SQS, "SHARED": SHARED}
    return Case(tuple(shlex.split(Template(line).substitute(words))), prepare, files)


CASES: dict[str, Case] = {
    "create-sa": _case(
        "create-sa $READER --attach-policy-arn $S3 --inline-policy {policy} --associate-oidc", nothing, POLICY
    ),
    "create-sa gated": _case("create-sa $READER --attach-policy-arn $S3 --verify", provider),
    "create-sa on a shared role": _case("create-sa $READER --attach-role-arn $SHARED --update-trust", shared),
    "create-sa of a role only": _case("create-sa $READER --attach-policy-arn $S3 --role-only", provider),
    "associate-oidc": _case("associate-oidc -c demo", nothing),
    "disassociate-oidc": _case("disassociate-oidc -c demo", provider),
    "update-sa": _case(
        "update-sa $READER --set-policy-arns $SQS --inline-policy {policy} --tags team=b"
        " --max-session-duration 7200 --permissions-boundary $S3 --annotation note=x",
        bound,
        POLICY,
    ),
    "delete-sa": _case("delete-sa $READER", bound),
    "delete-sa on a shared role": _case("delete-sa $READER", attached),
    "delete -f": _case("delete --yes -f {file}", bound, ("file", ONE)),
    "create-sa --pod-identity": _case(
        "create-sa $READER --attach-policy-arn $S3 --pod-identity --create-service-account", provider
    ),
    "delete-sa of an association": _case("delete-sa $READER", associated),
    "update-sa --also": _case("update-sa $READER --also pod-identity", bound),
    "migrate": _case("migrate $READER --to pod-identity", bound),
    "migrate --finish": _case("migrate $READER --to pod-identity --finish", migrated("pod-identity")),
    "migrate back": _case("migrate $READER --to irsa", migrated("pod-identity", "pod-identity --finish")),
    "migrate back --finish": _case(
        "migrate $READER --to irsa --finish", migrated("pod-identity", "pod-identity --finish", "irsa")
    ),
    "adopt": _case("adopt $READER", by_hand),
    "release": _case("release $READER", bound),
    "apply": _case("apply -f {file}", provider, ("file", ONE)),
    "apply --atomic": _case("apply -f {file} --atomic", nothing, ("file", FILE)),
    "apply --atomic --prune": _case("apply -f {file} --atomic --prune --yes", applied, ("file", FILE)),
}


class Stage(Running):
    """Where commands are typed in one line; see tests/support/rows.py."""

    cluster = "demo"

    def __init__(self, play: Play) -> None:
        self.play = play
        self.words = {"SHARED": SHARED, "folder": str(play.folder)}

    def irsa(self, *arguments: str, **_: Any) -> Ran:
        """Run it; `recover` and `show` are about this machine, unless `--cluster` is typed."""
        here = arguments[0] in ("recover", "show") and arguments[-2:] == ("-c", self.cluster)
        return self.play.irsa(*(arguments[:-2] if here else arguments), code=None)

    def world(self) -> dict[str, Any]:
        found = self.play.world
        roles = {
            name: {**asdict(role.state), "attached": sorted(role.attached), "inline": role.inline}
            for name, role in found.roles.items()
        }
        accounts = {
            "/".join(key): {"annotations": item.annotations, "labels": item.labels}
            for key, item in found.accounts.items()
        }
        return {
            "roles": roles,
            "oidc_providers": {arn: asdict(item) for arn, item in found.providers.items()},
            "associations": {"/".join(key): asdict(item) for key, item in found.associations.items()},
            "kubernetes": {
                "namespaces": {name: {} for name in found.namespaces},
                "serviceaccounts": accounts,
            },
        }

    def refuses(self, line: str, says: Texts = "Error:", code: int = 4) -> None:
        """Run a command that is refused and writes nothing, not even what it takes back."""
        self.run(line, code=code, says=says, changes="")
        assert self.play.cloud.writes == []

    def again(self, line: str) -> None:
        """Run a command for which there is nothing to do."""
        outcome = self.run(f"{line} -o json", changes="").metadata["outcome"]
        assert (outcome, self.play.cloud.writes) == ("unchanged", [])


__all__ = ["CASES", "CLUSTER", "CREATE", "FILE", "READER", "S3", "SQS", "Case"]
