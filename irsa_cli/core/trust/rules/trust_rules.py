"""The rules about trust policies, as values. The other modules of this folder apply them."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.rules.rule import Area, Rule, RuleTable, Severity, worst_first

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
CREATE = "irsa create-sa NAME -n NAMESPACE -c CLUSTER --attach-policy-arn ARN"
NAME_THEM = "list the allowed ServiceAccounts with StringEquals on {issuer}:sub"


def _of_subject(name: str, severity: Severity, title: str, reason: str, before: Document) -> Rule:
    return _rules.add(name, severity, title, reason, NAME_THEM, _EKS_PRACTICE, before=before)


EVERYBODY = _rules.add(
    "everybody",
    Severity.HIGH,
    "The principal is `*`, or everyone except a few.",
    "Anyone with an AWS account or any provider's token can assume the role, unless a condition prevents it.",
    "list the principals that need the role",
    _PRINCIPAL,
    before=_policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
)
NO_CONDITION = _of_subject(
    "no-condition",
    Severity.HIGH,
    "A statement for a cluster's provider has no condition.",
    "Every pod of the cluster can assume the role, because every pod can request a token.",
    _policy(_web(None)),
)
NO_SUBJECT = _of_subject(
    "no-subject",
    Severity.HIGH,
    "A statement for a cluster's provider does not test the subject.",
    "All pods have the same audience, so every pod of the cluster can assume the role.",
    _policy(_web({"StringEquals": {_AUD: _STS}})),
)
ONLY_NEGATIVE = _rules.add(
    "only-negative",
    Severity.HIGH,
    "The subject is tested only with negated operators.",
    "The statement allows every ServiceAccount that it does not exclude, including ones created later.",
    NAME_THEM,
    _OPERATORS,
    before=_policy(_web({"StringEquals": {_AUD: _STS}, "StringNotEquals": {_SUB: _APP}})),
)
EVERY_SUBJECT = _of_subject(
    "every-subject",
    Severity.HIGH,
    "A pattern allows every ServiceAccount of the cluster.",
    "The subject test matches every token, so it has no effect.",
    _like("system:serviceaccount:*:*"),
)
EVERY_NAMESPACE = _of_subject(
    "every-namespace",
    Severity.HIGH,
    "A pattern allows ServiceAccounts of every namespace.",
    "Anyone who can create a ServiceAccount in any namespace can use the allowed name.",
    _like("system:serviceaccount:*:app"),
)
CROSSES_COLON = _rules.add(
    "pattern-crosses-colon",
    Severity.HIGH,
    "A pattern without a colon also allows other namespaces.",
    "A `*` in StringLike also matches colons, so `prod*` allows every ServiceAccount of `prod-evil`.",
    NAME_THEM,
    _OPERATORS,
    before=_like("system:serviceaccount:prod*"),
)
NAMESPACE_PATTERN = _of_subject(
    "namespace-pattern",
    Severity.MEDIUM,
    "A pattern allows several namespaces.",
    "Anyone who can create a namespace that matches the pattern can assume the role.",
    _like("system:serviceaccount:prod-*:app"),
)
EVERY_NAME = _of_subject(
    "every-name",
    Severity.MEDIUM,
    "A pattern allows every ServiceAccount of a namespace.",
    "Every pod of the namespace can assume the role, whichever ServiceAccount it uses.",
    _like("system:serviceaccount:prod:*"),
)
NAME_PATTERN = _of_subject(
    "name-pattern",
    Severity.LOW,
    "A pattern allows several ServiceAccounts of a namespace.",
    "Anyone who can create a ServiceAccount in the namespace can choose a name that matches.",
    _like("system:serviceaccount:prod:app-*"),
)
NO_AUDIENCE = _rules.add(
    "no-audience",
    Severity.LOW,
    "The audience is not tested.",
    "Anyone who receives a token for another service can use it to assume the role.",
    f"require StringEquals {{issuer}}:aud {_STS}",
    _OIDC,
    before=_policy(_web({"StringEquals": {_SUB: _APP}})),
)
EXTRA_AUDIENCE = _rules.add(
    "extra-audience",
    Severity.LOW,
    "More than one audience is allowed.",
    "Anyone who receives a token for the other service can use it to assume the role.",
    "require a single audience with StringEquals on {issuer}:aud",
    _OIDC,
    before=_policy(_web({"StringEquals": {_SUB: _APP, _AUD: [_STS, "https://vault.example.com"]}})),
)
FOR_ALL_VALUES = _rules.add(
    "for-all-values",
    Severity.MEDIUM,
    "ForAllValues is used on a key with a single value.",
    "ForAllValues also matches if the key is missing, so a misspelled key allows everyone.",
    "use the operator without ForAllValues",
    _SET_OPERATORS,
    before=_policy(_web({"StringEquals": {_AUD: _STS}, "ForAllValues:StringEquals": {_SUB: _APP}})),
)
OTHER_ISSUERS_KEY = _rules.add(
    "wrong-issuer-key",
    Severity.HIGH,
    "A condition tests another issuer's key and matches if it is missing.",
    "IfExists, negated operators and ForAllValues match tokens without the key, so the test excludes nobody.",
    "test {issuer}:sub and {issuer}:aud with StringEquals",
    f"{_OPERATORS}#Conditions_IfExists",
    before=_policy(
        _web({"StringEquals": {_AUD: _STS}, "StringEqualsIfExists": {f"{OTHER_ISSUER}:sub": _APP}})
    ),
)
LOOSE_STATEMENT = _rules.add(
    "loose-beside-tight",
    Severity.MEDIUM,
    "A broad statement overrides a strict one.",
    "Statements are alternatives: a token that fails the strict statement passes the broad one.",
    "remove the broad statement, or add the same conditions to it",
    f"{_IAM}/reference_policies_evaluation-logic.html",
    before=_policy(_web(_TIGHT), _web({"StringEquals": {_AUD: _STS}})),
)
ALL_ACTIONS = _rules.add(
    "all-sts-actions",
    Severity.LOW,
    "The action is a pattern such as `sts:*`.",
    "It allows every way to assume the role, with session tags and source identities, now and later.",
    f"use the exact action: {_WEB}",
    _EKS_ROLE,
    before=_policy(_web(_TIGHT, action="sts:*")),
)
DEFAULT_ACCOUNT = _rules.add(
    "default-service-account",
    Severity.MEDIUM,
    "The ServiceAccount `default` is allowed.",
    "Every pod of the namespace that sets no ServiceAccount runs as `default`.",
    f"use a separate ServiceAccount for the workload: {CREATE}",
    "https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts",
    before=_policy(_web({"StringEquals": {_SUB: "system:serviceaccount:prod:default", _AUD: _STS}})),
)
SEVERAL_STAGES = _rules.add(
    "several-stages",
    Severity.MEDIUM,
    "Clusters of different stages share the role.",
    "Anyone who controls the ServiceAccount in the less protected cluster can use the role everywhere.",
    f"create a role for each cluster: {CREATE}",
    _EKS_PRACTICE,
    before=_policy(_web(_TIGHT), _web(_OTHER, provider=OTHER_PROVIDER)),
)
PROVIDER_GONE = _rules.add(
    "provider-gone",
    Severity.LOW,
    "The trusted OIDC provider does not exist in the account.",
    "No token matches the statement today, but anyone who can create OIDC providers decides whom it allows.",
    "remove the statement, or create the provider: irsa associate-oidc -c CLUSTER",
    _OIDC,
    before=_policy(_web(_TIGHT), _web(_OTHER, provider=OTHER_PROVIDER)),
)
ISSUER_CAN_BE_HAD = _rules.add(
    "issuer-can-be-had",
    Severity.MEDIUM,
    "An unknown issuer has a host name that others could claim.",
    "The owner of the bucket or page with the issuer's keys can sign tokens, and any account can claim a"
    " deleted name.",
    "make sure that you own the name, and delete the provider before you give the name up",
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
    "Another AWS service can also assume a ServiceAccount's role.",
    "Anyone who can pass the role to that service, such as EC2 or Lambda, gets the pods' permissions.",
    "create a separate role for each of them",
    f"{_IAM}/best-practices.html",
    before=_policy(_web(_TIGHT), _service("ec2.amazonaws.com")),
)
POD_IDENTITY_OPEN = _rules.add(
    "pod-identity-no-condition",
    Severity.LOW,
    "The trust for EKS Pod Identity does not limit the cluster or pods.",
    "Anyone who can create associations and pass the role decides which ServiceAccount gets it.",
    "require aws:SourceAccount, aws:SourceArn (the cluster) and aws:RequestTag/kubernetes-namespace",
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
