"""`irsa audit` and `irsa who-can` over accounts: of a file, and of an organization."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.aws.front import Front
from tests.scenarios.conftest import sandbox_stage
from tests.support.fleets import MAIN, REGION, ROLE, Fleet
from tests.support.stage import Ran, Stage

QUICK: dict[str, Any] = {"IRSA_RETRY_TIMEOUT": "1", "IRSA_LOCK": "0"}
ACCOUNTS = ("222222222222", "333333333333")
BOTH = {("222222222222", "app-2"), ("333333333333", "app-3")}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The caller, in an account with a cluster of its own."""
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture
def fleet(sandbox: Sandbox, stage: Stage, tmp_path: Path) -> Fleet:
    """Two accounts, each with a cluster `prod` that has a binding; a file of them."""
    fleet, front = Fleet(sandbox), cast("Front", sandbox.endpoint())
    # The accounts of tests before this one.
    front.states.update({number: "CLOSED" for number, _ in front.cloud.accounts() if number != MAIN})
    for account in ACCOUNTS:
        front.states.pop(account, None)
        fleet.open_account(account)
        fleet.add("prod", account)
        (tmp_path / "prod.yaml").write_text(json.dumps(fleet.document("prod", "team", f"app-{account[0]}")))
        stage.run("apply -f prod.yaml", **QUICK)
    write_accounts(fleet, tmp_path)
    return fleet


def write_accounts(fleet: Fleet, folder: Path) -> None:
    roles = [{"account": account, "assumeRole": fleet.roles[account]} for account in ACCOUNTS]
    listed = {"apiVersion": "irsa/v1", "kind": "Accounts", "accounts": roles}
    (folder / "accounts.yaml").write_text(json.dumps(listed))


def who_can(stage: Stage, more: str, code: int = 0) -> Ran:
    ran = stage.irsa("who-can", "s3:GetObject", *more.split(), "-o", "json", **QUICK)
    assert ran.code == code, ran.err
    return ran


def able(ran: Ran) -> set[tuple[str, str]]:
    """The accounts and ServiceAccounts that can, of an answer of who-can."""
    return {
        (item["role"]["arn"].split(":")[4], account["name"])
        for item in ran.items
        for account in item["serviceAccounts"]
    }


def test_pods_of_all_accounts_of_a_file_are_found(stage: Stage, fleet: Fleet) -> None:
    before = [fleet.sandbox.world(account) for account in ACCOUNTS]
    assert able(who_can(stage, "--accounts accounts.yaml")) >= BOTH
    line = "audit --accounts accounts.yaml --fail-on never -o json"
    shown = stage.irsa(*line.split(), **QUICK)
    counts = {item["what"]: item["count"] for item in shown.metadata["scope"]["examined"]}
    assert (shown.code, counts["cluster"]) == (0, 3)
    assert [fleet.sandbox.world(account) for account in ACCOUNTS] == before


def test_an_organization_is_read_page_by_page(stage: Stage, fleet: Fleet) -> None:
    fleet.sandbox.calls.clear()
    assert able(who_can(stage, f"--organization {ROLE}")) >= BOTH
    pages = [call for call in fleet.sandbox.calls if call.operation == "ListAccounts"]
    assert len(pages) >= 2


def test_an_account_that_can_not_be_read_is_a_gap(stage: Stage, fleet: Fleet) -> None:
    fleet.deny("333333333333")
    write_accounts(fleet, stage.folder)
    ran = who_can(stage, "--accounts accounts.yaml", 1)
    assert ("222222222222", "app-2") in able(ran)
    gaps = [item["what"] for item in ran.metadata["scope"]["notExamined"] if item["couldChangeAnswer"]]
    assert any(gap.startswith("account 333333333333 was not read: ") for gap in gaps), gaps
    who_can(stage, "--accounts accounts.yaml --allow-partial")


def test_an_account_that_is_suspended_is_a_gap(stage: Stage, fleet: Fleet) -> None:
    cast("Front", fleet.sandbox.endpoint()).states["333333333333"] = "SUSPENDED"
    ran = who_can(stage, f"--organization {ROLE}", 1)
    assert "account 333333333333 was not read: it is SUSPENDED" in str(ran.metadata["scope"]["notExamined"])


OTHERS = "{assumeRole: 'arn:aws:iam::222222222222:role/x'}"


def test_a_wrong_file_ends_before_the_first_call(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for kind, accounts, words in (
        ("Accounts", "", "names no account"),
        ("Bindings", "", "expected irsa/v1 Accounts"),
        ("Accounts", OTHERS.replace("{", f"{{account: '{MAIN}', "), "this role is in account 222222222222"),
        ("Accounts", "{account: '12'}", "12"),
        ("Accounts", f"{OTHERS}, {OTHERS}", "twice"),
    ):
        text = f"apiVersion: irsa/v1\nkind: {kind}\naccounts: [{accounts}]\n"
        (stage.folder / "accounts.yaml").write_text(text)
        ran = stage.irsa("audit", "--accounts", "accounts.yaml")
        assert (ran.code, words in ran.err, stage.sandbox.calls) == (2, True, []), ran.err
    for more in (("-c", "demo"), ("--assume-role", f"arn:aws:iam::{MAIN}:role/x")):
        ran = stage.irsa("audit", "--organization", "reader", "-r", REGION, *more)
        assert (ran.code, "--organization reads whole accounts" in ran.err) == (2, True)
