"""Why a wish can't be made true: a precondition that does not hold, or something that exists and differs.

Pure; what is done where nothing stands in the way is in `irsa_cli.core.planning.create`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from irsa_cli.core.binding import attached_trust
from irsa_cli.core.binding.spec import (
    Observed,
    ObservedRole,
    ObservedServiceAccount,
    Wish,
    is_annotated,
    life_of,
)
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Lifecycle
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    NOBODY,
    ROLE_ARN_ANNOTATION,
    SERVICE_ACCOUNT_TAG,
    WISH_TAG,
    ProviderState,
    RoleState,
)
from irsa_cli.core.planning import update_flags
from irsa_cli.core.planning.update_flags import Flags
from irsa_cli.core.policies import policy
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused

OVER = "complete, or for these"
DEFAULT_SESSION = 3600


@dataclass(frozen=True)
class Difference:
    """Something that exists and isn't as wished; `update` are the flags of update-sa that make it so.

    None where there are none; nothing where another difference's do.
    """

    what: str
    present: str
    wished: str
    update: Flags | None = None

    def __str__(self) -> str:
        return f"{self.what}: is {self.present}, wished {self.wished}"


def check(wish: Wish, observed: Observed) -> None:
    """Raise `Refused` when something exists and differs, or when a precondition does not hold."""
    check_preconditions(wish, observed)
    differences = list(_differences(wish, observed))
    ours = list(_of_bound_role(wish, observed))
    if ours and differences:
        raise _refusal_of_ours(wish, observed, ours)
    if differences:
        raise _refusal(wish, observed, differences)


def check_preconditions(wish: Wish, observed: Observed) -> None:
    """Raise `Refused` when something that the wish builds on is not there, or not as it must be."""
    if wish.role_account == wish.cluster.account and not wish.associate:
        check_provider(wish.cluster, wish.audience, observed.provider)
    if not observed.namespace_exists and not wish.create_namespace and not wish.role_only:
        raise Refused(
            f"namespace {wish.namespace} does not exist",
            reason="--no-create-namespace was given",
            next_steps=(f"kubectl create namespace {wish.namespace}",),
        )
    if wish.role is None and observed.role is None and not observed.role_unreadable:
        raise Refused(
            f"role {wish.role_arn} does not exist",
            reason="a role that is only used (--attach-role-arn, in files attachRoleARN) has to be there",
        )
    if wish.update_trust and observed.role_unreadable:
        raise Refused(
            f"the trust policy of {wish.role_arn} can't be updated", reason=observed.role_unreadable
        )
    if wish.role is None and observed.role is not None:
        found = attached_trust.check(wish, observed.role)
        if found.added is not None:
            check_trust_size(wish.role_arn, found.after, observed.trust_quota)


def check_provider(cluster: Cluster, audience: str, provider: ProviderState | None) -> None:
    """Raise `Refused` when there is no provider of the cluster's that accepts the audience."""
    associate = f"irsa associate-oidc --cluster {cluster.name} --region {cluster.region}"
    if provider is None:
        raise Refused(
            f"no IAM OIDC provider exists for cluster {cluster.name}",
            reason=f"STS would refuse every token of {cluster.issuer}",
            next_steps=(associate, "or run this again with --associate-oidc"),
        )
    if audience not in provider.audiences:
        raise Refused(
            f"the OIDC provider does not accept the audience {audience}",
            reason=f"it accepts: {', '.join(provider.audiences) or 'none'}",
            next_steps=(f"{associate} --audience {audience}", "or run this again with --associate-oidc"),
        )


def check_trust_size(role: str, document: policy.Document, quota: int) -> None:
    """Raise `Refused` for a trust policy that is larger than the account's quota (ACLSizePerRole)."""
    size = policy.size(document)
    if size > quota:
        raise Refused(
            f"the trust policy of {role} would be too large",
            reason=f"{size} characters without white space; the account's quota is {quota}",
            next_steps=(
                "give some ServiceAccounts a role of their own, or use a --subject-pattern",
                "or have the quota raised: Service Quotas, IAM, role trust policy length",
            ),
        )


def _differences(wish: Wish, observed: Observed) -> Iterator[Difference]:
    if wish.role is not None and observed.role is not None:
        yield from _role_differences(
            wish, wish.role, observed.role, life_of(wish, observed), observed.service_account
        )
    if observed.service_account is not None and not wish.role_only:
        yield from _service_account_differences(wish, observed.service_account)


def _role_differences(
    wish: Wish,
    wished: RoleState,
    role: ObservedRole,
    life: Lifecycle,
    account: ObservedServiceAccount | None,
) -> Iterator[Difference]:
    present = role.state
    what = f"role {wish.role_name}"
    for key in (CLUSTER_TAG, SERVICE_ACCOUNT_TAG):
        if present.tags.get(key) != wished.tags[key]:
            yield Difference(f"{what}, tag {key}", present.tags.get(key) or "not there", wished.tags[key])
            return  # Somebody else's role: how else it differs is of no interest.
    if not life.is_over and present.tags.get(WISH_TAG, wished.tags.get(WISH_TAG)) != wished.tags.get(
        WISH_TAG
    ):
        if wish.role_only and not lifecycle.tells_itself(present.tags):
            # Whether that run has ended, the ServiceAccount tells, and the cluster is not asked.
            maker = life.transaction or NOBODY
            yield Difference(what, f"made with its ServiceAccount by transaction {maker}", "made without one")
            return
        yield Difference(what, f"{life.stage.value}, for other wishes ({life.why})", OVER)
    if present.path != wished.path:
        yield Difference(f"{what}, path", present.path, wished.path)
    if not policy.equal(present.trust, wished.trust):
        yield Difference(
            f"{what}, trust policy",
            policy.dump(present.trust),
            policy.dump(wished.trust),
            update_flags.of_trust(wish, present.trust, account),
        )
    yield from _setting_differences(what, wished, present)
    yield from _policy_differences(wish, what, role, committed=life.is_over)


def _setting_differences(what: str, wished: RoleState, present: RoleState) -> Iterator[Difference]:
    if present.max_session_duration != wished.max_session_duration:
        yield Difference(
            f"{what}, session duration",
            f"{present.max_session_duration} s",
            f"{wished.max_session_duration} s",
            ("--max-session-duration", str(wished.max_session_duration)),
        )
    boundary = update_flags.of_boundary(wished.permissions_boundary)
    for label, has, wants, flags in (
        ("description", present.description, wished.description, ("--description", wished.description)),
        ("permissions boundary", present.permissions_boundary, wished.permissions_boundary, boundary),
    ):
        if has != wants:
            yield Difference(f"{what}, {label}", has or "not set", wants or "not set", flags)
    for key, value in wished.tags.items():
        if key != WISH_TAG and present.tags.get(key) != value:
            there = present.tags.get(key, "not there")
            yield Difference(f"{what}, tag {key}", there, value, update_flags.of_tag(key, value))


def _policy_differences(
    wish: Wish, what: str, role: ObservedRole, *, committed: bool
) -> Iterator[Difference]:
    for arn in sorted(role.attached - set(wish.policies)):
        yield Difference(f"{what}, policy {arn}", "attached", "not attached", ("--detach-policy-arn", arn))
    for name in sorted(set(role.inline) - set(wish.inline)):
        yield Difference(
            f"{what}, inline policy {name}", "there", "not there", ("--remove-inline-policy", name)
        )
    for name in sorted(set(role.inline) & set(wish.inline)):
        if not policy.equal(role.inline[name], wish.inline[name]):
            yield Difference(
                f"{what}, inline policy {name}",
                policy.dump(role.inline[name]),
                policy.dump(wish.inline[name]),
                update_flags.of_inline(name),
            )
    if committed:
        # What an interrupted run had no time for is made up for; what somebody took away is not.
        for arn in sorted(set(wish.policies) - role.attached):
            yield Difference(
                f"{what}, policy {arn}", "not attached", "attached", ("--attach-policy-arn", arn)
            )
        for name in sorted(set(wish.inline) - set(role.inline)):
            yield Difference(
                f"{what}, inline policy {name}", "not there", "there", update_flags.of_inline(name)
            )


def _service_account_differences(wish: Wish, account: ObservedServiceAccount) -> Iterator[Difference]:
    if wish.override:
        return
    what = f"ServiceAccount {wish.namespace}/{wish.name}"
    for key, value in wish.annotations.items():
        has = account.annotations.get(key)
        if has is not None and has != value:
            flags = update_flags.of_annotation(key, value)
            yield Difference(f"{what}, annotation {key}", has, value or "not there", flags)
    for key, value in wish.labels.items():
        has = account.labels.get(key)
        if has is not None and has != value:
            label = None if value is None else ("--label", f"{key}={value}")
            yield Difference(f"{what}, label {key}", has, value or "not there", label)


def _updating(wish: Wish, observed: Observed, differences: list[Difference]) -> list[str]:
    """The one command that makes all of it as wished; where there is none, what it would leave."""
    if not _is_bound(wish, observed):
        steps = ["run this again with what is there"]
        if all(item.what.startswith("ServiceAccount ") for item in differences):
            steps.append("to write over it: run this again with --override-existing-serviceaccounts")
        return steps
    left = [item.what for item in differences if item.update is None]
    if left or observed.service_account is None:
        steps = ["run this again with what is there, or change what is there first"]
        return [*steps, *(f"irsa update-sa does not change the {_last(what)}" for what in left)]
    flags = [item.update for item in differences if item.update]
    audience = update_flags.of_audience(wish, observed.service_account)
    flags = [*flags, *([audience] if audience else [])]
    files = update_flags.files(flags)
    role = observed.bound_role or observed.role
    bounded = role.state.permissions_boundary if role is not None else ""
    kept = any(item.what.endswith(", permissions boundary") and item.update == () for item in differences)
    # What bounds a role is not proposed to go: a command that is pasted would have taken it away.
    keep = [f"its permissions boundary stays: name it, --permissions-boundary {bounded}"] if kept else []
    if not any(flags):
        return ["run this again with what is there", *keep]
    return [
        "run this again with what is there, or change what is there:",
        *(f"with the policy that was given in the file {name}:" for name in files),
        update_flags.command(wish, flags),
        *keep,
    ]


def _is_bound(wish: Wish, observed: Observed) -> bool:
    """Whether the ServiceAccount names a role that `irsa update-sa` can change."""
    return is_annotated(wish, observed) or observed.bound_role is not None


def _last(what: str) -> str:
    return what.rpartition(", ")[2]


def _of_bound_role(wish: Wish, observed: Observed) -> Iterator[Difference]:
    """How the role differs that the ServiceAccount has, where that is irsa's for it under another name."""
    account, role = observed.service_account, observed.bound_role
    if wish.role is None or wish.override or account is None or role is None:
        return
    named = account.annotations.get(ROLE_ARN_ANNOTATION, "")
    if named.rsplit("/", 1)[-1] == wish.role_name:
        return  # It is the wished one, in another place.
    present, wished = role.state, wish.role
    if any(present.tags.get(key) != wished.tags[key] for key in (CLUSTER_TAG, SERVICE_ACCOUNT_TAG)):
        return
    # An adopted role keeps its path and its trust policy. What has a default was hardly wished.
    kept = replace(
        wished,
        path=present.path,
        trust=present.trust,
        description=wished.description or present.description,
        permissions_boundary=wished.permissions_boundary or present.permissions_boundary,
        max_session_duration=present.max_session_duration
        if wished.max_session_duration == DEFAULT_SESSION
        else wished.max_session_duration,
    )
    its = update_flags.for_role(wish, named)
    what = f"ServiceAccount {wish.namespace}/{wish.name}, role"
    yield Difference(what, f"{named}, which is irsa's for it", wish.role_arn, ())
    life = lifecycle.of(present.tags, named=True)
    yield from _role_differences(its, kept, role, life, account)
    yield from _service_account_differences(its, account)


def _refusal_of_ours(wish: Wish, observed: Observed, differences: list[Difference]) -> Refused:
    """For a ServiceAccount that has a role of irsa's under another name, as an adopted one has."""
    steps = _updating(wish, observed, differences)
    if len(differences) == 1:
        where = f"{wish.name} -n {wish.namespace} -c {wish.cluster.name} -r {wish.cluster.region}"
        steps = [f"it has what is wished by the role that is there: irsa describe-sa {where}"]
    return Refused(
        f"{wish.namespace}/{wish.name} has another role of irsa's",
        reason="a second role is not made beside it",
        details=[str(difference) for difference in differences],
        next_steps=steps,
    )


def _refusal(wish: Wish, observed: Observed, differences: list[Difference]) -> Refused:
    steps = _updating(wish, observed, differences)
    account = observed.service_account
    other = account.annotations.get(ROLE_ARN_ANNOTATION) if account else None
    moved = observed.bound_role is not None and str(other).rsplit("/", 1)[-1] == wish.role_name
    if other not in (None, wish.role_arn) and not moved:
        steps = ["to give it the new role: run this again with --override-existing-serviceaccounts"]
    elif any(difference.wished == "made without one" for difference in differences):
        steps = [
            f"to change the role: irsa update-sa {wish.name} -n {wish.namespace} -c {wish.cluster.name}",
            "to leave the ServiceAccount to somebody else: irsa apply, with roleOnly in its entry",
        ]
    elif any(difference.wished == OVER for difference in differences):
        where = f"-c {wish.cluster.name} -r {wish.cluster.region}"
        steps = [*life_of(wish, observed).next_steps(where)]
    elif observed.role and any("tag irsa/" in difference.what for difference in differences):
        # IAM finds roles by name alone: the one that is there may have another path than the wished one.
        resource = f"role{observed.role.state.path}{wish.role_name}"
        there = iam_arn(wish.cluster.partition, wish.role_account, resource)
        steps = [
            "to make a role of another name: run this again with --role-name",
            f"to use the role that is there: --attach-role-arn {there}",
        ]
    return Refused(
        f"{wish.namespace}/{wish.name} can't be made as wished: something is there and differs",
        details=[str(difference) for difference in differences],
        next_steps=steps,
    )
