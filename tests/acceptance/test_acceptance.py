"""The acceptance run itself: on the sandbox, and on stock moto with a real kube-apiserver.

Moto's server is a process of its own: the sandbox teaches moto things that stock moto does not know.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.sandbox.aws.clusters import issuer_of
from irsa_cli.sandbox.model import ClusterSpec
from tests.acceptance import facts
from tests.acceptance.steps import STEPS
from tests.aws_facts.fact import trust
from tests.docs import staging
from tests.docs.console import ROOT
from tests.support import forks
from tests.support.controlplane import ControlPlane, Etcd, free_port
from tests.support.kubeclient import KubeClient

ID = "0a1b2c3d"
POLICY = staging.PERMISSIONS / "acceptance-policy.json"
RBAC = staging.PERMISSIONS / "acceptance-rbac.yaml"
QUICK = ("--settle", "1", "--repeat", "0", "--facts", "0")
Env = Mapping[str, str]


class Acceptance:
    """One run of the program, against whatever its environment leads to."""

    def __init__(self, folder: Path, env: Env, *arguments: str, cluster: str = "demo") -> None:
        self.markdown, self.json = folder / "report.md", folder / "report.json"
        inherited = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        files = ("--report", str(self.markdown), "--json", str(self.json))
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.acceptance", "-c", cluster, "--yes", *files, *arguments],
            cwd=ROOT,
            env={**inherited, "PYTHONUTF8": "1", "ACCEPTANCE_PROGRAM": forks.irsa(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def wait(self) -> int:
        """Its exit code."""
        self.said += self.process.communicate(timeout=300)[0]
        assert "Traceback" not in self.said, self.said
        return self.process.returncode

    def hear(self, words: str) -> None:
        """Wait until it has said something."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return
        raise AssertionError(self.said)

    @property
    def report(self) -> dict[str, Any]:
        """What it reports."""
        found: dict[str, Any] = json.loads(self.json.read_text())
        return found

    @property
    def failed(self) -> dict[str, str]:
        """The steps that have not passed, and why."""
        return {step["name"]: step["why"] for step in self.report["steps"] if step["verdict"] != "passed"}


def limited(sandbox: Sandbox, without: str = "", rules: Callable[[Any], bool] = lambda _: True) -> Env:
    """The environment of a user who has exactly the documented permissions, but one."""
    policy = json.loads(staging.policy_text(POLICY))
    sandbox.add_user("tester", policy=staging.without(policy, without))
    granted = [*staging.rules(RBAC), *staging.rules(RBAC, kind="Role")]
    sandbox.grant("demo", "tester", rules=[rule for rule in granted if rules(rule)])
    with staging.kube(sandbox) as admin:
        for item in staging.rbac(RBAC):
            if item["kind"] == "Namespace":
                assert admin.create("/api/v1/namespaces", item).status == 201
    return sandbox.env(user="tester")


def assert_clean(report: Path, *secrets: str) -> None:
    """Only its owner can read it, and there is no name of the account in it."""
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert not re.search(r"arn:|\b\d{12}\b|AKIA|ASIA|AROA|eyJ|[0-9a-f]{8}-[0-9a-f]{4}-|https?:", text), text
    assert [secret for secret in secrets if secret in text] == []


def test_all_of_it_with_the_documented_permissions_and_late_reads(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    env = limited(sandbox)
    sandbox.replicate(0.1, 1)
    run = Acceptance(tmp_path, env, "--id", ID, "--settle", "2", "--repeat", "2")
    assert run.wait() == 0, run.said
    assert run.failed == {}
    report = run.report
    assert report["outcome"] == "passed"
    assert report["left"] == 0
    # The documented policy allows no associations.
    others = [fact for fact in facts.askable() if facts.is_about_associations(fact)]
    words = report["facts"].pop("wordsSeen")
    assert report["facts"] == {
        "asAWS": len(facts.askable()) - len(others),
        "rightCodeOnly": 0,
        "not": 0,
        "notAsked": len(others),
        "different": [],
    }
    assert len(facts.askable()) - len(others) > 90
    assert len(others) > 20
    assert words
    delays = report["delays"]
    assert {sum(item["histogram"].values()) for item in delays.values()} == {2}
    assert sum(item["histogram"]["<0.3"] for item in delays.values()) > 0
    assert len(delays) == 5
    issuer = issuer_of(ClusterSpec()).rpartition("/")[2]
    for path in (run.markdown, run.json):
        assert_clean(path, "111122223333", env["AWS_ACCESS_KEY_ID"], issuer, ID, "demo", "tester")
    assert sandbox.world() == before


def test_doubtful_facts_come_first_also_of_associations(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    asked = [fact for fact in facts.askable() if fact.evidence != "words"]
    assert facts.askable()[: len(asked)] == asked
    run = Acceptance(
        tmp_path, sandbox.env(), "--id", ID, *QUICK[:-2], "--steps", "2", "--facts", str(len(asked))
    )
    assert run.wait() == 0, run.said
    assert run.report["facts"]["asAWS"] == len(asked)
    told = {item["id"]: item["words"] for item in run.report["facts"]["wordsSeen"]}
    assert told["association-policy-tags"] == "With a policy, disableSessionTags must be set to true."
    for path in (run.markdown, run.json):
        assert_clean(path, "111122223333", ID, "demo")
    assert sandbox.world() == before


@pytest.mark.parametrize(
    ("action", "options", "code"),
    [
        ("iam:CreateOpenIDConnectProvider", ("--steps", "1"), 1),
        ("iam:AttachRolePolicy", ("--steps", "3"), 1),
        ("iam:DeleteRole", ("--steps", "0", "--facts", "1"), 3),
    ],
)
def test_a_permission_less_makes_it_fail(
    sandbox: Sandbox, tmp_path: Path, action: str, options: tuple[str, ...], code: int
) -> None:
    env = limited(sandbox, without=action)
    run = Acceptance(tmp_path, env, "--id", ID, *QUICK, *options)
    assert run.wait() == code, run.said
    assert run.report["outcome"] == "failed"
    assert (code == 3) == (run.report["left"] > 0)


def test_a_rule_less_makes_it_fail(sandbox: Sandbox, tmp_path: Path) -> None:
    env = limited(sandbox, rules=lambda rule: "serviceaccounts/token" not in rule.resources)
    run = Acceptance(tmp_path, env, "--id", ID, *QUICK, "--steps", "3")
    assert run.wait() == 1
    assert list(run.failed) == ["create-sa --verify"]


def test_ctrl_c_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    run = Acceptance(tmp_path, sandbox.env(), *QUICK)
    run.hear("verify, all six steps")
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 130, run.said
    assert run.report["outcome"] == "stopped"
    assert run.report["steps"][-1]["verdict"] == "not run"
    assert sandbox.world() == before


def test_a_signal_while_facts_are_asked_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    run = Acceptance(tmp_path, sandbox.env(), "--steps", "1")
    run.hear("25 facts")
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == 143, run.said
    assert 0 < run.report["facts"]["notAsked"] < len(facts.askable())
    assert sandbox.world() == before


def test_a_limit_ends_a_run_and_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    run = Acceptance(tmp_path, sandbox.env(), "--calls", "40", "--steps", "3")
    assert run.wait() == 1, run.said
    assert run.report["why"] == "the limit of time or calls was reached"
    assert run.report["calls"] < 120
    assert sandbox.world() == before


def test_what_a_killed_run_left_is_found_and_nothing_else_is_touched(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    clean = sandbox.world()
    run = Acceptance(tmp_path, sandbox.env(), *QUICK, "--id", ID)
    run.hear("verify, all six steps")
    run.process.kill()
    run.wait()
    sandbox.settle()
    left = sandbox.world()
    assert left["roles"]
    iam = staging.iam(sandbox)
    mark = [{"Key": "irsa-acceptance", "Value": ID}]
    for name, path, tags in (
        ("no-tag", f"/irsa-acceptance/{ID}/", []),
        ("tag-of-another-run", f"/irsa-acceptance/{ID}/", [{"Key": "irsa-acceptance", "Value": "ffffffff"}]),
        (f"irsa-acceptance-{ID}-untagged", "/", []),
        ("tag-elsewhere", "/irsa/demo/", mark),
    ):
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust(), Tags=tags)  # type: ignore[arg-type]
    with staging.kube(sandbox) as admin:
        for name, labels in (("irsa-acceptance-ffffffff", {}), ("theirs", {"irsa-acceptance": ID})):
            metadata = {"name": name, "labels": labels}
            assert admin.create("/api/v1/namespaces", {"metadata": metadata}).status == 201
    foreign = sandbox.world()
    cleaned = Acceptance(tmp_path, sandbox.env(), "--cleanup")
    assert cleaned.wait() == 0, cleaned.said
    after = sandbox.world()
    for kind in ("roles", "oidc_providers"):
        gone = set(left[kind]) - set(clean[kind])
        assert after[kind] == {name: item for name, item in foreign[kind].items() if name not in gone}, kind
    places, were = (world["kubernetes"]["demo"] for world in (after, foreign))
    names = {f"irsa-acceptance-{ID}", f"irsa-acceptance-{ID}-gone"}
    assert set(were["namespaces"]) - set(places["namespaces"]) == names
    assert not [name for name in places["serviceaccounts"] if name.startswith(f"irsa-acceptance-{ID}")]


def test_there_is_nothing_to_clean_up(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    run = Acceptance(tmp_path, sandbox.env(), "--cleanup")
    assert run.wait() == 0, run.said
    assert "left nothing behind" in run.said
    assert sandbox.world() == before


def test_nobody_is_asked_where_there_is_no_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox.world()
    env = {**sandbox.env(), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "tests.acceptance", "-c", "demo"]
    ended = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "IAM roles      in the path /irsa-acceptance/" in ended.stdout
    assert "OIDC provider  oidc.eks." in ended.stdout
    assert sandbox.world() == before


def test_a_wrong_answer_is_different_and_nothing_secret_is_in_the_report(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    secret = "arn:aws:iam::111122223333:role/demo token eyJhbGciOiJ"
    before = sandbox.world()
    for operation in ("UpdateRoleDescription", "AttachRolePolicy"):
        fault = Fault("iam", operation, "error", times=None, code="Strange", message=secret, status=400)
        sandbox.faults.add(fault)
    run = Acceptance(tmp_path, sandbox.env(), "--settle", "0", "--repeat", "1", "--steps", "3")
    assert run.wait() == 1, run.said
    report = run.report
    assert report["outcome"] == "failed"
    different = {item["id"]: item["code"] for item in report["facts"]["different"]}
    assert different["role-update-description"] == "Strange"
    assert "create-sa --verify" in run.failed
    assert "Strange" in run.failed["create-sa --verify"]
    for path in (run.markdown, run.json):
        assert_clean(path, secret, "111122223333", "demo")
    assert sandbox.world() == before


MOTO_LACKS = {
    "namespaces and get-sa": "ListPodIdentityAssociations",
    "verify, all six steps": "SubjectFromWebIdentityToken",
}
"""Steps that can't be taken on stock moto, and what it lacks; docs/how-to/acceptance.md has the same."""
MOTO = ("--no-exchange", "--repeat", "1", "--facts", "50")
MOTO_ACCOUNT = "123456789012"


@pytest.fixture
def moto() -> Iterator[dict[str, str]]:
    """Moto's server as it comes, with a cluster `demo`; the environment that leads to it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < until:
            assert process.poll() is None
        env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "AKIAMOTOMOTOMOTOMOTO",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "IRSA_RETRY_TIMEOUT": "0.5",
        }
        client(env, "eks").create_cluster(
            name="demo",
            roleArn=f"arn:aws:iam::{MOTO_ACCOUNT}:role/eks",
            resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]},
        )
        yield env
    finally:
        process.terminate()
        process.wait(30)


def client(env: Env, service: str) -> Any:
    make: Any = boto3.client
    return make(
        service,
        region_name=env["AWS_REGION"],
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )


def kubeconfig(folder: Path, plane: ControlPlane) -> Path:
    """A kubeconfig of the administrator."""
    authority = folder / "apiserver.crt"
    authority.write_text(plane.ca_pem)
    named = {
        "clusters": [
            {"name": "x", "cluster": {"server": plane.endpoint, "certificate-authority": str(authority)}}
        ],
        "users": [{"name": "x", "user": {"token": plane.admin_token}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", **named}))
    return path


def namespaces(admin: KubeClient) -> set[str]:
    """Those that are not being deleted: there is no controller that ends it."""
    items = admin.get("/api/v1/namespaces").body["items"]
    return {item["metadata"]["name"] for item in items if item["status"]["phase"] == "Active"}


@pytest.mark.e2e
def test_stock_moto_and_a_real_api_server(etcd: Etcd, moto: dict[str, str], tmp_path: Path) -> None:
    issuer = client(moto, "eks").describe_cluster(name="demo")["cluster"]["identity"]["oidc"]["issuer"]
    with ControlPlane(etcd.assets, etcd, issuer=issuer) as plane:
        before = namespaces(plane.admin)
        config = str(kubeconfig(tmp_path, plane))
        run = Acceptance(tmp_path, moto, "--kubeconfig", config, "--settle", "0.5", *MOTO)
        code = run.wait()
        print(run.said)
        assert set(run.failed) == set(MOTO_LACKS)
        assert code == 1
        assert run.report["left"] == 0
        assert client(moto, "iam").list_roles()["Roles"] == []
        assert client(moto, "iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
        assert namespaces(plane.admin) == before
        assert plane.admin.get("/api/v1/serviceaccounts").body["items"] == []
        for path in (run.markdown, run.json):
            assert_clean(path, MOTO_ACCOUNT, plane.admin_token)


def test_the_page_says_what_moto_lacks() -> None:
    page = (ROOT / "docs" / "how-to" / "acceptance.md").read_text()
    assert [item for item in (*MOTO_LACKS, *MOTO_LACKS.values()) if item not in page] == []
    assert [name for name in STEPS if f"| {name} |" not in page] == []
