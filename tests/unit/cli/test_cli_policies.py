"""`irsa policies`, and `--well-known-policy` of create-sa before any call."""

from __future__ import annotations

import json

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.policies import wellknown
from irsa_cli.core.policies.policy import WellKnown
from irsa_cli.core.policies.wellknown_uses import read_uses
from irsa_cli.core.values.errors import InvalidInput
from tests.support.ran import check


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(wellknown.names())
    assert run(["policies", "list", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check(document, 0)
    assert [item["name"] for item in document["items"]] == list(wellknown.names())


@pytest.mark.parametrize("name", wellknown.names())
def test_show_takes_every_policy_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies", "show", name, "--partition", "aws-us-gov", "-o", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    check(whole, 0)
    (document,) = whole["items"]
    assert (whole["kind"], document["name"]) == ("WellKnownPolicyList", name)
    assert document["policyARNs"] or document["document"]["Statement"]
    assert "arn:aws:" not in json.dumps(document)
    missing = [item["name"] for item in document["parameters"] if item["required"]]
    assert all(f"${{{item}}}" in json.dumps(document["document"]) for item in missing)
    assert run(["policies", "show", name]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")


def test_show_with_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--param", "hostedZones=Z1,Z2", "-o", "json"]
    assert run(["policies", "show", "externalDNS", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)["items"][0]["document"]
    assert document["Statement"][0]["Resource"] == [
        f"arn:aws:route53:::hostedzone/{zone}" for zone in ("Z1", "Z2")
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "x"], "no well-known policy 'x'"),
        (["show", "velero", "--param", "bucket=b"], "no parameter 'bucket'"),
        (["show", "velero", "--param", "buckets"], "expected PARAMETER=VALUE"),
        (["show", "velero", "--param", "buckets=a-b", "--param", "buckets=c-d"], "given twice"),
        (["show", "velero", "--partition", "eu"], "not a partition"),
        (["show", "velero", "-o", "table"], "--output"),
    ],
)
def test_bad_input(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies", *arguments]) == 2
    assert words in capsys.readouterr().err


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


@pytest.mark.parametrize("value", ["velero", "Velero:buckets=a", "externalDNS:hostedZones=x", "autoScaler:a"])
def test_create_sa_refuses_what_is_not_known(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["create-sa", "app", "-c", "demo", "--well-known-policy", value]) == 2
    assert "--well-known-policy" in capsys.readouterr().err
