"""ServiceAccounts with roles in Terraform: the resources of its provider for Kubernetes that annotate them.

https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.lint.found import (
    Found,
    Gaps,
    LintedAccount,
    Path,
    Placed,
    Unjudged,
    as_dict,
    as_text,
    part_of,
)
from irsa_cli.core.lint.from_aws import dicts
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust.rules.rule import Severity

LATER = "known after apply"
_DEFAULT = ("kubernetes_default_service_account", "kubernetes_default_service_account_v1")
_ACCOUNTS = ("kubernetes_service_account", "kubernetes_service_account_v1", *_DEFAULT)
_ANNOTATIONS = "kubernetes_annotations"
_MANIFEST = "kubernetes_manifest"
KINDS = (*_ACCOUNTS, _ANNOTATIONS, _MANIFEST)


@dataclass(frozen=True)
class _Annotated:
    """An object of Kubernetes in the values of a resource; the paths lead to its parts."""

    metadata: Mapping[str, Any]
    place: Path
    annotations: Any
    annotations_path: Path
    later: Any
    """True, or an object with True for each annotation that is known after apply."""


def accounts_of(
    kind: str,
    values: Mapping[str, Any],
    unknown: Mapping[str, Any],
    placed: Placed,
    gaps: Gaps,
    reference: str,
) -> Iterator[Found]:
    """The ServiceAccounts that a resource annotates; `reference` is its role's, if only known after apply."""
    for annotated in _annotated(kind, values, unknown):
        name = as_text(annotated.metadata.get("name")) or ("default" if kind in _DEFAULT else "")
        namespace = as_text(annotated.metadata.get("namespace"))
        annotations = annotated.annotations
        where = placed.at(*annotated.place)
        later = annotated.later
        is_later = later is True or as_dict(later).get(ROLE_ARN_ANNOTATION) is True
        if isinstance(annotations, dict) and ROLE_ARN_ANNOTATION in annotations:
            role = annotations[ROLE_ARN_ANNOTATION]
            known = role if role is not None else reference or gaps.gap(LATER)
            path = (*annotated.annotations_path, ROLE_ARN_ANNOTATION)
            yield LintedAccount(where, namespace, name, known, gaps, path, ("name",))
        elif is_later and reference:
            yield LintedAccount(where, namespace, name, reference, gaps, (), ("name",))
        elif is_later:
            text = f"the annotations of ServiceAccount {namespace}/{name} are {LATER}"
            yield Unjudged(where.place(), text, Severity.MEDIUM)


def _annotated(kind: str, values: Mapping[str, Any], unknown: Mapping[str, Any]) -> Iterator[_Annotated]:
    if kind == _MANIFEST:
        yield from _of_manifest(as_dict(values.get("manifest")), as_dict(unknown.get("manifest")))
        return
    later_metadata = dicts(unknown.get("metadata"))
    if kind == _ANNOTATIONS:
        if values.get("kind") != "ServiceAccount":
            return
        for index, metadata in enumerate(dicts(values.get("metadata"))):
            later = unknown.get("annotations")
            annotations = values.get("annotations")
            yield _Annotated(metadata, ("metadata", index), annotations, (), later)
        return
    for index, metadata in enumerate(dicts(values.get("metadata"))):
        later = unknown.get("metadata")
        if later is not True:
            later = as_dict(later_metadata[index] if index < len(later_metadata) else None).get("annotations")
        path = ("metadata", index)
        yield _Annotated(metadata, path, metadata.get("annotations"), ("annotations",), later)


def _of_manifest(manifest: Mapping[str, Any], later: Mapping[str, Any]) -> Iterator[_Annotated]:
    if manifest.get("kind") != "ServiceAccount":
        return
    metadata = as_dict(manifest.get("metadata"))
    annotations = metadata.get("annotations")
    unknown = part_of(later, ("metadata", "annotations"))
    yield _Annotated(metadata, ("manifest", "metadata"), annotations, ("annotations",), unknown)
