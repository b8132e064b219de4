"""The reads of `irsa migrate`: whom it is about, and each one's two ways to its role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from irsa_cli.aws.iam import trust_quota, with_managed_documents
from irsa_cli.core.binding.ownership import check_over, check_there
from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.service_accounts import with_manifest
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.planning import migrate as planning
from irsa_cli.core.planning.ways import CurrentIdentity
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.absence import check_namespace
from irsa_cli.usecases.read.associations import associations
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.lookup import read_provider, with_role
from irsa_cli.usecases.read.observe import read_association


def names_in(connection: Connection, namespace: str) -> list[str]:
    """The ServiceAccounts of a namespace that get a role, either way."""
    check_namespace(connection, namespace)
    given = associations(connection, namespace)
    if isinstance(given, Unreadable):
        raise IrsaError(f"the associations of {connection.cluster.name} can't be read", reason=given.why)
    found = [body["metadata"] for body in connection.kube.service_accounts(namespace)]
    annotated = {str(it["name"]) for it in found if ROLE_ARN_ANNOTATION in (it.get("annotations") or {})}
    return sorted(annotated | {it["name"] for it in found if (namespace, it["name"]) in given})


def read_ways(connection: Connection, namespace: str, name: str) -> CurrentIdentity:
    """A ServiceAccount with its role and its association; raises `Refused` if irsa must not change them."""
    with ThreadPoolExecutor(2) as pool:
        provider = pool.submit(read_provider, connection)
        given = pool.submit(read_association, connection, namespace, name)
        body = connection.kube.service_account(namespace, name)
    account, association = NamedServiceAccount(connection, namespace, name), given.result()
    if body is None:
        raise account.missing()
    pair = Pairing(connection.cluster, namespace, name, with_manifest(body), provider=provider.result())
    if not pair.role_arn and association is not None:
        pair = replace(pair, named_role=association.role_arn)
    else:
        try:
            account.with_role(Injection.read(pair.account.annotations))
        except Refused as error:
            raise naming_roles(error, connection, namespace, name) from error
    planning.check_account(pair)
    pair = with_role(connection, pair)
    check_over(pair, check_there(pair))
    return identity_of(connection, replace(pair, association=association))


def identity_of(connection: Connection, pair: Pairing) -> CurrentIdentity:
    """The two ways of a ServiceAccount whose role was read."""
    assert pair.role is not None, "its caller has read it"
    power = partial(with_managed_documents, connection.iam, pair.role)
    quota = trust_quota(connection.iam, pair.role.trust)
    return CurrentIdentity(**vars(pair), trust_quota=quota, judged=power)
