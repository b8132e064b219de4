"""Options by the environment and by `.irsa.yaml`: which variable means which option, and who goes first.

A flag goes before the environment, and that before the file. What permits a run to delete or to loosen, and
what makes another run of it, is said on the command line only. Imported for `irsa --help`: imports little.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

FILE, CHOSEN, PREFIX = ".irsa.yaml", "IRSA_CONFIG", "IRSA_"
PERMITS = (
    "yes", "force", "prune", "override", "update_trust", "update_target_trust", "allow_wide_trust",
    "allow_boundary_removal", "no_permissions_boundary", "detach_policy_arn", "set_policy_arns",
    "remove_inline_policy", "remove_tag", "role_only", "everything", "forward", "pass_env", "ignore_maker",
)  # fmt: skip
"""What permits to delete, to loosen or to take over, or says what goes: a variable that was left set from
another day must not do so."""
_ANOTHER_RUN = ("name_option", "explain", "watch", "help", "out")
"""What makes another run of it."""
_OF_THEIR_OWN = ("permissions_boundary", "boundary")
"""`IRSA_PERMISSIONS_BOUNDARY` is a default for what no flag or file says, and no flag."""
TARGET = (
    "cluster", "region", "any_region", "profile", "assume_role", "issuer_url", "account", "kubeconfig",
    "context",
)  # fmt: skip
"""What names a cluster, and who asks for it."""
_NEVER_OF: Mapping[str, tuple[str, ...]] = {
    # With a cluster it does something else, and a run's own target is replaced by flags alone.
    "recover": TARGET,
    # Who calls them reads what they print.
    "token": ("output", "decode"),
    "credentials": ("output",),
}
_NONE_OF = ("sandbox", "docs", "help", "version", "policies", "completion")
"""Commands that have nothing to do with AWS: their options mean something else."""

_CONTRADICT: Sequence[tuple[str, str]] = (
    ("namespace", "everywhere"),
    ("name", "everywhere"),
    ("name", "selector"),
    ("pod", "everywhere"),
    ("pod", "everything"),
    ("pod", "selector"),
    ("quiet", "verbose"),
    ("keep_sa", "keep_role"),
    ("keep_sa", "role_only"),
    ("keep_role", "role_only"),
    ("role_only", "verify"),
    ("role_only", "label"),
    ("role_only", "annotation"),
    ("service_account", "role"),
    *(("attach_role_arn", name) for name in (
        "attach_policy_arn", "inline_policy", "well_known_policy", "role_name", "role_path", "role_only",
        "permissions_boundary", "max_session_duration", "description", "tags", "subject_pattern",
    )),
)  # fmt: skip
_FILES_ONLY = ("clusters", "regions", "profile", "assume_role", "readers")
"""What `--from` of `audit` contradicts."""
_NEEDS: Mapping[str, str] = {
    "account": "issuer_url",
    "detailed_exitcode": "dry_run",
    "out": "dry_run",
    "resource": "action",
    "interval": "watch",
    "min_age": "cluster",
    "associate": "audience",
}
"""What says nothing without another option: by the environment, it is passed over then."""
_STRENGTH = {ParameterSource.COMMANDLINE: 3, ParameterSource.ENVIRONMENT: 2, ParameterSource.DEFAULT_MAP: 1}
PROJECT: Mapping[str, str] = {
    "cluster": "cluster",
    "region": "region",
    "regions": "region",
    "profile": "profile",
    "namespace": "namespace",
    "fail_on": "fail_on",
}
"""Options for which `.irsa.yaml` has a field, and how the project calls it."""


def variable_of(command: str, option: click.Parameter) -> str:
    """The variable that means an option of a command; '' where none does."""
    name = option.name or ""
    if not isinstance(option, click.Option) or option.hidden or command.split(" ")[0] in _NONE_OF:
        return ""
    if option.envvar:
        return str(option.envvar)
    if name in (*PERMITS, *_ANOTHER_RUN, *_OF_THEIR_OWN, *_NEVER_OF.get(command, ())):
        return ""
    flag = next((text for text in option.opts if text.startswith("--")), "")
    return f"{PREFIX}{flag.strip('-').replace('-', '_').upper()}" if flag else ""


def name_variables(name: str, command: click.Command) -> click.Command:
    """Give each option of a command its variable."""
    for option in command.params:
        if found := variable_of(name, option):
            option.envvar = found
    return command


def project_defaults(name: str, command: click.Command) -> dict[str, Any]:
    """What `.irsa.yaml` says of a command's options; raises `InvalidInput` for one that can't be read."""
    if name in _NONE_OF:
        return {}
    never = _NEVER_OF.get(name, ())
    options = {item.name: item for item in command.params if item.name in PROJECT and item.name not in never}
    if not options:
        return {}
    from pathlib import Path

    here = Path.cwd()
    if not os.environ.get(CHOSEN) and not any(os.path.lexists(it / FILE) for it in (here, *here.parents)):
        return {}
    from irsa_cli.usecases.command.project_settings import caller_variable, read_project

    project = read_project(here)
    if caller_variable(os.environ):
        options.pop("profile", None)
    found = {key: getattr(project, PROJECT[key]) for key in options if key is not None}
    return {key: (value,) for key, value in found.items() if value and _takes(options[key], value)}


def _takes(option: click.Parameter, value: str) -> bool:
    """Whether a value is one of the option's: `audit` knows no `--fail-on never`, which it is without it."""
    return not isinstance(option.type, click.Choice) or value in option.type.choices


@contextmanager
def chosen_file(command: click.Command, args: Sequence[str]) -> Iterator[None]:
    """While a command runs, the file that its `--config` names is the project's, and no other is read."""
    own = args[: args.index("--")] if "--" in args else args
    named = [(args[number : number + 2])[-1] for number, word in enumerate(own) if word == "--config"]
    named += [word.partition("=")[2] for word in own if word.startswith("--config=")]
    before = os.environ.get(CHOSEN)
    if named and any(item.name == "config" for item in command.params):
        os.environ[CHOSEN] = named[-1]
    try:
        yield
    finally:
        os.environ.pop(CHOSEN, None)
        os.environ.update({} if before is None else {CHOSEN: before})


def settle(context: click.Context) -> None:
    """Pass over what the environment or the project says where a flag contradicts it, or it says nothing."""
    for one, other in _pairs(context):
        strength = [_strength(context, name) for name in (one, other)]
        if all(strength) and strength[0] != strength[1]:
            _pass_over(context, one if strength[0] < strength[1] else other)
    for name, needed in _NEEDS.items():
        missing = needed in context.params and not context.params[needed]
        if missing and 0 < _strength(context, name) < 3:
            _pass_over(context, name)
    if _strength(context, "issuer_url") > _strength(context, "cluster") == 1:
        _pass_over(context, "cluster")  # That of the project is a cluster of EKS.


def is_flag(name: str) -> bool:
    """Whether the value of an option is from the command line that runs."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def form_of(output: str, *forms: str) -> str:
    """The form of an output that has these; text where the environment asks for another one."""
    return output if output in forms or is_flag("output") else "text"


def _pairs(context: click.Context) -> Iterator[tuple[str, str]]:
    yield from _CONTRADICT
    if "regions" in context.params:
        yield from (("files", name) for name in _FILES_ONLY)


def _strength(context: click.Context, name: str) -> int:
    """How near to the user the value of an option comes from; 0 where it has none, or its default."""
    if not context.params.get(name):
        return 0
    source = context.get_parameter_source(name)
    return _STRENGTH.get(source, 0) if source is not None else 0


def _pass_over(context: click.Context, name: str) -> None:
    option = next(item for item in context.command.params if item.name == name)
    value: Any = getattr(option, "fallback", None)
    if not hasattr(option, "fallback"):
        value = () if option.multiple else False if getattr(option, "is_flag", False) else None
    context.params[name] = value
    context.set_parameter_source(name, ParameterSource.DEFAULT)


def state_dir(given: str | None) -> Path:
    """Where journals live: as given, else where this system keeps a user's state."""
    if given:
        return Path(given)
    from platformdirs import user_state_path

    return user_state_path("irsa") / "transactions"
