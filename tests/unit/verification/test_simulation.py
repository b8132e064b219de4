"""What IAM's simulation is asked and told, and that no answer counts that depends on what it wasn't told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.aws.permissions import Caller, Simulated, action, resource, simulate
from irsa_cli.core.results.steps import StepStatus
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.verification.steps import simulated

ROLE = "arn:aws:iam::111122223333:role/own/reader"
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A"


class Iam:
    """Answers each call with the next of `pages`."""

    meta = SimpleNamespace(
        method_to_api_mapping={"simulate_principal_policy": "SimulatePrincipalPolicy"},
        service_model=botocore.session.get_session().get_service_model("iam"),
    )

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = list(pages)
        self.asked: list[dict[str, Any]] = []

    def simulate_principal_policy(self, **parameters: Any) -> dict[str, Any]:
        self.asked.append(parameters)
        return self.pages.pop(0) if self.pages else {}


def entries(asked: dict[str, Any]) -> dict[str, str]:
    return {item["ContextKeyName"]: item["ContextKeyValues"][0] for item in asked["ContextEntries"]}


def ask(
    iam: Iam, *actions: str, resources: tuple[str, ...] = (), provider: str = PROVIDER
) -> list[Simulated]:
    return simulate(cast("Any", iam), Caller(ROLE, "eu-west-1", provider), actions, resources)


def test_it_is_told_what_is_true_of_every_call_of_a_pod() -> None:
    iam = Iam()
    ask(iam, "s3:ListAllMyBuckets")
    (asked,) = iam.asked
    found = entries(asked)
    assert found.pop("aws:CurrentTime").endswith("Z")
    assert found == {
        "aws:PrincipalAccount": "111122223333",
        "aws:PrincipalArn": ROLE,
        "aws:PrincipalType": "AssumedRole",
        "aws:RequestedRegion": "eu-west-1",
        "aws:FederatedProvider": PROVIDER,
        "aws:SecureTransport": "true",
        "aws:ViaAWSService": "false",
    }


def test_a_further_role_of_a_chain_has_no_provider() -> None:
    iam = Iam()
    ask(iam, "s3:ListAllMyBuckets", provider="")
    assert "aws:FederatedProvider" not in entries(iam.asked[0])


def test_services_with_one_endpoint_are_asked_about_in_its_region() -> None:
    iam = Iam()
    ask(iam, "iam:ListRoles", "s3:GetObject", "nobody-knows:it", "iam:GetRole")
    regions = {tuple(asked["ActionNames"]): entries(asked).get("aws:RequestedRegion") for asked in iam.asked}
    assert regions == {
        ("iam:ListRoles", "iam:GetRole"): "us-east-1",
        ("s3:GetObject",): "eu-west-1",
        ("nobody-knows:it",): None,
    }


def test_decisions_are_in_the_order_of_the_actions_and_each_once() -> None:
    result = {"EvalActionName": "iam:GetRole", "EvalResourceName": "*", "EvalDecision": "allowed"}
    other = {**result, "EvalActionName": "s3:GetObject"}
    iam = Iam(
        {"EvaluationResults": [result], "IsTruncated": True, "Marker": "m"},
        {"EvaluationResults": [result]},
        {"EvaluationResults": [other]},
    )
    assert [item.action for item in ask(iam, "iam:GetRole", "s3:GetObject")] == [
        "iam:GetRole",
        "s3:GetObject",
    ]
    assert [asked.get("Marker") for asked in iam.asked] == [None, "m", None]


def test_missing_keys_of_a_named_resource_are_told_with_it() -> None:
    one = {"EvalResourceName": "arn:aws:s3:::b", "EvalResourceDecision": "allowed"}
    result = {
        "EvalActionName": "s3:GetObject",
        "EvalResourceName": "arn:aws:s3:::b",
        "EvalDecision": "allowed",
        "ResourceSpecificResults": [{**one, "MissingContextValues": ["aws:SourceVpce"]}],
    }
    (found,) = ask(Iam({"EvaluationResults": [result]}), "s3:GetObject", resources=("arn:aws:s3:::b",))
    assert found == Simulated("s3:GetObject", "arn:aws:s3:::b", "allowed", ("aws:SourceVpce",))


@given(
    st.sampled_from(["allowed", "implicitDeny", "explicitDeny"]), st.lists(st.text(min_size=1), max_size=2)
)
def test_a_decision_counts_only_when_nothing_was_missing(decision: str, missing: list[str]) -> None:
    (found,) = simulated([Simulated("s3:GetObject", "*", decision, tuple(missing))], ["s3:GetObject"])
    decided = StepStatus.OK if decision == "allowed" else StepStatus.FAILED
    assert found.status is (StepStatus.NOT_CHECKED if missing else decided)


@pytest.mark.parametrize(
    "text", ["s3:ListAllMyBuckets", "elasticloadbalancing:DescribeTags", "execute-api:Invoke"]
)
def test_actions(text: str) -> None:
    assert action(text) == text


@pytest.mark.parametrize("text", ["", "s3", "s3:", ":x", "s3:*", "s3:Get*", "S3:Get", "s3:Get Object", "*"])
def test_no_actions(text: str) -> None:
    with pytest.raises(InvalidInput):
        action(text)


@pytest.mark.parametrize(
    "text", ["*", "arn:aws:s3:::bucket/key", "arn:aws-cn:sqs:cn-north-1:111122223333:queue"]
)
def test_resources(text: str) -> None:
    assert resource(text) == text


@pytest.mark.parametrize("text", ["", "bucket", "arn:aws:s3", "arn:aws:s3::bucket"])
def test_no_resources(text: str) -> None:
    with pytest.raises(InvalidInput):
        resource(text)
