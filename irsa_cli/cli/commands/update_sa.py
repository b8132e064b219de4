"""`irsa update-sa`: its options; what it does is in `irsa_cli.usecases.write.update_sa`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import roles
from irsa_cli.cli.options.accounts import NameFlags
from irsa_cli.cli.options.contradictions import Excludes, Rule, check
from irsa_cli.cli.options.fields import bound, group, many, once, switch
from irsa_cli.cli.options.kinds import AUDIENCE, TEXT, Checked
from irsa_cli.cli.options.outputs import RoleOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags, TargetRoleFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.options.values import edits, listed, pairs, wrong_usage
from irsa_cli.cli.session import Writing
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values import arn, names


@dataclass(frozen=True, kw_only=True)
class UpdateSaOptions:
    """The ServiceAccount, and the properties to change."""

    service_account: NameFlags = group(NameFlags)
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    target: TargetRoleFlags = group(TargetRoleFlags)
    remove_target_role: bool = switch("--remove-target-role", help="Remove the target role.")
    remove_external_id: bool = switch(
        "--remove-external-id", help="Remove the external ID of the target role."
    )
    remove_aws_config_map: bool = switch(
        "--remove-aws-config-map", help="Delete the ConfigMap of --aws-config-map."
    )
    kube: KubeFlags = group(KubeFlags)
    attach_policy_arn: tuple[str, ...] = roles.attach_policy_flag()
    detach_policy_arn: tuple[str, ...] = many(
        "--detach-policy-arn",
        kind=TEXT,
        metavar="ARN",
        help="Detach this managed policy (repeat, or comma-separated).",
    )
    set_policy_arns: tuple[str, ...] = many(
        "--set-policy-arns",
        kind=TEXT,
        metavar="ARN,...",
        help="Attach these managed policies and detach all others; 'none' detaches all.",
    )
    inline_policy: tuple[str, ...] = roles.inline_policy_flag(
        "Add or replace the policy document in this file (repeat)."
    )
    remove_inline_policy: tuple[str, ...] = many(
        "--remove-inline-policy",
        kind=Checked("name", names.inline_policy),
        help="Remove the inline policy of this name (repeat).",
    )
    permissions_boundary: str | None = once(
        "--permissions-boundary",
        kind=Checked("arn", arn.check_boundary),
        help="Set the permissions boundary; 'none' removes it."
        " [default: IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
    )
    no_permissions_boundary: bool = switch(
        "--no-permissions-boundary", help="Remove the role's permissions boundary."
    )
    allow_boundary_removal: bool = roles.allow_boundary_removal_flag()
    allow_wide_trust: bool = roles.allow_wide_trust_flag()
    max_session_duration: int | None = roles.max_session_flag()
    description: str | None = roles.description_flag()
    tags: tuple[str, ...] = many(
        "--tags", kind=TEXT, metavar="K=V,...", help="Set tags of the role (repeat, or comma-separated)."
    )
    remove_tag: tuple[str, ...] = many(
        "--remove-tag", kind=TEXT, metavar="K,...", help="Remove tags (repeat, or comma-separated)."
    )
    label: tuple[str, ...] = many(
        "--label",
        kind=TEXT,
        metavar="K=V",
        help="Set a label of the ServiceAccount; K- removes it (repeat).",
    )
    annotation: tuple[str, ...] = many(
        "--annotation",
        kind=TEXT,
        metavar="K=V",
        help="Set an annotation of the ServiceAccount; K- removes it (repeat).",
    )
    audience: str | None = once(
        "--audience", kind=AUDIENCE, help="Change the audience of the tokens and the trust policy."
    )
    associate: bool = switch(
        "--associate-oidc", help="With --audience: add it to the cluster's OIDC provider."
    )
    pod: roles.PodFlags = group(roles.PodFlags)
    also: str | None = once(
        "--also",
        kind=click.Choice(["pod-identity"]),
        help="Also give pods the role by EKS Pod Identity.",
    )
    session_policy: str | None = roles.session_policy_flag(
        "Limit the role's permissions by EKS Pod Identity."
    )
    remove_session_policy: bool = switch(
        "--remove-session-policy", help="Remove the session policy of EKS Pod Identity."
    )
    verify: bool = switch(
        "--verify", help="Verify at STS that the token is accepted, before changing the ServiceAccount."
    )
    run: RunFlags = group(RunFlags)
    output: RoleOutputFlags = group(RoleOutputFlags)


CONTRADICTIONS: tuple[Rule[UpdateSaOptions], ...] = (
    Excludes("no_permissions_boundary", ("permissions_boundary",)),
    Excludes(
        "remove_target_role",
        ("target_role", "external_id", "target_tag_session", "aws_config_map", "update_target_trust"),
    ),
    Excludes("remove_external_id", ("external_id",)),
    Excludes("remove_aws_config_map", ("aws_config_map",)),
    Excludes("remove_session_policy", ("session_policy",)),
)


@click.command("update-sa", cls=HelpedCommand)
@bound(UpdateSaOptions)
def command(options: UpdateSaOptions) -> int:
    r"""Change a ServiceAccount's role, policies or annotations.

    irsa changes only the properties in the options; all others stay, including inline policies and the
    permissions boundary. The role must be managed by irsa (see irsa adopt). irsa adds before it removes,
    and any failure rolls everything back.

    Examples:
      irsa update-sa s3-reader -n backend -c prod --dry-run \
          --attach-policy-arn arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess
      irsa update-sa worker -c prod --inline-policy queue.json --remove-tag owner
      irsa update-sa app -c prod --label team=a --annotation example.com/note-
    """
    from irsa_cli.usecases.write.update_sa import Request, update_sa

    run = Writing(options.run, options.output)
    destination = Destination(
        options.cluster,
        options.role_account,
        target_way=options.target.way,
        target_role=options.target.target_role,
        kube=options.kube,
    )
    destination.check_reachable()
    target = destination.target(by_profile=True)
    with wrong_usage():
        update = _update(options)
    if update.is_empty:
        raise click.UsageError(
            "no change is given: add for example --attach-policy-arn, --detach-policy-arn or --label"
        )
    if options.associate and update.audience is None:
        raise click.UsageError("--associate-oidc needs --audience (or use irsa associate-oidc)")
    request = Request(
        target,
        options.service_account.namespace,
        options.service_account.name,
        update,
        associate=options.associate,
        verify=options.verify,
        allow_wide_trust=options.allow_wide_trust,
        boundaries=roles.boundary_rules_in_force(may_remove=options.allow_boundary_removal),
    )
    return run.one("update-sa", request, update_sa)


def _update(options: UpdateSaOptions) -> Update:
    """The requested changes; raises `InvalidInput` or `UsageError`."""
    attach = roles.policy_arns("--attach-policy-arn", options.attach_policy_arn)
    detach = roles.policy_arns("--detach-policy-arn", options.detach_policy_arn)
    policies = _exact_policies(options.set_policy_arns)
    if policies is not None and (attach or detach):
        raise click.UsageError("--set-policy-arns contradicts --attach-policy-arn and --detach-policy-arn")
    _differ("--attach-policy-arn", "--detach-policy-arn", attach, detach)
    inline = roles.inline_policies(options.inline_policy)
    _differ("--inline-policy", "--remove-inline-policy", inline, options.remove_inline_policy)
    tags = names.tags(pairs("--tags", options.tags, split=True))
    removed_tags = names.tags(dict.fromkeys(listed(options.remove_tag), ""))
    _differ("--tags", "--remove-tag", map(str.lower, tags), map(str.lower, removed_tags))
    check(options, CONTRADICTIONS)
    target = options.target
    return Update(
        attach=attach,
        detach=detach,
        policies=policies,
        inline={**inline, **dict.fromkeys(options.remove_inline_policy)},
        boundary="" if options.no_permissions_boundary else options.permissions_boundary,
        tags={**tags, **dict.fromkeys(removed_tags)},
        description=options.description,
        max_session_duration=options.max_session_duration,
        labels=_checked("--label", options.label),
        annotations=_checked("--annotation", options.annotation),
        audience=options.audience,
        sts_regional_endpoints=options.pod.sts_regional_endpoints,
        token_expiration=options.pod.token_expiration,
        target_role="" if options.remove_target_role else target.target_role,
        external_id="" if options.remove_external_id else target.external_id,
        target_tag_session=target.target_tag_session,
        aws_config_map="" if options.remove_aws_config_map else target.aws_config_map,
        update_target_trust=target.update_target_trust,
        also_pod_identity=options.also is not None,
        session_policy=_session_policy(options),
    )


def _exact_policies(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The policies of --set-policy-arns; None without the flag."""
    if not values:
        return None
    return roles.policy_arns("--set-policy-arns", () if values == ("none",) else values)


def _session_policy(options: UpdateSaOptions) -> Document | None:
    """The new session policy: {} removes it, None keeps it."""
    return {} if options.remove_session_policy else roles.session_policy(options.session_policy)


def _checked(flag: str, values: tuple[str, ...]) -> dict[str, str | None]:
    """Labels or annotations, checked by the rules of Kubernetes."""
    rule = names.labels if flag == "--label" else names.service_account_annotations
    changes = edits(flag, values)
    rule({key: value or "" for key, value in changes.items()})
    return changes


def _differ(adding: str, removing: str, added: Iterable[str], removed: Iterable[str]) -> None:
    """Raise `UsageError` if one flag adds what the other one removes."""
    both = sorted({*added} & {*removed})
    if both:
        raise click.UsageError(f"{adding} and {removing} contradict each other: {both[0]}")
