"""Permissions boundaries: where one comes from, who may demand one, and that none goes unnoticed."""

import json
from typing import Any

import pytest

from tests.support.acts import after, made, named, put, wished, wished_own, written
from tests.support.rows import Row, rows
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
    Row("none", CREATE, 0, (), made()),
    Row("demanded", CREATE, 4, REQUIRE, options=DEMAND),
    Row("demanded by project", CREATE, 4, ".irsa.yaml", given=DEMANDED),
    Row("of a file", APPLY, 4, (REQUIRE, "$ns/app"), given=wished(APP), options=DEMAND),
    Row("of a file by project", APPLY, 4, (".irsa.yaml", "$ns/app"), given=DEMANDED),
    Row("demanded and there", CREATE, changes=None, options=BOTH),
    Row("of a role that is only used", USE, changes=ONLY_USED, given=CREATE, options=BOTH),
    Row("removed", APPLY, 4, REFUSED, given=IS_BOUND),
    Row("removed in a plan", f"{APPLY} --dry-run", 4, REFUSED, given=IS_BOUND),
    Row("removed with all", f"{APPLY} --atomic", 4, REFUSED, given=IS_BOUND),
    Row("allowed", f"{APPLY} --allow-boundary-removal", 0, (), REMOVED, given=IS_BOUND),
    Row("allowed with all", f"{APPLY} --allow-boundary-removal --atomic", 0, (), REMOVED, given=IS_BOUND),
    Row(
        "allowed in a plan",
        f"{APPLY} --allow-boundary-removal --dry-run",
        0,
        "- RoleBoundary",
        given=IS_BOUND,
    ),
    Row("allowed, but demanded", f"{APPLY} --allow-boundary-removal", 4, given=IS_BOUND, options=DEMAND),
    Row("a default is no other one", APPLY, 4, REPLACED, given=IS_BOUND, options=NS_ENV),
    Row("another one in a plan", f"{APPLY} --dry-run", 0, ("~ RoleBoundary", REPLACED), given=OTHERWISE),
    Row("another one", APPLY, 0, (), [REMOVED, f"+ {NS}"], given=OTHERWISE),
    Row("removed by update-sa", LESS, 4, "- RoleBoundary", given=BOUND_ALONE),
    Row("as none", f"{UPDATE} --permissions-boundary none", 4, "- RoleBoundary", given=BOUND_ALONE),
    Row("allowed by update-sa", f"{LESS} --allow-boundary-removal", 0, (), REMOVED, given=BOUND_ALONE),
    Row("and demanded", f"{LESS} --allow-boundary-removal", 4, given=BOUND_ALONE, options=DEMAND),
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


WRONG = (
    "permissionsBoundary: foo",
    "permissionBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "requirePermissionsBoundary: 'yes please'",
    "[]",
    "{",
    "{}\n---\n{}",
)


@pytest.mark.parametrize("wrong", [f"{BOUNDARY}=foo", f"{REQUIRE}=maybe", *WRONG])
def test_what_is_wrong_there_ends_before_any_call(stage: Stage, wrong: str) -> None:
    name, equals, value = wrong.partition("=")
    if not equals:
        put(stage, ".irsa.yaml", wrong)
    stage.sandbox.calls.clear()
    env: Any = {name: value} if equals else {}
    stage.run(CREATE, code=2, says=name if equals else ".irsa.yaml", **env)
    assert not stage.sandbox.calls


def test_a_file_that_anybody_may_write_is_not_read(stage: Stage) -> None:
    PROJECT(stage)
    (stage.folder / ".irsa.yaml").chmod(0o666)
    stage.run(CREATE, code=2, says=json.dumps(str(stage.folder / ".irsa.yaml"))[1:-1])
