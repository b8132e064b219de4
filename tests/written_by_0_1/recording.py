"""A recording: what one command had written at each of its writes, with each version of a thing kept once."""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ARCHIVE = Path(__file__).with_name("recordings.tar.xz")
"""All recordings, a text file of JSON lines for each command: `tar xJf` shows them."""


@dataclass(frozen=True)
class Moment:
    """A moment at which the run ended without a word.

    `call` is the write that was sent last, and `executed` tells whether AWS or Kubernetes carried it out.
    `ends` has what each command that goes on from there did: its exit code, and lines of a difference.
    """

    call: str
    executed: bool
    state: Json
    ends: Mapping[str, Json] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        return f"{'after' if self.executed else 'before'} {self.call}"


@dataclass(frozen=True)
class Recording:
    """The moments of one command's run, its words, and the options by which it reached another account."""

    command: str
    words: tuple[str, ...]
    way: tuple[str, ...]
    moments: tuple[Moment, ...]
    looks: Mapping[str, Json] = field(default_factory=dict)
    """The JSON documents about what it has left."""

    def to_text(self) -> str:
        """A line for each thing and each moment."""
        versions: dict[str, list[Any]] = {}
        changes: list[Any] = []
        moments = []
        for moment in self.moments:
            shows = {path: _number_of(thing, versions, path) for path, thing in _things(moment.state)}
            ends = {}
            for name, end in moment.ends.items():
                if end["changes"] not in changes:
                    changes.append(end["changes"])
                ends[name] = [end["code"], changes.index(end["changes"])]
            moments.append({"call": moment.call, "executed": moment.executed, "ends": ends, "shows": shows})
        lines = [
            _line(
                {
                    "command": self.command,
                    "words": self.words,
                    "way": self.way,
                    "changes": changes,
                    "looks": self.looks,
                }
            ),
            *(_line({"path": path, "versions": versions[path]}) for path in sorted(versions)),
            *map(_line, moments),
        ]
        return "".join(lines)


def pack(folder: Path) -> None:
    """Pack the recordings of a folder; the same ones make the same archive."""
    with tarfile.open(ARCHIVE, "w:xz") as archive:
        for path in sorted(folder.glob("*.jsonl")):
            content = path.read_bytes()
            entry = tarfile.TarInfo(path.name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@cache
def texts() -> Mapping[str, str]:
    """The recordings as they were packed, by their commands."""
    with tarfile.open(ARCHIVE) as archive:
        unpacked = {}
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None, entry.name
            unpacked[entry.name.removesuffix(".jsonl")] = file.read().decode()
    return unpacked


def read(command: str) -> Recording:
    """The recording of a command."""
    header, *lines = map(json.loads, texts()[command].splitlines())
    versions = {line["path"]: line["versions"] for line in lines if "path" in line}
    moments = []
    for line in lines:
        if "call" in line:
            ends = {
                name: {"code": code, "changes": header["changes"][number]}
                for name, (code, number) in line["ends"].items()
            }
            moments.append(Moment(line["call"], line["executed"], _state(versions, line["shows"]), ends))
    words, way = tuple(header["words"]), tuple(header["way"])
    return Recording(header["command"], words, way, tuple(moments), header["looks"])


def _number_of(thing: Any, versions: dict[str, list[Any]], path: str) -> list[int]:
    """Which version of the thing this is, and of how many lines, if it is a file: journals only grow."""
    known = versions.setdefault(path, [])
    if not path.startswith("files|"):
        if thing not in known:
            known.append(thing)
        return [known.index(thing)]
    for number, lines in enumerate(known):
        shorter = min(len(lines), len(thing))
        if lines[:shorter] == thing[:shorter]:
            known[number] = max(lines, thing, key=len)
            return [number, len(thing)]
    known.append(thing)
    return [len(known) - 1, len(thing)]


def _things(state: Json) -> Iterator[tuple[str, Any]]:
    """The things in a state by their paths; files in lines."""
    for account, iam in state["accounts"].items():
        for kind, named in iam.items():
            for name, thing in named.items():
                yield f"{account}|{kind}|{name}", thing
    for association in state["associations"]:
        yield f"associations|{association['associationId']}", association
    for thing in state["objects"]:
        metadata = thing["metadata"]
        yield f"objects|{thing['kind']} {metadata.get('namespace', '')}/{metadata['name']}", thing
    for name, text in state["files"].items():
        yield f"files|{name}", text.splitlines(keepends=True)


def _state(versions: Mapping[str, Any], shows: Mapping[str, list[int]]) -> Json:
    """The state with these versions of things."""
    state: Json = {"accounts": {}, "associations": [], "objects": [], "files": {}}
    for path, (number, *length) in shows.items():
        thing = versions[path][number]
        place, _, name = path.partition("|")
        if place in ("associations", "objects"):
            state[place].append(thing)
        elif place == "files":
            state["files"][name] = "".join(thing[: length[0]])
        else:
            kind, _, name = name.partition("|")
            iam = state["accounts"].setdefault(place, {"roles": {}, "oidc_providers": {}})
            iam[kind][name] = thing
    return state


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True) + "\n"
