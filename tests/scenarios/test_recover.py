"""`irsa recover` by the journals of this machine: back, forward, one and all."""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import policy
from tests.support.rows import Running
from tests.support.stage import READ_ONLY, Json, Ran, Stage

POLICIES = f"{READ_ONLY},arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
WISH = ("--associate-oidc", "--attach-policy-arn", POLICIES, "--inline-policy", "inline.json")
Cut = tuple[str, str, int, str]
ATTACHING: Cut = ("iam", "AttachRolePolicy", 1, "callback")
CUTS: dict[str, Cut] = {
    "a provider": ("iam", "CreateOpenIDConnectProvider", 0, "callback"),
    "a ServiceAccount that is not made": ("kubernetes", "POST serviceaccounts", 1, "reset-before"),
}
"""Where runs are killed; `callback` executes the call all the same. The unit tests have all moments."""
QUICK: dict[str, Any] = {"IRSA_CALL_TIMEOUT": "2"}
"""Calls are given up on soon, as the time for which late ones are looked for depends on that."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def cut_off(stage: Stage, name: str, namespace: str, *arguments: str, at: Cut) -> str:
    """Run create-sa and kill it at a call; returns its transaction."""
    (stage.folder / "inline.json").write_text(json.dumps(policy("Allow s3:* on *")))
    service, operation, skip, kind = at
    fault = Fault(service, operation, kind, skip=skip, run=stage.kill)  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)
    ran = stage.create_sa(name, namespace, *arguments)
    assert ran.code == -9, ran.err
    stage.sandbox.settle()
    transaction: str = unfinished(stage)[-1]["transaction"]
    stage.words["run"] = transaction
    return transaction


def unfinished(stage: Stage) -> list[Json]:
    items: list[Json] = stage.irsa("recover", "-o", "json").items
    return items


class ByJournals(Running):
    """Runs commands without the option of the cluster, by which `recover` does not ask for journals."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.words, self.cluster, self.world = stage, stage.words, stage.cluster, stage.world

    def irsa(self, *arguments: str, **options: Any) -> Ran:
        return self.stage.irsa(*arguments[:-2], **{**QUICK, **options})


def recover(stage: Stage, words: str = "$run", **expected: Any) -> Ran:
    return ByJournals(stage).run(f"recover {words}", **expected)


def assert_as_wished(stage: Stage, name: str = "app", namespace: str = "apps") -> None:
    """The same command finds nothing to do."""
    ran = stage.create_sa(name, namespace, *WISH, "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "unchanged"), ran.err
    assert unfinished(stage) == []


@pytest.mark.parametrize("at", CUTS.values(), ids=CUTS)
def test_a_run_that_was_killed_is_gone_on_with(stage: Stage, unique: str, at: Cut) -> None:
    cut_off(stage, "app", unique, *WISH, at=at)
    ran = recover(stage, "$run --forward -o json")
    assert ran.metadata["outcome"] == "committed"
    assert ran.item["role"]["arn"] == stage.role_of(unique, "app")["arn"]
    assert_as_wished(stage, namespace=unique)


def test_dry_runs_tell_both_ways_and_write_nothing(small: Stage) -> None:
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    journal = small.folder / "state" / f"{transaction}.jsonl"
    told = journal.read_bytes()
    for words, action, kinds in (
        ("$run", "delete", {"OIDCProvider", "Namespace", "Role"}),
        ("$run --forward", "create", {"ServiceAccount", "InlinePolicy"}),
        ("--all", "delete", {"Role"}),
    ):
        item = recover(small, f"{words} --dry-run -o json", changes="").item
        assert item["outcome"] == "planned"
        assert {change["action"] for change in item["changes"]} == {action}
        assert kinds <= {change["kind"] for change in item["changes"]}
    recover(small, "--all --dry-run", says="apps/app")
    assert journal.read_bytes() == told


def test_all_are_finished(small: Stage) -> None:
    assert small.associate().code == 0
    for name in ("one", "two"):
        cut_off(small, name, f"in-{name}", *WISH, at=ATTACHING)
    ran = recover(small, "--all --forward -o json")
    assert ran.metadata["skipped"] == []
    assert [item["outcome"] for item in ran.items] == ["committed"] * 2
    assert_as_wished(small, "one", "in-one")
    assert_as_wished(small, "two", "in-two")
    recover(small, "--all", changes="")


def test_of_all_the_worst_tells_and_one_that_lives_is_skipped(small: Stage) -> None:
    assert small.associate().code == 0
    first = cut_off(small, "one", "in-one", *WISH, at=ATTACHING)
    seen = []

    def meanwhile() -> None:
        nested = Stage.__new__(Stage)
        nested.__dict__.update(small.__dict__)
        small.sandbox.faults.add(Fault("iam", "DeleteRole", "error", match="in-one", times=1))
        seen.append(recover(nested, "--all -o json", code=3))

    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", match="in-two", run=meanwhile))
    assert small.create_sa("two", "in-two", *WISH).code == 0
    (ran,) = seen
    assert [(item["transaction"], item["outcome"]) for item in ran.items] == [(first, "incomplete")]
    assert len(ran.metadata["skipped"]) == 1
    assert small.role_of("in-two", "two")["attached"] == sorted(POLICIES.split(","))
    recover(small, "--all")
    assert "in-one" not in small.world()["kubernetes"]["namespaces"]


def test_a_signal_stops_it_between_two(small: Stage) -> None:
    before = small.world()
    for name in ("one", "two"):
        cut_off(small, name, f"in-{name}", *WISH, at=ATTACHING)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=lambda: small.signal(2)))
    assert recover(small, "--all -o json", code=130).item["outcome"] == "rolled-back"
    assert len(unfinished(small)) == 1
    recover(small, "--all")
    assert small.world() == before


def test_a_committed_run_whose_journal_could_not_say_so_stays(small: Stage) -> None:
    """The disk was full when the last line was to be written."""
    small.run("create-sa app -n apps --no-policy --associate-oidc")
    (journal,) = (small.folder / "state").glob("*.jsonl")
    journal.write_bytes(journal.read_bytes()[:-12])
    assert unfinished(small) == []
    recover(small, "--all", changes="")
    small.run("history", says="committed")


@pytest.mark.parametrize("taken", [False, True])
def test_what_was_rolled_back_without_a_word_in_the_journal(small: Stage, taken: bool) -> None:
    """The disk was full from some line on, and the rollback of a deletion went on all the same.

    What somebody has `taken` away after that is not given back by the journal.
    """
    small.run(f"create-sa app -n apps --associate-oidc --attach-policy-arn {POLICIES}")
    before = small.world()
    small.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", skip=1, run=small.kill))
    small.run("delete-sa app -n apps", code=-9)
    small.sandbox.settle()
    (item,) = unfinished(small)
    small.words["run"] = item["transaction"]
    journal = small.folder / "state" / f"{item['transaction']}.jsonl"
    told = journal.read_text()
    recover(small)
    assert small.world() == before
    journal.write_text(told)
    if taken:
        name = small.role_of("apps", "app")["arn"].rsplit("/", 1)[-1]
        small.iam().detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
        recover(small, code=4, says="has the tag of", changes="")
    else:
        assert recover(small, "$run -o json", changes="").metadata["outcome"] == "rolled-back"
        assert unfinished(small) == []
