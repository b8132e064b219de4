"""`irsa doctor` where little can be read, in other accounts, for a whole cluster, and what it never says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Rule, Sandbox
from tests.scenarios.breaking import NAME, STS, Binding, make
from tests.scenarios.breaks import BREAKS
from tests.scenarios.conftest import real_stage, sandbox_stage
from tests.scenarios.doctoring import doctor, of, problems, run_doctor, untold
from tests.support.eks_states import add_node, note_exchange
from tests.support.fixtures import RealCluster
from tests.support.ran import full_name
from tests.support.stage import ROLE_ARN, Json, Stage, made

FOREIGN = "444455556666"
READING = {"Effect": "Allow", "Action": ["eks:DescribeCluster", "sts:*"], "Resource": "*"}


def trust_of(binding: Binding, principal: object, action: str) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def move_role_to(binding: Binding, account: str) -> str:
    """Make the role in another account, with a role by which its IAM is read; returns the reader."""
    iam = binding.aws("iam", account)
    statement = json.loads(json.dumps(binding.statement).replace("111122223333", account))
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    binding.annotate(arn)
    binding.new_pod()
    reader = trust_of(binding, {"AWS": "111122223333"}, "sts:AssumeRole")
    found: str = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=reader)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return found


def test_a_role_of_another_account_needs_a_provider_there(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = move_role_to(binding, FOREIGN)
    hidden = doctor(binding, capsys, *of(binding))
    assert problems(hidden) == []
    assert hidden["metadata"]["exitCode"] == 1
    assert {"provider-account", "role-missing", "trust-subject"} <= untold(hidden)
    seen = doctor(binding, capsys, *of(binding), "--iam-assume-role", reader)
    assert problems(seen) == ["provider-account"]
    url = f"https://{binding.prefix}"
    binding.aws("iam", FOREIGN).create_open_id_connect_provider(Url=url, ClientIDList=[STS])
    cured = doctor(binding, capsys, *of(binding), "--iam-assume-role", reader)
    assert problems(cured) == []
    assert not {"provider-account", "role-missing", "trust-subject"} & untold(cured)
    assert "annotation-account" not in untold(cured)
    assert cured["metadata"]["exitCode"] == 0
    note_exchange(
        binding.stage.sandbox,
        binding.stage.cluster,
        binding.subject,
        f"arn:aws:iam::{FOREIGN}:role/app",
        "ExpiredTokenException",
    )
    assert problems(doctor(binding, capsys, *of(binding), "--iam-assume-role", reader)) == ["token-expired"]
    unread = doctor(binding, capsys, *of(binding))
    assert problems(unread) == []
    assert any(
        f"cannot read CloudTrail of account {FOREIGN}" in item["text"]
        for item in unread["items"][0]["findings"]
    )


def test_a_caller_who_may_read_nothing_is_told_so(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.stage.sandbox.add_user("guest", policy={"Version": "2012-10-17", "Statement": READING})
    document = doctor(binding, capsys, *of(binding), user="guest")
    assert problems(document) == []
    assert document["metadata"]["exitCode"] == 1
    good = [item["id"] for item in document["items"][0]["findings"] if item["verdict"] == "ok"]
    # Of these nothing has to be read but the cluster, which EKS described, and what is public.
    described = {"cluster-unsupported", "pod-china-region", "pod-token-unreadable"}
    assert set(good) <= {*described, "issuer-documents", "issuer-keys"}


def test_a_caller_with_part_of_the_permissions_finds_part_of_the_causes(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    BREAKS["another_service_account"][1](binding)
    user = binding.stage.restricted((("get",), ("serviceaccounts",)))
    document = doctor(binding, capsys, *of(binding), user=user)
    assert problems(document) == ["trust-subject"]
    assert {"pod-role-differs", "webhook-failing", "service-account-namespace"} - untold(document) == {
        "service-account-namespace"
    }


def test_probing_needs_no_more_than_to_create_pods_and_makes_none(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = [
        Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces")),
        Rule(("create",), ("pods",)),
        Rule(("list",), ("mutatingwebhookconfigurations",), groups=("admissionregistration.k8s.io",)),
    ]
    user = binding.stage.restricted()
    binding.stage._grant(user, rules)
    document = doctor(binding, capsys, *of(binding), user=user)
    assert problems(document) == []
    assert "webhook-failing" not in untold(document)
    pods = binding.stage.kube.get(f"/api/v1/namespaces/{binding.namespace}/pods").body["items"]
    assert [pod["metadata"]["name"] for pod in pods] == [f"{NAME}-0"]


def test_what_is_no_cause_is_not_named(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    iam = binding.aws("iam")
    iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=binding.provider, ThumbprintList=["0" * 40]
    )
    iam.detach_role_policy(RoleName=binding.role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    binding.new_pod(hostNetwork=True, automountServiceAccountToken=False)
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == []
    assert {"role-without-permissions", "pod-host-network"} <= untold(document)


def test_nodes_that_answer_pods_are_hinted_at(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox, cluster = binding.stage.sandbox, binding.stage.cluster
    for number in (1, 2):
        binding.new_pod(nodeName=f"ip-10-0-0-{number}.ec2.internal")
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == []
    assert "node-hop-limit" in untold(document)
    for number in (1, 2):
        add_node(sandbox, cluster, f"ip-10-0-0-{number}.ec2.internal", hop_limit=number)
    document = doctor(binding, capsys, *of(binding))
    (found,) = (item for item in document["items"][0]["findings"] if item["id"] == "node-hop-limit")
    assert (found["verdict"], "ip-10-0-0-2.ec2.internal" in str(found["evidence"])) == ("unknown", True)
    assert "ip-10-0-0-1.ec2.internal" not in str(found["evidence"])
    add_node(sandbox, cluster, "ip-10-0-0-2.ec2.internal", hop_limit=1)
    assert "node-hop-limit" not in untold(doctor(binding, capsys, *of(binding)))


def test_an_application_that_is_told_its_role_twice(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.new_pod(container={"args": ["--aws-assume-role", binding.role_arn]})
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == []
    assert "pod-role-twice" in untold(document)


def test_nothing_secret_is_shown(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "wJalrXUtnFEMIEXAMPLE"
    env = [{"name": name, "value": secret} for name in ("AWS_SECRET_ACCESS_KEY", "DB_PASSWORD")]
    keys = [{"name": "AWS_ACCESS_KEY_ID", "value": secret}, *env]
    binding.new_pod(container={"env": keys})
    ran = binding.stage.irsa("doctor", *of(binding), "-c", binding.stage.cluster, "-v")
    assert ran.code == 5
    assert "pod-static-credentials" in ran.out
    assert secret not in ran.out + ran.err


def test_the_name_of_an_earlier_release(
    stage: Stage, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    binding = make(stage, namespace)
    binding.values(sub=f"system:serviceaccount:{namespace}:app-5d4f7c9b8")
    annotations = {ROLE_ARN: binding.role_arn}
    stage.make_account(namespace, "app-7f8d9c5b6", annotations=annotations)
    document = run_doctor(stage, capsys, "app-7f8d9c5b6", "-n", namespace)
    assert problems(document) == ["trust-generated-name"]


def test_china_without_a_region(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The webhook of EKS sets the region; one that is somebody's own need not."""
    sandbox.add_cluster(ClusterSpec("china", "cn-north-1"))
    stage = sandbox_stage(sandbox, "china", tmp_path, region="cn-north-1")
    stage.make_namespace("back")
    binding = make(stage, "back")
    token = {"serviceAccountToken": {"audience": STS, "expirationSeconds": 86400, "path": "token"}}
    folder = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    env = {"AWS_ROLE_ARN": binding.role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token"}
    binding.new_pod(
        metadata={"labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}},
        container={
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "volumeMounts": [{"name": "aws-iam-token", "mountPath": folder}],
        },
        volumes=[{"name": "aws-iam-token", "projected": {"sources": [token]}}],
    )
    assert problems(doctor(binding, capsys, *of(binding))) == ["pod-china-region"]
    binding.new_pod()
    assert problems(doctor(binding, capsys, *of(binding))) == []


@pytest.mark.e2e
def test_keys_that_are_not_published(
    sandbox: Sandbox, real: RealCluster, tmp_path: Path, unique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    external = real.spec.external
    assert isinstance(external, ExternalCluster)
    silent = dataclasses.replace(external, jwks=lambda: {"keys": []})
    rotated = dataclasses.replace(real, spec=dataclasses.replace(real.spec, external=silent))
    stage = real_stage(sandbox, rotated, tmp_path)
    stage.make_namespace(unique)
    assert problems(doctor(make(stage, unique), capsys, NAME, "-n", unique)) == ["issuer-keys"]


@pytest.mark.e2e
def test_network_policies_are_a_hint_and_no_problem(
    sandbox: Sandbox, real: RealCluster, tmp_path: Path, unique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = real_stage(sandbox, real, tmp_path)
    stage.make_namespace(unique)
    binding = make(stage, unique)
    path = f"/apis/networking.k8s.io/v1/namespaces/{unique}/networkpolicies"
    spec: Json = {"podSelector": {}, "policyTypes": ["Egress"]}
    made(stage.kube.create(path, {"metadata": {"name": "deny"}, "spec": spec}))
    closed = doctor(binding, capsys, *of(binding))
    assert problems(closed) == []
    assert "pod-network-policy" in untold(closed)
    spec["egress"] = [{"ports": [{"protocol": "TCP", "port": 443}]}]
    made(stage.kube.create(path, {"metadata": {"name": "https"}, "spec": spec}))
    assert "pod-network-policy" not in untold(doctor(binding, capsys, *of(binding)))


@pytest.fixture
def cluster(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return sandbox_stage(sandbox, "demo", tmp_path)


def test_all_that_name_a_role(cluster: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.make_namespace("back")
    cluster.make_namespace("front")
    binding = make(cluster, "back")
    cluster.make_account("back", "plain")
    for name in ("lost", "other"):
        cluster.make_account("front", name, annotations={ROLE_ARN: f"{binding.role_arn}{name}"})
    found = run_doctor(cluster, capsys)
    assert problems(found) == []
    assert found["items"][0]["serviceAccount"] is None
    wrong = {
        full_name(item): [finding["id"] for finding in item["findings"] if finding["verdict"] == "problem"]
        for item in found["items"][1:]
    }
    assert wrong == {f"back/{NAME}": [], "front/lost": ["role-missing"], "front/other": ["role-missing"]}
    assert found["metadata"]["exitCode"] == 5
    one = run_doctor(cluster, capsys, "-n", "back")
    assert [item["serviceAccount"]["name"] for item in one["items"][1:]] == [NAME]
    assert one["metadata"]["exitCode"] == 0


def test_what_is_wrong_with_the_cluster_is_said_once(
    cluster: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.make_namespace("back")
    BREAKS["no_provider"][1](make(cluster, "back"))
    found = run_doctor(cluster, capsys)
    assert problems(found) == ["provider-missing"]
    (account,) = found["items"][1:]
    assert "provider-missing" not in [item["id"] for item in account["findings"]]


def test_an_audience_of_its_own_is_seen_among_many(
    cluster: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.make_namespace("back")
    binding = make(cluster, "back")
    binding.annotate("example.com", "eks.amazonaws.com/audience")
    binding.values(aud="example.com")
    binding.new_pod()
    (account,) = run_doctor(cluster, capsys)["items"][1:]
    wrong = [item["id"] for item in account["findings"] if item["verdict"] == "problem"]
    assert wrong == ["provider-audience"]


def test_text_names_the_problem_its_fix_and_what_can_not_be_told(cluster: Stage) -> None:
    cluster.make_namespace("back")
    binding = make(cluster, "back")
    binding.values(aud="other")
    ran = cluster.irsa("doctor", NAME, "-n", "back", "-c", "demo")
    assert ran.code == 5
    assert "trust-audience" in ran.out
    assert f"--attach-role-arn {binding.role_arn} --update-trust" in ran.out
    assert "unknown" in ran.out
    assert cluster.irsa("doctor", "-c", "demo").code == 5


def test_explaining_asks_nobody(cluster: Stage) -> None:
    cluster.sandbox.calls.clear()
    for arguments in (["trust-subject"], ["all"], ["trust-subject", "-o", "json"], ["all", "-o", "yaml"]):
        ran = cluster.irsa("doctor", "--explain", *arguments)
        assert ran.code == 0, ran.err
        assert "trust-subject" in ran.out
    wrong = cluster.irsa("doctor", "--explain", "trust-subjct")
    assert wrong.code == 2
    assert "trust-subject" in wrong.err
    assert cluster.sandbox.calls == []


def test_a_cluster_that_is_not_there_ends_with_4(cluster: Stage) -> None:
    ran = cluster.irsa("doctor", "-c", "nowhere", "-o", "json")
    assert ran.code == 4
    assert ran.error["code"] == "ResourceNotFoundException"
    assert "nowhere" in ran.err


def test_a_namespace_that_is_not_there_is_refused(cluster: Stage) -> None:
    cluster.make_namespace("back")
    make(cluster, "back")
    ran = cluster.irsa("doctor", "-c", "demo", "-n", "bakc", "-o", "json")
    assert ran.code == 4
    assert ran.error["message"] == "there is no namespace bakc in demo"
    user = cluster.restricted((("get", "list"), ("serviceaccounts",)))
    assert cluster.irsa("doctor", "-c", "demo", "-n", "back", user=user).code != 4


def test_what_could_not_be_looked_at_is_not_called_right(cluster: Stage) -> None:
    cluster.make_namespace("back")
    binding = make(cluster, "back")
    binding.values(sub="system:serviceaccount:backs:other")
    cluster.sandbox.add_user("lister", policy={"Version": "2012-10-17", "Statement": READING})
    cluster._grant("lister", [Rule(("get", "list"), ("serviceaccounts",))])
    ran = cluster.irsa("doctor", "-c", "demo", user="lister")
    assert ran.code == 1
    assert f"? back/{NAME}" in ran.out
    assert f"missing permission: iam:GetRole on {binding.role} (15 checks)" in ran.out
    assert "No problem was found, but 1 of 1 ServiceAccount could not be checked (exit 1)" in ran.out
    one = cluster.irsa("doctor", NAME, "-n", "back", "-c", "demo", user="lister")
    assert one.code == 1
    assert "17 deciding checks could not run (exit 1)" in one.out


def test_a_role_that_is_not_read_is_not_called_right(cluster: Stage) -> None:
    cluster.make_namespace("back")
    binding = make(cluster, "back")
    for name in ("far", "lost"):
        arn = f"arn:aws:iam::{FOREIGN}:role/{name}" if name == "far" else f"{binding.role_arn}{name}"
        cluster.make_account("back", name, annotations={ROLE_ARN: arn})
    ran = cluster.irsa("doctor", "-c", "demo")
    assert ran.code == 5
    assert "? back/far" in ran.out
    assert f"    back/far: unknown: irsa can't read account {FOREIGN}" in ran.out
    assert f"✓ back/{NAME}" in ran.out
    assert "1 of 3 ServiceAccounts could not be checked" in ran.out


def test_service_accounts_that_can_not_be_listed(cluster: Stage) -> None:
    cluster.make_namespace("back")
    make(cluster, "back")
    ran = cluster.irsa("doctor", "-c", "demo", user=cluster.restricted())
    assert ran.code == 1
    assert "missing RBAC permission: list serviceaccounts" in ran.out
    assert "the ServiceAccounts could not be listed (exit 1)" in ran.out


def test_a_service_account_that_is_hidden_or_missing_is_not_said_to_name_no_role(cluster: Stage) -> None:
    cluster.make_namespace("back")
    make(cluster, "back")
    cluster.make_account("back", "plain")
    user = cluster.restricted()
    said = {
        ("admin", "nobody"): "does not exist",
        ("admin", "plain"): "has no role annotation",
        (user, NAME): "could not be read",
    }
    for (who, name), text in said.items():
        ran = cluster.irsa("doctor", name, "-n", "back", "-c", "demo", user=who)
        assert ran.out.splitlines()[1] == f"back/{name}: {text}"


def test_an_annotation_does_not_reach_the_terminal_raw(cluster: Stage) -> None:
    cluster.make_namespace("back")
    evil = "arn:aws:iam::111122223333:role/x\x1b[2K\n✓ back other"
    cluster.make_account("back", "evil", annotations={ROLE_ARN: evil})
    for name in (["evil", "-n", "back"], []):
        ran = cluster.irsa("doctor", *name, "-c", "demo", "-v")
        assert ran.code == 5
        assert "\x1b" not in ran.out
        assert not any(line.startswith("✓ back") for line in ran.out.splitlines())
    document = cluster.irsa("doctor", "evil", "-n", "back", "-c", "demo", "-o", "json").json
    (found,) = (item for item in document["items"][0]["findings"] if item["id"] == "annotation-arn")
    assert found["fix"].startswith("irsa create-sa evil -n back -c demo --attach-policy-arn ARN")


def test_an_empty_annotation_is_the_only_thing_that_is_wrong(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.annotate("")
    binding.new_pod()
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == ["annotation-arn"]
    assert document["items"][0]["role"]["arn"] == ""
    assert "is empty" in next(item["text"] for item in document["items"][0]["findings"])


def verdicts(document: Json) -> dict[str, str]:
    """What each check of the document said."""
    return {item["id"]: item["verdict"] for item in document["items"][0]["findings"]}


def test_what_irsa_asks_of_sts_hides_nothing_of_the_application(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = binding.stage
    note_exchange(stage.sandbox, stage.cluster, binding.subject, binding.role_arn, "ExpiredTokenException")
    binding.next_second()
    assert stage.irsa("verify", *of(binding), "-c", stage.cluster).code == 0
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == ["token-expired"]
    # That STS has admitted a token is known all the same.
    assert verdicts(document)["organization-policy"] == "ok"


def test_what_irsa_asks_of_sts_is_no_doing_of_the_application(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = binding.stage
    for arguments in (["verify"], ["credentials", "--duration", "12h"]):
        stage.irsa(arguments[0], *of(binding), "-c", stage.cluster, *arguments[1:])
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == []
    assert {"sts-never-asked", "token-malformed", "token-expired"} <= untold(document)
    assert any("except irsa's own" in item["text"] for item in document["items"][0]["findings"])
