"""`irsa migrate`: there and back between IRSA and EKS Pod Identity; everything else stays as it was."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.associated import associate, association, eks
from tests.support.associated import make_role as pods_role
from tests.support.documents import doc
from tests.support.eks_states import note_exchange
from tests.support.migrated import PODS, ROLE, THEIRS, allow, by_hand, set_trust, statements, with_agent
from tests.support.rows import Row, play_all, prepare, rows
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

NAME = "app"
GITHUB = doc(
    '{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated":'
    ' "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},'
    ' "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:org/app:*"}}}'
)
CREATE = "create-sa app -n $ns --associate-oidc --attach-policy-arn $S3"
MOVE = "migrate --to pod-identity app -n $ns"
BACK = "migrate --to irsa app -n $ns"
STEPS = {
    MOVE: ("eks", "CreatePodIdentityAssociation"),
    f"{MOVE} --finish": ("kubernetes", "PATCH serviceaccounts"),
    BACK: ("kubernetes", "PATCH serviceaccounts"),
    f"{BACK} --finish": ("iam", "UpdateAssumeRolePolicy"),
}
"""The way there and back, with a write of each step."""


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent; the sandbox's API is enough: associations are EKS' business."""
    found = with_agent(sandbox_stage(sandbox, "demo", tmp_path))
    found.words |= {"ns": "apps", "role": ROLE}
    return found


def associations(stage: Stage) -> dict[str, Json]:
    """All associations, without what irsa chooses anew for each."""
    found: dict[str, Json] = copy.deepcopy(stage.world()["associations"])
    for item in found.values():
        item["tags"].pop("irsa/transaction", None)
    return {name.partition("/")[2]: item for name, item in found.items()}


def world(stage: Stage) -> Json:
    return {**copy.deepcopy(stage.world()), "associations": associations(stage)}


def create(stage: Stage, namespace: str, name: str = NAME, *more: str) -> None:
    words = ("create-sa", name, "-n", namespace, "--associate-oidc", "--attach-policy-arn", READ_ONLY, *more)
    stage.run(" ".join(words))


def trust(stage: Stage, namespace: str, name: str = NAME) -> list[Json]:
    found: list[Json] = stage.role_of(namespace, name)["trust"]["Statement"]
    return found


ASSOCIATED = (
    "+ association demo/$ns/app",
    "+ association demo/$ns/app disableSessionTags false",
    "+ association demo/$ns/app roleArn $role",
    "+ association demo/$ns/app tags irsa/cluster demo",
    "+ association demo/$ns/app tags irsa/service-account $ns/app",
    '+ role $role trust {"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},'
    '"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":'
    '{"aws:SourceAccount":"111122223333","aws:RequestTag/eks-cluster-arn":'
    '"arn:aws:eks:eu-west-1:111122223333:cluster/demo","aws:RequestTag/kubernetes-namespace":"$ns",'
    '"aws:RequestTag/kubernetes-service-account":"app"},"ArnEquals":'
    '{"aws:SourceArn":"arn:aws:eks:eu-west-1:111122223333:cluster/demo"}}}',
)
BOUND = (
    "+ role $role trusts $ns/app for sts.amazonaws.com",
    "+ sa $ns/app annotations eks.amazonaws.com/role-arn $role",
    "+ sa $ns/app annotations irsa/role-arn $role",
)
ALONE = "+ role $role tags irsa/commit done"


def gone(*lines: str) -> list[str]:
    """The lines of what is not there any more."""
    return [f"-{line[1:]}" for line in lines]


def test_there_and_back_is_the_identity(stage: Stage) -> None:
    stage.run(CREATE)
    before = stage.world()
    stage.run(f"{MOVE} app", changes=ASSOCIATED)  # Who is named twice is moved once.
    stage.run(f"{MOVE} --finish", changes=[*gone(*BOUND), ALONE])
    stage.run(BACK, changes=BOUND)
    stage.run(f"{BACK} --finish", changes=gone(*ASSOCIATED, ALONE))
    assert stage.world() == before


def test_a_run_killed_at_a_call_is_continued(stage: Stage) -> None:
    """Killed before or after the call is executed; then another machine, without the journal, goes on."""
    stage.run(CREATE)
    before = world(stage)
    for kind in ("error", "callback"):
        for line, (service, operation) in STEPS.items():
            stage.sandbox.faults.add(Fault(service, operation, kind, run=stage.kill))
            stage.run(line, code=-9, IRSA_LOCK="0")
            stage.sandbox.settle()
            stage.run(line, IRSA_STATE_DIR="other", IRSA_LOCK="0")
        assert world(stage) == before, kind


def provider_of(stage: Stage) -> str:
    """The ARN of the cluster's provider."""
    found = eks(stage).describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
    return f"arn:aws:iam::{stage.account_id}:oidc-provider/{found.removeprefix('https://')}"


def of_cluster(stage: Stage, namespace: str, name: str = NAME) -> Json:
    """A statement for a ServiceAccount's tokens, as others write it."""
    text = (
        '{"Effect": "Allow", "Principal": {"Federated": "<provider>"}, "Action":'
        ' "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"<prefix>:sub":'
        ' "system:serviceaccount:<ns>:<name>", "<prefix>:aud": "sts.amazonaws.com"}}}'
    )
    provider = provider_of(stage)
    return doc(text, provider=provider, prefix=provider.partition("/")[2], ns=namespace, name=name)


def make_role(stage: Stage, name: str, *statements: Json, tags: dict[str, str] | None = None) -> str:
    """A role with this trust policy; its ARN."""
    made: str = stage.iam().create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        Tags=[{"Key": key, "Value": text} for key, text in (tags or {}).items()],
    )["Role"]["Arn"]
    return made


MAKERS = ("irsa", "hand", "eksctl", "terraform")


def make(stage: Stage, namespace: str, number: int) -> str:
    """One of many bindings, each with something of others on it; returns its name."""
    name, maker = f"app-{number}", MAKERS[number % len(MAKERS)]
    if maker == "irsa":
        create(stage, namespace, name)
        stage.annotate(namespace, name, note="theirs")
        return name
    own = of_cluster(stage, namespace, name)
    if maker == "eksctl":
        own["Action"] = [own["Action"]]
    prefix = provider_of(stage).partition("/")[2]
    elsewhere = json.loads(json.dumps(own).replace(prefix, "oidc.eks.eu-west-1.amazonaws.com/id/OTHER"))
    statements = [[own], [own, THEIRS], [GITHUB, own], [elsewhere, own]][number // 4 % 4]
    tags = {
        "hand": {},
        "eksctl": {"alpha.eksctl.io/iamserviceaccount-name": f"{namespace}/{name}"},
        "terraform": {"Terraform": "true"},
    }[maker]
    arn = make_role(stage, f"{namespace}-{name}", *statements, tags=tags)
    labels = {"app.kubernetes.io/managed-by": {"hand": "Helm"}.get(maker, maker)}
    notes = {ROLE_ARN: arn, "eks.amazonaws.com/token-expiration": "3600", "meta.helm.sh/release-name": "x"}
    stage.make_account(namespace, name, labels=labels, annotations=notes, secrets=("registry",))
    return name


def normal(found: Json) -> Json:
    """A world in which the order and the form of statements do not count."""
    result = copy.deepcopy(found)
    for role in result["roles"].values():
        statements = role["trust"]["Statement"]
        for item in statements:
            item["Action"] = item["Action"] if isinstance(item["Action"], list) else [item["Action"]]
        role["trust"]["Statement"] = sorted(json.dumps(item, sort_keys=True) for item in statements)
    return result


def foreign_statements(found: Json) -> dict[str, list[Json]]:
    """The statements that are not this cluster's, by role, to the byte and in their order."""
    return {
        name: [
            item
            for item in role["trust"]["Statement"]
            if "OTHER" in json.dumps(item) or item in (THEIRS, GITHUB)
        ]
        for name, role in found["roles"].items()
    }


def hand(stage: Stage, more: str = "") -> str:
    """A binding of somebody else's, whose role has one more statement; the role's ARN."""
    role = by_hand(stage)
    if more:
        set_trust(stage, *statements(stage, "hand"), {**PODS, **doc(more)}, name="hand")
    return role


def other_role(stage: Stage) -> None:
    """The association gets another role than the annotation's."""
    place = {"clusterName": stage.cluster, "associationId": association(stage, "apps", NAME)}
    eks(stage).update_pod_identity_association(**place, roleArn=pods_role(stage, "other"))


def limited(stage: Stage) -> None:
    """Somebody gives the association a session policy."""
    eks(stage).update_pod_identity_association(
        clusterName=stage.cluster,
        associationId=association(stage, "apps", NAME),
        disableSessionTags=True,
        policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}',
    )


def no_provider(stage: Stage) -> None:
    """The way back is begun, and then somebody deletes the provider."""
    allowed_if(BY_SESSION)(stage)
    stage.run(BACK)
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=provider_of(stage))


def full(stage: Stage) -> None:
    """The role's trust policy has no room for more."""
    set_trust(stage, *statements(stage), *({**THEIRS, "Sid": f"{'x' * 90}{number}"} for number in range(8)))


def allowed_if(condition: str) -> Callable[[Stage], None]:
    """The role has a policy with a condition."""
    text = '{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}'
    return lambda stage: allow(stage, {**doc(text), "Condition": doc(condition)}, name="sessions")


def annotated(value: str | None) -> Callable[[Stage], None]:
    """Somebody writes the annotation, or takes it away."""

    def write(stage: Stage) -> None:
        path = f"/api/v1/namespaces/apps/serviceaccounts/{NAME}"
        assert stage.kube.patch(path, {"metadata": {"annotations": {ROLE_ARN: value}}}).status == 200

    return write


def with_driver(stage: Stage) -> None:
    """A pod with a volume whose driver fetches credentials for pods."""
    pod(stage, "apps", volumes=[{"name": "s", "csi": {"driver": "secrets-store.csi.k8s.io"}}])


BY_TAG = '{"StringEquals": {"aws:PrincipalTag/kubernetes-namespace": "apps"}}'
BY_SESSION = '{"StringLike": {"aws:userid": "*:botocore-session-*"}}'
ABROAD = "arn:aws:iam::999900001111:role/x"
OF_IRSA = (
    Row("the old way stays without the new one", f"{MOVE} --finish", 4, f"irsa {MOVE}"),
    Row("a name that does not exist", f"{MOVE} nobody --status", 4),
    Row(
        "a dry run",
        "migrate --to pod-identity -n $ns --dry-run --detailed-exitcode",
        6,
        "+ PodIdentity  ",
    ),
    Row(
        "what may differ is told before",
        f"{MOVE} --dry-run",
        says="sessions compares the session's name (aws:userid)",
        given=allowed_if(BY_SESSION),
    ),
    Row("drivers", f"{MOVE} --dry-run", says="secrets-store.csi.k8s.io: set", given=with_driver),
    Row("no room in the trust policy", MOVE, 4, "would be too large", given=full),
    Row("no room for both", "update-sa app -n $ns --also pod-identity", 4, "would be too large"),
    Row(
        "an annotation that is no role",
        MOVE,
        4,
        "is not the ARN of a role",
        given=annotated("arn:aws:iam::111122223333:role/x "),
    ),
    Row(
        "no annotation",
        MOVE,
        4,
        "has no annotation eks.amazonaws.com/role-arn\n    irsa created the role",
        given=annotated(None),
    ),
)
ON_THE_WAY_BACK = (
    Row(
        "a policy that compares session tags",
        BACK,
        4,
        "only EKS Pod Identity sets them",
        given=allowed_if(BY_TAG),
    ),
    Row(
        "without a provider",
        f"{BACK} --finish",
        4,
        "no IAM OIDC provider exists",
        silent="--associate-oidc",  # It has no such option.
        given=no_provider,
    ),
    Row("an association that limits", BACK, 4, "session policy", given=limited),
)
BY_HAND = (
    Row(
        "a statement of others that is enough is not doubled",
        MOVE,
        given=lambda stage: associate(
            stage, "apps", NAME, hand(stage, '{"Action": "sts:AssumeRole"}'), disableSessionTags=True
        ),
    ),
    Row(
        "what others wrote stays, and is named",
        f"{MOVE} --finish",
        says="irsa did not write them (--include-managed)",
    ),
    Row(
        "an association with another role",
        MOVE,
        4,
        "irsa describe-sa",
        silent="delete",
        given=other_role,
    ),
)


@pytest.mark.parametrize(
    ("lines", "played"),
    [(CREATE, OF_IRSA), (f"{CREATE}\n{MOVE}\n{MOVE} --finish", ON_THE_WAY_BACK), ("", BY_HAND)],
    ids=["of irsa", "on the way back", "by hand"],
)
def test_nothing_is_changed(stage: Stage, lines: str, played: tuple[Row, ...]) -> None:
    """One after the other: what a row was given is there for the next one, too."""
    prepare(stage, lines)
    play_all(stage, played)


def test_a_deny_that_no_statement_overcomes(stage: Stage) -> None:
    hand(stage, '{"Effect": "Deny", "Action": "sts:AssumeRole"}')
    said = ("does not allow Pod Identity, also with irsa's statement", "a Deny statement applies")
    stage.run(MOVE, code=4, says=said, changes="")


@rows(
    Row(
        "a role of another account",
        MOVE,
        4,
        "is not in the cluster's account",
        given=lambda stage: stage.make_account(
            "apps", NAME, annotations={ROLE_ARN: "arn:aws:iam::444455556666:role/x"}
        ),
    ),
    Row(
        "create-sa over IRSA", "create-sa app -n $ns --pod-identity --attach-policy-arn $S3", 4, given=CREATE
    ),
    Row(
        "an association whose role is gone",
        BACK,
        4,
        "the association of $ns/app refers to it",
        given=lambda stage: role_gone(stage),
    ),
)
def test_a_refusal_proposes_a_command_that_works(row: Row, stage: Stage) -> None:
    (step,) = re.findall(r"irsa ((?:create-sa|migrate) [^#\n]*)", row.play(stage).err)
    stage.run(step.replace(" ARN", " $S3"))


def role_gone(stage: Stage) -> None:
    """Somebody deletes the role of an association."""
    stage.run("create-sa app -n $ns --pod-identity --create-service-account --attach-policy-arn $S3")
    stage.iam().detach_role_policy(RoleName=ROLE, PolicyArn=READ_ONLY)
    stage.iam().delete_role(RoleName=ROLE)


def test_a_role_that_trusts_pod_identity_but_not_this_one_is_not_finished(stage: Stage) -> None:
    """Of another namespace: pods would have lost the role with the annotation."""
    own = '{"Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "other"}}}'
    associate(stage, "apps", NAME, hand(stage, own), tags={"team": "a"})
    finish = f"{MOVE} --finish --include-managed"
    stage.run(finish, code=4, says="does not get its role by Pod Identity yet", changes="")
    shown = stage.run(f"{MOVE} --status -o json", changes="")
    assert shown.item["migration"]["ways"] == ["irsa"]
    stage.run(MOVE)
    stage.run(finish)


def test_one_that_is_refused_stops_no_other(stage: Stage) -> None:
    stage.run(CREATE)
    stage.make_account("apps", "away", annotations={ROLE_ARN: ABROAD})
    ran = stage.run("migrate --to pod-identity -n $ns -o json", code=1)
    assert [item["outcome"] for item in ran.items] == ["committed", "refused"]
    assert set(associations(stage)) == {"apps/app"}


def test_workloads_that_keep_their_pods_are_named_and_not_waited_for(stage: Stage) -> None:
    stage.run(CREATE)
    kept = {
        ("Deployment", "a", '{"paused": true}'): "paused",
        ("StatefulSet", "b", '{"updateStrategy": {"type": "OnDelete"}}'): "OnDelete",
        ("StatefulSet", "c", '{"updateStrategy": {"rollingUpdate": {"partition": 1}}}'): "with a partition",
    }
    for kind, name, spec in kept:
        pod(stage, "apps", f"{name}-0", workload(stage, kind, name, **doc(spec)))
    said = [f"{kind} {name} ({why})" for (kind, name, _), why in kept.items()]
    stage.run(f"{MOVE} --restart", code=1, says=["not restarted: ", *said])


def workload(stage: Stage, kind: str, name: str, account: str = NAME, **spec: Any) -> Json:
    """Something that makes pods, which nobody does here; the reference to it."""
    head = {"apiVersion": "apps/v1", "kind": kind}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": account}}
    body = {**head, "metadata": {"name": name}, "spec": {"template": template, **spec}}
    url = f"/apis/apps/v1/namespaces/{stage.words['ns']}/{kind.lower()}s"
    answer = stage.kube.create(url, body)
    assert answer.status == 201, answer.text
    return {**head, "name": name, "uid": answer.body["metadata"]["uid"], "controller": True}


def pod(stage: Stage, namespace: str, name: str = "app-1", owner: Json | None = None, **spec: Any) -> Json:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            **({"ownerReferences": [owner], "labels": {"app": "x"}} if owner else {}),
        },
        "spec": {"serviceAccountName": NAME, "containers": [{"name": "main", "image": "app:1"}], **spec},
    }
    answer = stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body)
    assert answer.status == 201, answer.text
    return answer.body


def test_pods_that_nothing_recreates_are_named(stage: Stage) -> None:
    stage.run(CREATE)
    pod(stage, "apps")
    said = ("not restarted: Pod app-1", "Nothing was rolled back (exit 1).")
    stage.run(f"{MOVE} --restart", code=1, says=said, silent="--finish")  # The old way is still used.


def test_status_writes_nothing_at_any_time(stage: Stage) -> None:
    stage.run(CREATE)
    pod(stage, "apps")
    for step in (MOVE, BACK, f"{BACK} --finish"):
        stage.run("migrate --to pod-identity -n $ns --status", says=("apps/app", "1 by IRSA"), changes="")
        assert not stage.leases()
        stage.run(step)


def test_a_broken_annotation_is_told_for_its_own_one(stage: Stage) -> None:
    """The others have their answers, and exit code 0: what there is of it was read."""
    stage.run(CREATE)
    stage.make_account("apps", "broken", annotations={ROLE_ARN: "arn:aws:iam::111122223333:user/x"})
    for names in ("", "app broken"):
        line = f"migrate --to pod-identity {names} -n $ns --status"
        told = f"the annotation {ROLE_ARN} of $ns/broken is not valid"
        stage.run(line, says=(told, "not known"), changes="")
        good, bad = (item["migration"].get("problem") for item in stage.run(f"{line} -o json").items)
        assert (good, "is not valid" in str(bad)) == (None, True)


def test_a_note_that_several_have_is_told_once_with_their_number(stage: Stage) -> None:
    for number in range(4):
        create(stage, "apps", f"app-{number}")
    line = "migrate --to pod-identity -n $ns"
    told = stage.run(f"{line} --status", says="Note: for all 4 ServiceAccounts: last use of IRSA").err
    assert told.count("last use of IRSA") == 1
    ran = stage.run(line)
    (proposed,) = re.findall(r"for all 4 ServiceAccounts: to remove IRSA: irsa (.*)", ran.err)
    assert ran.err.count("to remove IRSA") == 1
    stage.run(proposed)
    each = stage.run("migrate --to irsa -n $ns --status -o json").items
    assert all(len(item["notes"]) == 1 for item in each)


def test_the_last_use_of_irsa_is_told(stage: Stage) -> None:
    stage.run(CREATE)
    subject, role = "system:serviceaccount:apps:app", stage.role_of("apps", NAME)["arn"]
    for code, said in {"AccessDenied": "none in the newest 50 events", "": "2"}.items():
        note_exchange(stage.sandbox, stage.cluster, subject, role, code)
        stage.run(f"{MOVE} --status", says=f"(some minutes late): {said}")


def test_what_makes_no_sense_is_told_before_any_call(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for flags in ("--to irsa --restart", "--to irsa --status --finish", "--to elsewhere", ""):
        stage.run(f"migrate {NAME} {flags}", code=2)
    assert not stage.sandbox.calls


def test_update_sa_adds_pod_identity_beside_and_nothing_else(stage: Stage) -> None:
    stage.run(CREATE)
    before = stage.world()
    line = "update-sa app -n $ns --also pod-identity"
    stage.run(line, changes=ASSOCIATED)
    assert stage.run(f"{line} -o json", changes="").metadata["outcome"] == "unchanged"
    stage.run(f"{BACK} --finish", changes=gone(*ASSOCIATED))
    assert stage.world() == before
