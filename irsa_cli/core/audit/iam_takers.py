"""IAM roles that can act as ServiceAccounts of a cluster through EKS or its nodes; no users or groups.

https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html, and for the actions' resources
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html (2026-11)
"""

from __future__ import annotations

from collections.abc import Iterator

from irsa_cli.core.audit.estate import AuditedCluster, Estate
from irsa_cli.core.audit.reach import may
from irsa_cli.core.audit.takers import Takers, less_sure
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.permissions import Allowed
from irsa_cli.core.rbac.takeovers import RUNS
from irsa_cli.core.trust.rules import table as rules
from irsa_cli.core.trust.rules.rule import Risk, risk, some

IamWay = tuple[tuple[str, str], ...]
"""Actions that are needed together, each with the form of its resource."""
_CLUSTER = "{eks}:cluster/{name}"
_ENTRY = "{eks}:access-entry/{name}/role/{account}/any/00000000-0000-0000-0000-000000000000"
_NODE = "{ec2}:instance/i-00000000000000000"
_ASSOCIATE = ("eks:AssociateAccessPolicy", _ENTRY)
_MODE = ("eks:UpdateClusterConfig", _CLUSTER)
"""The action that enables access entries in a cluster."""
IAM_WAYS: tuple[IamWay, ...] = (
    (("eks:CreateAccessEntry", _CLUSTER), _ASSOCIATE),
    (_ASSOCIATE,),
    (("ssm:SendCommand", _NODE),),
    (("ssm:StartSession", _NODE),),
    (("ec2-instance-connect:SendSSHPublicKey", _NODE),),
    (("ec2:ModifyInstanceAttribute", _NODE), ("ec2:StopInstances", _NODE), ("ec2:StartInstances", _NODE)),
)
"""The second way is for roles with an access entry, the last one changes the node's user data."""
Candidates = tuple[tuple[BoundRole, IamWay], ...]


def candidates(estate: Estate) -> Candidates:
    """The roles that are allowed all actions of a way on some resource."""
    known: dict[tuple[object, ...], list[IamWay]] = {}
    found = []
    for role in estate.roles:
        shared = (role.attached, role.boundary, role.arn if role.inline or role.hidden else "")
        if shared not in known:
            known[shared] = [way for way in IAM_WAYS if all(may(estate, role, action) for action, _ in way)]
        found += [(role, way) for way in known[shared] if ":role/aws-service-role/" not in role.arn]
    return tuple(found)


def by_iam(takers: Takers, estate: Estate, asked: Candidates, trusts: Trusts) -> Iterator[Risk]:
    """A risk for each role that can act as a ServiceAccount with a more powerful role."""
    cluster = takers.cluster
    reported: set[str] = set()
    for role, way in asked if cluster.arn else ():
        on_nodes = way[0][1] == _NODE
        best = next(iter(takers.within(runs=on_nodes)), None)
        if best is None or role.arn in reported or best.weight <= trusts.weight(role.arn):
            continue
        if found := _allowed(estate, cluster, role, way):
            reported.add(role.arn)
            conditions = [*(text for item in found for text in item.conditions), *best.conditions]
            conditions += [RUNS] if on_nodes and isinstance(cluster.pods, Unreadable) else []
            reason = (
                f"can act as {best.account} of cluster {cluster.name}"
                f" with {' and '.join(action for action, _ in way)}{' on its nodes' if on_nodes else ''}"
                f"{f', if {some(conditions)}' if conditions else ''}"
            )
            evidence = tuple(f"{item.by} allows it" for item in found)
            item = risk(rules.POWERFUL_ACCOUNT, role.arn, reason, cluster=cluster.name, evidence=evidence)
            yield less_sure(item.behind(trusts.worst([best.role])), conditions)


def _allowed(estate: Estate, cluster: AuditedCluster, role: BoundRole, way: IamWay) -> list[Allowed]:
    """The permissions for all actions of a way in a cluster, empty if one is missing."""
    read, (eks, _, name) = cluster.access.entries, cluster.arn.partition(":cluster/")
    entries = () if isinstance(read, Unreadable) else read
    if role.arn.split(":")[4] != cluster.account:
        return []
    if way == (_ASSOCIATE,) and all(entry.arn != role.arn for entry in entries):
        return []
    if cluster.access.reads_entries is False and way[0][1] != _NODE:
        way = (*way, _MODE)
    where = {"eks": eks, "name": name, "account": cluster.account, "ec2": eks.replace(":eks:", ":ec2:", 1)}
    answers = [may(estate, role, action, resource.format(**where)) for action, resource in way]
    found = [item for item in answers if item is not None]
    return found if len(found) == len(way) else []
