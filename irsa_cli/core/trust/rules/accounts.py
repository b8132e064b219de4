"""Rules about ServiceAccounts with roles, their pods and associations, and rights to act as them.

Each function is one rule over one subject, which a cluster has or a file declares. A reader fills in what it
knows of a subject; what is unknown is None and breaks no rule. A subject of a file has its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.statements import allowing, does, principals
from irsa_cli.core.trust.assuming import SERVICE, actions
from irsa_cli.core.trust.rules.rule import RULES, FilePlace, Risk, risk
from irsa_cli.core.values.arn import check_role
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import Namespaced
from irsa_cli.core.values.placeholders import UNFILLED, placeholder


@dataclass(frozen=True)
class DeclaredAccount:
    """A ServiceAccount with a role annotation, in a cluster or (with the annotation's `place`) in a file.

    `exists` tells whether the role does, and `why_gone` how files show that it does not. `trusted` tells
    whether the role's trust policy allows the ServiceAccount. `association` is one with another role, which
    EKS uses instead.
    """

    namespace: str
    name: str
    role: str
    cluster: str = ""
    place: FilePlace | None = None
    name_place: FilePlace | None = None
    exists: bool | None = None
    why_gone: str = "which does not exist"
    trusted: bool | None = None
    trust_place: FilePlace | None = None
    association: DeclaredAssociation | None = None

    @property
    def full_name(self) -> str:
        """NAMESPACE/NAME, or the name alone if a file does not tell the namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def risk(self, rule: str, reason: str, *, role: str = "", evidence: tuple[str, ...] = ()) -> Risk:
        """The risk of this ServiceAccount; `role` is an ARN that the account has, or could have."""
        return risk(
            RULES[rule],
            f"ServiceAccount {self.full_name}{_of_cluster(self.cluster)}",
            reason,
            role="" if self.place else role,
            cluster=self.cluster,
            account=self.full_name,
            place=self.place,
            evidence=evidence,
        )


def _of_cluster(name: str) -> str:
    return f" of cluster {name}" if name else ""


def placeholder_left(account: DeclaredAccount) -> Iterator[Risk]:
    """The annotation has a word that somebody has to replace; `$` and `{` belong to templates."""
    word = placeholder(account.role)
    if word and word[0] not in "${":
        yield account.risk("annotation-placeholder", f"has an annotation in which '{word}' {UNFILLED}")


def wrong_annotation(account: DeclaredAccount) -> Iterator[Risk]:
    """The annotation is not a role's ARN."""
    try:
        check_role(account.role)
    except InvalidInput as error:
        reason = f"has a wrong annotation: {error.message}"
        if account.place is not None:
            reason = f"has an annotation that is not a role ARN: {error.message}"
            reason = reason if account.role else "has an empty role annotation"
        yield account.risk("annotation-no-role", reason)


def shared_name(account: DeclaredAccount) -> Iterator[Risk]:
    """It is the ServiceAccount of all pods that set no other."""
    if account.name == "default":
        reason = "has a role, and every pod of its namespace that sets no other ServiceAccount uses it"
        yield replace(account.risk("default-service-account", reason), place=account.name_place)


def role_gone(account: DeclaredAccount) -> Iterator[Risk]:
    """Its role does not exist."""
    if account.exists is False:
        reason = f"is annotated with {account.role}, {account.why_gone}"
        yield account.risk("role-gone", reason, role=account.role)


def not_trusted(account: DeclaredAccount) -> Iterator[Risk]:
    """Its role does not trust it."""
    if account.trusted is not False:
        return
    role = f"is annotated with {account.role}"
    reason = f"{role}, which does not trust it"
    if account.trust_place is not None:
        reason = f"{role}, whose trust policy ({account.trust_place}) does not allow it"
    yield account.risk("annotated-refused", reason, role=account.role)


def shadowed(account: DeclaredAccount) -> Iterator[Risk]:
    """EKS Pod Identity gives its pods another role than the annotation does."""
    association = account.association
    if association is None:
        return
    other = association.role or "another role, which was not read"
    reason = f"is annotated with {account.role}, but its association uses {other}"
    evidence = (f"association {association.id}",)
    yield account.risk("shadowed-by-pod-identity", reason, role=account.role, evidence=evidence)


@dataclass(frozen=True)
class DeclaredPods:
    """A pod, or a workload that creates pods, in a file.

    `annotated` is the place of a role annotation on its pods. `exists` tells whether its ServiceAccount does.
    """

    name: str
    service_account: str = ""
    exists: bool | None = None
    place: FilePlace | None = None
    annotated: FilePlace | None = None


def annotation_on_pods(pods: DeclaredPods) -> Iterator[Risk]:
    """The webhook ignores the annotation there."""
    if pods.annotated is not None:
        reason = f"has the annotation {ROLE_ARN_ANNOTATION}, which works only on a ServiceAccount"
        yield risk(RULES["annotation-misplaced"], pods.name, reason, place=pods.annotated)


def account_missing(pods: DeclaredPods) -> Iterator[Risk]:
    """Its ServiceAccount does not exist."""
    if pods.exists is False:
        reason = (
            f"uses ServiceAccount {pods.service_account}, but the files have only others in its namespace"
        )
        yield risk(RULES["service-account-missing"], pods.name, reason, place=pods.place)


@dataclass(frozen=True)
class DeclaredAssociation(Namespaced):
    """An EKS Pod Identity association, in a cluster or (with its `place`) in a file.

    `trust` is the trust policy of its role, None if unknown. `tagged`: its sessions have tags.
    """

    namespace: str
    name: str
    role: str
    id: str = ""
    cluster: str = ""
    trust: object = None
    tagged: bool = False
    place: FilePlace | None = None
    trust_place: FilePlace | None = None


def association_refused(association: DeclaredAssociation) -> Iterator[Risk]:
    """Its role does not trust EKS Pod Identity."""
    action = refused_action(association.trust, tagged=association.tagged)
    if association.trust is None or not action:
        return
    rule = RULES["association-refused"]
    name = association.full_name
    if association.place is not None:
        policy = f"trust policy ({association.trust_place})"
        reason = f"uses {association.role}, whose {policy} does not allow EKS {action}"
        yield risk(rule, f"association of {name}", reason, account=name, place=association.place)
        return
    yield risk(
        rule,
        f"ServiceAccount {name}{_of_cluster(association.cluster)}",
        f"has association {association.id}, but {association.role} does not allow EKS {action}",
        role=association.role,
        cluster=association.cluster,
        account=name,
    )


def refused_action(document: object, *, tagged: bool) -> str:
    """The action that no statement allows EKS, whatever its conditions; '' for none.

    `tagged`: the association's sessions have tags.
    """
    known = document if isinstance(document, dict) else {}
    items = [statement for _, statement in allowing(known) if SERVICE in principals(statement, "Service")]
    for action in actions(tagged=tagged):
        if not any(does(statement, action) for statement in items):
            return action
    return ""


@dataclass(frozen=True)
class OpenBinding:
    """A binding of Kubernetes that lets groups of nearly everyone act as ServiceAccounts with roles.

    `accounts` and `rights` tell as which and by what; `evidence` begins with the bound role.
    """

    name: str
    subjects: Sequence[str]
    accounts: str
    rights: str
    evidence: tuple[str, ...]
    cluster: str = ""
    place: FilePlace | None = None


def open_to_everybody(binding: OpenBinding) -> Risk:
    """Nearly everyone in a cluster can act as ServiceAccounts with roles."""
    reason = f"allows {' and '.join(binding.subjects)} to act as {binding.accounts} ({binding.rights})"
    return risk(
        RULES["everybody-may-become"],
        f"{binding.name}{_of_cluster(binding.cluster)}",
        reason,
        cluster=binding.cluster,
        place=binding.place,
        evidence=binding.evidence,
    )


AccountRule = Callable[[DeclaredAccount], Iterator[Risk]]
OF_CLUSTERS: tuple[AccountRule, ...] = (wrong_annotation, role_gone, not_trusted, shadowed)
"""The rules of a ServiceAccount in a cluster. Its annotation was accepted: a placeholder is a wrong ARN."""
