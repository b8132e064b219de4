"""IAM principals behind users and groups of a cluster: EKS access entries and the ConfigMap `aws-auth`.

https://docs.aws.amazon.com/eks/latest/userguide/grant-k8s-access.html
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import compose, is_unset, text_of
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.rbac.objects import (
    BROAD,
    RBAC_KINDS,
    RbacBinding,
    RbacObjects,
    RbacRule,
    RbacSubject,
    RoleRef,
    known_objects,
    rbac_objects,
    rule_of,
)
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.core.values.shown import plural

ACCESS_POLICY = "AccessPolicy"
_TABLE = json.loads((files(__package__) / "access_policies.json").read_text(encoding="utf-8"))
_RULES = {name: tuple(map(rule_of, rules)) for name, rules in _TABLE["policies"].items()}
"""The rules of EKS's access policies that can lead to a ServiceAccount; plain reading is left out."""
EVERYTHING = _RULES["AmazonEKSClusterAdminPolicy"]


def policy_rules(name: str) -> tuple[RbacRule, ...] | Unreadable:
    rules = _RULES.get(name)
    if rules is None:
        return Unreadable(f"irsa does not know the access policy {name}")
    return rules


AWS_AUTH = "aws-auth"
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")
_CONFIG_MAP_ONLY = "CONFIG_MAP"
_API_ONLY = "API"


@dataclass(frozen=True)
class EntryPolicy:
    """An access policy of an access entry; `namespaces` are patterns, none means the whole cluster."""

    name: str
    namespaces: tuple[str, ...] = ()

    @classmethod
    def read(cls, policy: Any) -> EntryPolicy:
        scope = policy["accessScope"]
        namespaces: tuple[str, ...] = ()
        if scope.get("type") == "namespace":
            namespaces = tuple(map(str, as_list(scope.get("namespaces") or [])))
        return cls(str(policy["policyArn"]).rpartition("/")[2], namespaces)


@dataclass(frozen=True)
class AccessEntry:
    """The identity of an IAM principal (ARN) in the cluster, by its source; `hidden`: why it is unreadable.

    A user name can contain placeholders, such as `{{SessionName}}`.
    """

    arn: str
    username: str = ""
    groups: tuple[str, ...] = ()
    policies: tuple[EntryPolicy, ...] = ()
    by: str = "access entry"
    hidden: str = ""

    @classmethod
    def read(cls, arn: str, entry: Mapping[str, Any], policies: Iterable[Any]) -> AccessEntry:
        """Read EKS's JSON with its associated policies; raise KeyError and similar errors for other forms."""
        groups = tuple(map(str, as_list(entry.get("kubernetesGroups") or [])))
        return cls(arn, str(entry.get("username") or ""), groups, tuple(map(EntryPolicy.read, policies)))


@dataclass(frozen=True)
class Principal:
    """An IAM principal behind a subject, by its source."""

    arn: str
    by: str

    def to_json(self) -> dict[str, str]:
        return {"arn": self.arn, "by": self.by}


@dataclass(frozen=True)
class ClusterAccess:
    """The access of IAM principals to a cluster; sources that its mode does not use are empty.

    `reads_aws_auth`, `reads_entries`: whether its mode uses them, None if unknown.
    """

    entries: tuple[AccessEntry, ...] | Unreadable = ()
    aws_auth: tuple[AccessEntry, ...] | Unreadable = ()
    reads_aws_auth: bool | None = None
    reads_entries: bool | None = None

    @cached_property
    def _all(self) -> tuple[AccessEntry, ...]:
        return (*known_objects(self.entries), *known_objects(self.aws_auth))

    @cached_property
    def _by_subject(self) -> Mapping[RbacSubject, tuple[Principal, ...]]:
        principals: dict[RbacSubject, dict[Principal, None]] = {}
        for entry in self._all:
            names = [RbacSubject("Group", name) for name in entry.groups]
            for subject in (*names, RbacSubject("User", entry.username)):
                principals.setdefault(subject, {})[Principal(entry.arn, entry.by)] = None
        return {subject: tuple(of_subject) for subject, of_subject in principals.items()}

    @cached_property
    def _templates(self) -> tuple[tuple[str, Principal], ...]:
        """User names with `*` instead of placeholders."""
        return tuple(
            (_PLACEHOLDER.sub("*", entry.username), Principal(entry.arn, entry.by))
            for entry in self._all
            if _PLACEHOLDER.search(entry.username)
        )

    def behind(self, subject: RbacSubject) -> tuple[Principal, ...]:
        """The IAM principals of a subject in the cluster; none for groups that include everyone."""
        if subject.kind == "IAM":
            return (Principal(subject.name, "access entry"),)
        if subject.name in BROAD:
            return ()
        listed = self._by_subject.get(subject, ())
        if subject.kind != "User":
            return listed
        matching = (principals for form, principals in self._templates if like(subject.name, form))
        return tuple(dict.fromkeys((*listed, *matching)))

    @cached_property
    def bindings(self) -> tuple[RbacBinding, ...]:
        """Access policies as bindings of the IAM principals, one for each namespace pattern."""
        bindings = []
        for entry in known_objects(self.entries):
            for policy in entry.policies:
                role = RoleRef(ACCESS_POLICY, policy.name)
                who = (RbacSubject("IAM", entry.arn),)
                spaces = policy.namespaces or ("",)
                bindings += [RbacBinding(ACCESS_POLICY, policy.name, role, who, space) for space in spaces]
        return tuple(bindings)

    @property
    def unread(self) -> tuple[str, ...]:
        lines: list[str] = []
        if isinstance(self.entries, Unreadable):
            lines.append(f"the EKS access entries were not read: {self.entries.why}")
        if isinstance(self.aws_auth, Unreadable):
            lines.append(f"the ConfigMap {AWS_AUTH} was not read: {self.aws_auth.why}")
        for why, count in Counter(entry.hidden for entry in self._all if entry.hidden).items():
            lines.append(f"{plural(count, 'EKS access entry')} not read: {why}")
        return tuple(lines)


def uses_entries(mode: str) -> bool:
    """Whether a cluster with this authentication mode (DescribeCluster) uses access entries."""
    return mode != _CONFIG_MAP_ONLY


def uses_aws_auth(mode: str) -> bool:
    """Whether it uses `aws-auth`, as clusters without a mode do."""
    return mode != _API_ONLY


def aws_auth_of(body: Mapping[str, Any]) -> tuple[AccessEntry, ...] | Unreadable:
    """Read the entries of the ConfigMap; with an invalid entry all of it is unreadable.

    https://github.com/kubernetes-sigs/aws-iam-authenticator#full-configuration-format
    """
    data = body.get("data") or {}
    try:
        mapped = (*_mapped(data, "mapRoles", "rolearn"), *_mapped(data, "mapUsers", "userarn"))
        # Accounts whose principals all have access, as users named by their ARNs.
        form = "arn:{{{{partition}}}}:iam::{}:{{{{any}}}}"
        by = f"{AWS_AUTH} mapAccounts"
        accounts = map(_text, _items(data, "mapAccounts"))
        every = (
            AccessEntry(f"arn:aws:iam::{account}:root", form.format(account), by=by) for account in accounts
        )
        return (*mapped, *every)
    except InvalidInput as error:
        return Unreadable(f"{error}: {error.reason}" if error.reason else str(error))


def _mapped(data: Mapping[str, Any], key: str, arn_key: str) -> Iterable[AccessEntry]:
    for entry in _items(data, key):
        if not isinstance(entry, MappingNode):
            raise InvalidInput(f"an entry of {key} in {AWS_AUTH} is not a mapping")
        # aws-iam-authenticator ignores case in these keys.
        fields = {text_of(name).lower(): value for name, value in entry.value if isinstance(name, ScalarNode)}
        groups = fields.get("groups")
        group_names: tuple[str, ...] = ()
        if isinstance(groups, SequenceNode):
            group_names = tuple(map(_text, groups.value))
        arn = _text(fields.get(arn_key))
        username = _text(fields.get("username"))
        yield AccessEntry(arn, username, group_names, by=f"{AWS_AUTH} {key}")


def _items(data: Mapping[str, Any], key: str) -> list[Node]:
    text = data.get(key)
    if text is None:
        return []
    if not isinstance(text, str):
        raise InvalidInput(f"{key} in {AWS_AUTH} is not a string")
    documents = compose(text, f"{key} in {AWS_AUTH}")
    if not documents or is_unset(documents[0]):
        return []
    if len(documents) > 1 or not isinstance(documents[0], SequenceNode):
        raise InvalidInput(f"{key} in {AWS_AUTH} is not a list")
    return list(documents[0].value)


def _text(node: Node | None) -> str:
    return text_of(node) if isinstance(node, ScalarNode) else ""


Json = Mapping[str, Any]
_FILE_KINDS = (*RBAC_KINDS, "ServiceAccount", "Pod", "Namespace")
_IN_EVERY_CLUSTER = frozenset({"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"})
"""The kinds that every cluster has objects of. A list of all four is that of the documented command."""
RBAC_KEYS = ("data", "accessEntries", "accessEntry", "associatedAccessPolicies")
"""The distinctive keys of documents that `RbacFiles.take` adds."""
NOT_GIVEN = Unreadable("no file contains them")


@dataclass
class RbacFiles:
    """The documents about one cluster: Kubernetes' objects by kind, parts of access entries by ARN."""

    objects: dict[str, list[Json]] = field(default_factory=dict)
    listed: list[str] | None = None
    entries: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, list[Any]] = field(default_factory=dict)
    config_map: Json | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.objects or self.entries or self.policies or self.listed or self.config_map)

    def take_objects(self, bodies: Iterable[Json], kinds: Iterable[str]) -> None:
        """Add the objects of a list, and `aws-auth`; `kinds` are the kinds of the list."""
        listed = set(kinds)
        is_whole = listed >= _IN_EVERY_CLUSTER  # Then a kind without objects was listed as well.
        for kind in _FILE_KINDS:
            if is_whole or f"{kind}List" in listed:
                self.objects.setdefault(kind, [])
        for body in bodies:
            kind = str(body.get("kind", ""))
            if kind in _FILE_KINDS:
                self.objects.setdefault(kind, []).append(body)
            elif kind == "ConfigMap":
                self.take_config_map(body)

    def take_config_map(self, document: Json) -> None:
        """Add `aws-auth`; ignore other ConfigMaps."""
        metadata = document.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == AWS_AUTH:
            self.config_map = document if isinstance(document.get("data") or {}, dict) else {}

    def take(self, document: Json) -> None:
        """Add `aws-auth`, or the output of one of EKS's three commands for access entries."""
        if "data" in document:
            self.take_config_map(document)
        if "accessEntries" in document:
            self.listed = [*(self.listed or ()), *map(str, as_list(document["accessEntries"]))]
        entry = document.get("accessEntry")
        if isinstance(entry, dict):
            self.entries[str(entry.get("principalArn", ""))] = entry
        if "associatedAccessPolicies" in document:
            arn = str(document.get("principalArn", ""))
            self.policies.setdefault(arn, []).extend(as_list(document["associatedAccessPolicies"]))

    @property
    def rbac(self) -> RbacObjects:
        objects = rbac_objects({kind: self.objects.get(kind, NOT_GIVEN) for kind in RBAC_KINDS})
        bindings = objects.role_bindings
        if "Role" in self.objects or isinstance(bindings, Unreadable):
            return objects
        # A Role that no binding refers to gives nothing to anybody.
        if any(binding.role.kind == "Role" for binding in bindings):
            return objects
        return replace(objects, roles=())

    def access(self, mode: str) -> ClusterAccess:
        """The IAM principals; `mode` is the cluster's authentication mode, '' if unknown."""
        aws_auth: tuple[AccessEntry, ...] | Unreadable = ()
        if uses_aws_auth(mode):
            aws_auth = NOT_GIVEN if self.config_map is None else aws_auth_of(self.config_map)
        entries: tuple[AccessEntry, ...] | Unreadable = ()
        if uses_entries(mode):
            arns = dict.fromkeys((*(self.listed or ()), *self.entries))
            entries = tuple(map(self._entry, arns))
            if self.listed is None and not arns:
                entries = NOT_GIVEN
        if not mode:
            return ClusterAccess(entries, aws_auth)
        return ClusterAccess(entries, aws_auth, uses_aws_auth(mode), uses_entries(mode))

    def _entry(self, arn: str) -> AccessEntry:
        entry = self.entries.get(arn)
        if entry is None or arn not in self.policies:
            missing = "describe-access-entry" if entry is None else "list-associated-access-policies"
            return AccessEntry(arn, hidden=f"no file contains the output of aws eks {missing}")
        try:
            return AccessEntry.read(arn, entry, self.policies[arn])
        except (KeyError, TypeError, AttributeError):
            return AccessEntry(arn, hidden="unexpected format")
