"""An entry of eksctl's `iam.podIdentityAssociations`: the role and the association of a ServiceAccount.

https://docs.aws.amazon.com/eks/latest/eksctl/pod-identity-associations.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config.entry_fields import PolicyReader
from irsa_cli.core.config.model import Binding
from irsa_cli.core.config.nodes import is_off
from irsa_cli.core.config.policies import read_policy
from irsa_cli.core.config.reader import Fields, Reader, Table, flag_fields, text_fields
from irsa_cli.core.config.service_accounts import NEEDS_NO_TAGS, Defaults, with_tags
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values import names

POLICIES = {
    "permissionPolicyARNs": "attachPolicyARNs",
    "permissionPolicy": "attachPolicy",
    "wellKnownPolicies": "wellKnownPolicies",
}
"""Fields about policies, and how entries of `serviceAccounts` name them."""


def _session_policy(reader: Reader, node: Node) -> Document:
    """A policy as a text in JSON."""
    return reader.checked(node, lambda text: read_policy(text, "policy"), reader.text(node)) or {}


_ROLE: Table = {
    **text_fields(roleARN="attach_role_arn", permissionsBoundaryARN="permissions_boundary"),
    **text_fields("roleName", targetRoleARN="target_role"),
    **flag_fields("createServiceAccount", "disableSessionTags"),
    "policy": ("session_policy", _session_policy),
}
FIELDS = ("namespace", "serviceAccountName", *_ROLE, *POLICIES, "permissionPolicyName", "tags")
UNSAID = ("subjects",)
"""Attributes that an association has no word for."""


def association(reader: Reader, node: Node, defaults: Defaults) -> tuple[Binding | None, list[str]]:
    """An entry of `iam.podIdentityAssociations` and notices; None where problems leave no name."""
    fields = reader.given(reader.fields(node, FIELDS, "podIdentityAssociations", {}))
    missing = [key for key in ("namespace", "serviceAccountName") if key not in fields]
    for key in missing if isinstance(node, MappingNode) else ():
        reader.problem(node, f"this Pod Identity association has no {key}")
    if missing:
        return None, []
    namespace = reader.text(fields["namespace"], names.namespace)
    name = reader.text(fields["serviceAccountName"], names.service_account)
    if namespace is None or name is None:
        return None, []
    found = Binding(
        namespace,
        name,
        cluster=defaults.cluster,
        region=defaults.region,
        where=reader.line(node),
        pod_identity=True,
        web_identity=False,
        unsaid=UNSAID,
    )
    _check_role(reader, node, fields, found)
    found = replace(found, **reader.said(fields, _ROLE), **_policies(reader, fields, defaults))
    if found.session_policy and not found.disable_session_tags:
        reader.problem(fields["policy"], NEEDS_NO_TAGS)
    found = with_tags(reader, fields, found, defaults)
    if found.attach_role_arn and found.role_name:
        ignored = f"{found.where}: roleName of {found} is ignored, as by eksctl: roleARN is given"
        return replace(found, role_name=""), [ignored]
    return found, []


def _check_role(reader: Reader, node: Node, fields: Fields, found: Binding) -> None:
    """Note what contradicts an existing role, or that there is neither a role nor a policy."""
    given = [name for name in (*POLICIES, "permissionsBoundaryARN") if not _is_off(fields, name)]
    if "roleARN" in fields:
        for name in given:
            reader.problem(fields[name], f"roleARN uses an existing role: {name} contradicts it ({found})")
    elif not reader.deletes and not any(name in POLICIES for name in given):
        reader.problem(
            node, f"{found} has no role: an association needs roleARN, or one of {', '.join(POLICIES)}"
        )
    if "permissionPolicyName" in fields and _is_off(fields, "permissionPolicy"):
        reader.problem(fields["permissionPolicyName"], "permissionPolicyName needs permissionPolicy")


def _is_off(fields: Fields, name: str) -> bool:
    return name not in fields or is_off(fields[name])


def _policies(reader: Reader, fields: Fields, defaults: Defaults) -> dict[str, Any]:
    """The policies of the role, the inline one under its own name."""
    renamed = {POLICIES[name]: node for name, node in fields.items() if name in POLICIES}
    found = PolicyReader(reader, defaults.read, ours=False).all(renamed)
    if "permissionPolicyName" in fields:
        name = reader.text(fields["permissionPolicyName"], names.inline_policy)
        found["inline"] = dict.fromkeys(filter(None, [name]), found["inline"].get(names.ATTACH_POLICY, {}))
    return found
