"""Names for completion: from what is on this machine, only what a shell can take, and never an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.usecases.local import known_names


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for name in ("IRSA_CLUSTER", "IRSA_NAMESPACE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for number, (cluster, account) in enumerate(
        (("prod", "backend/reader"), ("prod", "backend/writer"), ("dev", "frontend/app"), ("dev", "(all)"))
    ):
        context = {"cluster": f"arn:aws:eks:eu-west-1:1:cluster/{cluster}", "serviceAccount": account}
        (folder / f"{number}.jsonl").write_text(
            json.dumps({"version": 1, "context": context, "plan": []}) + "\n"
        )
    (folder / "8.jsonl").write_text("{")
    (folder / "9.jsonl").write_text(
        json.dumps({"context": {"cluster": "a:b:c:$(x):d/$(touch y)", "serviceAccount": "a b/`c`"}})
    )
    return folder


def test_names_of_earlier_runs(state: Path) -> None:
    assert known_names.clusters(state) == ["dev", "prod"]
    assert known_names.accounts(state, "prod") == ["backend/reader", "backend/writer"]
    assert known_names.namespaces(state, "dev") == ["default", "frontend"]
    assert {"eu-west-1", "us-gov-west-1"} <= set(known_names.regions(state))
    assert known_names.clusters(state / "nowhere") == []


def test_names_of_the_project_and_the_aws_configuration(state: Path, tmp_path: Path) -> None:
    (tmp_path / ".irsa.yaml").write_text("cluster: here\nnamespace: mine\nprofile: p\n")
    assert known_names.clusters(state) == ["dev", "here", "prod"]
    assert known_names.cluster_in_force() == "here"
    assert known_names.namespace_in_force() == "mine"
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        "[default]\n[profile a]\nregion = x\n[sso-session s]\n[profile $(b)]\n"
    )
    (tmp_path / ".aws/credentials").write_text("[c]\n[default]\n")
    assert known_names.profiles() == ["a", "c", "default", "p"]
    (tmp_path / ".irsa.yaml").write_text("cluster: [")
    assert known_names.clusters(state) == ["dev", "prod"]
