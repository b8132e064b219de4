"""Answers of AWS that lack a part that irsa reads: an error that says so, and never a bug in irsa."""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.sandbox_clients import client
from tests.support.stage import Stage

PARTS = ("name", "arn", "status", "identity", "identity.oidc", "certificateAuthority", "")


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return sandbox_stage(sandbox, "demo", tmp_path)


def changed(stage: Stage, part: str, value: str) -> str:
    """The answer of DescribeCluster, with a part of it missing or null; '' for the cluster itself."""
    answer = {"cluster": client(stage.sandbox, "eks").describe_cluster(name=stage.cluster)["cluster"]}
    *path, last = ["cluster", *filter(None, part.split("."))]
    inner: dict[str, Any] = answer
    for key in path:
        inner = inner[key]
    inner[last] = None
    if value == "missing":
        del inner[last]
    return json.dumps(answer, default=str)


@pytest.mark.parametrize("value", ["missing", "null"])
@pytest.mark.parametrize("part", PARTS)
def test_a_cluster_without_a_part_is_an_error(small: Stage, part: str, value: str) -> None:
    body = changed(small, part, value)
    before = small.world()
    kind = {"kind": "answer", "status": 200, "content_type": "application/json"}
    small.sandbox.faults.add(Fault("eks", "DescribeCluster", body=body, times=None, **kind))  # type: ignore[arg-type]
    for command in (
        ("create-sa", "app", "-c", small.cluster, "--no-policy"),
        ("retire", "--list"),
        ("audit", "-c", small.cluster),
    ):
        ran = small.irsa(*command)
        assert "a bug in irsa" not in ran.out + ran.err, f"{command}: {ran.err}"
        if part in ("name", "arn", ""):
            assert ran.code == 1, ran.err
            assert "DescribeCluster" in ran.err
            # An empty answer does not come from AWS.
            assert not part or f"it has no cluster.{part}" in ran.err
    assert small.world() == before


def test_a_region_without_a_name_is_an_error(small: Stage) -> None:
    answer = """<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <regionInfo><item><regionEndpoint>x</regionEndpoint></item></regionInfo></DescribeRegionsResponse>"""
    fault = Fault(
        "ec2", "DescribeRegions", "answer", status=200, body=answer, content_type="text/xml", times=None
    )
    small.sandbox.faults.add(fault)
    ran = small.irsa("retire", "--list")
    assert ran.code == 1
    assert "it has no Regions.RegionName" in ran.err
