"""The reading commands: how their table is laid out, and which next steps they name."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timezone

import click
import pytest

from irsa_cli.cli.commands.get_sa import as_csv, reason_lines, steps, table
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.table import table_lines
from irsa_cli.cli.terminal.screen import age
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.inventory.bindings import Bindings, BindingStatus, ListedBinding
from irsa_cli.core.inventory.list_document import BindingList
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.trust.rules.rule import RULES, Risk, risk
from irsa_cli.core.values.errors import Unreadable
from tests.unit.planning.desired_states import CLUSTER


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (86400 * 400, "400d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
ARN = "arn:aws:iam::111122223333:role/x/app"


def binding(
    annotation: str, role: Role | Unreadable | None, status: BindingStatus = BindingStatus.OK
) -> ListedBinding:
    account = ServiceAccount("backend", "app", {"eks.amazonaws.com/role-arn": annotation}, created=NOW)
    return ListedBinding(Binding(CLUSTER, "backend", "app", account, role), status)


def cells(item: ListedBinding, *, wide: bool = False) -> list[str]:
    found = table([item], wide=wide)
    head, line = map(click.unstyle, table_lines(found.head, found.rows, None))
    words = line.split()
    assert len(words) == len(head.split())
    return words


BARE = Role(ARN, RoleState("/x/", {}), created=NOW)
WHOLE = replace(BARE, attached=frozenset({"arn:aws:iam::aws:policy/A"}), listed_inline=frozenset("bc"))


NOBODYS = Binding(CLUSTER, "", "", role=WHOLE, named_role=ARN)


def renamed(item: ListedBinding, name: str) -> ListedBinding:
    return replace(item, binding=replace(item.binding, name=name))


@pytest.mark.parametrize(
    ("item", "policies"),
    [
        (binding(ARN, WHOLE), "A,b,+1"),
        (binding(ARN, BARE), "-"),
        (binding(ARN, replace(BARE, unread="missing permission")), "unknown"),
        (binding(ARN, Unreadable("missing permission")), "unknown"),
        (binding("", None), "-"),
        (binding(" a \n\tb ", None), "-"),
        (ListedBinding(NOBODYS, BindingStatus.NO_SERVICE_ACCOUNT), "A,b,+1"),
    ],
)
def test_a_line_has_a_word_in_each_column(item: ListedBinding, policies: str) -> None:
    cells(item, wide=True)
    assert cells(item)[4] == policies


LOW, HIGH = (risk(RULES[rule], "statement 1", "is too broad") for rule in ("no-audience", "no-subject"))


@pytest.mark.parametrize(
    ("status", "wide", "shown"),
    [
        (BindingStatus.OK, (), "ok"),
        (BindingStatus.OK, (LOW,), "low:no-audience"),
        (BindingStatus.OK, (HIGH, LOW), "high:no-subject"),
        (BindingStatus.NOT_ADMITTED, (HIGH,), "not-admitted,high:no-subject"),
        (BindingStatus.ROLE_ONLY, (LOW,), "role-only,low:no-audience"),
        (BindingStatus.NO_ROLE, (), "no-role"),
    ],
)
def test_the_status_is_ok_only_without_a_risk(
    status: BindingStatus, wide: tuple[Risk, ...], shown: str
) -> None:
    item = replace(binding(ARN, WHOLE, status), wide=wide)
    assert cells(item)[-1] == shown
    assert item.status is status


def test_the_csv_has_the_status_of_the_table_and_no_formula() -> None:
    item = replace(renamed(binding(ARN, WHOLE), "=app"), wide=(HIGH,), reason="a, b")
    found = BindingList(Bindings(CLUSTER, (item,)))
    (row,) = csv.DictReader(io.StringIO(as_csv(Report(found))))
    assert (row["NAMESPACE"], row["NAME"], row["ROLE"]) == ("backend", "'=app", ARN)
    assert (row["STATUS"], row["CREATED"]) == ("high:no-subject", "2026-11-01")
    assert row["REASON"].startswith("a, b: broad trust: high no-subject: ")
    assert as_csv(Report(BindingList())).count("\r\n") == 1


def test_no_head_without_lines() -> None:
    assert table_lines(("A",), table([], wide=False).rows, None) == []


def test_a_line_below_a_table_has_the_name_and_the_reason() -> None:
    without = binding(ARN, WHOLE)
    unnamed = replace(renamed(without, ""), reason="no pod uses it")
    assert list(reason_lines([without, replace(without, reason="not read"), unnamed])) == [
        "  backend/app: not read",
        f"  {ARN}: no pod uses it",
    ]


def test_what_ends_an_interrupted_run_is_a_command_to_paste() -> None:
    told = ("run it again", "irsa delete-sa app -n backend -c c  # deletes it", "irsa recover ID -c c  # so")
    item = replace(binding(ARN, None, BindingStatus.INCOMPLETE), next_steps=told)
    other = replace(renamed(item, "other"), next_steps=told[:2])
    deleting = replace(renamed(other, "third"), status=BindingStatus.DELETING)
    assert list(steps([item, other, deleting, binding(ARN, None)])) == [
        "irsa recover ID -c c  # backend/app: incomplete",
        "irsa describe-sa app -n backend -c c  # backend/other: incomplete",
        "irsa delete-sa app -n backend -c c  # backend/third: deleting",
    ]
