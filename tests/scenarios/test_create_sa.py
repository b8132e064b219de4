"""`irsa create-sa` as its users run it: fresh, again, half-made, existing, differing."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from tests.scenarios.binding import make_binding
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Json, Ran, Stage

POLICY = ("--attach-policy-arn", READ_ONLY)

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    ran = stage.associate()
    assert ran.code == 0, ran.err


def test_fresh_makes_exactly_the_role_and_the_service_account(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 0, ran.err
    role = stage.role_of(namespace, "reader")
    assert role["path"] == f"/irsa/{stage.cluster}/"
    assert role["attached"] == [READ_ONLY]
    assert role["inline"] == {}
    (statement,) = role["trust"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    (condition,) = statement["Condition"].values()
    assert sorted(condition.values()) == ["sts.amazonaws.com", f"system:serviceaccount:{namespace}:reader"]
    account = stage.account(namespace, "reader")
    assert account is not None
    assert account["labels"] == {"app.kubernetes.io/managed-by": "irsa"}
    after = stage.world()
    assert set(after["roles"]) - set(before["roles"]) == {role["arn"].rsplit("/", 1)[-1]}
    assert after["policies"] == before["policies"]
    assert after["oidc_providers"] == before["oidc_providers"]


def test_again_writes_nothing_and_says_so(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    before = stage.world()
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.metadata["outcome"] == "unchanged"
    assert stage.world() == before


def test_a_missing_namespace_is_made(stage: Stage, unique: str) -> None:
    ran = stage.create_sa("reader", unique, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 0, ran.err
    assert unique in stage.world()["kubernetes"]["namespaces"]
    assert stage.role_of(unique, "reader")["attached"] == [READ_ONLY]


def test_a_missing_namespace_is_refused_when_it_must_not_be_made(stage: Stage, unique: str) -> None:
    before = stage.world()
    assert stage.create_sa("reader", unique, "--no-create-namespace").code == 4
    assert stage.world() == before


def test_everything_of_the_role_is_set(stage: Stage, namespace: str) -> None:
    (stage.folder / "queue.json").write_text(json.dumps(_queue_policy()))
    ran = stage.create_sa(
        "worker",
        namespace,
        "--inline-policy",
        "queue.json",
        "--attach-policy-arn",
        f"{READ_ONLY},{SQS}",
        "--permissions-boundary",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "--role-path",
        "/teams/a/",
        "--role-name",
        "worker-role",
        "--max-session-duration",
        "7200",
        "--description",
        "what it is",
        "--tags",
        "team=a,env=test",
        "--label",
        "team=a",
        "--annotation",
        "example.com/note=hello, world",
        "--sts-regional-endpoints",
        "--token-expiration",
        "3600",
    )
    assert ran.code == 0, ran.err
    role = stage.role_of(namespace, "worker")
    assert role["arn"] == f"arn:aws:iam::{ACCOUNT}:role/teams/a/worker-role"
    assert role["max_session_duration"] == 7200
    assert role["description"] == "what it is"
    assert role["boundary"] == "arn:aws:iam::aws:policy/AdministratorAccess"
    assert {"team": "a", "env": "test"}.items() <= role["tags"].items()
    assert sorted(role["attached"]) == sorted([READ_ONLY, SQS])
    assert role["inline"] == {"queue": _queue_policy()}
    account = stage.account(namespace, "worker")
    assert account is not None
    assert account["labels"] == {"app.kubernetes.io/managed-by": "irsa", "team": "a"}
    assert account["annotations"]["example.com/note"] == "hello, world"
    assert account["annotations"]["eks.amazonaws.com/sts-regional-endpoints"] == "true"
    assert account["annotations"]["eks.amazonaws.com/token-expiration"] == "3600"


def test_a_service_account_of_helm_keeps_everything_else(stage: Stage, namespace: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "app-1.2.3"}
    made = stage.make_account(
        namespace,
        "app",
        secrets=("registry",),
        labels=labels,
        annotations={"meta.helm.sh/release-name": "app"},
    )
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 0, ran.err
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["uid"] == made["metadata"]["uid"]
    assert account["labels"] == labels
    assert account["imagePullSecrets"] == [{"name": "registry"}]
    assert account["automount"] is False
    role = stage.role_of(namespace, "app")
    written = {ROLE_ARN: role["arn"], "irsa/role-arn": role["arn"]}
    assert account["annotations"] == {"meta.helm.sh/release-name": "app", **written}


def test_another_role_is_refused_and_both_are_named(stage: Stage, namespace: str) -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    stage.make_account(namespace, "app", annotations={ROLE_ARN: other})
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == 4
    assert stage.world() == before
    assert other in str(ran.error)
    assert f"role/irsa/{stage.cluster}/" in str(ran.error)


def test_another_role_is_replaced_when_told_so(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", annotations={ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/other"})
    arguments = ("--attach-policy-arn", READ_ONLY, "--override-existing-serviceaccounts")
    assert stage.create_sa("app", namespace, *arguments).code == 0
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize(
    "changed",
    [
        ("--attach-policy-arn", SQS),
        ("--attach-policy-arn", f"{READ_ONLY},{SQS}"),
        ("--attach-policy-arn", READ_ONLY, "--description", "another"),
        ("--attach-policy-arn", READ_ONLY, "--max-session-duration", "7200"),
        ("--attach-policy-arn", READ_ONLY, "--tags", "team=b"),
        ("--attach-policy-arn", READ_ONLY, "--subject-pattern", "read*"),
        ("--attach-policy-arn", READ_ONLY, "--permissions-boundary", READ_ONLY),
        ("--attach-policy-arn", READ_ONLY, "--audience", "another"),
        ("--attach-policy-arn", READ_ONLY, "--role-path", "/elsewhere/"),
    ],
)
def test_what_exists_and_differs_is_refused(stage: Stage, namespace: str, changed: tuple[str, ...]) -> None:
    assert stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    before = stage.world()
    ran = stage.create_sa("reader", namespace, *changed, "-o", "json")
    assert ran.code == 4, ran.err
    assert ran.metadata["outcome"] == "refused"
    assert ran.error["details"] or ran.error["reason"]
    assert stage.world() == before


WISHED = (
    ("--attach-policy-arn", f"{READ_ONLY},{SQS}", "--tags", "team=b", "--description", "it's another"),
    ("--attach-policy-arn", SQS, "--max-session-duration", "7200", "--permissions-boundary", READ_ONLY),
    ("--attach-policy-arn", READ_ONLY, "--label", "team=b", "--annotation", "example.com/note=x, y"),
    ("--attach-policy-arn", READ_ONLY, "--audience", "another", "--associate-oidc"),
    ("--no-sts-regional-endpoints", "--token-expiration", "7200"),
)
"""Each differs in several things from what `reader` has in the tests below."""
HAS = (
    *("--attach-policy-arn", READ_ONLY, "--label", "team=a", "--annotation", "example.com/note=z"),
    *("--sts-regional-endpoints", "--token-expiration", "3600"),
)


def hand_made(stage: Stage, namespace: str) -> str:
    """A binding of somebody else's, with its provider; returns the role's ARN."""
    for arn in stage.world()["oidc_providers"]:
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return make_binding(stage, namespace)


def proposed(ran: Ran) -> list[list[str]]:
    """The commands of irsa that a refusal names, as words; it names none of AWS's."""
    steps = ran.error["next"]
    assert not [step for step in steps if "aws iam" in step]
    return [shlex.split(step)[1:] for step in steps if step.startswith("irsa ")]


def kept(ran: Ran) -> list[str]:
    """The options that include what a role has already; the proposed commands remove nothing."""
    assert not [
        word for words in proposed(ran) for word in words if word.startswith(("--detach", "--remove"))
    ]
    return [word for step in ran.error["next"] for word in step.partition(", add: ")[2].split()]


@pytest.mark.parametrize("changed", WISHED, ids=range(len(WISHED)))
def test_a_refusal_names_the_one_command_that_makes_it_as_wished(
    stage: Stage, namespace: str, changed: tuple[str, ...]
) -> None:
    assert stage.create_sa("reader", namespace, *HAS).code == 0
    ran = stage.create_sa("reader", namespace, *changed, "-o", "json")
    assert ran.code == 4, ran.err
    (command,) = proposed(ran)
    done = stage.irsa(*command)
    assert done.code == 0, done.err
    again = stage.create_sa("reader", namespace, *changed, *kept(ran), "-o", "json")
    assert again.metadata["outcome"] == "unchanged"


@pytest.mark.parametrize("flag", [("--role-path", "/elsewhere/"), ("--subject-pattern", "read*")])
def test_half_of_what_is_wished_is_never_proposed(
    stage: Stage, namespace: str, flag: tuple[str, str]
) -> None:
    assert stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", SQS, *flag, "-o", "json")
    assert ran.code == 4
    assert "irsa update-sa does not change the" in str(ran.error["next"])
    assert not [words for words in proposed(ran) if "--attach-policy-arn" in words]


def test_a_role_that_was_adopted_is_changed_and_gets_no_second_one(stage: Stage, namespace: str) -> None:
    arn = hand_made(stage, namespace)
    assert stage.irsa("adopt", "reader", "-n", namespace, "-c", stage.cluster).code == 0
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", SQS, "--tags", "team=b", "-o", "json")
    assert ran.code == 4
    assert "--override" not in str(ran.error)
    (command,) = proposed(ran)
    done = stage.irsa(*command)
    assert done.code == 0, done.err
    role = stage.role_of(namespace, "reader")
    assert (role["arn"], role["attached"], role["tags"]["team"]) == (arn, [READ_ONLY, SQS], "b")
    flags = ("--attach-policy-arn", SQS, "--tags", "team=b", *kept(ran))
    again = stage.create_sa("reader", namespace, *flags, "-o", "json")
    assert again.code == 4
    (look,) = [step for step in again.error["next"] if "irsa describe-sa" in step]
    assert stage.irsa(*shlex.split(look.partition("irsa ")[2])).code == 0


def test_a_stranger_s_role_is_still_replaced_only_when_told_so(stage: Stage, namespace: str) -> None:
    hand_made(stage, namespace)
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", SQS, "-o", "json")
    assert "--override-existing-serviceaccounts" in str(ran.error["next"])


def test_somebody_elses_role_of_that_name_is_refused(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("one", namespace, "--role-name", "shared-name").code == 0
    before = stage.world()
    ran = stage.create_sa("two", namespace, "--role-name", "shared-name")
    assert ran.code == 4
    assert stage.world() == before


def test_dry_run_shows_the_plan_and_does_nothing(stage: Stage, namespace: str) -> None:
    before = stage.world()
    arguments = ("--attach-policy-arn", READ_ONLY, "--dry-run", "--detailed-exitcode", "-o", "json")
    ran = stage.create_sa("reader", namespace, *arguments)
    assert ran.code == 6
    assert [change["kind"] for change in ran.item["changes"]] == [
        "Role",
        "PolicyAttachment",
        "ServiceAccount",
    ]
    assert stage.world() == before
    assert stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    assert stage.create_sa("reader", namespace, *arguments).code == 0


def test_role_only_leaves_the_service_account_alone(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "--role-only", "-o", "yaml")
    assert ran.code == 0, ran.err
    after = stage.world()
    assert after["kubernetes"] == before["kubernetes"]
    name = ran.yaml["items"][0]["role"]["arn"].rsplit("/", 1)[-1]
    assert after["roles"][name]["attached"] == [READ_ONLY]


def test_the_provider_can_be_made_in_the_same_transaction(stage: Stage, namespace: str) -> None:
    for arn in list(stage.world()["oidc_providers"]):
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    before = stage.world()
    assert stage.create_sa("reader", namespace).code == 4
    assert stage.world() == before
    assert stage.create_sa("reader", namespace, "--associate-oidc", "--verify").code == 0
    assert len(stage.world()["oidc_providers"]) == 1


def _queue_policy() -> dict[str, object]:
    statement = {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "arn:aws:sqs:*:*:jobs"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_file_from_standard_input_is_an_inline_policy(stage: Stage, namespace: str) -> None:
    arguments = ("create-sa", "reader", "-n", namespace, "-c", stage.cluster, "--inline-policy", "-")
    ran = stage.irsa(*arguments, stdin=json.dumps(_queue_policy()))
    assert ran.code == 0, ran.err
    assert stage.role_of(namespace, "reader")["inline"] == {"stdin": _queue_policy()}


def test_the_journal_is_private_and_holds_no_secret(stage: Stage, namespace: str) -> None:
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "--verify", "-v")
    assert ran.code == 0, ran.err
    journal = max((stage.folder / "state").glob("*.jsonl"))
    _check_private(journal, ran.err + ran.out, stage)


def _check_private(journal: Path, shown: str, stage: Stage) -> None:
    assert journal.stat().st_mode & 0o777 == 0o600
    for text in (journal.read_text(), shown):
        assert stage.env()["AWS_SECRET_ACCESS_KEY"] not in text
        assert "X-Amz-Signature" not in text
        assert "k8s-aws-v1" not in text
        assert "eyJ" not in text


def test_a_subject_pattern_admits_what_matches_and_must_match_the_name(stage: Stage, namespace: str) -> None:
    before = stage.world()
    assert stage.create_sa("reader", namespace, "--subject-pattern", "writer-*").code == 2
    assert stage.world() == before
    ran = stage.create_sa("reader-1", namespace, "--subject-pattern", "reader-*", "--verify")
    assert ran.code == 0, ran.err
    (statement,) = stage.role_of(namespace, "reader-1")["trust"]["Statement"]
    (subject,) = statement["Condition"]["StringLike"].values()
    assert subject == f"system:serviceaccount:{namespace}:reader-*"


def test_what_bounds_a_role_is_not_proposed_to_go(stage: Stage, namespace: str) -> None:
    bounded = (*POLICY, "--permissions-boundary", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert stage.create_sa("app", namespace, *bounded).code == 0
    ran = stage.create_sa("app", namespace, *POLICY, "--description", "new", "-o", "json")
    assert ran.code == 4, ran.err
    command, _ = ran.error["next"][1:]
    assert "boundary" not in command
    done = stage.irsa(*shlex.split(command)[1:])
    assert done.code == 0, done.err
    assert stage.role_of(namespace, "app")["boundary"] == bounded[-1]
    assert stage.create_sa("app", namespace, *POLICY, "--description", "new", *kept(ran)).code == 0


@pytest.mark.parametrize(
    ("there", "flags"),
    [
        ({"labels": {"team": "a"}}, ("--label", "team=b")),
        ({"annotations": {"eks.amazonaws.com/audience": "vault"}}, ()),
        ({"annotations": {"example.com/note": "a"}}, ("--annotation", "example.com/note=b")),
    ],
)
def test_update_sa_is_not_proposed_for_an_account_without_a_role(
    stage: Stage, namespace: str, there: Json, flags: tuple[str, ...]
) -> None:
    stage.make_account(namespace, "app", **there)
    before = stage.world()
    ran = stage.create_sa("app", namespace, *POLICY, *flags, "-o", "json")
    assert ran.code == 4, ran.err
    assert stage.world() == before
    assert not any("update-sa" in step for step in ran.error["next"])
    (step,) = (step for step in ran.error["next"] if "run this again with --" in step)
    again = stage.create_sa("app", namespace, *POLICY, *flags, step.split()[-1])
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("maker", "metadata", "path"),
    [
        (
            "Helm",
            {
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "app"},
            },
            ("serviceAccount", "annotations"),
        ),
        ("Argo CD", {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, ("metadata", "annotations")),
        ("Flux", {"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, ("metadata", "annotations")),
    ],
)
def test_who_else_manages_the_service_account_is_told_with_what_is_to_be_put_there(
    stage: Stage, namespace: str, maker: str, metadata: Json, path: tuple[str, str]
) -> None:
    stage.make_account(namespace, "app", **metadata)
    ran = stage.create_sa("app", namespace, "-o", "json")
    assert ran.code == 0, ran.err
    (note,) = [text for text in ran.item["notes"] if "managed by" in text]
    assert f"is managed by {maker}: " in note
    document = yaml.safe_load(note[note.index(f"{path[0]}: ") :])
    account = stage.account(namespace, "app")
    assert account is not None
    assert document[path[0]][path[1]] == {ROLE_ARN: account["annotations"][ROLE_ARN]}
    again = stage.create_sa("app", namespace, "-o", "json")
    assert not any("managed by" in text for text in again.item["notes"])
