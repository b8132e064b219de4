"""`irsa policies`, and the uses that `--well-known-policy` of create-sa names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.policies import wellknown
from irsa_cli.core.policies.policy import WellKnown
from irsa_cli.core.policies.wellknown_uses import read_uses
from irsa_cli.core.values.errors import InvalidInput
from tests.support.ran import check


def documents(capsys: pytest.CaptureFixture[str], line: str) -> Any:
    """The document that `policies` prints."""
    assert run(["policies", *line.split(), "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check(document, 0)
    return document


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(wellknown.names())
    assert [item["name"] for item in documents(capsys, "list")["items"]] == list(wellknown.names())


def test_show_takes_every_policy_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for name in wellknown.names():
        whole = documents(capsys, f"show {name} --partition aws-us-gov")
        (document,) = whole["items"]
        assert (whole["kind"], document["name"]) == ("WellKnownPolicyList", name)
        assert document["policyARNs"] or document["document"]["Statement"], name
        assert "arn:aws:" not in json.dumps(document), name
        missing = [item["name"] for item in document["parameters"] if item["required"]]
        assert all(f"${{{item}}}" in json.dumps(document["document"]) for item in missing), name
        assert run(["policies", "show", name]) == 0
        assert capsys.readouterr().out.startswith(f"{name}: ")


def test_show_with_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = documents(capsys, "show externalDNS --param hostedZones=Z1,Z2")["items"]
    zones = ["arn:aws:route53:::hostedzone/Z1", "arn:aws:route53:::hostedzone/Z2"]
    assert item["document"]["Statement"][0]["Resource"] == zones


def test_uses_as_flags_name_them() -> None:
    assert read_uses(["autoScaler, vpcCNI", "velero:buckets=one,two", "autoScaler"]) == (
        WellKnown("autoScaler"),
        WellKnown("vpcCNI"),
        WellKnown("velero", {"buckets": ("one", "two")}),
    )
    karpenter = read_uses(["karpenter:nodeRole=nodes", "karpenter:interruptionQueue=q"])
    assert karpenter[0].parameters == {"nodeRole": ("nodes",), "interruptionQueue": ("q",)}
    with pytest.raises(InvalidInput, match="given twice"):
        read_uses(["velero:buckets=one", "velero:buckets=two"])
