"""`irsa update-sa`: its options; what it does is in `irsa_cli.usecases.write.update_sa`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, roles, targets
from irsa_cli.cli.options.types import AUDIENCE, Checked, many, many_filled, once, shared, switch, wrong_usage
from irsa_cli.cli.session import Writing
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values import names


@click.command("update-sa", cls=HelpedCommand)
@common.binding_options
@shared("cluster", "role account", "target role")
@switch("--remove-target-role", help="Remove the target role.")
@switch("--remove-external-id", help="Remove the external ID of the target role.")
@switch("--remove-aws-config-map", help="Delete the ConfigMap of --aws-config-map.")
@shared("kube", "attach policy")
@many_filled(
    "--detach-policy-arn", metavar="ARN", help="Detach this managed policy (repeat, or comma-separated)."
)
@many_filled(
    "--set-policy-arns",
    metavar="ARN,...",
    help="Attach these managed policies and detach all others; 'none' detaches all.",
)
@shared("inline policy", text="Add or replace the policy document in this file (repeat).")
@many(
    "--remove-inline-policy",
    type=Checked("name", "names.inline_policy"),
    help="Remove the inline policy of this name (repeat).",
)
@once(
    "--permissions-boundary",
    type=Checked("arn", "arn.check_boundary"),
    help="Set the permissions boundary; 'none' removes it."
    " [default: IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
)
@switch("--no-permissions-boundary", help="Remove the role's permissions boundary.")
@shared("allow boundary removal")
@roles.allow_wide_trust_option
@shared("max session", text="")
@shared("description")
@many_filled("--tags", metavar="K=V,...", help="Set tags of the role (repeat, or comma-separated).")
@many_filled("--remove-tag", metavar="K,...", help="Remove tags (repeat, or comma-separated).")
@many_filled("--label", metavar="K=V", help="Set a label of the ServiceAccount; K- removes it (repeat).")
@many_filled(
    "--annotation", metavar="K=V", help="Set an annotation of the ServiceAccount; K- removes it (repeat)."
)
@once("--audience", type=AUDIENCE, help="Change the audience of the tokens and the trust policy.")
@switch("--associate-oidc", "associate", help="With --audience: add it to the cluster's OIDC provider.")
@shared("pod")
@once("--also", type=click.Choice(["pod-identity"]), help="Also give pods the role by EKS Pod Identity.")
@shared("session policy", text="Limit the role's permissions by EKS Pod Identity.")
@switch("--remove-session-policy", help="Remove the session policy of EKS Pod Identity.")
@switch("--verify", help="Verify at STS that the token is accepted, before changing the ServiceAccount.")
@common.writing_options
def command(**options: Any) -> int:
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

    run = Writing(options)
    common.check_reachable(options)
    target = targets.take_target(options, by_profile=True)
    with wrong_usage():
        update = _update(options)
    if update.is_empty:
        raise click.UsageError(
            "no change is given: add for example --attach-policy-arn, --detach-policy-arn or --label"
        )
    if options["associate"] and update.audience is None:
        raise click.UsageError("--associate-oidc needs --audience (or use irsa associate-oidc)")
    boundaries = roles.take_boundary_rules(may_remove=options["allow_boundary_removal"])
    same = {name: options[name] for name in ("associate", "verify", "allow_wide_trust")}
    request = Request(target, options["namespace"], options["name"], update, boundaries=boundaries, **same)
    return run.one("update-sa", request, update_sa)


_SAME = (
    *("description", "max_session_duration", "audience", "sts_regional_endpoints", "token_expiration"),
    *("target_tag_session", "update_target_trust"),
)


def _update(options: dict[str, Any]) -> Update:
    attach = roles.policy_arns("--attach-policy-arn", options["attach_policy_arn"])
    detach = roles.policy_arns("--detach-policy-arn", options["detach_policy_arn"])
    exact = options["set_policy_arns"]
    policies = (
        None if not exact else roles.policy_arns("--set-policy-arns", () if exact == ("none",) else exact)
    )
    if policies is not None and (attach or detach):
        raise click.UsageError("--set-policy-arns contradicts --attach-policy-arn and --detach-policy-arn")
    _differ("--attach-policy-arn", "--detach-policy-arn", attach, detach)
    inline = roles.inline_policies(options["inline_policy"])
    _differ("--inline-policy", "--remove-inline-policy", inline, options["remove_inline_policy"])
    tags = names.tags(common.pairs("--tags", options["tags"], split=True))
    gone = names.tags(dict.fromkeys(common.listed(options["remove_tag"]), ""))
    _differ("--tags", "--remove-tag", map(str.lower, tags), map(str.lower, gone))
    return Update(
        attach=attach,
        detach=detach,
        policies=policies,
        inline={**inline, **dict.fromkeys(options["remove_inline_policy"])},
        boundary=_or_removed(options, "permissions_boundary", "no"),
        tags={**tags, **dict.fromkeys(gone)},
        labels=_checked("--label", options["label"]),
        annotations=_checked("--annotation", options["annotation"]),
        target_role=_target_role(options),
        external_id=_or_removed(options, "external_id"),
        aws_config_map=_or_removed(options, "aws_config_map"),
        also_pod_identity=options["also"] is not None,
        session_policy=_session_policy(options),
        **{name: options[name] for name in _SAME},
    )


def _session_policy(options: dict[str, Any]) -> Document | None:
    found = roles.session_policy(options)
    if options["remove_session_policy"] and found is not None:
        raise _contradicting("remove_session_policy", "session_policy")
    return {} if options["remove_session_policy"] else found


def _target_role(options: dict[str, Any]) -> str | None:
    found = _or_removed(options, "target_role")
    for flag in ("external_id", "target_tag_session", "aws_config_map", "update_target_trust"):
        if options["remove_target_role"] and options[flag]:
            raise _contradicting("remove_target_role", flag)
    return found


def _or_removed(options: dict[str, Any], flag: str, remove: str = "remove") -> str | None:
    """The value of a flag, or '' to remove it."""
    given: str | None = options[flag]
    if not options[f"{remove}_{flag}"]:
        return given
    if given:
        raise _contradicting(f"{remove}_{flag}", flag)
    return ""


def _contradicting(*flags: str) -> click.UsageError:
    one, other = (flag.replace("_", "-") for flag in flags)
    return click.UsageError(f"--{one} and --{other} contradict each other")


def _checked(flag: str, values: tuple[str, ...]) -> dict[str, str | None]:
    """Labels or annotations, checked by the rules of Kubernetes."""
    check = names.labels if flag == "--label" else names.service_account_annotations
    found = roles.edits(flag, values)
    check({key: value or "" for key, value in found.items()})
    return found


def _differ(one: str, other: str, these: Iterable[str], those: Iterable[str]) -> None:
    for item in sorted({*these} & {*those}):
        raise click.UsageError(f"{one} and {other} contradict each other: {item}")
