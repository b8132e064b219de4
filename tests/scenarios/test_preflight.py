"""Preflight in pods that came up without their identity, as people reported it, and in healthy ones.

Each is played as the pod's container: the variables and mounts that the API server admitted, the token that
the kubelet asks for, and the sandbox's STS, an agent, IMDS, or nothing behind an endpoint. A sentence begins
with where such a pod was reported (on GitHub). What the SDK takes is in tests/unit/preflight.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.preflight import onefile
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs.console import ROOT
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.preflight_pods import EXCHANGE, Scene, scene_of
from tests.scenarios.preflighting import NOBODY, LocalAws, local_aws, one_file, preflight

MODULE = (sys.executable, "-m", "irsa_cli.preflight")


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture
def scene(sandbox: Sandbox, aws: LocalAws, tmp_path: Path) -> Iterator[Scene]:
    with scene_of(sandbox_stage(sandbox, "demo", tmp_path), "back", aws) as made:
        yield made


@dataclass(frozen=True)
class Pod:
    """A pod: what became of it (lines of `Scene.play`), how preflight is called, and what it has to say.

    It starts by the line `start`, and at the end without one. `says` is searched for in all that is shown.
    """

    sentence: str
    given: str = ""
    says: str = ""
    code: int = 0
    flags: str = ""

    def play(self, scene: Scene) -> dict[str, Any]:
        lines = self.given if "start" in self.given else f"start\n{self.given}"
        scene.play(lines)
        program = one_file(scene.folder) if scene.user is not None else ()
        words = [*scene.flags, *self.flags.replace("$ROLE", scene.world.role_arn).split()]
        code, item = preflight(scene.env, *words, user=scene.user, program=program)
        said = " ".join([item["sentence"], item["cause"] or "", str(item["evidence"]), *item["next"]])
        assert (code, bool(re.search(self.says, said))) == (self.code, True), item
        assert item["verdict"] == {0: "expected", 5: "wrong", 1: "unknown"}[code]
        return item


def pods(*played: Pod) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pod", played, ids=[pod.sentence for pod in played])


NOWHERE = "start AWS_ENDPOINT_URL_STS=https://sts.eu-west-1.invalid"
"""A name that no DNS has (RFC 6761)."""
BY_AGENT = "by_pod_identity\nstart AWS_ENDPOINT_URL_STS=$AWS"
BUNDLE = "start AWS_CA_BUNDLE=$FOLDER/own.pem\nencrypted"


@pods(
    Pod(
        "aws/amazon-eks-pod-identity-webhook/issues/174: older than the webhook",
        "new_pod_unseen\nstart",
        "node's role node.*neither the variables of IRSA nor those of EKS Pod Identity.*restart",
        5,
    ),
    Pod(
        "aws/karpenter-provider-aws/issues/5310: the node hides its role",
        "new_pod_unseen\nstart AWS_EC2_METADATA_SERVICE_ENDPOINT=$CLOSED",
        "no AWS identity.*neither the variables",
        5,
    ),
    Pod(
        "aws-observability/helm-charts/issues/75: the hop limit is one",
        "new_pod_unseen\nstart\ndropped AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "no AWS identity.*neither the variables",
        5,
    ),
    Pod(
        "aws/aws-app-mesh-roadmap/issues/464: the template has the role",
        "with_env AWS_ROLE_ARN=$ROLE\nstart",
        "only AWS_ROLE_ARN is set",
        5,
    ),
    Pod(
        "aws-controllers-k8s/community/issues/1756: variables without the volume",
        "start AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
        "does not exist: the volume is not mounted.*remove the AWS_ variables",
        5,
    ),
    Pod(
        "camunda/camunda-docs/pull/9134: keys of the chart",
        "start AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY",
        "role none instead of .*static keys.*remove this source",
        5,
    ),
    Pod(
        "keys that AWS refuses",
        "start AWS_ACCESS_KEY_ID=AKIA1 AWS_SECRET_ACCESS_KEY=not-a-key",
        "that AWS refuses",
        5,
    ),
    Pod(
        "mongodb-industry-solutions/multiagent-predictive-maintenance/pull/44: a profile of the values",
        "start AWS_PROFILE=default",
        "AWS_PROFILE is 'default', and no file has",
        5,
        "--sdk python",
    ),
    Pod("SDKs that differ", "start AWS_PROFILE=missing", "in different orders.*--sdk NAME", 1),
    Pod(
        "aws/amazon-eks-pod-identity-webhook/pull/196: a profile with a token of Pod Identity",
        """by_pod_identity
        start AWS_CONFIG_FILE=$FOLDER/config
        write config '[default]|role_arn = $ROLE|web_identity_token_file = $TOKEN'""",
        "audience .*pods.eks.amazonaws.com",
        5,
    ),
    Pod("rancher/fleet/issues/790: the token is root's", "for_its_owner", "not readable by uid .*fsGroup", 5),
    Pod(
        "aws/amazon-eks-pod-identity-webhook/issues/232: a log line in the token",
        "start AWS_WEB_IDENTITY_TOKEN_FILE=$FOLDER/odd\nwrite odd '<token> 11:11:49.782386 v3.go:79] EOF'",
        "holds no JWT.*projected ServiceAccount token",
        5,
    ),
    Pod(
        "parseablehq/parseable/issues/604: the token is not renewed",
        "claims exp -152961",
        "expired 15296. s ago: the kubelet does not renew.*restart the pod",
        5,
    ),
    Pod("aws/aws-sdk-ruby/issues/2698: a token without an audience", "claims aud", "audience None", 5),
    Pod(
        "cert-manager/aws-privateca-issuer/issues/277: namespace and name are mixed up",
        "values sub=system:serviceaccount:doctor-reader:back\nstart",
        "does not allow system:serviceaccount:back:doctor-reader.*irsa verify doctor-reader -n back",
        5,
    ),
    Pod(
        "namespacelabs/foundation/issues/801: no provider",
        "no_provider\nstart",
        "account 111122223333 has no OIDC provider for .*irsa associate-oidc",
        5,
    ),
    Pod(
        "awslabs/mountpoint-s3-csi-driver/issues/276: the provider has another audience",
        "no_provider\nmake_provider '' amazonaws.com\nstart",
        "no OIDC provider for.* and the audience .*sts.amazonaws.com.*Incorrect token audience",
        5,
    ),
    Pod(
        "crossplane-contrib/provider-aws/pull/1331: a role of another account",
        "role_elsewhere\nstart",
        "account 444455556666 has no OIDC provider",
        5,
    ),
    Pod(
        "ministryofjustice/cloud-platform-environments/pull/44439: a NetworkPolicy without STS",
        "dropped AWS_ENDPOINT_URL_STS",
        "no answer from .* in time.*NetworkPolicy.*VPC endpoint",
        1,
    ),
    Pod(
        "external-secrets/external-secrets/issues/651: the global endpoint in a private network",
        "start AWS_STS_REGIONAL_ENDPOINTS=legacy HTTPS_PROXY=$CLOSED\nunset AWS_ENDPOINT_URL_STS",
        "https://sts.amazonaws.com.*proxy 127.0.0.1 refuses|proxy 127.0.0.1 refuses.*https://sts.amazonaws.com",
        1,
    ),
    Pod(
        "cert-manager/cert-manager/issues/5480: the CA of a company",
        "encrypted",
        "not trusted.*AWS_CA_BUNDLE",
        1,
    ),
    Pod(
        "aws/eks-pod-identity-agent/issues/26: the agent is down",
        "by_pod_identity\nstart AWS_CONTAINER_CREDENTIALS_FULL_URI=$CLOSED/v1/credentials",
        "refuses connections.*eks-pod-identity-agent",
        1,
    ),
    Pod(
        "Smana/runlore/pull/57: a NetworkPolicy without the agent",
        "by_pod_identity\nstart\ndropped AWS_CONTAINER_CREDENTIALS_FULL_URI /v1/credentials",
        "no answer from .* in time",
        1,
    ),
    Pod(
        "awsdocs/amazon-eks-user-guide/pull/878: the agent behind a proxy",
        """by_pod_identity
        start AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials
        has HTTP_PROXY=$CLOSED NO_PROXY=127.0.0.1,.svc""",
        "proxy 127.0.0.1.*169.254.170.23.* NO_PROXY",
        1,
        "--sdk go",
    ),
    Pod(
        "hashicorp/vault-k8s/pull/793: the agent's token is not mounted",
        "by_pod_identity\nstart AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$FOLDER/eks-pod-identity-token",
        "eks-pod-identity-token is not readable",
        5,
    ),
    Pod(
        "another expected role",
        "",
        "role .*instead of other.*correct the ServiceAccount's role",
        5,
        "--expect-role other",
    ),
    Pod("another expected account", "", "account 1.* instead of 9", 5, "--expect-account 999988887777"),
    Pod("no DNS", NOWHERE, "sts.eu-west-1.invalid can't be resolved", 1),
    Pod(
        "a proxy that DNS does not have",
        "start AWS_ENDPOINT_URL_STS=https://sts.eu-west-1.invalid HTTPS_PROXY=http://proxy.invalid:3128",
        "proxy.invalid can't be resolved",
        1,
    ),
    Pod("a proxy that refuses a tunnel", f"{NOWHERE} HTTPS_PROXY=$AWS", "through the proxy 127.0.0.1", 1),
    Pod(
        "a proxy that swallows",
        f"{NOWHERE}\ndropped HTTPS_PROXY",
        r"no answer from sts.eu-west-1.invalid in time \(through the proxy 127.0.0.1\).*NO_PROXY",
        1,
    ),
    Pod(
        "a proxy without TLS that swallows",
        "start AWS_ENDPOINT_URL_STS=http://sts.invalid\ndropped HTTP_PROXY",
        r"no answer from sts.invalid in time \(through the proxy 127.0.0.1\)",
        1,
    ),
    Pod("a proxy that refuses", "start HTTP_PROXY=$CLOSED", "the proxy 127.0.0.1 refuses", 1, "--sdk python"),
    Pod("a proxy that JavaScript does not read", "start HTTP_PROXY=$CLOSED", flags="--sdk javascript"),
    Pod("an STS that hangs", "start\nfault sts hang seconds=60", "no answer from", 1, "--timeout 0.5s"),
    Pod("a page of somebody", "start\nfault sts answer status=200 body=<html>", "is not from AWS", 1),
    Pod("a stranger's certificate", f"{BUNDLE}\nfault aws tls-stranger *", "is not trusted", 1),
    Pod("no TLS at all", f"{BUNDLE}\nfault aws tls-garbage *", "can't be reached", 1),
    Pod("no bundle", BUNDLE.replace("own", "no"), "AWS_CA_BUNDLE", 1),
    Pod(
        "a bundle that is none",
        f"{BUNDLE}\nwrite own.pem '-----BEGIN CERTIFICATE-----|nope|'",
        "AWS_CA_BUNDLE",
        1,
    ),
    Pod("a short session name", "start AWS_ROLE_SESSION_NAME=a", "STS refuses the name of its session", 5),
    Pod(
        "the time to wait ends", "start AWS_ENDPOINT_URL_STS=$CLOSED", "refuses connections", 1, "--wait 0.2s"
    ),
    Pod(
        "a long wait for what can't change",
        "start\nunset AWS_WEB_IDENTITY_TOKEN_FILE",
        "only",
        5,
        "--wait 600s",
    ),
    Pod(
        "a wait for a role that is made",
        "start\nfault sts error code=AccessDenied status=403",
        flags="--wait 20s",
    ),
)
def test_preflight_names_the_cause(pod: Pod, scene: Scene) -> None:
    pod.play(scene)


@pods(
    Pod("as it is", flags="--expect-role $ROLE --expect-account 111122223333"),
    Pod("nodes that hide their role", "start AWS_EC2_METADATA_SERVICE_ENDPOINT=$CLOSED"),
    Pod(
        "an audience of its own",
        """annotate ours eks.amazonaws.com/audience
        new_pod
        no_provider
        make_provider '' ours
        values aud=ours
        start""",
        "'aud': ..ours",
    ),
    Pod("a token for ten minutes", "annotate 600 eks.amazonaws.com/token-expiration\nnew_pod\nstart"),
    Pod(
        "a role of another account with the provider",
        "role_elsewhere\nmake_provider account=444455556666\nstart",
        flags="--expect-account 444455556666",
    ),
    Pod("empty keys of a chart", "start AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY= AWS_SESSION_TOKEN="),
    Pod(
        "a configuration without credentials",
        """start AWS_CONFIG_FILE=$FOLDER/config
        write config '[default]|region = eu-west-1||[profile other]|region = us-east-1'""",
    ),
    Pod("a proxy that is not for STS", "start HTTP_PROXY=$CLOSED NO_PROXY='10.0.0.0/8, 127.0.0.1,.svc'"),
    Pod("a proxy for STS", "start AWS_ENDPOINT_URL_STS=http://sts.eu-west-1.invalid http_proxy=$AWS"),
    Pod("an endpoint with a CA of its own", BUNDLE),
    Pod("a bundle that is not needed", "start AWS_CA_BUNDLE=/nonexistent/ca.pem"),
    Pod("Pod Identity", BY_AGENT, flags="--expect-role arn:aws:iam::111122223333:role/team/associated"),
    Pod(
        "Pod Identity of an SDK that needs no exception of the proxy",
        f"{BY_AGENT}\nhas AWS_ENDPOINT_URL_STS=http://localhost:$PORT HTTP_PROXY=$CLOSED NO_PROXY=localhost",
        flags="--sdk python --expect-role associated",
    ),
    Pod(
        "both an annotation and an association",
        f"by_pod_identity\nannotate $ROLE\nnew_pod\n{BY_AGENT.splitlines()[1]}",
        flags="--expect-role associated",
    ),
    Pod(
        "web identity of a profile",
        """start AWS_CONFIG_FILE=$FOLDER/config AWS_PROFILE=app
        write config '[profile app]|role_arn = $ROLE|web_identity_token_file = $TOKEN'
        unset AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE""",
        flags="--expect-role $ROLE",
    ),
)
def test_preflight_raises_no_alarm_in_a_healthy_pod(pod: Pod, scene: Scene) -> None:
    item = pod.play(scene)
    assert (item["next"], item["notReached"]) == ([], [])


@pytest.mark.parametrize(
    "kind",
    ["throttle", "status status=503", "reset-before", "garble-after", "error code=IDPCommunicationError"],
)
def test_a_passing_fault_is_unknown_at_once_and_overcome_by_waiting(scene: Scene, kind: str) -> None:
    scene.play(f"start\nfault sts {kind}")
    code, item = preflight(scene.env)
    assert (code, item["verdict"], item["notReached"]) == (1, "unknown", [f"STS {EXCHANGE}"]), item
    scene.play(f"fault sts {kind}")
    assert preflight(scene.env, "--wait", "20s")[0] == 0


@pytest.mark.parametrize(("user", "home"), [(NOBODY, "HOME=/nonexistent"), (54321, "-uHOME"), (0, "HOME=.")])
def test_a_user_without_rights_home_or_a_place_to_write(scene: Scene, user: int, home: str) -> None:
    scene.start()
    program = ("/usr/bin/env", home, *one_file(scene.folder))
    scene.folder.chmod(0o755 if user == 0 else 0o555)
    before = sorted(scene.folder.rglob("*"))
    own = user if os.getuid() == 0 else None
    code, _ = preflight(scene.env, program=program, folder=scene.folder, user=own)
    assert (code, sorted(scene.folder.rglob("*"))) == (0, before)


def test_the_session_has_the_name_that_is_set(scene: Scene) -> None:
    scene.start(AWS_ROLE_SESSION_NAME="web-1", AWS_ENDPOINT_URL_STS=scene.aws.url)
    assert preflight(scene.env)[0] == 0
    assert scene.aws.asked[-1]["RoleSessionName"] == "web-1"


def test_the_region_that_boto3_does_not_read(scene: Scene) -> None:
    """A template with AWS_REGION alone keeps EKS's webhook from setting AWS_DEFAULT_REGION."""
    scene.play("start HTTPS_PROXY=$CLOSED\nunset AWS_DEFAULT_REGION AWS_ENDPOINT_URL_STS")
    for sdk, endpoint in (("python", "sts.amazonaws.com"), ("go", "sts.eu-west-1.amazonaws.com")):
        _, item = preflight(scene.env, "--sdk", sdk)
        assert item["evidence"]["sts"] == f"https://{endpoint}", item


def test_the_token_is_rotated_while_it_waits(scene: Scene) -> None:
    """The kubelet writes a new folder and moves one link to it; the new token is read."""
    scene.start()
    folder, mine = scene.token_file.parent, scene.token_file.read_text()
    scene.claims("aud")
    stale = scene.token_file.read_text()
    scene.token_file.unlink()
    for name, text in (("..1", stale), ("..2", mine)):
        (folder / name).mkdir()
        (folder / name / "token").write_text(text)
    (folder / "..data").symlink_to("..1")
    scene.token_file.symlink_to("..data/token")

    def rotate() -> None:
        (folder / "..new").symlink_to("..2")
        (folder / "..new").replace(folder / "..data")

    scene.world.stage.sandbox.faults.add(Fault("sts", EXCHANGE, "callback", run=rotate))
    code, item = preflight(scene.env, "--wait", "20s")
    assert (code, item["evidence"]["token"]["sub"]) == (0, scene.world.subject), item


WAYS = {
    "healthy": "start",
    "a proxy": f"{NOWHERE} HTTPS_PROXY=http://user:pass-word@127.0.0.1:9",
    "keys": "start AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG",
    "the agent fails": """start AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/v1/credentials
        has AWS_CONTAINER_AUTHORIZATION_TOKEN=agents-token-of-this-pod AWS_ROLE_ARN=""",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_form_answers_the_same_without_a_secret(way: str, scene: Scene) -> None:
    scene.play(way)
    forms = [MODULE, one_file(scene.folder, sys.executable), (sys.executable, "-m", "irsa_cli", "preflight")]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": "/nonexistent", **scene.env}
    secrets = [*scene.token_file.read_text().split("."), "pass-word", "wJalrXUtnFEMI", "agents-token"]
    for output in ("text", "json"):
        answers = set()
        for form in forms:
            ended = subprocess.run(
                [*form, "-o", output], env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert not [secret for secret in secrets if secret in ended.stdout + ended.stderr]
            shown = re.sub(r"irsa-preflight-\d+|\b\d+ s\b|\"(?:age|expiresIn)\": \d+", "…", ended.stdout)
            answers.add((ended.returncode, shown))
        assert len(answers) == 1, answers


@pods(
    Pod("works", "", "The pod is", 0, "sts get-caller-identity"),
    Pod("is refused", "", "AWS refuses 'iam list-users'", 5, "iam list-users"),
    Pod("is none", "", "'s3 no-such-call': ", 1, "s3 no-such-call"),
)
def test_a_call_of_the_application_is_sent_too(pod: Pod, scene: Scene) -> None:
    scene.start(AWS_ENDPOINT_URL=scene.world.stage.sandbox.url)
    code, item = preflight(scene.env, "--call", pod.flags)
    assert (code, item["evidence"]["call"]) == (pod.code, pod.flags), item
    assert pod.says in f"{item['sentence']} {item['cause']}"


# The one file.

FOLDER = Path(onefile.__file__).parent
PYTHONS = [
    path
    for number in range(8, 14)
    for path in (
        shutil.which(f"python3.{number}"),
        *map(str, Path.home().glob(f".pyenv/versions/3.{number}.*/bin/python3")),
    )
    if path and "/shims/" not in path
]


@pytest.mark.parametrize("python", PYTHONS or [sys.executable])
def test_one_file_runs_on_each_python_and_writes_itself(scene: Scene, python: str) -> None:
    scene.start()
    program = one_file(scene.folder, python)
    code, item = preflight(scene.env, program=program)
    assert (code, item["verdict"]) == (0, "expected")
    ended = subprocess.run([*program, "--self"], cwd="/", capture_output=True, check=True)
    assert ended.stdout == Path(program[-1]).read_bytes() == onefile.one_file()
    assert len(ended.stdout) < 100_000


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_the_same_bytes_from_each_copy(tmp_path: Path, mode: int) -> None:
    """Whatever its files' times and modes, the hash seed, the time zone, and what else is there."""
    root = tmp_path / f"copy-{mode}"
    target = root / "irsa_cli" / "preflight"
    shutil.copytree(
        FOLDER, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("__pycache__")
    )
    (target.parent / "__init__.py").write_text("# another one\n")
    for path in target.iterdir():
        path.chmod(mode)
        os.utime(path, (mode, mode))
    (target / "stray.py").write_text("pass\n")
    env = {"PYTHONPATH": str(root), "PYTHONHASHSEED": str(mode), "TZ": f"UTC{mode % 9}"}
    ended = subprocess.run(
        [*MODULE, "--self"], env=env, cwd=root, capture_output=True, check=True, umask=0o77
    )
    assert ended.stdout == onefile.one_file()
    assert ended.stderr.decode() == f"sha256 {hashlib.sha256(ended.stdout).hexdigest()}\n"
    assert sorted(onefile.FILES) == sorted(path.name for path in FOLDER.iterdir() if path.is_file())
