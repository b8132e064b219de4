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
from irsa_cli.sandbox import Sandbox
from tests.scenarios.breaking import AUDIENCE, NAME, STS, Binding
from tests.scenarios.breaks import bring_token
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.curing import cure, is_by_hand
from tests.scenarios.doctoring import doctor, of
from tests.support.stage import ROLE_ARN, Json, Stage

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return sandbox_stage(sandbox, "demo", tmp_path)


def administrator(binding: Binding) -> str:
    """A person's role, which trusts no cluster."""
    principal = {"Service": "ec2.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return powerful(binding, binding.make_role("Admin", statement))


def powerful(binding: Binding, role: str) -> str:
    binding.aws("iam").attach_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyArn=ADMIN)
    return role


def of_another_team(binding: Binding) -> str:
    condition = {"StringEquals": {f"{binding.prefix}:sub": "system:serviceaccount:pay:pay"}}
    return binding.make_role("pay", {**binding.statement, "Condition": condition})


def of_another_cluster(binding: Binding) -> str:
    """A ServiceAccount of the same name in production."""
    other = binding.prefix[:-32] + "0123456789ABCDEF0123456789ABCDEF"
    statement = json.dumps(binding.statement).replace(binding.prefix, other)
    binding.aws("iam").create_open_id_connect_provider(Url=f"https://{other}", ClientIDList=[STS])
    return binding.make_role("prod", json.loads(statement))


def that_denies_it(binding: Binding) -> str:
    """Somebody has shut it out."""
    role = binding.make_role("shut", binding.statement)
    deny = {**binding.statement, "Effect": "Deny"}
    document = {"Version": "2012-10-17", "Statement": [binding.statement, deny]}
    binding.aws("iam").update_assume_role_policy(
        RoleName=role.rsplit("/", 1)[-1], PolicyDocument=json.dumps(document)
    )
    return role


VICTIMS = (administrator, of_another_team, of_another_cluster, that_denies_it)


def annotated(binding: Binding, role: str) -> None:
    binding.annotate(role)
    binding.new_pod()


def with_a_space(binding: Binding, role: str) -> None:
    binding.annotate(f"{role} ")
    binding.new_pod()


def by_name(binding: Binding, role: str) -> None:
    binding.annotate(role.rsplit("/", 1)[-1])
    binding.new_pod()


def under_another_key(binding: Binding, role: str) -> None:
    binding.annotate(None)
    binding.annotate(role, "eks.amazonaws.com/role_arn")
    binding.new_pod()


def for_image_pulls(binding: Binding, role: str) -> None:
    binding.annotate(None)
    binding.annotate(role, "eks.amazonaws.com/ecr-role-arn")
    binding.new_pod()


def on_a_pod(binding: Binding, role: str) -> None:
    binding.annotate(None)
    binding.new_pod(metadata={"annotations": {ROLE_ARN: role}})


def in_the_environment(binding: Binding, role: str) -> None:
    bring_token(binding, role)


def that_went(binding: Binding, role: str) -> None:
    annotated(binding, role)
    binding.annotate(None)


def with_an_audience(binding: Binding, role: str) -> None:
    binding.annotate("vault", AUDIENCE)
    annotated(binding, role)


def as_a_target(binding: Binding, role: str) -> None:
    binding.annotate(role, "irsa/target-role-arn")


def of_another_account(binding: Binding, role: str) -> None:
    binding.annotate(role.replace(binding.stage.account_id, "444455556666"))
    binding.new_pod()


def of_another_partition(binding: Binding, role: str) -> None:
    binding.annotate(role.replace("arn:aws:", "arn:aws-us-gov:"))
    binding.new_pod()


Plant = Callable[[Binding, str], None]
PLANTS: tuple[Plant, ...] = (
    *(
        annotated,
        with_a_space,
        by_name,
        under_another_key,
        for_image_pulls,
        on_a_pod,
        in_the_environment,
        that_went,
    ),
    *(with_an_audience, as_a_target, of_another_account, of_another_partition),
)


def gained(binding: Binding) -> set[tuple[str, str]]:
    """The roles that the ServiceAccount's tokens open, by audience, and what may do all."""
    iam = binding.aws("iam")
    found = set()
    for role in iam.list_roles()["Roles"]:
        for audience in (STS, "vault"):
            identity = WebIdentity(binding.provider, f"https://{binding.prefix}", binding.subject, audience)
            if explain(role["AssumeRolePolicyDocument"], identity).admitted:
                found.add((role["Arn"], audience))
        policies = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
        found |= {(role["Arn"], item["PolicyArn"]) for item in policies if item["PolicyArn"] == ADMIN}
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=binding.provider)
    return found | {(binding.provider, audience) for audience in provider["ClientIDList"]}


def fixes(document: Json) -> list[str]:
    return [str(item["fix"]) for item in document["items"][0]["findings"] if item["fix"]]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
@pytest.mark.parametrize("victim", VICTIMS, ids=lambda victim: victim.__name__)
def test_nobody_gains_a_role_by_what_is_pasted(
    plant: Plant, victim: Callable[[Binding], str], binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    role = victim(binding)
    binding.values(sub="system:serviceaccount:front:web")
    plant(binding, role)
    before, said = gained(binding), binding.account["metadata"].get("annotations", {}).get(ROLE_ARN)
    for _ in range(2):
        for fix in fixes(doctor(binding, capsys, *of(binding))):
            if not is_by_hand(fix):
                cure(binding, fix)
        assert gained(binding) <= before
    if victim is not that_denies_it:  # Which names it, so that the annotation gives nothing more.
        assert binding.account["metadata"].get("annotations", {}).get(ROLE_ARN) in (said, None)


def test_a_policy_in_the_annotation_makes_no_administrator(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.values(sub="system:serviceaccount:front:web")
    annotated(binding, ADMIN)
    before = gained(binding)
    for fix in fixes(doctor(binding, capsys, *of(binding))):
        if not is_by_hand(fix):
            cure(binding, fix)
    assert gained(binding) <= before


@pytest.mark.parametrize("hidden", ["ListAttachedRolePolicies", "ListRolePolicies", ""])
def test_of_a_powerful_role_that_names_it_a_person_is_asked(
    hidden: str, binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    """What may not be read is not harmless."""
    from irsa_cli.sandbox import Fault

    role = binding.role_arn if hidden else powerful(binding, binding.role_arn)
    binding.annotate(None)
    binding.new_pod()
    if hidden:
        fault = Fault("iam", hidden, "error", status=403, code="AccessDenied", times=None)
        binding.stage.sandbox.faults.add(fault)
    (first, *_) = fixes(doctor(binding, capsys, *of(binding)))
    assert role in first
    assert "check first who owns" in first
    assert all(line.startswith("#") for line in first.splitlines())
    assert ("can't be read" if hidden else "AdministratorAccess") in first
    assert NAME in first
