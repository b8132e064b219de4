"""What irsa proposes where an attacker wrote what it reads: nobody gains a role by pasting all of it.

The attacker may write annotations, pods and their environment, and nothing in IAM. The world is the judge.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.breaking import NAME, STS, Binding
from tests.scenarios.breaks import bring_token
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.curing import cure, is_by_hand
from tests.scenarios.doctoring import doctor, of
from tests.support.lines import play
from tests.support.rows import WORDS
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import ROLE_ARN, Stage

ADMIN = WORDS["ADMIN"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture
def front(binding: Binding) -> Binding:
    """The attacker's ServiceAccount: its role admits another one."""
    binding.values(sub="system:serviceaccount:front:web")
    return binding


def name_of(role: str) -> str:
    return role.rsplit("/", 1)[-1]


def powerful(binding: Binding, role: str) -> str:
    binding.aws("iam").attach_role_policy(RoleName=name_of(role), PolicyArn=ADMIN)
    return role


def administrator(binding: Binding) -> str:
    """A person's role, which trusts no cluster."""
    return powerful(binding, binding.make_role("Admin", json.loads(EC2_TRUST)["Statement"][0]))


def of_another_team(binding: Binding) -> str:
    condition = {"StringEquals": {f"{binding.prefix}:sub": "system:serviceaccount:pay:pay"}}
    return binding.make_role("pay", {**binding.statement, "Condition": condition})


def of_another_cluster(binding: Binding) -> str:
    """A ServiceAccount of the same name in production."""
    other = binding.prefix[:-32] + "0123456789ABCDEF0123456789ABCDEF"
    binding.aws("iam").create_open_id_connect_provider(Url=f"https://{other}", ClientIDList=[STS])
    return binding.make_role("prod", json.loads(json.dumps(binding.statement).replace(binding.prefix, other)))


def that_denies_it(binding: Binding) -> str:
    """Somebody has shut it out."""
    role = binding.make_role("shut", binding.statement)
    statements = [binding.statement, {**binding.statement, "Effect": "Deny"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    binding.aws("iam").update_assume_role_policy(RoleName=name_of(role), PolicyDocument=document)
    return role


class Planting:
    """What else the attacker may do to a binding."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding

    def annotate_pod(self, role: str) -> None:
        self.binding.new_pod(metadata={"annotations": {ROLE_ARN: role}})

    def bring_token(self, role: str) -> None:
        bring_token(self.binding, role)


PLANTS = {
    "annotated": "annotate $ROLE\nnew_pod",
    "with a space": "annotate '$ROLE '\nnew_pod",
    "by name": "annotate $NAME\nnew_pod",
    "under another key": "annotate None\nannotate $ROLE eks.amazonaws.com/role_arn\nnew_pod",
    "for image pulls": "annotate None\nannotate $ROLE eks.amazonaws.com/ecr-role-arn\nnew_pod",
    "on a pod": "annotate None\nannotate_pod $ROLE",
    "in the environment": "bring_token $ROLE",
    "that went": "annotate $ROLE\nnew_pod\nannotate None",
    "with an audience": "annotate vault eks.amazonaws.com/audience\nannotate $ROLE\nnew_pod",
    "as a target": "annotate $ROLE irsa/target-role-arn",
    "of another account": "annotate arn:aws:iam::444455556666:role/$PATH\nnew_pod",
    "of another partition": "annotate arn:aws-us-gov:iam::111122223333:role/$PATH\nnew_pod",
}


def gained(binding: Binding) -> set[tuple[str, str]]:
    """The roles that the ServiceAccount's tokens open, by audience, and what may do all."""
    iam = binding.aws("iam")
    opened = set()
    for role in iam.list_roles()["Roles"]:
        for audience in (STS, "vault"):
            identity = WebIdentity(binding.provider, f"https://{binding.prefix}", binding.subject, audience)
            if explain(role["AssumeRolePolicyDocument"], identity).admitted:
                opened.add((role["Arn"], audience))
        policies = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
        opened |= {(role["Arn"], ADMIN) for item in policies if item["PolicyArn"] == ADMIN}
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=binding.provider)
    return opened | {(binding.provider, audience) for audience in provider["ClientIDList"]}


def fixes(binding: Binding, capsys: Capture) -> list[str]:
    findings = doctor(binding, capsys, *of(binding))["items"][0]["findings"]
    return [str(item["fix"]) for item in findings if item["fix"]]


def pasted(binding: Binding, capsys: Capture) -> None:
    """All that is proposed is done, and gives nobody more than before."""
    before = gained(binding)
    for fix in fixes(binding, capsys):
        if not is_by_hand(fix):
            cure(binding, fix)
    assert gained(binding) <= before


def annotation(binding: Binding) -> str | None:
    role: str | None = binding.account["metadata"].get("annotations", {}).get(ROLE_ARN)
    return role


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("victim", [administrator, of_another_team, of_another_cluster, that_denies_it])
def test_nobody_gains_a_role_by_what_is_pasted(
    plant: str, victim: Callable[[Binding], str], front: Binding, capsys: Capture
) -> None:
    role = victim(front)
    words = {"ROLE": role, "NAME": name_of(role), "PATH": role.partition("role/")[2]}
    play(PLANTS[plant], words, front, Planting(front))
    said = annotation(front)
    pasted(front, capsys)
    pasted(front, capsys)
    if victim is not that_denies_it:  # Which names it, so that the annotation gives nothing more.
        assert annotation(front) in (said, None)


def test_a_policy_in_the_annotation_makes_no_administrator(front: Binding, capsys: Capture) -> None:
    front.annotate(ADMIN)
    front.new_pod()
    pasted(front, capsys)


@pytest.mark.parametrize("hidden", ["ListAttachedRolePolicies", "ListRolePolicies", ""])
def test_of_a_powerful_role_that_names_it_a_person_is_asked(
    hidden: str, binding: Binding, capsys: Capture
) -> None:
    """What may not be read is not harmless."""
    if hidden:
        fault = Fault("iam", hidden, "error", status=403, code="AccessDenied", times=None)
        binding.stage.sandbox.faults.add(fault)
    else:
        powerful(binding, binding.role_arn)
    binding.annotate(None)
    binding.new_pod()
    first = fixes(binding, capsys)[0]
    assert all(line.startswith("#") for line in first.splitlines())
    reason = "can't be read" if hidden else "AdministratorAccess"
    assert all(word in first for word in (binding.role_arn, "check first who owns", reason, NAME))
