"""Permissions in a ClusterConfig that eksctl manages and irsa does not: one notice for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import BOOLEAN, MERGE, text_of
from irsa_cli.core.policies.policy import as_list

_ACTIONS_SHOWN = 6
Part = Mapping[str, Any]


def notices(source: str, root: MappingNode) -> list[str]:
    """The permissions that irsa does not manage, with their places."""
    found = _loose(root)
    return [f"{source}:{line}: not managed by irsa: {text}" for line, text in sorted(_all(found))]


class _Lined(dict[str, Any]):
    line = 0


def _loose(node: Node, depth: int = 0) -> Any:
    """The value of a node, whatever it is; repeated and nested beyond reason is nothing."""
    if depth > 12:
        return None
    if isinstance(node, MappingNode):
        found = _Lined()
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.tag == MERGE:
                bases = [base for base in as_list(_loose(value, depth + 1)) if isinstance(base, Mapping)]
                merged = {name: item for base in reversed(bases) for name, item in base.items()}
                found = _Lined({**merged, **found})
            elif isinstance(key, ScalarNode):
                found[text_of(key)] = _loose(value, depth + 1)
        found.line = node.start_mark.line + 1
        return found
    if isinstance(node, SequenceNode):
        return [_loose(item, depth + 1) for item in node.value]
    if isinstance(node, ScalarNode):
        return node.value.lower() in ("true", "yes", "on") if node.tag == BOOLEAN else text_of(node)
    return None


Found = Iterator[tuple[int, str]]


def _all(config: Part) -> Found:
    iam = _part(config, "iam")
    for item in _items(config, "addons"):
        yield from _addon(item)
    addons = _part(config, "addonsConfig")
    if addons.get("autoApplyPodIdentityAssociations") is True:
        yield (
            _line(addons),
            "addonsConfig.autoApplyPodIdentityAssociations: every add-on that needs permissions gets"
            " those that EKS recommends, by Pod Identity",
        )
    yield from _karpenter(_part(config, "karpenter"), _part(config, "metadata").get("name"))
    for kind in ("nodeGroups", "managedNodeGroups"):
        for item in _items(config, kind):
            yield from _nodes(item)
    for item in _items(config, "capabilities"):
        what = _grants(item, role="roleArn")
        if what:
            yield _line(item), f"capability {item.get('name', '?')} gets {what}"
    yield from _of_the_cluster(config, iam)


def _addon(item: Part) -> Found:
    name = f"add-on {item.get('name', '?')}"
    if what := _grants(item, role="serviceAccountRoleARN"):
        yield _line(item), f"the ServiceAccount of {name} gets {what}"
    if item.get("useDefaultPodIdentityAssociations") is True:
        yield _line(item), f"{name} gets what EKS recommends for it, by Pod Identity"
    yield from _pod_identities(_items(item, "podIdentityAssociations"), f"{name}:")


def _pod_identities(items: list[Part], whom: str) -> Found:
    for item in items:
        what = _grants(
            item,
            role="roleARN",
            arns="permissionPolicyARNs",
            document="permissionPolicy",
            boundary="permissionsBoundaryARN",
        )
        subject = f"{item.get('namespace', '?')}/{item.get('serviceAccountName', '?')}"
        if item.get("targetRoleARN"):
            what = f"{what or 'a role'}, and by it the role {item['targetRoleARN']}"
        yield _line(item), f"{whom} {subject} gets {what or 'no permissions'}, by Pod Identity"


def _karpenter(item: Part, cluster: Any) -> Found:
    if not item:
        return
    queue = " and its interruption queue" if item.get("withSpotInterruptionQueue") is True else ""
    profile = item.get("defaultInstanceProfile")
    nodes = (
        f"the instance profile {profile}"
        if profile
        else f"the role eksctl-KarpenterNodeRole-{cluster or 'CLUSTER'}"
    )
    yield (
        _line(item),
        f"karpenter: the ServiceAccount karpenter/karpenter gets a role that starts and stops"
        f" instances{queue}; its nodes get {nodes}",
    )


def _nodes(item: Part) -> Found:
    iam = _part(item, "iam")
    addons = [name for name, on in _part(iam, "withAddonPolicies").items() if on is True]
    what = _grants(iam, role="instanceRoleARN", boundary="instanceRolePermissionsBoundary")
    if iam.get("instanceProfileARN"):
        what = _joined([what, f"the instance profile {iam['instanceProfileARN']}"])
    if addons:
        what = _joined([what, f"the policies for {', '.join(addons)}"])
    if what:
        yield (
            _line(iam),
            f"all pods that can reach the metadata service on nodes of {item.get('name', '?')} has {what}",
        )


def _of_the_cluster(config: Part, iam: Part) -> Found:
    for name, whom in (
        ("serviceRoleARN", "the control plane"),
        ("fargatePodExecutionRoleARN", "the kubelets of Fargate"),
    ):
        if iam.get(name):
            yield _line(iam), f"{whom} has the role {iam[name]}"
    for item in _items(config, "fargateProfiles"):
        if item.get("podExecutionRoleARN"):
            yield (
                _line(item),
                f"Fargate profile {item.get('name', '?')} has the role {item['podExecutionRoleARN']}",
            )
    automatic = _part(config, "autoModeConfig")
    if automatic.get("nodeRoleARN"):
        yield _line(automatic), f"the nodes of Auto Mode have the role {automatic['nodeRoleARN']}"
    for item in _items(config, "iamIdentityMappings"):
        account = f"every principal of account {item['account']}" if item.get("account") else ""
        groups = ", ".join(map(str, as_list(item.get("groups") or [])))
        if who := item.get("arn") or account:
            yield _line(item), f"{who} has access to the cluster{groups and ' as ' + groups}"
    for item in _items(_part(config, "accessConfig"), "accessEntries"):
        yield _line(item), f"{item.get('principalARN', '?')} has access to the cluster"


def _grants(
    item: Part,
    *,
    role: str,
    arns: str = "attachPolicyARNs",
    document: str = "attachPolicy",
    boundary: str = "permissionsBoundary",
) -> str:
    found = [f"the role {item[role]}"] if item.get(role) else []
    found += [str(arn) for arn in as_list(item.get(arns) or []) if arn]
    known = [name for name, on in _part(item, "wellKnownPolicies").items() if on is True]
    found += [f"eksctl's policy for {name}" for name in known]
    if actions := _actions(_part(item, document)):
        found.append(f"an inline policy ({actions})")
    limit = f", within {item[boundary]}" if item.get(boundary) else ""
    return _joined(found) + limit if found else ""


def _actions(document: Part) -> str:
    """The actions of a policy document, not more than fit a line."""
    found: dict[str, None] = {}
    for statement in as_list(document.get("Statement") or []):
        if isinstance(statement, Mapping):
            for name in ("Action", "NotAction"):
                actions = [str(item) for item in as_list(statement.get(name) or [])]
                effect = "" if statement.get("Effect") != "Deny" else "not "
                found |= {
                    f"{effect}{'all but ' if name == 'NotAction' else ''}{item}": None for item in actions
                }
    shown = list(found)[:_ACTIONS_SHOWN]
    more = f", and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
    return ", ".join(shown) + more


def _joined(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(filter(None, parts[:-1])), parts[-1])))


def _part(found: Part, name: str) -> Part:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _items(found: Part, name: str) -> list[Part]:
    return [item for item in as_list(found.get(name) or []) if isinstance(item, Mapping)]


def _line(part: Part) -> int:
    return part.line if isinstance(part, _Lined) else 0
