"""Journals of another version, or damaged ones: understood, or refused in one sentence, and nobody's loss."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from irsa_cli import __version__
from irsa_cli.cli.main import run
from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import (
    NamespaceState,
    OwnerState,
    Present,
    ProviderState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.plan.written import UnknownState, UnreadableChange, written_fields
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.reading import LARGEST, interrupted_runs, read, supersede
from irsa_cli.transaction.recover import unfinished, unreadable
from irsa_cli.transaction.story import About
from irsa_cli.usecases.command.caller import TARGET_KEYS, Target, written_target
from irsa_cli.usecases.recovery import by_journal as recovering
from tests.fuzz import hostile
from tests.support.named import named
from tests.support.thoroughness import examples
from tests.unit.planning.desired_states import CLUSTER
from tests.unit.transaction.doubles import Clock, MemoryWorld, before

Json = dict[str, Any]
ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"
PLAN = Plan.of(
    [
        Change(
            Kind.PROVIDER,
            ("arn:aws:iam::111122223333:oidc-provider/x",),
            None,
            ProviderState("https://x", ["sts"]),
        ),
        Change(Kind.NAMESPACE, ("n",), None, NamespaceState({"a": "b"})),
    ],
    [
        Change(Kind.ROLE, ("r",), None, RoleState("/irsa/demo/", {"Statement": []}, tags={"a": "b"})),
        Change(Kind.ROLE_OWNER, ("m",), OwnerState("t0"), OwnerState("")),
    ],
    [Change(Kind.ATTACHMENT, ("r", "arn:aws:iam::aws:policy/A"), None, Present())],
    [Change(Kind.SERVICE_ACCOUNT, ("n", "a"), None, ServiceAccountState({"k": "v", "gone": None}))],
)
CONTEXT = {
    "command": "create-sa",
    "cluster": ARN,
    "serviceAccount": "n/a",
    "target": written_target(Target("demo", region="eu-west-1", profile="my team")),
    "gated": False,
}
ABOUT = About("create-sa", ARN, "n/a")
ID, NEIGHBOUR = "20261101T100000000Z-0a1b2c3d", "20261101T110000000Z-0a1b2c3d"


def write(folder: Path, name: str = ID, *, done: int = 3, **context: Any) -> Path:
    journal = Journal.open(folder, name, PLAN, {**CONTEXT, **context})
    for index in range(done):
        journal.event("begin", index)
        journal.event("done", index, changed=True, identity={"uid": "1"})
    journal.close()
    return journal.path


GONE = "(gone)"


def edit(path: Path, where: str, value: str) -> None:
    """Have the header of a journal say something else at such a path: JSON, or nothing any more."""
    header, *lines = path.read_text().splitlines()
    document = part = json.loads(header)
    *above, last = [int(key) if key.isdecimal() else key for key in where.split(".")]
    for key in above:
        part = part[key]
    if value == GONE:
        del part[last]
    else:
        part[last] = json.loads(value)
    path.write_text("\n".join([json.dumps(document), *lines, ""]))


def add(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text()}{line}\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of an unfinished run."""
    return write(tmp_path)


def told(path: Path) -> str:
    """Why it is not read."""
    with pytest.raises(JournalError) as caught:
        read(path)
    return str(caught.value)


def test_what_is_written_is_every_field_by_name() -> None:
    for made in {kind.traits.state for kind in Kind}:
        fields = {item.name: item for item in dataclasses.fields(made)}
        named = written_fields(made)
        assert [item.attribute for item in named] == list(fields)
        for item in named:
            default = fields[item.attribute]
            has_one = dataclasses.MISSING in (default.default, default.default_factory)
            has_default = not (default.default is dataclasses.MISSING and has_one) or (
                default.default_factory is not dataclasses.MISSING
            )
            assert item.needed is not has_default
    # What is not compared is of the process that runs (whom it tells), and not of what it is about.
    assert set(TARGET_KEYS) == {item.name for item in dataclasses.fields(Target) if item.compare}


# What a journal of version 1 looks like: it must be read for ever.
OLD = """\
{"version":1,"transaction":"t1","started":"2026-06-01T12:00:00+00:00","context":{"command":"create-sa",\
"cluster":"c","serviceAccount":"n/a","target":{"cluster":"demo"},"gated":false},"plan":[[{"kind":"Role",\
"target":["r"],"before":null,"after":{"path":"/","trust":{},"description":"","max_session_duration":3600,\
"permissions_boundary":"","tags":{}}}],[{"kind":"ServiceAccount","target":["n","a"],"before":{"annotations":\
{"k":null},"labels":{},"uid":"u","resource_version":"7","manifest":{}},"after":{"annotations":{"k":"v"},\
"labels":{},"uid":"u","resource_version":"7","manifest":{}}}]]}
{"event":"begin","at":"2026-06-01T12:00:00.001+00:00","change":0}
{"event":"done","at":"2026-06-01T12:00:00.002+00:00","change":0,"changed":true,"identity":{"RoleId":"A"}}
"""


def test_a_journal_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t1.jsonl"
    path.write_text(OLD)
    role, account = read(path).records
    assert role.change == Change(Kind.ROLE, ("r",), None, RoleState("/", {}))
    assert (role.needs_undo, role.identity, account.needs_undo) == (True, {"RoleId": "A"}, False)


@named(
    "where value",
    ("header", "hostname", '"ci-7"'),
    ("context", "context.why", '{"ticket": 7}'),
    ("no value", "plan.1.0.after.instance_profile", "null"),
    ("no values", "plan.1.0.after.policies", "[]"),
    ("change", "plan.0.0.condition", '""'),
    ("target", "context.target.endpoint", "null"),
)
def test_what_says_nothing_about_the_world_is_passed_over(path: Path, where: str, value: str) -> None:
    before_it = list(read(path).records)
    edit(path, where, value)
    assert list(read(path).records) == before_it
    assert recovering.target_of(read(path)) == Target("demo", region="eu-west-1", profile="my team")


@named(
    "where value line what",
    ("version", "version", "2", "", "version 2 of the journal"),
    ("kind", "plan.0.1.kind", '"AccessEntry"', "", "'AccessEntry'"),
    ("field", "plan.1.0.after.session_policy", '"x"', "", "'session_policy'"),
    ("change", "plan.1.0.condition", '{"if": "absent"}', "", "'condition'"),
    ("step", "hostname", '""', '{"event": "paused", "change": 0}', "'paused'"),
    ("outcome", "hostname", '""', '{"event": "outcome", "outcome": "half"}', "'half'"),
)
def test_what_another_version_means_is_refused_in_one_sentence(
    path: Path, where: str, value: str, line: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(path, where, value)
    edit(path, "irsa", '"7.5.0"')
    # Whoever brings a journal must not have the user paste a command that runs what its kubeconfig names.
    edit(path, "context.target.kubeconfig", '"/shared/evil"')
    if line:
        add(path, line)
    text = told(path)
    assert "irsa 7.5.0" in text
    assert f"irsa {__version__} does not know" in text
    assert what in text
    assert "\n" not in text
    assert list(unreadable(path.parent)) == [ID]
    capsys.readouterr()
    assert run(["recover", ID, "--state-dir", str(path.parent)]) == 1
    err = capsys.readouterr().err
    assert text in err
    assert "irsa recover --cluster demo --region eu-west-1 --profile 'my team'  #" in err
    assert not [bad for bad in ("a bug", "/shared/evil") if bad in err]


@named(
    "where value",
    ("no kind", "plan.0.0.kind", GONE),
    ("kind", "plan.0.0.kind", '["Role"]'),
    ("no target", "plan.0.0.target", "[]"),
    ("half a target", "plan.3.0.target", '["n"]'),
    ("target", "plan.0.0.target", '"arn"'),
    ("empty name", "plan.2.0.target", '["r", ""]'),
    ("nothing changes", "plan.0.0.after", "null"),
    ("state", "plan.0.0.after", "[]"),
    ("lacks", "plan.0.0.after.url", GONE),
    ("form", "plan.0.0.after.audiences", '"sts"'),
    ("number", "plan.1.0.after.max_session_duration", '"3600"'),
    ("map", "plan.1.0.after.tags", '{"a": null}'),
    ("version", "version", '"1"'),
    ("context", "context", "[]"),
    ("command", "context.command", "7"),
    ("its cluster", "context.target", '{"region": "eu-west-1"}'),
    ("its region", "context.target", '{"cluster": "demo", "region": 7}'),
    ("nobody", "transaction", '"nobody"'),
    ("no name", "transaction", '""'),
    ("stage", "plan.0", "{}"),
)
def test_what_is_damaged_is_told_and_hides_no_other(path: Path, where: str, value: str) -> None:
    write(path.parent, NEIGHBOUR)
    edit(path, where, value)
    assert str(path) in told(path)
    assert list(unreadable(path.parent)) == [ID]
    assert [story.transaction for _, story in unfinished(path.parent)] == [NEIGHBOUR]


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"done","change":-1,"changed":true,"identity":{}}',
        '{"event":"done","change":true,"changed":true,"identity":{}}',
        '{"event":"done","change":0,"changed":"yes","identity":{}}',
        '{"event":"done","change":0,"changed":true,"identity":{"uid":7}}',
        '{"event":7}',
        "[]",
    ],
)
def test_a_step_that_no_version_writes_is_no_step(path: Path, line: str) -> None:
    add(path, line)
    assert told(path)


@pytest.mark.parametrize("data", [None, 7, "x", [], {}, {"kind": None}])
def test_what_is_no_change_is_none(data: Any) -> None:
    with pytest.raises(UnreadableChange):
        written.read(data)
    assert issubclass(UnknownState, UnreadableChange)


def test_a_file_that_never_ends_or_is_none_is_no_journal(tmp_path: Path) -> None:
    write(tmp_path, NEIGHBOUR)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    with (tmp_path / "large.jsonl").open("wb") as file:
        file.truncate(LARGEST + 1)
    texts = {"deep": "[" * 200_000, "half": '{"version": "\\ud800"}', "number": "1" * 10_000}
    for name, text in texts.items():
        (tmp_path / f"{name}.jsonl").write_text(f"{text}\n")
    assert list(unreadable(tmp_path)) == ["deep", "folder", "half", "large", "loop", "number", "pipe"]
    assert [story.transaction for _, story in unfinished(tmp_path)] == [NEIGHBOUR]
    assert interrupted_runs(tmp_path, ABOUT) == [tmp_path / f"{NEIGHBOUR}.jsonl"]


# Anything at all ------------------------------------------------------------------------------------------


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    """A journal of which some lines, or bytes, are not what irsa writes."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [json.loads(line) for line in write(Path(folder)).read_bytes().splitlines()]
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 3))):
        number = chance.randrange(len(lines))
        lines[number] = hostile.mutated(chance, lines[number])
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    how = draw(st.sampled_from(["whole", "whole", "whole", "torn", "bytes"]))
    at = draw(st.integers(0, len(data)))
    if how == "torn":
        return data[:at]
    return data if how == "whole" else data[:at] + draw(st.binary(max_size=6)) + data[at + 3 :]


@contextmanager
def no_aws() -> Iterator[MemoryWorld]:
    """Commands that recover reach a world of plain values instead of AWS and Kubernetes."""
    clock = Clock()
    world = before(Plan(), clock)

    def connect(target: Target, **_: Any) -> Any:
        assert isinstance(target, Target)
        aws = SimpleNamespace(caller=lambda: "")
        return SimpleNamespace(iam=None, kube=None, aws=aws, cluster=CLUSTER, target=target)

    with (
        clock.ruling(),
        mock.patch.object(recovering, "connect", connect),
        mock.patch.object(recovering, "handlers_of", return_value=world.handlers),
        mock.patch("os.fsync"),
    ):
        yield world


COMMANDS = (
    *("history", "history -o json", "recover", f"recover {ID} --dry-run", f"recover {ID}"),
    *(f"recover {ID} --forward --dry-run -o json", "recover --all", "recover --all -o yaml"),
)


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=journals())
@example(content=b"\x00\xff\n")
@example(content=b"[" * 100_000 + b"\n")
@example(content=b"{}\n")
def test_no_journal_is_taken_for_a_bug(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name, no_aws():
        folder = Path(name)
        write(folder, NEIGHBOUR)
        (folder / f"{ID}.jsonl").write_bytes(content)
        for command in COMMANDS:
            code = run([*command.split(), "--state-dir", name])
            out, err = capsys.readouterr()
            assert code in (0, 1, 3, 4), (command, err)
            assert "Traceback" not in err, command
            assert "a bug" not in out + err, (command, err)
            assert NEIGHBOUR in out or not command.startswith("history")
        # What writing commands read on their way.
        found = interrupted_runs(folder, ABOUT, ("apply",))
        supersede(found)
        assert read(folder / f"{NEIGHBOUR}.jsonl").finished
