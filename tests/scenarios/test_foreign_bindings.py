"""What others made is not deleted: ServiceAccounts and statements of charts, eksctl, Terraform, a hand.

`delete-sa`, `delete -f` and `apply --prune` leave them byte for byte, and say whose they are. And what bears
irsa's marks goes, beside them.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

import pytest

from tests.scenarios.test_apply import apply, config, entry
from tests.support.documents import doc
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Json, Stage, made

EC2 = doc('{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}')
Tags = dict[str, str]
NONE: Tags = {}
DELETE = "delete-sa app -n $ns"
ATTACH = "--attach-role-arn arn:aws:iam::$account:role/$ns-app --update-trust"


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def make_role(stage: Stage, *names: str, more: tuple[Json, ...] = (), tags: Tags = NONE) -> str:
    """A role that trusts ServiceAccounts by a statement in the very form that irsa writes; its ARN."""
    provider = next(iter(stage.aws_world()["oidc_providers"]))
    subjects = [f"system:serviceaccount:{stage.words['ns']}:{name}" for name in names]
    own = doc(
        '{"Effect": "Allow", "Principal": {"Federated": "<provider>"}, "Action":'
        ' "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals":'
        ' {"<issuer>:aud": "sts.amazonaws.com", "<issuer>:sub": <subjects>}}}',
        provider=provider,
        issuer=provider.partition("oidc-provider/")[2],
        subjects=json.dumps(subjects if len(subjects) > 1 else subjects[0]),
    )
    role = stage.iam().create_role(
        RoleName=f"{stage.words['ns']}-app",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [own, *more]}),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return str(role["Role"]["Arn"])


@dataclass(frozen=True)
class Maker:
    """What a tool leaves on a ServiceAccount and on its role; `told` is what irsa says of it."""

    told: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


HELM = Maker("Helm", {"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "web"})
MAKERS = {
    "helm": HELM,
    "eksctl": Maker(
        "eksctl",
        {"app.kubernetes.io/managed-by": "eksctl"},
        tags={"alpha.eksctl.io/cluster-name": "demo", "alpha.eksctl.io/iamserviceaccount-name": "x/app"},
    ),
    "terraform": Maker("Terraform", tags={"ManagedBy": "terraform"}),
    "ack": Maker("", tags={"services.k8s.aws/controller-version": "iam-1.3.8"}),
    "hand": Maker("creator unknown"),
}


def bind(stage: Stage, maker: Maker) -> str:
    """A binding as the tool makes it, in irsa's own form; the role's ARN."""
    arn = make_role(stage, "app", tags=maker.tags)
    annotations = {**maker.annotations, ROLE_ARN: arn, "eks.amazonaws.com/token-expiration": "900"}
    stage.make_account(stage.words["ns"], "app", labels=maker.labels, annotations=annotations)
    return arn


def test_from_files_it_is_a_row_that_is_refused(stage: Stage, namespace: str) -> None:
    arn = bind(stage, HELM)
    theirs, ours = stage.world(), entry("ours", namespace, attachPolicyARNs=[READ_ONLY])
    for how in ({"attachRoleARN": arn}, {"attachPolicyARNs": [READ_ONLY]}):
        apply(stage, config(stage, ours))
        text = config(stage, entry("app", namespace, **how), ours)
        ran = stage.run("delete --yes -f - -o json", code=1, stdin=text)
        assert ran.metadata["summary"] == {"refused": 1, "committed": 1}
        assert stage.world() == theirs
    pruned(stage, namespace)
    assert stage.account(namespace, "app") is not None
    assert stage.aws_world()["roles"].items() >= theirs["roles"].items()


def pruned(stage: Stage, namespace: str) -> None:
    """Apply a file that has nothing of the namespace, and prune that."""
    alone = config(stage, entry("x", "default", roleOnly=True, attachPolicyARNs=[READ_ONLY]))
    assert apply(stage, alone, "--prune", "--yes", "--include", f"{namespace}/*").code in (0, 4)


def test_a_role_that_several_use_is_not_proposed_for_adoption(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "b", annotations={ROLE_ARN: bind(stage, HELM)})
    steps = stage.run(f"{DELETE} -o json", code=4).error["next"]
    assert not [step for step in steps if "irsa adopt" in step]
    assert f"{namespace}/b" in " ".join(steps)


def test_the_statement_of_others_stays_where_irsa_bound_the_service_account(
    stage: Stage, namespace: str
) -> None:
    """Terraform has let it in already: irsa annotates, and has nothing to add to the role."""
    make_role(stage, "app", more=(EC2,), tags=MAKERS["terraform"].tags)
    before = stage.world()
    stage.run(f"create-sa app -n $ns {ATTACH}")
    stage.run(DELETE, says="it is unchanged")
    assert stage.world() == before


def test_a_shared_statement_of_others_keeps_its_subjects(stage: Stage, namespace: str) -> None:
    """irsa adds a statement of its own beside it, and takes only that away."""
    make_role(stage, "b", "c", more=(EC2,))
    before = stage.world()
    for name in ("app", "guest"):
        stage.run(f"create-sa {name} -n $ns {ATTACH}")
    trust = stage.aws_world()["roles"][f"{namespace}-app"]["trust"]["Statement"]
    assert trust[:2] == before["roles"][f"{namespace}-app"]["trust"]["Statement"]
    assert [item["Sid"].startswith("Irsa") for item in trust[2:]] == [True]
    again = stage.run(f"create-sa app -n $ns {ATTACH} -o json", changes="")
    assert again.metadata["outcome"] == "unchanged"
    for name in ("app", "guest"):
        stage.run(f"delete-sa {name} -n $ns")
    assert stage.world() == before


def test_irsas_role_goes_and_the_charts_annotation_stays(stage: Stage, namespace: str) -> None:
    """The chart names the role before irsa makes it."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/irsa/{stage.cluster}/{namespace}-own"
    stage.make_account(namespace, "app", labels=HELM.labels, annotations={**HELM.annotations, ROLE_ARN: arn})
    before = stage.world()
    stage.run("create-sa app -n $ns --role-name $ns-own --attach-policy-arn $S3")
    assert stage.account(namespace, "app") == before["kubernetes"]["serviceaccounts"][f"{namespace}/app"]
    run_later(stage, namespace, "CronJob")
    stage.run(DELETE, code=4)
    stage.kube.delete(f"/apis/batch/v1/namespaces/{namespace}/cronjobs/report")
    stage.run(DELETE, says=("Helm", f"kubectl annotate serviceaccount app -n $ns {ROLE_ARN}-"))
    assert stage.world() == before


def test_what_somebody_gave_irsas_service_account_since_is_theirs(stage: Stage, namespace: str) -> None:
    stage.run("create-sa app -n $ns --attach-policy-arn $S3")
    theirs = f"arn:aws:iam::{ACCOUNT}:role/{namespace}-theirs"
    stage.annotate(namespace, "app", **{ROLE_ARN: theirs})
    stage.run(DELETE)
    assert not stage.aws_world()["roles"]
    left = stage.account(namespace, "app")
    assert left is not None
    assert left["annotations"][ROLE_ARN] == theirs
    stage.run(DELETE, code=4, says=theirs, changes="")
    pruned(stage, namespace)
    assert stage.account(namespace, "app") == left


def test_other_annotations_of_the_webhook_go_only_when_irsa_wrote_them(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", annotations={"eks.amazonaws.com/token-expiration": "900"})
    before = stage.world()
    stage.run("create-sa app -n $ns --no-policy --no-sts-regional-endpoints")
    stage.run(DELETE)
    assert stage.world() == before
    assert apply(stage, config(stage, entry("app", namespace, attachPolicyARNs=[READ_ONLY]))).code == 0
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"]["eks.amazonaws.com/token-expiration"] == "900"
    stage.run(DELETE)
    assert stage.world() == before


POD = (
    '{"metadata": {"labels": {"app": "report"}}, "spec": {"serviceAccountName": "app", "restartPolicy":'
    ' "<restart>", "containers": [{"name": "c", "image": "i"}], "nodeSelector": {"none": "has-this"}}}'
)
JOB = f'{{"suspend": true, "template": {POD.replace("<restart>", "Never")}}}'
ALWAYS = f'"template": {POD.replace("<restart>", "Always")}'
CHOSEN = f'"selector": {{"matchLabels": {{"app": "report"}}}}, {ALWAYS}'
KINDS = {
    "CronJob": ("apis/batch/v1", f'{{"schedule": "0 3 * * *", "jobTemplate": {{"spec": {JOB}}}}}'),
    "Job": ("apis/batch/v1", JOB),
    "Deployment": ("apis/apps/v1", f'{{"replicas": 0, {CHOSEN}}}'),
    "StatefulSet": ("apis/apps/v1", f'{{"replicas": 0, "serviceName": "report", {CHOSEN}}}'),
    "DaemonSet": ("apis/apps/v1", f"{{{CHOSEN}}}"),
    "ReplicaSet": ("apis/apps/v1", f'{{"replicas": 0, {CHOSEN}}}'),
    "ReplicationController": ("api/v1", f'{{"replicas": 0, "selector": {{"app": "report"}}, {ALWAYS}}}'),
}


def run_later(stage: Stage, namespace: str, kind: str) -> None:
    """Something that makes pods with the ServiceAccount, and has none at the moment."""
    group, spec = KINDS[kind]
    body = {"metadata": {"name": "report"}, "spec": doc(spec)}
    made(stage.kube.create(f"/{group}/namespaces/{namespace}/{kind.lower()}s", body))


def test_a_service_account_whose_pods_come_and_go_is_used(stage: Stage, namespace: str) -> None:
    stage.run("create-sa app -n $ns --attach-policy-arn $S3")
    for kind, (group, _) in KINDS.items():
        run_later(stage, namespace, kind)
        stage.run(DELETE, code=4, says=f"{kind}/report", changes="")
        if kind != "Deployment":
            stage.kube.delete(f"/{group}/namespaces/{namespace}/{kind.lower()}s/report")
    user = stage.restricted((("get", "patch", "delete"), ("serviceaccounts",)), (("list",), ("pods",)))
    stage.run(DELETE, code=4, says="the cronjobs of $ns can't be listed", changes="", user=user)
    stage.run(f"{DELETE} --force")
    assert stage.account(namespace, "app") is None


def test_an_audience_that_a_chart_has_set_is_not_taken_off_by_a_file(stage: Stage, namespace: str) -> None:
    audience = {"eks.amazonaws.com/audience": "vault"}
    stage.make_account(namespace, "app", labels=HELM.labels, annotations=audience)
    before = stage.world()
    text = config(stage, entry("app", namespace, attachPolicyARNs=[READ_ONLY]))
    for more in ((), ("--atomic",)):
        assert apply(stage, text, *more).code == 4
        assert stage.world() == before
    assert apply(stage, text, "--override-existing-serviceaccounts").code == 0
    account = stage.account(namespace, "app")
    assert account is not None
    assert not audience.keys() & account["annotations"].keys()


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_what_others_made_is_refused_and_goes_only_as_proposed(
    stage: Stage, namespace: str, maker: Maker
) -> None:
    bind(stage, maker)
    account = stage.account(namespace, "app")
    assert account is not None
    ran = stage.run(f"{DELETE} -o json", code=4, changes="")
    assert ran.metadata["outcome"] == "refused"
    assert maker.told in " ".join(ran.error["details"])
    assert "irsa/role-arn" in ran.error["reason"]
    for flag in FLAGS if maker is HELM else ():
        stage.run(f"{DELETE} --{flag}", code=4, changes="")
    proposed = stage.irsa(*shlex.split(ran.error["next"][0], comments=True)[1:])
    assert proposed.code == 0, proposed.err
    stage.run(DELETE)
    assert f"{namespace}-app" not in stage.aws_world()["roles"]
    theirs = {"labels": maker.labels, "annotations": maker.annotations}
    assert stage.account(namespace, "app") == {**account, **theirs}


FLAGS = ("force", "ignore-not-found", "keep-role", "keep-sa --dry-run", "role-name $ns-app")
