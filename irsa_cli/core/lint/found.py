"""What a file holds that can be judged: trust policies, ServiceAccounts; and what of it is not known yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.lint.gaps import Gaps
from irsa_cli.core.lint.placed import Placed
from irsa_cli.core.trust.rules.context import KnownCluster
from irsa_cli.core.trust.rules.rule import FilePlace, Risk, Severity


@dataclass(frozen=True)
class LintedTrust:
    """A trust policy, where it stands, and what is known around it.

    `power` is what the role may do, where that is much. `refined` gives a risk its place and its fix, where
    the policy is not written down in the file as it will be.
    """

    placed: Placed
    document: Any
    gaps: Gaps = field(default_factory=Gaps)
    power: str = ""
    account: str = ""
    clusters: Mapping[str, KnownCluster] = field(default_factory=dict)
    refined: Callable[[Risk], Risk] | None = None


@dataclass(frozen=True)
class LintedAccount:
    """A ServiceAccount of a manifest, with the place of its annotations."""

    placed: Placed
    namespace: str
    name: str
    role: Any
    gaps: Gaps = field(default_factory=Gaps)
    path: tuple[str | int, ...] = ("metadata", "annotations", "eks.amazonaws.com/role-arn")
    name_path: tuple[str | int, ...] = ("metadata", "name")


@dataclass(frozen=True)
class Unjudged:
    """What is known only once it is deployed: it may hide a risk as bad as `at_most`."""

    place: FilePlace
    text: str
    at_most: Severity

    @property
    def told(self) -> str:
        """The same for people."""
        whose = f"{self.place.subject}: " if self.place.subject else ""
        return f"{self.place}: {whose}{self.text}"


Found = LintedTrust | LintedAccount | Unjudged
