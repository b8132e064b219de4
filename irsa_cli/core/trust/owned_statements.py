"""Which statements of a role's trust policy are irsa's own to change, and the policy with these as desired.

irsa's own are the statements for the entry's ServiceAccount by its cluster's provider, and for those subjects
and providers that a file has asked for on the role before: a tag of the role tells them. All others stay byte
for byte. Joining a subject to a statement and parting with it is `irsa_cli.core.trust.trust_policy`'s
business.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.plan.states import TRANSACTION_TAG, TRUST_TAG
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.policy import Document, as_list, normalized, texts_of
from irsa_cli.core.policies.statements import conditions_of
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.trust import assuming, restrictions, trust_policy
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.trust.restrictions import Restriction, demands
from irsa_cli.core.trust.trust_policy import free_sid, read_statement
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused

_KEY = re.compile(rf"{TRUST_TAG}(-[0-9]{{1,2}})?")
"""Its tags; of another name (`irsa/trusted`) they are not its own."""
_MARK = re.compile(r"[0-9a-f]{8}")
_PER_TAG = 28
"""Marks that fit into the 256 characters of a tag's value."""


@dataclass(frozen=True)
class Own:
    """The part of a role's trust policy that irsa owns.

    `identity` is the entry's, `marks` are of what else was desired. `made`: irsa created the role, and has
    not only taken it over. `alone`: only what is about the ServiceAccount itself is to change.
    """

    identity: WebIdentity
    marks: frozenset[str]
    made: bool
    alone: bool = False

    @classmethod
    def of(
        cls,
        identity: WebIdentity,
        desired: Mapping[str, Any],
        tags: Mapping[str, str],
        *,
        alone: bool = False,
    ) -> Own:
        """By what is desired now, and what the role's tags say was desired before."""
        marks = frozenset(_noted(tags) | _marks(identity, desired))
        return cls(identity, marks, TRANSACTION_TAG in tags, alone)

    def noted(self, text: str) -> bool:
        """Whether a file has asked for something beyond the ServiceAccount itself."""
        return not self.alone and _mark(text) in self.marks

    def rest(self, statement: Any) -> Any:
        """The rest of a statement without irsa's subjects: itself if it has none, None for nothing."""
        form = _Form.read(statement)
        if form is None or not (form.provider == self.identity.provider_arn or self.noted(form.provider)):
            return statement
        theirs = [subject for subject in form.subjects if not self._has_subject(subject)]
        if len(theirs) == len(form.subjects):
            return statement
        return form.with_subjects(statement, theirs) if theirs else None

    def _has_subject(self, subject: str) -> bool:
        """On a role that irsa has made, also a pattern that the ServiceAccount matches."""
        own = self.identity.subject
        asked = self.made or _mark(subject) in self.marks
        return subject == own or self.noted(subject) or (asked and like(own, subject))


def with_own(document: Mapping[str, Any], desired: Mapping[str, Any], own: Own) -> Document:
    """The policy with irsa's statements as desired, in the place of those that are there; the rest stays."""
    kept: list[Any] = []
    shared: list[int] = []
    place = None
    for item in as_list(document.get("Statement", [])):
        rest = own.rest(item)
        if (
            rest is None
            and "Sid" in item
            and any(trust_policy.found({"Statement": [item]}, one) for one in desired["Statement"])
        ):
            rest = item  # As desired, but for the mark: that was written before the role was irsa's.
        if rest is not item:
            place = len(kept) if place is None else place
            shared += [len(kept)] if rest is not None else []
        if rest is not None:
            kept.append(rest)
    new: list[Any] = []
    for statement in desired["Statement"]:
        if trust_policy.contains({"Statement": kept}, statement):
            continue
        wanted = trust_policy.read_statement(statement)
        # Others have added subjects to irsa's statement: it stays one. Theirs does not become irsa's.
        index = next((index for index in shared if wanted and _fits(kept[index], wanted)), None)
        if wanted is None or index is None:
            new.append(statement)
        else:
            joining = wanted.marked if "Sid" in kept[index] else wanted
            (kept[index],) = trust_policy.join([kept[index]], joining)
    place = len(kept) if place is None else place
    return {**document, "Statement": [*kept[:place], *new, *kept[place:]]}


def voided(document: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> tuple[Restriction, ...]:
    """Conditions of others in irsa's part of a trust policy that `after` lacks; a file's own are irsa's."""
    return tuple(item for item in widened(document, after) if not own.noted(item.test))


def check_marks(role_name: str, tags: Mapping[str, str]) -> None:
    """Raise `Refused` if another version wrote a role's marks: overwritten, its subjects stay for ever."""
    for key, text in _values(tags).items():
        if not all(map(_MARK.fullmatch, text.split())):
            untag = f"aws iam untag-role --role-name {shlex.quote(role_name)} --tag-keys {key}"
            raise Refused(
                f"the tag {key} of role {role_name} is not valid",
                reason="another version of irsa or another tool wrote it, so irsa can't tell which"
                " subjects come from a file",
                next_steps=(
                    "run this with the irsa version that wrote it",
                    f"or keep the current subjects of the trust policy: {untag}",
                ),
            )


def _values(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in tags.items() if _KEY.fullmatch(key)}


def _noted(tags: Mapping[str, str]) -> set[str]:
    return {mark for text in _values(tags).values() for mark in text.split()}


def tags(
    identity: WebIdentity, desired: Mapping[str, Any], kept: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The tags with the subjects of the entry besides its own; `kept`: marks of former tags stay."""
    marks = sorted(_marks(identity, desired) | _noted(kept or {}))
    parts = [marks[start : start + _PER_TAG] for start in range(0, len(marks), _PER_TAG)]
    return {
        f"{TRUST_TAG}-{number + 1}" if number else TRUST_TAG: " ".join(part)
        for number, part in enumerate(parts)
    }


@dataclass(frozen=True)
class _Form:
    """A statement that allows ServiceAccounts as irsa's do, with further conditions or without."""

    provider: str
    operator: str
    key: str
    subjects: tuple[str, ...]

    @classmethod
    def read(cls, statement: Any) -> _Form | None:
        try:
            provider: str = statement["Principal"]["Federated"]
            key = f"{issuer_of(provider)}:sub"
            (operator,) = (name for name, pairs in statement["Condition"].items() if key in pairs)
            subjects = tuple(as_list(statement["Condition"][operator][key]))
            form = {"Effect", "Principal", "Action", "Condition"}
            ours = (
                set(statement) - {"Sid"} == form
                # One with a Sid is irsa's if that is irsa's mark: a run added it before the role was irsa's.
                and ("Sid" not in statement or trust_policy.read_statement(statement) is not None)
                and statement["Effect"] == "Allow"
                and as_list(statement["Action"]) == [ACTION]
                and set(statement["Principal"]) == {"Federated"}
            )
            texts = all(isinstance(item, str) for item in subjects)
            return cls(provider, operator, key, subjects) if ours and texts else None
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def with_subjects(self, statement: Document, subjects: list[str]) -> Document:
        shared = trust_policy.read_statement(statement)
        if shared is not None:
            return replace(shared, subjects=tuple(subjects)).document
        values = {self.key: subjects if subjects[1:] else subjects[0]}
        condition = statement["Condition"]
        return {
            **statement,
            "Condition": {**condition, self.operator: {**condition[self.operator], **values}},
        }


def _fits(statement: Any, wanted: trust_policy.Shared) -> bool:
    found = trust_policy.read_statement(statement)
    return found is not None and replace(found, sid="").fits(wanted)


def _marks(identity: WebIdentity, desired: Mapping[str, Any]) -> set[str]:
    named: set[str] = set()
    demanded: set[str] = set()
    for item in desired["Statement"]:
        if (form := _Form.read(item)) is not None:
            named |= {form.provider, *form.subjects}
            demanded |= {*demands(item)}
    return {_mark(text) for text in (named - {identity.provider_arn, identity.subject}) | demanded}


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def audience_replacement(
    document: Mapping[str, Any], before: WebIdentity, after: WebIdentity
) -> tuple[Document, Document] | None:
    """The statement for `before`, and its replacement that allows `after`, of another audience.

    None if `after` is already allowed. Raises `Refused` if no statement allows exactly `before`: one
    that also allows others belongs to them as well.
    """
    if explain(document, after).allowed:
        return None
    old = trust_policy.statement(before)
    new = trust_policy.statement(after)
    item = trust_policy.found(document, old)
    if item is None:
        more = restrictions.voided(document, before)
        raise Refused(
            f"the trust policy has no statement for exactly {before.subject} and {before.audience}",
            reason="the statement that allows it has more conditions, and irsa's statement would bypass them"
            if more
            else "its statement also allows others, and a new audience would lock them out",
            details=tuple(explain(document, before).text),
            next_steps=("change the trust policy by hand first: aws iam update-assume-role-policy",),
        )
    replaced = {**item, "Condition": new["Condition"]}
    if (marked := trust_policy.read_statement(item)) is not None and marked.sid:
        del replaced["Sid"]  # The mark is for the audience that was. On a role of irsa's own it needs none.
    if explain(trust_policy.with_replaced(document, item, replaced), after).denied:
        raise Refused(
            f"the trust policy denies {after.subject} with the audience {after.audience}",
            reason="a Deny statement applies to it, and a Deny overrides every Allow",
        )
    return item, replaced


def for_service(
    document: Document, cluster: Cluster, namespace: str, name: str, *, marked: bool | None = None
) -> list[Document]:
    """The statements of irsa for EKS Pod Identity, for this ServiceAccount of this cluster.

    `marked`: those with its mark, or those without, which on a role of others belong to others; None: both.
    """
    forms = {True: assuming.marked_statement, False: assuming.statement}
    chosen = [form for has_mark, form in forms.items() if marked in (None, has_mark)]
    pairs = [(form, tagged) for form in chosen for tagged in (True, False)]
    wanted = [policy.normalized(form(cluster, namespace, name, tagged=tagged)) for form, tagged in pairs]
    return [item for item in as_list(document.get("Statement", [])) if policy.normalized(item) in wanted]


def widened(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Restriction, ...]:
    """The conditions of a trust policy that its new statements no longer have for some subjects."""
    there = [normalized(item) for item in as_list(before.get("Statement", []))]
    new = [item for item in as_list(after.get("Statement", [])) if normalized(item) not in there]
    each = (
        restrictions.voided(before, identity, demands(item)) for item in new for identity in _identities(item)
    )
    return tuple(dict.fromkeys(one for found in each for one in found))


def _identities(statement: Any) -> Iterator[WebIdentity]:
    """The tokens that a statement of irsa's form is about; a pattern stands for itself."""
    try:
        provider = statement["Principal"]["Federated"]
    except (KeyError, TypeError):
        return
    if not isinstance(provider, str):
        return
    named: dict[str, tuple[str, ...]] = {"sub": (), "aud": ()}
    for _, key, value in conditions_of(statement):
        claim = key.rpartition(":")[2].lower()
        if restrictions.is_identity(key) and claim in named:
            named[claim] += texts_of(value)
    for subject in named["sub"]:
        for audience in named["aud"] or ("",):
            yield WebIdentity(provider, f"https://{issuer_of(provider)}", subject, audience)


def marked_for(document: Mapping[str, Any], identity: WebIdentity) -> Document | None:
    """The statement for this subject alone that irsa has added to somebody else's policy, None without one.

    It may share a statement with others' subjects. One for another audience counts if there is none for
    this one: the ServiceAccount may have lost its annotation, or changed it.
    """
    found = [
        replace(item, subjects=(identity.subject,), sid=item.mark)
        for item in map(read_statement, as_list(document.get("Statement", [])))
        if item is not None
        and item.sid
        and item.provider == identity.provider_arn
        and identity.subject in item.subjects
    ]
    found.sort(key=lambda item: item.audience != identity.audience)
    return found[0].document if found else None


def sid_for(sid: str, old: str, new: str, taken: Iterable[str]) -> str:
    """The Sid of such a statement: IAM takes each once. There and back it is the same again.

    The Sids of two providers differ by their ends, which follow from the provider.
    """
    ends = [hashlib.sha256(provider.encode()).hexdigest()[:8] for provider in (old, new)]
    base = sid.removesuffix(ends[0]) or sid
    return free_sid((base, f"{base}{ends[1]}"), set(taken))
