"""`irsa create-sa` as its users run it: fresh, again, half-made, existing, differing."""

from typing import Any

import pytest
import yaml

from tests.scenarios.binding import make_binding
from tests.scenarios.foreign import issuer_of
from tests.support.acts import account, after, made, named, put, refused, steps, unchanged
from tests.support.rows import Row, play_all, rows
from tests.support.stage import ROLE_ARN, Ran, Stage

CREATE = "create-sa app -n $ns --attach-policy-arn $S3"
ATTACHED = "attached AmazonS3ReadOnlyAccess"
QUEUE = (
    '{"Version": "2012-10-17", "Statement": '
    '[{"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "arn:aws:sqs:*:*:jobs"}]}'
)
INLINE = 'inline {} {{"Effect":"Allow","Action":["sqs:SendMessage"],"Resource":"arn:aws:sqs:*:*:jobs"}}'


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "app")


LABELS = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "app-1.2.3"}
OF_HELM = account(labels=LABELS, annotations={"meta.helm.sh/release-name": "app"}, secrets=("s",))
OTHER_ROLE = account(role="arn:aws:iam::$account:role/other")
NO_PROVIDER = "disassociate-oidc"
ROLE = made("app", ATTACHED)
PARTS = [line for line in ROLE[0].splitlines() if "+ role" in line]
ALONE = [*PARTS, f"+ role $role {ATTACHED}", "+ role $role tags irsa/commit done"]
PROVIDER = """
+ provider $id
+ provider $id audiences sts.amazonaws.com
+ provider $id tags irsa/cluster $cluster
+ provider $id tags irsa/service-account $ns/app
"""
NEW = """
+ namespace $ns-2
+ namespace $ns-2 labels app.kubernetes.io/managed-by irsa
+ namespace $ns-2 labels kubernetes.io/metadata.name $ns-2
+ sa $ns-2/default
"""
IN_NEW = [NEW, *(line.replace("$ns", "$ns-2").replace("$app", "$new") for line in ROLE)]
GIVEN = """
+ sa $ns/app annotations eks.amazonaws.com/role-arn $role
+ sa $ns/app annotations irsa/role-arn $role
"""
REPLACED = f"- sa $ns/app annotations eks.amazonaws.com/role-arn other{GIVEN}"
EVERYTHING = (
    "create-sa app -n $ns --inline-policy queue.json --attach-policy-arn $S3,$SQS --role-path /teams/a/ "
    "--role-name $ns-r --permissions-boundary $ADMIN --max-session-duration 7200 --description 'what it is' "
    "--tags team=a,env=test --label team=a --annotation 'example.com/note=hello, world' "
    "--sts-regional-endpoints --token-expiration 3600"
)
IN_ALL = """
+ sa $ns/app annotations eks.amazonaws.com/sts-regional-endpoints true
+ sa $ns/app annotations eks.amazonaws.com/token-expiration 3600
+ sa $ns/app annotations example.com/note hello, world
+ sa $ns/app annotations irsa/sts-regional-endpoints true
+ sa $ns/app annotations irsa/token-expiration 3600
+ sa $ns/app labels team a
"""


@rows(
    Row("fresh", CREATE, changes=ROLE),
    Row("a namespace", CREATE.replace("$ns", "$ns-2"), changes=IN_NEW),
    Row(
        "a ServiceAccount of Helm", CREATE, changes=[*PARTS, f"+ role $role {ATTACHED}", GIVEN], given=OF_HELM
    ),
    Row("a role alone", f"{CREATE} --role-only -o yaml", 0, "role/irsa/$cluster/$role", ALONE),
    Row("a provider", f"{CREATE} --associate-oidc --verify", changes=[*ROLE, PROVIDER], given=NO_PROVIDER),
)
def test_how_it_ends(row: Row, stage: Stage, namespace: str) -> None:
    stage.words["id"] = issuer_of(stage).rpartition("/")[2]
    named(stage, "app", namespace=f"{namespace}-2")
    stage.words["new_role"] = stage.words["role"]
    named(stage, "app")
    row.play(stage)


def test_what_changes_nothing(stage: Stage) -> None:
    played = (
        Row("a dry run", f"{CREATE} --dry-run --detailed-exitcode", 6),
        Row("no namespace", CREATE.replace("$ns", "$ns-2") + " --no-create-namespace", 4),
        Row("a pattern that does not match", f"{CREATE} --subject-pattern writer-*", 2),
        Row("no provider", CREATE, 4, given=NO_PROVIDER),
        Row("again", CREATE, 0, "Nothing to do", given=after("associate-oidc", CREATE)),
        Row("a dry run again", f"{CREATE} --dry-run --detailed-exitcode"),
    )
    play_all(stage, played)


def test_another_role_is_replaced_by_request_only(stage: Stage) -> None:
    OTHER_ROLE(stage)
    refused(stage, CREATE, ("role/other", "role/irsa/$cluster/"))
    changes = [*PARTS, f"+ role $role {ATTACHED}", REPLACED]
    stage.run(f"{CREATE} --override-existing-serviceaccounts", changes=changes)


def test_everything_of_the_role_is_set(stage: Stage) -> None:
    put(stage, "queue.json", QUEUE)
    lines = made("app", ATTACHED, "attached AmazonSQSReadOnlyAccess", INLINE.format("queue"), *MORE)
    text = "\n".join(lines).replace("$app_role", "$ns-r").replace("/irsa/$cluster/", "/teams/a/")
    stage.run(EVERYTHING, changes=text.replace("session_duration 3600", "session_duration 7200") + IN_ALL)
    refused(stage, "create-sa two -n $ns --no-policy --role-name $ns-r")


MORE = ("boundary AdministratorAccess", "description what it is", "tags team a", "tags env test")


DIFFERENCES = (
    *("--attach-policy-arn $SQS", "--attach-policy-arn $S3,$SQS", "--attach-policy-arn $S3 --description x"),
    *("--attach-policy-arn $S3 --max-session-duration 7200", "--attach-policy-arn $S3 --tags team=b"),
    *(
        "--attach-policy-arn $SQS --subject-pattern app*",
        "--attach-policy-arn $S3 --permissions-boundary $S3",
    ),
    *("--attach-policy-arn $S3 --audience another", "--attach-policy-arn $SQS --role-path /elsewhere/"),
)


def test_what_exists_and_differs_is_refused(stage: Stage) -> None:
    stage.run(CREATE)
    for flags in DIFFERENCES:
        ran = refused(stage, f"create-sa app -n $ns {flags} -o json", '"refused"')
        assert ran.error["details"] or ran.error["reason"]
        # Half of what is wished is never proposed.
        if "path" in flags or "pattern" in flags:
            assert "irsa update-sa does not change the" in str(ran.error["next"])
            assert not [line for line in steps(ran) if "--attach-policy-arn" in line]


WISHED = (
    '--attach-policy-arn $S3,$SQS --tags team=b --description "it\'s another"',
    "--attach-policy-arn $SQS --max-session-duration 7200 --permissions-boundary $S3",
    "--attach-policy-arn $S3 --label team=b --annotation 'example.com/note=x, y'",
    "--attach-policy-arn $S3 --audience another --associate-oidc",
    "--no-sts-regional-endpoints --token-expiration 7200 --no-policy",
)
"""Each differs in several things from what `app` has in the test below."""
HAS = f"{CREATE} --label team=a --annotation example.com/note=z --sts-regional-endpoints"
HAS += " --token-expiration 3600"


def kept(ran: Ran) -> str:
    """The options that include what a role has already; the proposed commands remove nothing of it."""
    assert "--detach" not in str(steps(ran))
    assert "--remove" not in str(steps(ran))
    assert "aws iam" not in str(ran.error["next"])
    return " ".join(step.partition(", add: ")[2] for step in ran.error["next"])


@pytest.mark.parametrize("flags", WISHED)
def test_a_refusal_names_the_one_command_that_makes_it_as_wished(stage: Stage, flags: str) -> None:
    stage.run(HAS)
    ran = refused(stage, f"create-sa app -n $ns {flags} -o json")
    stage.run(*steps(ran, "update-sa"))
    again = f"create-sa app -n $ns {flags} {kept(ran)}"
    unchanged(stage, again.replace("--no-policy", "") if "--attach" in kept(ran) else again)


def test_a_role_that_was_adopted_is_changed_and_gets_no_second_one(stage: Stage, namespace: str) -> None:
    stage.run(NO_PROVIDER)
    arn = make_binding(stage, namespace)
    wished = "create-sa reader -n $ns --attach-policy-arn $SQS --tags team=b -o json"
    ran = refused(stage, wished)
    assert "--override-existing-serviceaccounts" in str(ran.error["next"])
    stage.run("adopt reader -n $ns")
    ran = stage.run(wished, code=4, silent="--override")
    (command,) = steps(ran, "update-sa")
    name = arn.rpartition("/")[2]
    stage.run(command, changes=f"+ role {name} attached AmazonSQSReadOnlyAccess\n+ role {name} tags team b")
    again = refused(stage, f"{wished} {kept(ran)}")
    stage.run(*steps(again, "describe-sa"))


def test_a_file_from_standard_input_is_an_inline_policy(stage: Stage) -> None:
    lines = made("app", INLINE.format("stdin"))
    stage.run("create-sa app -n $ns --inline-policy -", stdin=QUEUE, changes=lines)


def test_the_journal_is_private_and_holds_no_secret(stage: Stage) -> None:
    ran = stage.run(f"{CREATE} --verify -v")
    journal = max((stage.folder / "state").glob("*.jsonl"))
    assert journal.stat().st_mode & 0o777 == 0o600
    for secret in (stage.env()["AWS_SECRET_ACCESS_KEY"], "X-Amz-Signature", "k8s-aws-v1", "eyJ"):
        assert secret not in journal.read_text() + ran.err + ran.out


def test_a_subject_pattern_admits_what_matches(stage: Stage, namespace: str) -> None:
    stage.run(f"{CREATE} --subject-pattern ap* --verify")
    (statement,) = stage.role_of(namespace, "app")["trust"]["Statement"]
    assert [*statement["Condition"]["StringLike"].values()] == [f"system:serviceaccount:{namespace}:ap*"]


def test_what_bounds_a_role_is_not_proposed_to_go(stage: Stage) -> None:
    stage.run(f"{CREATE} --permissions-boundary $ADMIN")
    ran = stage.run(f"{CREATE} --description new -o json", code=4)
    (command,) = steps(ran, "update-sa")
    stage.run(command, changes="+ role $role description new")
    unchanged(stage, f"{CREATE} --description new {kept(ran)}")


def test_update_sa_is_not_proposed_for_an_account_without_a_role(stage: Stage, namespace: str) -> None:
    existing: Any = (
        ("a", {"labels": {"team": "a"}}, "--label team=b"),
        ("b", {"annotations": {"eks.amazonaws.com/audience": "vault"}}, ""),
        ("c", {"annotations": {"example.com/note": "a"}}, "--annotation example.com/note=b"),
    )
    for name, there, flags in existing:
        account(name, **there)(stage)
        line = f"{CREATE.replace('app', name)} {flags}"
        ran = refused(stage, f"{line} -o json")
        assert "update-sa" not in str(ran.error["next"])
        (step,) = (step for step in ran.error["next"] if "run this again with --" in step)
        stage.run(f"{line} {step.split()[-1]}")


HELM = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "app"},
}


def test_who_else_manages_the_service_account_is_told_with_what_is_to_be_put_there(
    stage: Stage, namespace: str
) -> None:
    makers: Any = (
        ("app", "Helm", HELM, "serviceAccount"),
        ("b", "Argo CD", {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "metadata"),
        ("c", "Flux", {"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "metadata"),
    )
    for name, maker, metadata, path in makers:
        account(name, **metadata)(stage)
        line = f"create-sa {name} -n $ns --no-policy -o json"
        item = stage.run(line).item
        (note,) = (text for text in item["notes"] if f"is managed by {maker}: " in text)
        document = yaml.safe_load(note[note.index(f"{path}: ") :])
        assert document[path]["annotations"] == {ROLE_ARN: item["role"]["arn"]}
        stage.run(line, silent="managed by")


@pytest.mark.parametrize("only", ["", "--role-only"])
def test_a_pipeline_gets_the_name_the_arn_or_a_variable(stage: Stage, namespace: str, only: str) -> None:
    """For Helm values and Terraform variables: before, of a plan; after; and if nothing changed."""
    line = f"create-sa app -n $ns --attach-policy-arn $S3 {only} -o"
    name = f"{namespace}/app\n"
    assert stage.run(f"{line} name --dry-run").out == name
    planned = stage.run(f"{line} arn --dry-run").out
    assert stage.run(f"{line} arn").out == planned
    item = stage.run(f"get-sa -n $ns {'' if only else 'app'} -o json").item
    assert planned == f"{item['role']['arn']}\n"
    for form, text in {"name": name, "arn": planned, "env": f"ROLE_ARN={planned}"}.items():
        assert stage.run(f"{line} {form}").out == text
    variable = f"{namespace}_app".replace("-", "_").upper()
    assert stage.run("get-sa -n $ns -o env").out == f"{variable}_ROLE_ARN={planned}"
    assert stage.run("get-sa -n $ns -o arn").out == planned


def test_nothing_that_others_wrote_and_no_failed_role_is_an_arn(stage: Stage, namespace: str) -> None:
    stage.run("create-sa app -n $ns --attach-policy-arn $S3 -q")
    stage.annotate(namespace, "app", **{ROLE_ARN: "$(touch pwned)\nROLE_ARN=x"})
    for form in ("arn", "env"):
        assert "pwned" not in stage.run(f"get-sa -n $ns app -o {form}", code=(0, 1)).out
    refused = stage.run(
        "create-sa other -n $ns --attach-policy-arn arn:aws:iam::$account:policy/none -o arn", code=1
    )
    assert refused.out == ""
