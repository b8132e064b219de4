"""`irsa recover --unlock` on a cloud in memory: what is listed, removed and refused, whichever call fails."""

from __future__ import annotations

import io
import shlex
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import click
import pytest

from irsa_cli.cli.commands import recover
from irsa_cli.cli.help.environment import NOT_OF_LOCKS
from irsa_cli.cli.main import run
from irsa_cli.core.marks.locks import Holder, Lock, LockScope, Timing, Writer, cluster_label
from irsa_cli.usecases.locks import unlock as unlocking
from irsa_cli.usecases.locks.presence import Presence
from tests.support.memory.cloud import CLUSTER
from tests.support.memory.iam import Refusal
from tests.support.memory.playing import DENIED, LOST_AFTER, LOST_BEFORE, Play, playing
from tests.support.ran import Ran
from tests.support.rows import Running

A, B = Lock(LockScope.BINDING, "ns/a"), Lock(LockScope.BINDING, "ns/b")
SPACE = Lock(LockScope.NAMESPACE, "ns")
Json = dict[str, Any]


@dataclass
class Table(Running):
    """A cluster with locks, whose clock passes when somebody waits; `meanwhile` happens at each wait."""

    play: Play
    monkeypatch: pytest.MonkeyPatch
    seconds: float = 1_800_000_000.0
    waited: float = 0.0
    meanwhile: Callable[[], object] = field(default=lambda: None)
    words: dict[str, str] = field(default_factory=dict)
    cluster = "demo"

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.waited += seconds
        self.meanwhile()

    @property
    def kube(self) -> Any:
        return self.play.cloud.clients()[1]

    def irsa(self, *arguments: str, **_: Any) -> Ran:
        return self.play.irsa(*arguments, code=None)

    def world(self) -> Json:
        """Only locks are judged."""
        locks = {lock.name: lock.subject for lock in (A, B, SPACE)}
        there: Json = {locks[name]: {} for kind, _, name in self.play.cloud.kube.objects if kind == "leases"}
        return {"locks": there, "kubernetes": {}}

    def hold(self, run: str, *locks: Lock, host: str = "ci", namespace: str = "default") -> Json:
        """Let a run hold locks; returns the last one's Lease."""
        label = cluster_label(CLUSTER.arn, CLUSTER.name)
        writer = Writer(Holder(run, "alice", host), Timing(), label, "irsa create-sa")
        now = datetime.fromtimestamp(self.seconds, timezone.utc)
        bodies = [self.kube.create_lease(namespace, writer.body(lock, now)).body for lock in locks]
        return dict(bodies[-1])

    def renew(self, lock: Lock) -> None:
        self.kube.replace_lease("default", lock.name, self.kube.lease("default", lock.name).body)

    def renew_as(self, body: Json) -> None:
        self.kube.replace_lease("default", body["metadata"]["name"], body)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with playing(tmp_path) as play:
        found = Table(play, monkeypatch)
        monkeypatch.setattr(play.cloud.kube, "clock", lambda: found.seconds)
        monkeypatch.setattr(unlocking, "boot_seconds", lambda: found.seconds)
        monkeypatch.setattr(unlocking, "current", lambda: SimpleNamespace(pause=found.pause))
        yield found


def test_what_is_held_is_listed_by_its_holders(table: Table) -> None:
    table.hold("r1", A, SPACE)
    table.seconds += 60
    table.hold("r2", B)
    says = [
        "r1_alice@ci  irsa create-sa  since 2027-01-15 08:00:00 UTC",
        "ServiceAccount ns/a  expired at 2027-01-15 08:00:45 UTC and was not released",
        "ServiceAccount ns/b  held until 2027-01-15 08:01:45 UTC unless it is renewed",
    ]
    table.run("recover --unlock", says=says, changes="")
    ran = table.run("recover --unlock -o json")
    assert (ran.json["kind"], ran.metadata["lockNamespace"]) == ("LockList", "default")
    keys = ("ended", "holder", "run", "host")
    assert {item["locked"]: [item[key] for key in keys] for item in ran.items} == {
        "ServiceAccount ns/a": [True, "r1_alice@ci", "r1", "ci"],
        "namespace ns": [True, "r1_alice@ci", "r1", "ci"],
        "ServiceAccount ns/b": [False, "r2_alice@ci", "r2", "ci"],
    }


def test_one_that_would_be_held_for_decades_is_watched_as_any_other(table: Table) -> None:
    body = table.hold("r1", A)
    body["spec"]["leaseDurationSeconds"] = 2**31 - 1
    table.renew_as(body)
    table.run("recover --unlock", says="until 2027-01-15 08:00:45 UTC")
    table.run("recover --unlock r1 -y", changes="- locks ns/a")
    assert table.waited < 60


def test_others_clusters_and_namespaces_are_not_seen(table: Table) -> None:
    body = table.hold("r1", A)
    table.play.cloud.kube.put("namespaces", "", "locks")
    table.hold("r2", B, namespace="locks")
    body["metadata"]["labels"]["irsa/cluster"] = "another"
    table.renew_as(body)
    table.run("recover --unlock", says="No run holds a lock in demo (namespace default).")
    table.run("recover --unlock --lock-namespace locks", says="r2_alice@ci")


@pytest.mark.parametrize("holder", ["r1", "r1_alice@ci"])
def test_what_has_ended_is_removed_at_once(table: Table, holder: str) -> None:
    table.hold("r1", A, SPACE)
    table.hold("r2", B)
    table.seconds += 51
    says = ["ServiceAccount ns/a  removed", "irsa recover --cluster demo"]
    table.run(f"recover --unlock {holder}", says=says, changes="- locks ns/a\n- locks ns")
    assert table.waited == 0


def test_what_is_not_renewed_is_watched_for_so_long_that_its_holder_writes_no_more(table: Table) -> None:
    table.hold("r1", A)
    done = table.run("recover --unlock r1 -o json", changes="- locks ns/a")
    assert (done.item["serviceAccount"], done.item["removal"]) == (
        {"namespace": "ns", "name": "a"},
        "removed",
    )
    assert (done.metadata["holder"], done.errors) == ("r1", [])
    assert Timing().renew < table.waited == pytest.approx(Timing().stop)


@pytest.mark.parametrize("flags", ["", " --dry-run"])
def test_while_its_holder_renews_it_is_refused(table: Table, flags: str) -> None:
    table.hold("r1", A)
    table.seconds += 60  # One has ended, and the other keeps it.
    table.hold("r1", SPACE)
    table.meanwhile = lambda: table.renew(SPACE) if table.waited > Timing().renew else None
    says = ["r1_alice@ci renews its locks: it is still running", "Nothing was changed (exit 4)"]
    table.run(f"recover --unlock r1{flags}", code=4, says=says, changes="")


def test_a_lock_more_is_a_sign_of_life(table: Table) -> None:
    table.hold("r1", A)
    table.meanwhile = lambda: B.name in table.play.cloud.locks or table.hold("r1", B)
    table.run("recover --unlock r1", code=4, changes="+ locks ns/b")


def test_what_it_gives_back_meanwhile_is_gone(table: Table) -> None:
    place = table.hold("r1", A)["metadata"]

    def release() -> None:
        table.kube.delete_lease("default", A.name, uid=place["uid"], version=place["resourceVersion"])

    table.meanwhile = release
    table.run("recover --unlock r1", says="ServiceAccount ns/a  no longer held by that run")


def test_what_another_run_takes_over_meanwhile_stays(table: Table) -> None:
    body = table.hold("r1", A)
    body["spec"]["holderIdentity"] = "r2_bob@ci"
    table.meanwhile = lambda: table.renew_as(body) if table.waited < 5 else None
    table.run("recover --unlock r1", says="no longer held by that run", changes="")


def test_a_run_of_this_machine_whose_process_is_gone_is_not_watched(table: Table) -> None:
    shown = Presence(table.play.folder / "state", "r1")
    shown.show()
    table.hold("r1", A, SPACE, host=socket.gethostname())
    shown.end(left=True)
    says = ["ServiceAccount ns/a  would be removed", "Nothing was removed (dry run)."]
    table.run("recover --unlock r1 --dry-run", says=says, changes="")
    assert table.waited > 0
    table.waited = 0
    table.run("recover --unlock r1", changes="- locks ns/a\n- locks ns")
    assert table.waited == 0


def test_who_holds_nothing_is_refused_with_those_who_do(table: Table) -> None:
    table.hold("r1", A, SPACE)
    says = ["r9 holds no lock in demo, namespace default", "r1_alice@ci: ServiceAccount ns/a, namespace ns"]
    table.run("recover --unlock r9", code=4, says=says, changes="")


def test_without_confirmation_nothing_is_removed(table: Table) -> None:
    table.hold("r1", A)
    ask = mock.Mock(return_value=False)
    table.monkeypatch.setattr("irsa_cli.cli.terminal.progress.Progress.ask", ask)
    table.monkeypatch.delenv("CI", raising=False)
    for stream in ("stdin", "stderr"):
        table.monkeypatch.setattr(f"sys.{stream}", Terminal())
    arguments = ["recover", "--unlock", "r1", "-c", "demo", "-q"]
    assert run(arguments) == 4
    assert table.play.cloud.locks == [A.name]
    assert run([*arguments, "--yes"]) == 0
    assert table.play.cloud.locks == []
    ((lines, _),) = (call.args for call in ask.call_args_list)
    assert "r1_alice@ci" in lines[0]
    assert "ServiceAccount ns/a" in lines[1]


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


def test_what_it_says_of_others_does_nothing(table: Table) -> None:
    body = table.hold("r1", A)
    body["spec"]["holderIdentity"] = "x\x1b[2J\n::error::"
    body["metadata"]["annotations"]["irsa/locked"] = "\n::error::"
    table.renew_as(body)
    table.run("recover --unlock", silent=["\x1b", "\n::"])
    table.run("recover --unlock nobody", code=4)


@pytest.mark.parametrize("how", [DENIED, LOST_BEFORE, LOST_AFTER, Refusal("Conflict", 409)])
def test_where_one_can_not_be_removed_it_is_said_what_was(table: Table, how: Refusal) -> None:
    table.hold("r1", A, B, SPACE)
    table.seconds += 51
    table.play.cloud.break_("delete leases", how, skip=1)
    done = table.play.irsa("recover", "--unlock", "r1", "-c", "demo", "-o", "json", code=None)
    states = {item["locked"]: item["removal"] for item in done.items}
    for lock in (A, B, SPACE):
        is_there = lock.name in table.play.cloud.locks
        assert states[lock.words] in (("kept", "unknown") if is_there else ("removed", "unknown")), states
    assert (done.code == 0) == (not table.play.cloud.locks)


def test_a_signal_in_between_tells_what_was_removed(table: Table) -> None:
    table.hold("r1", A, B)
    table.seconds += 51
    kube, delete = type(table.kube), type(table.kube).delete_lease

    def interrupted(self: Any, namespace: str, name: str, **more: Any) -> None:
        if name == B.name:
            raise KeyboardInterrupt(signal.SIGTERM)
        delete(self, namespace, name, **more)

    table.monkeypatch.setattr(kube, "delete_lease", interrupted)
    done = table.run("recover --unlock r1 -o json", code=143, changes="- locks ns/a")
    assert [item["removal"] for item in done.items] == ["removed", "unknown"]


@pytest.mark.parametrize("line", ["recover --unlock", "recover --unlock r1"])
def test_who_may_not_list_is_told_what_is_missing(table: Table, line: str) -> None:
    table.hold("r1", A)
    table.play.cloud.break_("list leases", DENIED)
    table.run(line, code=4, says="this caller is not allowed to list Leases", changes="")


@pytest.mark.parametrize("line", ["", "-o json", "-o name", "r1", "r1 -o json", "r9 -o json", "r1 --dry-run"])
def test_the_old_name_ends_as_the_new_one(table: Table, line: str) -> None:
    ran: dict[str, Ran] = {}
    for name in ("recover --unlock", "unlock"):
        table.hold("r1", A)
        table.seconds = 1_800_000_060.0
        ran[name] = table.play.irsa(*shlex.split(f"{name} {line} -c demo"), code=None)
        table.seconds = 1_800_000_000.0
        table.play.cloud.kube.objects.pop(("leases", "default", A.name), None)
    new, old = ran.values()
    note = "Note: irsa unlock is deprecated; use irsa recover --unlock\n"
    out = new.out.replace('"command": "recover",', '"command": "unlock",')
    assert (old.code, old.out, old.err) == (new.code, out, note + new.err)


def test_the_old_name_is_in_no_list_and_its_help_says_the_new_one(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unlock" not in table.play.irsa("--help").out
    shown = table.play.irsa("unlock", "--help").out
    assert shown == table.play.irsa("help", "unlock").out
    assert "use irsa recover --unlock" in " ".join(shown.split())
    assert table.run("unlock -q").err == ""


VALUES = {
    "min_age": "5m",
    "role_account": "111122223333",
    "role_assume_role": "arn:aws:iam::111122223333:role/x",
    "target_assume_role": "arn:aws:iam::111122223333:role/x",
    "timeout": "5m",
    "rollback_timeout": "5m",
    "lock_timeout": "5m",
    "max_length": "4000",
}
"""Values of flags that take no text."""


@pytest.mark.parametrize("name", [*NOT_OF_LOCKS, "timeout", "rollback_timeout"])
def test_flags_for_transactions_contradict_it(table: Table, name: str) -> None:
    (option,) = (item for item in recover.command.params if item.name == name)
    assert isinstance(option, click.Option)
    value = [] if option.is_flag else [VALUES.get(name, "x")]
    table.monkeypatch.chdir(table.play.folder)  # An error is written into a file, too.
    ran = table.play.irsa("recover", "--unlock", "-c", "demo", option.opts[-1], *value, code=2)
    assert f"--unlock and {option.opts[-1]} contradict each other" in ran.err
    assert table.play.cloud.calls == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-o markdown", "--unlock has no report: use -o json"),
        ("--dry-run", "--dry-run needs a HOLDER"),
        ("--issuer-url https://example.com --account 111122223333", "--issuer-url needs --kubeconfig"),
        ("-q -v", "--quiet and --verbose contradict each other"),
    ],
)
def test_what_it_can_not_do_is_refused_before_any_call(table: Table, line: str, says: str) -> None:
    ran = table.play.irsa(*shlex.split(f"recover --unlock {line}"), code=2)
    assert says in ran.err
    assert table.play.cloud.calls == []


def test_its_cluster_may_be_that_of_the_environment_or_the_project(table: Table) -> None:
    """Without --unlock, only a flag has the cluster: it changes what is recovered."""
    table.hold("r1", A)
    table.monkeypatch.chdir(table.play.folder)
    table.play.file("cluster: demo\n", ".irsa.yaml")
    for _ in range(2):
        assert "r1_alice@ci" in table.play.irsa("recover", "--unlock").out
        assert table.play.irsa("recover").out == "No unfinished transactions on this machine.\n"
        assert table.play.cloud.calls == []
        (table.play.folder / ".irsa.yaml").unlink(missing_ok=True)
        table.monkeypatch.setenv("IRSA_CLUSTER", "demo")


def test_variables_of_flags_that_contradict_it_are_ignored(table: Table) -> None:
    table.hold("r1", A)
    for name, value in {
        "IRSA_MIN_AGE": "5m",
        "IRSA_TIMEOUT": "5m",
        "IRSA_ROLE_ACCOUNT": "111122223333",
        "IRSA_LOCK_TIMEOUT": "5m",
        "IRSA_LOCK": "1",
        "IRSA_SUMMARY_FILE": "summary.md",
        "IRSA_OUTPUT": "markdown",
        "IRSA_UNLOCK": "0",
    }.items():
        table.monkeypatch.setenv(name, value)
    table.monkeypatch.chdir(table.play.folder)
    table.run("recover --unlock", says="r1_alice@ci")
    assert not (table.play.folder / "summary.md").exists()


@pytest.mark.parametrize(("named", "call"), [("a -n ns", "get leases"), ("", "list leases")])
@pytest.mark.parametrize(("age", "words"), [(0, "an irsa run is changing it"), (51, "a run was interrupted")])
def test_doctor_tells_of_it(table: Table, named: str, call: str, age: float, words: str) -> None:
    kube = table.play.cloud.kube
    kube.put("namespaces", "", "ns")
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/r"}
    kube.put("serviceaccounts", "ns", "a", annotations=annotations)
    table.hold("r1", A)
    table.seconds += age

    def told() -> Json:
        """What doctor says of the lock, of one ServiceAccount or of one of all."""
        ran = table.play.irsa("doctor", *named.split(), "-c", "demo", "-o", "json", code=None)
        findings = [item for each in ran.items for item in each["findings"]]
        (found,) = [item for item in findings if item["id"] == "run-at-work"]
        return dict(found)

    found = told()
    assert (words in found["text"], found["hint"]) == (True, True)
    assert [item for item in table.play.cloud.calls if "leases" in item] == [call]
    table.play.cloud.break_(call, Refusal("Forbidden", 403))
    denied = told()
    assert (denied["verdict"], denied["hint"]) == ("unknown", False)
