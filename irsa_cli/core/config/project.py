"""The settings of a project's `.irsa.yaml` as values: defaults and rules for runs, and accepted risks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from irsa_cli.core.policies.operators import like
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values import checked

ACCEPTED_DAYS = 366
"""How far ahead `until` may be: what is accepted is looked at again at least once a year."""


@dataclass(frozen=True)
class AuditIgnore:
    """Accepted risks of a rule; '' matches everything.

    In a file, the role is its name there. It ends after `until`, and begins `ACCEPTED_DAYS` before it.
    """

    rule: str
    reason: str
    until: date
    role: str = ""
    cluster: str = ""
    account: str = ""
    file: str = ""

    def counts(self, today: date) -> bool:
        """Whether it holds on a day."""
        return today <= self.until <= today + timedelta(days=ACCEPTED_DAYS)

    def matches(self, risk: Risk) -> bool:
        """Whether a risk is meant, whatever day it is."""
        file = ""
        subject = ""
        if risk.place is not None:
            file = risk.place.file
            subject = risk.place.subject
        pairs = (
            (self.role, risk.role or subject),
            (self.cluster, risk.cluster),
            *((self.account, name) for name in (risk.account or risk.subject).split(", ")),
            (self.file, file),
        )
        is_meant = all(not pattern or like(text, pattern) for pattern, text in pairs)
        return risk.rule.id == self.rule and is_meant


@dataclass(frozen=True)
class Project:
    """The settings of a project; `source` is its file, '' if there is none."""

    source: str = ""
    permissions_boundary: checked.PolicyArn = ""
    require_permissions_boundary: bool = False
    lock: bool = True
    """Whether runs lock what they change."""
    lock_namespace: checked.Namespace = ""
    lock_timeout: float | None = None
    """Seconds that a run waits for a lock; None where the file does not say."""
    ignores: tuple[AuditIgnore, ...] = ()
    """Risks that are accepted."""
    cluster: checked.ClusterName = ""
    region: checked.Region = ""
    profile: checked.Profile = ""
    namespace: checked.Namespace = ""
    expect_account: checked.AccountId = ""
    """The account that every cluster has to be in; '' where any may be."""
    expect_cluster_arn: checked.ClusterArn = ""
    fail_on: str = ""
    """From which severity on `audit` and `lint` fail, where no flag says it."""
    never_wide_trust: bool = False
    """Whether trust policies that are too wide are refused whatever flags say."""
    git_namespaces: tuple[checked.NamespacePattern, ...] = ()
    """Globs of namespaces whose ServiceAccounts are in Git: irsa does not write them."""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    """In which line of the file each field is."""

    def place(self, name: str) -> str:
        """File and line of a field; '' where the file has no such field."""
        if name not in self.lines:
            return ""
        return f"{self.source}:{self.lines[name]}"
