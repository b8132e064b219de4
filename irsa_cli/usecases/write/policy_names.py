"""Managed policies by name: resolve the names to ARNs, once, before anything is planned."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, ServiceError
from irsa_cli.core.values.slips import near
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection

_PATHS = ("", "service-role/", "job-function/")
"""Paths of AWS's policies for roles that users create; those of aws-service-role/ can't be attached."""


def only_arns(policies: Iterable[str]) -> list[str]:
    """Those that are full ARNs."""
    return [text for text in policies if text.startswith("arn:")]


def resolved(connection: Connection, policies: Iterable[str]) -> tuple[str, ...]:
    """The policies as ARNs; raises `Refused` for a name that no policy has, or more than one."""
    policies = tuple(policies)
    names = [text for text in policies if not text.startswith("arn:")]
    if not names:
        return policies
    with naming_caller(connection.caller):
        own = _own(connection)
        found = {name: _arn_of(connection, name, own) for name in names}
    return tuple(dict.fromkeys(found.get(text, text) for text in policies))


def resolved_update(connection: Connection, update: Update) -> Update:
    """The update with ARNs only."""
    attach, detach = resolved(connection, update.attach), resolved(connection, update.detach)
    for arn in {*attach} & {*detach}:
        raise InvalidInput(f"--attach-policy-arn and --detach-policy-arn contradict each other: {arn}")
    exact = None if update.policies is None else resolved(connection, update.policies)
    return replace(update, attach=attach, detach=detach, policies=exact)


def _own(connection: Connection) -> dict[str, str]:
    try:
        return reading.policies_by_name(connection.iam, "Local")
    except ServiceError as error:
        raise error.but(next_steps=("give the policy's full ARN", *error.next_steps)) from error


def _arn_of(connection: Connection, name: str, own: dict[str, str]) -> str:
    partition = connection.cluster.partition
    paths = _PATHS if "/" not in name else ("",)
    candidates = [iam_arn(partition, "aws", f"policy/{path}{name}") for path in paths]
    with ThreadPoolExecutor(len(candidates)) as pool:
        versions = list(pool.map(lambda arn: reading.policy_version(connection.iam, arn), candidates))
    if None in versions:
        raise IrsaError(
            f"the policy {name} can't be found by its name",
            reason="the caller lacks iam:GetPolicy",
            next_steps=("give the policy's full ARN",),
            code="AccessDenied",
        )
    found = [arn for arn, version in zip(candidates, versions, strict=True) if version]
    found += [arn for arn in own.values() if arn.partition(":policy/")[2] == name or own.get(name) == arn]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(f"{len(found)} policies have the name {name}: give the ARN", details=found)
    plain = name.rpartition("/")[2]
    similar = [own[word] for word in near(plain, own)]
    similar += reading.similar_policies(connection.iam, iam_arn(partition, "aws", f"policy/{plain}"))
    raise Refused(
        f"no managed policy has the name {name}",
        reason=f"IAM lists none in account {connection.cluster.home}, and AWS has none",
        details=(f"policies with a similar name: {', '.join(similar)}",) if similar else (),
        next_steps=("check the spelling, or give its full ARN; IAM can list a new policy some seconds late",),
    )
