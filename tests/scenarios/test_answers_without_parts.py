"""Answers of AWS that lack a part that irsa reads: an error that says so, and never a bug in irsa."""

import json
from typing import Any

import pytest

from tests.scenarios.alone import small_alone as small_alone
from tests.support.acts import client, strike
from tests.support.rows import at
from tests.support.stage import Stage

PARTS = ("name", "arn", "status", "identity", "identity.oidc", "certificateAuthority", "")


@pytest.mark.parametrize("null", [False, True])
def test_a_cluster_without_a_part_is_an_error(small: Stage, null: bool) -> None:
    described = client(small, "eks").describe_cluster(name=small.cluster)["cluster"]
    before = small.world()
    for part in PARTS:
        answer: Any = {"cluster": json.loads(json.dumps(described, default=str))}
        *path, last = ["cluster", *filter(None, part.split("."))]
        inner = at(answer, ".".join(path)) if path else answer
        del inner[last]
        if null:
            inner[last] = None
        how = {"status": 200, "content_type": "application/json", "times": None}
        strike(small, "eks DescribeCluster answer", body=json.dumps(answer), **how)
        for line in ("create-sa app --no-policy -c demo", *(MORE if null else ())):
            ran = small.irsa(*line.split())
            assert "a bug in irsa" not in ran.out + ran.err, f"{part}: {line}: {ran.err}"
            if part in ("name", "arn", ""):
                # An empty answer does not come from AWS.
                says = ("DescribeCluster", f"it has no cluster.{part}" if part else "")
                assert (ran.code, *(text in ran.err for text in says)) == (1, True, True), ran.err
        small.sandbox.faults.clear()
    assert small.world() == before


MORE = ("retire --list", "audit -c demo")


def test_a_region_without_a_name_is_an_error(small: Stage) -> None:
    answer = """<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <regionInfo><item><regionEndpoint>x</regionEndpoint></item></regionInfo></DescribeRegionsResponse>"""
    strike(small, "ec2 DescribeRegions answer", status=200, body=answer, content_type="text/xml", times=None)
    ran = small.irsa("retire", "--list")
    assert (ran.code, "it has no Regions.RegionName" in ran.err) == (1, True)
