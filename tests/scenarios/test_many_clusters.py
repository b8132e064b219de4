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
SIX = [f"c{number}" for number in range(6)]
DONE = {name: {"committed"} for name in SIX}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The caller, in an account with a cluster of its own."""
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return six(sandbox)


def six(sandbox: Sandbox) -> Fleet:
    """Six clusters in three accounts."""
    found = Fleet(sandbox)
    for account in ACCOUNTS:
        found.open_account(account)
    for number, name in enumerate(SIX):
        found.add(name, ACCOUNTS[number % 3])
    return found


def run(stage: Stage, fleet: Fleet, line: str, code: int = 0, names: str = "app", **how: Any) -> Ran:
    """Run a command for the files of all clusters."""
    stage.words["files"] = fleet.write(stage.folder, "team", *names.split())
    return stage.run(line.replace("FILES", "-f $files"), code=code, **QUICK, **how)


def clusters_of(ran: Ran) -> dict[str, set[str]]:
    """The outcomes of ServiceAccounts and of whole clusters, by cluster."""
    found: dict[str, set[str]] = {}
    for item in ran.items:
        if item["scope"] in ("binding", "cluster"):
            found.setdefault(item["cluster"]["name"], set()).add(item["outcome"])
    return found


def counts(fleet: Fleet) -> dict[str, int]:
    """How many roles each cluster has."""
    return {name: len(roles) for name, roles in fleet.bound().items()}


def not_begun(ran: Ran) -> set[str]:
    """The clusters that nothing was begun for."""
    return {item["cluster"]["name"] for item in ran.metadata["notBegun"]}


def test_one_down_one_denied_one_throttled_and_the_others_done(stage: Stage, fleet: Fleet) -> None:
    fleet.open_account("555555555555")
    fleet.add("down", ACCOUNTS[0], down=True)
    fleet.add("denied", "555555555555")
    fleet.add("slow", ACCOUNTS[1])
    fleet.deny("555555555555")
    fleet.throttle("slow")
    ran = run(stage, fleet, "apply FILES -o json", 1, "app web")
    bad = {"down": {"failed"}, "denied": {"failed"}, "slow": {"rolled-back"}}
    assert clusters_of(ran) == {**DONE, **bad}
    assert counts(fleet) == {**dict.fromkeys(SIX, 2), **dict.fromkeys(bad, 0)}
    rows = {row["name"]: (row["region"], row["account"]) for row in ran.metadata["byCluster"]}
    assert rows == {name: (REGION, account) for name, account in fleet.clusters.items()}
    (denied,) = [item for item in ran.items if item["cluster"]["name"] == "denied"]
    known = {"name": "denied", "region": REGION, "account": "555555555555"}
    assert denied["cluster"] == {**known, "arn": None, "issuer": None}
    assert "AccessDenied" in ran.error_of(denied)["code"]


def test_one_with_an_endpoint_that_is_refused_stops_no_other(stage: Stage, fleet: Fleet) -> None:
    fleet.add("plain", ACCOUNTS[0], down=True, url="http://127.0.0.1:9")
    for command in ("apply", "delete"):
        found = clusters_of(run(stage, fleet, f"{command} FILES --yes -o json", 1))
        assert found.pop("plain") in ({"failed"}, {"refused"})
        assert found == DONE


def test_the_total_does_not_deny_what_was_changed(stage: Stage, fleet: Fleet) -> None:
    fleet.deny(ACCOUNTS[2])
    total = "4 ServiceAccounts done; 2 clusters failed; shared parts done ("
    run(stage, fleet, "apply FILES", 1, says=total, silent="nothing was changed")


def test_a_second_run_writes_nothing(stage: Stage, fleet: Fleet) -> None:
    run(stage, fleet, "apply FILES", names="app web")
    stage.sandbox.calls.clear()
    again = run(stage, fleet, "apply FILES -o json", names="app web")
    assert again.metadata["outcome"] == "unchanged"
    calls = [f"{call.service} {call.operation}" for call in stage.sandbox.calls]
    reads = ("iam Get", "iam List", "kubernetes GET", "kubernetes POST", "eks", "sts", "ec2")
    assert [call for call in calls if not call.startswith(reads)] == []
    shared = "the clusters of one account share a session"
    assert calls.count("sts AssumeRole") == len(ACCOUNTS), shared


def test_an_account_that_is_not_meant_stops_its_cluster_only(stage: Stage, fleet: Fleet) -> None:
    documents = [fleet.document(name, "team", "app") for name in ("c0", "c1")]
    del documents[1]["metadata"]["assumeRole"]
    path = stage.folder / "two.yaml"
    path.write_text("\n---\n".join(map(json.dumps, documents)))
    ran = stage.run("apply -f two.yaml -o json", code=1, **QUICK)
    assert clusters_of(ran) == {"c0": {"committed"}, "c1": {"refused"}}
    (item,) = [item for item in ran.items if item["outcome"] == "refused"]
    error = ran.error_of(item)
    assert (error["code"], f":{MAIN}:" in error["message"]) == ("UnexpectedCluster", True)
    assert error["reason"] == f"two.yaml:3 says {fleet.clusters['c1']}"
    assert fleet.bound()["c1"] == set()


def test_the_only_cluster_is_named_if_it_can_not_be_reached(stage: Stage, fleet: Fleet) -> None:
    fleet.deny(ACCOUNTS[0])
    (stage.folder / "one.yaml").write_text(json.dumps(fleet.document("c0", "team", "app")))
    for command in ("apply", "delete --yes"):
        ran = stage.run(f"{command} -f one.yaml -o json", code=1, **QUICK)
        cluster = ran.metadata["cluster"]
        assert (ran.items, cluster["name"], cluster["account"]) == ([], "c0", ACCOUNTS[0])


def test_after_a_failed_canary_nothing_else_is_begun(stage: Stage, fleet: Fleet) -> None:
    fleet.throttle("c4")
    stage.sandbox.calls.clear()
    ran = run(stage, fleet, "apply FILES --canary c4 -o json", 1)
    assert clusters_of(ran) == {"c4": {"rolled-back"}}
    assert not_begun(ran) == set(SIX) - {"c4"}
    assert "stopped: the canary c4 failed" in ran.metadata["notes"]
    assert set(counts(fleet).values()) == {0}
    asked = {call.subject for call in stage.sandbox.calls if call.operation == "DescribeCluster"}
    assert asked == {"c4"}
    stage.sandbox.faults.clear()
    run(stage, fleet, f"apply FILES --canary arn:aws:eks:{REGION}:{fleet.clusters['c4']}:cluster/c4")
    assert set(counts(fleet).values()) == {1}


def test_contradictions_end_before_the_first_call(stage: Stage, fleet: Fleet) -> None:
    stage.sandbox.calls.clear()
    for flags, words in {
        "--canary other": "no file has this cluster",
        "--canary c1 --shard 0/2": "--canary and --shard contradict",
        "--shard 2/2": "0/4 to 3/4",
        f"--assume-role arn:aws:iam::{MAIN}:role/x": "--assume-role says",
        f"--expect-account {MAIN}": "--expect-account says",
    }.items():
        run(stage, fleet, f"apply FILES {flags}", 2, says=words)
    assert stage.sandbox.calls == []


def test_after_so_many_failures_nothing_more_is_begun(stage: Stage, fleet: Fleet) -> None:
    fleet.deny(ACCOUNTS[0])
    ran = run(stage, fleet, "apply FILES --max-failures 2 -o json", 1)
    assert (set(counts(fleet).values()), not_begun(ran)) == ({0}, {"c1", "c2", "c4", "c5"})


def comparable(text: str) -> Any:
    """A merged document without times, transactions, and what differs by the names of files."""
    found = json.loads(text)
    for item in found["items"]:
        item["transaction"] = None
        for change in item["changes"]:
            change["seconds"] = 0
            for side in filter(None, (change["before"], change["after"])):
                for marks in ("tags", "annotations"):
                    side.get(marks, {}).pop("irsa/transaction", None)
    found["metadata"]["command"] = ""
    return found


def sharded(stage: Stage, fleet: Fleet, total: int, code: int = 0, names: str = "app") -> list[str]:
    """Apply in shards; the names of their documents."""
    files = [f"shard-{index}.json" for index in range(total)]
    stage.words["files"] = fleet.write(stage.folder, "team", *names.split())
    for index, file in enumerate(files):
        words = f"apply -f {stage.words['files']} --shard {index}/{total} -q --json-file {file}"
        assert stage.irsa(*words.split(), **QUICK).code in (0, code)
    return files


def merged(stage: Stage, files: list[str], code: int = 0, form: str = "json") -> Ran:
    """Merge documents."""
    ran = stage.irsa("report", "merge", *files, "-o", form)
    assert ran.code == code, ran.err
    return ran


def test_shards_do_the_same_as_one_run_and_merge_into_the_same_report(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    reports, worlds = [], []
    for total in (1, 4):
        stage, fleet = sandbox_stage(sandbox, "demo", tmp_path), six(sandbox)
        fleet.deny(ACCOUNTS[1])
        files = sharded(stage, fleet, total, 1, "app web")
        whole, shown = merged(stage, files, 1), merged(stage, files, 1, "markdown")
        assert "missingShards" not in whole.metadata
        reports.append((comparable(whole.out), shown.out.splitlines()[3:]))
        worlds.append(fleet.bound())
        sandbox.reset()
    assert worlds[0] == worlds[1]
    assert [len(roles) for roles in worlds[0].values()] == [2, 0, 2, 2, 0, 2]
    assert reports[0] == reports[1]


def test_a_missing_shard_is_named(stage: Stage, fleet: Fleet) -> None:
    files = sharded(stage, fleet, 2)
    ran = merged(stage, files[:1], 1)
    assert (ran.metadata["missingShards"], ran.metadata["outcome"]) == (["1/2"], "unfinished")
    assert "shard 1/2" in merged(stage, files[:1], 1, "markdown").out
    assert "again" in merged(stage, [*files, files[0]], 2).err
