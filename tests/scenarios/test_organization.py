"""`irsa audit` and `irsa who-can` over accounts: of a file, and of an organization."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.aws.front import Front
from tests.scenarios.conftest import sandbox_stage
from tests.support.fleets import MAIN, REGION, ROLE, Fleet
from tests.support.stage import Ran, Stage

QUICK = {"IRSA_RETRY_TIMEOUT": "1", "IRSA_LOCK": "0"}
ACCOUNTS = ("222222222222", "333333333333")


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The caller, in an account with a cluster of its own."""
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture
def fleet(sandbox: Sandbox, stage: Stage, tmp_path: Path) -> Fleet:
    """Two accounts, each with a cluster `prod` that has a binding."""
    found, front = Fleet(sandbox), cast("Front", sandbox.endpoint())
    # The accounts of tests before this one.
    front.states.update({number: "CLOSED" for number, _ in front.cloud.accounts() if number != MAIN})
    for account in ACCOUNTS:
        front.states.pop(account, None)
        found.open_account(account)
        found.add("prod", account)
        path = tmp_path / "prod.yaml"
        path.write_text(json.dumps(found.document("prod", "team", f"app-{account[0]}")))
        assert stage.irsa("apply", "-f", str(path), "-q", **QUICK).code == 0
    return found


def listed(fleet: Fleet, folder: Path, *accounts: str) -> str:
    """A file of accounts."""
    roles = [{"account": account, "assumeRole": fleet.roles[account]} for account in accounts]
    path = folder / "accounts.yaml"
    path.write_text(json.dumps({"apiVersion": "irsa/v1", "kind": "Accounts", "accounts": roles}))
    return str(path)


def able(ran: Ran) -> set[tuple[str, str]]:
    """The accounts and ServiceAccounts that can, of an answer of who-can."""
    return {
        (item["role"]["arn"].split(":")[4], one["name"])
        for item in ran.items
        for one in item["serviceAccounts"]
    }


def test_pods_of_all_accounts_of_a_file_are_found(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    file = listed(fleet, tmp_path, *ACCOUNTS)
    before = [fleet.sandbox.world(account) for account in ACCOUNTS]
    ran = stage.irsa("who-can", "s3:GetObject", "--accounts", file, "-o", "json", **QUICK)
    assert ran.code == 0, ran.err
    assert {("222222222222", "app-2"), ("333333333333", "app-3")} <= able(ran)
    shown = stage.irsa("audit", "--accounts", file, "--fail-on", "never", "-o", "json", **QUICK)
    assert shown.code == 0, shown.err
    counts = {item["what"]: item["count"] for item in shown.metadata["scope"]["examined"]}
    assert counts["cluster"] == 3
    assert [fleet.sandbox.world(account) for account in ACCOUNTS] == before


def test_an_organization_is_read_page_by_page(stage: Stage, fleet: Fleet) -> None:
    fleet.sandbox.calls.clear()
    ran = stage.irsa("who-can", "s3:GetObject", "--organization", ROLE, "-o", "json", **QUICK)
    assert ran.code == 0, ran.err
    assert {("222222222222", "app-2"), ("333333333333", "app-3")} <= able(ran)
    pages = [call for call in fleet.sandbox.calls if call.operation == "ListAccounts"]
    assert len(pages) >= 2


def test_an_account_that_can_not_be_read_is_a_gap(stage: Stage, fleet: Fleet, tmp_path: Path) -> None:
    fleet.deny("333333333333")
    file = listed(fleet, tmp_path, *ACCOUNTS)
    ran = stage.irsa("who-can", "s3:GetObject", "--accounts", file, "-o", "json", **QUICK)
    assert ran.code == 1, ran.err
    assert ("222222222222", "app-2") in able(ran)
    gaps = [item["what"] for item in ran.metadata["scope"]["notExamined"] if item["couldChangeAnswer"]]
    assert any(gap.startswith("account 333333333333 was not read: ") for gap in gaps), gaps
    allowed = stage.irsa(
        "who-can", "s3:GetObject", "--accounts", file, "--allow-partial", "-o", "json", **QUICK
    )
    assert allowed.code == 0


def test_an_account_that_is_suspended_is_a_gap(stage: Stage, fleet: Fleet) -> None:
    cast("Front", fleet.sandbox.endpoint()).states["333333333333"] = "SUSPENDED"
    ran = stage.irsa("who-can", "s3:GetObject", "--organization", ROLE, "-o", "json", **QUICK)
    assert ran.code == 1, ran.err
    assert "account 333333333333 was not read: it is SUSPENDED" in str(ran.metadata["scope"]["notExamined"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apiVersion: irsa/v1\nkind: Accounts\naccounts: []\n", "names no account"),
        ("apiVersion: irsa/v1\nkind: Bindings\naccounts: []\n", "expected irsa/v1 Accounts"),
        (
            "apiVersion: irsa/v1\nkind: Accounts\naccounts:\n"
            f"- {{account: '{MAIN}', assumeRole: 'arn:aws:iam::222222222222:role/x'}}\n",
            "this role is in account 222222222222",
        ),
        ("apiVersion: irsa/v1\nkind: Accounts\naccounts:\n- {account: '12'}\n", "12"),
        (
            "apiVersion: irsa/v1\nkind: Accounts\naccounts:\n"
            + "- {assumeRole: 'arn:aws:iam::222222222222:role/x'}\n" * 2,
            "twice",
        ),
    ],
)
def test_a_wrong_file_ends_before_the_first_call(stage: Stage, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(text)
    stage.sandbox.calls.clear()
    ran = stage.irsa("audit", "--accounts", str(path))
    assert (ran.code, stage.sandbox.calls) == (2, []), ran.err
    assert words in ran.err


@pytest.mark.parametrize("more", [("-c", "demo"), ("--assume-role", f"arn:aws:iam::{MAIN}:role/x")])
def test_options_of_one_account_contradict_it(stage: Stage, more: tuple[str, ...]) -> None:
    ran = stage.irsa("audit", "--organization", "reader", "-r", REGION, *more)
    assert (ran.code, "--organization reads whole accounts" in ran.err) == (2, True)
