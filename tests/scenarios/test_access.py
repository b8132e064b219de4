"""Who gains a role and who loses it: said by each plan, and what a step that adds may not take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.test_repoint import ALL, NAMESPACE, Pair
from tests.support.stage import ROLE_ARN


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Pair:
    return Pair(sandbox, tmp_path)


def _shared(pair: Pair) -> str:
    """A role of blue's app whose trust policy denies blue's canary, and allows green's."""
    pair.sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    name = pair.bind("hand", around=[])
    own = pair.statement(name)
    deny = {**pair.statement("canary"), "Effect": "Deny"}
    theirs = json.loads(
        json.dumps(pair.statement("canary")).replace(
            pair.issuer(pair.blue).removeprefix("https://"), pair.issuer(pair.green).removeprefix("https://")
        )
    )
    document = {"Version": "2012-10-17", "Statement": [own, deny, theirs]}
    pair.blue.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    assert pair.green.irsa("associate-oidc", "-c", pair.green.cluster).code == 0
    role = f"arn:aws:iam::111122223333:role/{name}"
    pair.green.make_account(NAMESPACE, "canary", annotations={ROLE_ARN: role})
    return name


def _of_role(ran: Any) -> Any:
    return next(item for item in ran.items if (item["role"] or {}).get("arn", "").endswith("app-0"))


def test_adding_a_cluster_takes_the_role_from_none_of_its_pods(pair: Pair) -> None:
    name = _shared(pair)
    assert pair.assumes(pair.green, "canary")
    before = pair.trust(name)
    refused = pair.repoint("--add", ALL)
    assert refused.code in (1, 4), refused.err
    assert f"{NAMESPACE}:canary" in refused.err
    assert pair.trust(name) == before
    assert pair.assumes(pair.green, "canary")
    done = pair.repoint("--add", ALL, "--force", "-o", "json")
    assert done.code == 0, done.err
    access = _of_role(done)["access"]
    assert [one["who"]["name"] for one in access["losses"]] == [f"{NAMESPACE}/canary"]
    assert [one["who"]["name"] for one in access["gains"]] == [f"{NAMESPACE}/{name}"]
    assert not pair.assumes(pair.green, "canary")


def test_what_is_said_is_what_sts_does(pair: Pair) -> None:
    """Added, retired and added again: who is said to gain gets credentials, who is said to lose gets none."""
    name = pair.bind("hand", around=[])
    added = pair.repoint("--add", ALL, "-o", "json")
    access = _of_role(added)["access"]
    (gain,) = access["gains"]
    assert (gain["who"]["name"], gain["certain"], access["losses"]) == (f"{NAMESPACE}/{name}", True, [])
    assert gain["who"]["place"].endswith(":cluster/green")
    assert pair.assumes(pair.green, name)
    pair.age()
    retired = pair.repoint("--retire", ALL, "-o", "json")
    access = _of_role(retired)["access"]
    (loss,) = access["losses"]
    assert (loss["who"]["name"], loss["certain"], access["gains"]) == (f"{NAMESPACE}/{name}", True, [])
    assert loss["who"]["place"].endswith(":cluster/blue")
    assert not pair.assumes(pair.blue, name)
    assert pair.repoint("--add", ALL, back=True).code == 0  # The way back is not refused.
