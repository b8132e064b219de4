"""Why a binding that somebody else made is not deleted: what shows it, who made it, what can be done; pure.

Whose an annotation is, is told by its mark (`irsa_cli.core.marks.notes`); what is irsa's of a
binding is taken away by the plan of `irsa_cli.core.planning.delete`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from irsa_cli.core.binding import likely_makers
from irsa_cli.core.binding.current import Bound, NamedRole
from irsa_cli.core.binding.spec import CurrentServiceAccount
from irsa_cli.core.marks import makers
from irsa_cli.core.plan.states import CLUSTER_TAG, ROLE_ARN_ANNOTATION, ROLE_MARK, SERVICE_ACCOUNT_TAG
from irsa_cli.core.planning.delete import unannotate
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import Refused


def check_ours(bound: Bound, sharers: Sequence[str] = ()) -> None:
    """Raise `Refused` for a ServiceAccount whose role irsa has not given it.

    `sharers` are other ServiceAccounts that name the role: one that several use is not taken over.
    """
    account = bound.account
    if account is None or not bound.is_theirs:
        return
    raise Refused(
        f"irsa has not given {bound.full_name} its role, so it does not take it away",
        reason=_why(account),
        details=tuple(_makers(bound, account)),
        next_steps=tuple(_steps(bound, sharers)),
    )


def _why(account: CurrentServiceAccount) -> str:
    marked = account.annotations.get(ROLE_MARK)
    if marked is None:
        return f"its annotation {ROLE_ARN_ANNOTATION} bears no mark of irsa ({ROLE_MARK})"
    return f"somebody has changed its annotation {ROLE_ARN_ANNOTATION} since irsa wrote {marked}"


def _makers(bound: Bound, account: CurrentServiceAccount) -> Iterator[str]:
    """Who made what, as far as it bears a mark."""
    maker = makers.maker_of_account(account.labels, account.annotations, account.managers)
    yield f"ServiceAccount {bound.full_name}: {_by(maker)}"
    if bound.used is not None:
        guess = _guess(bound.used)
        made = _by(makers.maker_of_role(bound.used.state.tags))
        yield f"role {bound.annotation} {guess}" if guess else f"role {bound.annotation}: {made}"
    elif bound.problem:
        yield bound.problem


def _guess(role: NamedRole) -> likely_makers.Guess | None:
    return likely_makers.guess(role.name, role.role)


def _by(maker: str) -> str:
    return "nothing on it tells who made it" if maker == makers.UNKNOWN else f"made by {maker}"


def _steps(bound: Bound, sharers: Sequence[str]) -> Iterator[str]:
    if _can_be_adopted(bound, sharers):
        cluster = bound.cluster
        where = (
            f"-n {bound.namespace} -c {shlex.quote(cluster.name)} -r {cluster.region}{cluster.home_option}"
        )
        yield f"irsa adopt {bound.name} {where}  # makes it irsa's: run this again, and the role goes, too"
    elif bound.used is not None and _guess(bound.used):
        yield "find out who manages the role, and delete it there"
    elif sharers:
        yield f"others use the role, too ({', '.join(sharers)}): it can't become irsa's"
    yield f"or take only the role off it: {unannotate(bound)}"
    yield "whoever keeps it elsewhere (a chart, Git, a stack) writes it again: change it there"


def _can_be_adopted(bound: Bound, sharers: Sequence[str]) -> bool:
    """Whether `irsa adopt` takes such a role over: it is there, is nobody's, and admits it."""
    role = bound.used
    if role is None or role.arn != bound.annotation or sharers:
        return False
    wanted = {CLUSTER_TAG: bound.cluster.arn, SERVICE_ACCOUNT_TAG: bound.full_name}
    free = all(role.state.tags.get(key) in (None, value) for key, value in wanted.items())
    return free and not _guess(role) and trust_policy.admits(role.state.trust, bound.identity)
