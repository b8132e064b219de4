"""docs/how-to/permissions: what is documented suffices for every work, and nothing of it is too much.

A caller who has exactly the documented permissions does each work of a page; then, for each permission, a
caller who lacks only that one fails at the work that needs it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from irsa_cli.core.results.unread import OPTIONAL
from irsa_cli.sandbox import Rule, Sandbox
from tests.docs import allowed_moves, allowed_reads, allowed_writes, staging
from tests.docs.allowed_writes import ALL, BOUNDARY, CHANGE, CHANGES, REMOVE, WITHIN
from tests.docs.limited import ACCOUNT, Caller, Page, Work

PAGES = {**allowed_writes.PAGES, **allowed_moves.PAGES, **allowed_reads.PAGES}
WORKS = [
    pytest.param(page, work, id=f"{name}: {work.name}") for name, page in PAGES.items() for work in page.works
]


@pytest.fixture
def caller(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return Caller(sandbox, tmp_path, monkeypatch)


@pytest.mark.parametrize(("page", "work"), WORKS)
def test_all_permissions_suffice_and_each_is_needed(
    page: Page, work: Work, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(name: str) -> Caller:
        sandbox.reset()
        (tmp_path / name).mkdir()
        caller = Caller(sandbox, tmp_path / name, monkeypatch)
        page.begin(caller, work)
        return caller

    caller = begun("whole")
    for permission in page.needed(work):
        page.admit(caller, permission)
        assert not work.succeeds(caller), f"done without {permission}\n{caller.said}"
        # Who was refused and changed nothing leaves the world to the next.
        sandbox.faults.clear()
        if caller.world() != caller.before:
            caller = begun(permission.replace("/", " "))
    page.admit(caller)
    assert work.succeeds(caller), caller.said


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_documented_permission_is_tried(page: Page) -> None:
    assert {permission for work in page.works for permission in page.needed(work)} == page.permissions()


@pytest.mark.parametrize(
    ("policies", "line", "expected"),
    [
        ("iam-policy foreign-roles-policy", "--attach-role-arn $role --update-trust", True),
        ("iam-policy", "--attach-role-arn $role --update-trust", False),
        ("iam-policy-bounded", "--attach-policy-arn $S3", False),
    ],
    ids=["a listed role of others", "one that is not listed", "a role without a boundary"],
)
def test_what_a_policy_is_not_for_changes_nothing(
    policies: str, line: str, expected: bool, caller: Caller
) -> None:
    staging.shared_role(caller.sandbox)
    caller.words["role"] = f"arn:aws:iam::{ACCOUNT}:role/shared"
    caller.admit(staging.joined(*policies.split()), ALL)
    before = caller.world()
    assert (caller.run(f"create-sa app {line}") == 0) is expected, caller.said
    assert (caller.world() != before) is expected


@pytest.mark.parametrize(
    ("line", "given"),
    [
        (WITHIN, allowed_writes.binding),
        (REMOVE, allowed_writes.bounded_binding),
        (CHANGE, allowed_writes.bounded_binding),
        (f"update-sa $app --permissions-boundary {BOUNDARY}", allowed_writes.another_boundary),
        ("update-sa $app --tags access-level=high", allowed_writes.bounded_binding),
    ],
    ids=["bare", "removal", "trust", "boundary", "tags"],
)
def test_the_bounded_permissions_do_not_reach_further(
    line: str, given: allowed_writes.Given, caller: Caller
) -> None:
    given(caller)
    caller.admit(staging.joined("change-policy-bounded"), CHANGES)
    before = caller.sandbox.world()["roles"]
    assert caller.run(line) != 0
    assert caller.sandbox.world()["roles"] == before


@pytest.mark.parametrize("listed", [True, False])
def test_adopt_needs_the_role_to_be_listed(listed: bool, caller: Caller) -> None:
    allowed_writes.binding(caller)
    tags = ["irsa/cluster", "irsa/service-account"]
    staging.iam(caller.sandbox).untag_role(RoleName=caller.role, TagKeys=tags)
    policy = json.dumps(staging.joined("change-policy", "foreign-roles-policy"))
    name = f"role/irsa/demo/{caller.role}" if listed else "role/shared"
    caller.admit(json.loads(policy.replace("role/shared", name)), CHANGES)
    assert (caller.run("adopt $app") == 0) is listed, caller.said


@pytest.mark.parametrize("file", ["rbac", "rbac-namespaces", "reading-rbac"])
def test_every_role_is_bound_to_the_documented_group(file: str) -> None:
    objects = staging.rbac(staging.PERMISSIONS / f"{file}.yaml")
    roles = {(item["kind"], item["metadata"]["name"]) for item in objects if item["kind"].endswith("Role")}
    bindings = [item for item in objects if item["kind"].endswith("RoleBinding")]
    assert {(it["roleRef"]["kind"], it["roleRef"]["name"]) for it in bindings} == roles
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group"}
    name = "irsa-readers" if file == "reading-rbac" else "irsa"
    assert all(item["subjects"] == [{**group, "name": name}] for item in bindings)
    assert all(item["roleRef"]["apiGroup"] == group["apiGroup"] for item in bindings)


def test_who_only_looks_reads_one_config_map() -> None:
    (role,) = (
        item
        for item in staging.rbac(staging.PERMISSIONS / "reading-rbac.yaml")
        if item["metadata"].get("namespace") and item["kind"] == "Role"
    )
    assert (role["metadata"]["namespace"], role["rules"][0]["resourceNames"]) == ("kube-system", ["aws-auth"])


def in_a_file(caller: Caller) -> None:
    """A binding, and the file that describes it."""
    allowed_writes.binding(caller)
    assert caller.run("export -n backend --to irsa --out bindings.yaml") == 0, caller.said


@pytest.mark.parametrize(
    ("line", "policies", "rules", "given"),
    [
        ("verify $app", "iam-policy", ALL, allowed_writes.binding),
        ("verify -A", "iam-policy", ALL, allowed_writes.binding),
        ("diff -f $folder/bindings.yaml", "iam-policy", ALL, in_a_file),
        (
            "migrate $app --to pod-identity --status",
            "migrate-policy",
            allowed_moves.RULES,
            allowed_moves.with_irsa,
        ),
    ],
    ids=["verify", "verify all", "diff", "migrate --status"],
)
def test_who_may_do_the_work_gets_a_complete_answer_about_it(
    line: str, policies: str, rules: Sequence[Rule], given: allowed_writes.Given, caller: Caller
) -> None:
    given(caller)
    caller.admit(staging.joined(*policies.split()), rules)
    assert caller.run(f"{line} -o json") == 0, caller.said
    gaps = caller.json["metadata"]["scope"]["notExamined"]
    texts = [gap["what"] for gap in gaps if gap["couldChangeAnswer"]]
    optional = [read.operation.rpartition(" ")[2] for read in OPTIONAL]
    assert all(any(name in text for name in optional) for text in texts), texts
