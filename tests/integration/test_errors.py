"""What AWS, Kubernetes and the network can answer: exit code, cause, next step, nothing changed."""

import base64
import json
from collections.abc import Callable
from typing import Any

from irsa_cli.sandbox import ClusterSpec, Fault
from tests.support.rows import Row
from tests.support.sandbox_clients import policy
from tests.support.servers import make_certificate
from tests.support.stage import Ran, Stage

CREATE = "create-sa reader -n default --attach-policy-arn $S3 -o json"
STRANGER = (
    "aws eks create-access-entry --cluster-name demo --region eu-west-1 --principal-arn $HERE:user/stranger"
)
NO_KEYS: dict[str, Any] = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
NO_REGION = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}


def broken(service: str, operation: str, kind: Any, **more: Any) -> Callable[[Stage], None]:
    """A call fails, each time."""

    def given(stage: Stage) -> None:
        stage.sandbox.faults.add(Fault(service, operation, kind, **{"times": None, **more}))

    return given


def refusing(code: str, status: int) -> Callable[[Stage], None]:
    """IAM refuses to say whether there is a role."""
    return broken("iam", "GetRole", "error", code=code, status=status)


def user(name: str, *actions: str) -> Callable[[Stage], None]:
    """A user who may do this; `ci` is an administrator of the cluster."""

    def given(stage: Stage) -> None:
        stage.sandbox.add_user(name, policy=policy(*actions) if actions else None)
        if name == "ci":
            stage.sandbox.grant("demo", "ci", groups=["system:masters"])

    return given


def clusters(stage: Stage) -> None:
    """One that is being made, and one without an issuer."""
    stage.sandbox.add_cluster(ClusterSpec("young", status="CREATING"))
    stage.sandbox.add_cluster(ClusterSpec("old", oidc=False))


def slow(stage: Stage) -> None:
    """Each call takes longer than the run may in all."""
    stage.sandbox.latency = 0.6


def files(stage: Stage) -> None:
    """A file where a folder is wanted, a kubeconfig that is none, and one with another CA."""
    (stage.folder / "file").write_text("")
    (stage.folder / "broken").write_text("{}")
    kubeconfig(stage, ca=make_certificate().certificate)


def error(sentence: str, name: str, says: Any = (), line: str = CREATE, **more: Any) -> Row:
    """A run of create-sa that ends with an error of this code."""
    document = {"errors.0.code": name} if name else {}
    return Row(sentence, line, **{"code": 1, "says": says, "document": document, **more})


ROWS = (
    error("expired", "ExpiredToken", "aws sso login", given=refusing("ExpiredToken", 403)),
    error(
        "unknown", "InvalidClientTokenId", "get-caller-identity", given=refusing("InvalidClientTokenId", 403)
    ),
    error("denied", "AccessDenied", "iam:GetRole", given=refusing("AccessDenied", 403)),
    error("throttled", "Throttling", "again in a minute", given=refusing("Throttling", 400)),
    error(
        "a missing permission names the action, the caller and the object",
        "AccessDenied",
        ("iam:CreateRole", "demo-default-reader", ":user/ci"),
        given=user("ci", "eks:DescribeCluster", "iam:Get*", "iam:List*"),
        options={"user": "ci"},
    ),
    error(
        "EKS denies",
        "AccessDeniedException",
        "eks:DescribeCluster",
        given=user("nobody"),
        options={"user": "nobody"},
    ),
    error(
        "no such cluster: its region and the clusters there are named",
        "",
        ("eu-west-1", "demo"),
        f"{CREATE} -c dmeo",
        code=4,
    ),
    error("a cluster that is being made", "", "CREATING", f"{CREATE} -c young", code=4, given=clusters),
    error("a cluster without an issuer", "", "issuer", f"{CREATE} -c old", code=4),
    error("no provider yet", "", "CREATING", "associate-oidc -c young -o json", code=4),
    error("no provider", "", "issuer", "associate-oidc -c old -o json", code=4),
    error("no region", "NoRegion", "--region", options=NO_REGION),
    error("no credentials", "", "--profile", options=NO_KEYS),
    error("no such profile", "", "nowhere", f"{CREATE} --profile nowhere"),
    error("AWS can't be reached", "", "network", options={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}),
    error("a reset", "", given=broken("iam", "GetRole", "reset-before")),
    error("half an answer", "", given=broken("iam", "GetRole", "half-body")),
    error("a cut answer", "", given=broken("iam", "GetRole", "truncate-after")),
    error(
        "a policy that does not exist",
        "",
        "AmazonS3ReadOnlyAccess",
        CREATE.replace("$S3", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAcess"),
    ),
    error(
        "a boundary that does not exist",
        "",
        "permissions boundary",
        f"{CREATE} --permissions-boundary arn:aws:iam::111122223333:policy/nowhere",
    ),
    error(
        "the cluster does not know the caller",
        "Unauthorized",
        STRANGER.replace("$HERE", "arn:aws:iam::111122223333"),
        given=user("stranger", "eks:*", "iam:*"),
        options={"user": "stranger"},
    ),
    error("the cluster can't be reached", "", given=broken("kubernetes", "*", "reset-before")),
    error(
        "the certificate is not the cluster's",
        "",
        "certificate",
        f"{CREATE} --kubeconfig kubeconfig",
        given=files,
    ),
    error("a kubeconfig that is none", "Kubeconfig", (), f"{CREATE} --kubeconfig broken", given=files),
    error("a time limit that is too short", "", "time limit", f"{CREATE} --timeout 0.5s", given=slow),
    error("no journal, no change", "JournalError", (), f"{CREATE} --state-dir file/below", given=files),
    # A service that never answers ends in an error, not in a hang.
    *(
        error(
            f"no answer to {operation}",
            "",
            given=broken(service, operation, "hang", seconds=3600.0),
            options={"IRSA_CALL_TIMEOUT": "0.3"},
        )
        for service, operation in (
            ("eks", "DescribeCluster"),
            ("iam", "GetRole"),
            ("iam", "CreateRole"),
            ("kubernetes", "GET serviceaccounts"),
            ("kubernetes", "POST serviceaccounts"),
        )
    ),
    Row(
        "a time-out that is none",
        "create-sa reader --no-policy",
        code=2,
        says="IRSA_CALL_TIMEOUT",
        options={"IRSA_CALL_TIMEOUT": "soon"},
    ),
)


def test_what_can_go_wrong(stage: Stage) -> None:
    for row in ROWS:
        stage.sandbox.calls.clear()
        ran: Ran = row.play(stage)
        assert ran.code == 2 or ran.metadata["exitCode"] == ran.code, row.sentence
        if row.sentence.startswith("no journal"):
            assert "CreateRole" not in {call.operation for call in stage.sandbox.calls}
        stage.sandbox.faults.clear()
        stage.sandbox.latency = 0.0


def kubeconfig(stage: Stage, *, ca: str | None = None) -> str:
    """A kubeconfig for the stage's cluster, as its administrator; returns its path."""
    authority = base64.b64encode((ca or stage.kube.ca_pem).encode()).decode()
    server = {"server": stage.kube.endpoint, "certificate-authority-data": authority}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": stage.kube.token}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path = stage.folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return str(path)
