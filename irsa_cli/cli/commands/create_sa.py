"""`irsa create-sa`: its options; what it does is in `irsa_cli.usecases.write.create_sa`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, roles, targets
from irsa_cli.cli.options.types import (
    AUDIENCE,
    POLICY_ARN,
    ROLE_ARN,
    ROLE_NAME,
    Checked,
    completed,
    many_filled,
    once,
    once_filled,
    shared,
    switch,
    wrong_usage,
)
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

if TYPE_CHECKING:
    from irsa_cli.core.policies.policy import WellKnown
    from irsa_cli.usecases.write.create_sa import Request


@click.command("create-sa", cls=HelpedCommand)
@common.binding_options
@shared("cluster", "role account", "target role", "kube", "attach policy")
@shared("inline policy", text="Add the policy document in this file to the role (repeat).")
@many_filled(
    "--well-known-policy",
    metavar="NAME[:PARAMETER=VALUE,...]",
    shell_complete=completed("policies"),
    help="Add the policy of a well-known controller (repeat): irsa policies list.",
)
@switch("--no-policy", help="Create the role without any policy.")
@once("--attach-role-arn", type=ROLE_ARN, help="Use an existing role instead of creating one.")
@switch("--update-trust", help="With --attach-role-arn: add the missing trust statement.")
@switch("--force", help="With --update-trust: add it even if it voids an existing restriction.")
@once("--role-name", type=ROLE_NAME, help="Name of the role. [default: from cluster, namespace and name]")
@once(
    "--role-path", type=Checked("path", "names.role_path"), help="Path of the role. [default: /irsa/CLUSTER/]"
)
@switch("--role-only", help="Create the role only, without the ServiceAccount.")
@once(
    "--permissions-boundary",
    type=POLICY_ARN,
    help="Permissions boundary of the role. [default: IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
)
@shared("max session", text=" [default: 1h]")
@shared("description")
@many_filled("--tags", metavar="K=V,...", help="Tags of the role (repeat, or comma-separated).")
@many_filled("--label", metavar="K=V", help="Label of the ServiceAccount (repeat).")
@many_filled("--annotation", metavar="K=V", help="Annotation of the ServiceAccount (repeat).")
@once("--audience", type=AUDIENCE, help="Audience of the pods' tokens. [default: sts.amazonaws.com]")
@once_filled(
    "--subject-pattern",
    metavar="PATTERN",
    help="Trust all ServiceAccounts of the namespace with matching names (* and ?).",
)
@switch("--pod-identity", help="Give pods the role by EKS Pod Identity instead of the annotation.")
@shared("session policy", text="With --pod-identity: limit the role's permissions by this policy.")
@switch("--disable-session-tags", help="With --pod-identity: add no session tags.")
@switch("--create-service-account", help="With --pod-identity: create the ServiceAccount if it is missing.")
@roles.allow_wide_trust_option
@shared("pod")
@click.option(
    "--create-namespace/--no-create-namespace",
    default=True,
    help="Create the namespace if it is missing. [default: --create-namespace]",
)
@switch("--associate-oidc", "associate", help="Create the cluster's OIDC provider if it is missing.")
@switch(
    "--override-existing-serviceaccounts",
    "override",
    help="Replace the role of a ServiceAccount that has another one.",
)
@switch("--verify", help="Verify at STS that the token is accepted, before annotating the ServiceAccount.")
@common.writing_options
def command(**options: Any) -> int:
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

    if str(options["name"]).endswith((".yaml", ".yml")):
        raise click.UsageError(f"{options['name']} is a file: use irsa apply -f")
    run = Writing(options)
    return run.one("create-sa", _request(options), create_sa)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.core.binding.spec import BindingSpec, Options
    from irsa_cli.usecases.write.create_sa import Request

    _check_combinations(options)
    target = targets.take_target(options)
    same: dict[str, Any] = {name: options[name] or "" for name in _TEXTS}
    same |= {name: options[name] for name in _SAME}
    name = options.pop("name")
    well_known: tuple[WellKnown, ...] = ()
    if options["well_known_policy"]:
        from irsa_cli.core.policies import wellknown_uses

        with wrong_usage("--well-known-policy"):
            well_known = wellknown_uses.read_uses(options["well_known_policy"])
    with wrong_usage():
        spec = BindingSpec(
            name=name,
            namespace=options["namespace"],
            policies=roles.policy_arns("--attach-policy-arn", options["attach_policy_arn"]),
            inline=roles.inline_policies(options["inline_policy"]),
            well_known=well_known,
            tags=names.tags(common.pairs("--tags", options["tags"], split=True)),
            labels=names.labels(common.pairs("--label", options["label"])),
            annotations=names.service_account_annotations(
                common.pairs("--annotation", options["annotation"])
            ),
            audience=options["audience"] or DEFAULT_AUDIENCE,
            subject_pattern=names.subject_pattern(options["subject_pattern"] or ""),
            target_tag_session=bool(options["target_tag_session"]),
            **same,
            pod_identity=options["pod_identity"],
            web_identity=not options["pod_identity"],
            session_policy=roles.session_policy(options) or {},
            disable_session_tags=options["disable_session_tags"],
            create_service_account=options["create_service_account"],
        )
    _check_policies(options)
    run = Options(**{name: options[name] for name in _OF_THE_RUN}, gated=options["verify"])
    return Request(target, spec, run, roles.take_boundary_rules())


_TEXTS = (
    "attach_role_arn", "role_name", "role_path", "permissions_boundary", "target_role", "external_id",
    "aws_config_map",
)  # fmt: skip
_SAME = ("description", "max_session_duration", "sts_regional_endpoints", "token_expiration", "role_only")
_OF_THE_RUN = (
    "create_namespace", "override", "update_trust", "update_target_trust", "force", "associate",
    "allow_wide_trust",
)  # fmt: skip
_OF_A_NEW_ROLE = (
    "attach_policy_arn", "inline_policy", "well_known_policy", "role_name", "role_path", "role_only",
    "permissions_boundary", "max_session_duration", "description", "tags", "subject_pattern", "target_role",
)  # fmt: skip
_OF_AN_ASSOCIATION = ("target_role", "tags")
_OF_PERMISSIONS = (
    "attach_policy_arn",
    "inline_policy",
    "well_known_policy",
    "target_role",
    "attach_role_arn",
)


_NEEDED: Mapping[str, tuple[str, ...]] = {
    "attach_role_arn": ("update_trust",),
    "target_role": ("external_id", "target_tag_session", "update_target_trust", "aws_config_map"),
    "update_trust": ("force",),
    "pod_identity": ("session_policy", "disable_session_tags", "create_service_account"),
}
"""Options, and those that need them."""
_OF_IRSA = ("verify", "associate", "audience", "subject_pattern", "role_only", "external_id")
_OF_THE_SERVICE_ACCOUNT = ("aws_config_map", "verify", "label", "annotation")


def _flag(option: str) -> str:
    return "--associate-oidc" if option == "associate" else f"--{option.replace('_', '-')}"


def _check_combinations(options: dict[str, Any]) -> None:
    if options["attach_role_arn"]:
        for option in filter(options.get, _OF_A_NEW_ROLE):
            if options["pod_identity"] and option in _OF_AN_ASSOCIATION:
                continue
            raise click.UsageError(f"--attach-role-arn and {_flag(option)} contradict each other")
    for needed, others in _NEEDED.items():
        for option in () if options[needed] else filter(options.get, others):
            raise click.UsageError(f"{_flag(option)} needs {_flag(needed)}")
    if options["pod_identity"]:
        for option in filter(options.get, _OF_IRSA):
            raise click.UsageError(f"{_flag(option)} is for IRSA: not with --pod-identity")
    if options["role_only"]:
        for option in filter(options.get, _OF_THE_SERVICE_ACCOUNT):
            raise click.UsageError(f"{_flag(option)} needs the ServiceAccount: not with --role-only")
    else:
        common.check_reachable(options)


def _check_policies(options: dict[str, Any]) -> None:
    """Refuse a role without permissions, unless the user asks for one."""
    given = [f"--{flag.replace('_', '-')}" for flag in _OF_PERMISSIONS if options[flag]]
    if options["no_policy"] and given:
        raise click.UsageError(f"--no-policy contradicts {given[0]}")
    if not options["no_policy"] and not given:
        raise click.UsageError(
            "give the role a policy: --attach-policy-arn, --inline-policy or --well-known-policy"
            " (for a role without permissions: --no-policy)"
        )
