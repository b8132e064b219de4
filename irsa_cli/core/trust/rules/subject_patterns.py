"""Patterns of subjects: which namespaces and names one means, and ServiceAccounts that fit it.

Whether a policy lets them in is found in `irsa_cli.core.trust.rules.width`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from irsa_cli.core.trust.rules.rule import Risk, Rule, risk
from irsa_cli.core.trust.rules.trust_rules import (
    CROSSES_COLON,
    EVERY_NAME,
    EVERY_NAMESPACE,
    EVERY_SUBJECT,
    NAME_PATTERN,
    NAMESPACE_PATTERN,
)

SERVICE_ACCOUNT = "system:serviceaccount:"


ONE, OTHER = "x9q7z", "k3w8v"
"""Names that nobody has given anything: what admits them admits any name."""


def _is_wild(glob: str) -> bool:
    return "*" in glob or "?" in glob


def _is_all(glob: str) -> bool:
    return bool(glob) and not glob.strip("*")


def _filled(glob: str, word: str) -> str:
    return glob.replace("*", word).replace("?", word[0])


def _example(glob: str) -> str:
    """A name that fits and that the author will hardly have meant."""
    head, *rest = re.split(r"\*+", glob)
    for part in rest:
        before = "" if not head or head[-1] in "-.:" else "-"
        head = f"{head}{before}evil{'-' if part and part[0] not in '-.' else ''}{part}"
        rest = []
    return head.replace("?", "x")


@dataclass(frozen=True)
class Pair:
    """The namespaces and the names that a pattern of subjects means, both as patterns.

    `crosses`: one of its wildcards stands for the colon between them.
    """

    namespace: str
    name: str
    crosses: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether it means more than one ServiceAccount."""
        return _is_wild(self.namespace) or _is_wild(self.name)

    @property
    def witnesses(self) -> tuple[str, str]:
        """Two ServiceAccounts that fit, and that differ wherever the pattern leaves that open."""
        one, other = (
            f"{SERVICE_ACCOUNT}{_filled(self.namespace, first)}:{_filled(self.name, second)}"
            for first, second in ((ONE, OTHER), (OTHER, ONE))
        )
        return one, other

    @property
    def rule(self) -> Rule:
        """What is wide of it."""
        if _is_all(self.namespace):
            return EVERY_SUBJECT if _is_all(self.name) else EVERY_NAMESPACE
        if _is_wild(self.namespace):
            return CROSSES_COLON if self.crosses else NAMESPACE_PATTERN
        return EVERY_NAME if _is_all(self.name) else NAME_PATTERN

    def risk(self, statement: str, pattern: str, suggestion: str, path: tuple[str | int, ...]) -> Risk:
        """The risk of a statement that has the pattern; `suggestion` makes it tight."""
        return risk(self.rule, statement, f"admits by '{pattern}' {self._whom}", suggestion, path=path)

    @property
    def _whom(self) -> str:
        if self.rule is EVERY_SUBJECT:
            return "every ServiceAccount of the cluster"
        if self.rule is EVERY_NAME:
            return f"every ServiceAccount of namespace {self.namespace}, also those that are made later"
        if self.rule is NAME_PATTERN:
            return f"every ServiceAccount of namespace {self.namespace} like it, {_example(self.name)} too"
        names = f"the ServiceAccount {self.name}"
        if _is_wild(self.name):
            names = "every ServiceAccount" + ("" if _is_all(self.name) else f" like {self.name}")
        if self.rule is EVERY_NAMESPACE:
            return f"{names} of every namespace, also of those that others make"
        return f"{names} of each namespace like {self.namespace}, {_example(self.namespace)} too"


@lru_cache(maxsize=1024)
def pairs(pattern: str) -> tuple[Pair, ...]:
    """What a pattern means for subjects of ServiceAccounts, whose namespaces and names have no colon.

    A `*` may reach over a colon: then it stands for the end of a namespace and the beginning of a name.
    """
    found: dict[Pair, None] = {}
    for rest in _after(pattern, SERVICE_ACCOUNT):
        if rest.count(":") == 1:
            namespace, _, name = rest.partition(":")
            found[Pair(namespace, name)] = None
        elif ":" not in rest:
            for place, sign in enumerate(rest):
                if sign in "*?":
                    star = sign if sign == "*" else ""
                    found[Pair(rest[:place] + star, star + rest[place + 1 :], crosses=True)] = None
    return tuple(pair for pair in found if pair.namespace and pair.name)


def _after(pattern: str, text: str) -> frozenset[str]:
    """What may be left of a pattern when its beginning has matched the text."""
    left = {re.sub(r"\*+", "*", pattern)}
    for sign in text:
        after: set[str] = set()
        for item in left:
            if item.startswith("*"):
                after.add(item)
                item = item[1:]
            if item and item[0] in (sign, "?"):
                after.add(item[1:])
        left = after
    return frozenset(left)
