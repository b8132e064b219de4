"""`irsa apply` over clusters in several accounts, in one run and in shards; `irsa report merge`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.fleets import MAIN, REGION, Fleet
from tests.support.stage import Ran, Stage

QUICK = {"IRSA_RETRY_TIMEOUT": "1", "IRSA_LOCK": "0"}
ACCOUNTS = ("222222222222", "333333333333", "444444444444")
NAMES = ("app", "web")


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The caller, in an account with a cluster of its own."""
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    """Six clusters in three accounts."""
    found = Fleet(sandbox)
    for account in ACCOUNTS:
        found.open_account(account)
    for number in range(6):
        found.add(f"c{number}", ACCOUNTS[number % 3])
    return found


def clusters_of(ran: Ran) -> dict[str, set[str]]:
    """The outcomes of ServiceAccounts and of whole clusters, by cluster."""
    found: dict[str, set[str]] = {}
    for item in ran.items:
        if item["scope"] in ("binding", "cluster"):
            found.setdefault(item["cluster"]["name"], set()).add(item["outcome"])
    return found


def writes(sandbox: Sandbox) -> list[str]:
    """The writes to IAM, and those to Kubernetes that are not questions."""
    return [
        f"{call.service} {call.operation}"
        for call in sandbox.calls
        if (call.service == "iam" and not call.operation.startswith(("Get", "List")))
        or (call.service == "kubernetes" and call.operation.split()[0] in ("PUT", "PATCH", "DELETE"))
    ]


def test_one_down_one_denied_one_throttled_and_the_others_done(
    stage: Stage, fleet: Fleet, tmp_path: Path
) -> None:
    fleet.open_account("555555555555")
    fleet.add("down", ACCOUNTS[0], down=True)
    fleet.add("denied", "555555555555")
    fleet.add("slow", ACCOUNTS[1])
    fleet.deny("555555555555")
    fleet.throttle("slow")
    files = fleet.write(tmp_path, "team", *NAMES)
    ran = stage.irsa("apply", "-f", files, "-o", "json", **QUICK)
    assert ran.code == 1, ran.err
    good = {f"c{number}": {"committed"} for number in range(6)}
    assert clusters_of(ran) == {
        **good,
        "down": {"failed"},
        "denied": {"failed"},
        "slow": {"rolled-back"},
    }
    bound = fleet.bound()
    assert {name: len(roles) for name, roles in bound.items()} == {
        **dict.fromkeys(good, 2),
        **dict.fromkeys(("down", "denied", "slow"), 0),
    }
    rows = {row["name"]: row for row in ran.metadata["byCluster"]}
    assert set(rows) == set(fleet.clusters)
    for name, account in fleet.clusters.items():
        assert (rows[name]["region"], rows[name]["account"]) == (REGION, account)
    assert all(item["cluster"]["name"] in fleet.clusters for item in ran.items)
    (denied,) = [item for item in ran.items if item["cluster"]["name"] == "denied"]
    assert denied["cluster"] == {
        "name": "denied",
        "arn": None,
        "region": REGION,
        "account": "555555555555",
        "issuer": None,
    }
    assert "AccessDenied" in ran.error_of(denied)["code"]


@pytest.mark.parametrize("command", ["apply", "delete"])
def test_one_with_an_endpoint_that_is_refused_stops_no_other(
    stage: Stage, fleet: Fleet, tmp_path: Path, command: str
) -> None:
    files = fleet.write(tmp_path, "team", "app")
    if command == "delete":
        assert stage.irsa("apply", "-f", files, **QUICK).code == 0
    fleet.add("plain", ACCOUNTS[0], down=True, url="http://127.0.0.1:9")
    files = fleet.write(tmp_path, "team", "app")
    ran = stage.irsa(command, "-f", files, "--yes", "-o", "json", **QUICK)
    assert ran.code != 0
    found = clusters_of(ran)
    assert found.pop("plain") in ({"failed"}, {"refused"}), ran.err
    assert found == {f"c{number}": {"committed"} for number in range(6)}


def test_the_total_does_not_deny_what_was_changed(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    fleet.deny(ACCOUNTS[2])
    ran = stage.irsa("apply", "-f", fleet.write(tmp_path, "team", "app"), **QUICK)
    assert ran.code == 1
    total = next(line for line in ran.out.splitlines() if "ServiceAccounts" in line)
    assert total.startswith("4 ServiceAccounts done; 2 clusters failed; shared parts done (")
    assert "nothing was changed" not in ran.out


def test_a_second_run_writes_nothing(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    files = fleet.write(tmp_path, "team", *NAMES)
    assert stage.irsa("apply", "-f", files, "-q", **QUICK).code == 0
    stage.sandbox.calls.clear()
    again = stage.irsa("apply", "-f", files, "-o", "json", **QUICK)
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged")
    assert writes(stage.sandbox) == []
    roles = [call for call in stage.sandbox.calls if call.operation == "AssumeRole"]
    assert len(roles) == len(ACCOUNTS), "the clusters of one account share a session"


def test_an_account_that_is_not_meant_stops_its_cluster_only(
    stage: Stage, fleet: Fleet, tmp_path: Path
) -> None:
    documents = [fleet.document("c0", "team", "app"), fleet.document("c1", "team", "app")]
    del documents[1]["metadata"]["assumeRole"]
    path = tmp_path / "two.yaml"
    path.write_text("\n---\n".join(map(json.dumps, documents)))
    ran = stage.irsa("apply", "-f", str(path), "-o", "json", **QUICK)
    assert ran.code == 1, ran.err
    assert clusters_of(ran) == {"c0": {"committed"}, "c1": {"refused"}}
    (item,) = [item for item in ran.items if item["outcome"] == "refused"]
    error = ran.error_of(item)
    assert error["code"] == "UnexpectedCluster"
    assert f":{MAIN}:" in error["message"]
    assert error["reason"] == f"{path}:3 says {fleet.clusters['c1']}"
    assert fleet.bound()["c1"] == set()


def test_the_only_cluster_is_named_if_it_can_not_be_reached(
    stage: Stage, fleet: Fleet, tmp_path: Path
) -> None:
    fleet.deny(ACCOUNTS[0])
    path = tmp_path / "one.yaml"
    path.write_text(json.dumps(fleet.document("c0", "team", "app")))
    for command in (("apply",), ("delete", "--yes")):
        ran = stage.irsa(*command, "-f", str(path), "-o", "json", **QUICK)
        assert (ran.code, ran.items) == (1, [])
        assert ran.metadata["cluster"]["name"] == "c0"
        assert ran.metadata["cluster"]["account"] == ACCOUNTS[0]


def test_after_a_failed_canary_nothing_else_is_begun(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    files = fleet.write(tmp_path, "team", "app")
    fleet.throttle("c4")
    stage.sandbox.calls.clear()
    ran = stage.irsa("apply", "-f", files, "--canary", "c4", "-o", "json", **QUICK)
    assert ran.code == 1, ran.err
    assert clusters_of(ran) == {"c4": {"rolled-back"}}
    assert {item["cluster"]["name"] for item in ran.metadata["notBegun"]} == {"c0", "c1", "c2", "c3", "c5"}
    assert "stopped: the canary c4 failed" in ran.metadata["notes"]
    assert set(map(len, fleet.bound().values())) == {0}
    asked = {call.subject for call in stage.sandbox.calls if call.operation == "DescribeCluster"}
    assert asked == {"c4"}
    stage.sandbox.faults.clear()
    arn = f"arn:aws:eks:{REGION}:{fleet.clusters['c4']}:cluster/c4"
    good = stage.irsa("apply", "-f", files, "--canary", arn, "-o", "json", **QUICK)
    assert good.code == 0, good.err
    assert set(map(len, fleet.bound().values())) == {1}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--canary", "other"), "no file has this cluster"),
        (("--canary", "c1", "--shard", "0/2"), "--canary and --shard contradict"),
        (("--shard", "2/2"), "0/4 to 3/4"),
        (("--assume-role", f"arn:aws:iam::{MAIN}:role/x"), "--assume-role says"),
        (("--expect-account", MAIN), "--expect-account says"),
    ],
)
def test_contradictions_end_before_the_first_call(
    stage: Stage, fleet: Fleet, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    files = fleet.write(tmp_path, "team", "app")
    stage.sandbox.calls.clear()
    ran = stage.irsa("apply", "-f", files, *more, **QUICK)
    assert (ran.code, stage.sandbox.calls) == (2, []), ran.err
    assert words in ran.err


def test_after_so_many_failures_nothing_more_is_begun(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    fleet.deny(ACCOUNTS[0])
    files = fleet.write(tmp_path, "team", "app")
    ran = stage.irsa("apply", "-f", files, "--max-failures", "2", "-o", "json", **QUICK)
    assert ran.code == 1
    assert set(map(len, fleet.bound().values())) == {0}
    assert {item["cluster"]["name"] for item in ran.metadata["notBegun"]} == {"c1", "c2", "c4", "c5"}


def comparable(text: str) -> Any:
    """A merged document without times, transactions, and what differs by the names of files."""
    found = json.loads(text)
    for item in found["items"]:
        item["transaction"] = None
        for change in item["changes"]:
            change["seconds"] = 0
            for side in ("before", "after"):
                tags = (change[side] or {}).get("tags")
                annotations = (change[side] or {}).get("annotations")
                for marks in filter(None, (tags, annotations)):
                    marks.pop("irsa/transaction", None)
    found["metadata"]["command"] = ""
    return found


def sharded(stage: Stage, files: str, total: int, folder: Path) -> list[str]:
    """Apply in shards; the names of their documents."""
    names = []
    for index in range(total):
        path = folder / f"shard-{index}.json"
        ran = stage.irsa(
            "apply", "-f", files, "--shard", f"{index}/{total}", "-q", "--json-file", str(path), **QUICK
        )
        assert ran.code in (0, 1), ran.err
        names.append(str(path))
    return names


def test_shards_do_the_same_as_one_run_and_merge_into_the_same_report(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    reports, worlds = [], []
    for total in (1, 4):
        stage, fleet = sandbox_stage(sandbox, "demo", tmp_path), Fleet(sandbox)
        for account in ACCOUNTS:
            fleet.open_account(account)
        for number in range(6):
            fleet.add(f"c{number}", ACCOUNTS[number % 3])
        fleet.deny(ACCOUNTS[1])
        names = sharded(stage, fleet.write(tmp_path, "team", *NAMES), total, tmp_path)
        merged = stage.irsa("report", "merge", *names, "-o", "json")
        assert merged.code == 1, merged.err
        assert "missingShards" not in merged.metadata
        shown = stage.irsa("report", "merge", *names, "-o", "markdown")
        reports.append((comparable(merged.out), shown.out.splitlines()[3:]))
        worlds.append(fleet.bound())
        sandbox.reset()
    assert worlds[0] == worlds[1]
    assert [len(roles) for roles in worlds[0].values()] == [2, 0, 2, 2, 0, 2]
    assert reports[0][0] == reports[1][0]
    assert reports[0][1] == reports[1][1]


def test_a_missing_shard_is_named(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    names = sharded(stage, fleet.write(tmp_path, "team", "app"), 3, tmp_path)
    whole = stage.irsa("report", "merge", *names)
    assert whole.code == 0, whole.err
    assert whole.out.startswith("6 ServiceAccounts done; shared parts done.")
    ran = stage.irsa("report", "merge", *names[:1], names[2], "-o", "json")
    assert (ran.code, ran.metadata["missingShards"]) == (1, ["1/3"])
    assert ran.metadata["outcome"] == "unfinished"
    text = stage.irsa("report", "merge", *names[:1], names[2])
    assert (text.code, "Missing shards: 1/3" in text.err) == (1, True)
    shown = stage.irsa("report", "merge", *names[:1], names[2], "-o", "markdown")
    assert "shard 1/3" in shown.out
    twice = stage.irsa("report", "merge", names[0], *names)
    assert (twice.code, "again" in twice.err) == (2, True)


def test_what_others_write_is_not_believed_and_not_shown_as_it_is(
    stage: Stage, fleet: Fleet, tmp_path: Path
) -> None:
    (name,) = sharded(stage, fleet.write(tmp_path, "team", "app"), 1, tmp_path)
    good = json.loads(Path(name).read_text())
    item = next(item for item in good["items"] if item["scope"] == "binding")
    for path, value in (
        (("outcome",), "fine"),
        (("exitCode",), "0"),
        (("cluster", "account"), "12"),
        (("changes", 0, "kind"), "Nothing"),
        (("changes", 0, "after"), {"unknown": "x"}),
        (("left",), None),
    ):
        bad = json.loads(json.dumps(good))
        place = bad["items"][good["items"].index(item)]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        other = tmp_path / "bad.json"
        other.write_text(json.dumps(bad))
        ran = stage.irsa("report", "merge", str(other))
        assert ran.code == 2, (path, ran.out)
        assert str(other) in ran.err
    item["notes"] = ["\x1b[31mred\n::error::injected\u202e"]
    other.write_text(json.dumps(good))
    for form in ("text", "markdown", "github", "json", "yaml"):
        ran = stage.irsa("report", "merge", str(other), "-o", form)
        assert ran.code == 0, ran.err
        said = ran.out + ran.err
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "\n::error::injected" not in said
    for text in ("", "{", "[]", '{"apiVersion": "irsa/v1", "kind": "RiskList"}', "[" * 100_000):
        other.write_text(text)
        assert stage.irsa("report", "merge", str(other)).code == 2
