"""The rules about ServiceAccounts, permissions and leftovers, and the table of all rules."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.trust.rules.power import SOURCE
from irsa_cli.core.trust.rules.rule import Area, Rule, RuleTable, Severity, worst_first
from irsa_cli.core.trust.rules.trust_rules import CREATE, PROVIDER, TRUST_RULES

_AWS = "https://docs.aws.amazon.com"
_IAM = f"{_AWS}/IAM/latest/UserGuide"
_EKS = f"{_AWS}/eks/latest/userguide"
_ROLE = "arn:aws:iam::111122223333:role/app"


def _annotated(text: str) -> dict[str, Any]:
    annotations = {"eks.amazonaws.com/role-arn": text}
    return {"serviceAccount": {"namespace": "prod", "name": "app", "annotations": annotations}}


_NOTED = _annotated(_ROLE)
_PLAIN: dict[str, Any] = {"serviceAccount": {"namespace": "prod", "name": "app"}}
_TRUSTS: dict[str, Any] = {"role": {"arn": _ROLE, "trusts": ["system:serviceaccount:prod:app"]}}
_SOUND: dict[str, Any] = {**_NOTED, **_TRUSTS}


_rules = RuleTable(Area.BINDING, after=_SOUND)
ADMITTED_NOT_ANNOTATED = _rules.add(
    "admitted-not-annotated",
    Severity.MEDIUM,
    "A role allows a ServiceAccount that is not annotated with it.",
    "The annotation only tells the webhook what to inject: a projected token is enough to assume the role.",
    "remove its subject from the trust policy, or annotate it:"
    " irsa create-sa NAME -n NAMESPACE -c CLUSTER --attach-role-arn ARN",
    f"{_EKS}/pod-configuration.html",
    before={**_PLAIN, **_TRUSTS},
)
ANNOTATED_REFUSED = _rules.add(
    "annotated-refused",
    Severity.LOW,
    "A ServiceAccount is annotated with a role that does not trust it.",
    "Its pods get no credentials from the role. If they work anyway, their credentials have another source.",
    "find the cause: irsa doctor NAME -n NAMESPACE -c CLUSTER",
    f"{_EKS}/associate-service-account-role.html",
    broken=True,
    before={**_NOTED, "role": {"arn": _ROLE, "trusts": []}},
)
BROAD_GROUP = _rules.add(
    "everybody-may-become",
    Severity.HIGH,
    "Nearly everyone in a cluster can act as ServiceAccounts with roles.",
    "Anyone who creates a pod or token for a ServiceAccount, or opens a shell in its pod, gets its AWS role.",
    "bind the role only to subjects that need it, not to a group that includes everyone",
    "https://kubernetes.io/docs/concepts/security/rbac-good-practices/",
    before={"roleBinding": {"subjects": ["Group system:authenticated"], "allows": "create pods"}, **_SOUND},
    after={"roleBinding": {"subjects": ["Group deployers"], "allows": "create pods"}, **_SOUND},
)
POWERFUL_ACCOUNT = _rules.add(
    "powerful-service-account",
    Severity.MEDIUM,
    "A subject can act as a ServiceAccount with a more powerful role.",
    "Anyone who creates a pod or token for a ServiceAccount, or opens a shell in its pod, gets its AWS role.",
    "remove the right that allows it, or move the ServiceAccount to its own namespace",
    "https://kubernetes.io/docs/concepts/security/rbac-good-practices/",
    before={
        "roleBinding": {"subjects": ["Group developers"], "allows": "create pods"},
        **_SOUND,
        "power": "*",
    },
    after={"roleBinding": {"subjects": ["Group developers"], "allows": "get pods"}, **_SOUND, "power": "*"},
)
ROLE_GONE = _rules.add(
    "role-gone",
    Severity.LOW,
    "A ServiceAccount is annotated with a role that does not exist.",
    "Anyone who can create a role of that name decides what its pods can do.",
    f"remove the annotation, or create a role: {CREATE}",
    f"{_EKS}/associate-service-account-role.html",
    broken=True,
    before={**_NOTED, "role": None},
)
SUBJECT_GONE = _rules.add(
    "subject-gone",
    Severity.MEDIUM,
    "A role trusts a ServiceAccount that does not exist.",
    "Anyone who creates a ServiceAccount or namespace of that name can assume the role.",
    "remove its subject from the trust policy, or delete the role:"
    " irsa delete-sa NAME -n NAMESPACE -c CLUSTER",
    f"{_AWS}/eks/latest/best-practices/identity-and-access-management.html",
    before={"serviceAccount": None, **_TRUSTS},
)
NO_ROLE_NAMED = _rules.add(
    "annotation-no-role",
    Severity.MEDIUM,
    "A ServiceAccount's annotation is not the ARN of a role.",
    "Its pods get no credentials from it and fall back to the node's role.",
    "set the role's ARN: arn:aws:iam::ACCOUNT:role/NAME",
    f"{_EKS}/associate-service-account-role.html",
    broken=True,
    before=_annotated("arn:aws:iam::111122223333:user/app"),
)
PLACEHOLDER_LEFT = _rules.add(
    "annotation-placeholder",
    Severity.MEDIUM,
    "A ServiceAccount's annotation contains a placeholder.",
    "AWS knows no such role, so its pods get no credentials.",
    "set the role's ARN: arn:aws:iam::ACCOUNT:role/NAME",
    f"{_EKS}/pod-configuration.html",
    broken=True,
    before=_annotated("arn:aws:iam::<account-id>:role/app"),
)
ANNOTATION_MISPLACED = _rules.add(
    "annotation-misplaced",
    Severity.MEDIUM,
    "The role annotation is on a pod, not on its ServiceAccount.",
    "The webhook reads only the ServiceAccount's annotation, so the pods get no credentials.",
    "move the annotation to the ServiceAccount of the pods",
    f"{_EKS}/pod-configuration.html",
    broken=True,
    before={"podTemplate": {"annotations": {"eks.amazonaws.com/role-arn": _ROLE}}, **_PLAIN},
)
ACCOUNT_MISSING = _rules.add(
    "service-account-missing",
    Severity.MEDIUM,
    "Pods use a ServiceAccount that does not exist.",
    "Kubernetes does not create pods if their ServiceAccount is missing.",
    "create the ServiceAccount, or correct serviceAccountName",
    "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
    broken=True,
    before={"podTemplate": {"serviceAccountName": "ap"}, **_SOUND},
)
SHADOWED = _rules.add(
    "shadowed-by-pod-identity",
    Severity.LOW,
    "An EKS Pod Identity association overrides the annotation.",
    "New pods get the association's role, whatever the annotation says.",
    "remove the annotation, or delete the association:"
    " aws eks delete-pod-identity-association --cluster-name CLUSTER --association-id ID",
    f"{_EKS}/pod-identities.html",
    before={**_SOUND, "association": {"role": "arn:aws:iam::111122223333:role/other"}},
)
NODE_ROLE = _rules.add(
    "node-role-fallback",
    Severity.LOW,
    "Pods run without a role of their own.",
    "Pods that can reach the instance metadata have the permissions of the node's role.",
    f"set the metadata hop limit to 1, and create a role for them: {CREATE}",
    f"{_AWS}/eks/latest/best-practices/identity-and-access-management.html",
    before={**_PLAIN, "pods": 1},
)
_FEW = {"role": {"arn": _ROLE, "policies": [{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::app/*"}]}}
_power = RuleTable(Area.POWER, after=_FEW)
ADMINISTRATOR = _power.add(
    "administrator-role",
    Severity.HIGH,
    "A role that pods can assume is an administrator.",
    "Anyone who controls one of its pods, or can create one, controls the AWS account.",
    "attach only the permissions that the application needs, or set a permissions boundary",
    f"{_IAM}/best-practices.html#grant-least-privilege",
    before={"role": {"arn": _ROLE, "policies": [{"Action": "*", "Resource": "*"}]}},
)
ESCALATION = _power.add(
    "can-become-administrator",
    Severity.HIGH,
    "A role that pods can assume can gain administrator permissions.",
    "Its permissions, or a role that it can assume, lead to administrator permissions.",
    "limit these actions to the resources that the application needs, or remove them",
    SOURCE,
    before={"role": {"arn": _ROLE, "policies": [{"Action": "iam:PutRolePolicy", "Resource": "*"}]}},
)
ALL_DATA = _power.add(
    "reads-all-data",
    Severity.MEDIUM,
    "A role that pods can assume can read all data of a kind.",
    "Anyone who controls one of its pods can read what other applications store there.",
    "allow only the buckets, secrets, parameters or keys that the application needs",
    f"{_IAM}/best-practices.html#grant-least-privilege",
    before={"role": {"arn": _ROLE, "policies": [{"Action": "s3:GetObject", "Resource": "*"}]}},
)
_drift = RuleTable(Area.DRIFT, after={})
PROVIDER_WITHOUT_CLUSTER = _drift.add(
    "provider-without-cluster",
    Severity.LOW,
    "An OIDC provider belongs to a cluster that no longer exists.",
    "The account still accepts tokens of an issuer that nobody manages.",
    "delete it: aws iam delete-open-id-connect-provider --open-id-connect-provider-arn ARN",
    f"{_EKS}/enable-iam-roles-for-service-accounts.html",
    before={"provider": PROVIDER, "cluster": None},
    after={"provider": PROVIDER, "cluster": "prod"},
)
DEAD_ISSUER = _drift.add(
    "dead-issuer",
    Severity.LOW,
    "A role trusts the issuer of a cluster that no longer exists.",
    "No token should match the statement, and nobody would notice one that does.",
    "remove the statement, or delete the role if it has no other statement",
    f"{_EKS}/enable-iam-roles-for-service-accounts.html",
    before={"role": {"arn": _ROLE, "trusts": PROVIDER}, "cluster": None},
    after={"role": {"arn": _ROLE, "trusts": PROVIDER}, "cluster": "prod"},
)
CHANGED = _drift.add(
    "changed-since-irsa",
    Severity.MEDIUM,
    "A role created by irsa was changed.",
    "Its trust policy was changed outside irsa, and no file or plan records the change.",
    "show the difference: irsa diff -f FILE; then restore the role: irsa apply -f FILE",
    f"{_IAM}/id_roles_manage_modify.html",
    before={"role": {"tags": {"irsa/service-account": "prod/app"}, "trusts": ["prod/app", "prod/other"]}},
    after={"role": {"tags": {"irsa/service-account": "prod/app"}, "trusts": ["prod/app"]}},
)
UNUSED = _drift.add(
    "unused-role",
    Severity.LOW,
    "A role that pods can assume has not been used recently.",
    "An unused role is useful only to an attacker.",
    "delete it: irsa delete-sa NAME -n NAMESPACE -c CLUSTER",
    f"{_AWS}/IAM/latest/APIReference/API_RoleLastUsed.html",
    before={"role": {"arn": _ROLE, "lastUsed": "400 days ago"}},
    after={"role": {"arn": _ROLE, "lastUsed": "yesterday"}},
)

RULES: dict[str, Rule] = {
    rule.id: rule
    for rules in (TRUST_RULES, _rules.rules, _power.rules, _drift.rules)
    for rule in worst_first(rules)
}
