"""The options about a role and its ServiceAccount that create-sa and update-sa share, and their values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import DOCUMENT
from irsa_cli.cli.options import completion
from irsa_cli.cli.options.fields import either, many, once, switch
from irsa_cli.cli.options.kinds import POLICY_FILE, TEXT, Checked, WholeSeconds
from irsa_cli.cli.options.values import listed, wrong_usage
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput

if TYPE_CHECKING:
    from irsa_cli.core.binding.boundaries import BoundaryRules
    from irsa_cli.core.policies.policy import Document


DESCRIPTION = Checked("text", names.description)


def _unless_never(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    """Refuse the flag if the project's `.irsa.yaml` forbids it."""
    if value:
        from irsa_cli.usecases.command.project_settings import read_project

        with wrong_usage():
            project = read_project(Path.cwd())
        if project.never_wide_trust:
            raise click.UsageError(f"--allow-wide-trust: {project.place('allowWideTrust')} is never", context)
    return value


def allow_wide_trust_flag() -> bool:
    return switch(
        "--allow-wide-trust",
        callback=_unless_never,
        help="Allow an overly broad trust policy, or trust in a powerful role.",
    )


def ignore_maker_flag() -> bool:
    return switch("--ignore-maker", help="Continue if another tool may manage the role.")


def allow_boundary_removal_flag() -> bool:
    return switch("--allow-boundary-removal", help="Allow the removal of a role's permissions boundary.")


def attach_policy_flag() -> tuple[str, ...]:
    return many(
        "--attach-policy-arn",
        kind=TEXT,
        metavar="ARN|NAME",
        shell_complete=completion.managed_policies,
        help="Attach this managed policy, by ARN or name (repeat, or separate by commas).",
    )


def inline_policy_flag(help_text: str) -> tuple[str, ...]:
    return many("--inline-policy", kind=POLICY_FILE, metavar="FILE", help=help_text)


def session_policy_flag(help_text: str) -> str | None:
    return once("--session-policy", kind=POLICY_FILE, metavar="FILE", help=help_text)


def description_flag() -> str | None:
    return once("--description", kind=DESCRIPTION, help="Description of the role.")


def max_session_flag(more: str = "") -> int | None:
    return once(
        "--max-session-duration",
        kind=WholeSeconds("1h", "12h"),
        help=f"Longest session of the role, 1h to 12h.{more}",
    )


@dataclass(frozen=True, kw_only=True)
class PodFlags:
    """Settings of the SDK in pods, as annotations of the ServiceAccount."""

    sts_regional_endpoints: bool | None = either(
        "--sts-regional-endpoints/--no-sts-regional-endpoints",
        help="Use the regional (or the global) STS endpoint in pods.",
    )
    token_expiration: int | None = once(
        "--token-expiration",
        kind=WholeSeconds("10m", "24h"),
        help="Lifetime of the pods' tokens, 10m to 24h.",
    )


def boundary_rules_in_force(*, may_remove: bool = False) -> BoundaryRules:
    """The rules for permissions boundaries, from the environment and `.irsa.yaml`."""
    from irsa_cli.usecases.command.project_settings import boundary_rules

    with wrong_usage():
        return boundary_rules(may_remove=may_remove)


def policy_arns(flag: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Managed policies by ARN or name, given by repeating a flag or with commas: at most 20."""
    from irsa_cli.core.policies import policy

    policies = listed(values)
    if any(value.lstrip().startswith("{") for value in values):
        raise click.BadParameter(DOCUMENT, param_hint=flag)
    for text in policies:
        with wrong_usage(flag):
            arn.check_policy_or_name(text)
    if len(policies) > policy.MANAGED_LIMIT:
        raise click.BadParameter(
            f"{len(policies)} policies; a role can have {policy.MANAGED_LIMIT}", param_hint=flag
        )
    return policies


def inline_policies(files: tuple[str, ...], flag: str = "--inline-policy") -> dict[str, Document]:
    """The policy documents by the names of their files."""
    if not files:
        return {}
    from irsa_cli.core.config.policies import read_policy
    from irsa_cli.core.policies import policy
    from irsa_cli.usecases.texts import read_text

    documents: dict[str, Document] = {}
    for file in files:
        name = "stdin" if file == "-" else Path(file).name.removesuffix(".json")
        with wrong_usage(flag):
            names.inline_policy(name)
            document = read_policy(read_text(file), file)
            if name in documents and not policy.equal(documents[name], document):
                raise InvalidInput(
                    f"two inline policies have the name {name}", reason="they are named after their files"
                )
        documents[name] = document
    if sum(map(policy.size, documents.values())) > policy.INLINE_LIMIT:
        raise click.BadParameter(
            f"together they are larger than IAM's limit of {policy.INLINE_LIMIT} characters",
            param_hint=flag,
        )
    return documents


def session_policy(file: str | None) -> Document | None:
    """The document of --session-policy, None without one."""
    if not file:
        return None
    (document,) = inline_policies((file,), "--session-policy").values()
    return document
