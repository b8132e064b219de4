"""The owner of a ServiceAccount's role annotation: a tool that writes it again from a source of its own.

irsa does not write over such a value, as the next run of the tool would restore it; the user can. An owner is
whoever would undo irsa's write: a server-side apply, the manifest of a client-side apply, or a writer that
`irsa_cli.core.marks.makers` knows. A person at `kubectl annotate`, `kubectl edit` or a dashboard does not do
that, and neither does eksctl. That a tool manages the object says nothing of the field: tools leave keys that
their source does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from irsa_cli.core.marks import makers
from irsa_cli.core.marks.lifecycle import wrote
from irsa_cli.core.objects.field_owners import LAST_APPLIED, FieldWriter
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, ROLE_ARN_ANNOTATION, ServiceAccountState
from irsa_cli.core.values.errors import Refused, Unreadable

_KUBECTL = "kubectl"
_CLIENT_SIDE = "kubectl-client-side-apply"
"""Field managers of `kubectl apply`, with and without --server-side."""


@dataclass(frozen=True)
class RoleOwner:
    """The tool that owns the role annotation, the role in its source, and how that is known.

    `doubt`: why it may be another one, or nobody; '' for certain knowledge.
    """

    tool: str
    role_arn: str
    evidence: str
    doubt: str = ""

    @property
    def effect(self) -> str:
        """The later effect on another value, in words."""
        when = makers.writes_again(self.tool) or "its next apply"
        return f"{when} {'may write' if self.doubt else 'writes'} {self.role_arn} again"


@dataclass(frozen=True)
class Override:
    """Whether the user wants the annotation of a tool overwritten, by which flag, and what else helps.

    `instead` has the steps before the tool's source gets irsa's role, and `export` prints the role then.
    """

    is_given: bool = False
    flag: str = "--override-existing-serviceaccounts"
    instead: Sequence[str] = ()
    export: str = ""


NO_OVERRIDE = Override()


def owner_of_role(account: ServiceAccount) -> RoleOwner | None:
    """The owner of the role annotation; None if none is known."""
    applied = account.applied_role
    if isinstance(applied, str) and applied:
        return RoleOwner(_applier(account), applied, f"annotation {LAST_APPLIED}")
    if not account.role_arn:
        return None
    if isinstance(account.role_writers, Unreadable):
        # The manifest of the last apply, if it is known, does not have it.
        return None if _is_manifest_known(account) else _possible_owner(account, account.role_writers.why)
    for writer in account.role_writers:
        tool = _tool_of(account, writer)
        if tool:
            return RoleOwner(tool, account.role_arn, f"field manager {writer.name}")
    return None


def _is_manifest_known(account: ServiceAccount) -> bool:
    """Whether the last client-side apply tells what is in the manifest."""
    return LAST_APPLIED in account.annotations and not isinstance(account.applied_role, Unreadable)


def _applier(account: ServiceAccount) -> str:
    """The tool of a client-side apply: one that leaves marks of its own on the object, else kubectl."""
    # `helm template` renders the label, and no release applies these objects.
    labels = {key: value for key, value in account.labels.items() if key != MANAGED_BY_LABEL}
    tool = makers.manager_of_account(labels, account.annotations)
    return tool or makers.KUBECTL_APPLY


def _tool_of(account: ServiceAccount, writer: FieldWriter) -> str:
    """The tool behind a writer of the annotation; '' for irsa, and for whoever does not write it again."""
    if writer.name == makers.IRSA:
        return ""
    if writer.name == _CLIENT_SIDE:
        return "" if _is_manifest_known(account) else _applier(account)
    tool = makers.tool_of_writer(writer.name)
    if not writer.applies:
        return "" if tool == makers.EKSCTL else tool
    if writer.name == _KUBECTL:
        return makers.KUBECTL_APPLY
    return tool or makers.manager_of_account(account.labels, account.annotations) or writer.name


def _possible_owner(account: ServiceAccount, why: str) -> RoleOwner | None:
    """The tool that manages the object, if somebody other than irsa wrote the value and nobody knows who."""
    tool = makers.manager_of_account(account.labels, account.annotations, account.managers)
    is_a_tools = bool(makers.writes_again(tool)) and tool != makers.EKSCTL
    if not is_a_tools or wrote(account.annotations, ROLE_ARN_ANNOTATION):
        return None
    return RoleOwner(tool, account.role_arn, f"{tool} manages the ServiceAccount", why)


def other_owner(account: ServiceAccount | None, role_arn: str | None) -> RoleOwner | None:
    """The owner of the annotation, if it has another role than irsa would write; None: irsa removes it."""
    if account is None or role_arn is None:
        return None
    owner = owner_of_role(account)
    return owner if owner is not None and owner.role_arn != role_arn else None


def check_role_owner(
    name: str, account: ServiceAccount | None, role_arn: str | None, override: Override
) -> None:
    """Raise `Refused` if somebody else owns the role annotation with another role than irsa would write."""
    if account is None or role_arn is None or role_arn == account.role_arn or override.is_given:
        return  # The last but one: there is nothing to write.
    owner = other_owner(account, role_arn)
    if owner is None:
        return
    doubt = f"; who wrote it is not known: {owner.doubt}" if owner.doubt else ""
    raise Refused(
        f"{owner.tool} {'may own' if owner.doubt else 'owns'} the annotation {ROLE_ARN_ANNOTATION} of {name}",
        reason=f"{owner.effect} ({owner.evidence}{doubt})",
        next_steps=(
            *override.instead,
            *_steps_in_source(owner, account, role_arn, override.export),
            f"or write it to the cluster: run this again with {override.flag}",
        ),
    )


def notes_on_owner(plan: Iterable[Change], account: ServiceAccount, role_arn: str) -> list[str]:
    """The later effects of a tool on the annotation that a plan writes; empty if it does not write it."""
    states = [change.after for change in plan if change.target == (account.namespace, account.name)]
    written = [state for state in states if isinstance(state, ServiceAccountState)]
    if not any(state.annotations.get(ROLE_ARN_ANNOTATION, role_arn) for state in written):
        return []
    owner = other_owner(account, role_arn)
    if owner is None:
        maker = makers.maker_of_account(account.labels, account.annotations, account.managers)
        return [*makers.annotation_warnings(account.full_name, maker, role_arn, account.annotations)]
    form = makers.export_format(owner.tool, account.annotations)
    return [f"ServiceAccount {account.full_name}: {owner.effect}; {makers.source_line(form, role_arn)}"]


def _steps_in_source(owner: RoleOwner, account: ServiceAccount, role_arn: str, export: str) -> Iterator[str]:
    """The change of the tool's source."""
    form = makers.export_format(owner.tool, account.annotations)
    yield makers.source_line(form, role_arn)
    if export:
        name = role_arn.rpartition("/")[2]
        yield f"{export} --role-name {name} --to {form}  # prints it for {owner.tool}"
