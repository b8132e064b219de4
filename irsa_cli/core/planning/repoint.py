"""The plans that give a new cluster the roles of an old one, and take them from the old one; pure.

After `additions`, a trust policy says of NEW's tokens what it says of OLD's. `removals` takes out OLD's
statements only. Both are ARNs of OIDC providers. `irsa_cli.usecases.write.repoint` reads the current state.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from irsa_cli.core.binding import ownership
from irsa_cli.core.binding.current import account_changes
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.marks import makers
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.policies.policy import Document, as_list, size
from irsa_cli.core.policies.statements import (
    allowing,
    comparing,
    is_positive,
    names_everybody,
    principals,
    statements,
    tests_of_key,
)
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.owned_statements import sid_for
from irsa_cli.core.trust.trust_policy import alike, renamed
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, issuer_of
from irsa_cli.core.values.errors import NotSeenYet, Refused
from irsa_cli.core.values.names import parse_full_name

Name = tuple[str, str]
"""Namespace and name of a ServiceAccount."""
_PREFIX = "system:serviceaccount:"
_OWN = (makers.IRSA, makers.UNKNOWN)
"""Makers that do not write a role again: irsa, and whoever left no mark."""


@dataclass(frozen=True)
class Move:
    """From one provider to another, by ARN."""

    old: str
    new: str


@dataclass(frozen=True)
class Trusted:
    """The tokens of one provider that a trust policy allows: exact subjects, patterns, audiences."""

    names: tuple[Name, ...] = ()
    patterns: tuple[str, ...] = ()
    audiences: tuple[str, ...] = (DEFAULT_AUDIENCE,)

    def concerns(self, namespace: str) -> bool:
        """Whether it is about ServiceAccounts of this namespace; a pattern may be."""
        text = f"{_PREFIX}{namespace}:"
        heads = [re.split(r"[*?$]", item)[0] for item in self.patterns]
        wild = any(text.startswith(head) or head.startswith(text) for head in heads)
        return wild or any(name[0] == namespace for name in self.names)


def of_provider(trust: Mapping[str, Any], provider: str) -> list[Document]:
    """The statements that name the provider as a principal."""
    return [dict(item) for item in statements(trust) if provider in principals(item, "Federated")]


def means_everybody(trust: Mapping[str, Any], provider: str) -> bool:
    """Whether a statement allows everybody with a condition on subjects of the provider."""
    wide = (item for _, item in allowing(trust) if names_everybody(item))
    return any(tests_of_key(wide, f"{issuer_of(provider)}:sub"))


def trusted(trust: Mapping[str, Any], provider: str) -> Trusted:
    """The subjects and audiences that a trust policy allows of a provider's tokens."""
    exact: dict[Name, None] = {}
    patterns: dict[str, None] = {}
    audiences: dict[str, None] = {}
    for item in of_provider(trust, provider):
        if item.get("Effect") != "Allow":
            continue
        found = list(_values(item, f"{issuer_of(provider)}:sub"))
        audiences |= dict.fromkeys(_values(item, f"{issuer_of(provider)}:aud"))
        for text in found or ["*"]:
            names = text.removeprefix(_PREFIX).replace(":", "/", 1) if text.startswith(_PREFIX) else ""
            name = parse_full_name(names)
            if name is not None:
                exact[name] = None
            else:
                patterns[text] = None
    plain = tuple(text for text in audiences if not {"*", "?"} & set(text))
    return Trusted(tuple(exact), tuple(patterns), plain or (DEFAULT_AUDIENCE,))


def _values(item: Mapping[str, Any], key: str) -> Iterator[str]:
    for operator, values in tests_of_key([item], key):
        if comparing(operator) is not None and is_positive(operator):
            yield from values


def additions(trust: Document, move: Move) -> tuple[list[Document], Document]:
    """The statements that NEW lacks, and the policy with them; a Deny comes before what it limits."""
    ordered = sorted(of_provider(trust, move.old), key=lambda item: item.get("Effect") != "Deny")
    found, document = list[Document](), trust
    for item in ordered:
        copy = _copy(item, move, document)
        there = trust_policy.contains(document, copy)
        # Where NEW is one of several principals, only what a statement says about NEW counts.
        new = (renamed(each, move.new, move.new) for each in of_provider(document, move.new))
        if not there and not any(alike(each, copy) for each in new):
            found.append(copy)
            document = trust_policy.with_statement(document, copy)
    return found, document


def _copy(item: Document, move: Move, document: Document) -> Document:
    own = trust_policy.read_statement(item)
    if own is not None and own.sid:
        return replace(own, provider=move.new).marked.document
    copy = renamed(item, move.old, move.new)
    if copy.get("Sid"):
        taken = [str(each.get("Sid", "")) for each in statements(document)]
        copy["Sid"] = sid_for(str(copy["Sid"]), move.old, move.new, taken)
    return copy


def removals(trust: Document, provider: str) -> list[tuple[Document, Document | None]]:
    """The statements that name the provider, each with what is left of it: other principals, or nothing.

    A Deny comes after what it limits: if the run is cut off between them, nobody gets more.
    """
    found: list[tuple[Document, Document | None]] = []
    for item in sorted(of_provider(trust, provider), key=lambda item: item.get("Effect") == "Deny"):
        others = [name for name in as_list(item["Principal"]["Federated"]) if name != provider]
        left = {**item["Principal"], "Federated": others}
        left = {kind: names for kind, names in left.items() if names}
        found.append((item, {**item, "Principal": left} if left else None))
    return found


def without(trust: Document, provider: str) -> Document:
    """The policy as it is after `removals`."""
    for before, after in removals(trust, provider):
        trust = (
            trust_policy.without_statement(trust, before)
            if after is None
            else trust_policy.with_replaced(trust, before, after)
        )
    return trust


def trust_changes(role: str, pairs: Iterable[tuple[Document | None, Document | None]]) -> list[list[Change]]:
    """A stage for each statement: they are in one document, and come in this order."""
    seen: set[str] = set()
    stages = []
    for before, after in pairs:
        title = plain = title_of(before or after or {})
        while title in seen:
            title = f"{plain} ({len(seen) + 1})"
        seen.add(title)
        one, other = (None if item is None else states.DocumentState(item) for item in (before, after))
        stages.append([Change(Kind.TRUST_STATEMENT, (role, title), one, other)])
    return stages


def title_of(item: Mapping[str, Any]) -> str:
    """A statement for people: its subjects, or its principals; with its Effect unless that is Allow."""
    issuers = [*map(issuer_of, principals(item, "Federated"))]
    subjects = [text for issuer in issuers for text in _values(item, f"{issuer}:sub")]
    names = ", ".join(subjects or [*issuers, *principals(item, "Service")])
    return names if item.get("Effect") == "Allow" else f"{names} ({item.get('Effect')})"


def shut_out(trust: Document, after: Document, move: Move) -> list[str]:
    """The subjects with allowed tokens of OLD and denied ones of NEW: by a Deny that names neither."""

    def allows(document: Document, provider: str, subject: str, audience: str) -> bool:
        token = WebIdentity(provider, f"https://{issuer_of(provider)}", subject, audience)
        return trust_policy.admits(document, token)

    found = trusted(trust, move.old)
    # A pattern matches itself.
    subjects = {"/".join(name): f"{_PREFIX}{':'.join(name)}" for name in found.names}
    return [
        name
        for name, subject in (subjects | {text: text for text in found.patterns}).items()
        for audience in found.audiences
        if allows(trust, move.old, subject, audience) and not allows(after, move.new, subject, audience)
    ]


def check_addition(role: str, trust: Document, move: Move, quota: int) -> None:
    """Raise `Refused` if the policy would be too large, or would not allow NEW's tokens."""
    copies, after = additions(trust, move)
    if size(after) > quota:
        bins = _split(trust, copies, quota)
        names = [role, *(f"a {number}. role" for number in range(2, len(bins) + 1))]
        raise Refused(
            f"the trust policy of {role} would be too large",
            reason=f"{size(after)} characters without white space; the account's quota is {quota}",
            details=[
                f"{name} has room for: {'; '.join(titles) or 'nothing more'}"
                for name, titles in zip(names, bins, strict=True)
            ],
            next_steps=(
                f"create {len(bins) - 1} more with the same policies, for the ServiceAccounts listed above",
                "or raise the quota: Service Quotas, IAM, role trust policy length",
            ),
        )
    if out := shut_out(trust, after, move):
        raise Refused(
            f"the trust policy of {role} would not allow the new tokens of {', '.join(out)}",
            reason="another statement denies them, such as one for all but the old provider (NotPrincipal)",
            next_steps=(f"aws iam get-role --role-name {role}  # change that statement first",),
        )


def _split(trust: Document, copies: Sequence[Document], quota: int) -> list[list[str]]:
    """The subjects for the role, and for as few others as possible: the largest first, each if it fits."""
    bins: list[tuple[Document, list[str]]] = [(trust, [])]
    each = [(item, trust_policy.read_statement(item)) for item in copies]
    pieces = [
        replace(own, subjects=(subject,)).document if own else item
        for item, own in each
        for subject in (own.subjects if own else ("",))
    ]
    for piece in sorted(pieces, key=size, reverse=True):
        bare: Document = {"Version": trust.get("Version", "2012-10-17"), "Statement": []}
        for index, (document, titles) in enumerate([*bins, (bare, list[str]())]):
            grown = trust_policy.with_statement(document, piece)
            if size(grown) <= quota or index == len(bins):
                bins[index : index + 1] = [(grown, [*titles, title_of(piece)])]
                break
    return [titles for _, titles in bins]


def manager_of(role: Role) -> tuple[str, str]:
    """The tool that writes a role again by itself, or may do so, and how that is known; '' for none."""
    maker = makers.maker_of_role(role.tags)
    if maker not in _OWN:
        return maker, f"{maker} manages it"
    guess = ownership.guess(role)
    return (guess.maker, f"it {guess}") if guess is not None else ("", "")


@dataclass
class AccountPlan:
    """The changes of ServiceAccounts, those that NEW does not have, and notes on those that stay."""

    changes: list[Change] = field(default_factory=list)
    absent: list[ExportedAccount] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def accounts_plan(wanted: Sequence[ExportedAccount], there: Mapping[Name, ServiceAccount]) -> AccountPlan:
    """Annotate those that have no role; one with another role stays as it is."""
    plan = AccountPlan()
    for item in wanted:
        current, title = there.get(item.names), item.full_name
        if current is None:
            plan.absent.append(item)
            continue
        arn = current.annotations.get(states.ROLE_ARN_ANNOTATION)
        if arn not in (None, item.role_arn):
            plan.notes.append(f"ServiceAccount {title} stays: it has the role {arn}")
        elif arn is None:
            missing = {k: v for k, v in item.annotations.items() if k not in current.annotations}
            plan.changes += account_changes(item.names, current, {**missing}, {})
    return plan


def add_plan(role: str, trust: Document, move: Move, accounts: Sequence[Change]) -> Plan:
    """NEW's statements, then the ServiceAccounts that use them."""
    copies, _ = additions(trust, move)
    return Plan.of(*trust_changes(role, [(None, item) for item in copies]), list(accounts))


def retire_plan(
    role: str, trust: Document, move: Move, tags: Sequence[Change] = (), add: str = "irsa repoint --add"
) -> Plan:
    """The removal of OLD's statements; raises `Refused` unless NEW has all of them, and something is left.

    `tags`: see `moved_tag`. `add`: the command that adds NEW's.
    """
    copies, _ = additions(trust, move)
    if copies:
        raise NotSeenYet(
            f"{role} keeps the old cluster's statements: the new cluster lacks {len(copies)} of them",
            next_steps=(add,),
        )
    if not as_list(without(trust, move.old).get("Statement", [])):
        raise Refused(f"{role} keeps its only statement: IAM requires one")
    return Plan.of(*trust_changes(role, removals(trust, move.old)), list(tags))


def moved_tag(
    role: str, tags: Mapping[str, str], clusters: tuple[str, str], annotated: Collection[Name]
) -> list[Change]:
    """The role that irsa created for the old cluster is the new one's, if its ServiceAccount uses it there.

    `clusters` are the ARNs of the old and the new cluster, '' for one that is not known.
    """
    old, new = clusters
    namespace, _, name = tags.get(states.SERVICE_ACCOUNT_TAG, "").partition("/")
    if not new or tags.get(states.CLUSTER_TAG) != old or (namespace, name) not in annotated:
        return []
    one, other = (states.TagsState({states.CLUSTER_TAG: cluster}) for cluster in clusters)
    return [Change(Kind.ROLE_TAGS, (role,), one, other)]
