"""Which checks must have been made before "nothing is wrong" says anything of a ServiceAccount.

They are those of what `irsa verify` proves: ServiceAccount, role, trust policy, provider; that a running pod
with this identity was seen; and whatever a check itself calls suspect. Without them nothing is called right.
"""

from __future__ import annotations

from collections.abc import Iterable

from irsa_cli.core.doctor.causes.seen import UNSEEN
from irsa_cli.core.doctor.causes.trust import TRUST_CAUSES
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.objects.kinds import ServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION

OF_CLUSTER = frozenset({"provider-audience"})
"""That the provider is there shows in this one, too, and whichever account it is in."""
_WEB_IDENTITY = OF_CLUSTER | {"service-account-missing", "role-missing", *TRUST_CAUSES, UNSEEN}
_POD_IDENTITY = frozenset({"pod-identity-trust", "pod-identity-target", "pod-own-token", UNSEEN})


def undecided(facts: Facts, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that can't be told although all hangs on them."""
    wanted = _decisive(facts)
    return tuple(
        item
        for item in findings
        if item.verdict is Verdict.UNKNOWN and (item.cause.id in wanted or item.judgement.decides)
    )


def _decisive(facts: Facts) -> frozenset[str]:
    if facts.subject is None:
        return OF_CLUSTER
    account = facts.subject.account
    # Without the annotation it is a Pod Identity association that gives the role, or a problem anyway.
    associated = isinstance(account, ServiceAccount) and ROLE_ARN_ANNOTATION not in account.annotations
    return _POD_IDENTITY if associated else _WEB_IDENTITY
