"""The flags of `irsa update-sa` for each difference; None if there is no flag. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

from irsa_cli.core.binding.current import CurrentServiceAccount
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.plan import states
from irsa_cli.core.policies import policy
from irsa_cli.core.trust.chain import POLICY_NAME

Flags = tuple[str, ...]
_OF_CHAINS = dict(
    zip(states.CHAIN_ANNOTATIONS, ("--target-role", "--external-id", "--aws-config-map"), strict=True)
)


def of_tag(key: str, value: str) -> Flags | None:
    """A tag; commas stand between tags."""
    return None if "," in key + value or "=" in key else ("--tags", f"{key}={value}")


def of_inline(name: str) -> Flags:
    """An inline policy, from the file that bears its name; irsa's own follows from the target role."""
    if name == POLICY_NAME:
        return ()
    return ("--inline-policy", "-" if name == "stdin" else f"{name}.json")


def of_annotation(key: str, value: str | None) -> Flags | None:
    """An annotation of the ServiceAccount; some have a flag of their own, the role's none."""
    if key == states.ROLE_ARN_ANNOTATION or value is None:
        return () if key == states.AUDIENCE_ANNOTATION else None
    if key == states.AUDIENCE_ANNOTATION:
        return ()  # Said once, for the role and for the pods: see `of_audience`.
    if key == states.STS_REGIONAL_ANNOTATION:
        return (f"--{'no-' if value == 'false' else ''}sts-regional-endpoints",)
    if key in _OF_CHAINS:
        return _OF_CHAINS[key], value
    if key == states.TOKEN_EXPIRATION_ANNOTATION:
        return "--token-expiration", value
    return "--annotation", f"{key}={value}"


def of_label(key: str, value: str | None) -> Flags | None:
    """A label of the ServiceAccount."""
    return None if value is None else ("--label", f"{key}={value}")


def of_audience(desired: DesiredState, account: CurrentServiceAccount | None) -> Flags:
    """The audience of the pods' tokens, where the ServiceAccount asks for another one than is desired."""
    if account is None or Injection.read(account.annotations).audience == desired.audience:
        return ()
    return ("--audience", desired.audience, *(("--associate-oidc",) if desired.associate else ()))


def of_trust(
    desired: DesiredState, present: policy.Document, account: CurrentServiceAccount | None
) -> Flags | None:
    """A trust policy; no more of it is changed than the audience."""
    assert desired.role is not None
    if account is None:
        return None
    before = json.dumps(Injection.read(account.annotations).audience)
    other = json.loads(policy.dump(present).replace(before, json.dumps(desired.audience)))
    return () if policy.equal(other, desired.role.trust) and of_audience(desired, account) else None


def command(desired: DesiredState, flags: Iterable[Flags]) -> str:
    """The command with these flags."""
    words: list[str] = []
    for item in dict.fromkeys(flags):
        words += map(shlex.quote, item)
    return " ".join((desired.command("update-sa"), *words))


def files(flags: Sequence[Flags]) -> list[str]:
    """The files that the flags name, which have to hold the policies that were given."""
    return [item[1] for item in flags if item[:1] == ("--inline-policy",) and item[1] != "-"]


def for_role(desired: DesiredState, role_arn: str) -> DesiredState:
    """The same for the role that the ServiceAccount has, which keeps its place and its trust policy."""
    annotations = {**desired.annotations, states.ROLE_ARN_ANNOTATION: role_arn}
    return replace(desired, role_arn=role_arn, annotations=annotations)
