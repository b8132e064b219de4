"""How a user goes on from a moment at which a run ended without a word, and what comes of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.ran import Ran
from tests.support.stage import Stage
from tests.support.worlds import difference_of_lines, lines_of
from tests.written_by_0_1 import snapshot
from tests.written_by_0_1.recording import Json, Moment, Recording

OTHER = "222222222222"
HOST, ANOTHER_HOST = "laptop-1", "laptop-2"
"""Where the run was, and where a user has none of its journals."""


@dataclass(frozen=True)
class GoingOn:
    """A command that goes on from a moment; `forgets`: on another machine, which has no journals."""

    words: Callable[[Recording], Sequence[str]]
    forgets: bool = False


def _recover(recording: Recording) -> Sequence[str]:
    return ("recover", "--all", "--yes", *recording.way)


def _same_again(recording: Recording) -> Sequence[str]:
    return recording.words


def _delete(recording: Recording) -> Sequence[str]:
    place = ("-n", "apps", "-c", snapshot.CLUSTER)
    return ("delete-sa", "app", *place, "--ignore-not-found", *recording.way)


def _recover_cluster(recording: Recording) -> Sequence[str]:
    return ("recover", "-c", snapshot.CLUSTER, "--all", "--min-age", "0s", "--yes", *recording.way)


def _adopt(_: Recording) -> Sequence[str]:
    return ("adopt", "app", "-n", "apps", "-c", snapshot.CLUSTER)


GOINGS_ON = {
    "recover": GoingOn(_recover),
    "recover by the cluster": GoingOn(_recover_cluster, forgets=True),
    "the same again": GoingOn(_same_again),
    "the same again elsewhere": GoingOn(_same_again, forgets=True),
    "delete": GoingOn(_delete),
    "delete elsewhere": GoingOn(_delete, forgets=True),
    "adopt elsewhere": GoingOn(_adopt, forgets=True),
}
"""What people do next, each of which writes or refuses to write."""


LOOKS = {
    "history": ("history", "-o", "json"),
    "get-sa": ("get-sa", "--all-namespaces", "-c", snapshot.CLUSTER, "-o", "json"),
    "describe-sa": ("describe-sa", "app", "-n", "apps", "-c", snapshot.CLUSTER, "-o", "json"),
}
"""What people look at afterwards, and what their scripts read."""


def look(sandbox: Sandbox, folder: Path, recording: Recording, name: str) -> Json:
    """The JSON document about what a run has left that came to its end."""
    sandbox.reset()
    _, ran, _ = run(sandbox, folder, recording, recording.moments[-1], GoingOn(lambda _: LOOKS[name]))
    document: Json = json.loads(ran.out)
    return document


def play(sandbox: Sandbox, folder: Path, recording: Recording, moment: Moment, name: str) -> Json:
    """Put the moment there, go on from it, and tell the exit code and what is another in the world."""
    going_on = GOINGS_ON[name]
    sandbox.reset()
    stage, ran, before = run(sandbox, folder, recording, moment, going_on)
    return {"code": ran.code, "changes": plain(difference_of_lines(before, _lines(stage)).splitlines())}


def plain(changes: Sequence[str]) -> list[str]:
    """The lines of a difference, with the keys of documents in their order: AWS keeps none."""
    return sorted(map(_with_sorted_keys, changes))


def _with_sorted_keys(line: str) -> str:
    before, brace, document = line.partition("{")
    if not brace:
        return line
    return before + json.dumps(json.loads(brace + document), separators=(",", ":"), sort_keys=True)


def run(
    sandbox: Sandbox, folder: Path, recording: Recording, moment: Moment, going_on: GoingOn
) -> tuple[Stage, Ran, list[str]]:
    """Put the moment there and run the command; returns the lines of the world before it, too."""
    state = moment.state
    if going_on.forgets:
        files = state["files"].items()
        state = {**state, "files": {path: text for path, text in files if not path.endswith(".jsonl")}}
    snapshot.put(sandbox, folder, state)
    stage = sandbox_stage(sandbox, snapshot.CLUSTER, folder)
    before = _lines(stage)
    host = ANOTHER_HOST if going_on.forgets else HOST
    with patch("socket.gethostname", lambda: host):
        ran = stage.irsa(*going_on.words(recording), HOME=str(folder / "home"), USER="dev")
    return stage, ran, before


def _lines(stage: Stage) -> list[str]:
    other = stage.sandbox.world(OTHER, region=snapshot.REGION)
    world = stage.world()
    return [*lines_of(world), *lines_of({**other, "kubernetes": {}})]
