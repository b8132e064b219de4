"""Adopt a role created by others: the tags and marks to write, and what stays. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.binding import ownership
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import account_changes
from irsa_cli.core.marks import makers
from irsa_cli.core.marks.makers import TABLE, writes_again
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.planning import association as associating
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import allowing, name_of, tests_of_key, words_of
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.results.envelope import Envelope
from irsa_cli.core.results.result import Result
from irsa_cli.core.results.result_document import codes_of, results_envelope, worst
from irsa_cli.core.trust import assuming, owned_statements
from irsa_cli.core.trust.assuming import lacking
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.trust.trust_policy import contains, statement
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import TAGS_LIMIT, account_json, default_role_path
from irsa_cli.core.values.shown import listed


@dataclass(frozen=True)
class Adoption:
    """The adoption of a role; `kept` says what stays, `release` are commands that release it.

    `maker` and `account_maker` created role and ServiceAccount, `guess` may manage the role, `others` are
    also trusted.
    """

    plan: Plan
    maker: str = makers.UNKNOWN
    account_maker: str = makers.UNKNOWN
    others: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    guess: ownership.Guess | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "roleMadeBy": self.maker,
            "roleMayBeManagedBy": self.guess.maker if self.guess else None,
            "serviceAccountMadeBy": self.account_maker,
            "others": list(self.others),
            "kept": list(self.kept),
            "release": list(self.release),
        }


def adoption(
    binding: Binding, sharers: Sequence[str], *, ignore_maker: bool = False, leaves_account: bool = False
) -> Adoption:
    """The adoption of the ServiceAccount's role; an empty plan if irsa manages it.

    Raises `Refused` for a missing role, one that does not trust the ServiceAccount, one of another
    ServiceAccount, one with `sharers`, and (unless `ignore_maker`) one of another tool. `leaves_account`: the
    ServiceAccount gets no marks, as irsa does not write it.
    """
    ownership.check_account(binding)
    role = ownership.check_there(binding)
    maker = makers.maker_of_role(ownership.foreign_tags(role))
    account_maker = binding.account_maker
    others = also_admitted(role.trust, binding.identity)
    if binding.known_association is not None:
        others = tuple(who for who in others if not who.startswith(f"Service {assuming.SERVICE} "))
    who = ownership.belonging(role, binding)
    if who is ownership.Belongs.OURS:
        ownership.check_over(binding, role)
    tagging = _tagging(binding, role)
    marking = [] if leaves_account else _marking(binding)
    association_changes = associating.adoption(binding)
    if who is ownership.Belongs.OURS and not tagging:
        return Adoption(Plan.of(association_changes, marking), maker, account_maker, others)
    if who is ownership.Belongs.OTHERS:
        raise ownership.theirs(binding, role)
    ownership.check_unshared(binding, sharers)
    admission = _check_admitted(binding, role)
    if not ignore_maker:
        ownership.check(role, verb="adopt")
    guess = ownership.guess(role)
    return Adoption(
        Plan.of(association_changes, tagging, marking),
        maker,
        account_maker,
        others,
        (
            *admission,
            *([f"the role {guess}"] if guess else []),
            *_kept(binding, role, maker),
            *([f"the trust policy also trusts: {', '.join(listed(others))}"] if others else []),
            *account_warnings(binding.full_name, account_maker),
        ),
        release_commands(binding.cluster, role.tags),
        guess,
    )


def _tagging(binding: Binding, role: Role) -> list[Change]:
    marks = binding.marks
    if not binding.is_annotated and states.TRANSACTION_TAG not in role.tags:
        # No ServiceAccount tells that the role is complete: it has to say so itself.
        marks[states.COMMIT_TAG] = states.DONE
    missing = {key: value for key, value in marks.items() if role.tags.get(key) != value}
    if not missing:
        return []
    if len(role.tags) + len(missing) > TAGS_LIMIT:
        raise Refused(
            f"role {binding.role_name} has no room for {len(missing)} more tags",
            reason=f"it has {len(role.tags)}, and IAM takes {TAGS_LIMIT}",
            next_steps=(f"aws iam untag-role --role-name {binding.role_name} --tag-keys KEY",),
        )
    before = states.TagsState({key: role.tags.get(key) for key in missing})
    return [Change(Kind.ROLE_TAGS, (binding.role_name,), before, states.TagsState({**missing}))]


def _marking(binding: Binding) -> list[Change]:
    """Marks for the annotations of the role, without values that no flag accepts."""
    if not binding.is_annotated:
        return []
    values = {mark: noted_or_none(binding.annotations, key) for key, mark in states.MARKS.items()}
    marks: dict[str, str | None] = {mark: value for mark, value in values.items() if value}
    return account_changes(binding, binding.existing, marks, {})


def _check_admitted(binding: Binding, role: Role) -> tuple[str, ...]:
    """Notes about unknown conditions; raises `Refused` if the role does not trust the ServiceAccount."""
    association = binding.known_association
    if association is not None:
        tagged = not association.without_tags
        answers = assuming.said_to_service(role.trust, binding.cluster, binding, tagged=tagged)
        if refused := tuple(lacking(answers, Answer.NO)):
            raise Refused(
                f"the trust policy of {binding.role_arn} does not allow EKS Pod Identity for"
                f" {binding.full_name}",
                reason="irsa adopts only roles that pods can get",
                details=tuple(f"{answer.action}: {answer.why}" for answer in refused),
                next_steps=(f"{binding.command('doctor')}  # shows the missing statement",),
            )
        unknown = lacking(answers, Answer.UNKNOWN)
        return tuple(
            f"irsa can't tell whether EKS is allowed {answer.action}: {answer.why}" for answer in unknown
        )
    identity = binding.identity
    explanation = explain(role.trust, identity)
    if explanation.answer is not Answer.NO:
        # A guard on addresses, say: whoever is behind it is no reason to leave the role to nobody.
        doubt = "irsa can't tell whether the trust policy allows the ServiceAccount"
        return (f"{doubt}: {'; '.join(explanation.conditions)}",) if explanation.conditions else ()
    # An annotation may name anybody's role; one that was named by a flag is meant.
    steps = [f"{binding.command('doctor')}  # shows why"]
    if not binding.is_annotated:
        attach = f"--attach-role-arn {binding.role_arn} --update-trust"
        steps = [f"{binding.command('create-sa')} {attach}  # adds the missing statement"]
    raise Refused(
        f"the trust policy of {binding.role_arn} does not allow {identity.subject}",
        reason="irsa adopts only roles that the ServiceAccount can assume",
        details=tuple(explanation.text),
        next_steps=tuple(steps),
    )


def _kept(binding: Binding, role: Role, maker: str) -> Iterator[str]:
    """Notes about what stays and differs from roles created by irsa."""
    if role.path != default_role_path(binding.cluster.name):
        yield f"the role keeps its name and path: {role.path}{binding.role_name}"
    statements = as_list(role.trust.get("Statement", []))
    names = (binding.cluster, binding.namespace, binding.name)
    own = contains(role.trust, statement(binding.identity))
    own = own or bool(owned_statements.for_service(role.trust, *names, marked=False))
    if not own:
        yield "the trust policy is unchanged: irsa would write the ServiceAccount's statement differently"
    elif len(statements) > 1:
        more = f"{len(statements) - 1} statement{'s' if len(statements) > 2 else ''}"
        yield f"the trust policy is unchanged; it has {more} besides the ServiceAccount's"
    if maker == makers.EKSCTL and role.inline:
        yield f"inline policies keep the names that eksctl gave them: {', '.join(sorted(role.inline))}"
    # The later effects of its maker on a role that irsa has taken over; nothing for an unknown maker.
    when = writes_again(maker)
    if maker in TABLE["rolesOf"]:
        yield TABLE["rolesOf"][maker].format(undoes=_UNDOES)
    elif when:
        yield f"{maker} still manages the role: {when} {_UNDOES}"
    association = binding.known_association
    if association is not None:
        yield f"the association {association.id} keeps its roles, session policy and other tags"
    elif not binding.is_annotated:
        does = f"names {binding.annotation}" if binding.annotation else "does not name the role"
        yield f"ServiceAccount {binding.full_name} {does}; irsa does not change this"


def release_commands(cluster: Cluster, tags: Mapping[str, str]) -> tuple[str, ...]:
    """Commands that delete a role's CloudFormation stack and keep its resources; none without a stack.

    Resources get DeletionPolicy: Retain first, and new metadata, so that CloudFormation sees an update.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
    """
    stack = tags.get(makers.STACK_TAG, "")
    cluster_name = next((tags[key] for key in makers.EKSCTL_TAGS if key in tags), "")
    namespace, slash, name = tags.get(makers.EKSCTL_ACCOUNT_TAG, "").partition("/")
    if makers.STACK_TAG not in tags and cluster_name and slash:
        stack = f"eksctl-{cluster_name}-addon-iamserviceaccount-{namespace}-{name}"
    if not stack:
        return ()
    common = f"--stack-name {shlex.quote(stack)} --region {cluster.region}"
    keep = '.Resources[] |= (.DeletionPolicy = "Retain" | .Metadata.releasedTo = "irsa")'
    return (
        f"aws cloudformation get-template {common} --query TemplateBody --output json"
        f" | jq '{keep}' > kept.json",
        f"aws cloudformation update-stack {common} --template-body file://kept.json"
        " --capabilities CAPABILITY_NAMED_IAM",
        f"aws cloudformation wait stack-update-complete {common}",
        f"aws cloudformation update-termination-protection {common} --no-enable-termination-protection",
        f"aws cloudformation delete-stack {common}",
    )


@dataclass(frozen=True)
class Passed:
    """A ServiceAccount that was passed over, and why; that is no failure."""

    account: str
    why: str


@dataclass
class Adoptions:
    """How each of several adoptions ended; `signal` is the one that kept some from being begun."""

    cluster: Cluster
    items: list[Result] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    signal: int = 0
    detailed: bool = False

    @property
    def exit_code(self) -> int:
        for result in self.items:
            result.detailed = self.detailed
        return worst([*codes_of(self.items), *([128 + self.signal] if self.signal else [])])

    def envelope(self) -> Envelope:
        skipped = [
            {"serviceAccount": account_json(passed.account), "why": passed.why} for passed in self.passed
        ]
        return results_envelope(
            self.items,
            exit_code=self.exit_code,
            all_begun=not self.signal,
            cluster=self.cluster,
            facts={"skipped": skipped},
        )


def also_admitted(document: Mapping[str, Any], identity: WebIdentity) -> tuple[str, ...]:
    """Everybody whom Allow statements trust, except this subject by its own provider."""
    principals: dict[str, None] = {}
    for index, allow in allowing(document):
        name = name_of(index, allow)
        principals.update(dict.fromkeys(f"{who} by {name}" for who in _named_by(allow, identity)))
    return tuple(principals)


def _named_by(statement: Mapping[str, Any], identity: WebIdentity) -> Iterator[str]:
    if "NotPrincipal" in statement:
        yield f"all but {', '.join(words_of(statement['NotPrincipal']))}"
        return
    principal = statement.get("Principal", {})
    if not isinstance(principal, dict):
        yield "everybody" if principal == "*" else str(principal)
        return
    for kind, values in principal.items():
        for value in map(str, as_list(values)):
            if kind == "Federated" and "oidc-provider/" in value:
                yield from _subjects(statement, value, identity)
            else:
                yield f"{kind} {value}"


def _subjects(statement: Mapping[str, Any], provider: str, identity: WebIdentity) -> Iterator[str]:
    """The subjects of a provider's tokens that a statement is about."""
    issuer = issuer_of(provider)
    own = provider == identity.provider_arn
    where = "" if own else f" of {issuer}"
    tests = [test for test in tests_of_key([statement], f"{issuer}:sub") if test[0] != "Null"]
    if not tests:
        yield "every ServiceAccount of the cluster" if own else f"every token{where}"
    for operator, subjects in tests:
        negated = "Not" in operator
        for subject in subjects:
            if negated:
                yield f"all but {subject}{where}"
            elif not (own and subject == identity.subject):
                yield f"{subject}{where}"


_UNDOES = "reverts irsa's changes, including these tags"


def account_warnings(name: str, maker: str) -> Iterator[str]:
    """The later effects of its maker on a ServiceAccount, given as `namespace/name`."""
    when = writes_again(maker)
    if when:
        yield (f"ServiceAccount {name} is managed by {maker}: {when} may overwrite irsa's changes")
