"""Values of configuration files: a `Config` for each document, and the selection of bindings.

Values are checked; only a cluster can tell partition and account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
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
        names = rf"\b({'|'.join(OF_ASSOCIATIONS)})\b"
        return re.sub(names, lambda name: OF_ASSOCIATIONS[name[0]], text)


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
        for glob in (*self.include, *self.exclude):
            _glob(glob)

    def admits(self, name: str) -> bool:
        """Whether the ServiceAccount `namespace/name` is meant."""
        if self.include and not _matches_one(name, self.include):
            return False
        return not _matches_one(name, self.exclude)

    def of(self, bindings: Iterable[BindingEntry]) -> tuple[BindingEntry, ...]:
        """Those that are meant."""
        return tuple(binding for binding in bindings if self.admits(str(binding)))

    def check(self, bindings: Iterable[BindingEntry]) -> None:
        """Raise `InvalidInput` if no include matches any entry."""
        everything = tuple(bindings)
        if self.include and not any(_matches_one(str(binding), self.include) for binding in everything):
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
        ((glob,),) = open_ones
    except (re.error, ValueError):
        raise InvalidInput(f"'{text}' is not a valid glob") from None
    return glob


def _matches_one(name: str, globs: Iterable[str]) -> bool:
    return any(len(name) in _ends(_glob(glob), name, {0}) for glob in globs)


def _ends(glob: _Glob, name: str, starts: set[int]) -> set[int]:
    """Where a glob can end in a name that begins at these places: no way through it is tried twice."""
    for element in glob:
        if element is None:
            starts = set(range(min(starts, default=len(name) + 1), len(name) + 1))
        elif isinstance(element, list):
            starts = set().union(*(_ends(alternative, name, starts) for alternative in element))
        else:
            starts = {place + 1 for place in starts if place < len(name) and element(name[place])}
    return starts


def _test_of(token: re.Match[str]) -> Callable[[str], bool]:
    """Which character a token takes; raises ValueError for a bracket without its other half."""
    plain: str | None = token["plain"]
    if token["set"]:
        members = re.sub(r"[^a-zA-Z0-9-]", lambda sign: re.escape(sign[0]), token["set"])
        pattern = re.compile(f"[{'^' if token['negated'] else ''}{members}]", re.DOTALL)
        return lambda char: pattern.fullmatch(char) is not None
    if plain is not None and plain in "[]\\}":
        raise ValueError(plain)
    if plain == "?":
        return lambda _: True
    character = plain or token["literal"]
    return lambda char: char == character


def distinct(configs: Sequence[Config]) -> None:
    """Raise `InvalidInput` if a ServiceAccount, role or ConfigMap is in two places of one cluster.

    A configuration without a cluster or region may mean any.
    """
    everything = list(chain.from_iterable(config.bindings for config in configs))
    problems: list[str] = []
    for binding, before in _twice(everything, str):
        problems.append(f"{binding.where}: {binding} is also defined in {before.where}")
    for binding, before in _twice(everything, _role_name):
        remedy = binding.in_its_words("to use that role: attachRoleARN")
        problems += _shared(binding, before, f"roleName {binding.role_name}", remedy)
    for binding, before in _twice(everything, _config_map_name):
        field = f"awsConfigMap {binding.aws_config_map}"
        problems += _shared(binding, before, field, "each writes its own role into it")
    if len(problems) == 1:
        raise InvalidInput(problems[0])
    if problems:
        raise InvalidInput(f"{len(problems)} entries contradict each other", details=problems)


def _shared(binding: BindingEntry, before: BindingEntry, field: str, remedy: str) -> Iterator[str]:
    """The problem of a field that another ServiceAccount also has."""
    if str(binding) != str(before):
        yield f"{binding.where}: {binding} has the {field} of {before} ({before.where}); {remedy}"


def _config_map_name(binding: BindingEntry) -> str:
    return binding.aws_config_map and f"{binding.namespace}/{binding.aws_config_map}"


def _role_name(binding: BindingEntry) -> str:
    """A role's name, with what tells its account; names are unique in each account.

    IAM compares them without regard to case:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    if not binding.role_name:
        return ""
    account = binding.role_account or "".join(binding.role_assume_role.split(":")[4:5])
    return f"{account} {binding.role_name.lower()}"


def _twice(
    bindings: Iterable[BindingEntry], key: Callable[[BindingEntry], str]
) -> Iterator[tuple[BindingEntry, BindingEntry]]:
    """Each that has the key of one before it in what may be the same cluster, with that one."""
    by_key: dict[str, list[BindingEntry]] = {}
    for binding in bindings:
        if not key(binding):
            continue
        earlier = by_key.setdefault(key(binding), [])
        before = next((known for known in earlier if _may_be_one(known, binding)), None)
        if before is not None:
            yield binding, before
        earlier.append(binding)


def _may_be_one(first: BindingEntry, second: BindingEntry) -> bool:
    pairs = (
        (first.cluster, second.cluster),
        (first.region, second.region),
        (first.account, second.account),
    )
    return all(len({*names} - {""}) <= 1 for names in pairs)
