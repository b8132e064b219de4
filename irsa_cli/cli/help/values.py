"""A line with one value better: an ARN, a name, a path or a document that belongs elsewhere."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise

import click

from irsa_cli.cli.help.helping import DOCUMENT, read_table


def _meanings(table: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The meanings of each word of a table: its keys."""
    found: dict[str, list[str]] = {}
    for key, words in table.items():
        for word in words:
            found.setdefault(word, []).append(key)
    return found


WORDS = {name: _meanings(table) for name, table in read_table("words.txt").items()}
"""The words of other tools and their meanings in irsa, by kind."""
VERBS, COMMANDS, KINDS, SERVICES = (
    {word: found[0] for word, found in WORDS[name].items()}
    for name in ("verbs", "commands", "kinds", "services")
)
_CLUSTER_ARN = re.compile(r"(-c=?|--cluster=)?arn:aws[a-z-]*:eks:([a-z0-9-]+):\d+:cluster/(.+)")
_FULL_NAME = re.compile(r"(?:system:serviceaccount:)?([a-z0-9-]+)[/:]([a-z0-9.-]+)")
_DASH = re.compile("^[\u2010-\u2015\u2212]-?")
_QUOTED = (re.compile("[\u201c-\u201e]([^\u201c-\u201e]*)[\u201c-\u201e]"), re.compile("\u2018(.*?)\u2019"))
_REWRITTEN = (
    ("is not the ARN", r"arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/.*", r"arn:\1:iam::\2:role/\3"),
    ("is not the ARN", r"^(arn:aws[a-z-]*:iam):[a-z0-9-]+:", r"\1::"),
    ("is not an AWS account", r"^(\d{4})-(\d{4})-(\d{4})$", r"\1\2\3"),
    ("give the name only", r"^arn:\S+:role/(?:\S*/)?([^/]+)$", r"\1"),
    ("give the name only", r"^arn:aws[a-z-]*:eks:\S+:[a-z]+/([^/]+)/.*", r"\1"),
    ("is not an https URL", r"^(oidc\.|[\w.-]+\.com/)", r"https://\1"),
    ("is not a valid role path", r"^/?([\w-]+(?:/[\w-]+)+)/?$", r"/\1/"),
    (
        "is not an ARN: for example: arn:aws:s3:::",
        r"^([a-z0-9][a-z0-9.-]{2,62}(?:/\S*)?)$",
        r"arn:aws:s3:::\1",
    ),
)
"""Each: a part of the message, the wrong value, and the right one."""


def as_typed(words: Sequence[str]) -> list[str]:
    """The words with the dashes and quotes of a keyboard, not those of chats and word processors."""
    dashed = [_DASH.sub("-" if len(word.partition("=")[0]) == 2 else "--", word) for word in words]
    line = "\0".join(dashed)
    for quoted in _QUOTED:
        line = quoted.sub(lambda found: found[1].replace("\0", " "), line)
    return line.split("\0") if words else []


def with_action(words: list[str]) -> list[str]:
    """The line with the service of an AWS action, or the command for a ServiceAccount."""
    known = {action.lower(): f"{service}:{action}" for action, service in SERVICES.items()}
    if words[0] == "who-can" and words[1:] and (name := re.fullmatch(r"[a-z0-9-]+/[a-z0-9.-]+", words[1])):
        return ["audit", "--service-account", name[0], *words[2:]]
    return [known.get(re.sub(r"^[a-z0-9]+\.", "", word.lower()), word) for word in words]


def _rewritten(word: str, message: str) -> str:
    """The word with a right value, if the message quotes its value as a wrong one."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if f"'{value}'" in message:
        for said, wrong, right in _REWRITTEN:
            value = re.sub(wrong, right, value) if said in message else value
    return f"{flag}{equals}{value}"


def _as_pairs(text: str) -> str:
    """KEY=VALUE for a pair in the form of JSON, YAML or the AWS CLI."""
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return ",".join(f"{key}={value}" for key, value in found.items())
    text = re.sub(r"Key=([^,]*),Value=([^,]*)", r"\1=\2", text)
    return re.sub(r"^\s*([\w./-]+)\s*:\s*(\S.*)$", r"\1=\2", text)


def _with_policy_of_its_kind(words: list[str]) -> list[str]:
    """The line with the right name of a well-known policy, or with the option for managed policies."""
    from irsa_cli.core.policies import wellknown

    known, flag = {name.lower(): name for name in wellknown.names()}, "--well-known-policy"
    for at, word in enumerate(words):
        near = difflib.get_close_matches(word.lower(), known, n=1)
        if words[at - 1] == flag and near:
            return [*words[:at], known[near[0]], *words[at + 1 :]]
    return ["--attach-policy-arn" if word == flag else word for word in words]


def without(words: list[str], *flags: str) -> list[str]:
    """The line without these options and their values."""
    return [
        word
        for before, word in pairwise(["", *words])
        if before not in flags and word.partition("=")[0] not in flags
    ]


def with_other_kind(words: list[str], message: str) -> list[str] | None:
    """The line with the option for this kind of ARN or document, the role of a session, or a path of WSL."""
    policy, role, document = "--attach-policy-arn", "--attach-role-arn", "--inline-policy"
    for wrong, kind, right in (
        (policy, r"arn:\S+:role/", role),
        (role, r"arn:\S+:policy/", policy),
        (policy, r"\S+\.json", document),
        (document, r"arn:|(Amazon|AWS)\w+$|\w+Access$", policy),
        (policy, r"\s*{", document),
        (document, r"\s*{", document),
    ):
        for at, word in enumerate(words):
            if words[at - 1] == wrong and re.match(kind, word) and (word in message or DOCUMENT in message):
                return [*words[: at - 1], right, "policy.json" if "{" in word else word, *words[at + 1 :]]
    better = [_rewritten(word, message) for word in words]
    if "is not KEY=VALUE" in message:
        better = [_as_pairs(word) if word in message else word for word in words]
    if "there is no well-known policy" in message:
        better = _with_policy_of_its_kind(words)
    if ":\\" in message:
        better = [
            f"/mnt/{word[0].lower()}{word[2:]}".replace("\\", "/") if re.match(r"[A-Za-z]:\\", word) else word
            for word in words
        ]
    return None if better == words else better


def with_value(words: list[str], parameter: click.Parameter, message: str) -> list[str] | None:
    """The line with a better value of this parameter."""
    if parameter.name == "kubeconfig" and {"-c", "--cluster"} & {*words}:
        return without(words, "--kubeconfig")
    if parameter.name == "plan_file" and not re.search(r"'[^']*[./][^']*' does", message):  # A NAME.
        return [words[0], *(word for before, word in pairwise(words) if "-" in (before[0], word[0]))]
    return _with_name(words, parameter, message) or _with_choice(words, parameter)


def _with_name(words: list[str], parameter: click.Parameter, message: str) -> list[str] | None:
    stripped = [word.strip() for word in words]
    if parameter.name in ("cluster", "namespace", "name") and stripped != words:
        return stripped
    for at, word in enumerate(words):
        if parameter.name == "cluster" and (found := _CLUSTER_ARN.fullmatch(word)):
            region = [] if {"-r", "--region"} & {*words} else ["-r", found[2]]
            return [*words[:at], (found[1] or "") + found[3], *region, *words[at + 1 :]]
    if isinstance(parameter, click.Argument) and parameter.name == "name":
        names = [word for word in words[1:] if _FULL_NAME.fullmatch(word)]
        if names and words[0] != "policies":
            namespace, name = _FULL_NAME.findall(names[0])[0]
            given = [] if namespace in KINDS else ["-n", namespace]
            at = words.index(names[0])
            return [*words[:at], name, *given, *words[at + 1 :]]
    bad = re.match(r"'(\S+)' is not a valid (ServiceAccount name|namespace)", message)
    if bad and (near := re.sub("[^a-z0-9-]+", "-", bad[1].lower()).strip("-")) not in ("", bad[1]):
        return [
            word.removesuffix(bad[1]) + near if word.rpartition("=")[2] == bad[1] else word for word in words
        ]
    return None


def _with_choice(words: list[str], parameter: click.Parameter) -> list[str] | None:
    choices: Sequence[str] = getattr(parameter.type, "choices", ())
    for at, word in enumerate(words):
        flag, equals, value = word.rpartition("=")
        alike = difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.7)
        if alike and value not in choices and (equals or words[at - 1] in parameter.opts):
            return [*words[:at], f"{flag}{equals}{alike[0]}", *words[at + 1 :]]
    return None
