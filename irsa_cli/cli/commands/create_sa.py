"""`irsa create-sa`: its options; what it does is in `irsa_cli.usecases.write.create_sa`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, roles, selecting, targets
from irsa_cli.cli.options.types import (
    AUDIENCE,
    POLICY_ARN,
    ROLE_ARN,
    ROLE_NAME,
    Checked,
    completed,
    many,
    many_filled,
    once,
    once_filled,
    switch,
    wrong_usage,
)
from irsa_cli.cli.session import run_writing
from irsa_cli.core.binding.spec import BindingSpec, Options
from irsa_cli.core.policies import wellknown
from irsa_cli.core.policies.wellknown import WellKnown
from irsa_cli.core.values import names
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

if TYPE_CHECKING:
    from irsa_cli.usecases.write.create_sa import Request

_EPILOG = """
\b
Examples:
  irsa create-sa s3-reader -n backend -c prod --attach-policy-arn AmazonS3ReadOnlyAccess --verify
  irsa create-sa worker -c prod --inline-policy queue.json --dry-run
  irsa create-sa app -c prod --attach-role-arn arn:aws:iam::111122223333:role/shared --update-trust
"""


@click.command("create-sa", cls=HelpedCommand, epilog=_EPILOG)
@selecting.binding_options
@common.cluster_options
@targets.role_account_options
@targets.target_role_options
@common.kube_options
@roles.attach_policy_option
@many(
    "--inline-policy",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Put this policy document on the role (repeat); it is named after the file.",
)
@many_filled(
    "--well-known-policy",
    metavar="NAME[:PARAMETER=VALUE,...]",
    shell_complete=completed("policies"),
    help="Give the role what a well-known controller needs (repeat); irsa policies list shows the names.",
)
@switch("--no-policy", help="Create the role without any policy.")
@once("--attach-role-arn", type=ROLE_ARN, help="Use this existing role instead of creating one.")
@switch("--update-trust", help="With --attach-role-arn: add the statement that its trust policy lacks.")
@switch(
    "--force",
    help="With --update-trust: add it also where it voids a restriction of a statement that is there.",
)
@once(
    "--role-name", type=ROLE_NAME, help="Name of the role. [default: made from cluster, namespace and name]"
)
@once(
    "--role-path", type=Checked("path", "names.role_path"), help="Path of the role. [default: /irsa/CLUSTER/]"
)
@switch("--role-only", help="Make the role and leave the ServiceAccount to others.")
@once(
    "--permissions-boundary",
    type=POLICY_ARN,
    help="Permissions boundary of the role. [default: IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
)
@roles.max_session_option(" [default: 1h]")
@roles.description_option
@many_filled("--tags", metavar="K=V,...", help="Tags of the role (repeat, or separate by commas).")
@many_filled("--label", metavar="K=V", help="Label of the ServiceAccount (repeat).")
@many_filled("--annotation", metavar="K=V", help="Annotation of the ServiceAccount (repeat).")
@once("--audience", type=AUDIENCE, help="Audience of the pods' tokens. [default: sts.amazonaws.com]")
@once_filled(
    "--subject-pattern",
    metavar="PATTERN",
    help="Admit all ServiceAccounts of the namespace whose name matches (wildcards * and ?).",
)
@roles.allow_wide_trust_option
@roles.pod_options
@click.option(
    "--create-namespace/--no-create-namespace",
    default=True,
    help="Make the namespace where it is missing. [default: make it]",
)
@switch("--associate-oidc", "associate", help="Make the cluster's OIDC provider, too, where it is missing.")
@switch(
    "--override-existing-serviceaccounts",
    "override",
    help="Let a ServiceAccount that has another role change to this one.",
)
@switch("--verify", help="Prove at STS that the token is accepted, before the ServiceAccount gets its role.")
@common.writing_options
@click.option("-f", "--config-file", hidden=True)
@click.option("--include", hidden=True)
@click.option("--exclude", hidden=True)
def command(**options: Any) -> int:
    """Give a ServiceAccount its own IAM role, in one transaction.

    Makes the role (with a trust policy for exactly this ServiceAccount), attaches the policies, and
    creates or annotates the ServiceAccount. A failure at any point rolls everything back. Run again
    with the same options, it does nothing; what exists and differs is reported and never overwritten.
    """
    from irsa_cli.usecases.write.create_sa import create_sa

    _refuse_files(options)
    return run_writing(options, "create-sa", _request, create_sa)


def _refuse_files(options: dict[str, Any]) -> None:
    for flag in ("config_file", "include", "exclude"):
        if options.pop(flag) is not None:
            raise click.UsageError(
                f"--{flag.replace('_', '-')}: one ServiceAccount a call; name it on the command line"
            )


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.write.create_sa import Request

    _check_combinations(options)
    target = targets.take_target(options)
    name = options.pop("name")
    with wrong_usage():
        spec = BindingSpec(
            name=name,
            namespace=options["namespace"],
            policies=roles.policy_arns("--attach-policy-arn", options["attach_policy_arn"]),
            inline=roles.inline_policies(options["inline_policy"]),
            well_known=_well_known(options["well_known_policy"]),
            attach_role_arn=options["attach_role_arn"] or "",
            role_name=options["role_name"] or "",
            role_path=options["role_path"] or "",
            description=options["description"],
            max_session_duration=options["max_session_duration"],
            permissions_boundary=options["permissions_boundary"] or "",
            tags=names.tags(common.pairs("--tags", options["tags"], split=True)),
            labels=names.labels(common.pairs("--label", options["label"])),
            annotations=names.service_account_annotations(
                common.pairs("--annotation", options["annotation"])
            ),
            audience=options["audience"] or DEFAULT_AUDIENCE,
            sts_regional_endpoints=options["sts_regional_endpoints"],
            token_expiration=options["token_expiration"],
            subject_pattern=names.subject_pattern(options["subject_pattern"] or ""),
            role_only=options["role_only"],
            target_role=options["target_role"] or "",
            external_id=options["external_id"] or "",
            target_tag_session=bool(options["target_tag_session"]),
            aws_config_map=options["aws_config_map"] or "",
        )
    _check_policies(options)
    return Request(target, spec, _options(options), roles.take_boundary_rules())


def _options(options: dict[str, Any]) -> Options:
    return Options(
        create_namespace=options["create_namespace"],
        override=options["override"],
        update_trust=options["update_trust"],
        update_target_trust=options["update_target_trust"],
        force=options["force"],
        associate=options["associate"],
        allow_wide_trust=options["allow_wide_trust"],
        gated=options["verify"],
    )


_OF_A_NEW_ROLE = (
    "attach_policy_arn", "inline_policy", "well_known_policy", "role_name", "role_path", "role_only",
    "permissions_boundary", "max_session_duration", "description", "tags", "subject_pattern", "target_role",
)  # fmt: skip
_OF_PERMISSIONS = (
    "attach_policy_arn",
    "inline_policy",
    "well_known_policy",
    "target_role",
    "attach_role_arn",
)
_OF_THE_SERVICE_ACCOUNT = {
    ("aws-config-map",): "is of",
    ("verify",): "needs",
    ("label", "annotation"): "are of",
}


def _check_combinations(options: dict[str, Any]) -> None:
    """Flags that contradict each other, named."""
    if options["attach_role_arn"]:
        for flag in filter(options.get, _OF_A_NEW_ROLE):
            raise click.UsageError(
                f"--attach-role-arn uses a role as it is: --{flag.replace('_', '-')} contradicts it"
            )
    elif options["update_trust"]:
        raise click.UsageError("--update-trust needs --attach-role-arn")
    for flag in ("external_id", "target_tag_session", "update_target_trust", "aws_config_map"):
        if options[flag] and not options["target_role"]:
            raise click.UsageError(f"--{flag.replace('_', '-')} needs --target-role")
    if options["force"] and not options["update_trust"]:
        raise click.UsageError("--force needs --update-trust")
    for flags, verb in _OF_THE_SERVICE_ACCOUNT.items():
        if options["role_only"] and any(options[flag.replace("-", "_")] for flag in flags):
            named = " and ".join(f"--{flag}" for flag in flags)
            raise click.UsageError(f"{named} {verb} the ServiceAccount, and --role-only doesn't make it")
    if not options["role_only"]:
        selecting.check_reachable(options)


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


def _well_known(texts: tuple[str, ...]) -> tuple[WellKnown, ...]:
    with wrong_usage("--well-known-policy"):
        return wellknown.read_uses(texts)
