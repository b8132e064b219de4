"""What AWS, Kubernetes and the network can answer: an exit code, the cause, the next step."""

import base64
import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.servers import make_certificate
from tests.support.stage import READ_ONLY, Ran, Stage


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    made = sandbox_stage(sandbox, "demo", tmp_path)
    assert made.associate().code == 0
    sandbox.calls.clear()
    return made


def create(stage: Stage, *arguments: str, **env: str) -> Ran:
    """Run create-sa, expect that it fails without leaving anything; its error as JSON and text."""
    before = stage.world()
    ran = stage.create_sa(
        "reader", "default", "--attach-policy-arn", READ_ONLY, "-o", "json", *arguments, **env
    )
    assert ran.code in (1, 4), ran.err
    assert ran.error["code"]
    assert ran.metadata["exitCode"] == ran.code
    assert stage.world() == before
    return ran


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("ExpiredToken", 403, "aws sso login"),
        ("InvalidClientTokenId", 403, "get-caller-identity"),
        ("AccessDenied", 403, "iam:GetRole"),
        ("Throttling", 400, "again in a minute"),
    ],
)
def test_iam_refuses_a_read(stage: Stage, code: str, status: int, words: str) -> None:
    stage.sandbox.faults.add(Fault("iam", "GetRole", "error", code=code, status=status, times=None))
    ran = create(stage)
    assert ran.code == 1
    assert ran.error["code"] == code
    assert words in ran.err


def test_a_missing_permission_names_the_action_the_caller_and_the_object(stage: Stage) -> None:
    allowed = ["eks:DescribeCluster", "iam:Get*", "iam:List*"]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    stage.sandbox.add_user("ci", policy={"Version": "2012-10-17", "Statement": statement})
    stage.sandbox.grant("demo", "ci", groups=["system:masters"])
    before = stage.world()
    ran = stage.create_sa("reader", "default", "-o", "json", user="ci")
    assert ran.code == 1
    assert ran.error["code"] == "AccessDenied"
    details = "\n".join(ran.error["details"])
    assert "iam:CreateRole" in details
    assert "reader" in details
    assert ":user/ci" in details
    assert stage.world() == before


def test_eks_denies_describe_cluster(stage: Stage) -> None:
    stage.sandbox.add_user("nobody", policy=None)
    ran = stage.create_sa("reader", "default", "-o", "json", user="nobody")
    assert ran.code == 1
    assert ran.error["code"] == "AccessDeniedException"
    assert "eks:DescribeCluster" in ran.err


def test_no_such_cluster_names_the_region_and_the_clusters_there(stage: Stage) -> None:
    ran = stage.irsa("create-sa", "reader", "-c", "dmeo", "--no-policy", "-o", "json")
    assert ran.code == 4
    assert "eu-west-1" in ran.error["message"]
    assert "demo" in "".join(ran.error["details"])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ClusterSpec("young", status="CREATING"), "CREATING"),
        (ClusterSpec("old", oidc=False), "issuer"),
    ],
)
@pytest.mark.parametrize("command", ["associate-oidc", "create-sa"])
def test_a_cluster_that_cannot_have_irsa(stage: Stage, spec: ClusterSpec, words: str, command: str) -> None:
    stage.sandbox.add_cluster(spec)
    name = ["reader", "--no-policy"] if command == "create-sa" else []
    ran = stage.irsa(command, *name, "-c", spec.name, "-o", "json")
    assert ran.code == 4
    assert words in ran.error["message"]


def test_no_region(stage: Stage) -> None:
    ran = create(stage, AWS_REGION="", AWS_DEFAULT_REGION="")
    assert ran.code == 1
    assert ran.error["code"] == "NoRegion"
    assert "--region" in ran.err


def test_no_credentials(stage: Stage) -> None:
    ran = create(stage, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert ran.code == 1
    assert "--profile" in ran.err


def test_no_such_profile(stage: Stage) -> None:
    ran = create(stage, "--profile", "nowhere")
    assert ran.code == 1
    assert "nowhere" in ran.err


def test_aws_cannot_be_reached(stage: Stage) -> None:
    ran = create(stage, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert ran.code == 1
    assert "network" in ran.err


@pytest.mark.parametrize("kind", ["reset-before", "half-body", "truncate-after"])
def test_a_broken_answer_to_a_read(stage: Stage, kind: str) -> None:
    fault = Fault("iam", "GetRole", kind, times=None)  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)
    assert create(stage).code == 1


def test_a_policy_that_does_not_exist(stage: Stage) -> None:
    stage.sandbox.faults.clear()
    before = stage.world()
    wrong = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAcess"
    ran = stage.create_sa("reader", "default", "--attach-policy-arn", wrong, "-o", "json")
    assert ran.code == 1
    assert "AmazonS3ReadOnlyAccess" in "".join(ran.error["details"])
    assert stage.world() == before


def test_a_boundary_that_does_not_exist(stage: Stage) -> None:
    ran = create(stage, "--permissions-boundary", "arn:aws:iam::111122223333:policy/nowhere")
    assert "permissions boundary" in ran.error["message"]


def test_the_cluster_does_not_know_the_caller(stage: Stage) -> None:
    statement = {"Effect": "Allow", "Action": ["eks:*", "iam:*"], "Resource": "*"}
    stage.sandbox.add_user("stranger", policy={"Version": "2012-10-17", "Statement": statement})
    ran = stage.create_sa("reader", "default", "-o", "json", user="stranger")
    assert ran.code == 1
    assert ran.error["code"] == "Unauthorized"
    entry = "aws eks create-access-entry --cluster-name demo --region eu-west-1 --principal-arn"
    assert f"{entry} arn:aws:iam::111122223333:user/stranger" in ran.err


def test_the_cluster_cannot_be_reached(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault("kubernetes", "*", "reset-before", times=None))
    assert create(stage).code == 1


def test_the_certificate_of_the_api_is_not_the_clusters(stage: Stage) -> None:
    other = kubeconfig(stage, ca=make_certificate().certificate)
    ran = create(stage, "--kubeconfig", other)
    assert "certificate" in ran.error["reason"]


def test_a_kubeconfig_that_is_none(stage: Stage) -> None:
    (stage.folder / "broken").write_text("{}")
    ran = create(stage, "--kubeconfig", "broken")
    assert ran.error["code"] == "Kubeconfig"


def test_a_time_limit_that_is_too_short(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=lambda: None))
    stage.sandbox.latency = 0.2
    ran = create(stage, "--timeout", "0.5s")
    assert "time limit" in ran.error["message"]


def test_no_journal_no_change(stage: Stage) -> None:
    (stage.folder / "file").write_text("")
    ran = create(stage, "--state-dir", str(stage.folder / "file" / "below"))
    assert ran.error["code"] == "JournalError"
    writes = [call.operation for call in stage.sandbox.calls if call.operation == "CreateRole"]
    assert writes == []


def kubeconfig(stage: Stage, *, ca: str | None = None) -> str:
    """A kubeconfig for the stage's cluster, as its administrator; returns its path."""
    authority = base64.b64encode((ca or stage.kube.ca_pem).encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": stage.kube.endpoint, "certificate-authority-data": authority}}
        ],
        "users": [{"name": "u", "user": {"token": stage.kube.token}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path = stage.folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return str(path)
