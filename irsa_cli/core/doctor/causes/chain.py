"""Causes in role chaining: the role cannot assume the target role, or the pods do not try to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from irsa_cli.core.doctor.clues.injection import config_map_of, leaves_the_token_to_it, takes_profile
from irsa_cli.core.doctor.commands import of_account, of_power, proposed
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Decided, Judgement, check_of, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import annotations_of, pod_names, where
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.rules import UnreadableNote
from irsa_cli.core.plan.states import TARGET_ANNOTATION
from irsa_cli.core.policies.statements import statements, tests_of_key
from irsa_cli.core.trust.assuming import lacking
from irsa_cli.core.trust.chain import (
    LONGEST_SESSION,
    POLICY_NAME,
    PROFILE,
    Chain,
    answer_of,
    chain_of_notes,
    target_of,
)
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values.errors import InvalidInput

_NONE = "it has no target role"
_UNIQUE_ID = re.compile(r"AROA[A-Z0-9]{12,}", re.ASCII)
_DURATION = re.compile(r"^\s*duration_seconds\s*=\s*(\d+)\s*$", re.MULTILINE | re.ASCII)


def _chain(facts: Facts) -> Chain:
    have(facts.named.account)
    said = annotations_of(facts.named)
    if TARGET_ANNOTATION not in said:
        raise Decided(ok(_NONE))
    role = facts.named.role
    policies = role.policies if isinstance(role, Role) and isinstance(role.policies, dict) else {}
    target, tags = target_of(policies.get(POLICY_NAME, {}))
    try:
        found = chain_of_notes(str(facts.named.role_arn()), said)
    except UnreadableNote as error:
        raise CannotTell(f"{error.message}: {error.reason}", follows=False) from error
    if found is None:
        raise Decided(ok(_NONE))
    return replace(found, tag_session=tags and target == found.target_arn)


@check_of("chain-permission")
def _permission(facts: Facts) -> Judgement:
    chain = _chain(facts)
    role = have(facts.named.role)
    if role is None:
        return unknown("the role does not exist; see role-missing")
    policies, boundary = have(role.policies), None
    if role.boundary:
        boundary = have(role.boundary_policy)
    said = chain.allowed(policies, boundary=boundary, has_boundary=bool(role.boundary))
    if answer_of(said) is Answer.YES:
        return ok("the role may assume the target role", target=chain.target_arn)
    if answer_of(said) is Answer.UNKNOWN:
        return unknown("; ".join(item.why for item in lacking(said, Answer.UNKNOWN)))
    return problem(
        "no policy allows the role to assume the target role",
        fix=_proposed(facts, f"--target-role {shlex.quote(chain.target_arn)}", chain),
        target=chain.target_arn,
        why="; ".join(item.why for item in lacking(said, Answer.NO)),
    )


@check_of("chain-external-id")
def _external_id(facts: Facts) -> Judgement:
    chain = _chain(facts)
    target = have(facts.named.chain_target)
    if target is None or answer_of(chain.judge(target.trust)) is not Answer.NO:
        return ok("the external ID is not the problem", target=chain.target_arn)
    wanted = next(iter(_fitting(chain, target)), None)
    if wanted is None:
        return ok("the external ID is not the only problem", target=chain.target_arn)
    return problem(
        "the target's trust policy requires another external ID",
        fix=_update(facts, f"--external-id {shlex.quote(wanted)}", chain),
        current=chain.external_id or "none",
        required=wanted,
    )


def _fitting(chain: Chain, target: Role) -> Iterator[str]:
    for _, values in tests_of_key(statements(target.trust), "sts:ExternalId"):
        for value in values:
            try:
                other = replace(chain, external_id=value)
            except InvalidInput:  # No flag accepts it.
                continue
            if answer_of(other.judge(target.trust)) is Answer.YES:
                yield value


@check_of("chain-trust")
def _trust(facts: Facts) -> Judgement:
    chain = _chain(facts)
    target = have(facts.named.chain_target)
    if target is None:
        return problem(
            "the target role does not exist",
            fix=_update(facts, "--target-role ARN", chain),
            target=chain.target_arn,
        )
    said = chain.judge(target.trust)
    if answer_of(said) is Answer.YES:
        return ok("the target trusts the role", target=chain.target_arn)
    if answer_of(said) is Answer.UNKNOWN:
        return unknown("; ".join(item.why for item in lacking(said, Answer.UNKNOWN)))
    if any(_fitting(chain, target)):
        return ok("it trusts the role with another external ID; see chain-external-id")
    gone = sorted(set(_UNIQUE_ID.findall(str(target.trust))))
    why = "; ".join(item.why for item in lacking(said, Answer.NO))
    if gone:
        why = f"it trusts {', '.join(gone)}, the unique ID of a deleted or recreated role"
    return problem(
        "the target's trust policy does not allow the role",
        fix=_proposed(facts, "--update-target-trust", chain),
        target=chain.target_arn,
        why=why,
    )


@check_of("chain-session")
def _session(facts: Facts) -> Judgement:
    chain = _chain(facts)
    text = have(facts.named.aws_config)
    if text is None:
        return ok("irsa did not write an AWS configuration for it")
    part = text.partition(f"[profile {PROFILE}]")[2].partition("[")[0]
    longest = max(map(int, _DURATION.findall(part)), default=0)
    if longest <= LONGEST_SESSION:
        return ok("the AWS configuration asks for an hour at most")
    name = config_map_of(facts.named)
    return problem(
        f"STS rejects chained sessions longer than {LONGEST_SESSION} s",
        fix=_update(facts, f"--aws-config-map {shlex.quote(name)}", chain),
        duration=f"{longest} s",
    )


def _proposed(facts: Facts, flags: str, chain: Chain) -> str:
    """The command, as a question if irsa's policy on the role does not contain the target."""
    role, target = facts.named.role, facts.named.chain_target
    policies = role.policies if isinstance(role, Role) and isinstance(role.policies, dict) else {}
    why = of_power(target) if isinstance(target, Role) else "its permissions are unknown"
    if target_of(policies.get(POLICY_NAME, {}))[0] != chain.target_arn:
        why = "only the ServiceAccount's annotation refers to it"
    return proposed(why, chain.target_arn, _update(facts, flags, chain))


def _update(facts: Facts, flags: str, chain: Chain) -> str:
    needed = "--update-target-trust" in flags and "--target-" not in facts.reach.irsa
    way = f" --target-assume-role arn:aws:iam::{chain.account}:role/NAME" if needed else ""
    return of_account(facts, "update-sa", facts.named, flags + way)


@check_of("chain-pod")
def _pods(facts: Facts) -> Judgement:
    have(facts.named.account)
    name = config_map_of(facts.named)
    if not name:
        return ok("irsa did not write an AWS configuration for it")
    pods = facts.named.users()
    going = [(pod, item) for pod in pods for item in pod.containers if takes_profile(facts, pod, item)]
    staying = [pod for pod in pods if pod not in [other for other, _ in going]]
    if staying:
        return suspect(
            "no container uses the ConfigMap's profile; the program may assume the target role itself",
            pods=pod_names(staying),
            config_map=name,
        )
    by_token = [(pod, item) for pod, item in going if not leaves_the_token_to_it(item)]
    if by_token:
        text = "the SDKs for Go, Java, .NET and PHP use the token before the profile"
        return hint(text, containers=where(by_token))
    return ok("the pods use the ConfigMap's profile", config_map=name)
