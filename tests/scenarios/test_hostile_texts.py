"""A role of hostile texts in the account: every reader ends in time, and still shows the other roles."""

import json
import time
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.support.sandbox_clients import client
from tests.support.stage import ROLE_ARN, Stage

SECONDS = 20.0
"""What a reader may take. A backtracking matcher takes years for these patterns."""
PATTERN = "*e" * 60 + "*x"


def _trust(stage: Stage, provider: str, subject: str) -> dict[str, Any]:
    prefix = provider.partition("oidc-provider/")[2]
    own = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:*ssume*ole*ith*eb*dentity",
        "Condition": {
            "StringLike": {f"{prefix}:sub": [subject, PATTERN, "*?" * 40 + "x"]},
            "ForAllValues:StringNotLike": {f"{prefix}:amr": "${aws:username, '" + "*" * 60 + "'}"},
            "DateLessThan": {"aws:CurrentTime": "9999-12-31T23:59:59Z"},
            "NumericLessThanEqualsIfExists": {"sts:DurationSeconds": "9" * 200},
        },
    }
    deny = {**own, "Effect": "Deny", "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:*:*:*:{PATTERN}"}}}
    return {"Version": "2012-10-17", "Statement": [own, deny]}


def _make_hostile(stage: Stage, namespace: str) -> str:
    """A ServiceAccount of long texts, with a role of patterns under the path and the tags of irsa's."""
    name = "-".join(["e" * 60] * 3)
    iam = stage.iam()
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    cluster = client(stage.sandbox, "eks").describe_cluster(name=stage.cluster)["cluster"]
    issuer = cluster["identity"]["oidc"]["issuer"]
    (provider,) = (item["Arn"] for item in listed if item["Arn"].endswith(issuer.removeprefix("https://")))
    trust = _trust(stage, provider, f"system:serviceaccount:{namespace}:{name}")
    role = iam.create_role(
        RoleName=f"{namespace}-evil"[:64],
        Path=f"/irsa/{stage.cluster}/",
        AssumeRolePolicyDocument=json.dumps(trust),
        Tags=[
            {"Key": "irsa/service-account", "Value": "=/" * 100},
            {"Key": "irsa/transaction", "Value": "9" * 200},
            {"Key": "alpha.eksctl.io/cluster-name", "Value": "é" * 100},
            {"Key": "irsa/trust/0", "Value": " ".join("eeeeeeee" for _ in range(25))},
        ],
    )["Role"]
    wide = {"Effect": "Allow", "Action": [f"s3:{'*e' * 30}*x{i}" for i in range(80)], "Resource": "*" * 900}
    document = {"Version": "2012-10-17", "Statement": [{**wide, "Resource": f"arn:aws:s3:::{'*e' * 200}x"}]}
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="wide", PolicyDocument=json.dumps(document))
    annotations = {
        ROLE_ARN: role["Arn"],
        "note/" + "e" * 60: PATTERN,
        "eks.amazonaws.com/audience-x": "\n" * 500,
    }
    stage.make_account(namespace, name, annotations=annotations)
    return name


@pytest.fixture
def evil(stage: Stage, namespace: str) -> str:
    """A good binding, `reader`, beside the hostile one; returns the name of that."""
    make_binding(stage, namespace)
    return _make_hostile(stage, namespace)


def test_every_reader_ends_in_time_and_shows_the_others(stage: Stage, namespace: str, evil: str) -> None:
    before = stage.world()
    readers: dict[tuple[str, ...], tuple[int, ...]] = {
        ("get-sa", "-n", namespace): (0,),
        ("get-sa", "-n", namespace, "-o", "json"): (0,),
        ("describe-sa", evil, "-n", namespace): (0,),
        ("verify", "--all", "-n", namespace): (0, 1, 5),
        ("doctor", evil, "-n", namespace): (0, 1, 4, 5),
        ("doctor", "-n", namespace): (0, 1, 4, 5),
        ("doctor",): (0, 1, 4, 5),
        ("adopt", evil, "-n", namespace, "--dry-run"): (0, 4, 6),
        ("recover", "--cluster", stage.cluster): (0, 1, 3, 4),
    }
    for arguments, codes in readers.items():
        started = time.monotonic()
        ran = stage.irsa(*arguments, *(() if "--cluster" in arguments else ("-c", stage.cluster)))
        said = ran.out + ran.err
        assert time.monotonic() - started < SECONDS, arguments
        assert ran.code in codes, (arguments, said)
        assert "a bug in irsa" not in said, (arguments, said)
        if arguments[0] == "get-sa" or "--all" in arguments:
            assert "reader" in said, arguments
    assert stage.world() == before
