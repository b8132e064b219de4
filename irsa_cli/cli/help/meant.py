"""The line that a user of eksctl, kubectl or Terraform probably meant. irsa shows it and does not run it."""

from __future__ import annotations

import difflib
import io
import os
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr
from itertools import pairwise

import click

from irsa_cli.cli.help import values
from irsa_cli.cli.help.values import COMMANDS, KINDS, VERBS, WORDS

_MEANINGS = {meaning for meanings in WORDS["options"].values() for meaning in meanings}
_FILE = ("-f", "--filename", "--config-file")
_OF_FILES = ("apply", "diff", "delete")
_NOT_OF = {
    "unlock": ("--name",),
    "init": ("-o", "--output"),
    "export": ("-o", "--output"),
    **dict.fromkeys(("audit", "who-can", "lint", "history"), ("-n", "--namespace")),
}
"""Options of others that a command does not need: it prints one form, or reads all namespaces."""
_FLAGS = ("-v", "--verbose", "-q", "--quiet", "-y", "--yes", "-A", "--dry-run")
_EXTRA = re.compile(r"Got unexpected extra arguments? \((\S+?)\)?(?: .*|$)")
_RUN = re.compile(r"[^:]*:\d+:\d+: v1 ServiceAccount is not read here: .* \(use irsa (create-sa [^)]+)\)$")
"""The command in the message about a ServiceAccount of Kubernetes. Texts of files begin no message."""


def line_meant(error: click.ClickException, words: Sequence[str], root: click.Context) -> str:
    """The line that was probably meant, quoted for a shell, or ''."""
    given = list(words)
    at = given.index("--") if "--" in given else len(given)
    own, rest = given[:at], given[at:]
    fixed = values.as_typed(own)
    found = error if fixed == own else _error_of([*fixed, *rest], root)
    for _ in range(20 if found else 0):
        assert found is not None
        better = _fixed(fixed, found, root) or fixed
        again = None if better == fixed else _error_of([*better, *rest], root)
        fixed = better
        if again is None:
            break
        found = again
    each = _one_by_one(fixed, found) if found and not rest else []
    lines = each or ([] if fixed == own else [[*fixed, *rest]])
    source = ""
    for before, word in pairwise(own):
        if before in ("-k", "--kustomize") and own[0] in _OF_FILES:
            source, lines = (
                f"kustomize build {shlex.quote(word)} | ",
                [[*values.without(own, before), "-f", "-"]],
            )
        if re.match("https?://", word) and "can't be read" in error.message:
            source, lines = f"curl -fsSL {shlex.quote(word)} | ", [["-" if it == word else it for it in own]]
    return source + " && ".join(f"{root.info_name} {shlex.join(line)}" for line in lines)


def _arguments(words: Sequence[str], command: click.Command) -> list[int]:
    """The places of the words that are neither options nor their values."""
    valued = {
        text
        for item in command.params
        if isinstance(item, click.Option) and not item.is_flag
        for text in item.opts
    }
    return [
        at for at, word in enumerate(words) if at and not word.startswith("-") and words[at - 1] not in valued
    ]


def _one_by_one(words: list[str], error: click.ClickException) -> list[list[str]]:
    """A line for each argument of a command that takes one, or for each name of a list."""
    if several := re.match(r"'([^']+)' is a list", error.message):
        names = [name for name in re.split(r"[,\s]+", several[1]) if name]
        return [[word.replace(several[1], name) for word in words] for name in names]
    context = getattr(error, "ctx", None)
    if not _EXTRA.match(error.message) or context is None or context.command.name != words[0]:
        return []
    places = _arguments(words, context.command)
    takes = [item for item in context.command.params if isinstance(item, click.Argument)]
    if len(takes) != 1:
        return []
    return [[word for at, word in enumerate(words) if at == one or at not in places] for one in places]


def _with_extra(
    words: list[str], extra: str, root: click.Context, context: click.Context
) -> list[str] | None:
    """The line in which an unexpected argument is one more value of the option before it, or its end."""
    at = words.index(extra) if extra in words else 0
    if at and words[0].endswith("associate-oidc") and not {"-c", "--cluster"} & {*words}:
        return [*words[:at], "-c", extra, *words[at + 1 :]]
    if at and words[0] == "init":
        return [*words[:at], "--out", extra, *words[at + 1 :]]
    flag, start = words[at - 2] if at > 2 else "", words[:at]
    option = next((item for item in context.command.params if flag in item.opts), None)
    if not isinstance(option, click.Option) or option.is_flag:
        return None
    joined = [*words[: at - 1], f"{words[at - 1]} {extra}", *words[at + 1 :]]
    takes_one = hasattr(option, "fallback") or not option.multiple  # `fallback`: see `options.fields.Once`.
    line = joined if takes_one else [*start, flag, *words[at:]]
    left = _error_of(line, root)
    return None if isinstance(left, click.BadParameter) and left.param is option else line


def _error_of(words: Sequence[str], root: click.Context) -> click.ClickException | None:
    """Parse a line without running it."""
    context, left = root, [word for word in words if word not in ("-h", "--help", "--help-all")]
    try:
        with redirect_stderr(io.StringIO()):
            while isinstance(context.command, click.Group):
                name, command, left = context.command.resolve_command(context, left)
                if isinstance(command, click.Group):
                    context = click.Context(command, info_name=name, parent=context)
                elif command is not None:
                    with command.make_context(name, list(left), parent=context):
                        return None
    except click.ClickException as error:
        return error
    except (click.exceptions.Exit, click.Abort, IndexError):
        pass
    return None


def _fixed(words: list[str], error: click.ClickException, root: click.Context) -> list[str] | None:
    """The line with one mistake less; None if there is no way to improve it."""
    context = getattr(error, "ctx", None) or root
    if better := _with_command(words, root):
        return better
    if run := _RUN.match(error.message):
        return [*shlex.split(run[1]), *values.without(words[1:], *_FILE)]
    if isinstance(error, click.BadOptionUsage) and not isinstance(error, click.NoSuchOption):
        name = error.option_name
        return [name if word.startswith(f"{name}=") else word for word in words]
    if isinstance(context.command, click.Group):
        commands = context.command.list_commands(context)
        return _of_group(words, commands) or _nearest(words, commands)
    return _in_command(words, error, root, context)


def _in_command(
    words: list[str], error: click.ClickException, root: click.Context, context: click.Context
) -> list[str] | None:
    """The line with a better option, argument or value."""
    known = [
        text for item in context.command.get_params(context) for text in (*item.opts, *item.secondary_opts)
    ]
    dashed = [
        f"-{word}"
        if re.match("-[a-z]{3}", word) and f"-{word.partition('=')[0]}" in (*known, *WORDS["options"])
        else word
        for word in words
    ]
    if dashed != words:
        return dashed
    if words[0] == "exec" and len(places := _arguments(words, context.command)) > 1:
        return [*words[: places[1]], "--", *words[places[1] :]]
    if isinstance(error, click.NoSuchOption):
        return _with_option(words, error.option_name, known)
    extra = _EXTRA.match(error.message)
    other = (
        _with_extra(words, extra[1], root, context) if extra else values.with_other_kind(words, error.message)
    )
    if other is None and isinstance(error, click.BadParameter) and error.param is not None:
        return values.with_value(words, error.param, error.message)
    if "there is no page" in error.message and {*words[1:]} & {*_commands_of(root)}:
        return ["help", *words[1:]]
    return other or _otherwise(words, error)


def _otherwise(words: list[str], error: click.ClickException) -> list[str] | None:
    """The line without what does not belong in it, or with the only known cluster."""
    if place := re.search(r" is for \S+: --(cluster|region) says", error.message):
        cluster = ("-c", "--cluster") if place[1] == "cluster" else ()
        return values.without(words, "-r", "--region", *cluster)
    clusters = re.search(r"Known clusters: (.*)", error.message)
    if clusters and "," not in clusters[1]:
        return [*words, "-c", clusters[1]]
    for before, word in pairwise(words):
        if clusters and before == "--context" and word in clusters[1].split(", "):
            return [*values.without(words, "--context"), "-c", word]
    if "is not SERVICE:ACTION" in error.message:
        return values.with_action(words)
    if "--all-namespaces contradict" in error.message:
        return [word for word in words if word not in ("-A", "--all-namespaces")]
    if "or -A for all" in error.message and {"-n", "--namespace"} & {*words}:
        return [*words, "--all"]
    pairs = zip(["", *words], words, strict=False)  # `-v 4` of eksctl, `sa` of kubectl
    return [
        re.sub("(^|=)system:serviceaccount:.*:", r"\1", word)
        for before, word in pairs
        if not (word.isdigit() and before == "-v") and not (word in KINDS and before.endswith("-sa"))
    ]


def _commands_of(root: click.Context) -> list[str]:
    return root.command.list_commands(root) if isinstance(root.command, click.Group) else []


def _with_command(words: list[str], root: click.Context) -> list[str] | None:
    commands = _commands_of(root)
    if words and words[0].startswith("-"):
        first = [*(word for before, word in pairwise(words) if before[0] != "-" or before in _FLAGS)]
        starts = [
            words.index(word) for known in (commands, VERBS, COMMANDS) for word in first if word in known
        ]
        version = ["version"] if "--version" in words else None
        return [*words[starts[0] :], *words[: starts[0]]] if starts else version
    if not words or (words[0] == "utils" and len(words) > 1):
        return words[1:] or None
    if words[1:] and words[0] in ("create-sa", "show", *_OF_FILES) and words[1].endswith((".yaml", ".yml")):
        return _of_files([words[0].replace("show", "diff"), "-f", *words[1:]])
    joined = re.fullmatch(r"([a-z]+)[-_]?(?:iamserviceaccounts?|serviceaccounts?|sa)", words[0])
    verb = joined[1] if joined and words[0] not in commands else words[0]
    kind, slash, name = words[1].partition("/") if len(words) > 1 else ("", "", "")
    if verb in VERBS and kind.lower() in KINDS:
        if KINDS[kind.lower()] == "oidc":
            return ["disassociate-oidc" if VERBS[verb] == "delete-sa" else "associate-oidc", *words[2:]]
        return _of_files([VERBS[verb], *([name] if slash else []), *words[2:]])
    if words[0] in commands or verb not in (*VERBS, *COMMANDS):
        return None
    return _of_files([*(VERBS.get(verb) or COMMANDS[verb]).split(), *words[1:]])


def _of_files(words: list[str]) -> list[str]:
    """The line, with `apply` or `delete` if it has files."""
    if words[0] in _OF_FILES or not any(word.partition("=")[0] in _FILE for word in words):
        return words
    return ["delete" if words[0] == "delete-sa" else "apply", *words[1:]]


def _nearest(words: list[str], known: Sequence[str]) -> list[str] | None:
    """The line with the name nearest to the first word that is none."""
    for number, word in enumerate(words[:2]):
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
        if near and near[0] != word:
            return [*words[:number], near[0], *words[number + 1 :]]
    return None


def _of_group(words: list[str], known_commands: Sequence[str]) -> list[str] | None:
    """The line with the group's command, or that shows the well-known policy of this name."""
    from irsa_cli.core.policies import wellknown

    for meant in WORDS["subcommands"].get(words[1] if words[1:] else "", ()):
        if meant in known_commands:
            return [words[0], meant, *words[2:]]
    known = {name.lower(): name for name in wellknown.names()}
    name = words[1].lower() if words[:1] == ["policies"] and words[1:] else ""
    near = difflib.get_close_matches(name, known, n=1)
    return [words[0], "show", known[near[0]], *words[2:]] if near else None


def _with_option(words: list[str], name: str, known: Sequence[str]) -> list[str] | None:
    flags = [word if word in WORDS["dropped"] else word.partition("=")[0] for word in words]
    name = next((flag for flag in flags if flag in WORDS["dropped"] and flag.startswith(name)), name)
    at = flags.index(name) if name in flags else None
    if at is None:
        return None
    before, after = words[:at], words[at + 1 :]
    if name in ("-R", "--recursive"):
        return _with_folders([*before, *after])
    if name in _FILE:
        return [*before, *after] if words[0] in ("lint", "show") else _of_files(words)
    foreign = WORDS["options"].get(name if name.startswith("--") else f"-{name}", ())
    for meant in foreign:
        if meant.partition("=")[0] in known:
            return [*before, meant + words[at][len(name) :], *after]
    if words[0] == "delete" and name in ("-n", "--namespace"):
        return ["delete-sa", *words[1:]]
    dropped = WORDS["dropped"].get(name, [])
    dropped = ["value"] if name in _NOT_OF.get(words[0], ()) else dropped
    if dropped or words[0] in ("docs", "version"):
        return [*before, *after["value" in dropped and "=" not in words[at] :]]
    if (words[0], name) == ("update-sa", "--attach-role-arn"):
        return ["create-sa", *words[1:], "--override-existing-serviceaccounts"]
    near = [] if foreign or name in _MEANINGS else difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return [*before, near[0] + words[at][len(name) :], *after] if near else None


def _with_folders(words: list[str]) -> list[str]:
    """The line with each folder below those of `-f`, which irsa reads without the folders in them."""
    found: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        found.append(word)
        if words[0] in _OF_FILES and before in _FILE:
            for folder, below, files in os.walk(word):
                below.sort()
                if folder != word and any(file.endswith((".yaml", ".yml", ".json")) for file in files):
                    found += ["-f", folder]
    return found
