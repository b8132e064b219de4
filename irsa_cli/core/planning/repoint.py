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
from irsa_cli.core.binding.field_owner import notes_on_owner, other_owner
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
    for statement in of_provider(trust, provider):
        if statement.get("Effect") != "Allow":
            continue
        names_by_kind = list(_values(statement, f"{issuer_of(provider)}:sub"))
        audiences |= dict.fromkeys(_values(statement, f"{issuer_of(provider)}:aud"))
        for text in names_by_kind or ["*"]:
            names = text.removeprefix(_PREFIX).replace(":", "/", 1) if text.startswith(_PREFIX) else ""
            name = parse_full_name(names)
            if name is not None:
                exact[name] = None
            else:
                patterns[text] = None
    plain = tuple(text for text in audiences if not {"*", "?"} & set(text))
    return Trusted(tuple(exact), tuple(patterns), plain or (DEFAULT_AUDIENCE,))


def _values(statement: Mapping[str, Any], key: str) -> Iterator[str]:
    for operator, values in tests_of_key([statement], key):
        if comparing(operator) is not None and is_positive(operator):
            yield from values


def additions(trust: Document, move: Move) -> tuple[list[Document], Document]:
    """The statements that NEW lacks, and the policy with them; a Deny comes before what it limits."""
    ordered = sorted(of_provider(trust, move.old), key=lambda statement: statement.get("Effect") != "Deny")
    copies = list[Document]()
    document = trust
    for statement in ordered:
        copy = _copy(statement, move, document)
        is_there = trust_policy.contains(document, copy)
        # Where NEW is one of several principals, only what a statement says about NEW counts.
        new = (renamed(each, move.new, move.new) for each in of_provider(document, move.new))
        if not is_there and not any(alike(each, copy) for each in new):
            copies.append(copy)
            document = trust_policy.with_statement(document, copy)
    return copies, document


def _copy(statement: Document, move: Move, document: Document) -> Document:
    own = trust_policy.read_statement(statement)
    if own is not None and own.sid:
        return replace(own, provider=move.new).marked.document
    copy = renamed(statement, move.old, move.new)
    if copy.get("Sid"):
        taken = [str(each.get("Sid", "")) for each in statements(document)]
        copy["Sid"] = sid_for(str(copy["Sid"]), move.old, move.new, taken)
    return copy


def removals(trust: Document, provider: str) -> list[tuple[Document, Document | None]]:
    """The statements that name the provider, each with what is left of it: other principals, or nothing.

    A Deny comes after what it limits: if the run is cut off between them, nobody gets more.
    """
    pairs: list[tuple[Document, Document | None]] = []
    for statement in sorted(
        of_provider(trust, provider), key=lambda statement: statement.get("Effect") == "Deny"
    ):
        others = [name for name in as_list(statement["Principal"]["Federated"]) if name != provider]
        principal = {**statement["Principal"], "Federated": others}
        principal = {kind: names for kind, names in principal.items() if names}
        pairs.append((statement, {**statement, "Principal": principal} if principal else None))
    return pairs


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
    titles: set[str] = set()
    stages = []
    for before, after in pairs:
        title = plain = title_of(before or after or {})
        while title in titles:
            title = f"{plain} ({len(titles) + 1})"
        titles.add(title)
        before_state, after_state = (
            None if document is None else states.DocumentState(document) for document in (before, after)
        )
        stages.append([Change(Kind.TRUST_STATEMENT, (role, title), before_state, after_state)])
    return stages


def title_of(statement: Mapping[str, Any]) -> str:
    """A statement for people: its subjects, or its principals; with its Effect unless that is Allow."""
    issuers = [*map(issuer_of, principals(statement, "Federated"))]
    subjects = [text for issuer in issuers for text in _values(statement, f"{issuer}:sub")]
    names = ", ".join(subjects or [*issuers, *principals(statement, "Service")])
    return names if statement.get("Effect") == "Allow" else f"{names} ({statement.get('Effect')})"


def shut_out(trust: Document, after: Document, move: Move) -> list[str]:
    """The subjects with allowed tokens of OLD and denied ones of NEW: by a Deny that names neither."""

    def allows(document: Document, provider: str, subject: str, audience: str) -> bool:
        token = WebIdentity(provider, f"https://{issuer_of(provider)}", subject, audience)
        return trust_policy.admits(document, token)

    old_trust = trusted(trust, move.old)
    # A pattern matches itself.
    subjects = {"/".join(name): f"{_PREFIX}{':'.join(name)}" for name in old_trust.names}
    return [
        name
        for name, subject in (subjects | {text: text for text in old_trust.patterns}).items()
        for audience in old_trust.audiences
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
    each = [(statement, trust_policy.read_statement(statement)) for statement in copies]
    pieces = [
        replace(own, subjects=(subject,)).document if own else statement
        for statement, own in each
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


def accounts_plan(
    accounts: Sequence[ExportedAccount], existing: Mapping[Name, ServiceAccount]
) -> AccountPlan:
    """Annotate those that have no role; one with another role stays as it is."""
    plan = AccountPlan()
    for account in accounts:
        current = existing.get(account.names)
        if current is None:
            plan.absent.append(account)
            continue
        arn = current.annotations.get(states.ROLE_ARN_ANNOTATION)
        if arn not in (None, account.role_arn):
            plan.notes.append(f"ServiceAccount {account.full_name} stays: it has the role {arn}")
        elif (owner := other_owner(current, account.role_arn)) is not None:
            plan.notes.append(
                f"ServiceAccount {account.full_name} stays: {owner.effect};"
                f" {makers.source_line('manifests', account.role_arn)}"
            )
        elif arn is None:
            missing = {k: v for k, v in account.annotations.items() if k not in current.annotations}
            changes = account_changes(account, current, {**missing}, {})
            plan.changes += changes
            plan.notes += notes_on_owner(changes, current, account.role_arn)
    return plan


def add_plan(role: str, trust: Document, move: Move, accounts: Sequence[Change]) -> Plan:
    """NEW's statements, then the ServiceAccounts that use them."""
    copies, _ = additions(trust, move)
    return Plan.of(*trust_changes(role, [(None, statement) for statement in copies]), list(accounts))


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
    before, after = (states.TagsState({states.CLUSTER_TAG: cluster}) for cluster in clusters)
    return [Change(Kind.ROLE_TAGS, (role,), before, after)]
