"""`irsa create-sa`: its options; what it does is in `irsa_cli.usecases.write.create_sa`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import completion, roles
from irsa_cli.cli.options.accounts import NameFlags
from irsa_cli.cli.options.contradictions import Excludes, Needs, Rule, Wrong, check
from irsa_cli.cli.options.fields import bound, either, group, many, once, switch
from irsa_cli.cli.options.kinds import AUDIENCE, POLICY_ARN, ROLE_ARN, ROLE_NAME, TEXT, Checked
from irsa_cli.cli.options.outputs import RoleOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags, TargetRoleFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.options.values import pairs, wrong_usage
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

if TYPE_CHECKING:
    from irsa_cli.core.binding.spec import BindingSpec
    from irsa_cli.core.policies.policy import WellKnown
    from irsa_cli.usecases.write.create_sa import Request


@dataclass(frozen=True, kw_only=True)
class CreateSaOptions:
    """The desired ServiceAccount and role, and how far the run may go."""

    service_account: NameFlags = group(NameFlags)
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    target: TargetRoleFlags = group(TargetRoleFlags)
    kube: KubeFlags = group(KubeFlags)
    attach_policy_arn: tuple[str, ...] = roles.attach_policy_flag()
    inline_policy: tuple[str, ...] = roles.inline_policy_flag(
        "Add the policy document in this file to the role (repeat)."
    )
    well_known_policy: tuple[str, ...] = many(
        "--well-known-policy",
        kind=TEXT,
        metavar="NAME[:PARAMETER=VALUE,...]",
        shell_complete=completion.well_known_policies,
        help="Add the policy of a well-known controller (repeat): irsa policies list.",
    )
    no_policy: bool = switch("--no-policy", help="Create the role without any policy.")
    attach_role_arn: str | None = once(
        "--attach-role-arn", kind=ROLE_ARN, help="Use an existing role instead of creating one."
    )
    update_trust: bool = switch(
        "--update-trust", help="With --attach-role-arn: add the missing trust statement."
    )
    force: bool = switch(
        "--force", help="With --update-trust: add it even if it voids an existing restriction."
    )
    role_name: str | None = once(
        "--role-name",
        kind=ROLE_NAME,
        help="Name of the role. [default: from cluster, namespace and name]",
    )
    role_path: str | None = once(
        "--role-path",
        kind=Checked("path", names.role_path),
        help="Path of the role. [default: /irsa/CLUSTER/]",
    )
    role_only: bool = switch("--role-only", help="Create the role only, without the ServiceAccount.")
    permissions_boundary: str | None = once(
        "--permissions-boundary",
        kind=POLICY_ARN,
        help="Permissions boundary of the role. [default: IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
    )
    max_session_duration: int | None = roles.max_session_flag(" [default: 1h]")
    description: str | None = roles.description_flag()
    tags: tuple[str, ...] = many(
        "--tags", kind=TEXT, metavar="K=V,...", help="Tags of the role (repeat, or comma-separated)."
    )
    label: tuple[str, ...] = many(
        "--label", kind=TEXT, metavar="K=V", help="Label of the ServiceAccount (repeat)."
    )
    annotation: tuple[str, ...] = many(
        "--annotation", kind=TEXT, metavar="K=V", help="Annotation of the ServiceAccount (repeat)."
    )
    audience: str | None = once(
        "--audience", kind=AUDIENCE, help="Audience of the pods' tokens. [default: sts.amazonaws.com]"
    )
    subject_pattern: str | None = once(
        "--subject-pattern",
        kind=TEXT,
        metavar="PATTERN",
        help="Trust all ServiceAccounts of the namespace with matching names (* and ?).",
    )
    pod_identity: bool = switch(
        "--pod-identity", help="Give pods the role by EKS Pod Identity instead of the annotation."
    )
    session_policy: str | None = roles.session_policy_flag(
        "With --pod-identity: limit the role's permissions by this policy."
    )
    disable_session_tags: bool = switch(
        "--disable-session-tags", help="With --pod-identity: add no session tags."
    )
    create_service_account: bool = switch(
        "--create-service-account", help="With --pod-identity: create the ServiceAccount if it is missing."
    )
    allow_wide_trust: bool = roles.allow_wide_trust_flag()
    pod: roles.PodFlags = group(roles.PodFlags)
    create_namespace: bool = either(
        "--create-namespace/--no-create-namespace",
        default=True,
        help="Create the namespace if it is missing. [default: --create-namespace]",
    )
    associate: bool = switch("--associate-oidc", help="Create the cluster's OIDC provider if it is missing.")
    override: bool = switch(
        "--override-existing-serviceaccounts",
        help="Replace the role of a ServiceAccount that has another one.",
    )
    verify: bool = switch(
        "--verify", help="Verify at STS that the token is accepted, before annotating the ServiceAccount."
    )
    run: RunFlags = group(RunFlags)
    output: RoleOutputFlags = group(RoleOutputFlags)


_POLICIES = ("attach_policy_arn", "inline_policy", "well_known_policy")
_OF_A_NEW_ROLE = (
    *_POLICIES,
    *("role_name", "role_path", "role_only", "permissions_boundary", "max_session_duration", "description"),
)
CONTRADICTIONS: tuple[Rule[CreateSaOptions], ...] = (
    Excludes("attach_role_arn", _OF_A_NEW_ROLE),
    Excludes("attach_role_arn", ("tags",), unless="pod_identity"),
    Excludes("attach_role_arn", ("subject_pattern",)),
    Excludes("attach_role_arn", ("target_role",), unless="pod_identity"),
    Needs(("update_trust",), "attach_role_arn"),
    Needs(("external_id", "target_tag_session", "update_target_trust", "aws_config_map"), "target_role"),
    Needs(("force",), "update_trust"),
    Needs(("session_policy", "disable_session_tags", "create_service_account"), "pod_identity"),
    Excludes(
        "pod_identity",
        ("verify", "associate", "audience", "subject_pattern", "role_only", "external_id"),
        "{other} is for IRSA: not with {flag}",
    ),
    Excludes(
        "role_only",
        ("aws_config_map", "verify", "label", "annotation"),
        "{other} needs the ServiceAccount: not with {flag}",
    ),
)
PERMISSIONS: tuple[Rule[CreateSaOptions], ...] = (
    Excludes("no_policy", (*_POLICIES, "target_role", "attach_role_arn"), "{flag} contradicts {other}"),
    Wrong(
        lambda options: not (options.no_policy or _has_permissions(options)),
        "give the role a policy: --attach-policy-arn, --inline-policy or --well-known-policy"
        " (for a role without permissions: --no-policy)",
    ),
)
"""A role without permissions is created only if the user asks for one."""


def _has_permissions(options: CreateSaOptions) -> bool:
    own = options.attach_policy_arn or options.inline_policy or options.well_known_policy
    return bool(own or options.target.target_role or options.attach_role_arn)


@click.command("create-sa", cls=HelpedCommand)
@bound(CreateSaOptions)
def command(options: CreateSaOptions) -> int:
    r"""Create an IAM role for a ServiceAccount.

    irsa creates the role with a trust policy for this ServiceAccount only, attaches the policies, and
    creates or annotates the ServiceAccount, all in one transaction: any failure rolls everything back.
    A second run with the same options changes nothing. Existing resources that differ are reported and
    never overwritten.

    Examples:
      irsa create-sa s3-reader -n backend -c prod \
          --attach-policy-arn AmazonS3ReadOnlyAccess --verify
      irsa create-sa worker -c prod --inline-policy queue.json --dry-run
      irsa create-sa app -c prod --update-trust \
          --attach-role-arn arn:aws:iam::111122223333:role/shared
      irsa create-sa worker -c prod --pod-identity --inline-policy queue.json
    """
    from irsa_cli.cli.session import Writing
    from irsa_cli.usecases.write.create_sa import create_sa

    name = options.service_account.name
    if name.endswith((".yaml", ".yml")):
        raise click.UsageError(f"{name} is a file: use irsa apply -f")
    run = Writing(options.run, options.output)
    return run.one("create-sa", _request(options), create_sa)


def _request(options: CreateSaOptions) -> Request:
    from irsa_cli.core.binding import spec
    from irsa_cli.usecases.write.create_sa import Request

    check(options, CONTRADICTIONS)
    destination = Destination(
        options.cluster,
        options.role_account,
        target_way=options.target.way,
        target_role=options.target.target_role,
        kube=options.kube,
    )
    if not options.role_only:
        destination.check_reachable()
    target = destination.target()
    with wrong_usage():
        binding = _spec(options)
    check(options, PERMISSIONS)
    permitted = spec.Options(
        create_namespace=options.create_namespace,
        override=options.override,
        update_trust=options.update_trust,
        update_target_trust=options.target.update_target_trust,
        force=options.force,
        associate=options.associate,
        allow_wide_trust=options.allow_wide_trust,
        gated=options.verify,
    )
    return Request(target, binding, permitted, roles.boundary_rules_in_force())


def _spec(options: CreateSaOptions) -> BindingSpec:
    """The desired ServiceAccount; raises `InvalidInput`."""
    from irsa_cli.core.binding.spec import BindingSpec

    well_known = _well_known(options.well_known_policy)
    return BindingSpec(
        name=options.service_account.name,
        namespace=options.service_account.namespace,
        policies=roles.policy_arns("--attach-policy-arn", options.attach_policy_arn),
        inline=roles.inline_policies(options.inline_policy),
        well_known=well_known,
        attach_role_arn=options.attach_role_arn or "",
        role_name=options.role_name or "",
        role_path=options.role_path or "",
        role_only=options.role_only,
        permissions_boundary=options.permissions_boundary or "",
        max_session_duration=options.max_session_duration,
        description=options.description,
        tags=names.tags(pairs("--tags", options.tags, split=True)),
        labels=names.labels(pairs("--label", options.label)),
        annotations=names.service_account_annotations(pairs("--annotation", options.annotation)),
        audience=options.audience or DEFAULT_AUDIENCE,
        subject_pattern=names.subject_pattern(options.subject_pattern or ""),
        sts_regional_endpoints=options.pod.sts_regional_endpoints,
        token_expiration=options.pod.token_expiration,
        target_role=options.target.target_role or "",
        external_id=options.target.external_id or "",
        target_tag_session=bool(options.target.target_tag_session),
        aws_config_map=options.target.aws_config_map or "",
        pod_identity=options.pod_identity,
        web_identity=not options.pod_identity,
        session_policy=roles.session_policy(options.session_policy) or {},
        disable_session_tags=options.disable_session_tags,
        create_service_account=options.create_service_account,
    )


def _well_known(uses: tuple[str, ...]) -> tuple[WellKnown, ...]:
    if not uses:
        return ()
    from irsa_cli.core.policies import wellknown_uses

    with wrong_usage("--well-known-policy"):
        return wellknown_uses.read_uses(uses)
