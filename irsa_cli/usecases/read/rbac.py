"""Reading permissions in a cluster: RBAC's four kinds, and IAM principals. Unreadable parts hide no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from irsa_cli.core.rbac import principals
from irsa_cli.core.rbac.objects import RBAC_KINDS, RbacObjects, rbac_objects
from irsa_cli.core.values.errors import Unreadable, read

if TYPE_CHECKING:
    from irsa_cli.kube.client import Kube
    from irsa_cli.usecases.command.connect import Connection


def read_rbac(kube: Kube) -> RbacObjects:
    resources = [f"{kind.lower()}s" for kind in RBAC_KINDS]
    with ThreadPoolExecutor(len(resources)) as pool:
        lists = list(pool.map(lambda resource: read(lambda: kube.all(resource)), resources))
    return rbac_objects(dict(zip(RBAC_KINDS, lists, strict=True)))


def read_access(connection: Connection) -> principals.ClusterAccess:
    """The access entries of a cluster and its ConfigMap `aws-auth`, as far as its mode looks at them."""
    from irsa_cli.aws.account import access_entries

    if connection.description is None:
        return principals.ClusterAccess((), (), False, False)  # Both are EKS' own.
    config = connection.description.get("accessConfig") or {}
    mode = str(config.get("authenticationMode", ""))

    def aws_auth() -> tuple[principals.AccessEntry, ...] | Unreadable:
        body = connection.kube.one("configmaps", "kube-system", principals.AWS_AUTH)
        return () if body is None else principals.aws_auth_of(body)

    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(read, aws_auth) if principals.uses_aws_auth(mode) else None
        eks = connection.aws.client("eks")
        name = connection.cluster.name
        entries = read(lambda: access_entries(eks, name)) if principals.uses_entries(mode) else ()
        return principals.ClusterAccess(
            entries, later.result() if later else (), bool(later), principals.uses_entries(mode)
        )
