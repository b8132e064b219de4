"""Risks across files: ServiceAccounts, their pods and roles, and rights for everyone.

A missing object can be elsewhere, so it is a risk only if the files look complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from irsa_cli.core.lint.found import (
    Found,
    LintedAccount,
    LintedAssociation,
    LintedDeletion,
    LintedObject,
    LintedTrust,
    Unjudged,
    is_gap,
    is_known,
)
from irsa_cli.core.lint.judging import declared, refuses
from irsa_cli.core.lint.roles_of_files import RolesOfFiles
from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.objects.workloads import workload
from irsa_cli.core.rbac.becoming import AccountTaker, AccountTarget, Becoming
from irsa_cli.core.rbac.evaluation import RbacIndex
from irsa_cli.core.rbac.objects import (
    BROAD,
    RBAC_KINDS,
    RbacBinding,
    RbacObjects,
    RbacRole,
    RoleRef,
    binding_of,
    role_of,
)
from irsa_cli.core.rbac.principals import ACCESS_POLICY
from irsa_cli.core.trust.rules.accounts import (
    DeclaredAssociation,
    DeclaredPods,
    OpenBinding,
    account_missing,
    association_refused,
    not_trusted,
    open_to_everybody,
    role_gone,
)
from irsa_cli.core.trust.rules.rule import Risk, Severity, some
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT
from irsa_cli.core.values.placeholders import placeholder

_BUILT_IN = {
    "admin": "AmazonEKSAdminPolicy",
    "cluster-admin": "AmazonEKSClusterAdminPolicy",
    "edit": "AmazonEKSEditPolicy",
}
"""Built-in roles, and EKS's access policies with the same rights."""
_HARMLESS = ("view", "system:basic-user", "system:discovery", "system:public-info-viewer")
_RENDERED = ("Kustomization", "HelmRelease", "HelmChart", "Application", "ApplicationSet")
"""Kinds that create objects outside the files."""


def across(found: Sequence[Found], *, whole: bool) -> Iterator[Risk | Unjudged]:
    """The risks across objects; `whole`: all files were read."""
    objects = [linted for linted in found if isinstance(linted, LintedObject)]
    trusts = [linted for linted in found if isinstance(linted, LintedTrust)]
    deletions = [linted for linted in found if isinstance(linted, LintedDeletion)]
    accounts = [linted for linted in found if isinstance(linted, LintedAccount)]
    roles = RolesOfFiles(trusts, deletions, accounts)
    for linted in found:
        if isinstance(linted, LintedAccount):
            yield from _refused(linted, trusts)
            yield from _gone(linted, roles)
        elif isinstance(linted, LintedAssociation):
            yield from _untrusted(linted, trusts)
    yield from _everybody(objects)
    if whole and not any(written.kind in _RENDERED for written in objects):
        yield from _missing(objects, _accounts(found))


def _accounts(found: Sequence[Found]) -> set[tuple[str, str]]:
    """Namespace and name of the ServiceAccounts in the files."""
    accounts = {
        (linted.namespace, linted.name)
        for linted in found
        if isinstance(linted, LintedAccount | LintedObject) and _is_account(linted)
    }
    for linted in found:
        if isinstance(linted, LintedTrust) and linted.account:
            namespace, _, name = linted.account.partition("/")
            accounts.add((namespace, name))
    return accounts


def _is_account(linted: LintedAccount | LintedObject) -> bool:
    return isinstance(linted, LintedAccount) or linted.kind == "ServiceAccount"


def _refused(account: LintedAccount, trusts: Sequence[LintedTrust]) -> Iterator[Risk]:
    role, policies = _role_of(account, trusts)
    known = account.namespace and account.name and not placeholder(account.namespace + account.name)
    if not role or not known or len(policies) != 1:
        return
    subject = f"{SERVICE_ACCOUNT}{account.namespace}:{account.name}"
    place = policies[0].placed.place()
    trusted = not refuses(policies[0], subject)
    yield from not_trusted(replace(declared(account), role=role, trusted=trusted, trust_place=place))


def _gone(account: LintedAccount, roles: RolesOfFiles) -> Iterator[Risk]:
    """The role of an annotation, if the files define it otherwise, or delete it."""
    why = roles.why_gone(account)
    if why:
        yield from role_gone(replace(declared(account), exists=False, why_gone=why))


def _untrusted(association: LintedAssociation, trusts: Sequence[LintedTrust]) -> Iterator[Risk]:
    role, policies = _role_of(association, trusts)
    if len(policies) != 1 or not is_known(policies[0].document):
        return
    subject = DeclaredAssociation(
        association.namespace,
        association.name,
        role,
        trust=policies[0].document or {},
        tagged=association.tagged,
        place=association.placed.place(association.path),
        trust_place=policies[0].placed.place(),
    )
    yield from association_refused(subject)


def _role_of(
    subject: LintedAccount | LintedAssociation, trusts: Sequence[LintedTrust]
) -> tuple[str, list[LintedTrust]]:
    """Its role, as it is written, and the trust policies of that role."""
    role = str(subject.role)
    gap = subject.gaps.name(role) if is_gap(role) else ""
    policies = [trust for trust in trusts if _is_of(trust, role)]
    if not gap:
        return role, policies
    # The same gap of another file is another value.
    return gap, [trust for trust in policies if trust.gaps is subject.gaps]


def _is_of(trust: LintedTrust, role: str) -> bool:
    """Whether it is the trust policy of a role, by its ARN or else by its name."""
    arns = [name for name in trust.known_as if name.startswith("arn:")]
    return role in (arns or trust.known_as) or (not arns and role.rpartition("/")[2] in trust.known_as)


def _missing(objects: Sequence[LintedObject], accounts: set[tuple[str, str]]) -> Iterator[Risk]:
    """Pods with a missing ServiceAccount in a namespace that has others."""
    spaces = {namespace for namespace, _ in accounts}
    for maker in objects:
        if maker.kind not in ("Pod", *KINDS.values()) or maker.namespace not in spaces:
            continue
        body = {"metadata": maker.value.get("metadata"), "spec": maker.value.get("spec")}
        if maker.kind == "Pod":
            body = {**body, "spec": {"template": body}}
        try:
            pods = workload(maker.kind, body)
        except (KeyError, TypeError, AttributeError):
            continue
        name = str(pods.service_account)
        if name != "default" and not placeholder(name):
            place = maker.placed.place(("spec", "template", "spec", "serviceAccountName"))
            exists = (maker.namespace, name) in accounts
            yield from account_missing(DeclaredPods(str(maker), name, exists, place))


def _everybody(objects: Sequence[LintedObject]) -> Iterator[Risk | Unjudged]:
    roles: list[RbacRole] = []
    bindings: list[tuple[LintedObject, RbacBinding]] = []
    for written in objects:
        namespace = written.namespace or "default"
        body = {**written.value, "metadata": {"name": written.name, "namespace": namespace}}
        try:
            if written.kind in ("Role", "ClusterRole"):
                roles.append(role_of(body, written.kind))
            elif written.kind in RBAC_KINDS:
                bindings.append((written, binding_of(body, written.kind)))
        except (KeyError, TypeError, ValueError, AttributeError):
            text = f"{written} is not valid, so it was not checked"
            yield Unjudged(written.placed.place(), text, Severity.HIGH)
    becoming = Becoming(RbacIndex(RbacObjects(cluster_roles=tuple(roles))))
    for written, binding in bindings:
        if any(who.name in BROAD for who in binding.subjects):
            yield from _open(becoming, written, binding, {role.ref for role in roles})


def _open(
    becoming: Becoming, written: LintedObject, binding: RbacBinding, known: set[RoleRef]
) -> Iterator[Risk | Unjudged]:
    place = written.placed.place(("subjects",))
    role = binding.role
    if role not in known and role.name in _BUILT_IN:
        binding = replace(binding, role=RoleRef(ACCESS_POLICY, _BUILT_IN[role.name]))
    elif role not in known and role.name not in _HARMLESS:
        text = f"{written} binds everyone to {role}, which is in no file"
        yield Unjudged(place, text, Severity.HIGH)
    sure = _sure_takers(becoming, binding)
    if sure:
        rights: dict[str, None] = {}
        for taker in sure:
            rights.update({str(act.right): None for act in taker.acts if not act.conditions})
        where = f"namespace {binding.namespace}" if binding.namespace else "every namespace"
        subject = OpenBinding(
            str(written),
            list(dict.fromkeys(str(taker.subject) for taker in sure)),
            f"ServiceAccounts of {where}",
            some(list(rights)),
            (str(role),),
            place=place,
        )
        yield open_to_everybody(subject)


def _sure_takers(becoming: Becoming, binding: RbacBinding) -> list[AccountTaker]:
    """Everyone who can surely act as a ServiceAccount where the binding holds, if some pod is running."""
    names: set[str] = set()
    for opening in becoming.openings(binding.role).openings:
        names.update(opening.names)
    takers: list[AccountTaker] = []
    for name in ("any", *names):
        takers += AccountTarget(becoming, binding.namespace or "any", name, 1).by(binding)
    return [taker for taker in takers if taker.subject.name in BROAD and taker.is_sure]
