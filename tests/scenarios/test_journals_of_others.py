"""Journals and marks that this irsa did not write: no command fails over them, and none acts on a guess."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover import ATTACHING, WISH, cut_off
from tests.support.stage import Json, Stage

Change = Callable[[Json], object]


def put(*path: Any, to: Any) -> Change:
    def change(header: Any) -> None:
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = to

    return change


JOURNALS: dict[str, Change] = {
    "an unknown key of a state": put("plan", 0, 0, "after", "session_policy", to="x"),
    "an unknown kind": put("plan", 0, 0, "kind", to="PodIdentityAssociation"),
    "a missing cluster": lambda header: header["context"].pop("target"),
    "another version": put("version", to=2),
    "no region": put("context", "target", "region", to="no such region"),
    "no cluster": put("context", "target", "cluster", to="../x\n"),
    "no role": put("plan", 0, 0, "target", to=["a role\n"]),
}


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def edit(stage: Stage, transaction: str, change: Change, name: str = "") -> str:
    """Have a journal, or a copy of it with another name, say something else; returns its transaction."""
    folder = stage.folder / "state"
    header, *lines = (folder / f"{transaction}.jsonl").read_text().splitlines()
    said = {**json.loads(header), "transaction": name or transaction}
    change(said)
    (folder / f"{name or transaction}.jsonl").write_text("\n".join([json.dumps(said), *lines]) + "\n")
    return name or transaction


def test_journals_that_are_not_understood_are_told_and_hide_no_other(small: Stage) -> None:
    before = small.world()
    good = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    half = small.world()
    copies = {
        edit(small, good, change, f"20260101T1000{number:05}Z-0a1b2c3d"): case
        for number, (case, change) in enumerate(JOURNALS.items())
    }
    (small.folder / "state" / "deep.jsonl").write_text("[" * 200_000 + "\n")
    for arguments in (("history",), ("recover",)):
        ran = small.irsa(*arguments)
        assert good in ran.out
        assert "a bug" not in ran.err + ran.out
    for transaction, case in copies.items():
        ran = small.irsa("recover", transaction, "--forward", "--dry-run")
        assert (ran.code in (0, 1, 2, 3, 4), "a bug" in ran.err) == (True, False), (case, ran.err)
    # What the copies claim is not theirs: nothing was touched for them.
    assert small.world() == half
    # The same command goes on all the same: what is there tells.
    ran = small.create_sa("app", "apps", *WISH, "--dry-run")
    assert ran.code == 0, ran.err
    assert good in ran.err
    ran = small.irsa("recover", "--all", "-o", "json")
    assert "a bug" not in ran.err, ran.err
    ended = {item["transaction"]: item["outcome"] for item in ran.items}
    assert set(ended) == {good, "deep", *copies}
    assert ended[good] == "rolled-back"
    assert small.world() == before


def test_the_remains_of_a_journal_that_is_not_understood_are_found_by_the_proposed_command(
    small: Stage,
) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    edit(small, transaction, JOURNALS["an unknown kind"])
    ran = small.irsa("recover", transaction, "-o", "json")
    (step,) = ran.error["next"]
    arguments = step.partition("  #")[0].split()[1:]
    listed = small.irsa(*arguments, "--min-age", "0", "-o", "json")
    assert [item["transaction"] for item in listed.items] == [transaction]
    assert small.irsa(*arguments, transaction, "--min-age", "0").code == 0
    assert small.world() == before
