"""The line that a user of eksctl, kubectl or Terraform probably meant. irsa shows it and does not run it."""

from __future__ import annotations

import difflib
import io
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from itertools import pairwise

import click

from irsa_cli.cli.options.types import DOCUMENT, Once


def _table(text: str) -> Mapping[str, str]:
    """The words on the right of each line, with the meaning on its left."""
    lines = (line.strip().partition(": ") for line in text.strip().splitlines())
    return {word: meaning for meaning, _, words in lines for word in words.split()}


_VERBS = _table("""
    create-sa: create add new
    get-sa: get list ls status
    describe-sa: describe inspect show
    delete-sa: delete remove rm
    update-sa: update edit patch annotate
""")
_COMMANDS = _table("""
    associate-oidc: associate-iam-oidc-provider associate create-oidc-provider
    adopt: import migrate
    doctor: debug diagnose troubleshoot why
    recover: rollback resume undo
    verify: test check
    history: log logs
    diff: plan
    delete: destroy
    lint: validate
    audit: scan
    who-can: can-i
    sandbox demo: demo
    exec: run
    config: settings
    help: man
    unlock: locks
""")
_KINDS = _table("""
    sa: sa sas serviceaccount serviceaccounts iamserviceaccount iamserviceaccounts binding bindings
    oidc: oidc oidcprovider oidc-provider iam-oidc-provider open-id-connect-provider
""")
_OPTIONS = _table("""
    --cluster: --cluster-name --clustername --eks-cluster
    --region: --aws-region --location --zone
    --profile: --aws-profile
    --namespace: --ns
    --all-namespaces: --all
    --name: --sa --serviceaccount --service-account --service-account-name
    --attach-policy-arn: --policy --policy-arn --policy-arns --attach-policy --attach-policy-arns --policies
    --attach-role-arn: --role-arn --role --iam-role
    --inline-policy: --policy-document
    --yes: --auto-approve --assume-yes --no-prompt --non-interactive
    --dry-run: --plan --preview --what-if --noop --check
    --filename: --file
    --label: --labels
    --annotation: --annotations
    --tags: --tag
    --timeout: --wait-timeout
    --verbose: --debug
    --quiet: --silent
    --output: --format
    --output=json: --json
    --output=yaml: --yaml
""")
_SERVICES = _table("""
    s3: GetObject PutObject DeleteObject ListBucket DeleteBucket
    sqs: SendMessage ReceiveMessage DeleteMessage
    iam: PassRole CreateRole AttachRolePolicy
""")
_DROPPED = ("--wait", "-w", "--approve", "--only-missing", "--cfn-disable-rollback", "--disable-eviction")
_DROPPED_WITH_VALUE = ("--color", "-C", "--cfn-role-arn")
"""Options of eksctl that irsa does not need."""
_CLUSTER_ARN = re.compile(r"(-c=?|--cluster=)?arn:aws[a-z-]*:eks:([a-z0-9-]+):\d+:cluster/(.+)")
_FULL_NAME = re.compile(r"(?:system:serviceaccount:)?([a-z0-9-]+)[/:]([a-z0-9.-]+)")
_FILE = ("-f", "--filename", "--config-file")
_OF_FILES = ("apply", "diff", "delete")
_EXTRA = re.compile(r"Got unexpected extra arguments? \((\S+?)\)?(?: .*|$)")
_RUN = re.compile(r"\((?:use|with) irsa ([^)]+)\)")
"""A command in a message that has all values of the user."""
_DASH = re.compile("^[\u2010-\u2015\u2212]-?")
_QUOTED = (re.compile("[\u201c-\u201e]([^\u201c-\u201e]*)[\u201c-\u201e]"), re.compile("\u2018(.*?)\u2019"))
_ROLE_OF_SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/.*")


def as_typed(words: Sequence[str]) -> list[str]:
    """The words with the dashes and quotes of a keyboard, not those of chats and word processors."""
    dashed = [_DASH.sub("-" if len(word.partition("=")[0]) == 2 else "--", word) for word in words]
    line = "\0".join(dashed)
    for quoted in _QUOTED:
        line = quoted.sub(lambda found: found[1].replace("\0", " "), line)
    return line.split("\0") if words else []


def line_meant(error: click.ClickException, words: Sequence[str], root: click.Context) -> str:
    """The line that was probably meant, quoted for a shell, or ''."""
    given = list(words)
    at = given.index("--") if "--" in given else len(given)
    own, rest = given[:at], given[at:]
    fixed = as_typed(own)
    found = error if fixed == own else _error_of([*fixed, *rest], root)
    for _ in range(20 if found else 0):
        assert found is not None
        better = _fixed(fixed, found, root) or fixed
        again = None if better == fixed else _error_of([*better, *rest], root)
        fixed = better
        if again is None:
            break
        found = again
    each = _one_by_one(fixed, found, root) if found and not rest else []
    lines = each or ([] if fixed == own else [[*fixed, *rest]])
    return " && ".join(f"{root.info_name} {shlex.join(line)}" for line in lines)


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


def _one_by_one(words: list[str], error: click.ClickException, root: click.Context) -> list[list[str]]:
    """A line for each argument of a command that takes one."""
    context = getattr(error, "ctx", None)
    if not _EXTRA.match(error.message) or context is None or context.parent is not root:
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
    flag, start = words[at - 2] if at > 2 else "", words[:at]
    option = next((item for item in context.command.params if flag in item.opts), None)
    if not isinstance(option, click.Option) or option.is_flag:
        return None
    joined = [*words[: at - 1], f"{words[at - 1]} {extra}", *words[at + 1 :]]
    line = joined if isinstance(option, Once) or not option.multiple else [*start, flag, *words[at:]]
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
    if run := _RUN.search(error.message):
        return [*shlex.split(run[1]), *_without(words[1:], *_FILE)]
    if isinstance(error, click.BadOptionUsage) and not isinstance(error, click.NoSuchOption):
        name = error.option_name
        return [name if word.startswith(f"{name}=") else word for word in words]
    if isinstance(context.command, click.Group):
        return _nearest(words, context.command.list_commands(context)) or _with_policy(words)
    return _in_command(words, error, root, context)


def _in_command(
    words: list[str], error: click.ClickException, root: click.Context, context: click.Context
) -> list[str] | None:
    """The line with a better option, argument or value."""
    known = [
        text for item in context.command.get_params(context) for text in (*item.opts, *item.secondary_opts)
    ]
    dashed = [
        f"-{word}" if re.match("-[a-z]{3}", word) and f"-{word.partition('=')[0]}" in known else word
        for word in words
    ]
    if dashed != words:
        return dashed
    if words[0] == "exec" and len(places := _arguments(words, context.command)) > 1:
        return [*words[: places[1]], "--", *words[places[1] :]]
    if isinstance(error, click.NoSuchOption):
        return _with_option(words, error.option_name, known)
    extra = _EXTRA.match(error.message)
    other = _with_extra(words, extra[1], root, context) if extra else _with_other_kind(words, error.message)
    if other is None and isinstance(error, click.BadParameter) and error.param is not None:
        return _with_value(words, error.param, error.message)
    return other or _otherwise(words, error)


def _otherwise(words: list[str], error: click.ClickException) -> list[str] | None:
    """The line without what does not belong in it, or with the only known cluster."""
    if place := re.search(r" is for \S+: (--cluster|--region) says", error.message):
        return _without(words, place[1], place[1][1:3])
    if "Known clusters: " in error.message and "," not in error.message:
        return [*words, "-c", error.message.rpartition(" ")[2]]
    if words[0] == "who-can" and isinstance(error, click.BadParameter):
        return [f"{_SERVICES[word]}:{word}" if word in _SERVICES else word for word in words]
    pairs = zip(["", *words], words, strict=False)  # `-v 4` of eksctl, `sa` of kubectl
    return [
        re.sub("(^|=)system:serviceaccount:.*:", r"\1", word)
        for before, word in pairs
        if not (word.isdigit() and before == "-v") and not (word in _KINDS and before.endswith("-sa"))
    ]


def _with_command(words: list[str], root: click.Context) -> list[str] | None:
    group = root.command
    commands = group.list_commands(root) if isinstance(group, click.Group) else []
    if words and words[0].startswith("-"):
        starts = [
            words.index(word) for known in (commands, _VERBS, _COMMANDS) for word in words if word in known
        ]
        return [*words[starts[0] :], *words[: starts[0]]] if starts else None
    if not words or (words[0] == "utils" and len(words) > 1):
        return words[1:] or None
    if words[1:] and words[0] in ("create-sa", "show", *_OF_FILES) and words[1].endswith((".yaml", ".yml")):
        return _of_files([words[0].replace("show", "diff"), "-f", *words[1:]])
    joined = re.fullmatch(r"([a-z]+)[-_]?(?:iamserviceaccounts?|serviceaccounts?|sa)", words[0])
    verb = joined[1] if joined and words[0] not in commands else words[0]
    kind, slash, name = words[1].partition("/") if len(words) > 1 else ("", "", "")
    if verb in _VERBS and kind.lower() in _KINDS:
        if _KINDS[kind.lower()] == "oidc":
            return ["disassociate-oidc" if _VERBS[verb] == "delete-sa" else "associate-oidc", *words[2:]]
        return _of_files([_VERBS[verb], *([name] if slash else []), *words[2:]])
    if words[0] in commands or verb not in (*_VERBS, *_COMMANDS):
        return None
    return _of_files([*(_VERBS.get(verb) or _COMMANDS[verb]).split(), *words[1:]])


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


def _with_policy(words: list[str]) -> list[str] | None:
    """The line that shows the well-known policy of this name."""
    from irsa_cli.core.policies import wellknown

    known = {name.lower(): name for name in wellknown.names()}
    name = words[1].lower() if words[:1] == ["policies"] and words[1:] else ""
    near = difflib.get_close_matches(name, known, n=1)
    return [words[0], "show", known[near[0]], *words[2:]] if near else None


def _with_option(words: list[str], name: str, known: Sequence[str]) -> list[str] | None:
    at = next((number for number, word in enumerate(words) if word.partition("=")[0] == name), None)
    if at is None:
        return None
    before, after = words[:at], words[at + 1 :]
    if name in ("-R", "--recursive"):
        return _with_folders([*before, *after])
    if name in _FILE:
        return _of_files(words)
    meant = _OPTIONS.get(name, "")
    if meant.partition("=")[0] in known:
        return [*before, meant + words[at][len(name) :], *after]
    with_value = name in _DROPPED_WITH_VALUE or (words[0], name) == ("unlock", "--name")
    if name in _DROPPED or with_value:
        return [*before, *after[with_value and "=" not in words[at] :]]
    if (words[0], name) == ("update-sa", "--attach-role-arn"):
        return ["create-sa", *words[1:], "--override-existing-serviceaccounts"]
    near = [] if name in _OPTIONS.values() else difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return [*before, near[0] + words[at][len(name) :], *after] if near else None


def _without(words: list[str], *flags: str) -> list[str]:
    """The line without these options and their values."""
    return [
        word
        for before, word in pairwise(["", *words])
        if before not in flags and word.partition("=")[0] not in flags
    ]


def _with_other_kind(words: list[str], message: str) -> list[str] | None:
    """The line with the option for this kind of ARN or document, the role of a session, or a path of WSL."""
    policy, role, document = "--attach-policy-arn", "--attach-role-arn", "--inline-policy"
    for wrong, kind, right in (
        (policy, r"arn:\S+:role/", role),
        (role, r"arn:\S+:policy/", policy),
        (policy, r"\S+\.json", document),
        (policy, r"\s*{", document),
        (document, r"\s*{", document),
    ):
        for at, word in enumerate(words):
            if words[at - 1] == wrong and re.match(kind, word) and (word in message or DOCUMENT in message):
                return [*words[: at - 1], right, "policy.json" if "{" in word else word, *words[at + 1 :]]
    better = [_ROLE_OF_SESSION.sub(r"arn:\1:iam::\2:role/\3", word) for word in words]
    if ":\\" in message:
        better = [
            f"/mnt/{word[0].lower()}{word[2:]}".replace("\\", "/") if re.match(r"[A-Za-z]:\\", word) else word
            for word in words
        ]
    return None if better == words else better


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


def _with_value(words: list[str], parameter: click.Parameter, message: str) -> list[str] | None:
    for at, word in enumerate(words):
        if parameter.name == "cluster" and (found := _CLUSTER_ARN.fullmatch(word)):
            region = [] if {"-r", "--region"} & {*words} else ["-r", found[2]]
            return [*words[:at], (found[1] or "") + found[3], *region, *words[at + 1 :]]
    if parameter.name == "plan_file":  # The NAME of another command.
        return [words[0], *(word for before, word in pairwise(words) if "-" in (before[0], word[0]))]
    if isinstance(parameter, click.Argument) and parameter.name == "name":
        names = [word for word in words[1:] if _FULL_NAME.fullmatch(word)]
        if names and words[0] != "policies":
            namespace, name = _FULL_NAME.findall(names[0])[0]
            given = [] if namespace in _KINDS else ["-n", namespace]
            at = words.index(names[0])
            return [*words[:at], name, *given, *words[at + 1 :]]
    bad = re.match(r"'(\S+)' is not a valid (ServiceAccount name|namespace)", message)
    if bad and (near := re.sub("[^a-z0-9-]+", "-", bad[1].lower()).strip("-")) not in ("", bad[1]):
        return [
            word.removesuffix(bad[1]) + near if word.rpartition("=")[2] == bad[1] else word for word in words
        ]
    choices: Sequence[str] = getattr(parameter.type, "choices", getattr(parameter.type, "forms", ()))
    for at, word in enumerate(words):
        flag, equals, value = word.rpartition("=")
        alike = difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.7)
        if alike and value not in choices and (equals or words[at - 1] in parameter.opts):
            return [*words[:at], f"{flag}{equals}{alike[0]}", *words[at + 1 :]]
    return None
