"""Every command that shows a role says when its trust policy lets in more than was named, and why."""

import json

import pytest

from tests.scenarios.foreign import admitting, issuer_of, make_role
from tests.scenarios.test_apply import apply, bindings, config, entry
from tests.scenarios.updating import SNS
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

pytestmark = pytest.mark.parametrize("stage", ["sandbox"], indirect=True)
"""What is wide, IAM's documents alone tell: the real API server has no part in it."""

NAME = "app"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def warned(document: Json) -> list[tuple[str, str]]:
    """The warnings of a document: what is wide, and how bad that is."""
    return [(item["id"], item["severity"]) for item in document["warnings"]]


def result_of(ran: Ran) -> list[tuple[str, str]]:
    """The warnings of a result; each is said on standard error, too."""
    for item in ran.item["warnings"]:
        whose = f"the trust policy of {item['role']['arn']}"
        assert f"Warning: {whose} is too broad ({item['severity']}: " in ran.err
        assert item["reason"] in ran.err
    return warned(ran.item)


def without_audience(stage: Stage, namespace: str) -> Json:
    """A statement that names the ServiceAccount, and no audience."""
    item = admitting(stage, f"system:serviceaccount:{namespace}:{NAME}")
    del item["Condition"]["StringEquals"][f"{issuer_of(stage)}:aud"]
    return item


@pytest.mark.parametrize(
    ("pattern", "expected", "words"),
    [
        ("*", [("every-name", "medium")], "including future ones"),
        ("app*", [("name-pattern", "low")], "ServiceAccount app* of namespace"),
        ("app", [], ""),
        ("", [], ""),
    ],
)
def test_create_sa_says_whom_a_pattern_admits(
    stage: Stage, namespace: str, pattern: str, expected: list[tuple[str, str]], words: str
) -> None:
    options = ("--attach-policy-arn", READ_ONLY, *(("--subject-pattern", pattern) if pattern else ()))
    for more in (("--dry-run",), (), ()):
        ran = stage.create_sa(NAME, namespace, *options, "-o", "json", *more)
        assert ran.code == 0, ran.err
        assert result_of(ran) == expected
        assert words in ran.err
    assert ("Warning:" in stage.create_sa(NAME, namespace, *options).err) is bool(expected)
    assert "Warning:" not in stage.create_sa(NAME, namespace, *options, "-q").err


def test_administrator_behind_a_pattern_is_refused_unless_it_is_allowed(stage: Stage, namespace: str) -> None:
    options = ("--attach-policy-arn", ADMIN, "--subject-pattern", "*", "-o", "json")
    before = stage.world()
    for more in ((), ("--dry-run",)):
        ran = stage.create_sa(NAME, namespace, *options, *more)
        assert (ran.code, ran.error["code"]) == (4, "Refused")
        assert "would be too broad" in ran.error["message"]
        assert ran.error["details"][0].startswith("high every-name: statement 1 allows")
        assert "why: irsa audit --explain every-name" in ran.error["next"]
        assert ran.error["next"][-1].endswith("--allow-wide-trust")
    assert stage.world() == before
    for words in (("--allow-wide-trust", "--dry-run"), ("--allow-wide-trust",), ()):
        # What is there already is not made.
        ran = stage.create_sa(NAME, namespace, *options, *words)
        assert ran.code == 0, ran.err
        assert result_of(ran) == [("every-name", "high")]
        assert "this grants AdministratorAccess" in ran.err
        assert "; irsa audit --explain every-name\n" in ran.err
    alone = stage.create_sa("alone", namespace, "--attach-policy-arn", ADMIN, "-o", "json")
    assert result_of(alone) == []


def test_what_is_refused_or_taken_back_has_no_warning(stage: Stage, namespace: str) -> None:
    missing = f"arn:aws:iam::{stage.account_id}:policy/none"
    ran = stage.create_sa(
        NAME, namespace, "--attach-policy-arn", missing, "--subject-pattern", "*", "-o", "json"
    )
    assert (ran.code, ran.items) == (1, [])
    assert "Warning" not in ran.err


def test_a_role_that_is_only_used(stage: Stage, namespace: str, unique: str) -> None:
    every = make_role(stage, unique, admitting(stage, None))
    options = ("--attach-role-arn", every, "-o", "json")
    assert result_of(stage.create_sa(NAME, namespace, *options)) == [("no-subject", "high")]
    stage.iam().attach_role_policy(RoleName=unique, PolicyArn=ADMIN)
    assert result_of(stage.create_sa(NAME, namespace, *options)) == [("no-subject", "critical")]
    named = make_role(stage, f"{unique}-2", without_audience(stage, namespace))
    ran = stage.create_sa(
        NAME, namespace, "--attach-role-arn", named, "--override-existing-serviceaccounts", "-o", "json"
    )
    assert ran.code == 0, ran.err
    assert result_of(ran) == [("no-audience", "low")]


def test_what_the_policies_of_a_role_that_is_only_used_are_need_not_be_known(
    stage: Stage, namespace: str, unique: str
) -> None:
    arn = make_role(stage, unique, admitting(stage, None))
    user = stage.restricted((("*",), ("serviceaccounts", "namespaces")))
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": ["iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
            "Resource": "*",
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=policy)
    ran = stage.create_sa(NAME, namespace, "--attach-role-arn", arn, "-o", "json", user=user)
    assert ran.code == 0, ran.err
    assert result_of(ran) == [("no-subject", "high")]


@pytest.mark.parametrize("more", [(), ("--atomic",)])
def test_apply_and_diff(stage: Stage, namespace: str, unique: str, more: tuple[str, ...]) -> None:
    arn = make_role(stage, unique, admitting(stage, "*", "StringLike"))
    text = config(
        stage,
        entry("tight", namespace, attachPolicyARNs=[READ_ONLY]),
        entry("wide", namespace, attachPolicyARNs=[ADMIN], subjectPattern="wide*"),
        entry("uses", namespace, attachRoleARN=arn),
    )
    expected = [("every-subject", "high"), ("name-pattern", "medium")]
    for command in ("diff", "apply", "apply"):
        options = more if command == "apply" else ()
        ran = stage.irsa(command, "-f", "-", "-o", "json", *options, stdin=text)
        assert ran.code in (0, 6), ran.err
        found = [one for item in ran.items for one in warned(item)]
        assert sorted(found) == expected
        assert ran.err.count("Warning: the trust policy of ") == len(expected)
    assert "Warning:" not in apply(stage, text, "-q", *more).err


def test_apply_makes_no_wide_trust_unless_it_is_allowed(stage: Stage, namespace: str) -> None:
    wide = entry("wide", namespace, subjects=[{"namespace": "*", "name": "wide"}])
    text = bindings(stage, entry("tight", namespace), wide)
    assert stage.irsa("diff", "-f", "-", stdin=text).code == 4
    ran = apply(stage, text, "--atomic", "-o", "json")
    assert ran.code == 4
    assert "every-namespace" in ran.out
    ran = apply(stage, text, "-o", "json")
    assert ran.code == 1
    assert ran.of(namespace, "tight")["outcome"] == "committed"
    refused = ran.of(namespace, "wide")
    assert refused["outcome"] == "refused"
    error = ran.error_of(refused)
    assert error["details"][0].startswith("high every-namespace: ")
    assert error["next"][-1] == "to allow it: run this again with --allow-wide-trust"
    assert stage.irsa("diff", "-f", "-", "--allow-wide-trust", stdin=text).code == 6
    ran = apply(stage, text, "-o", "json", "--allow-wide-trust")
    assert ran.code == 0, ran.err
    assert warned(ran.of(namespace, "wide")) == [("every-namespace", "high")]
    # A change of something else, and no change, need not be allowed again.
    changed = bindings(stage, entry("tight", namespace), {**wide, "description": "x"})
    for again in (changed, changed):
        ran = apply(stage, again, "-o", "json")
        assert ran.code == 0, ran.err
        assert warned(ran.of(namespace, "wide")) == [("every-namespace", "high")]


def test_update_sa(stage: Stage, namespace: str) -> None:
    stage.create_sa(NAME, namespace, "--attach-policy-arn", READ_ONLY, "--subject-pattern", "*")
    where = (NAME, "-n", namespace, "-c", stage.cluster, "-o", "json")
    expected = [("every-name", "medium")]
    assert result_of(stage.irsa("update-sa", *where, "--attach-policy-arn", SNS, "--dry-run")) == expected
    assert result_of(stage.irsa("update-sa", *where, "--attach-policy-arn", SNS)) == expected
    worse = [("every-name", "high")]
    admin = ("--attach-policy-arn", ADMIN)
    refused = stage.irsa("update-sa", *where, *admin)
    assert (refused.code, refused.error["details"][0][:17]) == (4, "high every-name: ")
    assert stage.irsa("update-sa", *where, *admin, "--dry-run").code == 4
    assert result_of(stage.irsa("update-sa", *where, *admin, "--allow-wide-trust")) == worse
    assert result_of(stage.irsa("update-sa", *where, "--detach-policy-arn", ADMIN)) == expected


def test_adopt_and_what_reads(stage: Stage, namespace: str, unique: str) -> None:
    arn = make_role(stage, unique, admitting(stage, f"system:serviceaccount:*:{NAME}", "StringLike"))
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: arn})
    where = (NAME, "-n", namespace, "-c", stage.cluster)
    ran = stage.irsa("adopt", *where, "-o", "json")
    assert ran.code == 0, ran.err
    assert result_of(ran) == [("every-namespace", "high")]

    listed = stage.irsa("get-sa", *where, "-o", "json").items[0]
    assert listed["status"] == "ok"
    assert warned(listed) == [("every-namespace", "high")]
    for form in ("text", "wide"):
        ran = stage.irsa("get-sa", *where, "-o", form)
        text = ": broad trust: high every-namespace: statement 1 allows ServiceAccount app"
        assert ran.out.splitlines()[1].endswith("   ok") == (form == "text")
        assert text in (ran.err if form == "text" else ran.out)

    described = stage.irsa("describe-sa", *where)
    head, _, rest = described.out.partition("Warnings\n")
    assert ": ok, but its trust policy is too broad" in head
    assert "  high           statement 1 allows" in rest
    assert "irsa audit --explain every-namespace" in rest
    assert warned(stage.irsa("describe-sa", *where, "-o", "json").item) == [("every-namespace", "high")]

    stage.iam().put_role_policy(
        RoleName=unique,
        PolicyName="all",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}}
        ),
    )
    verified = stage.irsa("verify", *where, "-o", "json")
    assert (verified.code, verified.item["outcome"]) == (0, "verified")
    assert warned(verified.item) == [("every-namespace", "high")]
    for options in (where, ("-A", "-c", stage.cluster)):
        lines = stage.irsa("verify", *options).out
        assert "Warning: the trust policy of" in lines
        assert "irsa audit --explain every-namespace" in lines

    diagnosed = stage.irsa("doctor", *where, "-o", "json")
    (hint,) = [item for item in diagnosed.item["findings"] if item["id"] == "role-wide-trust"]
    assert hint["verdict"] == "unknown"
    assert "critical every-namespace: statement 1" in hint["text"]
    assert "iam:* in policy all" in hint["text"]
    # A hint is no problem; that nothing is wrong is not said either, as no pod was seen.
    assert (diagnosed.item["verdict"], diagnosed.code) == ("unknown", 1)


def test_what_is_tight_is_called_ok(stage: Stage, namespace: str) -> None:
    assert stage.create_sa(NAME, namespace, "--attach-policy-arn", ADMIN).code == 0
    where = (NAME, "-n", namespace, "-c", stage.cluster)
    assert stage.irsa("get-sa", *where).out.splitlines()[1].endswith("   ok")
    assert "wide" not in stage.irsa("describe-sa", *where).out
    assert "wide" not in stage.irsa("verify", *where).out
    findings = stage.irsa("doctor", *where, "-o", "json").item["findings"]
    assert [item["verdict"] for item in findings if item["id"] == "role-wide-trust"] == ["ok"]
