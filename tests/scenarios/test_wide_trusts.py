"""Every command that shows a role says when its trust policy lets in more than was named, and why."""

import json
from typing import Any

import pytest

from tests.scenarios.foreign import admitting, issuer_of, make_role
from tests.support.documents import policy
from tests.support.short_files import file_of
from tests.support.stage import ROLE_ARN, Json, Ran, Stage

pytestmark = pytest.mark.parametrize("stage", ["sandbox"], indirect=True)
"""What is wide, IAM's documents alone tell: the real API server has no part in it."""

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
CREATE = "create-sa app -n $ns -o json"


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    stage.run("associate-oidc")


def warned(document: Json) -> list[str]:
    """The warnings of a document: how bad it is, and what is wide."""
    return [f"{item['severity']} {item['id']}" for item in document["warnings"]]


def warns(stage: Stage, line: str, *expected: str, **how: Any) -> Ran:
    """Run a command whose result has these warnings; each is said on standard error, too."""
    ran = stage.run(line, **how)
    for item in ran.item["warnings"]:
        whose = f"the trust policy of {item['role']['arn']}"
        assert f"Warning: {whose} is too broad ({item['severity']}: " in ran.err
        assert item["reason"] in ran.err
    assert warned(ran.item) == list(expected)
    return ran


def test_create_sa_says_whom_a_pattern_admits(stage: Stage, namespace: str) -> None:
    for name, pattern, expected, words in (
        ("every", "*", ["medium every-name"], "including future ones"),
        ("some", "some*", ["low name-pattern"], "ServiceAccount some* of namespace"),
        ("exact", "exact", [], ""),
    ):
        plain = f"create-sa {name} -n $ns --attach-policy-arn $S3 --subject-pattern {pattern}"
        for more in ("--dry-run", "", ""):
            warns(stage, f"{plain} {more} -o json", *expected, says=words)
        assert ("Warning:" in stage.run(plain).err) is bool(expected)
        stage.run(f"{plain} -q", silent="Warning:")


def test_administrator_behind_a_pattern_is_refused_unless_it_is_allowed(stage: Stage, namespace: str) -> None:
    line = f"{CREATE} --attach-policy-arn $ADMIN --subject-pattern *"
    for more in ("", "--dry-run"):
        error = stage.run(f"{line} {more}", code=4, says="would be too broad", changes="").error
        assert error["details"][0].startswith("high every-name: statement 1 allows")
        assert "why: irsa audit --explain every-name" in error["next"]
        assert error["next"][-1].endswith("--allow-wide-trust")
    said = ["this grants AdministratorAccess", "; irsa audit --explain every-name\n"]
    for words in ("--allow-wide-trust --dry-run", "--allow-wide-trust", ""):
        # What is there already is not made.
        warns(stage, f"{line} {words}", "high every-name", says=said)
    warns(stage, "create-sa alone -n $ns --attach-policy-arn $ADMIN -o json")


def test_what_is_refused_or_taken_back_has_no_warning(stage: Stage, namespace: str) -> None:
    line = f"{CREATE} --attach-policy-arn arn:aws:iam::$account:policy/none --subject-pattern *"
    assert stage.run(line, code=1, silent="Warning").items == []


def test_a_role_that_is_only_used(stage: Stage, namespace: str) -> None:
    stage.words["every"] = make_role(stage, "every", admitting(stage, None))
    warns(stage, f"{CREATE} --attach-role-arn $every", "high no-subject")
    stage.iam().attach_role_policy(RoleName="every", PolicyArn=ADMIN)
    warns(stage, f"{CREATE} --attach-role-arn $every", "critical no-subject")
    item = admitting(stage, f"system:serviceaccount:{namespace}:app")
    del item["Condition"]["StringEquals"][f"{issuer_of(stage)}:aud"]
    stage.words["named"] = make_role(stage, "named", item)
    warns(stage, f"{CREATE} --attach-role-arn $named --override-existing-serviceaccounts", "low no-audience")


def test_what_the_policies_of_a_role_that_is_only_used_are_need_not_be_known(
    stage: Stage, namespace: str
) -> None:
    stage.words["every"] = make_role(stage, "every", admitting(stage, None))
    user = stage.restricted((("*",), ("serviceaccounts", "namespaces")))
    rights = policy("Allow * on *", "Deny iam:ListAttachedRolePolicies,iam:ListRolePolicies on *")
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(rights))
    warns(stage, f"{CREATE} --attach-role-arn $every", "high no-subject", user=user)


def test_apply_and_diff(stage: Stage, namespace: str) -> None:
    stage.words["every"] = make_role(stage, "every", admitting(stage, "*", "StringLike"))
    text = file_of(
        stage,
        "tight: attachPolicyARNs: [$S3]",
        "wide: attachPolicyARNs: [$ADMIN], subjectPattern: 'wide*'",
        "uses: attachRoleARN: $every",
    )
    for line, code in (("diff -f -", 6), ("apply -f -", 0), ("apply -f - --atomic", 0)):
        ran = stage.run(f"{line} -o json", code=code, stdin=text)
        found = sorted(warning for item in ran.items for warning in warned(item))
        assert found == ["high every-subject", "medium name-pattern"]
        assert ran.err.count("Warning: the trust policy of ") == 2
    stage.run("apply -f - -q", silent="Warning:", stdin=text)


def test_apply_makes_no_wide_trust_unless_it_is_allowed(stage: Stage, namespace: str) -> None:
    wide = "wide: subjects: [{namespace: '*', name: wide}]"
    text = file_of(stage, "tight", wide)
    stage.run("diff -f -", code=4, stdin=text)
    stage.run("apply -f - --atomic -o json", code=4, says="every-namespace", changes="", stdin=text)
    ran = stage.run("apply -f - -o json", code=1, stdin=text)
    refused = ran.of(namespace, "wide")
    assert [ran.of(namespace, "tight")["outcome"], refused["outcome"]] == ["committed", "refused"]
    error = ran.error_of(refused)
    assert error["details"][0].startswith("high every-namespace: ")
    assert error["next"][-1] == "to allow it: run this again with --allow-wide-trust"
    stage.run("diff -f - --allow-wide-trust", code=6, stdin=text)
    # A change of something else, and no change, need not be allowed again.
    changed = file_of(stage, "tight", f"{wide}, description: x")
    for more, given in (("--allow-wide-trust", text), ("", changed), ("", changed)):
        ran = stage.run(f"apply -f - -o json {more}", stdin=given)
        assert warned(ran.of(namespace, "wide")) == ["high every-namespace"]


def test_update_sa(stage: Stage, namespace: str) -> None:
    stage.run(f"{CREATE} --attach-policy-arn $S3 --subject-pattern *")
    line = "update-sa app -n $ns -o json --attach-policy-arn"
    for more in ("--dry-run", ""):
        warns(stage, f"{line} $SNS {more}", "medium every-name")
    for more in ("", "--dry-run"):
        refused = stage.run(f"{line} $ADMIN {more}", code=4, changes="")
        assert refused.error["details"][0].startswith("high every-name: ")
    warns(stage, f"{line} $ADMIN --allow-wide-trust", "high every-name")
    warns(stage, "update-sa app -n $ns -o json --detach-policy-arn $ADMIN", "medium every-name")


def test_adopt_and_what_reads(stage: Stage, namespace: str) -> None:
    arn = make_role(stage, "wide", admitting(stage, "system:serviceaccount:*:app", "StringLike"))
    stage.make_account(namespace, "app", annotations={ROLE_ARN: arn})
    expected = "high every-namespace"
    warns(stage, "adopt app -n $ns -o json", expected)

    (listed,) = stage.run("get-sa app -n $ns -o json").items
    assert (listed["status"], warned(listed)) == ("ok", [expected])
    text = ": broad trust: high every-namespace: statement 1 allows ServiceAccount app"
    plain, wide = (stage.run(f"get-sa app -n $ns {form}") for form in ("", "-o wide"))
    worst = "   high:every-namespace"
    assert [ran.out.splitlines()[1].endswith(worst) for ran in (plain, wide)] == [True, False]
    assert ",high:every-namespace," in stage.run("get-sa app -n $ns -o csv").out
    assert stage.run("get-sa app -n $ns -o name").out.splitlines() == [f"{namespace}/app"]
    assert (text in plain.err, text in wide.out) == (True, True)

    head, _, rest = stage.run("describe-sa app -n $ns").out.partition("Warnings\n")
    assert ": ok, but its trust policy is too broad" in head
    assert "  high           statement 1 allows" in rest
    assert "irsa audit --explain every-namespace" in rest
    assert warned(stage.run("describe-sa app -n $ns -o json").item) == [expected]

    document = json.dumps(policy("Allow iam:* on *"))
    stage.iam().put_role_policy(RoleName="wide", PolicyName="all", PolicyDocument=document)
    verified = stage.run("verify app -n $ns -o json").item
    assert (verified["outcome"], warned(verified)) == ("verified", [expected])
    said = ["Warning: the trust policy of", "irsa audit --explain every-namespace"]
    stage.run("verify app -n $ns", says=said)
    stage.run("verify -A", code=5, says=said)  # The roles of neighbours do not work.

    # A hint is no problem; that nothing is wrong is not said either, as no pod was seen.
    diagnosed = stage.run("doctor app -n $ns -o json", code=1).item
    (hint,) = [item for item in diagnosed["findings"] if item["id"] == "role-wide-trust"]
    assert (hint["verdict"], diagnosed["verdict"]) == ("unknown", "unknown")
    assert "critical every-namespace: statement 1" in hint["text"]
    assert "iam:* in policy all" in hint["text"]
