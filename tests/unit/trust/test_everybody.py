"""What `"*"` as a principal says to callers of another kind: not documented, so it is decided against them.

By irsa's evaluation and by the sandbox's, which is written apart from it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.trust import assuming
from irsa_cli.core.trust.assuming import ASSUME, SERVICE, Decision, context_of_session, decide, names_role
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.sandbox.enforce import Who, admits
from tests.support.documents import Json, doc

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
CLUSTER = Cluster(
    "demo", "arn:aws:eks:eu-west-1:111122223333:cluster/demo", "eu-west-1", "", "111122223333", ""
)
SUBJECT = ServiceAccount("shop", "cart")
ROLE = "arn:aws:iam::111122223333:role/app"
EVERYBODY: tuple[Any, ...] = tuple(
    map(json.loads, ('"*"', '{"AWS": "*"}', '{"AWS": ["111122223333", "*"]}', '{"Federated": "*"}'))
)
ALLOW = assuming.statement(CLUSTER, "shop", "cart")


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def deny(principal: Any, condition: Any = None, **more: Any) -> Json:
    found = {"Effect": "Deny", "Principal": principal, "Action": "sts:*", **more}
    return {**found, "Condition": condition} if condition else found


def allow(principal: Any) -> Json:
    return {"Effect": "Allow", "Principal": principal, "Action": [*assuming.ACTIONS]}


def to_service(*statements: Json) -> set[Answer]:
    return {item.answer for item in assuming.said_to_service(document(*statements), CLUSTER, SUBJECT)}


def to_role(*statements: Json) -> Decision:
    return decide(document(*statements), names_role(Arn.parse(ROLE), ROLE), context_of_session(ROLE), ASSUME)


def sandbox_admits(who: Who, *statements: Json) -> bool:
    context = doc(
        """{"aws:sourceaccount": ["111122223333"], "aws:requesttag/kubernetes-namespace": ["shop"],
        "aws:sourcearn": ["<arn>"], "aws:requesttag/eks-cluster-arn": ["<arn>"],
        "aws:requesttag/kubernetes-service-account": ["cart"], "aws:principalisawsservice": ["true"]}""",
        arn=CLUSTER.arn,
    )
    return admits(json.dumps(document(*statements)), ASSUME, who, context)


@pytest.mark.parametrize("principal", [*EVERYBODY, {"Service": "*"}])
def test_everybody_may_mean_services_in_a_deny_and_does_not_in_an_allow(principal: Any) -> None:
    service = Who(service=SERVICE)
    assert to_service(ALLOW) == {YES}
    assert to_service(ALLOW, deny(principal)) == {UNKNOWN}
    (assume, _) = assuming.said_to_service(document(deny(principal), ALLOW), CLUSTER, SUBJECT)
    assert json.dumps(principal) in assume.why
    assert sandbox_admits(service, ALLOW)
    assert not sandbox_admits(service, ALLOW, deny(principal))
    assert to_service(allow(principal)) == {NO}
    assert not sandbox_admits(service, allow(principal))


@pytest.mark.parametrize("principal", EVERYBODY)
def test_what_does_not_apply_to_services_denies_them_nothing(principal: Any) -> None:
    condition = {"Bool": {"aws:PrincipalIsAWSService": "false"}}
    assert to_service(ALLOW, deny(principal, condition)) == {YES}
    assert to_service(ALLOW, deny(principal, Action="sts:AssumeRoleWithWebIdentity")) == {YES}
    assert sandbox_admits(Who(service=SERVICE), ALLOW, deny(principal, condition))


@pytest.mark.parametrize("principal", EVERYBODY)
def test_without_an_allow_it_is_a_no_whatever_a_deny_means(principal: Any) -> None:
    """Else a statement that is missing would not be added."""
    assert to_service(deny(principal)) == {NO}
    assert to_service(deny(principal), allow({"Service": "ec2.amazonaws.com"})) == {NO}


def test_a_sure_deny_goes_before_one_that_is_not_known() -> None:
    assert to_service(ALLOW, deny({"AWS": "*"}), deny({"Service": SERVICE})) == {NO}


def test_a_deny_for_everybody_of_another_kind_may_mean_a_role() -> None:
    allowed = allow({"AWS": ROLE})
    assert to_role(allowed).answer is YES
    assert to_role(allowed, deny({"AWS": "*"})).answer is NO
    assert to_role(allowed, deny({"Federated": "*"})).answer is UNKNOWN
    assert to_role(allow({"Federated": "*"})).answer is NO
    assert not sandbox_admits(Who(aws=(ROLE,)), allowed, deny({"Federated": "*"}))


@pytest.mark.parametrize("principal", EVERYBODY)
def test_the_sandbox_denies_tokens_what_may_be_denied_to_them(principal: Any) -> None:
    provider = "arn:aws:iam::111122223333:oidc-provider/oidc.example"
    allowed = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": ASSUME}
    assert sandbox_admits(Who(federated=provider), allowed)
    assert not sandbox_admits(Who(federated=provider), allowed, deny(principal))
    # Who may be left out of a Deny is not taken to be.
    excluding = {"Effect": "Deny", "NotPrincipal": principal, "Action": ASSUME}
    assert sandbox_admits(Who(federated=provider), allowed, excluding) is (principal == "*")
