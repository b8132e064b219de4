"""A role of hostile texts in the account: every reader ends in time, and still shows the other roles."""

import json

from tests.scenarios.binding import make_binding
from tests.support.documents import doc
from tests.support.rows import arguments_of
from tests.support.sandbox_clients import client
from tests.support.stage import ROLE_ARN, Stage

PATTERN = "*e" * 60 + "*x"


TRUST = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
"Principal": {"Federated": "<provider>"}, "Action": "sts:*ssume*ole*ith*eb*dentity", "Condition": {
"StringLike": {"<prefix>:sub": ["<subject>", "<pattern>", "<marks>x"]},
"ForAllValues:StringNotLike": {"<prefix>:amr": "${aws:username, '<stars>'}"},
"DateLessThan": {"aws:CurrentTime": "9999-12-31T23:59:59Z"},
"NumericLessThanEqualsIfExists": {"sts:DurationSeconds": "<nines>"}}},
{"Effect": "Deny", "Principal": {"Federated": "<provider>"}, "Action": "sts:*ssume*ole*ith*eb*dentity",
"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:*:*:*:<pattern>"}}}]}"""


def _make_hostile(stage: Stage, namespace: str) -> str:
    """A ServiceAccount of long texts, with a role of patterns under the path and the tags of irsa's."""
    name = "-".join(["e" * 60] * 3)
    iam = stage.iam()
    cluster = client(stage.sandbox, "eks").describe_cluster(name=stage.cluster)["cluster"]
    prefix = cluster["identity"]["oidc"]["issuer"].removeprefix("https://")
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    (provider,) = (item["Arn"] for item in listed if item["Arn"].endswith(prefix))
    subject = f"system:serviceaccount:{namespace}:{name}"
    many = {"marks": "*?" * 40, "stars": "*" * 60, "nines": "9" * 200, "pattern": PATTERN}
    trust = doc(TRUST, provider=provider, prefix=prefix, subject=subject, **many)
    tags = {"irsa/service-account": "=/" * 100, "irsa/transaction": "9" * 200, "irsa/trust/0": "e" * 200}
    role = iam.create_role(
        RoleName=f"{namespace}-evil"[:64],
        Path=f"/irsa/{stage.cluster}/",
        AssumeRolePolicyDocument=json.dumps(trust),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )["Role"]
    annotations = {ROLE_ARN: role["Arn"], "note/" + "e" * 60: PATTERN}
    stage.make_account(namespace, name, annotations=annotations)
    return name


def test_every_reader_ends_and_shows_the_others(stage: Stage, namespace: str) -> None:
    """A backtracking matcher takes years for these patterns."""
    make_binding(stage, namespace)
    stage.words["evil"] = _make_hostile(stage, namespace)
    before = stage.world()
    for line, codes in READERS.items():
        ran = stage.irsa(*arguments_of(stage, line))
        said = ran.out + ran.err
        assert (ran.code in codes, "a bug in irsa" in said) == (True, False), f"{line}: {said}"
        assert "reader" in said or not line.startswith(("get-sa", "verify"))
    assert stage.world() == before


READERS = {
    "get-sa -n $ns": {0},
    "describe-sa $evil -n $ns": {0},
    "verify --all -n $ns": {0, 1, 5},
    "doctor $evil -n $ns": {0, 1, 4, 5},
    "doctor": {0, 1, 4, 5},
    "adopt $evil -n $ns --dry-run": {0, 4, 6},
    "recover": {0, 1, 3, 4},
}
