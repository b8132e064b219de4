"""Roles in manifests, and the trust policies that irsa would create for ClusterConfigs and irsa/v1 files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.config.documents import OWN, parse_document
from irsa_cli.core.config.model import BindingEntry, Config
from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.found import (
    Found,
    Gaps,
    LintedAccount,
    LintedAssociation,
    LintedObject,
    LintedTrust,
    Path,
    Placed,
    as_dict,
    part_of,
)
from irsa_cli.core.lint.from_aws import PROVIDER_HEAD, as_json, listed, of_policy
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.rbac.objects import RBAC_GROUP
from irsa_cli.core.trust import assuming, trust_policy
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.providers import KnownCluster
from irsa_cli.core.trust.rules.rule import NAME_THEM, RULES, Risk
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import host_path
from irsa_cli.core.values.cluster import Cluster


def of_bindings(placed: Placed, read: ReadFile) -> Iterator[LintedTrust | LintedAssociation]:
    """The trust policies and associations of its entries; raise `InvalidInput` as `irsa apply` does."""
    config = parse_document(placed.node, placed.source, read)
    iam = placed.value.get("iam")
    head: tuple[str, ...] = () if iam is None else ("iam",)
    lists = iam if isinstance(iam, dict) else placed.value
    places: list[Path] = []
    for name in ("serviceAccounts", "podIdentityAssociations"):
        places += [(*head, name, index) for index, _ in enumerate(listed(lists.get(name)))]
    for path, binding in zip(places, config.bindings, strict=True):
        entry = _Entry(placed.at(*path, subject=f"ServiceAccount {binding}"), binding)
        if not binding.attach_role_arn:
            yield entry.trust(config)
        if binding.pod_identity:
            yield entry.association("roleARN" if head else "attachRoleARN")


def _created(binding: BindingEntry) -> str:
    """A name for the role that irsa creates for an entry, as its ARN is not known yet."""
    return f"the role of {binding}"


def _statement(gaps: Gaps, config: Config, binding: BindingEntry) -> dict[str, Any]:
    """The statement for EKS Pod Identity, in a cluster whose account is not known."""
    account = gaps.gap("account")
    region = config.region or gaps.gap("region")
    arn = f"arn:aws:eks:{region}:{account}:cluster/{config.cluster or gaps.gap('cluster')}"
    cluster = Cluster(config.cluster, arn, region, "aws", account, "")
    tagged = not binding.disable_session_tags
    return assuming.statement(cluster, binding.namespace, binding.name, tagged=tagged)


_ADVICE = "list the ServiceAccounts: remove subjectPattern, and add further ones to subjects"


@dataclass(frozen=True)
class _Entry:
    """An entry of a file, which has a field for each risk of the trust policy."""

    placed: Placed
    binding: BindingEntry

    def trust(self, config: Config) -> LintedTrust:
        """The trust policy of the role that irsa creates for it."""
        binding = self.binding
        gaps = Gaps()
        others = [host_path(cluster.issuer) or gaps.gap(cluster.name) for cluster in binding.clusters]
        issuers = [gaps.gap("issuer"), *others] if binding.web_identity else []
        providers = [PROVIDER_HEAD + issuer for issuer in issuers]
        cluster_names = (config.cluster, *(cluster.name for cluster in binding.clusters))
        pattern = names.subject(binding.namespace, binding.subject_pattern or binding.name)
        subjects = (pattern, *binding.subjects)
        document = trust_policy.policy_of(providers, binding.audience, subjects, binding.conditions)
        if binding.pod_identity:
            document["Statement"].append(_statement(gaps, config, binding))
        return LintedTrust(
            self.placed,
            document,
            gaps,
            power(binding.policies, binding.inline, binding.permissions_boundary),
            str(binding),
            {arn: KnownCluster(name) for arn, name in zip(providers, cluster_names, strict=False)},
            self.refined,
            (_created(binding),) if binding.pod_identity else (),
        )

    def association(self, field: str) -> LintedAssociation:
        """Its EKS Pod Identity association; the field is the one of an existing role."""
        binding = self.binding
        return LintedAssociation(
            replace(self.placed, subject=""),
            binding.namespace,
            binding.name,
            binding.attach_role_arn or _created(binding),
            path=(field,),
            tagged=not binding.disable_session_tags,
        )

    def refined(self, risk: Risk) -> Risk:
        """The risk at its field, with the fix for such a file."""
        placed = replace(risk, place=self.placed.place(self._path(risk)))
        if risk.suggestion.startswith(NAME_THEM.partition("{")[0]):
            return replace(placed, suggestion=_ADVICE)
        return placed

    def _path(self, risk: Risk) -> Path:
        binding = self.binding
        pattern = names.subject(binding.namespace, binding.subject_pattern)
        if binding.subject_pattern and risk.pattern == pattern:
            return ("subjectPattern",)
        for index, subject in enumerate(self._subjects()):
            if risk.pattern == subject or f"'{subject}'" in risk.reason:
                return ("subjects", index)
        if risk.rule is RULES["default-service-account"]:
            is_own = binding.name == "default" and f"namespace {binding.namespace}," in risk.reason
            return ("metadata", "name") if is_own else ("subjects",)
        if risk.rule is RULES["several-stages"]:
            return ("clusters",)
        return ()

    def _subjects(self) -> Iterator[str]:
        for subject in map(as_dict, listed(as_dict(self.placed.value).get("subjects"))):
            namespace = str(subject.get("namespace") or self.binding.namespace)
            yield names.subject(namespace, str(subject.get("name")))


_RENDERERS = ("kustomize.config.k8s.io", "helm.toolkit.fluxcd.io", "argoproj.io")
_GROUPS = ("v1", "apps", "batch", RBAC_GROUP, *_RENDERERS)
_ROLES = {
    "iam.services.k8s.aws": ("spec", "assumeRolePolicyDocument"),
    "iam.aws.upbound.io": ("spec", "forProvider", "assumeRolePolicy"),
    "iam.aws.crossplane.io": ("spec", "forProvider", "assumeRolePolicyDocument"),
}
"""The paths of trust policies in the Roles of ACK and of Crossplane's two providers, by API group."""


def is_manifest(value: Mapping[str, Any]) -> bool:
    """Whether it is a Kubernetes object or a list of them, and not a file of irsa."""
    is_object = all(isinstance(value.get(name), str) and value[name] for name in ("apiVersion", "kind"))
    return is_object and value["apiVersion"].partition("/")[:2] != OWN[0].partition("/")[:2]


def of_manifest(placed: Placed) -> Iterator[Found]:
    """The objects of a manifest that matter for roles."""
    kind = str(placed.value["kind"])
    version = str(placed.value["apiVersion"])
    bodies = placed.value.get("items")
    if not kind.endswith("List") or not isinstance(bodies, list):
        yield from _of_object(placed, placed.value, version, kind)
        return
    for index, body in enumerate(bodies):
        if isinstance(body, dict):
            # kubectl's lists have a kind for each object, the API's only for the list.
            own_kind = str(body.get("kind") or kind.removesuffix("List"))
            own_version = str(body.get("apiVersion") or version)
            yield from _of_object(placed.at("items", index), body, own_version, own_kind)


def _of_object(placed: Placed, value: Mapping[str, Any], version: str, kind: str) -> Iterator[Found]:
    metadata = as_dict(value.get("metadata"))
    name = str(metadata.get("name") or "")
    namespace = str(metadata.get("namespace") or "")
    group = version.partition("/")[0]
    written = LintedObject(replace(placed, subject=""), kind, namespace, name, value)
    if group in _GROUPS:
        yield written
    if (version, kind) == ("v1", "ServiceAccount"):
        annotations = as_dict(metadata.get("annotations"))
        if ROLE_ARN_ANNOTATION in annotations:
            role = annotations[ROLE_ARN_ANNOTATION]
            yield LintedAccount(written.placed, namespace, name, "" if role is None else str(role))
    if kind == "Role" and group in _ROLES:
        path = _ROLES[group]
        document = part_of(value, path)
        if isinstance(document, str):
            yield from of_policy(placed.at(*path, subject=str(written)).inside(), as_json(document) or {})
