"""Permissions boundaries: where one comes from, who may demand one, and that none goes unnoticed."""

import json
from typing import Any

import pytest

from tests.support.acts import after, made, named, put, wished, wished_own, written
from tests.support.rows import Row, play_all, rows
from tests.support.stage import Stage

BOUNDARY, REQUIRE = "IRSA_PERMISSIONS_BOUNDARY", "IRSA_REQUIRE_PERMISSIONS_BOUNDARY"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
SNS = "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"
CREATE = "create-sa app -n $ns --no-policy"
UPDATE = "update-sa app -n $ns"
APPLY = "apply -f f.yaml"
APP = "{metadata: {name: app, namespace: $ns}, attachPolicyARNs: [$S3]}"
BOUND = APP.replace("attach", "permissionsBoundary: $SQS, attach")
LINE = "role $role boundary AmazonS{}ReadOnlyAccess"
S3, QS, NS = (LINE.format(name) for name in ("3", "QS", "NS"))
REMOVED = f"- {QS}"


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "one", "two", "app")


PROJECT = written(".irsa.yaml", f"permissionsBoundary: {SNS}")
DEMANDED = after(written(".irsa.yaml", "requirePermissionsBoundary: true"), wished(APP))
IS_BOUND = after(wished(BOUND), APPLY, wished(APP))
OTHERWISE = after(IS_BOUND, wished(BOUND.replace("$SQS", "$SNS")))
USE = "create-sa other -n $ns --attach-role-arn $arn --update-trust"
NEW = "+ role $role description new"
LABEL = "+ sa $ns/app labels a b"
TWO = APP.replace("app,", "two,")
ONE = APP.replace("app,", "one,").replace("attach", "permissionsBoundary: $S3, attach")
TOP = "withOIDC: true\npermissionsBoundary: $SQS"


def by_two(*names: str) -> list[str]:
    """Both are made, each with a boundary."""
    lines = [f"boundary Amazon{name}ReadOnlyAccess" for name in names]
    attached = "attached AmazonS3ReadOnlyAccess"
    return [*made("one", attached, lines[0]), *made("two", attached, lines[1])]


ONLY_USED = """
+ role $role trusts $ns/other for sts.amazonaws.com ($sid)
+ sa $ns/other
+ sa $ns/other annotations eks.amazonaws.com/role-arn $role
+ sa $ns/other annotations irsa/role-arn $role
+ sa $ns/other labels app.kubernetes.io/managed-by irsa
"""
BY_FLAG = f"{CREATE} --permissions-boundary $S3"
ENV: Any = {BOUNDARY: SQS}
NS_ENV: Any = {BOUNDARY: SNS}
DEMAND = {REQUIRE: "1"}
BOTH = {**DEMAND, **ENV}
REFUSED = ("- RoleBoundary", "AmazonSQSReadOnlyAccess", "--allow-boundary-removal")
REPLACED = "AmazonSQSReadOnlyAccess -> arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"
BOUND_ALONE = f"{CREATE} --permissions-boundary $SQS"
LESS = f"{UPDATE} --no-permissions-boundary"


@rows(
    Row("by flag", BY_FLAG, 0, (), [*made(), f"+ {S3}"], given=PROJECT, options=ENV),
    Row("by environment", CREATE, 0, (), [*made(), f"+ {QS}"], given=PROJECT, options=ENV),
    Row("by project", CREATE, 0, (), [*made(), f"+ {NS}"], given=PROJECT),
    Row("a label", f"{UPDATE} --label a=b", changes=LABEL, given=CREATE, options=ENV),
    Row("a default", f"{UPDATE} --description new", 0, (), [NEW, f"+ {QS}"], given=CREATE, options=ENV),
    Row("no default", f"{UPDATE} --description new", 0, (), NEW, given=BOUND_ALONE, options=NS_ENV),
    Row(
        "entry, file", APPLY, 0, (), by_two("S3", "SQS"), given=wished_own(ONE, TWO, top=TOP), options=NS_ENV
    ),
    Row("environment", APPLY, 0, (), by_two("S3", "SNS"), given=wished_own(ONE, TWO), options=NS_ENV),
    Row(
        "flag",
        f"{APPLY} --permissions-boundary $SNS",
        0,
        (),
        by_two("SNS", "SNS"),
        given=wished_own(ONE, TWO),
    ),
)
def test_whether_a_role_is_bounded(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_a_boundary_that_is_demanded(stage: Stage) -> None:
    DEMANDED(stage)
    play_all(
        stage,
        (
            Row("by project", CREATE, 4, ".irsa.yaml"),
            Row("of a file by project", APPLY, 4, (".irsa.yaml", "$ns/app")),
        ),
    )
    put(stage, ".irsa.yaml", "{}")
    play_all(
        stage,
        (
            Row("demanded", CREATE, 4, REQUIRE, options=DEMAND),
            Row("of a file", APPLY, 4, (REQUIRE, "$ns/app"), options=DEMAND),
            Row("none", CREATE, 0, (), made()),
            Row("of a role that is only used", USE, changes=ONLY_USED, options=BOTH),
        ),
    )


def test_a_boundary_is_removed_where_that_is_allowed(stage: Stage) -> None:
    IS_BOUND(stage)
    allowed = f"{APPLY} --allow-boundary-removal"
    play_all(
        stage,
        (
            Row("removed", APPLY, 4, REFUSED),
            Row("in a plan", f"{APPLY} --dry-run", 4, REFUSED),
            Row("with all", f"{APPLY} --atomic", 4, REFUSED),
            Row("allowed in a plan", f"{allowed} --dry-run", 0, "- RoleBoundary"),
            Row("allowed, but demanded", allowed, 4, options=DEMAND),
            Row("a default is no other one", APPLY, 4, REPLACED, options=NS_ENV),
            Row("allowed", allowed, 0, (), REMOVED),
            Row("and again", f"{allowed} --atomic", 0, (), REMOVED, given=IS_BOUND),
            Row(
                "another one in a plan",
                f"{APPLY} --dry-run",
                0,
                ("~ RoleBoundary", REPLACED),
                given=OTHERWISE,
            ),
            Row("another one", APPLY, 0, (), [REMOVED, f"+ {NS}"]),
        ),
    )


def test_update_sa_removes_a_boundary_where_that_is_allowed(stage: Stage) -> None:
    stage.run(BOUND_ALONE)
    play_all(
        stage,
        (
            Row("removed", LESS, 4, "- RoleBoundary"),
            Row("as none", f"{UPDATE} --permissions-boundary none", 4, "- RoleBoundary"),
            Row("demanded", f"{LESS} --allow-boundary-removal", 4, options=DEMAND),
            Row("allowed", f"{LESS} --allow-boundary-removal", 0, (), REMOVED),
        ),
    )


WRONG = (
    "permissionsBoundary: foo",
    "permissionBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "requirePermissionsBoundary: 'yes please'",
    "[]",
    "{",
    "{}\n---\n{}",
)


def test_what_is_wrong_there_ends_before_any_call(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for name, value in ((BOUNDARY, "foo"), (REQUIRE, "maybe")):
        stage.run(CREATE, code=2, says=name, **{name: value})
    for text in WRONG:
        put(stage, ".irsa.yaml", text)
        stage.run(CREATE, code=2, says=".irsa.yaml")
    assert not stage.sandbox.calls


def test_a_file_that_anybody_may_write_is_not_read(stage: Stage) -> None:
    PROJECT(stage)
    (stage.folder / ".irsa.yaml").chmod(0o666)
    stage.run(CREATE, code=2, says=json.dumps(str(stage.folder / ".irsa.yaml"))[1:-1])
