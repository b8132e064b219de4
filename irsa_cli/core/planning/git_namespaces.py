"""Namespaces whose ServiceAccounts are in Git: irsa never writes them, and says what to put there.

A setting of a project, read in `irsa_cli.usecases.command.project_settings`. Commands that can do without the
ServiceAccount do (`bound`). About the plans of all commands, the loop that carries them out asks `check`. A
rollback is not asked: it restores what a run without this setting wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.core.plan.states import ServiceAccountState
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import Refused

if TYPE_CHECKING:
    from irsa_cli.core.binding.spec import BindingSpec, DesiredState
    from irsa_cli.core.objects.service_accounts import ServiceAccount
    from irsa_cli.core.plan.changes import Change, Plan
    from irsa_cli.core.values.names import Namespaced

Spec = TypeVar("Spec", bound="BindingSpec")


@dataclass(frozen=True)
class GitNamespaces:
    """The namespaces, as globs, and where the project says so (`.irsa.yaml:3`)."""

    patterns: tuple[checked.NamespacePattern, ...] = ()
    place: str = ""

    def has(self, namespace: str) -> bool:
        """Whether the ServiceAccounts of a namespace are in Git."""
        from irsa_cli.core.policies.operators import like  # Not loaded by commands that only print help.

        return any(like(namespace, pattern) for pattern in self.patterns)

    def bound(self, spec: Spec) -> Spec:
        """The spec without its ServiceAccount, if that is in Git.

        A spec whose settings need the ServiceAccount (a ConfigMap for it, EKS Pod Identity) stays: `check`
        refuses its plan if that writes the ServiceAccount.
        """
        if not self.has(spec.namespace) or spec.aws_config_map or spec.pod_identity:
            return spec
        return replace(spec, role_only=True)

    def check(self, plan: Plan) -> None:
        """Raise `Refused` for a plan that writes a ServiceAccount of these namespaces."""
        for change in plan:
            if isinstance(change.before or change.after, ServiceAccountState) and self.has(change.target[0]):
                name = "/".join(change.target)
                raise Refused(
                    f"ServiceAccount {name} is in Git: irsa does not write it",
                    reason=f"{self.place} lists its namespace (serviceAccounts.git)",
                    details=tuple(_lines(change)),
                    next_steps=("change its manifest",),
                )

    def notes(self, desired: DesiredState, account: ServiceAccount | None) -> list[str]:
        """The line for a manifest of role-only bindings that lacks it, as far as is known."""
        if not self.has(desired.namespace) or not desired.role_only:
            return []
        missing = [
            _missing("annotations", desired.annotations, account.annotations if account else {}),
            _missing("labels", desired.labels, account.labels if account else {}),
        ]
        lines = ", ".join(filter(None, missing))
        if not lines:
            return []
        export = f"{desired.command('export')} --role-name {desired.role_name} --write FILE"
        note = f"{self.stays(desired)}; add to its manifest: metadata: {{{lines}}}"
        return [note if desired.role is None else f"{note}, or run: {export}"]

    def stays(self, account: Namespaced) -> str:
        """That irsa leaves a ServiceAccount alone, and why."""
        return (
            f"irsa does not write ServiceAccount {account.full_name}: its namespace is in Git ({self.place})"
        )


def _missing(field: str, desired: Mapping[str, str | None], present: Mapping[str, str]) -> str:
    """The texts that a manifest lacks, as YAML on one line; '' if it has all of them."""
    pairs = [
        f'{key}: "{value}"'
        for key, value in desired.items()
        if value is not None and present.get(key) != value
    ]
    return f"{field}: {{{', '.join(pairs)}}}" if pairs else ""


def _lines(change: Change) -> Iterator[str]:
    """The annotations and labels that the manifest needs, or must not have any more."""
    after = change.after
    if not isinstance(after, ServiceAccountState):
        yield "remove the manifest"
        return
    for kind, texts in (("annotation", after.annotations), ("label", after.labels)):
        for key, value in texts.items():
            if not key.startswith("irsa/"):
                yield f"remove the {kind} {key}" if value is None else f'set the {kind} {key}: "{value}"'
