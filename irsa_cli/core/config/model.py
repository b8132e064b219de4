"""Values of configuration files: a `Config` for each document, and the selection of bindings.

Values are checked; only a cluster can tell partition and account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any

from irsa_cli.core.binding.spec import BindingSpec
from irsa_cli.core.plan.rules import rules_of
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.shards import Shard
from irsa_cli.core.values.shown import visible

UNSAID_BY_ASSOCIATIONS = ("subjects",)
"""Attributes that an entry of eksctl's `podIdentityAssociations` has no word for."""
OF_ASSOCIATIONS = {
    "attachRoleARN": "roleARN",
    "permissionsBoundary": "permissionsBoundaryARN",
    "targetRole": "targetRoleARN",
    "attachPolicyARNs": "permissionPolicyARNs",
    "attachPolicy": "permissionPolicy",
}
"""The names there of fields that have another name in all other entries."""


@dataclass(frozen=True)
class OtherCluster:
    """A further cluster that the role trusts, by EKS name or issuer; `region` defaults to the file's."""

    name: checked.ClusterName = ""
    region: checked.Region = ""
    issuer: checked.IssuerUrl = ""


@dataclass(frozen=True)
class BindingEntry(BindingSpec):
    """An entry of `serviceAccounts`: the spec, its file and line (`where`), and its cluster.

    The issuers of `clusters` are still unknown.
    """

    where: checked.FreeText = ""
    cluster: checked.ClusterName = ""
    region: checked.Region = ""
    account: checked.AccountId = ""
    """The account of the cluster, if the file names it."""
    clusters: tuple[OtherCluster, ...] = ()
    role_account: checked.AccountId = ""
    """The account of the role, if it is not the cluster's; access to it:"""
    role_assume_role: checked.RoleArn = ""
    role_profile: checked.Profile = ""
    target_assume_role: checked.RoleArn = ""
    """Access to the account of the target role."""
    target_profile: checked.Profile = ""

    def in_its_words(self, text: str) -> str:
        """A text with the names of fields in the entry's file."""
        if self.unsaid != UNSAID_BY_ASSOCIATIONS:
            return text
        named = rf"\b({'|'.join(OF_ASSOCIATIONS)})\b"
        return re.sub(named, lambda field: OF_ASSOCIATIONS[field[0]], text)


def _of_entries(accounts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check values for all entries by the rules that each entry has for them."""
    for attribute, value in accounts.items():
        if not isinstance(value, bool):
            rule = rules_of(BindingEntry).get(attribute)
            if rule is None:
                raise InvalidInput(
                    f"{visible(attribute)} is not valid", reason="irsa has no rule for this text"
                )
            rule(value)
    return accounts


@dataclass(frozen=True)
class Config:
    """A document; `cluster`, `region` and `account` are empty if it does not name them.

    `notices` are about parts that irsa does not read.
    """

    where: checked.FreeText
    cluster: checked.ClusterName = ""
    region: checked.Region = ""
    with_oidc: bool = False
    bindings: tuple[BindingEntry, ...] = ()
    notices: tuple[checked.FreeText, ...] = ()
    accounts: Annotated[Mapping[str, Any], _of_entries] = field(default_factory=dict)
    """Fields about other accounts for all entries, by attribute."""
    account: checked.AccountId = ""
    assume_role: checked.RoleArn = ""
    """The role that the run assumes for this cluster; `account` is its account."""


@dataclass(frozen=True)
class Selection:
    """Globs for `namespace/name`, as in eksctl; `*` also matches `/`. Raises `InvalidInput`."""

    include: tuple[checked.FreeText, ...] = ()
    exclude: tuple[checked.FreeText, ...] = ()
    shard: Shard | None = None

    def __post_init__(self) -> None:
        for item in (*self.include, *self.exclude):
            _glob(item)

    def admits(self, name: str) -> bool:
        """Whether the ServiceAccount `namespace/name` is meant."""
        included, excluded = (
            any(len(name) in _ends(_glob(item), name, {0}) for item in globs)
            for globs in (self.include, self.exclude)
        )
        return (included or not self.include) and not excluded

    def of(self, bindings: Iterable[BindingEntry]) -> tuple[BindingEntry, ...]:
        """Those that are meant."""
        return tuple(binding for binding in bindings if self.admits(str(binding)))

    def check(self, bindings: Iterable[BindingEntry]) -> None:
        """Raise `InvalidInput` if no include matches any entry."""
        everything = tuple(bindings)
        wanted = Selection(self.include)
        if self.include and not any(wanted.admits(str(binding)) for binding in everything):
            raise InvalidInput(
                f"--include {','.join(self.include)} matches no ServiceAccount",
                reason="expected globs for namespace/name",
                details=[str(binding) for binding in everything],
            )


_TOKEN = re.compile(r"\\(?P<literal>.)|\[(?P<negated>!?)(?P<set>[^\]]+)\]|(?P<plain>.)", re.DOTALL)


_Glob = list[Any]
"""Its items: a test of one character, None for `*`, a list of globs for `{one,other}`."""


@lru_cache(maxsize=256)
def _glob(text: str) -> _Glob:
    """A glob as eksctl reads it: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`, `{one,other}`, backslash."""
    # The alternatives of each open brace, and the whole as the only one of its own.
    open_ones: list[list[_Glob]] = [[[]]]
    try:
        for token in _TOKEN.finditer(text):
            plain = token["plain"]
            is_inside = len(open_ones) > 1
            if plain == "{":
                open_ones.append([[]])
            elif plain == "," and is_inside:
                open_ones[-1].append([])
            elif plain == "}" and is_inside:
                alternatives = open_ones.pop()
                open_ones[-1][-1].append(alternatives)
            else:
                open_ones[-1][-1].append(None if plain == "*" else _test_of(token))
        ((found,),) = open_ones
    except (re.error, ValueError):
        raise InvalidInput(f"'{text}' is not a valid glob") from None
    return found


def _ends(glob: _Glob, name: str, starts: set[int]) -> set[int]:
    """Where a glob can end in a name that begins at these places: no way through it is tried twice."""
    for item in glob:
        if item is None:
            starts = set(range(min(starts, default=len(name) + 1), len(name) + 1))
        elif isinstance(item, list):
            starts = set().union(*(_ends(one, name, starts) for one in item))
        else:
            starts = {place + 1 for place in starts if place < len(name) and item(name[place])}
    return starts


def _test_of(token: re.Match[str]) -> Callable[[str], bool]:
    """Which character a token takes; raises ValueError for a bracket without its other half."""
    plain: str | None = token["plain"]
    if token["set"]:
        members = re.sub(r"[^a-zA-Z0-9-]", lambda found: re.escape(found[0]), token["set"])
        pattern = re.compile(f"[{'^' if token['negated'] else ''}{members}]", re.DOTALL)
        return lambda char: pattern.fullmatch(char) is not None
    if plain is not None and plain in "[]\\}":
        raise ValueError(plain)
    return (lambda _: True) if plain == "?" else (plain or token["literal"]).__eq__


def distinct(configs: Sequence[Config]) -> None:
    """Raise `InvalidInput` if a ServiceAccount, role or ConfigMap is in two places of one cluster.

    A configuration without a cluster or region may mean any.
    """
    everything = [item for config in configs for item in config.bindings]
    problems = [
        f"{binding.where}: {binding} is also defined in {before.where}"
        for binding, before in _twice(everything, str)
    ]
    for key, words, remedy in (
        (_role_name, "roleName {0.role_name}", "to use that role: attachRoleARN"),
        (
            lambda item: item.aws_config_map and f"{item.namespace}/{item.aws_config_map}",
            "awsConfigMap {0.aws_config_map}",
            "each writes its own role into it",
        ),
    ):
        problems += [
            f"{binding.where}: {binding} has the {words.format(binding)} of {before}"
            f" ({before.where}); {binding.in_its_words(remedy)}"
            for binding, before in _twice(everything, key)
            if str(binding) != str(before)
        ]
    if len(problems) == 1:
        raise InvalidInput(problems[0])
    if problems:
        raise InvalidInput(f"{len(problems)} entries contradict each other", details=problems)


def _role_name(binding: BindingEntry) -> str:
    """A role's name, with what tells its account; names are unique in each account.

    IAM compares them without regard to case:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    where = binding.role_account or "".join(binding.role_assume_role.split(":")[4:5])
    return f"{where} {binding.role_name.lower()}" if binding.role_name else ""


def _twice(
    bindings: Iterable[BindingEntry], key: Callable[[BindingEntry], str]
) -> Iterator[tuple[BindingEntry, BindingEntry]]:
    """Each that has the key of one before it in what may be the same cluster, with that one."""
    seen: dict[str, list[BindingEntry]] = {}
    for binding in bindings:
        if not key(binding):
            continue
        others = seen.setdefault(key(binding), [])
        before = next((item for item in others if _may_be_one(item, binding)), None)
        if before is not None:
            yield binding, before
        others.append(binding)


def _may_be_one(one: BindingEntry, other: BindingEntry) -> bool:
    pairs = ((one.cluster, other.cluster), (one.region, other.region), (one.account, other.account))
    return all(len({*names} - {""}) <= 1 for names in pairs)
