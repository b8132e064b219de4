"""Options from the environment and `.irsa.yaml`: the variable of each option, and the precedence.

Flags precede the environment, which precedes the file. Options that permit a run to delete or to loosen, or
that change its kind, are read from the command line only. `irsa --help` imports this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

FILE = ".irsa.yaml"
CHOSEN = "IRSA_CONFIG"
PREFIX = "IRSA_"
PERMITS: Sequence[str] = (
    "yes",
    "force",
    "prune",
    "override",
    "update_trust",
    "update_target_trust",
    "allow_wide_trust",
    "allow_boundary_removal",
    "no_permissions_boundary",
    "detach_policy_arn",
    "set_policy_arns",
    "remove_inline_policy",
    "remove_tag",
    "role_only",
    "everything",
    "forward",
    "pass_env",
    "ignore_maker",
    "in_pod",
    "restart",
    "finish",
    "include_managed",
    "unmarked",
    "gone_namespace",
    "unused_for",
    "older_than",
    "most",
)
"""Options that permit to delete, loosen, adopt or start pods: a variable set on another day must not."""
_ANOTHER_RUN: Sequence[str] = ("name_option", "explain", "help", "out", "unlock")
"""Options that change the kind of a run."""
_OF_THEIR_OWN = ("permissions_boundary", "boundary")
"""Options whose variable is only a default: it yields to files."""
TARGET: Sequence[str] = (
    "cluster",
    "region",
    "any_region",
    "profile",
    "assume_role",
    "issuer_url",
    "account",
    "kubeconfig",
    "context",
)
"""The options for a cluster and the caller."""
NOT_OF_LOCKS = (
    "everything",
    "forward",
    "min_age",
    "role_account",
    "role_assume_role",
    "role_profile",
    "target_assume_role",
    "target_profile",
    "lock_timeout",
    "lock",
    "no_headers",
    "max_length",
    "summary_file",
    "json_file",
)
"""The options of `recover` that contradict `--unlock`."""
_NEVER_OF: Mapping[str, Sequence[str]] = {
    "recover": TARGET,
    "repoint": ("old", "new", "add", "verify", "retire", "status", "unused_for"),
    "token": ("output", "decode"),
    "credentials": ("output",),
}
"""A cluster changes `recover`'s mode, and only flags replace the target of a run. Scripts read others.

`recover --unlock` is not here: its locks are those of the cluster in force.
"""
_NONE_OF: Sequence[str] = ("sandbox", "docs", "help", "version", "policies", "completion", "preflight")
"""Commands without AWS: their options have other meanings."""
_CONTRADICT: Mapping[str, Sequence[str]] = {
    "namespace": ("everywhere",),
    "name": ("everywhere", "selector"),
    "quiet": ("verbose",),
    "unlock": NOT_OF_LOCKS,
    "pod": ("everywhere", "everything", "selector"),
    "service_account": ("role",),
    "keep_sa": ("keep_role", "role_only"),
    "keep_role": ("role_only",),
    "role_only": ("verify", "label", "annotation"),
    "attach_role_arn": (
        "attach_policy_arn",
        "inline_policy",
        "well_known_policy",
        "role_name",
        "role_path",
        "role_only",
        "permissions_boundary",
        "max_session_duration",
        "description",
        "tags",
        "subject_pattern",
    ),
}
"""Options, and those that contradict each of them."""
_FILES_ONLY: Sequence[str] = ("clusters", "regions", "profile", "assume_role", "readers")
"""The options that contradict `audit --from`."""
_NEEDS: Mapping[str, str] = {
    "account": "issuer_url",
    "detailed_exitcode": "dry_run",
    "out": "dry_run",
    "resource": "action",
    "min_age": "cluster",
    "associate": "audience",
    "image": "in_pod",
    "wait": "in_pod",
}
"""Options that need another option; without it, their variables are ignored."""
_STRENGTH = {ParameterSource.COMMANDLINE: 3, ParameterSource.ENVIRONMENT: 2, ParameterSource.DEFAULT_MAP: 1}
PROJECT: Mapping[str, str] = {
    "cluster": "cluster",
    "region": "region",
    "regions": "region",
    "profile": "profile",
    "namespace": "namespace",
    "fail_on": "fail_on",
}
"""Options with a field in `.irsa.yaml`, and the attribute of the project."""


def variable_of(command: str, option: click.Parameter) -> str:
    name = option.name or ""
    if not isinstance(option, click.Option) or option.hidden or command.split(" ")[0] in _NONE_OF:
        return ""
    if name in _NEVER_OF.get(command, ()):
        return ""
    if option.envvar:
        return str(option.envvar)
    if name in (*PERMITS, *_ANOTHER_RUN, *_OF_THEIR_OWN):
        return ""
    flag = next((text for text in option.opts if text.startswith("--")), "")
    return f"{PREFIX}{flag.strip('-').replace('-', '_').upper()}" if flag else ""


def name_variables(name: str, command: click.Command) -> click.Command:
    """Let the options of a command read their variables; `name`: see `HelpedCommand.known_as`."""
    for option in command.params:
        option.envvar = variable_of(name, option) or None
    return command


def own_words(args: Sequence[str]) -> Sequence[str]:
    """The words of a line before `--`: what follows is the line of another program."""
    return args[: args.index("--")] if "--" in args else args


def project_defaults(name: str, command: click.Command) -> dict[str, Any]:
    """The options of a command in `.irsa.yaml`; raises `InvalidInput` for an unreadable file."""
    if name in _NONE_OF:
        return {}
    never = _NEVER_OF.get(name, ())
    options = [option for option in command.params if option.name in PROJECT and option.name not in never]
    here = Path.cwd()
    if not options or not _has_project(here):
        return {}
    from irsa_cli.usecases.command.project_settings import caller_variable, read_project

    project = read_project(here)
    has_caller = bool(caller_variable(os.environ))
    defaults: dict[str, Any] = {}
    for option in options:
        key = option.name or ""
        value = getattr(project, PROJECT[key])
        if not value or (key == "profile" and has_caller):
            continue
        if value in getattr(option.type, "choices", (value,)):  # Of a choice, only what this command has.
            defaults[key] = (value,)
    return defaults


def _has_project(folder: Path) -> bool:
    if os.environ.get(CHOSEN):
        return True
    return any(os.path.lexists(above / FILE) for above in (folder, *folder.parents))


@contextmanager
def chosen_file(command: click.Command, args: Sequence[str]) -> Iterator[None]:
    """Use the file of `--config` as the project's file while a command runs."""
    own = own_words(args)
    files = [following for word, following in pairwise([*own, "--config"]) if word == "--config"]
    files += [word.partition("=")[2] for word in own if word.startswith("--config=")]
    before = os.environ.get(CHOSEN)
    if files and any(option.name == "config" for option in command.params):
        os.environ[CHOSEN] = files[-1]
    try:
        yield
    finally:
        os.environ.pop(CHOSEN, None)
        if before is not None:
            os.environ[CHOSEN] = before


def _misspelt(context: click.Context) -> None:
    """Report variables that are nearly those of the command's options."""
    own = [str(option.envvar) for option in context.command.params if option.envvar]
    unknown = [name for name in sorted(os.environ) if name.startswith(PREFIX) and name not in own]
    for name in unknown:
        import difflib

        near = difflib.get_close_matches(name, own, 1, 0.9)
        if near and abs(len(near[0]) - len(name)) < 2:
            click.echo(f"Note: {name} is not a variable of irsa. Did you mean {near[0]}?", err=True)


def settle(context: click.Context) -> None:
    """Ignore values of the environment and the project that a flag contradicts, or that lack an option."""
    _misspelt(context)
    for name, contrary in _CONTRADICT.items():
        for against in contrary:
            _ignore_weaker(context, name, against)
    if "regions" in context.params:
        for against in _FILES_ONLY:
            _ignore_weaker(context, "files", against)
    for name, needed in _NEEDS.items():
        missing = needed in context.params and not context.params[needed]
        if missing and 0 < _strength(context, name) < 3:
            _ignore(context, name)
    if _strength(context, "issuer_url") > _strength(context, "cluster") == 1:
        _ignore(context, "cluster")  # The project's cluster is an EKS cluster.


def _ignore_weaker(context: click.Context, name: str, against: str) -> None:
    """Ignore the one of two options whose source precedes less."""
    strength = _strength(context, name)
    other_strength = _strength(context, against)
    if 0 < strength < other_strength:
        _ignore(context, name)
    elif 0 < other_strength < strength:
        _ignore(context, against)


def is_flag(name: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def form_of(output: str, *forms: str) -> str:
    """The output format, or text if the environment sets one that is not in `forms`."""
    return output if output in forms or is_flag("output") else "text"


def _strength(context: click.Context, name: str) -> int:
    """The precedence of the source of an option's value; 0 for no value and for the default."""
    if not context.params.get(name):
        return 0
    source = context.get_parameter_source(name)
    return _STRENGTH.get(source, 0) if source is not None else 0


def _ignore(context: click.Context, name: str) -> None:
    option = next(option for option in context.command.params if option.name == name)
    value: Any = None
    if hasattr(option, "fallback"):
        value = option.fallback
    elif option.multiple:
        value = ()
    elif getattr(option, "is_flag", False):
        value = False
    context.params[name] = value
    context.set_parameter_source(name, ParameterSource.DEFAULT)


def state_dir(folder: str | None) -> Path:
    """The folder of the journals: the given one, or that in the user's state folder."""
    if folder:
        return Path(folder)
    from platformdirs import user_state_path

    return user_state_path("irsa") / "transactions"
