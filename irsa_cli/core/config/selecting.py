"""Which bindings of a configuration are meant: `--include` and `--exclude`, and none in another's way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from irsa_cli.core.config.model import Binding, Config
from irsa_cli.core.errors import InvalidInput


@dataclass(frozen=True)
class Selection:
    """Globs for `namespace/name`, as eksctl has them.

    What is excluded is out; with includes, everything else has to be included. `*` matches `/`, too.
    A bad glob raises `InvalidInput`.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for item in (*self.include, *self.exclude):
            _glob(item)

    def admits(self, name: str) -> bool:
        """Whether the ServiceAccount `namespace/name` is meant."""
        included = not self.include or any(_glob(item).fullmatch(name) for item in self.include)
        return included and not any(_glob(item).fullmatch(name) for item in self.exclude)

    def of(self, bindings: Iterable[Binding]) -> tuple[Binding, ...]:
        """Those that are meant."""
        return tuple(binding for binding in bindings if self.admits(str(binding)))

    def check(self, bindings: Iterable[Binding]) -> None:
        """Raise `InvalidInput` when no include matches any: a slip, unless something else is meant, too."""
        everything = tuple(bindings)
        wanted = Selection(self.include)
        if self.include and not any(wanted.admits(str(binding)) for binding in everything):
            raise InvalidInput(
                f"--include {','.join(self.include)} matches no ServiceAccount",
                reason="expected globs for namespace/name",
                details=[str(binding) for binding in everything],
            )


_TOKEN = re.compile(r"\\(?P<literal>.)|\[(?P<negated>!?)(?P<set>[^\]]+)\]|(?P<plain>.)", re.DOTALL)
_WILDCARDS = {"*": ".*", "?": "."}


@lru_cache(maxsize=256)
def _glob(text: str) -> re.Pattern[str]:
    """A glob as eksctl reads it: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`, `{one,other}`, backslash."""
    try:
        return re.compile("".join(_pieces(text)), re.DOTALL)
    except (re.error, ValueError):
        raise InvalidInput(f"'{text}' is not a valid glob") from None


def _pieces(text: str) -> Iterator[str]:
    """The parts of the regular expression; raises ValueError for a bracket without its other half."""
    depth = 0
    for token in _TOKEN.finditer(text):
        plain = token["plain"]
        if token["literal"]:
            yield re.escape(token["literal"])
        elif token["set"]:
            members = re.sub(r"[^a-zA-Z0-9-]", lambda found: re.escape(found[0]), token["set"])
            yield f"[{'^' if token['negated'] else ''}{members}]"
        elif plain in "[]\\" or (plain == "}" and not depth):
            raise ValueError(plain)
        elif plain in "{}":
            depth += 1 if plain == "{" else -1
            yield "(?:" if plain == "{" else ")"
        elif plain == "," and depth:
            yield "|"
        else:
            yield _WILDCARDS.get(plain) or re.escape(plain)
    if depth:
        raise ValueError("{")


def distinct(configs: Sequence[Config]) -> None:
    """Raise `InvalidInput` when a ServiceAccount, or the name of a role, stands in two places of one cluster.

    A configuration that names no cluster or region may mean any.
    """
    problems = []
    everything = [item for config in configs for item in config.bindings]
    for binding, before in _twice(everything, str):
        problems.append(f"{binding.where}: {binding} stands in {before.where}, too")
    # IAM compares names without regard to case:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    for binding, before in _twice(everything, lambda item: item.role_name.lower()):
        if str(binding) != str(before):
            problems.append(
                f"{binding.where}: {binding} has the roleName {binding.role_name} of {before}"
                f" ({before.where}); to use that role, say attachRoleARN"
            )
    if len(problems) == 1:
        raise InvalidInput(problems[0])
    if problems:
        raise InvalidInput(f"{len(problems)} entries stand in each other's way", details=problems)


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
    clusters, regions = {one.cluster, other.cluster}, {one.region, other.region}
    return all(len(names - {""}) <= 1 for names in (clusters, regions))
