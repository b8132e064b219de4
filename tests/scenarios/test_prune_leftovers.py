"""`irsa apply --prune` of what is easily overlooked, and `irsa delete-sa --role-name` of one role of two."""

from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import bindings, config, entry, reader
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import READ_ONLY, Ran, Stage, made
from tests.support.worlds import lines_of

ATOMIC = pytest.mark.parametrize("atomic", ["", " --atomic"])


def apply(stage: Stage, text: str, flags: str = "", **expected: Any) -> Ran:
    return stage.run(f"apply -f - {flags}", stdin=text, **expected)


def prune(stage: Stage, unique: str, text: str, flags: str = "", **expected: Any) -> Ran:
    """Other tests' bindings on the same API server are not this test's to prune."""
    return apply(stage, text, f"--prune --yes --include {unique}*/* {flags}", **expected)


def has_role(stage: Stage, name: str) -> bool:
    return name in stage.aws_world()["roles"]


def named(stage: Stage, unique: str, number: int, **more: Any) -> str:
    """A file whose entry has a role of this number."""
    return config(stage, reader(unique, roleName=f"{unique}-{number}", **more))


@pytest.fixture
def theirs(stage: Stage, unique: str) -> str:
    """The ARN of a role of somebody else."""
    made = stage.iam().create_role(RoleName=f"{unique}-theirs", AssumeRolePolicyDocument=EC2_TRUST)
    return str(made["Role"]["Arn"])


@ATOMIC
def test_a_service_account_that_uses_somebody_elses_role(
    stage: Stage, unique: str, theirs: str, atomic: str
) -> None:
    kept = config(stage, reader(unique))
    apply(stage, kept)
    before = stage.world()
    user = entry("app", unique, attachRoleARN=theirs)
    apply(stage, config(stage, reader(unique), user), "--update-trust")
    assert len(stage.role_of(unique, "app")["trust"]["Statement"]) == 2
    prune(stage, unique, kept, atomic, says=f"{unique}/app")
    assert stage.world() == before


def test_a_signal_before_anything_is_pruned_is_no_success(
    sandbox: Sandbox, tmp_path: Path, unique: str
) -> None:
    small = sandbox_stage(sandbox, "demo", tmp_path)
    apply(small, config(small, entry("old", unique, attachPolicyARNs=[READ_ONLY]), reader(unique)))
    # Read once for the entries, and once more for what is to be pruned.
    stop = Fault("iam", "GetOpenIDConnectProvider", "callback", skip=1, run=lambda: small.signal(SIGTERM))
    small.sandbox.faults.add(stop)
    ran = prune(small, unique, config(small, reader(unique)), "-o json", code=143, changes="")
    assert len(small.sandbox.faults.struck) == 1
    assert len(ran.metadata["notBegun"]) == 1


def test_one_that_irsa_only_annotated_is_not_pruned(stage: Stage, namespace: str, theirs: str) -> None:
    stage.make_account(namespace, "app")
    user = entry("app", namespace, attachRoleARN=theirs)
    apply(stage, config(stage, reader(namespace), user), "--update-trust")
    prune(stage, namespace, config(stage, reader(namespace)), changes="")


def test_a_role_at_another_path(stage: Stage, unique: str) -> None:
    text = bindings(stage, reader(unique))
    apply(stage, text)
    before = stage.world()
    alone = entry("alone", unique, roleOnly=True, rolePath="/teams/x/")
    apply(stage, bindings(stage, reader(unique), alone))
    assert stage.world() != before
    prune(stage, unique, text)
    assert stage.world() == before


@ATOMIC
@pytest.mark.parametrize("alone", [False, True])
def test_the_role_that_an_entry_had_before(stage: Stage, unique: str, alone: bool, atomic: str) -> None:
    first, second = (named(stage, unique, number, roleOnly=alone) for number in (1, 2))
    apply(stage, second)
    before = stage.world()
    apply(stage, first)
    apply(stage, second, atomic)
    assert has_role(stage, f"{unique}-1")
    planned = prune(stage, unique, second, f"--dry-run -o json{atomic}", changes="")
    assert planned.metadata["summary"]["planned"] == 1
    prune(stage, unique, second, atomic, says=f"{unique}/reader (role {unique}-1)")
    assert lines_of(stage.world()) == lines_of(before)
    prune(stage, unique, second, atomic, changes="")


@ATOMIC
def test_apply_says_which_role_it_leaves_behind(stage: Stage, unique: str, theirs: str, atomic: str) -> None:
    apply(stage, named(stage, unique, 1))
    used = config(stage, entry("reader", unique, attachRoleARN=theirs))
    arn = f"had before is unchanged: arn:aws:iam::111122223333:role/irsa/{stage.cluster}/{unique}-1"
    apply(stage, used, f"--update-trust{atomic}", says=(arn, f"--role-name {unique}-1"))
    prune(stage, unique, used, f"--update-trust{atomic}")
    assert not has_role(stage, f"{unique}-1")
    assert stage.role_of(unique, "reader")["arn"] == theirs


def test_a_former_role_is_left_where_the_entry_failed(stage: Stage, unique: str) -> None:
    apply(stage, named(stage, unique, 1, roleOnly=True))
    missing = {"attachPolicyARNs": ["arn:aws:iam::111122223333:policy/none"]}
    broken = entry("reader", unique, roleName=f"{unique}-2", roleOnly=True, **missing)
    prune(stage, unique, config(stage, broken), code=1)
    assert has_role(stage, f"{unique}-1")


def test_a_former_role_that_pods_still_have_is_not_pruned(stage: Stage, unique: str) -> None:
    apply(stage, named(stage, unique, 1))
    pods = f"/api/v1/namespaces/{unique}/pods"
    spec = {"serviceAccountName": "reader", "containers": [{"name": "c", "image": "i"}]}
    made(stage.kube.create(pods, {"metadata": {"name": "p"}, "spec": spec}))
    # The new role was created: something was attempted.
    prune(stage, unique, named(stage, unique, 2), code=1, says="in use by 1 pod")
    assert has_role(stage, f"{unique}-1")
    assert stage.kube.delete(f"{pods}/p?gracePeriodSeconds=0").status == 200
    prune(stage, unique, named(stage, unique, 2))
    assert not has_role(stage, f"{unique}-1")


def test_delete_sa_of_a_named_role_leaves_the_one_in_use(stage: Stage, unique: str) -> None:
    apply(stage, named(stage, unique, 2))
    before = stage.world()
    apply(stage, named(stage, unique, 1))
    apply(stage, named(stage, unique, 2))
    line = f"delete-sa reader -n {unique} --role-name {unique}"
    planned = stage.run(f"{line}-1 --dry-run -o json", changes="").item["changes"]
    assert {item["kind"] for item in planned} <= {"Role", "RoleOwner", "RoleCommit", "PolicyAttachment"}
    ran = stage.run(f"{line}-1 -o json", says="its annotation has another role")
    assert ran.item["serviceAccount"]["deleted"] is False
    assert lines_of(stage.world()) == lines_of(before)
    # The one that it names goes with it.
    stage.run(f"{line}-2")
    assert stage.account(unique, "reader") is None
    assert not has_role(stage, f"{unique}-2")


def test_delete_from_a_file_takes_all_of_a_binding(stage: Stage, unique: str) -> None:
    for number in (1, 2):
        apply(stage, named(stage, unique, number))
    stage.run("delete --yes -f -", stdin=named(stage, unique, 1))
    assert stage.account(unique, "reader") is None
    assert not [name for name in stage.aws_world()["roles"] if name.startswith(f"{unique}-")]
