"""`irsa export -f`: ServiceAccounts of files with their roles, before or after `irsa apply`.

The name of a role is known in advance, so only the cluster is asked, and not IAM.
"""

from __future__ import annotations

from collections.abc import Sequence

from irsa_cli.core.binding.spec import desired_state_of
from irsa_cli.core.config.model import BindingEntry, Config, Selection
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.formats import Format
from irsa_cli.core.inventory.bindings import Bindings
from irsa_cli.core.inventory.exported import BY_POD_IDENTITY, ExportedFiles
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.connect import Target, WireLog, connect
from irsa_cli.usecases.files.targets import places

_OWN = "irsa/"


def export_files(
    configs: Sequence[Config], target: Target, selection: Selection, form: Format, log: WireLog
) -> ExportedFiles:
    """The ServiceAccounts of files in a format; raises `IrsaError`.

    The files must be about one cluster: the names of ServiceAccounts do not tell clusters apart.
    """
    homes = [place for place in places(configs, target, selection) if place.bindings]
    if len({place.key for place in homes}) > 1:
        clusters = ", ".join(sorted({place.cluster.full_name for place in homes}))
        raise InvalidInput(
            f"the files have several clusters: {clusters}", reason="export the files of each one"
        )
    if not homes:
        raise InvalidInput("the files have no such ServiceAccount")
    accounts: list[ExportedAccount] = []
    notes: list[str] = []
    for place in homes:
        cluster = connect(place.target, kube=False, log=log).cluster
        for binding in place.bindings:
            if binding.web_identity:
                accounts.append(_account(binding, cluster))
            else:
                notes.append(f"left out: {binding}: {BY_POD_IDENTITY}")
    bindings = Bindings(cluster, accounts=len(accounts))
    return ExportedFiles(bindings, tuple(accounts), form.files(cluster, accounts), tuple(notes))


def _account(binding: BindingEntry, cluster: Cluster) -> ExportedAccount:
    desired = desired_state_of(binding, cluster)
    annotations, labels = (
        {key: text for key, text in values.items() if text is not None and not key.startswith(_OWN)}
        for values in (desired.annotations, desired.labels)
    )
    return ExportedAccount(binding.namespace, binding.name, annotations, labels)
