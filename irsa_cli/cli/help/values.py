"""Corrections of values: an ARN, a name, a path or a document that belongs elsewhere."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import click

from irsa_cli.cli.help.helping import DOCUMENT
from irsa_cli.cli.help.mistake import Mistake, Rule, error_of
from irsa_cli.cli.help.words import KINDS, SERVICES, Correction, Line, without

_CLUSTER = ("-c", "--cluster")
_REGION = ("-r", "--region")
_CLUSTER_ARN = re.compile(r"(-c=?|--cluster=)?arn:aws[a-z-]*:eks:([a-z0-9-]+):\d+:cluster/(.+)")
_FULL_NAME = re.compile(r"(?:system:serviceaccount:)?([a-z0-9-]+)[/:]([a-z0-9.-]+)")
_INVALID_NAME = re.compile(r"'(\S+)' is not a valid (ServiceAccount name|namespace)")
_DRIVE = re.compile(r"[A-Za-z]:\\")
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
_POLICY = "--attach-policy-arn"
_ROLE = "--attach-role-arn"
_DOCUMENT = "--inline-policy"
_WELL_KNOWN = "--well-known-policy"
_OTHER_KIND = (
    (_POLICY, re.compile(r"arn:\S+:role/"), _ROLE),
    (_ROLE, re.compile(r"arn:\S+:policy/"), _POLICY),
    (_POLICY, re.compile(r"\S+\.json"), _DOCUMENT),
    (_DOCUMENT, re.compile(r"arn:|(Amazon|AWS)\w+$|\w+Access$"), _POLICY),
    (_POLICY, re.compile(r"\s*{"), _DOCUMENT),
    (_DOCUMENT, re.compile(r"\s*{"), _DOCUMENT),
)
"""Each: an option, a value of another kind, and the option for this kind."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((\S+?)\)?(?: .*|$)")


def _of_its_option(mistake: Mistake) -> Correction:
    """An unexpected argument is the value of an option, one more value of it, or the value's end."""
    extra = EXTRA.match(mistake.message)
    if not extra or extra[1] not in mistake.words[1:]:
        return None
    at = mistake.words.index(extra[1])
    command = mistake.words[0]
    if command.endswith("associate-oidc") and not mistake.has(*_CLUSTER):
        return mistake.with_words(at, "-c", extra[1])
    if command == "init":
        return mistake.with_words(at, "--out", extra[1])
    return _one_more_value(mistake, at)


def _one_more_value(mistake: Mistake, at: int) -> Correction:
    """The line in which the word at a place belongs to the value before it, if its option takes that."""
    if at < 3:
        return None
    words = mistake.words
    flag = words[at - 2]
    option = next((parameter for parameter in mistake.context.command.params if flag in parameter.opts), None)
    if not isinstance(option, click.Option) or option.is_flag:
        return None
    takes_one = hasattr(option, "fallback") or not option.multiple  # `fallback`: see `options.fields.Once`.
    if takes_one:
        line = [*words[: at - 1], f"{words[at - 1]} {words[at]}", *words[at + 1 :]]
    else:
        line = mistake.with_words(at, flag, words[at])
    error = error_of(line, mistake.root)
    is_refused = isinstance(error, click.BadParameter) and error.param is option
    return None if is_refused else line


def _option_for_its_kind(mistake: Mistake) -> Correction:
    """`--attach-policy-arn policy.json`: the option for this kind of ARN or document."""
    message = mistake.message
    for option, kind, right in _OTHER_KIND:
        for at, (before, word) in enumerate(pairwise(mistake.words), 1):
            if before == option and kind.match(word) and (word in message or DOCUMENT in message):
                value = "policy.json" if "{" in word else word
                return [*mistake.words[: at - 1], right, value, *mistake.words[at + 1 :]]
    return None


def _path_of_wsl(mistake: Mistake) -> Correction:
    r"""`C:\policy.json`: the path of this file in the Windows Subsystem for Linux."""
    if ":\\" not in mistake.message:
        return None
    paths: Line = []
    for word in mistake.words:
        if _DRIVE.match(word):
            word = f"/mnt/{word[0].lower()}{word[2:]}".replace("\\", "/")
        paths.append(word)
    return paths


def _policy_of_its_kind(mistake: Mistake) -> Correction:
    """The right name of a well-known policy, or the option for managed policies."""
    from irsa_cli.core.policies import wellknown

    if "there is no well-known policy" not in mistake.message:
        return None
    policies = {name.lower(): name for name in wellknown.names()}
    for at, (before, word) in enumerate(pairwise(mistake.words), 1):
        near = difflib.get_close_matches(word.lower(), policies, n=1)
        if before == _WELL_KNOWN and near:
            return mistake.with_words(at, policies[near[0]])
    return [_POLICY if word == _WELL_KNOWN else word for word in mistake.words]


def _as_pairs(text: str) -> str:
    """KEY=VALUE for a pair in the form of JSON, YAML or the AWS CLI."""
    with suppress(ValueError):
        document = json.loads(text)
        if isinstance(document, dict):
            return ",".join(f"{key}={value}" for key, value in document.items())
    text = re.sub(r"Key=([^,]*),Value=([^,]*)", r"\1=\2", text)
    return re.sub(r"^\s*([\w./-]+)\s*:\s*(\S.*)$", r"\1=\2", text)


def _pairs(mistake: Mistake) -> Correction:
    """`--tags team:web`: KEY=VALUE, as in irsa."""
    message = mistake.message
    if "is not KEY=VALUE" not in message:
        return None
    return [_as_pairs(word) if word in message else word for word in mistake.words]


def _rewritten(word: str, message: str) -> str:
    """The word with a right value, if the message quotes its value as a wrong one."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if f"'{value}'" in message:
        for reason, wrong, right in _REWRITTEN:
            if reason in message:
                value = re.sub(wrong, right, value)
    return f"{flag}{equals}{value}"


def _right_form(mistake: Mistake) -> Correction:
    """The role of a session, an account without dashes, a path with slashes."""
    return [_rewritten(word, mistake.message) for word in mistake.words]


_QUOTED_VALUE: list[Rule] = [_option_for_its_kind, _path_of_wsl, _policy_of_its_kind, _pairs, _right_form]
"""Corrections of a value that the message quotes."""


def wrong_parameter(mistake: Mistake) -> click.Parameter | None:
    """The option or argument whose value is wrong."""
    return mistake.error.param if isinstance(mistake.error, click.BadParameter) else None


def _parameter_name(mistake: Mistake) -> str | None:
    parameter = wrong_parameter(mistake)
    return parameter.name if parameter is not None else None


def _without_kubeconfig(mistake: Mistake) -> Correction:
    """`-c prod --kubeconfig FILE`: with a cluster, irsa needs no kubeconfig."""
    if _parameter_name(mistake) != "kubeconfig" or not mistake.has(*_CLUSTER):
        return None
    return without(mistake.words, "--kubeconfig")


def _without_plan_file(mistake: Mistake) -> Correction:
    """`apply NAME`: an argument of `apply` is a saved plan, never a name."""
    is_path = re.search(r"'[^']*[./][^']*' does", mistake.message)
    if _parameter_name(mistake) != "plan_file" or is_path:
        return None
    options = [word for before, word in pairwise(mistake.words) if "-" in (before[:1], word[:1])]
    return [mistake.words[0], *options]


def _stripped(mistake: Mistake) -> Correction:
    """A name without the spaces around it."""
    if _parameter_name(mistake) not in ("cluster", "namespace", "name"):
        return None
    return [word.strip() for word in mistake.words]


def _cluster_of_arn(mistake: Mistake) -> Correction:
    """`-c arn:aws:eks:...`: the name of the cluster, and its region."""
    if _parameter_name(mistake) != "cluster":
        return None
    for at, word in enumerate(mistake.words):
        arn = _CLUSTER_ARN.fullmatch(word)
        if arn:
            flag, region, name = arn.groups(default="")
            regions = [] if mistake.has(*_REGION) else ["-r", region]
            return mistake.with_words(at, flag + name, *regions)
    return None


def _namespace_apart(mistake: Mistake) -> Correction:
    """`shop/web` or `serviceaccount/web`: the name, and the option for its namespace."""
    parameter = wrong_parameter(mistake)
    if (
        not isinstance(parameter, click.Argument)
        or parameter.name != "name"
        or mistake.words[0] == "policies"
    ):
        return None
    for at, word in enumerate(mistake.words[1:], 1):
        full_name = _FULL_NAME.fullmatch(word)
        if full_name:
            namespace, name = full_name.groups()
            option = [] if namespace in KINDS else ["-n", namespace]
            return mistake.with_words(at, name, *option)
    return None


def _valid_name(mistake: Mistake) -> Correction:
    """`Web_App`: the nearest name that Kubernetes accepts."""
    invalid = _INVALID_NAME.match(mistake.message)
    if not invalid:
        return None
    name = invalid[1]
    valid = re.sub("[^a-z0-9-]+", "-", name.lower()).strip("-")
    if not valid:
        return None
    line: Line = []
    for word in mistake.words:
        is_value = word.rpartition("=")[2] == name
        line.append(word.removesuffix(name) + valid if is_value else word)
    return line


def _nearest_choice(mistake: Mistake) -> Correction:
    """`-o jsn`: the nearest of the values that an option takes."""
    parameter = wrong_parameter(mistake)
    if parameter is None:
        return None
    choices: Sequence[str] = getattr(parameter.type, "choices", ())
    for at, (before, word) in enumerate(pairwise(mistake.words), 1):
        flag, equals, value = word.rpartition("=")
        near = difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.7)
        is_value = equals or before in parameter.opts
        if near and value not in choices and is_value:
            return mistake.with_words(at, f"{flag}{equals}{near[0]}")
    return None


OF_A_PARAMETER: list[Rule] = [
    *_QUOTED_VALUE,
    _without_kubeconfig,
    _without_plan_file,
    _stripped,
    _cluster_of_arn,
    _namespace_apart,
    _valid_name,
    _nearest_choice,
]
"""Corrections of the value of an option or argument."""


def _page_of_a_command(mistake: Mistake) -> Correction:
    """`docs create-sa`: `help` shows the page of a command."""
    arguments = mistake.words[1:]
    if "there is no page" not in mistake.message or set(arguments).isdisjoint(mistake.commands):
        return None
    return ["help", *arguments]


def _without_region(mistake: Mistake) -> Correction:
    """The line without what contradicts the cluster in its file."""
    place = re.search(r" is for \S+: --(cluster|region) says", mistake.message)
    if not place:
        return None
    cluster = _CLUSTER if place[1] == "cluster" else ()
    return without(mistake.words, *_REGION, *cluster)


def _known_cluster(mistake: Mistake) -> Correction:
    """The only known cluster, or the one that a context is called by."""
    clusters = re.search(r"Known clusters: (.*)", mistake.message)
    if not clusters:
        return None
    names = clusters[1].split(", ")
    if len(names) == 1:
        return [*mistake.words, "-c", names[0]]
    for before, word in pairwise(mistake.words):
        if before == "--context" and word in names:
            return [*without(mistake.words, "--context"), "-c", word]
    return None


def _whole_action(mistake: Mistake) -> Correction:
    """`who-can GetObject`: the action with its service; `who-can shop/web`: a ServiceAccount's audit."""
    words = mistake.words
    if "is not SERVICE:ACTION" not in mistake.message:
        return None
    is_account = len(words) > 1 and re.fullmatch(r"[a-z0-9-]+/[a-z0-9.-]+", words[1])
    if words[0] == "who-can" and is_account:
        return ["audit", "--service-account", *words[1:]]
    actions = {action.lower(): f"{service}:{action}" for action, service in SERVICES.items()}
    return [actions.get(re.sub(r"^[a-z0-9]+\.", "", word.lower()), word) for word in words]


def _one_namespace(mistake: Mistake) -> Correction:
    """`-n shop -A`: the namespace that is named."""
    if "--all-namespaces contradict" not in mistake.message:
        return None
    return [word for word in mistake.words if word not in ("-A", "--all-namespaces")]


def _all_of_a_namespace(mistake: Mistake) -> Correction:
    """`verify -n shop`: all ServiceAccounts of the namespace."""
    if "or -A for all" not in mistake.message or not mistake.has("-n", "--namespace"):
        return None
    return [*mistake.words, "--all"]


def _without_kind(mistake: Mistake) -> Correction:
    """`-v 4` of eksctl, `sa` of kubectl, and `system:serviceaccount:` of tokens."""
    line: Line = []
    for before, word in pairwise(["", *mistake.words]):
        is_level = before == "-v" and word.isdigit()
        is_kind = before.endswith("-sa") and word in KINDS
        if not is_level and not is_kind:
            line.append(re.sub("(^|=)system:serviceaccount:.*:", r"\1", word))
    return line


_LINE: list[Rule] = [
    _without_region,
    _known_cluster,
    _whole_action,
    _one_namespace,
    _all_of_a_namespace,
    _without_kind,
]
"""Corrections of a line whose options contradict, or that lacks one."""
OF_EXTRA_ARGUMENTS: list[Rule] = [_of_its_option, *_LINE]
OF_THE_LINE: list[Rule] = [_page_of_a_command, *_QUOTED_VALUE, *_LINE]
