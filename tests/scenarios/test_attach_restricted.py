"""`--attach-role-arn` on roles whose owner restricts who gets in: nothing is widened without a word.

Whether such a role admits the ServiceAccount can't be known from here; that is no "no".
"""

import copy
import json
from typing import Any

import pytest

from tests.scenarios.foreign import admitting, issuer_of, make_role, trust_of, write_trust
from tests.support.acts import SERVICE, named, refused, unchanged, wish, wish_own
from tests.support.rows import Row
from tests.support.stage import Json, Stage

VPC = {"StringEquals": {"aws:SourceVpc": "vpc-0a1b2c3d"}}
SESSION = {"StringLike": {"sts:RoleSessionName": "ci-*"}}
ADDRESS = {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}
OVER = {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
EXTERNAL = {"StringEquals": {"sts:ExternalId": "never there"}}
OTHER_CLAIM = {"StringEquals": {"aws:PrincipalTag/team": "data"}}
USE = "create-sa app -n $ns --attach-role-arn arn:aws:iam::$account:role/$ns-r -o json"
TRUST = f"{USE} --update-trust"
USED = """
+ sa $ns/app
+ sa $ns/app annotations eks.amazonaws.com/role-arn $ns-r
+ sa $ns/app annotations irsa/role-arn $ns-r
+ sa $ns/app labels app.kubernetes.io/managed-by irsa
"""
ADMITTED = f"{USED}+ role $ns-r trusts $ns/app for sts.amazonaws.com ($sid)"


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "app")


def subject(namespace: str, name: str = "app") -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def guard(stage: Stage) -> Json:
    """A Deny for all that does not come from the owner's addresses."""
    addresses = {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    statement = admitting(stage, None, Sid="Guard")
    return {**statement, "Effect": "Deny", "Condition": addresses}


def restricted(stage: Stage, condition: Json = VPC, *more: Json, **sid: str) -> None:
    """A role that admits app under a condition."""
    namespace = stage.words["ns"]
    own = admitting(stage, subject(namespace), condition=condition, **sid)
    make_role(stage, f"{namespace}-r", own, *more)


def key_of(condition: Json) -> str:
    """The key that a condition tests."""
    ((key,),) = condition.values()
    return str(key)


@pytest.mark.parametrize("condition", [VPC, SESSION, ADDRESS], ids=["vpc", "session", "address"])
def test_what_cant_be_known_is_said_and_nothing_is_written_on_the_role(stage: Stage, condition: Json) -> None:
    restricted(stage, condition)
    says = ("irsa can't tell", key_of(condition))
    stage.run(USE, says=says, silent="would refuse", changes=USED)
    unchanged(stage, USE, '"unchanged"')


ADMITTING = (
    ("StringEquals", None),
    ("StringLike", "system:serviceaccount:{}:*"),
    ("StringLike", "system:serviceaccount:*:app"),
    ("StringEquals", ["x", "system:serviceaccount:{}:app"]),
)


def test_no_statement_is_put_beside_a_restricted_one_without_force(stage: Stage, namespace: str) -> None:
    make_role(stage, f"{namespace}-r", SERVICE)
    conditions = (VPC, SESSION, OVER, OTHER_CLAIM, EXTERNAL)
    every = [(VPC, *form) for form in ADMITTING] + [(other, *ADMITTING[-1]) for other in conditions[1:]]
    for condition, operator, who in every:
        who = json.loads(json.dumps(who).replace("{}", namespace))
        write_trust(stage, f"{namespace}-r", admitting(stage, who, operator, condition, Sid="Restricted"))
        details = str(refused(stage, TRUST).error["details"])
        says = ("statement 1 (Restricted)", key_of(condition), "+", subject(namespace))
        assert [text for text in says if text not in details] == [], (who, details)


def test_force_adds_the_statement_and_says_what_it_voids(stage: Stage, namespace: str) -> None:
    restricted(stage, Sid="FromVpc")
    theirs = trust_of(stage, f"{namespace}-r")["Statement"]
    refused(stage, TRUST, "--force")
    before = {"items.0.trustPolicy.before.Statement": theirs}
    Row("plan", f"{TRUST} --force --dry-run", document=before).play(stage)
    done = stage.run(f"{TRUST} --force", changes=ADMITTED).item["trustPolicy"]
    assert done["after"]["Statement"] == trust_of(stage, f"{namespace}-r")["Statement"]
    assert "aws:SourceVpc" in str(done["voids"])
    unchanged(stage, f"{TRUST} --force", '"unchanged"')
    # For another one nothing is voided.
    unchanged(stage, f"{TRUST.replace('app', 'other')} --dry-run")


def test_what_a_refusal_proposes_works(stage: Stage) -> None:
    restricted(stage, EXTERNAL)
    (step,) = refused(stage, USE).error["next"]
    flags = [word.rstrip(",") for word in step.split() if word.startswith("--")]
    stage.run(f"{USE} {' '.join(flags)} --verify")


def test_using_it_as_it_is_works_as_proposed(stage: Stage) -> None:
    restricted(stage)
    assert "without --update-trust" in stage.run(TRUST, code=4).error["next"][0]
    stage.run(USE, changes=USED)


def test_behind_a_guard_the_missing_statement_is_added(stage: Stage, namespace: str) -> None:
    make_role(stage, f"{namespace}-r", guard(stage))
    refused(stage, USE)
    stage.run(f"{TRUST} --verify", changes=ADMITTED)


def test_a_deny_that_holds_for_sure_stays_a_no(stage: Stage, namespace: str) -> None:
    restricted(stage, VPC, {**admitting(stage, subject(namespace)), "Effect": "Deny", "Sid": "Never"})
    for flags in ("", "--update-trust", "--update-trust --force"):
        assert "Never" in str(refused(stage, f"{USE} {flags}").error["details"])
    stage.run("create-sa app -n $ns --no-policy --force", code=2, changes="")


def test_a_restriction_on_others_or_of_another_cluster_is_in_nobodys_way(
    stage: Stage, namespace: str
) -> None:
    other = admitting(stage, subject(namespace), condition=VPC)
    other["Principal"]["Federated"] += "0"
    make_role(stage, f"{namespace}-r", other, admitting(stage, subject(namespace, "else"), condition=VPC))
    stage.run(TRUST, changes=ADMITTED)


@pytest.mark.parametrize("mode", ["", "--atomic"])
def test_a_file_that_uses_a_restricted_role(stage: Stage, mode: str) -> None:
    restricted(stage, Sid="FromVpc")
    wish(stage, "{metadata: {name: app, namespace: $ns}, attachRoleARN: 'arn:aws:iam::$account:role/$ns-r'}")
    go = f"apply -f f.yaml {mode} --update-trust"
    refused(stage, go, "aws:SourceVpc")
    stage.run(go.replace("--update-trust", ""), says="can't tell", changes=USED)
    stage.run(
        f"{go} --force", says="bypass", changes="+ role $ns-r trusts $ns/app for sts.amazonaws.com ($sid)"
    )
    unchanged(stage, go)


OWN = "{metadata: {name: app, namespace: $ns}}"
APPLY = "apply -f f.yaml"


def restrict(stage: Stage, condition: Json, **fields: Any) -> None:
    """Somebody adds a condition to the statement of irsa's role."""
    role = stage.words["role"]
    (statement,) = trust_of(stage, role)["Statement"]
    block = copy.deepcopy(statement["Condition"])
    for operator, pairs in condition.items():
        block.setdefault(operator, {}).update(pairs)
    write_trust(stage, role, {**fields, **statement, "Condition": block})


@pytest.mark.parametrize("sid", [{}, {"Sid": "Restricted"}])
def test_apply_does_not_undo_a_restriction_of_irsas_own_statement(stage: Stage, sid: Json) -> None:
    wish_own(stage, OWN)
    stage.run(APPLY)
    restrict(stage, VPC, **sid)
    for mode in ("", "--atomic", "--dry-run"):
        refused(stage, f"{APPLY} {mode}", ("aws:SourceVpc", "--force"))
    stage.run(f"{APPLY} --force", says="aws:SourceVpc")
    assert any("aws:SourceVpc" not in str(item) for item in trust_of(stage, stage.words["role"])["Statement"])


def test_a_restriction_that_is_written_into_the_entry_as_proposed_is_kept(stage: Stage) -> None:
    wish_own(stage, OWN)
    stage.run(APPLY)
    restrict(stage, VPC)
    wish_own(stage, f"{OWN[:-1]}, trustConditions: {json.dumps(VPC)}}}", name="kept.yaml")
    trust = trust_of(stage, stage.words["role"])
    stage.run("apply -f kept.yaml")
    assert trust_of(stage, stage.words["role"]) == trust
    stage.run(APPLY)  # What a file has wished goes with the file.
    assert trust_of(stage, stage.words["role"]) != trust


def test_a_pattern_does_not_void_what_is_taken_out_of_it(stage: Stage, namespace: str) -> None:
    wish_own(stage, f"{OWN[:-1]}, subjectPattern: a*}}")
    stage.run(APPLY)
    restrict(stage, {"StringNotEquals": {f"{issuer_of(stage)}:sub": subject(namespace, "admin")}})
    refused(stage, APPLY)


VAULT = "update-sa app -n $ns --audience vault --associate-oidc"


def test_another_audience_does_not_void_a_restriction(stage: Stage) -> None:
    stage.run("create-sa app -n $ns --no-policy")
    role = stage.words["role"]
    own = trust_of(stage, role)["Statement"]
    restrict(stage, VPC)
    refused(stage, VAULT)
    write_trust(stage, role, *own, guard(stage))
    stage.run(f"{VAULT} --verify")
    assert guard(stage) in trust_of(stage, role)["Statement"]
