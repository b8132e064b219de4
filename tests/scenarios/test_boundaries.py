"""Permissions boundaries: where one comes from, who may demand one, and that none goes unnoticed."""

import json
from typing import Any

import pytest

from tests.support.acts import after, made, named, put, wish_own, wished, written
from tests.support.rows import Row, rows
from tests.support.stage import READ_ONLY, Stage

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
    Row("a default for one without", f"{UPDATE} --label a=b", changes=None, given=CREATE, options=ENV),
)
def test_whether_a_role_is_bounded(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_apply_takes_flag_entry_file_and_default_in_this_order(stage: Stage) -> None:
    one, two = (APP.replace("app", name) for name in ("one", "two"))
    one = one.replace("attach", "permissionsBoundary: $S3, attach")

    def boundaries() -> list[str]:
        roles = stage.aws_world()["roles"]
        return [roles[stage.words[f"{name}_role"]]["boundary"] for name in ("one", "two")]

    wish_own(stage, one, two, top="withOIDC: true\npermissionsBoundary: $SQS")
    stage.run(APPLY, **NS_ENV)
    assert boundaries() == [READ_ONLY, SQS]
    wish_own(stage, one, two)
    stage.run(f"{APPLY} --permissions-boundary $SNS")
    assert boundaries() == [SNS, SNS]


def test_update_sa_gives_the_default_to_a_role_without(stage: Stage) -> None:
    stage.run(CREATE)
    stage.run(f"{UPDATE} --description new", changes=f"+ {QS}\n+ role $role description new", **ENV)
    changes = "- role $role description new\n+ role $role description newer"
    stage.run(f"{UPDATE} --description newer", changes=changes, **NS_ENV)


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
