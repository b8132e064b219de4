"""Hostile command lines: all commands and options, as click knows them, with values that nobody means well.

AWS is not there: what is tried is what happens before the first call, and that an error says it.
"""

import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from irsa_cli.cli.main import COMMANDS
from irsa_cli.cli.main import irsa as group
from tests.fuzz import hostile
from tests.fuzz.runs import Figures, flaws, irsa

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
_NOT_HERE = ("sandbox",)
"""Commands that serve until they are stopped."""
_PLAUSIBLE: Mapping[str, tuple[str, ...]] = {
    "name": ("app",),
    "namespace": ("apps",),
    "cluster": ("demo",),
    "region": ("eu-west-1",),
    "output": ("json", "yaml", "text"),
    "timeout": ("10s",),
    "files": ("good.json", "bad.yaml", "folder", "-"),
    "attach_policy_arn": ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",),
    "kubeconfig": ("bad.yaml", "good.json"),
    "context": ("here",),
}
PATHS = (
    "pipe",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "folder",
    "missing",
    "secret",
    "loop",
    "good.json",
    "bad.yaml",
)


def make(folder: Path) -> None:
    """The files that command lines name."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "good.json").write_text('{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}')
    (folder / "bad.yaml").write_text("a: [\n::error::x")


def commands() -> dict[str, click.Command]:
    """The commands that are tried."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in COMMANDS if name not in _NOT_HERE}
    return {name: command for name, command in found.items() if command is not None}


def line(chance: random.Random, known: Mapping[str, click.Command]) -> list[str]:
    """A command line."""
    name = chance.choice(sorted(known))
    words = [] if chance.random() < 0.02 else [name]
    for parameter in known[name].params:
        likely = 0.9 if parameter.required or parameter.name in ("name", "cluster") else 0.12
        if chance.random() < likely:
            words += _option(chance, parameter)
    if chance.random() < 0.1:
        words.insert(chance.randrange(len(words) + 1), _value(chance, ""))
    if name == "exec" and chance.random() < 0.8:
        words += ["--", _value(chance, "")]
    return [word.replace("\x00", "") for word in words]


def _option(chance: random.Random, parameter: click.Parameter) -> Iterator[str]:
    for _ in range(2 if chance.random() < 0.05 else 1):
        value = _value(chance, parameter.name or "")
        if isinstance(parameter, click.Argument):
            yield value
        elif getattr(parameter, "is_flag", False):
            yield chance.choice(parameter.opts)
        else:
            flag = chance.choice(parameter.opts)
            if flag.startswith("--") and chance.random() < 0.5:
                yield f"{flag}={value}"
            else:
                yield flag
                yield value


def _value(chance: random.Random, name: str) -> str:
    if name in _PLAUSIBLE and chance.random() < 0.75:
        return chance.choice(_PLAUSIBLE[name])
    return chance.choice(PATHS) if chance.random() < 0.25 else hostile.text(chance)


QUIET = (["policies"], ["history"], ["recover"], ["lint"])
"""Commands that end with 0 and have something to say: lint names what it has skipped."""


def fuzz(folder: Path, count: int, seed: int) -> Figures:
    """Run so many command lines, in a folder that no relative path of theirs leaves."""
    figures, known = Figures("lines"), commands()
    here = folder / "a" / "b" / "c" / "d" / "e"
    here.mkdir(parents=True)
    make(here)
    os.chdir(here)
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder / "a"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "IRSA_STATE_DIR": str(folder / "state"),
        "IRSA_RETRY_TIMEOUT": "0",
        "NO_PROXY": "*",
    }
    for number in range(count):
        words = line(random.Random(f"{seed}/{number}"), known)
        ran = irsa(words, env, stdin=b"kind: \x1b[2K\n::error::x")
        wrong = list(flaws(ran, (SECRET,)))
        if any(folder.rglob("pwned")):
            wrong.append("executed")
        if ran.code == 0 and words[:1] not in QUIET and ran.err:
            wrong.append("wrong claim")
        figures.note(ran, wrong, repr(words)[:600])
    return figures
