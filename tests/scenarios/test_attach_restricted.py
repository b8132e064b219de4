"""`--attach-role-arn` on roles whose owner restricts who gets in: nothing is widened without a word.

Whether such a role admits the ServiceAccount can't be known from here; that is no "no".
"""

import copy
import json
from typing import Any

import pytest

from tests.scenarios.foreign import admitting, issuer_of, make_role, trust_of, write_trust
from tests.scenarios.test_apply import apply, bindings, config, entry
from tests.support.stage import ROLE_ARN, Json, Stage

VPC = {"StringEquals": {"aws:SourceVpc": "vpc-0a1b2c3d"}}
SESSION = {"StringLike": {"sts:RoleSessionName": "ci-*"}}
ADDRESS = {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}
OVER = {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
EXTERNAL = {"StringEquals": {"sts:ExternalId": "never there"}}
OTHER_CLAIM = {"StringEquals": {"aws:PrincipalTag/team": "data"}}


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def subject(namespace: str, name: str = "app") -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def guard(stage: Stage) -> Json:
    """A Deny for all that does not come from the owner's addresses."""
    return {
        "Sid": "Guard",
        "Effect": "Deny",
        "Principal": {"Federated": f"arn:aws:iam::{stage.account_id}:oidc-provider/{issuer_of(stage)}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    }


def _attach(stage: Stage, namespace: str, arn: str, *flags: str) -> Any:
    return stage.create_sa("app", namespace, "--attach-role-arn", arn, *flags, "-o", "json")


@pytest.mark.parametrize("condition", [VPC, SESSION, ADDRESS], ids=["vpc", "session", "address"])
def test_what_cant_be_known_is_said_and_nothing_is_written_on_the_role(
    stage: Stage, namespace: str, unique: str, condition: Json
) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace), condition=condition, Sid="Ours"))
    trust = trust_of(stage, unique)
    ran = _attach(stage, namespace, arn)
    assert ran.code == 0, ran.err
    (key,) = next(iter(condition.values()))
    assert any("irsa can't tell" in note and key in note for note in ran.item["notes"]), ran.item["notes"]
    assert "would refuse" not in ran.err
    assert trust_of(stage, unique) == trust
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"][ROLE_ARN] == arn
    again = _attach(stage, namespace, arn)
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged")


@pytest.mark.parametrize(
    "who",
    [
        None,
        "system:serviceaccount:{}:*",
        "system:serviceaccount:*:app",
        ["x", "system:serviceaccount:{}:app"],
    ],
)
@pytest.mark.parametrize("condition", [VPC, SESSION, OVER, OTHER_CLAIM, EXTERNAL])
def test_no_statement_is_put_beside_a_restricted_one_without_force(
    stage: Stage, namespace: str, unique: str, condition: Json, who: Any
) -> None:
    named = [one.format(namespace) for one in who] if isinstance(who, list) else who and who.format(namespace)
    operator = "StringLike" if isinstance(who, str) else "StringEquals"
    arn = make_role(stage, unique, admitting(stage, named, operator, condition, Sid="Restricted"))
    before = stage.world()
    ran = _attach(stage, namespace, arn, "--update-trust")
    assert ran.code == 4, ran.err
    assert stage.world() == before
    (key,) = next(iter(condition.values()))
    details = "\n".join(ran.error["details"])
    assert "statement 1 (Restricted)" in details
    assert key in details
    assert "+" in details
    assert subject(namespace) in details


def test_force_adds_the_statement_and_says_what_it_voids(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace), condition=VPC, Sid="FromVpc"))
    theirs = trust_of(stage, unique)["Statement"]
    refused = _attach(stage, namespace, arn, "--update-trust")
    assert any("--force" in step for step in refused.error["next"])
    before = stage.world()
    shown = _attach(stage, namespace, arn, "--update-trust", "--force", "--dry-run")
    assert shown.code == 0, shown.err
    assert stage.world() == before
    assert shown.item["trustPolicy"]["before"]["Statement"] == theirs
    ran = _attach(stage, namespace, arn, "--update-trust", "--force")
    assert ran.code == 0, ran.err
    now = trust_of(stage, unique)["Statement"]
    assert now[:1] == theirs
    assert len(now) == 2
    assert ran.item["trustPolicy"]["after"]["Statement"] == now
    assert any("aws:SourceVpc" in text for text in ran.item["trustPolicy"]["voids"])
    again = stage.create_sa("app", namespace, "--attach-role-arn", arn, "--update-trust", "--force")
    assert again.code == 0, again.err
    assert "Nothing to do" in again.out
    text = stage.create_sa("other", namespace, "--attach-role-arn", arn, "--update-trust", "--dry-run")
    assert text.code == 0, text.err  # For another one nothing is voided.


def test_what_a_refusal_proposes_works(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace), condition=EXTERNAL))
    refused = _attach(stage, namespace, arn)
    assert refused.code == 4, refused.err
    (step,) = refused.error["next"]
    flags = [word.rstrip(",") for word in step.split() if word.startswith("--")]
    assert _attach(stage, namespace, arn, *flags, "--verify").code == 0


def test_using_it_as_it_is_works_as_proposed(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace), condition=VPC))
    refused = _attach(stage, namespace, arn, "--update-trust")
    assert "without --update-trust" in refused.error["next"][0]
    assert _attach(stage, namespace, arn).code == 0


def test_a_guard_that_denies_other_addresses_is_no_no(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace)), guard(stage))
    trust = trust_of(stage, unique)
    ran = _attach(stage, namespace, arn, "--update-trust")
    assert ran.code == 0, ran.err
    assert any("Guard" in note and "can't tell" in note for note in ran.item["notes"])
    assert trust_of(stage, unique) == trust
    proven = _attach(stage, namespace, arn, "--verify")
    assert proven.code == 0, proven.err


def test_behind_a_guard_the_missing_statement_is_added(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, guard(stage))
    assert _attach(stage, namespace, arn).code == 4
    ran = _attach(stage, namespace, arn, "--update-trust", "--verify")
    assert ran.code == 0, ran.err
    assert len(trust_of(stage, unique)["Statement"]) == 2


def test_a_deny_that_holds_for_sure_stays_a_no(stage: Stage, namespace: str, unique: str) -> None:
    deny = {**admitting(stage, subject(namespace)), "Effect": "Deny", "Sid": "Never"}
    arn = make_role(stage, unique, admitting(stage, subject(namespace), condition=VPC), deny)
    before = stage.world()
    for flags in ((), ("--update-trust",), ("--update-trust", "--force")):
        ran = _attach(stage, namespace, arn, *flags)
        assert ran.code == 4, ran.err
        assert "Never" in "".join(ran.error["details"])
    assert stage.world() == before


def test_a_restriction_on_others_or_of_another_cluster_is_in_nobodys_way(
    stage: Stage, namespace: str, unique: str
) -> None:
    other = copy.deepcopy(admitting(stage, subject(namespace), condition=VPC))
    text = str(other["Principal"]["Federated"])
    other["Principal"]["Federated"] = text + "0"
    arn = make_role(stage, unique, other, admitting(stage, subject(namespace, "else"), condition=VPC))
    ran = _attach(stage, namespace, arn, "--update-trust")
    assert ran.code == 0, ran.err
    assert len(trust_of(stage, unique)["Statement"]) == 3


def test_force_alone_makes_no_sense(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("app", namespace, "--force").code == 2


@pytest.mark.parametrize("mode", [(), ("--atomic",)])
def test_a_file_that_uses_a_restricted_role(
    stage: Stage, namespace: str, unique: str, mode: tuple[str, ...]
) -> None:
    arn = make_role(stage, unique, admitting(stage, subject(namespace), condition=VPC, Sid="FromVpc"))
    item = {"metadata": {"name": "app", "namespace": namespace}, "attachRoleARN": arn}
    text = config(stage, item)
    before = stage.world()
    refused = apply(stage, text, "--update-trust", *mode)
    assert refused.code == 4, refused.err
    assert "aws:SourceVpc" in refused.err
    assert stage.world() == before
    trust = trust_of(stage, unique)
    ran = apply(stage, text, *mode)
    assert ran.code == 0, ran.err
    assert "can't tell" in ran.err
    assert trust_of(stage, unique) == trust
    forced = apply(stage, text, "--update-trust", "--force", *mode)
    assert forced.code == 0, forced.err
    assert "bypass" in forced.err
    assert len(trust_of(stage, unique)["Statement"]) == 2
    again = apply(stage, text, "--update-trust", *mode, "-o", "json")
    assert (again.code, set(again.metadata["summary"])) == (0, {"unchanged"})


def _own(stage: Stage, namespace: str, **fields: Any) -> str:
    return bindings(stage, entry("app", namespace, **fields))


def _restrict(stage: Stage, namespace: str, condition: Json, **fields: Any) -> str:
    """Somebody adds a condition to the statement of irsa's role; returns the role's name."""
    role: str = stage.role_of(namespace, "app")["arn"].rsplit("/", 1)[-1]
    (statement,) = trust_of(stage, role)["Statement"]
    block = copy.deepcopy(statement["Condition"])
    for operator, pairs in condition.items():
        block.setdefault(operator, {}).update(pairs)
    write_trust(stage, role, {**fields, **statement, "Condition": block})
    return role


@pytest.mark.parametrize("sid", [{}, {"Sid": "Restricted"}])
@pytest.mark.parametrize("condition", [VPC, {"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}])
def test_apply_does_not_undo_a_restriction_of_irsas_own_statement(
    stage: Stage, namespace: str, condition: Json, sid: Json
) -> None:
    text = _own(stage, namespace)
    assert apply(stage, text).code == 0
    role = _restrict(stage, namespace, condition, **sid)
    before = stage.world()
    for mode in ((), ("--atomic",), ("--dry-run",)):
        refused = apply(stage, text, *mode)
        assert refused.code == 4, refused.err
        (key,) = next(iter(condition.values()))
        assert key in refused.err
        assert "--force" in refused.err
        assert stage.world() == before
    forced = apply(stage, text, "--force")
    assert forced.code == 0, forced.err
    assert key in forced.err
    assert any(key not in json.dumps(item) for item in trust_of(stage, role)["Statement"])


def test_a_restriction_that_is_written_into_the_entry_as_proposed_is_kept(
    stage: Stage, namespace: str
) -> None:
    assert apply(stage, _own(stage, namespace)).code == 0
    role = _restrict(stage, namespace, VPC)
    trust = trust_of(stage, role)
    ran = apply(stage, _own(stage, namespace, trustConditions=VPC))
    assert ran.code == 0, ran.err
    assert trust_of(stage, role) == trust
    away = apply(stage, _own(stage, namespace))
    assert away.code == 0, away.err  # What a file has wished goes with the file.
    assert trust_of(stage, role) != trust


def test_a_pattern_does_not_void_what_is_taken_out_of_it(stage: Stage, namespace: str) -> None:
    assert apply(stage, _own(stage, namespace, subjectPattern="a*")).code == 0
    issuer = issuer_of(stage)
    taken_out = {"StringNotEquals": {f"{issuer}:sub": subject(namespace, "admin")}}
    _restrict(stage, namespace, taken_out)
    before = stage.world()
    refused = apply(stage, _own(stage, namespace, subjectPattern="a*"))
    assert refused.code == 4, refused.err
    assert stage.world() == before


def test_another_audience_does_not_void_a_restriction(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("app", namespace).code == 0
    _restrict(stage, namespace, VPC)
    before = stage.world()
    refused = stage.irsa(
        "update-sa", "app", "-n", namespace, "-c", stage.cluster, "--audience", "vault", "--associate-oidc"
    )
    assert refused.code == 4, refused.err
    assert stage.world() == before


def test_another_audience_behind_a_guard(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("app", namespace).code == 0
    role: str = stage.role_of(namespace, "app")["arn"].rsplit("/", 1)[-1]
    (statement,) = trust_of(stage, role)["Statement"]
    write_trust(stage, role, statement, guard(stage))
    command = ("update-sa", "app", "-n", namespace, "-c", stage.cluster, "--audience", "vault")
    ran = stage.irsa(*command, "--associate-oidc", "--verify")
    assert ran.code == 0, ran.err
    assert guard(stage) in trust_of(stage, role)["Statement"]
