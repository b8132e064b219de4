"""The reads of `irsa migrate`: whom it is about, and each one's two ways to its role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from irsa_cli.aws.iam import trust_quota, with_managed_documents
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.ownership import check_over, check_there
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.planning import migrate as planning
from irsa_cli.core.planning.ways import Ways
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.absence import check_namespace
from irsa_cli.usecases.read.associations import associations
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.lookup import read_provider, with_role
from irsa_cli.usecases.read.observe import read_association, read_service_account


def names_in(connection: Connection, namespace: str) -> list[str]:
    """The ServiceAccounts of a namespace that get a role, either way."""
    check_namespace(connection, namespace)
    associated = associations(connection, namespace)
    if isinstance(associated, Unreadable):
        raise IrsaError(f"the associations of {connection.cluster.name} can't be read", reason=associated.why)
    metadata = [body["metadata"] for body in connection.kube.service_accounts(namespace)]
    annotated = {
        str(meta["name"]) for meta in metadata if ROLE_ARN_ANNOTATION in (meta.get("annotations") or {})
    }
    return sorted(annotated | {meta["name"] for meta in metadata if (namespace, meta["name"]) in associated})


def read_ways(connection: Connection, namespace: str, name: str) -> Ways:
    """A ServiceAccount with its role and its association; raises `Refused` if irsa must not change them."""
    with ThreadPoolExecutor(2) as pool:
        provider = pool.submit(read_provider, connection)
        asked = pool.submit(read_association, connection, namespace, name)
        account = read_service_account(connection, namespace, name)
    named = NamedServiceAccount(connection, namespace, name)
    association = asked.result()
    if account is None:
        raise named.missing()
    binding = Binding(
        connection.cluster, namespace, name, account, provider=provider.result(), association=association
    )
    if not binding.annotation and association is not None:
        binding = replace(binding, named_role=association.role_arn)
    else:
        try:
            named.with_role(Injection.read(account.annotations))
        except Refused as error:
            raise naming_roles(error, connection, namespace, name) from error
    planning.check_account(binding)
    binding = with_role(connection, binding)
    check_over(binding, check_there(binding))
    return ways_of(connection, binding)


def ways_of(connection: Connection, binding: Binding) -> Ways:
    """The two ways of a ServiceAccount whose role was read."""
    role = binding.seen_role
    assert role is not None, "its caller has read it"
    power = partial(with_managed_documents, connection.iam, role)
    return Ways(binding, trust_quota=trust_quota(connection.iam, role.trust), judged=power)
