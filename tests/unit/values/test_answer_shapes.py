"""What is no answer of AWS or Kubernetes is never read as one: not as empty, and not until a KeyError."""

import copy
from datetime import datetime, timezone
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.aws import shapes as aws
from irsa_cli.aws.errors import translate
from irsa_cli.core.values.errors import IrsaError, Outcome
from irsa_cli.kube import shapes as kube

NOW = datetime(2026, 11, 25, tzinfo=timezone.utc)
ROLE = {
    "Path": "/",
    "RoleName": "reader",
    "RoleId": "AROAX",
    "Arn": "arn:aws:iam::111122223333:role/reader",
    "CreateDate": NOW,
    "AssumeRolePolicyDocument": {"Statement": []},
    "MaxSessionDuration": 3600,
    "Tags": [{"Key": "a", "Value": "b"}],
}
SIMULATED = {"EvalActionName": "s3:GetObject", "EvalDecision": "allowed"}
TRUE: dict[tuple[str, str], dict[str, Any]] = {
    ("iam", "GetRole"): {"Role": ROLE},
    ("iam", "ListRoles"): {"Roles": [ROLE], "IsTruncated": False},
    ("iam", "ListAttachedRolePolicies"): {"AttachedPolicies": [{"PolicyArn": "arn:x"}]},
    ("iam", "GetOpenIDConnectProvider"): {"Url": "x", "CreateDate": NOW, "ClientIDList": ["a"], "Tags": []},
    ("iam", "GetAccountSummary"): {"SummaryMap": {"Roles": 7}},
    ("iam", "SimulatePrincipalPolicy"): {"EvaluationResults": [SIMULATED]},
    ("iam", "AttachRolePolicy"): {},
    ("sts", "GetCallerIdentity"): {"Arn": "arn:aws:iam::111122223333:user/x"},
    ("eks", "DescribeCluster"): {"cluster": {"name": "demo", "arn": "x", "tags": {"a": "b"}}},
    ("eks", "DescribeFargateProfile"): {"fargateProfile": {"selectors": []}},
    ("ec2", "DescribeRegions"): {"Regions": [{"RegionName": "eu-west-1"}]},
    ("organizations", "ListAccounts"): {"Accounts": [{"Id": "111122223333"}]},
    ("ec2", "DescribeVpcEndpoints"): {"VpcEndpoints": [{"VpcEndpointId": "vpce-1"}]},
}
LESS = [
    ("iam", "GetRole", "Role"),
    ("iam", "GetRole", "Role.RoleId"),
    ("iam", "GetRole", "Role.Tags.0.Key"),
    ("iam", "ListRoles", "Roles"),
    ("iam", "ListRoles", "Roles.0.RoleName"),
    ("iam", "ListAttachedRolePolicies", "AttachedPolicies"),
    ("iam", "ListAttachedRolePolicies", "AttachedPolicies.0.PolicyArn"),
    ("iam", "GetOpenIDConnectProvider", "Url"),
    ("iam", "GetAccountSummary", "SummaryMap"),
    ("iam", "SimulatePrincipalPolicy", "EvaluationResults.0.EvalDecision"),
    ("sts", "GetCallerIdentity", "Arn"),
    ("ec2", "DescribeVpcEndpoints", "VpcEndpoints.0.VpcEndpointId"),
    ("eks", "DescribeCluster", "cluster"),
    ("eks", "DescribeCluster", "cluster.arn"),
    ("eks", "DescribeCluster", "cluster.name"),
    ("eks", "DescribeFargateProfile", "fargateProfile"),
    ("ec2", "DescribeRegions", "Regions.0.RegionName"),
    ("organizations", "ListAccounts", "Accounts.0.Id"),
]
OTHER = [
    ("iam", "GetRole", "Role.AssumeRolePolicyDocument", "not JSON"),
    ("iam", "GetRole", "Role.MaxSessionDuration", "3600"),
    ("iam", "GetRole", "Role.RoleName", "somebody-elses"),
    ("iam", "GetOpenIDConnectProvider", "ClientIDList", "sts"),
    ("iam", "GetOpenIDConnectProvider", "Url", ""),
    ("eks", "DescribeCluster", "cluster", ["demo"]),
    ("eks", "DescribeCluster", "cluster.name", 7),
    ("eks", "DescribeCluster", "cluster.tags", {"a": ["b"]}),
]


def look(service: str, operation: str, answer: Any) -> None:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    aws.check(model, answer, {"RoleName": "READER"})


def put(answer: Any, path: str, value: Any = None) -> Any:
    """The answer with something else at a path, or without it."""
    answer = copy.deepcopy(answer)
    keys = [int(key) if key.isdigit() else key for key in path.split(".")]
    parent = answer
    for key in keys[:-1]:
        parent = parent[key]
    if value is None:
        del parent[keys[-1]]
    else:
        parent[keys[-1]] = value
    return answer


@pytest.mark.parametrize(("service", "operation"), TRUE)
def test_an_answer_of_aws_is_one(service: str, operation: str) -> None:
    look(service, operation, TRUE[service, operation])


@pytest.mark.parametrize(("service", "operation", "path"), LESS)
def test_an_answer_of_aws_without_a_part_is_none(service: str, operation: str, path: str) -> None:
    with pytest.raises(aws.OddAnswer):
        look(service, operation, put(TRUE[service, operation], path))


@pytest.mark.parametrize(("service", "operation", "path", "value"), OTHER)
def test_an_answer_of_aws_with_something_else_is_none(
    service: str, operation: str, path: str, value: Any
) -> None:
    with pytest.raises(aws.OddAnswer):
        look(service, operation, put(TRUE[service, operation], path, value))


def test_what_an_odd_answer_says_of_a_write_is_not_known() -> None:
    error = translate(aws.OddAnswer("it has no Role"), "iam", "CreateRole", "x")
    assert error.outcome is Outcome.UNKNOWN
    assert "differs from AWS's documentation: it has no Role" in str(error)


META = {"name": "app", "namespace": "apps", "uid": "u", "resourceVersion": "1"}
ACCOUNT: dict[str, Any] = {"kind": "ServiceAccount", "metadata": {**META, "annotations": {"a": "b"}}}
POD = {"metadata": META, "spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "b"}]}]}}
PODS = {"kind": "PodList", "metadata": {}, "items": [POD]}
HOOK = {
    "metadata": META,
    "webhooks": [{"name": "x", "clientConfig": {"service": {"namespace": "a", "name": "b"}}}],
}
HOOKS = {"kind": "MutatingWebhookConfigurationList", "items": [HOOK]}
EVENT = {
    "metadata": {**META, "name": "web_1.17a"},
    "involvedObject": {"kind": "ReplicaSet", "name": "web"},
    "message": "refused",
    "lastTimestamp": "2026-11-01T10:00:00Z",
    "eventTime": None,
}
EVENTS = {"kind": "EventList", "items": [EVENT]}
SET = {"metadata": META, "spec": {"replicas": 1, "template": {}}, "status": {"replicas": 0}}
SETS = {"kind": "ReplicaSetList", "items": [SET]}
GROUPS = {
    "kind": "APIGroupDiscoveryList",
    "items": [{"versions": [{"version": "v1", "resources": [{"resource": "pods", "verbs": ["list"]}]}]}],
}
NOT_THEIRS = [
    ("get serviceaccounts", put(ACCOUNT, "metadata.uid")),
    ("get serviceaccounts", put(ACCOUNT, "metadata.namespace")),
    ("get serviceaccounts", put(ACCOUNT, "metadata.name", "app\n::error::x")),
    ("get serviceaccounts", put(ACCOUNT, "metadata.annotations", {"a": 7})),
    ("get serviceaccounts", put(ACCOUNT, "metadata.creationTimestamp", "../etc")),
    ("get serviceaccounts", put(ACCOUNT, "metadata.ownerReferences", [{"name": "x"}])),
    ("create serviceaccounts", put(ACCOUNT, "metadata.uid")),
    ("list pods", put(PODS, "items.0.spec")),
    ("list pods", put(PODS, "items.0.spec.containers", {"a": 1})),
    ("list pods", put(PODS, "items.0.spec.containers.0.name")),
    ("list pods", put(PODS, "items.0.spec.containers.0.env.0", "A=b")),
    ("list pods", put(PODS, "items.0.spec.hostNetwork", "yes")),
    ("list mutatingwebhookconfigurations", put(HOOKS, "items.0.webhooks", "x")),
    ("list mutatingwebhookconfigurations", put(HOOKS, "items.0.webhooks.0.clientConfig.service.name")),
    ("list configmaps", {"kind": "PartialObjectMetadataList", "items": [{"metadata": {"uid": "u"}}]}),
    ("list events", put(EVENTS, "items.0.metadata.uid")),
    ("list events", put(EVENTS, "items.0.message", ["refused"])),
    ("list events", put(EVENTS, "items.0.involvedObject", "web")),
    ("list events", put(EVENTS, "items.0.lastTimestamp", "now")),
    ("list replicasets", put(SETS, "items.0.spec.replicas", "1")),
    ("list replicasets", put(SETS, "items.0.spec.template", [])),
    ("list replicasets", put(SETS, "items.0.status", "ok")),
    ("get /apis", {"kind": "Status"}),
    ("get /apis", {"kind": "APIGroupList", "groups": [{"versions": []}]}),
    ("get /apis", put(GROUPS, "items.0.versions.0.resources.0", [])),
    ("get /apis", put(GROUPS, "items.0.versions.0.version")),
    ("create serviceaccounts/token", {"kind": "TokenRequest", "status": {"token": "x"}}),
    (
        "create serviceaccounts/token",
        {"kind": "TokenRequest", "status": {"token": "x", "expirationTimestamp": "soon"}},
    ),
]


@pytest.mark.parametrize(("operation", "answer"), NOT_THEIRS)
def test_an_answer_that_kubernetes_does_not_give_is_none(operation: str, answer: Any) -> None:
    with pytest.raises(kube.ForeignKubeAnswer):
        kube.check(operation, copy.deepcopy(answer))


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("get serviceaccounts", ACCOUNT),
        ("list pods", PODS),
        ("list mutatingwebhookconfigurations", HOOKS),
        ("get /apis", GROUPS),
        ("list pods", {"kind": "PodList", "metadata": None, "items": None}),
        ("list secrets", {"kind": "PartialObjectMetadataList", "items": [{"metadata": {"name": "a:b"}}]}),
    ],
)
def test_an_answer_of_kubernetes_is_one(operation: str, answer: Any) -> None:
    kube.check(operation, copy.deepcopy(answer))


def test_what_is_null_is_not_there() -> None:
    answer = put(ACCOUNT, "metadata.labels", "x")
    answer["metadata"]["labels"] = None
    assert "labels" not in kube.check("get serviceaccounts", answer)["metadata"]


def test_what_is_only_rehearsed_has_a_name_and_no_more() -> None:
    answer = {"kind": "ServiceAccount", "metadata": {"name": "app"}}
    kube.check("create serviceaccounts", answer, rehearsed=True)
    with pytest.raises(kube.ForeignKubeAnswer):
        kube.check("create serviceaccounts", answer)


@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_part_of_an_error_has_a_secret(before: str, after: str) -> None:
    secret = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20v"
    text = f"{before} {secret} {after}"
    error = IrsaError(text, reason=text, details=(text,), next_steps=(text,))
    assert secret not in f"{error} {error.args} {error.details} {error.next_steps}"


def test_pods_by_their_metadata_alone_have_no_spec() -> None:
    """As a rollback asks for what is in a namespace; a list of whole pods has to have them."""
    items = [{"metadata": {"name": "app", "namespace": "a", "uid": "1", "resourceVersion": "1"}}]
    assert kube.check("list pods", {"kind": "PartialObjectMetadataList", "metadata": {}, "items": items})
    with pytest.raises(kube.ForeignKubeAnswer):
        kube.check("list pods", {"kind": "PodList", "metadata": {}, "items": items})
