"""Who gains a role and who loses it: said by each plan, and what a step that adds may not take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.foreign import write_trust
from tests.scenarios.test_repoint import ALL, NAMESPACE, Pair
from tests.support.stage import ROLE_ARN


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Pair:
    return Pair(sandbox, tmp_path)


def _shared(pair: Pair) -> str:
    """A role of blue's app whose trust policy denies blue's canary, and allows green's."""
    pair.sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    name = pair.bind("hand", around=[])
    own, canary = pair.statement(name), pair.statement("canary")
    blue, green = (pair.issuer(stage).removeprefix("https://") for stage in (pair.blue, pair.green))
    theirs = json.loads(json.dumps(canary).replace(blue, green))
    write_trust(pair.blue, name, own, {**canary, "Effect": "Deny"}, theirs)
    pair.green.run("associate-oidc")
    role = f"arn:aws:iam::111122223333:role/{name}"
    pair.green.make_account(NAMESPACE, "canary", annotations={ROLE_ARN: role})
    return name


def _of_role(ran: Any) -> tuple[list[Any], list[Any]]:
    """Who gains the role, and who loses it: names, places, and whether that is certain."""
    assert ran.code == 0, ran.err
    item = next(item for item in ran.items if (item["role"] or {}).get("arn", "").endswith("app-0"))
    gains, losses = (
        [(one["who"]["name"], one["who"]["place"].rpartition("/")[2], one["certain"]) for one in changed]
        for changed in (item["access"]["gains"], item["access"]["losses"])
    )
    return gains, losses


def test_adding_a_cluster_takes_the_role_from_none_of_its_pods(pair: Pair) -> None:
    name = _shared(pair)
    assert pair.assumes(pair.green, "canary")
    before = pair.trust(name)
    refused = pair.repoint("--add", ALL)
    assert refused.code in (1, 4), refused.err
    assert f"{NAMESPACE}:canary" in refused.err
    assert pair.trust(name) == before
    assert pair.assumes(pair.green, "canary")
    gains, losses = _of_role(pair.repoint("--add", ALL, "--force", "-o", "json"))
    assert [who for who, *_ in losses] == [f"{NAMESPACE}/canary"]
    assert [who for who, *_ in gains] == [f"{NAMESPACE}/{name}"]
    assert not pair.assumes(pair.green, "canary")


def test_what_is_said_is_what_sts_does(pair: Pair) -> None:
    """Added, retired and added again: who is said to gain gets credentials, who is said to lose gets none."""
    name = pair.bind("hand", around=[])
    who = f"{NAMESPACE}/{name}"
    assert _of_role(pair.repoint("--add", ALL, "-o", "json")) == ([(who, "green", True)], [])
    assert pair.assumes(pair.green, name)
    pair.age()
    assert _of_role(pair.repoint("--retire", ALL, "-o", "json")) == ([], [(who, "blue", True)])
    assert not pair.assumes(pair.blue, name)
    assert pair.repoint("--add", ALL, back=True).code == 0  # The way back is not refused.
