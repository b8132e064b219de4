"""Permissions boundaries: where one comes from, who may demand one, and that none goes unnoticed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.test_apply import apply, bindings, config, entry
from tests.scenarios.updating import SQS, make_complete, update
from tests.support.stage import READ_ONLY, Stage

BOUNDARY, REQUIRE = "IRSA_PERMISSIONS_BOUNDARY", "IRSA_REQUIRE_PERMISSIONS_BOUNDARY"
SNS = "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"


def project(stage: Stage, **fields: Any) -> None:
    (stage.folder / ".irsa.yaml").write_text(yaml.safe_dump(fields))


def boundary(stage: Stage, namespace: str, name: str = "app") -> str | None:
    found: str | None = stage.role_of(namespace, name)["boundary"]
    return found


@pytest.mark.parametrize(
    ("flag", "env", "file", "expected"),
    [
        (READ_ONLY, SQS, SNS, READ_ONLY),
        ("", SQS, SNS, SQS),
        ("", "", SNS, SNS),
        ("", "", "", None),
    ],
)
def test_create_sa_takes_the_nearest(
    stage: Stage, unique: str, flag: str, env: str, file: str, expected: str | None
) -> None:
    assert stage.associate().code == 0
    if file:
        project(stage, permissionsBoundary=file)
    ran = stage.create_sa(
        "app",
        unique,
        *(("--permissions-boundary", flag) if flag else ()),
        **({BOUNDARY: env} if env else {}),
    )
    assert ran.code == 0, ran.err
    assert boundary(stage, unique) == expected


def test_apply_takes_flag_entry_file_and_default_in_this_order(stage: Stage, unique: str) -> None:
    text = bindings(stage, entry("one", unique, permissionsBoundary=READ_ONLY), entry("two", unique))
    plain = bindings(stage, entry("three", unique))
    whole = yaml.safe_dump({**yaml.safe_load(text), "permissionsBoundary": SQS})
    assert apply(stage, whole, **{BOUNDARY: SNS}).code == 0
    assert (boundary(stage, unique, "one"), boundary(stage, unique, "two")) == (READ_ONLY, SQS)
    assert apply(stage, plain, **{BOUNDARY: SNS}).code == 0
    assert boundary(stage, unique, "three") == SNS
    assert apply(stage, text, "--permissions-boundary", SNS).code == 0
    assert (boundary(stage, unique, "one"), boundary(stage, unique, "two")) == (SNS, SNS)


@pytest.mark.parametrize("by", ["environment", "project"])
def test_no_role_is_made_without_one_where_it_is_demanded(stage: Stage, unique: str, by: str) -> None:
    assert stage.associate().code == 0
    env = {REQUIRE: "1"} if by == "environment" else {}
    if by == "project":
        project(stage, requirePermissionsBoundary=True)
        (stage.folder / "below").mkdir()
    before = stage.world()
    stage.sandbox.calls.clear()
    ran = stage.create_sa("app", unique, "-o", "json", **env)
    assert ran.code == 4
    assert ran.metadata["outcome"] == "refused"
    assert (REQUIRE if by == "environment" else ".irsa.yaml") in ran.error["reason"]
    for text in (config(stage, entry("app", unique, attachPolicyARNs=[READ_ONLY])),):
        ran = apply(stage, text, **env)
        assert ran.code == 4
        assert f"{unique}/app" in ran.err
    assert stage.world() == before
    assert not [call for call in stage.sandbox.calls if call.operation.startswith("Create")]
    assert stage.create_sa("app", unique, **env, **{BOUNDARY: READ_ONLY}).code == 0
    assert boundary(stage, unique) == READ_ONLY


def test_a_role_that_is_only_used_needs_none(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    assert stage.create_sa("app", unique).code == 0
    role = stage.role_of(unique, "app")["arn"]
    ran = stage.create_sa(
        "other", unique, "--attach-role-arn", role, "--update-trust", **{REQUIRE: "1", BOUNDARY: SQS}
    )
    assert ran.code == 0, ran.err
    assert boundary(stage, unique) is None


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_apply_removes_none_unless_told_to(stage: Stage, unique: str, atomic: tuple[str, ...]) -> None:
    one = config(stage, entry("app", unique, attachPolicyARNs=[READ_ONLY], permissionsBoundary=SQS))
    other = config(stage, entry("app", unique, attachPolicyARNs=[READ_ONLY, SNS]))
    assert apply(stage, one).code == 0
    before = stage.world()
    for more in (("--dry-run",), ()):
        ran = apply(stage, other, *atomic, *more)
        assert ran.code == 4, ran.err
        text = ran.out + ran.err
        assert "- RoleBoundary" in text
        assert SQS in text
        assert "--allow-boundary-removal" in text
        assert stage.world() == before
    allowed = (*atomic, "--allow-boundary-removal")
    planned = apply(stage, other, *allowed, "--dry-run")
    assert planned.code == 0
    assert "- RoleBoundary" in planned.out
    refused = apply(stage, other, *allowed, **{REQUIRE: "1", BOUNDARY: ""})
    assert refused.code == 4
    assert stage.world() == before
    assert apply(stage, other, *allowed).code == 0
    assert boundary(stage, unique) is None


def test_a_default_never_replaces_one(stage: Stage, unique: str) -> None:
    one = config(stage, entry("app", unique, attachPolicyARNs=[READ_ONLY], permissionsBoundary=SQS))
    other = config(stage, entry("app", unique, attachPolicyARNs=[READ_ONLY]))
    assert apply(stage, one).code == 0
    ran = apply(stage, other, **{BOUNDARY: SNS})
    assert ran.code == 4
    assert f"{SQS} -> {SNS}" in ran.out + ran.err
    assert boundary(stage, unique) == SQS
    named = config(stage, entry("app", unique, attachPolicyARNs=[READ_ONLY], permissionsBoundary=SNS))
    planned = apply(stage, named, "--dry-run")
    assert "~ RoleBoundary" in planned.out
    assert f"{SQS} -> {SNS}" in planned.out
    assert apply(stage, named).code == 0
    assert boundary(stage, unique) == SNS


def test_update_sa_removes_none_unless_told_to(stage: Stage, namespace: str) -> None:
    make_complete(stage, namespace)
    before = stage.world()
    for flags in (("--no-permissions-boundary",), ("--permissions-boundary", "none")):
        ran = update(stage, namespace, *flags, "--description", "new", "-o", "json")
        assert ran.code == 4
        assert any(line.startswith("- RoleBoundary") for line in ran.error["details"])
        ran = update(stage, namespace, *flags, "--allow-boundary-removal")
        assert ran.code == 0
        assert update(stage, namespace, "--permissions-boundary", before_boundary(before)).code == 0
    refused = update(
        stage, namespace, "--no-permissions-boundary", "--allow-boundary-removal", **{REQUIRE: "yes"}
    )
    assert refused.code == 4
    assert stage.world() == before


def before_boundary(world: dict[str, Any]) -> str:
    (role,) = (role for role in world["roles"].values() if role["boundary"])
    found: str = role["boundary"]
    return found


def test_update_sa_gives_the_default_to_a_role_without(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    assert stage.create_sa("app", unique).code == 0
    ran = update(stage, unique, "--description", "new", "-o", "json", **{BOUNDARY: SQS})
    assert ran.code == 0, ran.err
    assert "RoleBoundary" in {change["kind"] for change in ran.item["changes"]}
    assert boundary(stage, unique) == SQS
    assert update(stage, unique, "--description", "newer", **{BOUNDARY: SNS}).code == 0
    assert boundary(stage, unique) == SQS
    assert update(stage, unique, "--label", "a=b", **{BOUNDARY: SNS}).code == 0


@pytest.mark.parametrize(
    ("env", "file"),
    [
        ({BOUNDARY: "foo"}, ""),
        ({REQUIRE: "maybe"}, ""),
        ({}, "permissionsBoundary: foo"),
        ({}, "permissionBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
        ({}, "requirePermissionsBoundary: 'yes please'"),
        ({}, "[]"),
        ({}, "{"),
        ({}, "{}\n---\n{}"),
    ],
)
def test_what_is_wrong_there_ends_before_any_call(
    stage: Stage, unique: str, env: dict[str, str], file: str
) -> None:
    if file:
        (stage.folder / ".irsa.yaml").write_text(file)
    stage.sandbox.calls.clear()
    ran = stage.create_sa("app", unique, **env)
    assert ran.code == 2
    assert (next(iter(env)) if env else ".irsa.yaml") in ran.err
    assert not stage.sandbox.calls


def test_a_file_that_anybody_may_write_is_not_read(stage: Stage, unique: str) -> None:
    project(stage, permissionsBoundary=READ_ONLY)
    path: Path = stage.folder / ".irsa.yaml"
    path.chmod(0o666)
    ran = stage.create_sa("app", unique)
    assert ran.code == 2
    assert json.dumps(str(path))[1:-1] in ran.err
