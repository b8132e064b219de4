"""Rules about ServiceAccounts: each is one function over one subject, of a cluster or of a file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from irsa_cli.core.trust.rules.accounts import (
    OF_CLUSTERS,
    DeclaredAccount,
    DeclaredAssociation,
    DeclaredPods,
    OpenBinding,
    account_missing,
    annotation_on_pods,
    association_refused,
    not_trusted,
    open_to_everybody,
    placeholder_left,
    shared_name,
    wrong_annotation,
)
from irsa_cli.core.trust.rules.rule import RULES, FilePlace, Risk
from tests.support.documents import Json

ROLE = "arn:aws:iam::111122223333:role/app"
IN_CLUSTER = DeclaredAccount("prod", "app", ROLE, "blue")
PLACE, NAME_PLACE = FilePlace("sa.yaml", 4), FilePlace("sa.yaml", 2)
IN_FILE = DeclaredAccount("prod", "app", ROLE, place=PLACE, name_place=NAME_PLACE)
PODS: Json = {"Statement": {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}}}


def of_cluster(account: DeclaredAccount) -> list[Risk]:
    return [risk for check in OF_CLUSTERS for risk in check(account)]


def test_what_is_unknown_breaks_no_rule() -> None:
    assert of_cluster(IN_CLUSTER) == []
    assert [*not_trusted(IN_FILE), *shared_name(IN_FILE), *placeholder_left(IN_FILE)] == []
    assert [*association_refused(DeclaredAssociation("prod", "app", ROLE))] == []


@pytest.mark.parametrize(
    ("account", "rule"),
    [
        (replace(IN_CLUSTER, role="arn:aws:iam::111122223333:user/app"), "annotation-no-role"),
        (replace(IN_CLUSTER, exists=False), "role-gone"),
        (replace(IN_CLUSTER, exists=True, trusted=False), "annotated-refused"),
        (replace(IN_CLUSTER, association=DeclaredAssociation("prod", "app", "")), "shadowed-by-pod-identity"),
    ],
)
def test_each_rule_of_a_cluster_is_broken_alone(account: DeclaredAccount, rule: str) -> None:
    (risk,) = of_cluster(account)
    assert risk.rule is RULES[rule]
    assert (risk.cluster, risk.account, risk.place) == ("blue", "prod/app", None)
    assert risk.statement == "ServiceAccount prod/app of cluster blue"


def test_a_rule_is_the_same_for_a_file_and_for_a_cluster() -> None:
    (in_file,) = wrong_annotation(replace(IN_FILE, role="app"))
    (in_cluster,) = wrong_annotation(replace(IN_CLUSTER, role="app"))
    assert in_file.rule is in_cluster.rule
    (in_file,) = not_trusted(replace(IN_FILE, trusted=False, trust_place=FilePlace("role.json", 1)))
    (in_cluster,) = not_trusted(replace(IN_CLUSTER, trusted=False))
    assert in_file.rule is in_cluster.rule
    assert (in_file.place, in_file.role, in_file.statement) == (PLACE, "", "ServiceAccount prod/app")
    assert "whose trust policy (role.json:1) does not allow it" in in_file.reason
    assert in_cluster.role == ROLE


def test_of_a_file_the_name_and_placeholders_count() -> None:
    (risk,) = shared_name(replace(IN_FILE, name="default"))
    assert risk.place == NAME_PLACE
    (risk,) = placeholder_left(replace(IN_FILE, role="arn:aws:iam::<account-id>:role/app"))
    assert risk.rule is RULES["annotation-placeholder"]
    assert [*placeholder_left(replace(IN_FILE, role="${ROLE}"))] == []


def test_pods_are_about_their_service_account() -> None:
    pods = DeclaredPods("Deployment prod/web", "ap", place=PLACE)
    assert [*account_missing(pods), *account_missing(replace(pods, exists=True))] == []
    (risk,) = account_missing(replace(pods, exists=False))
    assert (risk.rule, risk.place) == (RULES["service-account-missing"], PLACE)
    assert list(annotation_on_pods(pods)) == []
    (risk,) = annotation_on_pods(replace(pods, annotated=NAME_PLACE))
    assert (risk.rule, risk.place) == (RULES["annotation-misplaced"], NAME_PLACE)


def test_an_association_needs_each_action_of_eks() -> None:
    tags = {**PODS["Statement"], "Action": ["sts:AssumeRole", "sts:TagSession"]}
    for action, tagged, lacking in (
        ("sts:AssumeRole", False, ""),
        ("sts:AssumeRole", True, "sts:TagSession"),
        ("sts:TagSession", False, "sts:AssumeRole"),
    ):
        trust = {"Statement": {**PODS["Statement"], "Action": action}}
        found = list(association_refused(DeclaredAssociation("a", "b", ROLE, trust=trust, tagged=tagged)))
        assert [risk.reason.rpartition(" ")[2] for risk in found] == ([lacking] if lacking else [])
    whole = DeclaredAssociation("a", "b", ROLE, trust={"Statement": tags}, tagged=True)
    assert list(association_refused(whole)) == []


def test_a_binding_for_everybody_is_named_with_its_cluster() -> None:
    binding = OpenBinding("ClusterRoleBinding all", ["Group a", "Group b"], "prod/app", "create pods", ("r",))
    risk = open_to_everybody(binding)
    assert (
        risk.sentence == "ClusterRoleBinding all allows Group a and Group b to act as prod/app (create pods)"
    )
    assert open_to_everybody(replace(binding, cluster="blue")).statement.endswith("all of cluster blue")
