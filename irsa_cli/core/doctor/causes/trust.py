"""Causes in the role's trust policy: the explanation and the remedy of each flaw in `clues.trust_flaws`."""

from __future__ import annotations

import copy
import shlex
from dataclasses import replace
from datetime import datetime
from functools import partial

from irsa_cli.core.doctor.clues.trust_flaws import GENERATED, Flaw, flaws_of, other_roles
from irsa_cli.core.doctor.commands import admit, in_account, make, of_role, rewrite_trust
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem, unknown
from irsa_cli.core.doctor.subjects import identity_of, quota_of
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.trust.restrictions import voided
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.issuer import host_path
from irsa_cli.core.values.names import subject as subject_claim

TRUST_CAUSES = (
    "trust-principal",
    "trust-old-cluster",
    "trust-other-cluster",
    "trust-provider-arn",
    "trust-action",
    "trust-key-https",
    "trust-key",
    "trust-wildcard",
    "trust-whitespace",
    "trust-generated-name",
    "trust-subject",
    "trust-audience",
    "trust-condition",
    "trust-deny",
)
"""Each is a flaw in `clues.trust_flaws`."""


def _check(identifier: str, facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if other_roles(facts):
        return ok("another role fits better; see annotation-other-role")
    found = flaws_of(facts)
    mine = [flaw for flaw in found if flaw.cause == identifier]
    if not mine and found:
        others = ", ".join(dict.fromkeys(flaw.cause for flaw in found))
        return ok(f"the trust policy has another problem; see {others}")
    if not mine:
        return ok("; ".join(explain(role.trust, identity_of(facts, facts.named), now=facts.now).text))
    flaw = mine[0]
    evidence = {"statement": flaw.statement or "none", "policy": flaw.found, "token": flaw.expected}
    if flaw.unknown:
        return unknown(flaw.text, **evidence)
    return problem(flaw.text, fix=_fix(facts, role, flaw), role=role.arn, **evidence)


def _fix(facts: Facts, role: Role, flaw: Flaw) -> str:
    """The command after which the role trusts the token, and nobody else."""
    identity = identity_of(facts, facts.named)
    if flaw.cause == "trust-deny":
        document = _with_exceptions(role.trust, identity, facts.now)
        outlook = explain(document, identity, now=facts.now)
        # Whoever wrote a Deny meant somebody by it: that it is not this one, a person has to say.
        why = "its trust policy seems to deny it on purpose"
        return _look(facts, role) if outlook.denied_by else _write(facts, role, document, why)
    if voided(role.trust, identity):
        # An additional statement would bypass the other conditions of this one.
        return _look(facts, role)
    if explain(role.trust, identity, now=facts.now).denied_by:
        return _look(facts, role)  # Adding a statement is refused while a Deny applies; that goes first.
    why = of_role(facts, facts.named, role.arn, audience=identity.audience)
    pattern = _generated(facts, flaw)
    if pattern:
        wanted = trust_policy.statement(replace(identity, subject=pattern), pattern=True)
        # Other names than the one that is there come with it, in releases that nobody has seen.
        return _write(facts, role, trust_policy.with_statement(role.trust, wanted), why)
    document = trust_policy.with_statement(role.trust, trust_policy.statement(identity))
    if Arn.parse(role.arn).account != facts.cluster.home or policy.size(document) > trust_limit(facts):
        return _write(facts, role, document, why)
    return admit(facts, facts.named, role.arn)


def _write(facts: Facts, role: Role, document: policy.Document, why: str) -> str:
    fits = policy.size(document) <= trust_limit(facts)
    return rewrite_trust(facts, role, document, why) if fits else _look(facts, role)


def _look(facts: Facts, role: Role) -> str:
    """Where only a person can tell what the policy is to say."""
    command = f"iam get-role --role-name {shlex.quote(role.name)} --query Role.AssumeRolePolicyDocument"
    return in_account(facts, role.account, command)


def _generated(facts: Facts, flaw: Flaw) -> str:
    """The pattern for a ServiceAccount whose name is generated with each release; else ''.

    It allows no more than the policy: it ends where the generated part of the name begins.
    """
    match = GENERATED.fullmatch(facts.named.name)
    if match is None or flaw.cause not in ("trust-generated-name", "trust-wildcard"):
        return ""
    return subject_claim(facts.named.namespace, f"{match['stem']}-*")


def _with_exceptions(
    document: policy.Document, identity: WebIdentity, now: datetime | None
) -> policy.Document:
    """The policy whose Denies leave this subject out; they hold for everybody else as before."""
    found = copy.deepcopy(document)
    statements = policy.as_list(found.get("Statement", []))
    for index in explain(document, identity, now=now).denied_by:
        block = statements[index].setdefault("Condition", {})
        operator = next((name for name in block if name.lower() == "stringnotequals"), "StringNotEquals")
        keys = block.setdefault(operator, {})
        claim = f"{host_path(identity.issuer)}:sub"
        key = next((name for name in keys if name.lower() == claim.lower()), claim)
        keys[key] = [*policy.as_list(keys.get(key, [])), identity.subject]
        if len(keys[key]) == 1:
            keys[key] = identity.subject
    return {**found, "Statement": statements}


for _identifier in TRUST_CAUSES:
    check_of(_identifier)(partial(_check, _identifier))


@check_of("trust-quota")
def _quota(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    limit = trust_limit(facts)
    size = policy.size(role.trust)
    wanted = trust_policy.statement(identity_of(facts, facts.named))
    needed = policy.size(trust_policy.with_statement(role.trust, wanted))
    if not flaws_of(facts) or needed <= limit:
        return ok("the trust policy fits", size=str(size), quota=str(limit))
    return problem(
        "the missing statement does not fit into the trust policy",
        fix=f"{make(facts, facts.named)} --override-existing-serviceaccounts",
        size=str(size),
        with_the_statement=str(needed),
        quota=str(limit),
    )


def trust_limit(facts: Facts) -> int:
    return quota_of(facts, "AssumeRolePolicySizeQuota", policy.TRUST_LIMIT)
