"""What AWS tells of what irsa deletes: all of it comes back, is not the object's own, or is refused."""

import ast
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ListShape, Shape, StructureShape

import irsa_cli.changes
from irsa_cli.aws.shapes import BROUGHT_BACK, NOT_ITS_OWN, unknown

OUTPUTS = {
    "Role": ("GetRole", ("Role",)),
    "OpenIDConnectProvider": ("GetOpenIDConnectProvider", ()),
}
PLAIN = {
    ("GetRolePolicy", ()): {"RoleName", "PolicyName", "PolicyDocument"},
    ("ListAttachedRolePolicies", ("AttachedPolicies",)): {"PolicyArn", "PolicyName"},
}
"""What is nothing but its parameters: the members of those that irsa creates again with all of them."""
DELETES = {
    "delete_open_id_connect_provider": "OpenIDConnectProvider",
    "delete_role": "Role",
    "delete_role_policy": "GetRolePolicy",
    "detach_role_policy": "ListAttachedRolePolicies",
    # Members of a role or a provider, which are in its own state.
    "delete_role_permissions_boundary": "Role",
    "remove_client_id_from_open_id_connect_provider": "OpenIDConnectProvider",
    "untag_role": "Role",
}


def shape_of(operation: str, path: tuple[str, ...]) -> Shape:
    model = botocore.session.get_session().get_service_model("iam")
    found: Shape | None = model.operation_model(operation).output_shape
    for name in path:
        assert isinstance(found, StructureShape)
        found = found.members[name]
        found = found.member if isinstance(found, ListShape) else found
    assert found is not None
    return found


def leaves(shape: Shape, path: str = "") -> list[str]:
    """The members at the ends, dotted."""
    if isinstance(shape, ListShape):
        return leaves(shape.member, path)
    if not isinstance(shape, StructureShape):
        return [path]
    inner = f"{path}." if path else ""
    return [leaf for name, member in shape.members.items() for leaf in leaves(member, f"{inner}{name}")]


def example(shape: Shape, path: list[str]) -> Any:
    """An answer that says nothing but what is at the end of `path`."""
    if isinstance(shape, ListShape):
        return [example(shape.member, path)]
    if not path:
        return "said"
    assert isinstance(shape, StructureShape)
    return {path[0]: example(shape.members[path[0]], path[1:])}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_each_member_comes_back_is_an_exception_or_is_refused(kind: str) -> None:
    shape = shape_of(*OUTPUTS[kind])
    there = leaves(shape)
    exceptions = NOT_ITS_OWN[kind]
    assert set(BROUGHT_BACK[kind]) <= set(there)
    assert not set(BROUGHT_BACK[kind]) & set(exceptions)
    assert all(exceptions.values())
    for path in there:
        found = unknown(kind, example(shape, path.split(".")))
        kept = path in BROUGHT_BACK[kind] or any(f"{path}.".startswith(f"{name}.") for name in exceptions)
        assert bool(found) is not kept, path
        assert kept or path.startswith(found[0])


@pytest.mark.parametrize("output", PLAIN)
def test_policies_have_no_other_members(output: tuple[str, tuple[str, ...]]) -> None:
    assert set(leaves(shape_of(*output))) - {"IsTruncated", "Marker"} == PLAIN[output]


def test_nothing_else_is_deleted() -> None:
    """What irsa deletes is looked at above: no EKS association and no access entry is among it."""
    verbs = ("delete_", "detach_", "disassociate_", "remove_", "untag_")
    folder = Path(irsa_cli.changes.__file__).parent
    nodes = [node for path in folder.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    called = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_iam"
    }
    operations = set(botocore.session.get_session().get_service_model("iam").operation_names)
    called |= {
        xform_name(node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in operations
    }
    called = {name for name in called if name.startswith(verbs)}
    assert called <= set(DELETES)
    assert len(called) > 5, "too few were found: is IAM's client called otherwise by now?"
    assert not [path for path in folder.glob("*.py") if '"eks"' in path.read_text()]


@pytest.mark.parametrize(
    ("kind", "said", "names"),
    [
        ("Role", {"MaxSigninSessionDuration": 7200}, ["MaxSigninSessionDuration"]),
        ("Role", {"SourceRoleTemplate": {"TemplateArn": "a"}}, ["SourceRoleTemplate"]),
        ("Role", {"Tags": [{"Key": "k", "Value": "v", "Lock": True}]}, ["Tags.Lock"]),
        ("Role", {"PermissionsBoundary": {"Mode": "deny"}}, ["PermissionsBoundary.Mode"]),
        ("Role", {"AssumeRolePolicyDocument": {"Statement": []}, "Invented": []}, []),
        ("Role", {"RoleLastUsed": {"Region": "eu-west-1"}, "Description": ""}, []),
        ("OpenIDConnectProvider", {"ContextProvider": {"SubjectSourceKey": "sub"}}, ["ContextProvider"]),
        ("OpenIDConnectProvider", {"ResponseMetadata": {"RequestId": "1"}, "Url": "u"}, []),
        (
            "OpenIDConnectProvider",
            {"IdentityStoreArn": "b", "IdentityCenterInstanceArn": "a"},
            ["IdentityCenterInstanceArn", "IdentityStoreArn"],
        ),
    ],
)
def test_what_says_something_is_named(kind: str, said: dict[str, Any], names: list[str]) -> None:
    assert unknown(kind, said) == names
