"""`irsa apply --prune` of what is easily overlooked, and `irsa delete-sa --role-name` of one role of two."""

import json
from pathlib import Path
from signal import SIGTERM

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import THEIRS, apply, bindings, config, entry, reader
from tests.support.stage import READ_ONLY, Json, Ran, Stage


def prune(stage: Stage, unique: str, text: str, *flags: str) -> Ran:
    """Other tests' bindings on the same API server are not this test's to prune."""
    return apply(stage, text, "--prune", "--yes", "--include", f"{unique}*/*", "-o", "json", *flags)


def own_role(stage: Stage, name: str) -> Json | None:
    found: Json | None = stage.aws_world()["roles"].get(name)
    return found


def make_theirs(stage: Stage, name: str) -> str:
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    arn: str = stage.iam().create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    return arn


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_a_service_account_that_uses_somebody_elses_role(
    stage: Stage, unique: str, atomic: tuple[str, ...]
) -> None:
    arn = make_theirs(stage, f"{unique}-theirs")
    kept = config(stage, reader(unique))
    assert apply(stage, kept).code == 0
    before = stage.world()
    user = entry("app", unique, attachRoleARN=arn)
    assert apply(stage, config(stage, reader(unique), user), "--update-trust").code == 0
    assert len(stage.role_of(unique, "app")["trust"]["Statement"]) == 2
    ran = prune(stage, unique, kept, *atomic)
    assert ran.code == 0, ran.err
    assert f"{unique}/app" in ran.err
    assert stage.world() == before


def test_a_signal_before_anything_is_pruned_is_no_success(
    sandbox: Sandbox, tmp_path: Path, unique: str
) -> None:
    small = sandbox_stage(sandbox, "demo", tmp_path)
    small.make_namespace(unique)
    both = config(small, entry("old", unique, attachPolicyARNs=[READ_ONLY]), reader(unique))
    assert apply(small, both).code == 0
    # Read once for the entries, and once more for what is to be pruned.
    stop = Fault("iam", "GetOpenIDConnectProvider", "callback", skip=1, run=lambda: small.signal(SIGTERM))
    small.sandbox.faults.add(stop)
    ran = prune(small, unique, config(small, reader(unique)))
    assert len(small.sandbox.faults.struck) == 1
    gone = small.account(unique, "old") is None
    assert (ran.code, gone) == (143, False), ran.err
    assert len(ran.metadata["notBegun"]) == 1


def test_one_that_irsa_only_annotated_is_not_pruned(stage: Stage, namespace: str) -> None:
    arn = make_theirs(stage, f"{namespace}-theirs")
    stage.make_account(namespace, "app")
    user = entry("app", namespace, attachRoleARN=arn)
    assert apply(stage, config(stage, reader(namespace), user), "--update-trust").code == 0
    before = stage.world()
    assert prune(stage, namespace, config(stage, reader(namespace))).code == 0
    assert stage.world() == before


def test_a_role_at_another_path(stage: Stage, unique: str) -> None:
    text = bindings(stage, reader(unique))
    assert apply(stage, text).code == 0
    before = stage.world()
    alone = entry("alone", unique, roleOnly=True, rolePath="/teams/x/")
    assert apply(stage, bindings(stage, reader(unique), alone)).code == 0
    assert stage.world() != before
    ran = prune(stage, unique, text)
    assert ran.code == 0, ran.err
    assert stage.world() == before


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
@pytest.mark.parametrize("alone", [False, True])
def test_the_role_that_an_entry_had_before(
    stage: Stage, unique: str, alone: bool, atomic: tuple[str, ...]
) -> None:
    first, second = (
        config(stage, reader(unique, roleName=f"{unique}-{name}", roleOnly=alone)) for name in ("1", "2")
    )
    assert apply(stage, second).code == 0
    before = stage.world()
    assert apply(stage, first).code == 0
    ran = apply(stage, second, *atomic)
    assert ran.code == 0, ran.err
    assert own_role(stage, f"{unique}-1") is not None
    planned = prune(stage, unique, second, "--dry-run", *atomic)
    assert planned.metadata["summary"]["planned"] == 1, planned.err
    assert own_role(stage, f"{unique}-1") is not None
    ran = prune(stage, unique, second, *atomic)
    assert ran.code == 0, ran.err
    assert f"{unique}/reader (role {unique}-1)" in ran.err
    assert own_role(stage, f"{unique}-1") is None
    account = stage.account(unique, "reader")
    assert (account is None) == alone
    assert stage.world()["roles"][f"{unique}-2"]["attached"] == before["roles"][f"{unique}-2"]["attached"]
    if not alone:
        assert stage.role_of(unique, "reader")["arn"].endswith(f"/{unique}-2")
    world = stage.world()
    assert prune(stage, unique, second, *atomic).code == 0
    assert stage.world() == world


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_apply_says_which_role_it_leaves_behind(stage: Stage, unique: str, atomic: tuple[str, ...]) -> None:
    arn = make_theirs(stage, f"{unique}-theirs")
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-1"))).code == 0
    used = config(stage, entry("reader", unique, attachRoleARN=arn))
    ran = apply(stage, used, "--update-trust", *atomic)
    assert ran.code == 0, ran.err
    assert (
        f"had before is unchanged: arn:aws:iam::111122223333:role/irsa/{stage.cluster}/{unique}-1" in ran.err
    )
    assert f"--role-name {unique}-1" in ran.err
    assert prune(stage, unique, used, "--update-trust", *atomic).code == 0
    assert own_role(stage, f"{unique}-1") is None
    assert stage.role_of(unique, "reader")["arn"] == arn


def test_a_former_role_is_left_where_the_entry_failed(stage: Stage, unique: str) -> None:
    first = config(stage, reader(unique, roleName=f"{unique}-1", roleOnly=True))
    assert apply(stage, first).code == 0
    missing = "arn:aws:iam::111122223333:policy/none"
    broken = entry("reader", unique, roleName=f"{unique}-2", roleOnly=True, attachPolicyARNs=[missing])
    ran = prune(stage, unique, config(stage, broken))
    assert ran.code == 1, ran.err
    assert own_role(stage, f"{unique}-1") is not None


def test_a_former_role_that_pods_still_have_is_not_pruned(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-1"))).code == 0
    spec = {"serviceAccountName": "reader", "containers": [{"name": "c", "image": "i"}]}
    body = {"metadata": {"name": "p"}, "spec": spec}
    assert stage.kube.create(f"/api/v1/namespaces/{unique}/pods", body).status == 201
    second = config(stage, reader(unique, roleName=f"{unique}-2"))
    ran = prune(stage, unique, second)
    assert ran.code == 1, ran.err  # The new role was created: something was attempted.
    assert "in use by 1 pod" in ran.err
    assert own_role(stage, f"{unique}-1") is not None
    assert stage.kube.delete(f"/api/v1/namespaces/{unique}/pods/p?gracePeriodSeconds=0").status == 200
    assert prune(stage, unique, second).code == 0
    assert own_role(stage, f"{unique}-1") is None


def test_delete_sa_of_a_named_role_leaves_the_one_in_use(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-2"))).code == 0
    before = stage.world()
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-1"))).code == 0
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-2"))).code == 0
    command = ("delete-sa", "reader", "-n", unique, "-c", stage.cluster)
    planned = stage.irsa(*command, "--role-name", f"{unique}-1", "--dry-run", "-o", "json")
    assert {item["kind"] for item in planned.item["changes"]} <= {
        "Role",
        "RoleOwner",
        "RoleCommit",
        "PolicyAttachment",
    }
    ran = stage.irsa(*command, "--role-name", f"{unique}-1", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["serviceAccount"]["deleted"] is False
    assert "its annotation has another role" in ran.out
    assert own_role(stage, f"{unique}-1") is None
    assert stage.role_of(unique, "reader")["arn"] == before["roles"][f"{unique}-2"]["arn"]
    # The one that it names goes with it.
    assert stage.irsa(*command, "--role-name", f"{unique}-2").code == 0
    assert stage.account(unique, "reader") is None
    assert own_role(stage, f"{unique}-2") is None


def test_delete_from_a_file_takes_all_of_a_binding(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-1"))).code == 0
    second = config(stage, reader(unique, roleName=f"{unique}-2"))
    assert apply(stage, second).code == 0
    first = config(stage, reader(unique, roleName=f"{unique}-1"))
    ran = stage.irsa("delete", "--yes", "-f", "-", stdin=first)
    assert ran.code == 0, ran.err
    assert stage.account(unique, "reader") is None
    assert own_role(stage, f"{unique}-1") is None
    assert own_role(stage, f"{unique}-2") is None
