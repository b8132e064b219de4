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
from itertools import product
from typing import Any

from irsa_cli.core.plan.states import TRANSACTION_TAG, TRUST_KEY, TRUST_TAG
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

_KEY = re.compile(TRUST_KEY)
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
        if not theirs:
            return None
        return form.with_subjects(statement, theirs)

    def _has_subject(self, subject: str) -> bool:
        """On a role that irsa has made, also a pattern that the ServiceAccount matches."""
        own = self.identity.subject
        if subject == own or self.noted(subject):
            return True
        return (self.made or _mark(subject) in self.marks) and like(own, subject)


def with_own(document: Mapping[str, Any], desired: Mapping[str, Any], own: Own) -> Document:
    """The policy with irsa's statements as desired, in the place of those that are there; the rest stays."""
    staying: list[Any] = []
    shared: list[int] = []
    place: int | None = None
    for statement in as_list(document.get("Statement", [])):
        of_others = own.rest(statement)
        if of_others is None and "Sid" in statement and _is_among(statement, desired):
            of_others = statement  # But for the mark: that was written before the role was irsa's.
        if of_others is not statement:
            if place is None:
                place = len(staying)
            if of_others is not None:
                shared.append(len(staying))
        if of_others is not None:
            staying.append(of_others)
    new: list[Any] = []
    for statement in desired["Statement"]:
        is_there = trust_policy.contains({"Statement": staying}, statement)
        if is_there or _join(statement, staying, shared):
            continue
        new.append(statement)
    if place is None:
        place = len(staying)
    return {**document, "Statement": [*staying[:place], *new, *staying[place:]]}


def _is_among(statement: Document, desired: Mapping[str, Any]) -> bool:
    alone = {"Statement": [statement]}
    return any(trust_policy.found(alone, wanted) for wanted in desired["Statement"])


def _join(statement: Document, staying: list[Any], shared: Iterable[int]) -> bool:
    """Join a statement's subjects to one of irsa's to which others have added: it stays one."""
    joining = trust_policy.read_statement(statement)
    if joining is None:
        return False
    for index in shared:
        if _fits(staying[index], joining):
            if "Sid" in staying[index]:
                joining = joining.marked
            (staying[index],) = trust_policy.join([staying[index]], joining)
            return True
    return False


def voided(document: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> tuple[Restriction, ...]:
    """Conditions of others in irsa's part of a trust policy that `after` lacks; a file's own are irsa's."""
    return tuple(restriction for restriction in widened(document, after) if not own.noted(restriction.test))


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
    return set(" ".join(_values(tags).values()).split())


def tags(
    identity: WebIdentity, desired: Mapping[str, Any], kept: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The tags with the subjects of the entry besides its own; `kept`: marks of former tags stay."""
    marks = sorted(_marks(identity, desired) | _noted(kept or {}))
    values: dict[str, str] = {}
    for number, start in enumerate(range(0, len(marks), _PER_TAG), 1):
        key = TRUST_TAG if number == 1 else f"{TRUST_TAG}-{number}"
        values[key] = " ".join(marks[start : start + _PER_TAG])
    return values


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
            is_own = (
                set(statement) - {"Sid"} == {"Effect", "Principal", "Action", "Condition"}
                # One with a Sid is irsa's if that is irsa's mark: a run added it before the role was irsa's.
                and ("Sid" not in statement or trust_policy.read_statement(statement) is not None)
                and statement["Effect"] == "Allow"
                and as_list(statement["Action"]) == [ACTION]
                and set(statement["Principal"]) == {"Federated"}
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
        if not is_own or not all(isinstance(subject, str) for subject in subjects):
            return None
        return cls(provider, operator, key, subjects)

    def with_subjects(self, statement: Document, subjects: list[str]) -> Document:
        shared = trust_policy.read_statement(statement)
        if shared is not None:
            return replace(shared, subjects=tuple(subjects)).document
        condition = statement["Condition"]
        tests = {**condition[self.operator], self.key: subjects[0] if len(subjects) == 1 else subjects}
        return {**statement, "Condition": {**condition, self.operator: tests}}


def _fits(statement: Any, joining: trust_policy.Shared) -> bool:
    form = trust_policy.read_statement(statement)
    return form is not None and replace(form, sid="").fits(joining)


def _marks(identity: WebIdentity, desired: Mapping[str, Any]) -> set[str]:
    trusted: set[str] = set()
    demanded: set[str] = set()
    for statement in desired["Statement"]:
        form = _Form.read(statement)
        if form is not None:
            trusted |= {form.provider, *form.subjects}
            demanded.update(demands(statement))
    beyond = trusted - {identity.provider_arn, identity.subject}
    return set(map(_mark, beyond | demanded))


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
    statement = trust_policy.found(document, old)
    if statement is None:
        reason = "its statement also allows others, and a new audience would lock them out"
        if restrictions.voided(document, before):
            reason = (
                "the statement that allows it has more conditions, and irsa's statement would bypass them"
            )
        raise Refused(
            f"the trust policy has no statement for exactly {before.subject} and {before.audience}",
            reason=reason,
            details=tuple(explain(document, before).text),
            next_steps=("change the trust policy by hand first: aws iam update-assume-role-policy",),
        )
    replaced = {**statement, "Condition": new["Condition"]}
    form = trust_policy.read_statement(statement)
    if form is not None and form.sid:
        del replaced["Sid"]  # The mark is for the audience that was. On a role of irsa's own it needs none.
    if explain(trust_policy.with_replaced(document, statement, replaced), after).denied:
        raise Refused(
            f"the trust policy denies {after.subject} with the audience {after.audience}",
            reason="a Deny statement applies to it, and a Deny overrides every Allow",
        )
    return statement, replaced


def for_service(
    document: Document, cluster: Cluster, namespace: str, name: str, *, marked: bool | None = None
) -> list[Document]:
    """The statements of irsa for EKS Pod Identity, for this ServiceAccount of this cluster.

    `marked`: those with its mark, or those without, which on a role of others belong to others; None: both.
    """
    own: list[Any] = []
    for tagged in (True, False):
        if marked is not False:
            own.append(normalized(assuming.marked_statement(cluster, namespace, name, tagged=tagged)))
        if marked is not True:
            own.append(normalized(assuming.statement(cluster, namespace, name, tagged=tagged)))
    return [statement for statement in as_list(document.get("Statement", [])) if normalized(statement) in own]


def widened(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Restriction, ...]:
    """The conditions of a trust policy that its new statements no longer have for some subjects."""
    old = [normalized(statement) for statement in as_list(before.get("Statement", []))]
    lost: dict[Restriction, None] = {}
    for statement in as_list(after.get("Statement", [])):
        if normalized(statement) not in old:
            for identity in _identities(statement):
                lost.update(dict.fromkeys(restrictions.voided(before, identity, demands(statement))))
    return tuple(lost)


def _identities(statement: Any) -> Iterator[WebIdentity]:
    """The tokens that a statement of irsa's form is about; a pattern stands for itself."""
    try:
        provider = statement["Principal"]["Federated"]
    except (KeyError, TypeError):
        return
    if not isinstance(provider, str):
        return
    claims: dict[str, tuple[str, ...]] = {"sub": (), "aud": ()}
    for _, key, value in conditions_of(statement):
        claim = key.rpartition(":")[2].lower()
        if restrictions.is_identity(key) and claim in claims:
            claims[claim] += texts_of(value)
    for subject, audience in product(claims["sub"], claims["aud"] or ("",)):
        yield WebIdentity(provider, f"https://{issuer_of(provider)}", subject, audience)


def marked_for(document: Mapping[str, Any], identity: WebIdentity) -> Document | None:
    """The statement for this subject alone that irsa has added to somebody else's policy, None without one.

    It may share a statement with others' subjects. One for another audience counts if there is none for
    this one: the ServiceAccount may have lost its annotation, or changed it.
    """
    of_other_audience: Document | None = None
    for form in map(read_statement, as_list(document.get("Statement", []))):
        if form is None or not form.sid:
            continue
        if form.provider == identity.provider_arn and identity.subject in form.subjects:
            own = replace(form, subjects=(identity.subject,), sid=form.mark).document
            if form.audience == identity.audience:
                return own
            of_other_audience = of_other_audience or own
    return of_other_audience


def sid_for(sid: str, old: str, new: str, taken: Iterable[str]) -> str:
    """The Sid of such a statement: IAM takes each once. There and back it is the same again.

    The Sids of two providers differ by their ends, which follow from the provider.
    """
    base = sid.removesuffix(_mark(old)) or sid
    return free_sid((base, f"{base}{_mark(new)}"), set(taken))
