"""`irsa export` and `irsa init`: the bindings of a cluster in files, for other tools and for irsa itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from irsa_cli.aws import iam
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.formats import Files, Format
from irsa_cli.core.export.terraform import ExportedRole, terraform
from irsa_cli.core.export.updates import UpdatedFile, in_manifests, in_values
from irsa_cli.core.inventory.bindings import ListedBinding
from irsa_cli.core.inventory.bindings_file import text_of
from irsa_cli.core.inventory.exported import ExportedFiles, exported
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import Arn, provider_arn
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, Unreadable, read
from irsa_cli.core.values.shown import listed, plural
from irsa_cli.usecases.command.connect import Connection, WireLog, connect
from irsa_cli.usecases.show.get_sa import Request, bindings_of
from irsa_cli.usecases.texts import read_whole

IRSA = "irsa"
TERRAFORM = "terraform"


@dataclass(frozen=True)
class ExportRequest:
    """The bindings, and their format."""

    bindings: Request
    form: Format
    role_name: checked.RoleName = ""
    """The role, for a ServiceAccount that has another one."""


def export(request: ExportRequest, log: WireLog) -> ExportedFiles:
    """The files; raises `IrsaError`, and `Refused` for a named ServiceAccount without a role for files."""
    connection = connect(request.bindings.target, kube=True, log=log)
    found = bindings_of(connection, request.bindings)
    if request.role_name:
        chosen_items = [item for item in found.items if item.role_arn.endswith(f"/{request.role_name}")]
        found = replace(found, items=tuple(chosen_items))
    if request.form.name == IRSA:
        return ExportedFiles(found, (), {"bindings.yaml": text_of(found, _inline(connection, found.items))})
    chosen = exported(found.items)
    name = request.bindings.scope.name
    if name and not chosen.accounts:
        missing = f"it has no role {request.role_name}" if request.role_name else ""
        raise Refused(f"{name} has no role for a file", reason="; ".join(chosen.notes) or missing)
    if request.form.name == TERRAFORM:
        files: Files = {"roles.tf": _terraform(connection, chosen.bindings)}
    else:
        files = request.form.files(found.cluster, chosen.accounts)
    return ExportedFiles(found, chosen.accounts, files, chosen.notes)


def _inline(
    connection: Connection, bindings: Iterable[ListedBinding]
) -> dict[str, dict[str, Document] | Unreadable]:
    """The inline policies of the roles that have some, by the role's ARN."""
    reads = {}
    with ThreadPoolExecutor(8) as pool:
        for binding in bindings:
            role = binding.role
            if not isinstance(role, Role) or not role.inline_names:
                continue
            session = connection.session_of(role.account)
            if session is not None:
                work = partial(iam.inline_policies, session.client("iam"), role.name)
                reads[role.arn] = pool.submit(read, work)
    return {arn: future.result() for arn, future in reads.items()}


def _terraform(connection: Connection, bindings: Sequence[ListedBinding]) -> str:
    """The roles with what lists leave out, and the cluster's OIDC provider; raises `IrsaError`."""
    cluster = connection.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    with ThreadPoolExecutor(8) as pool:
        provider = pool.submit(iam.provider, connection.iam, arn)
        roles = [*pool.map(partial(_whole_role, connection), bindings)]
        known: dict[str, ProviderState] = {}
        if (state := provider.result()) is not None:
            known[arn] = state
    return terraform(roles, known)


def _whole_role(connection: Connection, binding: ListedBinding) -> ExportedRole:
    arn = Arn.parse(binding.role_arn)
    session = connection.session_of(arn.account)
    if session is None:
        raise IrsaError(
            f"no credentials for account {arn.account}, which has the role of {binding.full_name}",
            next_steps=("add --role-account with --role-assume-role or --role-profile",),
            code="OtherAccount",
        )
    client = session.client("iam")
    role = iam.read_role(client, arn.name)
    if role is None:
        raise Refused(f"role {arn.name} of {binding.full_name} is gone")
    attached = iam.attached_policies(client, role.name)
    inline = iam.inline_policies(client, role.name)
    return ExportedRole(binding.namespace, binding.name, replace(role, attached=attached, inline=inline))


def updated(path: Path, form: Format, accounts: Sequence[ExportedAccount]) -> UpdatedFile:
    """An existing file with the annotations.

    Raises `InvalidInput` if it can't be read, and `Refused` with the lines to write by hand if irsa can't
    change the annotations alone, or if the file has none of the ServiceAccounts.
    """
    text = read_whole(path)
    if form.name == "helm":
        if len(accounts) != 1:
            reason = f"these are {plural(len(accounts), 'ServiceAccount')}: add NAME"
            raise InvalidInput("the values of a chart have one ServiceAccount", reason=reason)
        return in_values(text, str(path), form.values_key, accounts[0])
    file = in_manifests(text, str(path), accounts)
    if accounts and len(file.absent) == len(accounts):
        names = ", ".join(listed(account.full_name for account in accounts))
        raise Refused(f"{path} is not changed", reason=f"it has no ServiceAccount {names}")
    return file
