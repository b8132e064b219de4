"""The rules about trust policies, as values. What breaks one is found by the modules beside this one."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.rules.rule import Area, RuleTable, Severity, worst_first

_AWS = "https://docs.aws.amazon.com"
_IAM = f"{_AWS}/IAM/latest/UserGuide"
_OIDC = f"{_IAM}/id_roles_create_for-idp_oidc.html"
_EKS_ROLE = f"{_AWS}/eks/latest/userguide/associate-service-account-role.html"
_EKS_PRACTICE = f"{_AWS}/eks/latest/best-practices/identity-and-access-management.html"
_OPERATORS = f"{_IAM}/reference_policies_elements_condition_operators.html"
_SET_OPERATORS = f"{_IAM}/reference_policies_condition-single-vs-multi-valued-context-keys.html"
_PRINCIPAL = f"{_IAM}/reference_policies_elements_principal.html"

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
"""The provider of the examples, and its issuer."""
OTHER_ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE0123456789ABCDEF0EXAMPLE0"
OTHER_PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{OTHER_ISSUER}"
BUCKET_PROVIDER = "arn:aws:iam::111122223333:oidc-provider/my-oidc.s3.eu-west-1.amazonaws.com"
_SUB, _AUD = f"{ISSUER}:sub", f"{ISSUER}:aud"
_APP = "system:serviceaccount:prod:app"
_STS = "sts.amazonaws.com"
_WEB = "sts:AssumeRoleWithWebIdentity"
_TIGHT = {"StringEquals": {_SUB: _APP, _AUD: _STS}}
_OTHER = {"StringEquals": {f"{OTHER_ISSUER}:sub": _APP, f"{OTHER_ISSUER}:aud": _STS}}


def _policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _web(condition: Any, provider: Any = PROVIDER, action: str = _WEB) -> Document:
    found = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": action}
    return found if condition is None else {**found, "Condition": condition}


def _like(subject: str) -> Document:
    return _policy(_web({"StringEquals": {_AUD: _STS}, "StringLike": {_SUB: subject}}))


def _service(name: str, action: Any = "sts:AssumeRole", **more: Any) -> Document:
    return {"Effect": "Allow", "Principal": {"Service": name}, "Action": action, **more}


_rules = RuleTable(Area.TRUST, after=_policy(_web(_TIGHT)))
_NAME_THEM = "name the ServiceAccounts by StringEquals on {issuer}:sub"

EVERYBODY = _rules.add(
    "everybody",
    Severity.HIGH,
    "The principal is `*`, or all but some.",
    "Anybody with an AWS account, or with a token of any provider, may assume the role unless a condition"
    " keeps them out.",
    "name the principal in it",
    _PRINCIPAL,
    before=_policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
)
NO_CONDITION = _rules.add(
    "no-condition",
    Severity.HIGH,
    "A statement for a cluster's provider has no condition.",
    "Every pod of the cluster gets the role, since each can ask for a token.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_policy(_web(None)),
)
NO_SUBJECT = _rules.add(
    "no-subject",
    Severity.HIGH,
    "A statement for a cluster's provider does not test the subject.",
    "The audience is the same for all pods, so that every one of the cluster gets the role.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_policy(_web({"StringEquals": {_AUD: _STS}})),
)
ONLY_NEGATIVE = _rules.add(
    "only-negative",
    Severity.HIGH,
    "The subject is tested only by what it must not be.",
    "Whoever is not named is admitted, also ServiceAccounts that are created later.",
    _NAME_THEM,
    _OPERATORS,
    before=_policy(_web({"StringEquals": {_AUD: _STS}, "StringNotEquals": {_SUB: _APP}})),
)
EVERY_SUBJECT = _rules.add(
    "every-subject",
    Severity.HIGH,
    "A pattern admits every ServiceAccount of the cluster.",
    "The test of the subject holds for every token, so that it tests nothing.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_like("system:serviceaccount:*:*"),
)
EVERY_NAMESPACE = _rules.add(
    "every-namespace",
    Severity.HIGH,
    "A pattern admits ServiceAccounts of every namespace.",
    "Whoever may create a ServiceAccount in any namespace can give it the name that is admitted.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_like("system:serviceaccount:*:app"),
)
CROSSES_COLON = _rules.add(
    "pattern-crosses-colon",
    Severity.HIGH,
    "A pattern without a colon between namespace and name admits other namespaces, too.",
    "A `*` in StringLike matches colons as well, so that `prod*` admits every ServiceAccount of `prod-evil`.",
    _NAME_THEM,
    _OPERATORS,
    before=_like("system:serviceaccount:prod*"),
)
NAMESPACE_PATTERN = _rules.add(
    "namespace-pattern",
    Severity.MEDIUM,
    "A pattern admits several namespaces.",
    "Whoever may create a namespace that fits the pattern gets the role.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_like("system:serviceaccount:prod-*:app"),
)
EVERY_NAME = _rules.add(
    "every-name",
    Severity.MEDIUM,
    "A pattern admits every ServiceAccount of a namespace.",
    "Every pod of the namespace gets the role, also one of a ServiceAccount that is created later.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_like("system:serviceaccount:prod:*"),
)
NAME_PATTERN = _rules.add(
    "name-pattern",
    Severity.LOW,
    "A pattern admits several ServiceAccounts of a namespace.",
    "Whoever may create a ServiceAccount in the namespace can give it a name that fits.",
    _NAME_THEM,
    _EKS_PRACTICE,
    before=_like("system:serviceaccount:prod:app-*"),
)
NO_AUDIENCE = _rules.add(
    "no-audience",
    Severity.LOW,
    "The audience is not tested.",
    "A token that was made for another service can be used for the role by whoever receives it.",
    f"demand StringEquals {{issuer}}:aud {_STS}",
    _OIDC,
    before=_policy(_web({"StringEquals": {_SUB: _APP}})),
)
EXTRA_AUDIENCE = _rules.add(
    "extra-audience",
    Severity.LOW,
    "More than one audience is admitted.",
    "A token that was made for the other service can be used for the role by whoever receives it.",
    "demand one audience by StringEquals on {issuer}:aud",
    _OIDC,
    before=_policy(_web({"StringEquals": {_SUB: _APP, _AUD: [_STS, "https://vault.example.com"]}})),
)
FOR_ALL_VALUES = _rules.add(
    "for-all-values",
    Severity.MEDIUM,
    "ForAllValues is used on a key that has one value.",
    "ForAllValues holds when the request has no such key at all, so that a misspelt key admits everybody.",
    "write the operator without ForAllValues",
    _SET_OPERATORS,
    before=_policy(_web({"StringEquals": {_AUD: _STS}, "ForAllValues:StringEquals": {_SUB: _APP}})),
)
OTHER_ISSUERS_KEY = _rules.add(
    "wrong-issuer-key",
    Severity.HIGH,
    "A condition tests the key of another issuer, and holds for lack of it.",
    "The token has no key of another issuer, so that the test (IfExists, a negated one, ForAllValues) keeps"
    " nobody out.",
    "test {issuer}:sub and {issuer}:aud by StringEquals",
    f"{_OPERATORS}#Conditions_IfExists",
    before=_policy(
        _web({"StringEquals": {_AUD: _STS}, "StringEqualsIfExists": {f"{OTHER_ISSUER}:sub": _APP}})
    ),
)
BESIDE_LOOSE = _rules.add(
    "loose-beside-tight",
    Severity.MEDIUM,
    "A loose statement stands beside a tight one.",
    "Statements are alternatives: what the tight one demands, nobody has to meet.",
    "remove the loose statement, or demand the same in it",
    f"{_IAM}/reference_policies_evaluation-logic.html",
    before=_policy(_web(_TIGHT), _web({"StringEquals": {_AUD: _STS}})),
)
ALL_ACTIONS = _rules.add(
    "all-sts-actions",
    Severity.LOW,
    "The action is a pattern like `sts:*`.",
    "It allows all ways to assume the role, session tags and source identities, also future ones.",
    f"write the action that is meant: {_WEB}",
    _EKS_ROLE,
    before=_policy(_web(_TIGHT, action="sts:*")),
)
DEFAULT_ACCOUNT = _rules.add(
    "default-service-account",
    Severity.MEDIUM,
    "The ServiceAccount `default` is admitted.",
    "Every pod of the namespace that names no ServiceAccount runs as `default`.",
    "give the workload a ServiceAccount of its own: irsa create-sa NAME -n NAMESPACE -c CLUSTER",
    "https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts",
    before=_policy(_web({"StringEquals": {_SUB: "system:serviceaccount:prod:default", _AUD: _STS}})),
)
SEVERAL_STAGES = _rules.add(
    "several-stages",
    Severity.MEDIUM,
    "The same role is for clusters of different stages.",
    "Whoever controls the ServiceAccount in the less guarded cluster has the role of the other one.",
    "make a role for each cluster: irsa create-sa NAME -n NAMESPACE -c CLUSTER",
    _EKS_PRACTICE,
    before=_policy(_web(_TIGHT), _web(_OTHER, provider=OTHER_PROVIDER)),
)
PROVIDER_GONE = _rules.add(
    "provider-gone",
    Severity.LOW,
    "The provider that is trusted does not exist in the account.",
    "Nobody is admitted by it now; whoever may create OIDC providers decides whom the statement admits.",
    "remove the statement, or create the provider: irsa associate-oidc -c CLUSTER",
    _OIDC,
    before=_policy(_web(_TIGHT), _web(_OTHER, provider=OTHER_PROVIDER)),
)
ISSUER_CAN_BE_HAD = _rules.add(
    "issuer-can-be-had",
    Severity.MEDIUM,
    "The issuer is no known cluster's, on a host whose name others can have once it is given up.",
    "Who owns the bucket (or page) with the issuer's keys makes the tokens; a name that is deleted can be"
    " taken by any account.",
    "make sure that the name is yours, and remove the provider before the name is given up",
    f"{_AWS}/AmazonS3/latest/userguide/BucketRestrictions.html",
    before=_policy(
        _web(
            {
                "StringEquals": {
                    "my-oidc.s3.eu-west-1.amazonaws.com:sub": _APP,
                    "my-oidc.s3.eu-west-1.amazonaws.com:aud": _STS,
                }
            },
            provider=BUCKET_PROVIDER,
        )
    ),
)
OTHER_SERVICES = _rules.add(
    "other-services",
    Severity.MEDIUM,
    "Another AWS service may assume the role of a ServiceAccount, too.",
    "Whoever may pass the role to that service (an EC2 instance, a function) has the pods' permissions.",
    "make a role for each of them",
    f"{_IAM}/best-practices.html",
    before=_policy(_web(_TIGHT), _service("ec2.amazonaws.com")),
)
POD_IDENTITY_OPEN = _rules.add(
    "pod-identity-no-condition",
    Severity.LOW,
    "The trust for EKS Pod Identity does not say for which cluster or pods.",
    "Whoever may create associations and pass the role decides which ServiceAccount of a cluster gets it.",
    "demand aws:SourceAccount and aws:SourceArn (the cluster), and aws:RequestTag/kubernetes-namespace",
    f"{_AWS}/eks/latest/userguide/pod-id-role.html",
    before=_policy(_service("pods.eks.amazonaws.com", ["sts:AssumeRole", "sts:TagSession"])),
    after=_policy(
        _service(
            "pods.eks.amazonaws.com",
            ["sts:AssumeRole", "sts:TagSession"],
            Condition={
                "StringEquals": {"aws:SourceAccount": "111122223333"},
                "ArnEquals": {"aws:SourceArn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod"},
            },
        )
    ),
)

TRUST_RULES = worst_first(_rules.rules)
