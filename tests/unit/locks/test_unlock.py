"""`irsa unlock` on a cloud in memory: what is listed, removed and refused, whichever of its calls fails."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.marks.locks import Holder, Lock, LockScope, Timing, Writer, cluster_label
from irsa_cli.usecases.locks import unlock as unlocking
from irsa_cli.usecases.locks.presence import Presence
from tests.support.memory.cloud import CLUSTER
from tests.support.memory.iam import Refusal
from tests.support.memory.playing import DENIED, LOST_AFTER, LOST_BEFORE, Play, Ran, playing

A, B, SPACE = (
    Lock(LockScope.BINDING, "ns/a"),
    Lock(LockScope.BINDING, "ns/b"),
    Lock(LockScope.NAMESPACE, "ns"),
)
Json = dict[str, Any]


@dataclass
class Table:
    """A cluster with locks, whose clock passes when somebody waits; `meanwhile` happens at each wait."""

    play: Play
    monkeypatch: pytest.MonkeyPatch
    seconds: float = 1_800_000_000.0
    waited: float = 0.0
    meanwhile: Callable[[], None] = field(default=lambda: None)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.waited += seconds
        self.meanwhile()

    @property
    def kube(self) -> Any:
        return self.play.cloud.clients()[1]

    def hold(self, run: str, *locks: Lock, host: str = "ci", namespace: str = "default") -> list[Json]:
        """Let a run hold locks."""
        label = cluster_label(CLUSTER.arn, CLUSTER.name)
        writer = Writer(Holder(run, "alice", host), Timing(), label, "irsa create-sa")
        now = datetime.fromtimestamp(self.seconds, timezone.utc)
        return [self.kube.create_lease(namespace, writer.body(lock, now)).body for lock in locks]

    def renew(self, body: Json) -> None:
        found = self.kube.lease("default", body["metadata"]["name"])
        self.kube.replace_lease("default", body["metadata"]["name"], found.body)

    def renew_as(self, body: Json) -> None:
        self.kube.replace_lease("default", body["metadata"]["name"], body)

    def unlock(self, *arguments: str, code: int | None = 0) -> Ran:
        return self.play.irsa("unlock", *arguments, "-c", "demo", code=code)

    @property
    def names(self) -> set[str]:
        """The names of the Leases that are there."""
        return {name for kind, _, name in self.play.cloud.kube.objects if kind == "leases"}


class Waiting:
    """Whose pauses pass on the table's clock."""

    def __init__(self, table: Table) -> None:
        self.pause = table.pause


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with playing(tmp_path) as play:
        found = Table(play, monkeypatch)
        monkeypatch.setattr(play.cloud.kube, "clock", lambda: found.seconds)
        monkeypatch.setattr(unlocking, "boot_seconds", lambda: found.seconds)
        monkeypatch.setattr(unlocking, "current", lambda: Waiting(found))
        yield found


def test_what_is_held_is_listed_by_its_holders(table: Table) -> None:
    table.hold("r1", A, SPACE)
    table.seconds += 60
    table.hold("r2", B)
    told = table.unlock().out
    assert "r1_alice@ci  irsa create-sa  since 2027-01-15 08:00:00 UTC" in told
    assert "ServiceAccount ns/a  expired at 2027-01-15 08:00:45 UTC and was not released" in told
    assert "ServiceAccount ns/b  held until 2027-01-15 08:01:45 UTC unless it is renewed" in told
    ran = table.unlock("-o", "json")
    assert (ran.json["kind"], ran.metadata["lockNamespace"]) == ("LockList", "default")
    found = {item["locked"]: item for item in ran.items}
    assert {key: item["ended"] for key, item in found.items()} == {
        "ServiceAccount ns/a": True,
        "namespace ns": True,
        "ServiceAccount ns/b": False,
    }
    assert found["ServiceAccount ns/b"]["holder"] == "r2_alice@ci"
    assert (found["ServiceAccount ns/b"]["run"], found["ServiceAccount ns/b"]["host"]) == ("r2", "ci")
    assert table.names == {A.name, B.name, SPACE.name}


def test_one_that_would_be_held_for_decades_is_watched_as_any_other(table: Table) -> None:
    (body,) = table.hold("r1", A)
    body["spec"]["leaseDurationSeconds"] = 2**31 - 1
    table.renew_as(body)
    assert "until 2027-01-15 08:00:45 UTC" in table.unlock().out
    table.unlock("r1", "-y")
    assert table.waited < 60
    assert table.names == set()


def test_nothing_is_held(table: Table) -> None:
    assert "No run holds a lock in demo (namespace default)." in table.unlock().out


def test_others_clusters_and_namespaces_are_not_seen(table: Table) -> None:
    (body,) = table.hold("r1", A)
    table.play.cloud.kube.put("namespaces", "", "locks")
    table.hold("r2", B, namespace="locks")
    body["metadata"]["labels"]["irsa/cluster"] = "another"
    table.kube.replace_lease("default", body["metadata"]["name"], body)
    assert "No run holds a lock" in table.unlock().out
    assert "r2_alice@ci" in table.unlock("--lock-namespace", "locks").out


@pytest.mark.parametrize("holder", ["r1", "r1_alice@ci"])
def test_what_has_ended_is_removed_at_once(table: Table, holder: str) -> None:
    table.hold("r1", A, SPACE)
    table.hold("r2", B)
    table.seconds += 51
    told = table.unlock(holder)
    assert "ServiceAccount ns/a  removed" in told.out
    assert "irsa recover --cluster demo" in told.err
    assert (table.names, table.waited) == ({B.name}, 0)


def test_what_is_not_renewed_is_watched_for_so_long_that_its_holder_writes_no_more(table: Table) -> None:
    table.hold("r1", A)
    done = table.unlock("r1", "-o", "json")
    assert (done.item["serviceAccount"], done.item["removal"]) == (
        {"namespace": "ns", "name": "a"},
        "removed",
    )
    assert (done.metadata["holder"], done.errors) == ("r1", [])
    assert Timing().renew < table.waited == pytest.approx(Timing().stop)
    assert table.names == set()


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_while_its_holder_renews_it_is_refused(table: Table, flags: tuple[str, ...]) -> None:
    first, _ = table.hold("r1", A, SPACE)
    table.meanwhile = lambda: table.renew(first) if table.waited > Timing().renew else None
    told = table.unlock("r1", *flags, code=4)
    assert "r1_alice@ci renews its locks: it is still running" in told.err
    assert "Nothing was changed (exit 4)" in told.err
    assert table.names == {A.name, SPACE.name}


def test_one_lock_that_is_renewed_keeps_those_that_have_ended(table: Table) -> None:
    table.hold("r1", A)
    table.seconds += 60
    (held,) = table.hold("r1", SPACE)
    table.meanwhile = lambda: table.renew(held)
    table.unlock("r1", code=4)
    assert table.names == {A.name, SPACE.name}


def test_a_lock_more_is_a_sign_of_life(table: Table) -> None:
    table.hold("r1", A)

    def take() -> None:
        if B.name not in table.names:
            table.hold("r1", B)

    table.meanwhile = take
    table.unlock("r1", code=4)
    assert table.names == {A.name, B.name}


def test_what_it_gives_back_meanwhile_is_gone(table: Table) -> None:
    (body,) = table.hold("r1", A)
    place = body["metadata"]

    def release() -> None:
        table.kube.delete_lease("default", A.name, uid=place["uid"], version=place["resourceVersion"])

    table.meanwhile = release
    assert "ServiceAccount ns/a  no longer held by that run" in table.unlock("r1").out


def test_what_another_run_takes_over_meanwhile_stays(table: Table) -> None:
    (body,) = table.hold("r1", A)

    def take_over() -> None:
        body["spec"]["holderIdentity"] = "r2_bob@ci"
        if table.waited < 5:
            table.kube.replace_lease("default", A.name, body)

    table.meanwhile = take_over
    assert "no longer held by that run" in table.unlock("r1").out
    assert table.names == {A.name}


def test_a_run_of_this_machine_whose_process_is_gone_is_not_watched(table: Table) -> None:
    state = table.play.folder / "state"
    shown = Presence(state, "r1")
    shown.show()
    table.hold("r1", A, SPACE, host=socket.gethostname())
    shown.end(left=True)
    table.unlock("r1", "--dry-run")
    assert table.waited > 0
    table.waited = 0
    table.unlock("r1")
    assert (table.waited, table.names) == (0, set())


def test_a_dry_run_removes_nothing(table: Table) -> None:
    table.hold("r1", A)
    told = table.unlock("r1", "--dry-run").out
    assert "ServiceAccount ns/a  would be removed" in told
    assert "Nothing was removed (dry run)." in told
    assert table.names == {A.name}


def test_who_holds_nothing_is_refused_with_those_who_do(table: Table) -> None:
    table.hold("r1", A, SPACE)
    told = table.unlock("r9", code=4)
    assert "r9 holds no lock in demo, namespace default" in told.err
    assert "r1_alice@ci: ServiceAccount ns/a, namespace ns" in told.err
    assert table.names == {A.name, SPACE.name}


def test_without_confirmation_nothing_is_removed(table: Table) -> None:
    table.hold("r1", A)
    asked: list[list[str]] = []

    def ask(_: object, lines: list[str], __: str) -> bool:
        asked.append(lines)
        return False

    table.monkeypatch.setattr("irsa_cli.cli.terminal.progress.Progress.ask", ask)
    table.monkeypatch.delenv("CI", raising=False)
    for stream in ("stdin", "stderr"):
        table.monkeypatch.setattr(f"sys.{stream}", Terminal())
    arguments = ["unlock", "r1", "-c", "demo", "-q"]
    assert run(arguments) == 4
    assert "r1_alice@ci" in asked[0][0]
    assert "ServiceAccount ns/a" in asked[0][1]
    assert table.names == {A.name}
    assert run([*arguments, "--yes"]) == 0
    assert (len(asked), table.names) == (1, set())


class Terminal:
    """A stream that a person reads."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def test_what_it_says_of_others_does_nothing(table: Table) -> None:
    (body,) = table.hold("r1", A)
    body["spec"]["holderIdentity"] = "x\x1b[2J\n::error::"
    body["metadata"]["annotations"]["irsa/locked"] = "\n::error::"
    table.kube.replace_lease("default", A.name, body)
    told = table.unlock()
    assert "\x1b" not in told.out
    assert not any(line.startswith("::") for line in told.out.splitlines())
    table.unlock("nobody", code=4)


@pytest.mark.parametrize("how", [DENIED, LOST_BEFORE, LOST_AFTER, Refusal("Conflict", 409)])
def test_where_one_can_not_be_removed_it_is_said_what_was(table: Table, how: Refusal) -> None:
    table.hold("r1", A, B, SPACE)
    table.seconds += 51
    table.play.cloud.break_("delete leases", how, skip=1)
    done = table.unlock("r1", "-o", "json", code=None)
    states = {item["locked"]: item["removal"] for item in done.items}
    for lock in (A, B, SPACE):
        is_there = lock.name in table.names
        assert states[lock.words] in (("kept", "unknown") if is_there else ("removed", "unknown")), states
    assert (done.code == 0) == (not table.names)


def test_a_signal_in_between_tells_what_was_removed(table: Table) -> None:
    table.hold("r1", A, B)
    table.seconds += 51
    kube, delete = type(table.kube), type(table.kube).delete_lease

    def interrupted(self: Any, namespace: str, name: str, **more: Any) -> None:
        if name == B.name:
            raise KeyboardInterrupt(signal.SIGTERM)
        delete(self, namespace, name, **more)

    table.monkeypatch.setattr(kube, "delete_lease", interrupted)
    done = table.unlock("r1", "-o", "json", code=143)
    assert [item["removal"] for item in done.items] == ["removed", "unknown"]
    assert table.names == {B.name}


@pytest.mark.parametrize("holder", [(), ("r1",)])
def test_who_may_not_list_is_told_what_is_missing(table: Table, holder: tuple[str, ...]) -> None:
    table.hold("r1", A)
    table.play.cloud.break_("list leases", DENIED)
    told = table.unlock(*holder, code=4)
    assert "this caller is not allowed to list Leases" in told.err
    assert table.names == {A.name}


def lock_found(document: Json, name: str = "a") -> Json:
    """What doctor says of the lock, of one ServiceAccount or of one of all."""
    findings = document["items"][0]["findings"] + [
        item
        for account in document["items"][1:]
        if account["serviceAccount"]["name"] == name
        for item in account["findings"]
    ]
    (found,) = [item for item in findings if item["id"] == "run-at-work"]
    return dict(found)


@pytest.mark.parametrize("named", [("a", "-n", "ns"), ()])
@pytest.mark.parametrize(("age", "words"), [(0, "an irsa run is changing it"), (51, "a run was interrupted")])
def test_doctor_tells_of_it(table: Table, named: tuple[str, ...], age: float, words: str) -> None:
    kube = table.play.cloud.kube
    kube.put("namespaces", "", "ns")
    arn = "arn:aws:iam::111122223333:role/r"
    kube.put("serviceaccounts", "ns", "a", annotations={"eks.amazonaws.com/role-arn": arn})
    table.hold("r1", A)
    table.seconds += age
    found = lock_found(table.play.irsa("doctor", *named, "-c", "demo", "-o", "json", code=None).json)
    assert (words in found["text"], found["hint"]) == (True, True)
    asked = [item for item in table.play.cloud.calls if "leases" in item]
    assert asked == (["get leases"] if named else ["list leases"])
    table.play.cloud.break_(asked[0], Refusal("Forbidden", 403))
    denied = lock_found(table.play.irsa("doctor", *named, "-c", "demo", "-o", "json", code=None).json)
    assert (denied["verdict"], denied["hint"]) == ("unknown", False)
