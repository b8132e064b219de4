"""Corrections of the command: its place, its name, and the names of other tools."""

from __future__ import annotations

import difflib
import re
import shlex
from itertools import pairwise

from irsa_cli.cli.help.mistake import Mistake, Rule, commands_of
from irsa_cli.cli.help.words import (
    COMMANDS,
    FILE_COMMANDS,
    FILE_OPTIONS,
    KINDS,
    VERBS,
    WORDS,
    Correction,
    Line,
    for_files,
    without,
)

_FLAGS = ("-v", "--verbose", "-q", "--quiet", "-y", "--yes", "-A", "--dry-run")
"""Options without a value, which people write before the command."""
_JOINED = re.compile(r"([a-z]+)[-_]?(?:iamserviceaccounts?|serviceaccounts?|sa)")
_RUN = re.compile(r"[^:]*:\d+:\d+: v1 ServiceAccount is not read here: .* \(use irsa (create-sa [^)]+)\)$")
"""The command in the message about a ServiceAccount of Kubernetes. Texts of files begin no message."""


def _command_first(mistake: Mistake) -> Correction:
    """`-n shop create-sa app`: the command stands before the options."""
    words = mistake.words
    if not words[0].startswith("-"):
        return None
    candidates = [word for before, word in pairwise(words) if not before.startswith("-") or before in _FLAGS]
    for known in (mistake.commands, VERBS, COMMANDS):
        for word in candidates:
            if word in known:
                at = words.index(word)
                return [*words[at:], *words[:at]]
    return ["version"] if "--version" in words else None


def _without_utils(mistake: Mistake) -> Correction:
    """`utils associate-iam-oidc-provider` of eksctl."""
    words = mistake.words
    return words[1:] if words[0] == "utils" and len(words) > 1 else None


def _file_of_an_argument(mistake: Mistake) -> Correction:
    """`apply app.yaml`: a file is the value of an option."""
    words = mistake.words
    if words[0] not in ("create-sa", "show", *FILE_COMMANDS) or len(words) < 2:
        return None
    if not words[1].endswith((".yaml", ".yml")):
        return None
    command = "diff" if words[0] == "show" else words[0]
    return for_files([command, "-f", *words[1:]])


def _of_another_tool(mistake: Mistake) -> Correction:
    """`get serviceaccount app`, `delete_iamserviceaccount app`, `destroy`: irsa's command for it."""
    words = mistake.words
    verb = words[0]
    joined = _JOINED.fullmatch(verb)
    if joined and verb not in mistake.commands:
        verb = joined[1]
    command = VERBS.get(verb)
    if command is not None and len(words) > 1:
        line = _with_kind(command, words[1], words[2:])
        if line is not None:
            return line
    command = command or COMMANDS.get(verb)
    if command is None or words[0] in mistake.commands:
        return None
    return for_files([*command.split(), *words[1:]])


def _with_kind(command: str, kind_and_name: str, others: Line) -> Correction:
    """The line for `serviceaccount`, `serviceaccount/app`, or an OIDC provider."""
    kind, slash, name = kind_and_name.partition("/")
    noun = KINDS.get(kind.lower())
    if noun == "oidc":
        return ["disassociate-oidc" if command == "delete-sa" else "associate-oidc", *others]
    names = [name] if slash else []
    return for_files([command, *names, *others]) if noun else None


def _for_a_service_account(mistake: Mistake) -> Correction:
    """`apply -f account.yaml`: the message has the command that creates its role."""
    run = _RUN.match(mistake.message)
    return [*shlex.split(run[1]), *without(mistake.words[1:], *FILE_OPTIONS)] if run else None


RULES: list[Rule] = [
    _command_first,
    _without_utils,
    _file_of_an_argument,
    _of_another_tool,
    _for_a_service_account,
]
"""Corrections of every line, whatever its command."""


def _subcommand(mistake: Mistake) -> Correction:
    """`policies get s3-read`: the group's own word for it."""
    words = mistake.words
    known = commands_of(mistake.context)
    meanings = WORDS["subcommands"].get(words[1], []) if len(words) > 1 else []
    for meaning in meanings:
        if meaning in known:
            return mistake.with_words(1, meaning)
    return None


def _policy_to_show(mistake: Mistake) -> Correction:
    """`policies s3-read`: the policy of this name, or of one close to it."""
    from irsa_cli.core.policies import wellknown

    words = mistake.words
    if words[0] != "policies" or len(words) < 2:
        return None
    policies = {name.lower(): name for name in wellknown.names()}
    near = difflib.get_close_matches(words[1].lower(), policies, n=1)
    return mistake.with_words(1, "show", policies[near[0]]) if near else None


def _nearest(mistake: Mistake) -> Correction:
    """`creat-sa app`: the command whose name is nearest."""
    known = commands_of(mistake.context)
    for at, word in enumerate(mistake.words[:2]):
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
        if near and near[0] != word:
            return mistake.with_words(at, near[0])
    return None


OF_A_GROUP: list[Rule] = [_subcommand, _policy_to_show, _nearest]
"""Corrections of a line without a known command."""
