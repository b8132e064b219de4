"""The rules about ServiceAccounts and their roles and about what is left over, and the table of all rules.

Those about one trust policy are in `irsa_cli.core.trust.rules.trust_rules`. What breaks one of these is found
in `irsa_cli.core.audit`, where a whole account is known.
"""

from __future__ import annotations

from typing import Any

from irsa_cli.core.trust.rules.power import SOURCE
from irsa_cli.core.trust.rules.rule import Area, Rule, RuleTable, Severity, worst_first
from irsa_cli.core.trust.rules.trust_rules import PROVIDER, TRUST_RULES

_AWS = "https://docs.aws.amazon.com"
_IAM = f"{_AWS}/IAM/latest/UserGuide"
_EKS = f"{_AWS}/eks/latest/userguide"
_ROLE = "arn:aws:iam::111122223333:role/app"
_NOTED: dict[str, Any] = {
    "serviceAccount": {
        "namespace": "prod",
        "name": "app",
        "annotations": {"eks.amazonaws.com/role-arn": _ROLE},
    }
}
_PLAIN: dict[str, Any] = {"serviceAccount": {"namespace": "prod", "name": "app"}}
_ADMITS: dict[str, Any] = {"role": {"arn": _ROLE, "admits": ["system:serviceaccount:prod:app"]}}
_SOUND: dict[str, Any] = {**_NOTED, **_ADMITS}


_rules = RuleTable(Area.BINDING, after=_SOUND)
ADMITTED_NOT_ANNOTATED = _rules.add(
    "admitted-not-annotated",
    Severity.MEDIUM,
    "A ServiceAccount is admitted to a role that its annotation does not name.",
    "The annotation only tells the webhook what to inject: a projected token is enough to get the role.",
    "remove its subject from the trust policy, or annotate it: irsa create-sa NAME --attach-role-arn ARN",
    f"{_EKS}/pod-configuration.html",
    before={**_PLAIN, **_ADMITS},
)
ANNOTATED_REFUSED = _rules.add(
    "annotated-refused",
    Severity.LOW,
    "A ServiceAccount's annotation names a role that does not admit it.",
    "Its pods get no credentials, and what works for them all the same has another source.",
    "find out why: irsa doctor NAME -n NAMESPACE -c CLUSTER",
    f"{_EKS}/associate-service-account-role.html",
    broken=True,
    before={**_NOTED, "role": {"arn": _ROLE, "admits": []}},
)
BROAD_GROUP = _rules.add(
    "everybody-may-become",
    Severity.HIGH,
    "Everybody in a cluster, or nearly so, may become a ServiceAccount that has a role.",
    "Who makes a pod or a token of a ServiceAccount, or enters its pod, has its AWS role.",
    "bind the role to those who need it, and not to a group that everybody is in",
    "https://kubernetes.io/docs/concepts/security/rbac-good-practices/",
    before={"roleBinding": {"subjects": ["Group system:authenticated"], "allows": "create pods"}, **_SOUND},
    after={"roleBinding": {"subjects": ["Group deployers"], "allows": "create pods"}, **_SOUND},
)
POWERFUL_ACCOUNT = _rules.add(
    "powerful-service-account",
    Severity.MEDIUM,
    "Somebody can act as a ServiceAccount whose role is more powerful than they are.",
    "Whoever creates a pod or a token of a ServiceAccount, or enters its pod, has its AWS role.",
    "remove the right that leads there, or move the ServiceAccount to a namespace of its own",
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
    "A ServiceAccount's annotation names a role that does not exist.",
    "Whoever may create roles of that name decides what its pods can do.",
    "remove the annotation, or create the role: irsa create-sa NAME -n NAMESPACE -c CLUSTER",
    f"{_EKS}/associate-service-account-role.html",
    broken=True,
    before={**_NOTED, "role": None},
)
SUBJECT_GONE = _rules.add(
    "subject-gone",
    Severity.MEDIUM,
    "A role admits a ServiceAccount that does not exist.",
    "Whoever creates a ServiceAccount (or a namespace) of that name gets the role.",
    "remove its subject from the trust policy, or the role: irsa delete-sa NAME -n NAMESPACE -c CLUSTER",
    f"{_AWS}/eks/latest/best-practices/identity-and-access-management.html",
    before={"serviceAccount": None, **_ADMITS},
)
NO_ROLE_NAMED = _rules.add(
    "annotation-no-role",
    Severity.MEDIUM,
    "A ServiceAccount's annotation is no ARN of a role.",
    "Its pods get no credentials by it, and fall back to what the node may do.",
    "write the role's ARN: arn:aws:iam::ACCOUNT:role/NAME",
    f"{_EKS}/associate-service-account-role.html",
    broken=True,
    before={
        "serviceAccount": {
            "namespace": "prod",
            "name": "app",
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:user/app"},
        }
    },
)
PLACEHOLDER_LEFT = _rules.add(
    "annotation-placeholder",
    Severity.MEDIUM,
    "A ServiceAccount's annotation has a placeholder in it.",
    "AWS knows no such role: its pods get no credentials.",
    "write the role's ARN: arn:aws:iam::ACCOUNT:role/NAME",
    f"{_EKS}/pod-configuration.html",
    broken=True,
    before={
        "serviceAccount": {
            "namespace": "prod",
            "name": "app",
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::<account-id>:role/app"},
        }
    },
)
ANNOTATION_MISPLACED = _rules.add(
    "annotation-misplaced",
    Severity.MEDIUM,
    "The annotation with the role is on a pod or its template, and not on the ServiceAccount.",
    "The webhook reads the ServiceAccount only: the pods get no credentials.",
    "move the annotation to the ServiceAccount of the pods",
    f"{_EKS}/pod-configuration.html",
    broken=True,
    before={"podTemplate": {"annotations": {"eks.amazonaws.com/role-arn": _ROLE}}, **_PLAIN},
)
ACCOUNT_MISSING = _rules.add(
    "service-account-missing",
    Severity.MEDIUM,
    "Pods name a ServiceAccount that does not exist.",
    "Kubernetes creates no pod of a ServiceAccount that does not exist.",
    "create the ServiceAccount, or correct serviceAccountName",
    "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
    broken=True,
    before={"podTemplate": {"serviceAccountName": "ap"}, **_SOUND},
)
SHADOWED = _rules.add(
    "shadowed-by-pod-identity",
    Severity.LOW,
    "The annotation has no effect, as an EKS Pod Identity association takes precedence.",
    "Pods that are created now get the role of the association, whatever the annotation says.",
    "remove the annotation, or the association: aws eks delete-pod-identity-association",
    f"{_EKS}/pod-identities.html",
    before={**_SOUND, "association": {"role": "arn:aws:iam::111122223333:role/other"}},
)
NODE_ROLE = _rules.add(
    "node-role-fallback",
    Severity.LOW,
    "Pods run without a role of their own.",
    "Where they can reach the instance's metadata, they have the permissions of the node's role.",
    "give them a role (irsa create-sa NAME -n NAMESPACE -c CLUSTER), and set the metadata's hop limit to 1",
    f"{_AWS}/eks/latest/best-practices/identity-and-access-management.html",
    before={**_PLAIN, "pods": 1},
)
_FEW = {"role": {"arn": _ROLE, "policies": [{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::app/*"}]}}
ADMINISTRATOR = _rules.add(
    "administrator-role",
    Severity.HIGH,
    "A role that pods can assume is an administrator.",
    "Anyone who controls one of its pods, or can create one, controls the AWS account.",
    "attach only the permissions that the application needs, or set a permissions boundary",
    f"{_IAM}/best-practices.html#grant-least-privilege",
    area=Area.POWER,
    before={"role": {"arn": _ROLE, "policies": [{"Action": "*", "Resource": "*"}]}},
    after=_FEW,
)
ESCALATION = _rules.add(
    "can-become-administrator",
    Severity.HIGH,
    "A role that pods can assume can become an administrator.",
    "Its permissions, or a role that it can assume, lead to those of an administrator.",
    "limit these actions to the resources that the application needs, or remove them",
    SOURCE,
    area=Area.POWER,
    before={"role": {"arn": _ROLE, "policies": [{"Action": "iam:PutRolePolicy", "Resource": "*"}]}},
    after=_FEW,
)
ALL_DATA = _rules.add(
    "reads-all-data",
    Severity.MEDIUM,
    "A role that pods can assume can read all data of a kind.",
    "Anyone who controls one of its pods can read what other applications store there.",
    "name the buckets, secrets, parameters or keys that the application needs",
    f"{_IAM}/best-practices.html#grant-least-privilege",
    area=Area.POWER,
    before={"role": {"arn": _ROLE, "policies": [{"Action": "s3:GetObject", "Resource": "*"}]}},
    after=_FEW,
)
PROVIDER_WITHOUT_CLUSTER = _rules.add(
    "provider-without-cluster",
    Severity.LOW,
    "An OIDC provider is there for a cluster that is not.",
    "The account accepts tokens of an issuer that nobody looks after any more.",
    "delete it: aws iam delete-open-id-connect-provider --open-id-connect-provider-arn ARN",
    f"{_EKS}/enable-iam-roles-for-service-accounts.html",
    area=Area.DRIFT,
    before={"provider": PROVIDER, "cluster": None},
    after={"provider": PROVIDER, "cluster": "prod"},
)
DEAD_ISSUER = _rules.add(
    "dead-issuer",
    Severity.LOW,
    "A role trusts the issuer of a cluster that is not there.",
    "Nobody should be admitted by it, and nobody will notice when somebody is.",
    "remove the statement, or delete the role where it has no other one",
    f"{_EKS}/enable-iam-roles-for-service-accounts.html",
    area=Area.DRIFT,
    before={"role": {"arn": _ROLE, "trusts": PROVIDER}, "cluster": None},
    after={"role": {"arn": _ROLE, "trusts": PROVIDER}, "cluster": "prod"},
)
CHANGED = _rules.add(
    "changed-since-irsa",
    Severity.MEDIUM,
    "A role that irsa made is not as irsa made it.",
    "Somebody has changed whom it admits, and no file and no plan says so.",
    "see what differs: irsa diff -f FILE; then irsa apply -f FILE",
    f"{_IAM}/id_roles_manage_modify.html",
    area=Area.DRIFT,
    before={"role": {"tags": {"irsa/service-account": "prod/app"}, "admits": ["prod/app", "prod/other"]}},
    after={"role": {"tags": {"irsa/service-account": "prod/app"}, "admits": ["prod/app"]}},
)
UNUSED = _rules.add(
    "unused-role",
    Severity.LOW,
    "A role that pods can become has not been used for long.",
    "What nobody uses serves only somebody who finds it.",
    "delete it: irsa delete-sa NAME -n NAMESPACE -c CLUSTER",
    f"{_AWS}/IAM/latest/APIReference/API_RoleLastUsed.html",
    area=Area.DRIFT,
    before={"role": {"arn": _ROLE, "lastUsed": "400 days ago"}},
    after={"role": {"arn": _ROLE, "lastUsed": "yesterday"}},
)

RULES: dict[str, Rule] = {
    rule.id: rule for area in Area for rule in worst_first((*TRUST_RULES, *_rules.rules)) if rule.area is area
}
