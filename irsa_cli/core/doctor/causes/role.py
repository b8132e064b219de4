"""Causes in the role: its permissions and its trust policy, whose flaws are in `clues.trust_flaws`."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache, partial
from itertools import product, starmap

from irsa_cli.core.doctor import commands, subjects
from irsa_cli.core.doctor.clues.trust_flaws import GENERATED, Flaw, flaws_of, other_roles, require_admitted
from irsa_cli.core.doctor.facts import Facts, known
from irsa_cli.core.doctor.finding import Group, Judgement, check_of, ok, problem, some, unknown
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import actions_of, allowing
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.correction import wide_trusts
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.trust.restrictions import voided
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import in_one_line
from irsa_cli.core.values.arn import Arn, host_path
from irsa_cli.core.values.errors import Unreadable, have
from irsa_cli.core.values.names import subject as subject_claim

_SPREADING = timedelta(seconds=60)
"""For how long IAM may still be spreading what is new; public reports measure 2 to 60 seconds."""


@check_of("role-new", Group.ROLE, weight=30)
def _new(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if role.created is None:
        return unknown("IAM did not return when the role was created")
    age = facts.now - role.created
    if age < _SPREADING:
        return unknown(f"the role was created {max(0, int(age.total_seconds()))} s ago", role=role.arn)
    return ok("the role is old enough", created=role.created.isoformat())


@check_of("role-incomplete", Group.ROLE, weight=99)
def _incomplete(facts: Facts) -> Judgement:
    role, life = _under_way(facts)
    if life.is_over:
        return ok("no irsa run is changing the role or was interrupted")
    again = commands.make(facts, facts.named)
    if commands.is_role_only(facts, role, life):
        again += " --role-only"
    again += " # run the same command again to complete the role"
    # Pasted, only the first does something: to give the role up is a decision.
    other = commands.commented(("# or, to delete it:", *life.deletion(facts.reach.irsa)))
    return problem(f"the role is {life.stage.value}: {life.why}", fix=f"{again}\n{other}", role=role.arn)


def _under_way(facts: Facts) -> tuple[Role, lifecycle.Lifecycle]:
    subject = facts.named
    binding = subject.binding_in(facts.cluster)
    candidates = () if binding.annotation else known(subject.candidates)
    for candidate in candidates:
        if candidate.is_for(facts.cluster, subject.full_name):
            return candidate, binding.life_of(candidate)
    role = subject.annotated_role()
    is_recorded = binding.is_marked or not binding.is_own_role
    return role, binding.life_of(role, recorded=is_recorded)


@check_of("permissions-boundary", Group.ROLE, weight=50)
def _boundary(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    boundary = some(role.boundary, "the role has no permissions boundary")
    document = have(role.boundary_policy)
    if document is None:
        return unknown("the boundary policy does not exist", boundary=boundary)
    allowed = allowed_actions(have(role.policy_documents).values())
    within = allowed_actions([document])
    if not allowed or any(starmap(overlap, product(allowed, within))):
        return ok("the boundary and the policies have actions in common", boundary=boundary)
    return problem(
        "the boundary and the role's policies have no action in common",
        fix=commands.decide(
            commands.in_account(facts, role.account, f"iam get-policy --policy-arn {shlex.quote(boundary)}"),
            "- allow the actions in the boundary, which other roles may have as well",
            "- or give the role another boundary",
        ),
        policies=subjects.listed(sorted(allowed)),
        boundary=subjects.listed(sorted(within)) or "nothing",
    )


def allowed_actions(documents: Iterable[Document]) -> frozenset[str]:
    """The patterns of actions that policies allow, in lower case; `*` for what NotAction leaves."""
    actions: set[str] = set()
    for document in documents:
        for _, statement in allowing(document):
            patterns = ("*",) if "NotAction" in statement else actions_of(statement)
            actions.update(map(str.lower, patterns))
    return frozenset(actions)


@lru_cache(maxsize=4096)
def overlap(first: str, second: str) -> bool:
    """Whether some text matches both patterns of `*` and `?`."""
    if not first or not second:
        return not (first + second).replace("*", "")
    if first[0] == "*":
        return overlap(first[1:], second) or overlap(first, second[1:])
    if second[0] == "*":
        return overlap(second, first)
    signs = {first[0], second[0]}
    return (len(signs) == 1 or "?" in signs) and overlap(first[1:], second[1:])


@check_of("role-without-permissions", Group.ROLE, weight=10)
def _permissions(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if have(role.policy_documents):
        names = (name.rsplit("/", 1)[-1] for name in sorted(have(role.policy_documents)))
        return ok("the role has policies", policies=subjects.listed(names))
    return unknown("the role has no policies; only resource policies can give it permissions", role=role.arn)


@check_of("organization-policy", Group.ROLE, weight=35)
def _organization(facts: Facts) -> Judgement:
    subject = facts.named
    role = facts.named.annotated_role()
    require_admitted(facts)
    events = [event for event in known(subject.events) if event.role_arn == role.arn]
    for event in events:
        if not event.error:
            return ok("STS has accepted the ServiceAccount's token", last=event.time.isoformat())
    denied = [event.time.isoformat() for event in events if event.error == "AccessDenied"]
    hidden = "irsa cannot read organization policies"
    if not denied:
        return unknown(subjects.why_no_call(facts, hidden))
    text = f"STS denied the token, although the current trust policy allows it; {hidden}"
    return unknown(text, last=denied[0])


@check_of("role-wide-trust", Group.ROLE, weight=5)
def _wide(facts: Facts) -> Judgement:
    subject = facts.named
    role = facts.named.annotated_role()
    # Whom the trust lets in is known without the policies; how much that matters is not.
    policies = {} if isinstance(role.policy_documents, Unreadable) else role.policy_documents
    much = power(policies, policies, role.boundary)
    providers = (subjects.provider_of(facts, subject),)
    wide = wide_trusts(role.trust, providers, subjects.audience_of(facts, subject), power=much)
    risks = some(wide, "the trust policy allows only the ServiceAccounts that it names")
    return unknown(
        f"nothing is broken, but the trust policy is broad: {in_one_line(risks)}",
        role=role.arn,
        tighter="; ".join(dict.fromkeys(risk.suggestion for risk in risks)),
        explained="; ".join(dict.fromkeys(risk.explained_by for risk in risks)),
    )


TRUST_CAUSES = {
    "trust-principal": 89,
    "trust-old-cluster": 89,
    "trust-other-cluster": 88,
    "trust-provider-arn": 88,
    "trust-action": 88,
    "trust-key-https": 88,
    "trust-key": 87,
    "trust-wildcard": 87,
    "trust-whitespace": 87,
    "trust-generated-name": 86,
    "trust-subject": 86,
    "trust-audience": 86,
    "trust-condition": 85,
    "trust-deny": 89,
}
"""The weight of each flaw in `clues.trust_flaws`, each of which is a cause."""


def _check(identifier: str, facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if other_roles(facts):
        return ok("another role fits better; see annotation-other-role")
    flaws = flaws_of(facts)
    if not flaws:
        identity = subjects.identity_of(facts, facts.named)
        return ok("; ".join(explain(role.trust, identity, now=facts.now).text))
    flaw = next((flaw for flaw in flaws if flaw.cause == identifier), None)
    if flaw is None:
        causes = ", ".join(dict.fromkeys(flaw.cause for flaw in flaws))
        return ok(f"the trust policy has another problem; see {causes}")
    evidence = {"statement": flaw.statement or "none", "policy": flaw.found, "token": flaw.expected}
    if flaw.unknown:
        return unknown(flaw.text, **evidence)
    return problem(flaw.text, fix=_fix(facts, role, flaw), role=role.arn, **evidence)


def _fix(facts: Facts, role: Role, flaw: Flaw) -> str:
    """The command after which the role trusts the token, and nobody else."""
    identity = subjects.identity_of(facts, facts.named)
    if flaw.cause == "trust-deny":
        return _without_denial(facts, role, identity)
    # An additional statement would bypass the other conditions of a voided one; while a Deny applies, it is
    # refused: the Deny goes first.
    if voided(role.trust, identity) or explain(role.trust, identity, now=facts.now).denied_by:
        return _look(facts, role)
    why = commands.of_role(facts, facts.named, role.arn, audience=identity.audience)
    match = GENERATED.fullmatch(facts.named.name)
    if match is not None and flaw.cause in ("trust-generated-name", "trust-wildcard"):
        # A pattern for a name that is generated with each release. It allows no more than the policy: it ends
        # where the generated part begins. Other names come with it, in releases that nobody has seen.
        pattern = subject_claim(facts.named.namespace, f"{match['stem']}-*")
        statement = trust_policy.statement(replace(identity, subject=pattern), pattern=True)
        return _write(facts, role, trust_policy.with_statement(role.trust, statement), why)
    document = trust_policy.with_statement(role.trust, trust_policy.statement(identity))
    if Arn.parse(role.arn).account != facts.cluster.home or policy.size(document) > trust_limit(facts):
        return _write(facts, role, document, why)
    return commands.admit(facts, facts.named, role.arn)


def _without_denial(facts: Facts, role: Role, identity: WebIdentity) -> str:
    """The command for the policy whose Denies leave this subject out; the others stay denied as before."""
    changed = copy.deepcopy(role.trust)
    statements = policy.as_list(changed.get("Statement", []))
    for index in explain(role.trust, identity, now=facts.now).denied_by:
        _exempt(statements[index], identity)
    document = {**changed, "Statement": statements}
    if explain(document, identity, now=facts.now).denied_by:
        return _look(facts, role)
    # Whoever wrote a Deny meant somebody by it: that it is not this one, a person has to say.
    return _write(facts, role, document, "its trust policy seems to deny it on purpose")


def _exempt(statement: Document, identity: WebIdentity) -> None:
    """Add a subject to those that a statement is not about."""
    block = statement.setdefault("Condition", {})
    operator = _spelling("StringNotEquals", block)
    keys = block.setdefault(operator, {})
    key = _spelling(f"{host_path(identity.issuer)}:sub", keys)
    subjects_of_key = [*policy.as_list(keys.get(key, [])), identity.subject]
    keys[key] = identity.subject if len(subjects_of_key) == 1 else subjects_of_key


def _spelling(name: str, names: Iterable[str]) -> str:
    """The name as it is written there, in whatever case; itself if it is not there."""
    for written in names:
        if written.lower() == name.lower():
            return written
    return name


_RESTRICTED = (
    "- if the condition or Deny should not keep this ServiceAccount out, change that statement",
    "- else use another role: a further statement would bypass it for this ServiceAccount",
)
_FULL = (
    "- join statements of the trust policy, which has no room for another one",
    "- or give this ServiceAccount a role of its own",
)


def _write(facts: Facts, role: Role, document: policy.Document, why: str) -> str:
    if policy.size(document) > trust_limit(facts):
        return _look(facts, role, _FULL)
    return commands.rewrite_trust(facts, role, document, why)


def _look(facts: Facts, role: Role, choices: tuple[str, ...] = _RESTRICTED) -> str:
    """Where only a person can tell what the policy is to say."""
    command = f"iam get-role --role-name {shlex.quote(role.name)} --query Role.AssumeRolePolicyDocument"
    return commands.decide(commands.in_account(facts, role.account, command), *choices)


for _identifier, _weight in TRUST_CAUSES.items():
    check_of(_identifier, Group.ROLE, _weight)(partial(_check, _identifier))


@check_of("trust-quota", Group.ROLE, weight=40)
def _quota(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    limit = trust_limit(facts)
    size = policy.size(role.trust)
    statement = trust_policy.statement(subjects.identity_of(facts, facts.named))
    needed = policy.size(trust_policy.with_statement(role.trust, statement))
    if not flaws_of(facts) or needed <= limit:
        return ok("the trust policy fits", size=str(size), quota=str(limit))
    return problem(
        "the missing statement does not fit into the trust policy",
        fix=f"{commands.make(facts, facts.named)} --override-existing-serviceaccounts",
        size=str(size),
        with_the_statement=str(needed),
        quota=str(limit),
    )


def trust_limit(facts: Facts) -> int:
    return subjects.quota_of(facts, "AssumeRolePolicySizeQuota", policy.TRUST_LIMIT)
