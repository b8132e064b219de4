"""Hostile journals: what a run wrote before it was cut off, with something in it that no run has written.

Readers of single parts are tried in tests/unit/transaction/test_journal_of_others.py; these are whole
commands.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import RoleSpec, Sandbox
from tests.faults.judge import Json
from tests.fuzz import answers, hostile
from tests.fuzz.runs import Figures, flaws, irsa, words

THEIRS = "Admin"
_CREATE = "create-sa $APP --associate-oidc --attach-policy-arn $S3"
_COMMANDS = (
    "history",
    "history -o json",
    "recover $RUN --dry-run",
    "recover --all --dry-run -o json",
    "recover $RUN --forward --dry-run -v",
    "recover $RUN -o json",
    "recover --all",
    "recover $RUN --forward",
    f"{_CREATE} --dry-run",
)


class Bench:
    """A run that was cut off, on a world where somebody else has something, too."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.env = answers.environment(sandbox, folder)
        self.state = folder / "state"

    def cut_off(self) -> tuple[str, list[Json]]:
        """Have the world of a run that was cut off; returns its name and the lines of its journal."""
        self.sandbox.reset()
        shutil.rmtree(self.state, ignore_errors=True)
        self.sandbox.put_roles([RoleSpec(THEIRS, {"Version": "2012-10-17", "Statement": []})])
        ran = irsa(words(_CREATE), self.env)
        assert ran.code == 0, ran
        (path,) = self.state.glob("*.jsonl")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return path.stem, lines[:-1]

    def write(self, name: str, content: bytes) -> None:
        """Have this journal, and no other."""
        for path in self.state.glob("*.jsonl*"):
            path.unlink()
        (self.state / f"{name}.jsonl").write_bytes(content)
        (self.state / f"{name}.jsonl").chmod(0o600)

    def theirs(self) -> Any:
        """What is somebody else's."""
        return self.sandbox.world()["roles"][THEIRS]


def content(chance: random.Random, lines: list[Json]) -> bytes:
    """The bytes of a journal."""
    found: list[Any] = json.loads(json.dumps(lines[: chance.randrange(1, len(lines) + 1)]))
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(found)) if chance.random() < 0.6 else 0
        found[at] = hostile.mutated(chance, found[at])
    text = b"".join(json.dumps(line).encode() + b"\n" for line in found)
    if chance.random() < 0.3:
        text = text.replace(b"demo-apps-app", THEIRS.encode() + b"-x", 1)
    if chance.random() < 0.2:
        at = chance.randrange(len(text))
        return text[:at] + hostile.text(chance).encode("utf-8", "surrogatepass") + text[at:]
    return text[: chance.randrange(len(text))] if chance.random() < 0.1 else text


def fuzz(sandbox: Sandbox, folder: Path, count: int, seed: int) -> Figures:
    """Run commands on so many journals; those that write are given a new world."""
    figures, bench = Figures("journals"), Bench(sandbox, folder)
    with answers.impatient():
        name, lines = bench.cut_off()
        theirs, written = bench.theirs(), bench.sandbox.world()
        for number in range(count):
            if sandbox.world() != written:
                name, lines = bench.cut_off()
                theirs, written = bench.theirs(), bench.sandbox.world()
            chance = random.Random(f"{seed}/{number}")
            data = content(chance, lines)
            bench.write(name, data)
            line = chance.choice(_COMMANDS)
            ran = irsa(words(line, RUN=name), bench.env)
            wrong = list(flaws(ran, (bench.env["AWS_SECRET_ACCESS_KEY"],)))
            if bench.theirs() != theirs or ("--dry-run" in line and sandbox.world() != written):
                wrong.append("wrong claim")
            figures.note(ran, wrong, f"{line} {data[:1500]!r}")
    return figures
