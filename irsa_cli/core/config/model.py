"""Values of configuration files: a `Config` for each document, and the selection of bindings.

Values are checked; only a cluster can tell partition and account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from irsa_cli.core.binding.spec import BindingSpec
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.shards import Shard


@dataclass(frozen=True)
class OtherCluster:
    """A further cluster that the role trusts, by EKS name or issuer; `region` defaults to the file's."""

    name: str = ""
    region: str = ""
    issuer: str = ""


@dataclass(frozen=True)
class Binding(BindingSpec):
    """An entry of `serviceAccounts`: the spec, its file and line (`where`), and its cluster.

    The issuers of `clusters` are still unknown.
    """

    where: str = ""
    cluster: str = ""
    region: str = ""
    account: str = ""
    """The account of the cluster, if the file names it."""
    clusters: tuple[OtherCluster, ...] = ()
    role_account: str = ""
    """The account of the role, if it is not the cluster's; access to it:"""
    role_assume_role: str = ""
    role_profile: str = ""
    target_assume_role: str = ""
    """Access to the account of the target role."""
    target_profile: str = ""


@dataclass(frozen=True)
class Config:
    """A document; `cluster`, `region` and `account` are empty if it does not name them.

    `notices` are about parts that irsa does not read.
    """

    where: str
    cluster: str = ""
    region: str = ""
    with_oidc: bool = False
    bindings: tuple[Binding, ...] = ()
    notices: tuple[str, ...] = ()
    accounts: Mapping[str, Any] = field(default_factory=dict)
    """Fields about other accounts for all entries, by attribute."""
    account: str = ""
    assume_role: str = ""
    """The role that the run assumes for this cluster; `account` is its account."""


@dataclass(frozen=True)
class Selection:
    """Globs for `namespace/name`, as in eksctl; `*` also matches `/`. Raises `InvalidInput`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    shard: Shard | None = None

    def __post_init__(self) -> None:
        for item in (*self.include, *self.exclude):
            _glob(item)

    def admits(self, name: str) -> bool:
        """Whether the ServiceAccount `namespace/name` is meant."""
        included = not self.include or any(_glob(item).matches(name) for item in self.include)
        return included and not any(_glob(item).matches(name) for item in self.exclude)

    def of(self, bindings: Iterable[Binding]) -> tuple[Binding, ...]:
        """Those that are meant."""
        return tuple(binding for binding in bindings if self.admits(str(binding)))

    def check(self, bindings: Iterable[Binding]) -> None:
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


@dataclass(frozen=True)
class _Glob:
    """A glob as a state machine; its time is linear in its length and that of the name."""

    tests: tuple[Callable[[str], bool] | None, ...]
    jumps: tuple[tuple[int, ...], ...]

    def matches(self, name: str) -> bool:
        """Whether it fits the whole name."""
        states = self._reached({0})
        for char in name:
            tests = ((state, self.tests[state]) for state in states)
            states = self._reached({state + 1 for state, test in tests if test is not None and test(char)})
        return len(self.tests) - 1 in states

    def _reached(self, states: set[int]) -> set[int]:
        found, todo = set(states), list(states)
        while todo:
            new = [state for state in self.jumps[todo.pop()] if state not in found]
            found.update(new)
            todo += new
        return found


@lru_cache(maxsize=256)
def _glob(text: str) -> _Glob:
    """A glob as eksctl reads it: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`, `{one,other}`, backslash."""
    try:
        return _states(text)
    except (re.error, ValueError):
        raise InvalidInput(f"'{text}' is not a valid glob") from None


def _states(text: str) -> _Glob:
    """The states of a glob; raises ValueError for a bracket without its other half."""
    tests: list[Callable[[str], bool] | None] = []
    jumps: list[list[int]] = []
    # For each open brace: its place, and the ends of its alternatives so far.
    open_ones: list[tuple[int, list[int]]] = []

    def add(test: Callable[[str], bool] | None, *to: int) -> None:
        tests.append(test)
        jumps.append(list(to))

    for token in _TOKEN.finditer(text):
        plain, here = token["plain"], len(tests)
        if plain == "*":
            # Any character leads to the second one, and that back.
            add(lambda _: True, here + 2)
            add(None, here, here + 2)
        elif plain == "{":
            open_ones.append((here, []))
            add(None, here + 1)
        elif plain == "," and open_ones:
            start, ends = open_ones[-1]
            ends.append(here)
            jumps[start].append(here + 1)
            add(None)
        elif plain == "}" and open_ones:
            _, ends = open_ones.pop()
            add(None, here + 1)
            for end in ends:
                jumps[end].append(here)
        else:
            add(_test_of(token))
    if open_ones:
        raise ValueError("{")
    add(None)
    return _Glob(tuple(tests), tuple(map(tuple, jumps)))


def _test_of(token: re.Match[str]) -> Callable[[str], bool]:
    """Which character a token takes; raises ValueError for a bracket without its other half."""
    plain: str | None = token["plain"]
    if token["set"]:
        return _members(token["negated"], token["set"])
    if plain is not None and plain in "[]\\}":
        raise ValueError(plain)
    return (lambda _: True) if plain == "?" else (plain or token["literal"]).__eq__


def _members(negated: str, text: str) -> Callable[[str], bool]:
    members = re.sub(r"[^a-zA-Z0-9-]", lambda found: re.escape(found[0]), text)
    pattern = re.compile(f"[{'^' if negated else ''}{members}]", re.DOTALL)
    return lambda char: pattern.fullmatch(char) is not None


def distinct(configs: Sequence[Config]) -> None:
    """Raise `InvalidInput` if a ServiceAccount, role or ConfigMap is in two places of one cluster.

    A configuration without a cluster or region may mean any.
    """
    problems = []
    everything = [item for config in configs for item in config.bindings]
    for binding, before in _twice(everything, str):
        problems.append(f"{binding.where}: {binding} is also defined in {before.where}")
    # IAM compares names without regard to case:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    for binding, before in _twice(everything, _role_name):
        if str(binding) != str(before):
            problems.append(
                f"{binding.where}: {binding} has the roleName {binding.role_name} of {before}"
                f" ({before.where}); to use that role: attachRoleARN"
            )
    for binding, before in _twice(everything, _config_map):
        if str(binding) != str(before):
            problems.append(
                f"{binding.where}: {binding} has the awsConfigMap {binding.aws_config_map} of {before}"
                f" ({before.where}); each writes its own role into it"
            )
    if len(problems) == 1:
        raise InvalidInput(problems[0])
    if problems:
        raise InvalidInput(f"{len(problems)} entries contradict each other", details=problems)


def _role_name(binding: Binding) -> str:
    """A role's name, with what tells its account; names are unique in each account."""
    where = binding.role_account or "".join(binding.role_assume_role.split(":")[4:5])
    return f"{where} {binding.role_name.lower()}" if binding.role_name else ""


def _config_map(binding: Binding) -> str:
    return f"{binding.namespace}/{binding.aws_config_map}" if binding.aws_config_map else ""


def _twice(bindings: Iterable[Binding], key: Callable[[Binding], str]) -> Iterator[tuple[Binding, Binding]]:
    """Each that has the key of one before it in what may be the same cluster, with that one."""
    seen: dict[str, list[Binding]] = {}
    for binding in bindings:
        if not key(binding):
            continue
        others = seen.setdefault(key(binding), [])
        before = next((item for item in others if _may_be_one(item, binding)), None)
        if before is not None:
            yield binding, before
        others.append(binding)


def _may_be_one(one: Binding, other: Binding) -> bool:
    pairs = ((one.cluster, other.cluster), (one.region, other.region), (one.account, other.account))
    return all(len({*names} - {""}) <= 1 for names in pairs)
