"""`irsa get-sa --watch`: which lines are printed again, and how it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from irsa_cli.cli.output.screens.get_sa import watch
from irsa_cli.core.inventory.bindings import Bindings, BoundRole, ListedBinding
from irsa_cli.core.inventory.list_document import BindingList
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError
from tests.unit.cli.test_cli_reading import ARN, NOW, binding

OK = binding(ARN, BoundRole(ARN, "AROA", {}, NOW))
CLUSTER = Cluster("demo", "arn:aws:eks:eu-west-1:111122223333:cluster/demo", "eu-west-1", "aws", "1", "i")


def listed(*items: ListedBinding) -> BindingList:
    return BindingList(Bindings(CLUSTER, items, ()))


def watched(first: BindingList, *more: BindingList) -> int:
    """Watch until the readings are used up, then as after Ctrl-C."""
    left: Iterator[BindingList] = iter(more)

    def read() -> BindingList:
        found = next(left, None)
        if found is None:
            raise KeyboardInterrupt(int(signal.SIGINT))
        return found

    with pytest.raises(KeyboardInterrupt) as stopped:
        watch(first, read, 10.0, wide=False, wait=lambda seconds: None)
    return int(stopped.value.args[0])


def test_only_what_changes_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(OK, role=BoundRole(ARN, "AROA", {}, NOW, inline=("more",)))
    assert (
        watched(listed(OK), listed(OK), listed(other), listed(other), listed(), listed(OK)) == signal.SIGINT
    )
    lines = capsys.readouterr().out.splitlines()
    assert ["more" in line for line in lines] == [True, True, False]
    assert lines[1].split()[-1] == "gone"


def test_a_reading_that_fails_is_told_once_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    failed = BindingList(error=IrsaError("no answer"))
    assert watched(listed(OK), failed, failed, listed()) == signal.SIGINT
    said = capsys.readouterr()
    assert said.err.count("no answer") == 1
    assert said.out.split()[-1] == "gone"


def test_a_signal_while_reading_ends_it() -> None:
    stopped = BindingList(error=IrsaError("interrupted"), signal=int(signal.SIGTERM))
    assert watched(listed(), stopped) == signal.SIGTERM
