"""The bindings that other tools can have: those whose role is the ServiceAccount's own way to AWS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.formats import Files
from irsa_cli.core.inventory.bindings import Bindings, BindingStatus, ListedBinding
from irsa_cli.core.marks.applied import applied_keys
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, WEBHOOK_ANNOTATIONS
from irsa_cli.core.values.shown import visible

_UNFIT = {
    BindingStatus.BAD_ARN: "its annotation is not the ARN of a role",
    BindingStatus.NO_ROLE: "its role does not exist",
    BindingStatus.INCOMPLETE: "its run is not complete",
    BindingStatus.DELETING: "it is being deleted",
}
"""The statuses of bindings that no file may repeat."""
BY_POD_IDENTITY = "it has the role by EKS Pod Identity, not by an annotation"


@dataclass(frozen=True)
class ExportedBindings:
    """The ServiceAccounts for files, the bindings that they are from, and notes on those left out."""

    accounts: tuple[ExportedAccount, ...]
    bindings: tuple[ListedBinding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ExportedFiles:
    """The bindings that were read, the ServiceAccounts in the files, and the files' texts by their names.

    `notes` are about bindings that no file has.
    """

    bindings: Bindings
    accounts: tuple[ExportedAccount, ...]
    files: Files
    notes: tuple[str, ...] = ()


def exported(bindings: Iterable[ListedBinding]) -> ExportedBindings:
    """Choose the bindings for files; a ServiceAccount that has a role keeps it against another."""
    accounts: dict[str, ExportedAccount] = {}
    kept: list[ListedBinding] = []
    notes: list[str] = []
    for binding in sorted(bindings, key=lambda binding: binding.account is None):
        unfit = _UNFIT.get(binding.status, "")
        if binding.by == "pod-identity":
            unfit = BY_POD_IDENTITY
        elif binding.full_name in accounts:
            unfit = f"the ServiceAccount has the role {accounts[binding.full_name].role_arn}"
        if unfit:
            title = binding.full_name if binding.name else binding.role_arn
            notes.append(visible(f"left out: {title} with {binding.role_arn or 'no role'}: {unfit}"))
            continue
        kept.append(binding)
        accounts[binding.full_name] = _account(binding)
    return ExportedBindings(tuple(accounts.values()), tuple(kept), tuple(notes))


def _account(binding: ListedBinding) -> ExportedAccount:
    """The ServiceAccount with the webhook's settings, and what a file has set of its metadata."""
    annotations = {ROLE_ARN_ANNOTATION: binding.role_arn}
    labels = dict[str, str]()
    account = binding.account
    if account is not None:
        applied = applied_keys(account.annotations)
        keys = (*WEBHOOK_ANNOTATIONS, *applied.get("annotations", ()))
        annotations |= {key: account.annotations[key] for key in keys if key in account.annotations}
        annotations[ROLE_ARN_ANNOTATION] = binding.role_arn  # The cluster may still have another one.
        labels = {key: account.labels[key] for key in applied.get("labels", ()) if key in account.labels}
    return ExportedAccount(binding.namespace, binding.name, annotations, labels)
