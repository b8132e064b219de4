"""Which EKS cluster a context of the kubeconfig is about: by its ARN, by what gets a token, by its server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.usecases.local.kubeconfig import all_clusters, eks_cluster

ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
EKS = "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com"
TOKEN = ["--region", "eu-west-2", "eks", "get-token", "--cluster-name", "prod", "--output", "json"]
AUTHENTICATOR = ["token", "-i", "prod"]


def config(name: str, server: str = "https://127.0.0.1:6443", exec_: Any = None) -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": name, "user": "me"}}],
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"exec": exec_} if exec_ else {"token": "x"}}],
    }


def command(program: str, args: list[str]) -> dict[str, Any]:
    return {"command": program, "args": args}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(*documents: Any) -> None:
        paths = []
        for number, document in enumerate(documents):
            path = tmp_path / f"config-{number}"
            path.write_text(document if isinstance(document, str) else yaml.dump(document), encoding="utf-8")
            paths.append(str(path))
        monkeypatch.setenv("KUBECONFIG", ":".join(paths))

    return put


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (config(ARN), ("prod", "eu-west-1")),
        (config(ARN, EKS, command("aws", TOKEN)), ("prod", "eu-west-1")),
        (config("x", EKS, command("aws", TOKEN)), ("prod", "eu-west-2")),
        (config("x", EKS, command("/usr/local/bin/aws", TOKEN)), ("prod", "eu-west-2")),
        (
            config("x", EKS, command("aws", ["eks", "get-token", "--cluster-name=prod"])),
            ("prod", "eu-central-1"),
        ),
        (config("x", EKS, command("aws-iam-authenticator", AUTHENTICATOR)), ("prod", "eu-central-1")),
        (config("prod.eu-west-3.eksctl.io", EKS), ("prod", "eu-west-3")),
        (config("prod", EKS), ("prod", "eu-central-1")),
        (config("prod", "https://0.gr7.cn-north-1.eks.amazonaws.com.cn"), ("prod", "cn-north-1")),
        (config("kind-prod"), None),
        (config("prod.eu-west-3.eksctl.io"), None),
        (config("prod", "https://eks.amazonaws.com.evil.example"), None),
        (config("prod", "https://evil.example/.eu-west-1.eks.amazonaws.com"), None),
        (config("x", "https://127.0.0.1", command("aws-iam-authenticator", AUTHENTICATOR)), None),
        (config("x", EKS, command("kubelogin", TOKEN)), ("x", "eu-central-1")),
        (config("arn:aws:eks:eu-west-1:111122223333:cluster/$(x)"), None),
        ({}, None),
        ({"current-context": "gone"}, None),
        ({"current-context": 7, "contexts": "x", "clusters": [3], "users": None}, None),
        ("a: [", None),
        ("- x", None),
    ],
)
def test_a_context_says_which_cluster_it_is_about(write: Any, document: Any, expected: Any) -> None:
    write(document)
    found = eks_cluster()
    assert (found and (found.name, found.region)) == expected


def test_files_are_merged_as_kubectl_does_it(write: Any, tmp_path: Path) -> None:
    second = config("arn:aws:eks:us-east-1:111122223333:cluster/other")
    second["contexts"][0]["name"] = "there"
    write({"current-context": "there"}, config(ARN), second)
    found = eks_cluster()
    assert found is not None
    assert (found.name, found.region, found.context) == ("other", "us-east-1", "there")
    assert found.source == str(tmp_path / "config-0")
    chosen = eks_cluster(None, "here")
    assert chosen is not None
    assert (chosen.name, chosen.arn) == ("prod", ARN)
    assert [item.name for item in all_clusters()] == ["prod", "other"]
    assert eks_cluster(str(tmp_path / "config-1")) is not None
    assert eks_cluster(str(tmp_path / "nothing")) is None
