"""The options about a role and its ServiceAccount that create-sa and update-sa share, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import DOCUMENT
from irsa_cli.cli.options import types
from irsa_cli.cli.options.common import listed
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput

if TYPE_CHECKING:
    from irsa_cli.core.binding.boundaries import BoundaryRules
    from irsa_cli.core.policies.policy import Document


def _unless_never(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    """Refuse the flag if the project's `.irsa.yaml` forbids it."""
    if value:
        from irsa_cli.usecases.command.project_settings import read_project

        with types.wrong_usage():
            project = read_project(Path.cwd())
        if project.never_wide_trust:
            raise click.UsageError(f"--allow-wide-trust: {project.place('allowWideTrust')} is never", context)
    return value


allow_wide_trust_option = types.switch(
    "--allow-wide-trust",
    callback=_unless_never,
    help="Allow an overly broad trust policy, or trust in a powerful role.",
)


def take_boundary_rules(*, may_remove: bool = False) -> BoundaryRules:
    """The rules for permissions boundaries, from the environment and `.irsa.yaml`."""
    from irsa_cli.usecases.command.project_settings import boundary_rules

    with types.wrong_usage():
        return boundary_rules(may_remove=may_remove)


def policy_arns(flag: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Managed policies by ARN or name, given by repeating a flag or with commas: at most 20."""
    from irsa_cli.core.policies import policy

    policies = listed(values)
    if any(value.lstrip().startswith("{") for value in values):
        raise click.BadParameter(DOCUMENT, param_hint=flag)
    for text in policies:
        with types.wrong_usage(flag):
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

    found: dict[str, Document] = {}
    for file in files:
        name = "stdin" if file == "-" else Path(file).name.removesuffix(".json")
        with types.wrong_usage(flag):
            names.inline_policy(name)
            document = read_policy(read_text(file), file)
            if name in found and not policy.equal(found[name], document):
                raise InvalidInput(
                    f"two inline policies have the name {name}", reason="they are named after their files"
                )
        found[name] = document
    if sum(policy.size(document) for document in found.values()) > policy.INLINE_LIMIT:
        raise click.BadParameter(
            f"together they are larger than IAM's limit of {policy.INLINE_LIMIT} characters",
            param_hint=flag,
        )
    return found


def session_policy(options: Mapping[str, Any]) -> Document | None:
    """The document of --session-policy, None without one."""
    files = tuple(filter(None, [options["session_policy"]]))
    return next(iter(inline_policies(files, "--session-policy").values()), None)


def edits(flag: str, values: tuple[str, ...]) -> dict[str, str | None]:
    """`key=value` sets a key, `key-` removes it (None), as in kubectl."""
    found: dict[str, str | None] = {}
    for text in values:
        key, equals, value = text.partition("=")
        removes = not equals and key.endswith("-")
        if not (equals or removes) or not key.rstrip("-"):
            raise click.BadParameter(f"'{text}' is neither KEY=VALUE nor KEY-", param_hint=flag)
        edit = (key[:-1], None) if removes else (key, value)
        if edit[0] in found and found[edit[0]] != edit[1]:
            raise click.BadParameter(f"'{edit[0]}' is given twice, with different values", param_hint=flag)
        found[edit[0]] = edit[1]
    return found
