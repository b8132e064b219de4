"""What a file holds that can be judged: each of its documents is known by what it is like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint import bindings, cloudformation, manifests, roles, terraform
from irsa_cli.core.lint.found import Found
from irsa_cli.core.lint.placed import Placed, documents
from irsa_cli.core.trust.rules.rule import FilePlace
from irsa_cli.core.values.errors import IrsaError


class FileKind(str, Enum):
    """What a document is."""

    TRUST_POLICY = "trust policy"
    ROLES = "roles as aws iam prints them"
    TERRAFORM = "Terraform plan"
    CLOUDFORMATION = "CloudFormation template"
    BINDINGS = "irsa configuration"
    MANIFEST = "Kubernetes manifest"
    UNKNOWN = ""


@dataclass(frozen=True)
class LintedFile:
    """A file, the kinds of its documents, what in them can be judged, and what is wrong with others."""

    name: str
    kinds: tuple[FileKind, ...] = ()
    found: tuple[Found, ...] = ()
    problems: tuple[IrsaError, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether a document of it is of a kind that can be judged."""
        return any(kind is not FileKind.UNKNOWN for kind in self.kinds)


def read_file(text: str, name: str, read: ReadFile) -> LintedFile:
    """What is in a file. Problems: what is no YAML or JSON, and documents that `irsa apply` refuses."""
    items, problems = documents(text, name)
    kinds = tuple(kind_of(item.value) for item in items)
    found: list[Found] = []
    for item, kind in zip(items, kinds, strict=True):
        try:
            found += _found(item, kind, read)
        except Exception as error:
            problems.append(not_judged(error, item.place()))
    return LintedFile(name, kinds, tuple(found), tuple(problems))


def not_judged(error: Exception, place: FilePlace) -> IrsaError:
    """What kept a document from being judged: that hides no other document."""
    if isinstance(error, IrsaError):
        return error
    reason = f"a bug in irsa: {type(error).__name__}: {error}"
    return IrsaError(f"{place} can't be judged", reason=reason, code="InternalError")


def kind_of(value: Any) -> FileKind:
    """What a document is."""
    if not isinstance(value, dict):
        return FileKind.UNKNOWN
    if (value.get("apiVersion"), value.get("kind")) in (EKSCTL, OWN):
        return FileKind.BINDINGS
    return next((kind for kind, is_it in _KINDS.items() if is_it(value)), FileKind.UNKNOWN)


def _is_manifest(value: Mapping[str, Any]) -> bool:
    return manifests.is_manifest(value) and not str(value["apiVersion"]).startswith(
        OWN[0].partition("/")[0] + "/"
    )


_KINDS = {
    FileKind.MANIFEST: _is_manifest,
    FileKind.TRUST_POLICY: roles.is_policy,
    FileKind.ROLES: roles.is_roles,
    FileKind.TERRAFORM: terraform.is_terraform,
    FileKind.CLOUDFORMATION: cloudformation.is_template,
}


def _found(placed: Placed, kind: FileKind, read: ReadFile) -> Iterator[Found]:
    if kind is FileKind.BINDINGS:
        yield from bindings.of_bindings(placed, read)
    elif kind is FileKind.TRUST_POLICY:
        yield from roles.of_policy(placed)
    elif kind is FileKind.ROLES:
        yield from roles.of_roles(placed)
    elif kind is FileKind.TERRAFORM:
        yield from terraform.of_terraform(placed)
    elif kind is FileKind.CLOUDFORMATION:
        yield from cloudformation.of_template(placed)
    elif kind is FileKind.MANIFEST:
        yield from manifests.of_manifest(placed)
