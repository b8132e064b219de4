"""The fix of a risk of an account: an irsa command to paste, or the corrected trust policy.

How a trust policy is corrected is `irsa_cli.core.trust.correction`'s business.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from irsa_cli.core.audit.estate import AuditedAccount, Estate
from irsa_cli.core.audit.reach import size_of
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.correction import Meant, corrected
from irsa_cli.core.trust.rules import binding_rules as rules
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.rule import Risk, Rule
from irsa_cli.core.values.names import subject

_COMMANDS: Mapping[Rule, str] = dict.fromkeys(
    (rules.ADMITTED_NOT_ANNOTATED, rules.ANNOTATED_REFUSED, rules.ROLE_GONE, rules.SHADOWED),
    "irsa doctor {name} {where}",
)
"""None of them writes: whether a ServiceAccount is to have a role is no question that an audit can answer."""


def command_of(risk: Risk) -> str:
    """The command that ends a risk, or tells how; '' where there is none, or a name is not known."""
    form = _COMMANDS.get(risk.rule, "")
    namespace, slash, name = risk.account.partition("/")
    if not (form and slash and risk.cluster):
        return ""
    region, _, cluster = risk.cluster.rpartition("/")
    where = f"-n {shlex.quote(namespace)} -c {shlex.quote(cluster)}"
    where += f" -r {shlex.quote(region)}" if region else ""
    return form.format(name=shlex.quote(name), where=where)


@dataclass(frozen=True)
class Fixes:
    """The fixes of the risks of one account."""

    estate: Estate

    def of(self, risk: Risk) -> Risk:
        """The risk with its fix, as far as there is one."""
        return replace(risk, command=command_of(risk), corrected=self._corrected(risk))

    def _corrected(self, risk: Risk) -> Mapping[str, object] | None:
        role = self.estate.roles_by_arn.get(risk.role)
        if role is None or not risk.path or size_of(role) > LARGEST:
            return None
        return corrected(role.trust, risk, self._trusts.context(role), self._meant(role))

    @cached_property
    def _trusts(self) -> Trusts:
        return Trusts(self.estate)

    @cached_property
    def _annotated(self) -> Mapping[tuple[str, str], list[AuditedAccount]]:
        """The ServiceAccounts by their cluster and the role that they name."""
        found: dict[tuple[str, str], list[AuditedAccount]] = {}
        for cluster in self.estate.clusters:
            for account in () if isinstance(cluster.accounts, Unreadable) else cluster.accounts:
                found.setdefault((cluster.name, account.role_arn), []).append(account)
        return found

    def _meant(self, role: BoundRole) -> Meant:
        """The tokens of the ServiceAccounts that name the role; complete where all its clusters are known."""
        tokens: list[WebIdentity] = []
        complete = True
        for provider in self._trusts.context(role).providers:
            cluster = self.estate.cluster_of(provider)
            if cluster is None or isinstance(cluster.accounts, Unreadable):
                complete = False
                continue
            for item in self._annotated.get((cluster.name, role.arn), ()):
                name = subject(item.namespace, item.name)
                tokens.append(WebIdentity(provider, cluster.issuer, name, item.audience))
        return Meant(tuple(tokens), complete)
