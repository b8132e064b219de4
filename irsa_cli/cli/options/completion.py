"""The completion of values in a shell: names that this machine knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.core import ParameterSource

from irsa_cli.cli.help.environment import state_dir

Completer = Callable[[click.Context, click.Parameter, str], "list[str]"]


def _completed(names: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Completes a text with names; an error completes nothing."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            known = dict.fromkeys(names(context))
            return [name for name in known if name.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _state(context: click.Context) -> Path:
    return state_dir(context.params.get("state_dir") or os.environ.get("IRSA_STATE_DIR"))


def _cluster(context: click.Context) -> str:
    from irsa_cli.usecases.local import known_names

    cluster: str = context.params.get("cluster") or known_names.cluster_in_force()
    return cluster


def _clusters(context: click.Context) -> Iterable[str]:
    from irsa_cli.usecases.local import known_names

    return known_names.clusters(_state(context))


def _regions(context: click.Context) -> Iterable[str]:
    from irsa_cli.usecases.local import known_names

    return known_names.regions(_state(context))


def _profiles(_context: click.Context) -> Iterable[str]:
    from irsa_cli.usecases.local import known_names

    return known_names.profiles()


def _namespaces(context: click.Context) -> Iterable[str]:
    from irsa_cli.usecases.local import known_names

    return known_names.namespaces(_state(context), _cluster(context))


def _service_accounts(context: click.Context) -> Iterable[str]:
    """The names of the ServiceAccounts in the namespace of the line."""
    from irsa_cli.usecases.local import known_names

    namespace = context.params.get("namespace") or "default"
    if context.get_parameter_source("namespace") is ParameterSource.DEFAULT:
        namespace = known_names.namespace_in_force()
    for full_name in _full_names(context):
        if full_name.startswith(f"{namespace}/"):
            yield full_name.partition("/")[2]


def _full_names(context: click.Context) -> Iterable[str]:
    """The ServiceAccounts as NAMESPACE/NAME."""
    from irsa_cli.usecases.local import known_names

    return known_names.accounts(_state(context), _cluster(context))


def _well_known_policies(_context: click.Context) -> Iterable[str]:
    from irsa_cli.core.policies import wellknown

    return wellknown.names()


_AWS_MANAGED = (
    "AmazonDynamoDBFullAccess AmazonDynamoDBReadOnlyAccess AmazonEC2ContainerRegistryReadOnly"
    " AmazonEC2ReadOnlyAccess AmazonKinesisFullAccess"
    " AmazonKinesisReadOnlyAccess AmazonRDSReadOnlyAccess AmazonRoute53FullAccess"
    " AmazonRoute53ReadOnlyAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess AmazonSESFullAccess"
    " AmazonSNSFullAccess AmazonSNSReadOnlyAccess AmazonSQSFullAccess AmazonSQSReadOnlyAccess"
    " AmazonSSMReadOnlyAccess CloudWatchAgentServerPolicy CloudWatchLogsFullAccess"
    " CloudWatchReadOnlyAccess ReadOnlyAccess SecretsManagerReadWrite"
    " service-role/AmazonEBSCSIDriverPolicy service-role/AmazonEFSCSIDriverPolicy"
)
"""Managed policies of AWS that workloads often have; others are found by name as well."""

clusters = _completed(_clusters)
regions = _completed(_regions)
profiles = _completed(_profiles)
namespaces = _completed(_namespaces)
service_accounts = _completed(_service_accounts)
full_names = _completed(_full_names)
well_known_policies = _completed(_well_known_policies)
managed_policies = _completed(lambda _context: _AWS_MANAGED.split())
