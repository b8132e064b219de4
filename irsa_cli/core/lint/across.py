"""Risks across files: ServiceAccounts, their pods and roles, and rights for everyone.

A missing object can be elsewhere, so it is a risk only if the files look complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from irsa_cli.core.audit.declared import refused
from irsa_cli.core.lint.found import (
    Found,
    LintedAccount,
    LintedAssociation,
    LintedObject,
    LintedTrust,
    Unjudged,
    is_gap,
    is_known,
)
from irsa_cli.core.lint.judging import refuses
from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.objects.workloads import workload
from irsa_cli.core.rbac.becoming import AccountTarget, Becoming
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
from irsa_cli.core.trust.rules.rule import RULES, Risk, Severity, risk, some
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
    objects = [item for item in found if isinstance(item, LintedObject)]
    trusts = [item for item in found if isinstance(item, LintedTrust)]
    for item in found:
        if isinstance(item, LintedAccount):
            yield from _refused(item, trusts)
        elif isinstance(item, LintedAssociation):
            yield from _untrusted(item, trusts)
    yield from _everybody(objects)
    if whole and not any(item.kind in _RENDERED for item in objects):
        there = {(it.namespace, it.name) for it in objects if it.kind == "ServiceAccount"}
        there |= {(it.namespace, it.name) for it in found if isinstance(it, LintedAccount)}
        there |= {(it.account.partition("/")[0], it.account.partition("/")[2]) for it in trusts if it.account}
        yield from _missing(objects, there)


def _refused(account: LintedAccount, trusts: Sequence[LintedTrust]) -> Iterator[Risk]:
    role, of_it = _role_of(account, trusts)
    known = account.namespace and account.name and not placeholder(account.namespace + account.name)
    subject = f"{SERVICE_ACCOUNT}{account.namespace}:{account.name}"
    if role and known and len(of_it) == 1 and refuses(of_it[0], subject):
        name = f"{account.namespace}/{account.name}"
        place = of_it[0].placed.place()
        reason = f"is annotated with {role}, whose trust policy ({place}) does not allow it"
        place = account.placed.place(account.path)
        yield risk(RULES["annotated-refused"], f"ServiceAccount {name}", reason, account=name, place=place)


def _untrusted(item: LintedAssociation, trusts: Sequence[LintedTrust]) -> Iterator[Risk]:
    role, of_it = _role_of(item, trusts)
    if len(of_it) != 1 or not is_known(of_it[0].document):
        return
    if action := refused(of_it[0].document, tagged=item.tagged):
        name, place = f"{item.namespace}/{item.name}", item.placed.place(item.path)
        reason = f"uses {role}, whose trust policy ({of_it[0].placed.place()}) does not allow EKS {action}"
        yield risk(RULES["association-refused"], f"association of {name}", reason, account=name, place=place)


def _role_of(
    item: LintedAccount | LintedAssociation, trusts: Sequence[LintedTrust]
) -> tuple[str, list[LintedTrust]]:
    """Its role, as it is written, and the trust policies of that role."""
    role = str(item.role)
    gap = item.gaps.name(role) if is_gap(role) else ""
    return gap or role, [it for it in trusts if _is_of(it, role) and (not gap or it.gaps is item.gaps)]


def _is_of(trust: LintedTrust, role: str) -> bool:
    """Whether it is the trust policy of a role, by its ARN or else by its name."""
    arns = [name for name in trust.known_as if name.startswith("arn:")]
    return role in (arns or trust.known_as) or (not arns and role.rpartition("/")[2] in trust.known_as)


def _missing(objects: Sequence[LintedObject], there: set[tuple[str, str]]) -> Iterator[Risk]:
    """Pods with a missing ServiceAccount in a namespace that has others."""
    spaces = {namespace for namespace, _ in there}
    for item in objects:
        if item.kind not in ("Pod", *KINDS.values()) or item.namespace not in spaces:
            continue
        body = {"metadata": item.value.get("metadata"), "spec": item.value.get("spec")}
        try:
            pods = workload(item.kind, {**body, "spec": {"template": body}} if item.kind == "Pod" else body)
        except (KeyError, TypeError, AttributeError):
            continue
        name = str(pods.service_account)
        if name != "default" and not placeholder(name) and (item.namespace, name) not in there:
            reason = f"uses ServiceAccount {name}, but the files have only others in its namespace"
            path = ("spec", "template", "spec", "serviceAccountName")
            yield risk(RULES["service-account-missing"], str(item), reason, place=item.placed.place(path))


def _everybody(objects: Sequence[LintedObject]) -> Iterator[Risk | Unjudged]:
    roles: list[RbacRole] = []
    bindings: list[tuple[LintedObject, RbacBinding]] = []
    for item in objects:
        namespace = item.namespace or "default"
        body = {**item.value, "metadata": {"name": item.name, "namespace": namespace}}
        try:
            if item.kind in ("Role", "ClusterRole"):
                roles.append(role_of(body, item.kind))
            elif item.kind in RBAC_KINDS:
                bindings.append((item, binding_of(body, item.kind)))
        except (KeyError, TypeError, ValueError, AttributeError):
            text = f"{item} is not valid, so it was not checked"
            yield Unjudged(item.placed.place(), text, Severity.HIGH)
    becoming = Becoming(RbacIndex(RbacObjects(cluster_roles=tuple(roles))))
    for item, binding in bindings:
        if any(who.name in BROAD for who in binding.subjects):
            yield from _open(becoming, item, binding, {role.ref for role in roles})


def _open(
    becoming: Becoming, item: LintedObject, binding: RbacBinding, known: set[RoleRef]
) -> Iterator[Risk | Unjudged]:
    place, role = item.placed.place(("subjects",)), binding.role
    if role not in known and role.name in _BUILT_IN:
        binding = replace(binding, role=RoleRef(ACCESS_POLICY, _BUILT_IN[role.name]))
    elif role not in known and role.name not in _HARMLESS:
        text = f"{item} binds everyone to {role}, which is in no file"
        yield Unjudged(place, text, Severity.HIGH)
    space = binding.namespace or "any"
    named = {name for opening in becoming.openings(binding.role).openings for name in opening.names}
    # Assume that some pod is running.
    targets = (AccountTarget(becoming, space, name, 1) for name in ("any", *named))
    takers = [taker for target in targets for taker in target.by(binding)]
    sure = [each for each in takers if each.subject.name in BROAD and each.is_sure]
    if sure:
        acts = dict.fromkeys(str(act.right) for each in sure for act in each.acts if not act.conditions)
        where = f"namespace {space}" if binding.namespace else "every namespace"
        subjects = " and ".join(dict.fromkeys(str(each.subject) for each in sure))
        reason = f"allows {subjects} to act as ServiceAccounts of {where} ({some(list(acts))})"
        yield risk(RULES["everybody-may-become"], str(item), reason, place=place, evidence=(str(role),))
