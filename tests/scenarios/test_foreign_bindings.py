"""What others made is not deleted: ServiceAccounts and statements of charts, eksctl, Terraform, a hand.

`delete-sa`, `delete -f` and `apply --prune` leave them byte for byte, and say whose they are. And what bears
irsa's marks goes, beside them.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.scenarios.test_apply import apply, config, entry
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Json, Ran, Stage

ROLE_MARK = "irsa/role-arn"
EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def delete(stage: Stage, namespace: str, *arguments: str, name: str = "app") -> Ran:
    return stage.irsa("delete-sa", name, "-n", namespace, "-c", stage.cluster, *arguments)


def statement(stage: Stage, *subjects: str) -> Json:
    """A statement in the very form that irsa writes on its own roles."""
    provider = next(iter(stage.aws_world()["oidc_providers"]))
    issuer = provider.partition("oidc-provider/")[2]
    subject: Any = subjects[0] if len(subjects) == 1 else list(subjects)
    condition = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subject}}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }


def make_role(stage: Stage, name: str, statements: list[Json], tags: dict[str, str]) -> str:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    made = stage.iam().create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return str(made["Role"]["Arn"])


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
    "argo-cd": Maker("Argo CD", annotations={"argocd.argoproj.io/tracking-id": "web:/ServiceAccount:x/app"}),
    "terraform": Maker("Terraform", tags={"ManagedBy": "terraform"}),
    "crossplane": Maker("", tags={"crossplane-kind": "role.iam.aws.crossplane.io", "crossplane-name": "app"}),
    "ack": Maker("", tags={"services.k8s.aws/controller-version": "iam-1.3.8"}),
    "hand": Maker("creator unknown"),
}


@pytest.fixture(params=list(MAKERS.values()), ids=list(MAKERS))
def maker(request: pytest.FixtureRequest) -> Maker:
    found: Maker = request.param
    return found


def bind(stage: Stage, namespace: str, maker: Maker, *, name: str = "app") -> str:
    """A binding as the tool makes it, in irsa's own form; the role's name."""
    role = f"{namespace}-{name}"
    subject = f"system:serviceaccount:{namespace}:{name}"
    arn = make_role(stage, role, [statement(stage, subject)], maker.tags)
    annotations = {**maker.annotations, ROLE_ARN: arn, "eks.amazonaws.com/token-expiration": "900"}
    stage.make_account(namespace, name, labels=maker.labels, annotations=annotations)
    return role


def test_what_others_made_is_refused_and_stays(stage: Stage, namespace: str, maker: Maker) -> None:
    role = bind(stage, namespace, maker)
    before = stage.world()
    ran = delete(stage, namespace, "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (4, "refused"), ran.err
    assert maker.told in " ".join(ran.error["details"])
    assert ROLE_MARK in ran.error["reason"]
    assert stage.world() == before
    for flags in (("--force",), ("--ignore-not-found",), ("--keep-role",), ("--keep-sa", "--dry-run")):
        assert delete(stage, namespace, *flags).code == 4
    assert delete(stage, namespace, "--role-name", role).code == 4
    assert stage.world() == before


def test_from_files_it_is_a_row_that_is_refused(stage: Stage, namespace: str, maker: Maker) -> None:
    bind(stage, namespace, maker)
    theirs = stage.world()
    arn = f"arn:aws:iam::{ACCOUNT}:role/{namespace}-app"
    for theirs_entry in (
        entry("app", namespace, attachRoleARN=arn),
        entry("app", namespace, attachPolicyARNs=[READ_ONLY]),
    ):
        both = config(stage, theirs_entry, entry("ours", namespace, attachPolicyARNs=[READ_ONLY]))
        apply(stage, config(stage, entry("ours", namespace, attachPolicyARNs=[READ_ONLY])))
        ran = stage.irsa("delete", "--yes", "-f", "-", "-o", "json", stdin=both)
        assert (ran.code, ran.metadata["summary"]) == (1, {"refused": 1, "committed": 1}), ran.err
        assert stage.world() == theirs
    ran = apply(
        stage,
        config(stage, entry("x", "default", roleOnly=True, attachPolicyARNs=[READ_ONLY])),
        "--prune",
        "--yes",
        "--include",
        f"{namespace}/*",
    )
    assert stage.account(namespace, "app") is not None
    assert stage.aws_world()["roles"].items() >= theirs["roles"].items()


def test_what_is_proposed_leads_on(stage: Stage, namespace: str, maker: Maker) -> None:
    role = bind(stage, namespace, maker)
    account = stage.account(namespace, "app")
    assert account is not None
    steps = delete(stage, namespace, "-o", "json").error["next"]
    ran = stage.irsa(*shlex.split(steps[0], comments=True)[1:])
    assert ran.code == 0, ran.err
    deleted = delete(stage, namespace)
    assert deleted.code == 0, deleted.err
    assert role not in stage.aws_world()["roles"]
    left = stage.account(namespace, "app")
    assert left is not None
    assert (left["uid"], left["labels"], left["annotations"]) == (
        account["uid"],
        maker.labels,
        maker.annotations,
    )


def test_a_role_that_several_use_is_not_proposed_for_adoption(stage: Stage, namespace: str) -> None:
    role = bind(stage, namespace, HELM)
    stage.make_account(namespace, "b", annotations={ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/{role}"})
    ran = delete(stage, namespace, "-o", "json")
    assert ran.code == 4
    assert not [step for step in ran.error["next"] if "irsa adopt" in step]
    assert f"{namespace}/b" in " ".join(ran.error["next"])


def test_the_statement_of_others_stays_where_irsa_bound_the_service_account(
    stage: Stage, namespace: str, maker: Maker
) -> None:
    """Terraform has let it in already: irsa annotates, and has nothing to add to the role."""
    subject = f"system:serviceaccount:{namespace}:app"
    arn = make_role(stage, f"{namespace}-r", [statement(stage, subject), EC2], maker.tags)
    before = stage.world()
    assert stage.create_sa("app", namespace, "--attach-role-arn", arn, "--update-trust").code == 0
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert "it is unchanged" in ran.err
    assert stage.world() == before


def test_a_shared_statement_of_others_keeps_its_subjects(stage: Stage, namespace: str) -> None:
    """irsa adds a statement of its own beside it, and takes only that away."""
    theirs = statement(stage, *(f"system:serviceaccount:{namespace}:{name}" for name in ("b", "c")))
    arn = make_role(stage, f"{namespace}-r", [theirs, EC2], {})
    before = stage.world()
    for name in ("app", "guest"):
        ran = stage.irsa(
            *("create-sa", name, "-n", namespace, "-c", stage.cluster),
            *("--attach-role-arn", arn, "--update-trust"),
        )
        assert ran.code == 0, ran.err
    trust = stage.aws_world()["roles"][f"{namespace}-r"]["trust"]["Statement"]
    assert trust[:2] == [theirs, EC2]
    assert [item["Sid"].startswith("Irsa") for item in trust[2:]] == [True]
    made = stage.world()
    again = stage.create_sa("app", namespace, "--attach-role-arn", arn, "--update-trust", "-o", "json")
    assert again.metadata["outcome"] == "unchanged"
    assert stage.world() == made
    for name in ("app", "guest"):
        assert delete(stage, namespace, name=name).code == 0
    assert stage.world() == before


def test_irsas_role_goes_and_the_charts_annotation_stays(stage: Stage, namespace: str) -> None:
    """The chart names the role before irsa makes it."""
    role = f"{namespace}-own"
    arn = f"arn:aws:iam::{ACCOUNT}:role/irsa/{stage.cluster}/{role}"
    stage.make_account(namespace, "app", labels=HELM.labels, annotations={**HELM.annotations, ROLE_ARN: arn})
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--role-name", role, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 0, ran.err
    assert stage.account(namespace, "app") == before["kubernetes"]["serviceaccounts"][f"{namespace}/app"]
    run_later(stage, namespace, "CronJob")
    assert delete(stage, namespace).code == 4
    stage.kube.delete(f"/apis/batch/v1/namespaces/{namespace}/cronjobs/report")
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert "Helm" in ran.err
    assert f"kubectl annotate serviceaccount app -n {namespace} {ROLE_ARN}-" in ran.err
    assert stage.world() == before


def test_what_somebody_gave_irsas_service_account_since_is_theirs(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    theirs = f"arn:aws:iam::{ACCOUNT}:role/{namespace}-theirs"
    stage.annotate(namespace, "app", **{ROLE_ARN: theirs})
    account = stage.account(namespace, "app")
    assert account is not None
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert not stage.aws_world()["roles"]
    left = stage.account(namespace, "app")
    assert left is not None
    assert left["annotations"][ROLE_ARN] == theirs
    world = stage.world()
    ran = delete(stage, namespace)
    assert (ran.code, theirs in ran.err) == (4, True)
    assert stage.world() == world
    pruned = apply(
        stage,
        config(stage, entry("x", "default", roleOnly=True, attachPolicyARNs=[READ_ONLY])),
        "--prune",
        "--yes",
        "--include",
        f"{namespace}/*",
    )
    assert pruned.code in (0, 4)
    assert stage.account(namespace, "app") == left


def test_other_annotations_of_the_webhook_go_only_when_irsa_wrote_them(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", annotations={"eks.amazonaws.com/token-expiration": "900"})
    before = stage.world()
    assert stage.create_sa("app", namespace, "--no-sts-regional-endpoints").code == 0
    assert delete(stage, namespace).code == 0
    assert stage.world() == before
    desired = entry("app", namespace, attachPolicyARNs=[READ_ONLY])
    assert apply(stage, config(stage, desired)).code == 0
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"]["eks.amazonaws.com/token-expiration"] == "900"
    assert delete(stage, namespace).code == 0
    assert stage.world() == before


def pods_with(name: str) -> Json:
    labels = {"app": "report"}
    pod = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": name,
            "restartPolicy": "Always",
            "containers": [{"name": "c", "image": "i"}],
        },
    }
    return {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}


def run_later(stage: Stage, namespace: str, kind: str, name: str = "app") -> None:
    """Something that makes pods with the ServiceAccount, and has none at the moment."""
    spec = pods_with(name)
    path = f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s"
    if kind in ("Job", "CronJob"):
        path = f"/apis/batch/v1/namespaces/{namespace}/{kind.lower()}s"
        spec["template"]["spec"]["restartPolicy"] = "Never"
        job = {"template": spec["template"], "suspend": True}
        spec = job if kind == "Job" else {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}
    elif kind == "StatefulSet":
        spec["serviceName"] = "report"
    elif kind == "DaemonSet":
        del spec["replicas"]
        spec["template"]["spec"]["nodeSelector"] = {"none": "has-this"}
    elif kind == "ReplicationController":
        path = f"/api/v1/namespaces/{namespace}/replicationcontrollers"
        spec["selector"] = spec["selector"]["matchLabels"]
    answer = stage.kube.create(path, {"metadata": {"name": "report"}, "spec": spec})
    assert answer.status == 201, answer.text


WORKLOADS = [
    "CronJob",
    "Job",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
]


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_service_account_whose_pods_come_and_go_is_used(stage: Stage, namespace: str, kind: str) -> None:
    assert stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    run_later(stage, namespace, kind)
    before = stage.world()
    ran = delete(stage, namespace)
    assert (ran.code, f"{kind}/report" in ran.err) == (4, True), ran.err
    assert stage.world() == before
    assert delete(stage, namespace, "--force").code == 0
    assert stage.account(namespace, "app") is None


def test_what_may_not_be_listed_is_not_unused(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    before = stage.world()
    user = stage.restricted((("get", "patch", "delete"), ("serviceaccounts",)), (("list",), ("pods",)))
    ran = stage.irsa("delete-sa", "app", "-n", namespace, "-c", stage.cluster, user=user)
    assert (ran.code, f"the cronjobs of {namespace} can't be listed" in ran.err) == (4, True)
    assert stage.world() == before


def test_an_audience_that_a_chart_has_set_is_not_taken_off_by_a_file(stage: Stage, namespace: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    stage.make_account(namespace, "app", labels=labels, annotations={"eks.amazonaws.com/audience": "vault"})
    before = stage.world()
    text = config(stage, entry("app", namespace, attachPolicyARNs=[READ_ONLY]))
    for more in ((), ("--atomic",)):
        ran = apply(stage, text, *more)
        assert ran.code == 4, ran.err
        assert stage.world() == before
    assert apply(stage, text, "--override-existing-serviceaccounts").code == 0
    account = stage.account(namespace, "app")
    assert account is not None
    assert "eks.amazonaws.com/audience" not in account["annotations"]
