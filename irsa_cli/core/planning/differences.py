"""Why a desired state can't be reached from what is there: something differs. Pure.

Each difference has its flags of `irsa update-sa`; None if there is no flag.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from irsa_cli.core.binding.current import CurrentState, life_of
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.marks.lifecycle import Lifecycle, wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.policies import policy
from irsa_cli.core.trust.chain import POLICY_NAME
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import Refused

DEFAULT_SESSION = 3600
OVERRIDE = "--override-existing-serviceaccounts  # replaces its role; the old one remains"


class Aspect(Enum):
    """Kinds of differences that decide about the next step."""

    OWNER = "whose the role is"
    UNDER_WAY = "the role is incomplete, or being deleted, for another desired state"
    MADE_TOGETHER = "the role was created with its ServiceAccount"
    ROLE = "anything else of the role"
    SERVICE_ACCOUNT = "the ServiceAccount"


@dataclass(frozen=True)
class Difference:
    """A difference; `update` are flags of update-sa for it: None if there are none, () if it stays.

    `keep` is the option of create-sa that includes what exists.
    """

    what: str
    present: str
    desired_value: str
    update: Flags | None = None
    aspect: Aspect = Aspect.ROLE
    keep: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.present} (requested: {self.desired_value})"


def check(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` when something exists and differs."""
    differences = list(_differences(desired, current))
    ours = list(_of_bound_role(desired, current))
    if ours and differences:
        # It has a role of irsa's under another name, as an adopted one has.
        steps = _updating(desired, current, ours)
        if len(ours) == 1:
            steps = [f"its existing role is already as desired: {desired.command('describe-sa')}"]
        raise Refused(
            f"{desired.full_name} has another role that irsa manages",
            reason="irsa creates no second role",
            details=list(map(str, ours)),
            next_steps=steps,
        )
    if differences:
        raise _refusal(desired, current, differences)


def _differences(desired: DesiredState, current: CurrentState) -> Iterator[Difference]:
    binding = current.binding
    role = binding.seen_role
    if desired.role is not None and role is not None:
        yield from _role_differences(desired, desired.role, role, life_of(desired, current), binding.existing)
    if binding.existing is not None and not desired.role_only:
        yield from _service_account_differences(desired, binding.existing)
    if desired.association is not None and binding.known_association is not None:
        of_association = _association_differences(desired.association, binding.known_association)
        yield from (
            difference
            for difference in of_association
            if difference.aspect is Aspect.OWNER or not desired.override
        )


def _association_differences(
    state: states.AssociationState, association: Association
) -> Iterator[Difference]:
    if association.owner:
        shown = f"owned by {association.owner}"
        yield Difference(f"association {association.id}", shown, "created by irsa", aspect=Aspect.OWNER)
        return
    sessions = (association.session_policy, state.session_policy)
    without = (association.without_tags, state.without_session_tags)
    for word, has, wants, flag in (
        ("role", association.role_arn, state.role_arn, ""),
        ("target role", association.target_role_arn, state.target_role_arn, "--target-role"),
        ("session policy", *(value and policy.dump(value) for value in sessions), ""),
        ("session tags", *("disabled" if value else "enabled" for value in without), ""),
    ):
        if has != wants:
            flags = (flag, wants) if flag and wants else None
            yield Difference(f"association {association.id}, {word}", has or "none", wants or "none", flags)


def _role_differences(
    desired: DesiredState,
    desired_role: states.RoleState,
    role: Role,
    life: Lifecycle,
    account: ServiceAccount | None,
) -> Iterator[Difference]:
    present = role.state
    title = f"role {desired.role_name}"
    for key, mark in desired.marks.items():
        if present.tags.get(key) != mark:
            tag = present.tags.get(key) or "not there"
            yield Difference(f"{title}, tag {key}", tag, mark, aspect=Aspect.OWNER)
            return  # Somebody else's role: how else it differs is of no interest.
    if not life.is_over and present.tags.get(
        states.SPEC_HASH_TAG, desired_role.tags.get(states.SPEC_HASH_TAG)
    ) != desired_role.tags.get(states.SPEC_HASH_TAG):
        if desired.role_only and not lifecycle.tells_itself(present.tags):
            # Whether that run has ended, the ServiceAccount tells, and the cluster is not asked.
            maker = life.transaction or states.NOBODY
            yield Difference(
                title,
                f"created with its ServiceAccount by transaction {maker}",
                "created without one",
                aspect=Aspect.MADE_TOGETHER,
            )
            return
        yield Difference(
            title,
            f"{life.stage.value}, for another desired state ({life.why})",
            "complete, or for these",
            aspect=Aspect.UNDER_WAY,
        )
    if present.path != desired_role.path:
        yield Difference(f"{title}, path", present.path, desired_role.path)
    if not policy.equal(present.trust, desired_role.trust):
        yield Difference(
            f"{title}, trust policy",
            policy.dump(present.trust),
            policy.dump(desired_role.trust),
            _of_trust(desired, present.trust, account),
        )
    yield from _setting_differences(title, desired_role, present)
    yield from _policy_differences(desired, title, role, committed=life.is_over)


def _setting_differences(
    title: str, desired_role: states.RoleState, present: states.RoleState
) -> Iterator[Difference]:
    seconds = desired_role.max_session_duration
    description = desired_role.description
    boundary = desired_role.permissions_boundary
    present_boundary = present.permissions_boundary
    bounds = "" if boundary else f"--permissions-boundary {present_boundary}"
    of_boundary = ("--permissions-boundary", boundary) if boundary else ()
    of_session = ("--max-session-duration", str(seconds))
    for label, has, wants, flags, keep in (
        ("session duration", f"{present.max_session_duration} s", f"{seconds} s", of_session, ""),
        ("description", present.description, description, ("--description", description), ""),
        ("permissions boundary", present_boundary, boundary, of_boundary, bounds),
    ):
        if has != wants:
            yield Difference(f"{title}, {label}", has or "not set", wants or "not set", flags, keep=keep)
    for key, value in desired_role.tags.items():
        if key != states.SPEC_HASH_TAG and present.tags.get(key) != value:
            shown = present.tags.get(key, "not there")
            # Commas stand between tags.
            of_tag = None if "," in key + value or "=" in key else ("--tags", f"{key}={value}")
            yield Difference(f"{title}, tag {key}", shown, value, of_tag)


def _policy_differences(
    desired: DesiredState, title: str, role: Role, *, committed: bool
) -> Iterator[Difference]:
    policies = set(desired.policies)
    inline = desired.inline
    for arn in sorted(role.attached - policies):
        keep = f"--attach-policy-arn {arn}"
        yield Difference(f"{title}, policy {arn}", "attached", "not attached", (), keep=keep)
    for name in sorted({*role.inline} - {*inline}):
        keep = f"--inline-policy {name}.json"
        yield Difference(f"{title}, inline policy {name}", "there", "not there", (), keep=keep)
    for name in sorted({*role.inline} & {*inline}):
        if not policy.equal(role.inline[name], inline[name]):
            texts = policy.dump(role.inline[name]), policy.dump(inline[name])
            yield Difference(f"{title}, inline policy {name}", *texts, _of_inline(name))
    if not committed:
        return  # The plan completes an interrupted run; it does not restore what others removed.
    for arn in sorted(policies - role.attached):
        yield Difference(f"{title}, policy {arn}", "not attached", "attached", ("--attach-policy-arn", arn))
    for name in sorted({*inline} - {*role.inline}):
        yield Difference(f"{title}, inline policy {name}", "not there", "there", _of_inline(name))


def _service_account_differences(desired: DesiredState, account: ServiceAccount) -> Iterator[Difference]:
    if desired.override:
        return
    title = f"ServiceAccount {desired.full_name}"
    for word, values, present, flag_of in (
        ("annotation", desired.annotations, account.annotations, _of_annotation),
        ("label", desired.labels, account.labels, _of_label),
    ):
        for key, value in values.items():
            if present.get(key) not in (None, value):
                shown = value or "not there"
                flags = flag_of(key, value)
                yield Difference(f"{title}, {word} {key}", present[key], shown, flags, Aspect.SERVICE_ACCOUNT)


def _updating(desired: DesiredState, current: CurrentState, differences: list[Difference]) -> list[str]:
    """The one update-sa command for all differences, or what it would leave."""
    binding = current.binding
    if not binding.is_annotated and binding.other_role is None:
        return _keeping_account(differences)
    if desired.association is not None and binding.is_annotated:
        return [f"{desired.command('migrate')} --to pod-identity  # adds it next to IRSA"]
    without_flag = [difference.what for difference in differences if difference.update is None]
    account = binding.existing
    if without_flag or account is None:
        titles = [title.rpartition(", ")[2] for title in without_flag]
        return [
            "run this again with the existing values, or change them first",
            *(f"irsa update-sa does not change the {title}" for title in titles),
        ]
    return _command_of_flags(desired, account, differences)


def _keeping_account(differences: list[Difference]) -> list[str]:
    """The steps for a ServiceAccount that has no role yet."""
    steps = ["run this again with the existing values"]
    if all(difference.aspect is Aspect.SERVICE_ACCOUNT for difference in differences):
        steps.append("to overwrite them: run this again with --override-existing-serviceaccounts")
    return steps


def _command_of_flags(
    desired: DesiredState, account: ServiceAccount, differences: list[Difference]
) -> list[str]:
    """The update-sa command with a flag for each difference, which all have one."""
    flags = dict.fromkeys(difference.update for difference in differences if difference.update)
    if audience := _of_audience(desired, account):
        flags[audience] = None
    options = " ".join(difference.keep for difference in differences if difference.keep)
    keep = [f"to include what the role already has, add: {options}"] if options else []
    if not flags:
        return ["run this again with the existing values", *keep]
    steps = ["run this again with the existing values, or change them:"]
    words = [desired.command("update-sa")]
    for flag in flags:
        words += map(shlex.quote, flag)
        # The files that the flags name have to hold the policies that were given.
        if flag[0] == "--inline-policy" and flag[1] != "-":
            steps.append(f"(with the requested policy in {flag[1]})")
    return [*steps, " ".join(words), *keep]


def account_of_its_role(desired: DesiredState, account: ServiceAccount | None) -> str:
    """The other account in which irsa keeps the role of a ServiceAccount that is there; '' for this one."""
    annotations = account.annotations if account is not None else {}
    if not wrote(annotations, states.ROLE_ARN_ANNOTATION):
        return ""
    role_account = "".join(annotations[states.ROLE_ARN_ANNOTATION].split(":")[4:5])
    return role_account if role_account != desired.cluster.home else ""


def _of_bound_role(desired: DesiredState, current: CurrentState) -> Iterator[Difference]:
    """Differences of the ServiceAccount's current role, if irsa manages that under another name."""
    binding = current.binding
    account = binding.existing
    role = binding.other_role
    if desired.role is None or desired.override or account is None or role is None:
        return
    annotated_arn = account.annotations.get(states.ROLE_ARN_ANNOTATION, "")
    if annotated_arn.rsplit("/", 1)[-1] == desired.role_name:
        return  # It is the desired one, in another place.
    present = role.state
    desired_role = desired.role
    if not role.is_for(desired.cluster, desired.full_name):
        return
    # An adopted role keeps its path and its trust policy. Defaults were not requested.
    desired_of_it = replace(
        desired_role,
        path=present.path,
        trust=present.trust,
        description=desired_role.description or present.description,
        permissions_boundary=desired_role.permissions_boundary or present.permissions_boundary,
        max_session_duration=present.max_session_duration
        if desired_role.max_session_duration == DEFAULT_SESSION
        else desired_role.max_session_duration,
    )
    annotations = {**desired.annotations, states.ROLE_ARN_ANNOTATION: annotated_arn}
    its = replace(desired, role_arn=annotated_arn, annotations=annotations)
    title = f"ServiceAccount {desired.full_name}, role"
    shown_arn = f"{annotated_arn}, which irsa manages for it"
    yield Difference(title, shown_arn, desired.role_arn, (), Aspect.SERVICE_ACCOUNT)
    life = lifecycle.of(present.tags, named=True)
    yield from _role_differences(its, desired_of_it, role, life, account)
    yield from _service_account_differences(its, account)


def _refusal(desired: DesiredState, current: CurrentState, differences: list[Difference]) -> Refused:
    binding = current.binding
    steps = _updating(desired, current, differences)
    aspects = {item.aspect for item in differences}
    account = binding.existing
    annotated_arn = account.annotations.get(states.ROLE_ARN_ANNOTATION) if account else None
    moved = binding.other_role is not None and str(annotated_arn).rsplit("/", 1)[-1] == desired.role_name
    if annotated_arn not in (None, desired.role_arn) and not moved:
        attaching = f"{desired.command('create-sa')} --attach-role-arn {desired.role_arn}"
        steps = [f"{'run this again with' if desired.role else attaching} {OVERRIDE}"]
        if elsewhere := account_of_its_role(desired, account):
            keep = f"to keep its role in account {elsewhere}: {desired.cluster.in_account(elsewhere)}"
            steps = [keep, *steps]
    elif Aspect.MADE_TOGETHER in aspects:
        steps = [
            f"to change the role: irsa update-sa {desired.name} -n {desired.namespace}"
            f" -c {desired.cluster.name}{desired.cluster.home_option}",
            "to let others manage the ServiceAccount: irsa apply, with roleOnly in its entry",
        ]
    elif Aspect.UNDER_WAY in aspects:
        steps = [*life_of(desired, current).next_steps(desired.cluster.options)]
    elif binding.seen_role and Aspect.OWNER in aspects:
        role = binding.seen_role.state
        # IAM finds roles by name alone: the one that is there may have another path than the desired one.
        arn = iam_arn(desired.cluster.partition, desired.role_account, f"role{role.path}{desired.role_name}")
        owner = role.tags.get(states.SERVICE_ACCOUNT_TAG)
        maker = makers.maker_of_role(role.tags)
        cluster = role.tags.get(states.CLUSTER_TAG, "another cluster")
        return Refused(
            f"role {desired.role_name} exists, but not for {desired.full_name}",
            reason=f"irsa created it for {owner} in {cluster}" if owner else f"its creator is {maker}",
            details=[str(item) for item in differences if item.aspect is not Aspect.OWNER],
            next_steps=(
                f"{desired.command('create-sa')} --attach-role-arn {arn}  # to use it",
                "or, to create a role: run this again with another --role-name",
            ),
        )
    return Refused(
        f"{'' if account else 'the role of '}{desired.full_name} exists and differs from the desired state",
        details=[str(item) for item in differences],
        next_steps=steps,
    )


Flags = tuple[str, ...]
_OF_CHAINS = dict(
    zip(states.CHAIN_ANNOTATIONS, ("--target-role", "--external-id", "--aws-config-map"), strict=True)
)


def _of_inline(name: str) -> Flags:
    """An inline policy, from the file that bears its name; irsa's own follows from the target role."""
    if name == POLICY_NAME:
        return ()
    return ("--inline-policy", "-" if name == "stdin" else f"{name}.json")


def _of_annotation(key: str, value: str | None) -> Flags | None:
    """An annotation of the ServiceAccount; some have a flag of their own, the role's none."""
    if key == states.ROLE_ARN_ANNOTATION or value is None:
        return () if key == states.AUDIENCE_ANNOTATION else None
    if key == states.AUDIENCE_ANNOTATION:
        return ()  # Said once, for the role and for the pods: see `_of_audience`.
    if key == states.STS_REGIONAL_ANNOTATION:
        return (f"--{'no-' if value == 'false' else ''}sts-regional-endpoints",)
    if key in _OF_CHAINS:
        return _OF_CHAINS[key], value
    if key == states.TOKEN_EXPIRATION_ANNOTATION:
        return "--token-expiration", value
    return "--annotation", f"{key}={value}"


def _of_label(key: str, value: str | None) -> Flags | None:
    return None if value is None else ("--label", f"{key}={value}")


def _of_audience(desired: DesiredState, account: ServiceAccount) -> Flags:
    """The audience of the pods' tokens, where the ServiceAccount asks for another one than is desired."""
    if Injection.read(account.annotations).audience == desired.audience:
        return ()
    return ("--audience", desired.audience, *(("--associate-oidc",) if desired.associate else ()))


def _of_trust(
    desired: DesiredState, present: policy.Document, account: ServiceAccount | None
) -> Flags | None:
    """A trust policy; no more of it is changed than the audience."""
    assert desired.role is not None
    if account is None:
        return None
    before = json.dumps(Injection.read(account.annotations).audience)
    with_audience = json.loads(policy.dump(present).replace(before, json.dumps(desired.audience)))
    return () if policy.equal(with_audience, desired.role.trust) and _of_audience(desired, account) else None
