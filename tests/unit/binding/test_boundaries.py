"""What is demanded of permissions boundaries, and where that is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.role_changes import check_boundaries
from irsa_cli.core.binding.spec import BindingSpec
from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.project import Project
from irsa_cli.core.config.project_file import parse_project
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import BoundaryState
from irsa_cli.core.values.errors import InvalidInput, Refused
from irsa_cli.usecases.command.project_settings import BOUNDARY, NAME, REQUIRE, read_project, rules_of

ONE, OTHER = (f"arn:aws:iam::111122223333:policy/{name}" for name in ("one", "other"))


def plan(before: str, after: str) -> Plan:
    states = [BoundaryState(arn) if arn else None for arn in (before, after)]
    return Plan(((Change(Kind.BOUNDARY, ("r",), *states),),))


@pytest.mark.parametrize(
    ("before", "after", "named", "rules", "refused"),
    [
        ("", ONE, False, BoundaryRules(), False),
        (ONE, "", True, BoundaryRules(), True),
        (ONE, "", True, BoundaryRules(may_remove=True), False),
        (ONE, "", True, BoundaryRules(required_by="x", may_remove=True), True),
        (ONE, OTHER, True, BoundaryRules(), False),
        (ONE, OTHER, False, BoundaryRules(), True),
        (ONE, OTHER, False, BoundaryRules(may_remove=True), False),
        (ONE, OTHER, True, BoundaryRules(required_by="x"), False),
    ],
)
def test_a_boundary_goes_only_when_that_is_said(
    before: str, after: str, named: bool, rules: BoundaryRules, refused: bool
) -> None:
    if not refused:
        check_boundaries(rules, plan(before, after), named=named)
        return
    with pytest.raises(Refused) as caught:
        check_boundaries(rules, plan(before, after), named=named)
    (line,) = caught.value.details
    assert before in line
    assert after in line


def test_a_demand_names_every_entry_without() -> None:
    rules = BoundaryRules(required_by="the file")
    rules.check_all_made([])
    with pytest.raises(Refused, match="a/b: no permissions boundary"):
        rules.check_all_made(["a/b"])
    with pytest.raises(Refused) as caught:
        rules.check_all_made(["a/b", "a/c"])
    assert tuple(caught.value.details) == ("a/b", "a/c")
    given = BoundaryRules(default=ONE, required_by="x").bound(BindingSpec("a", "b"))
    assert given.permissions_boundary == ONE
    BoundaryRules().check_all_made(["a/b"])


@pytest.mark.parametrize(
    ("env", "project", "expected"),
    [
        ({}, Project(), ("", "")),
        ({BOUNDARY: ONE}, Project("f", OTHER), (ONE, "")),
        ({BOUNDARY: ""}, Project("f", OTHER), (OTHER, "")),
        ({REQUIRE: "1"}, Project("f", OTHER), (OTHER, REQUIRE)),
        ({REQUIRE: "0"}, Project("f", "", require_permissions_boundary=True), ("", "f")),
        ({REQUIRE: "FALSE"}, Project(), ("", "")),
        ({REQUIRE: "yes"}, Project("f", "", require_permissions_boundary=True), ("", REQUIRE)),
    ],
)
def test_the_environment_goes_before_the_project_and_takes_no_demand_back(
    env: dict[str, str], project: Project, expected: tuple[str, str]
) -> None:
    found = rules_of(env, project)
    assert (found.default, found.required_by) == expected


@pytest.mark.parametrize("env", [{BOUNDARY: "none"}, {BOUNDARY: "x"}, {REQUIRE: "2"}, {REQUIRE: " 1"}])
def test_what_the_environment_means_is_never_guessed(env: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(env))):
        rules_of(env, Project())


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / NAME).write_text(f"permissionsBoundary: {ONE}\nrequirePermissionsBoundary: true\n")
    assert read_project(below) == Project(str(tmp_path / NAME), ONE, require_permissions_boundary=True)
    (tmp_path / "a" / NAME).write_text("")
    assert read_project(below) == Project(str(tmp_path / "a" / NAME))
    assert read_project(below).lock
    (below / NAME).write_text("lock: false\n")
    assert not read_project(below).lock


@pytest.mark.parametrize("kind", ["folder", "fifo", "large", "latin", "open"])
def test_a_file_that_is_none_or_cannot_be_trusted_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes({"large": b"#" * 70000, "latin": b"# \xe4\n"}.get(kind, b""))
    if kind == "open":
        path.chmod(0o646)
    with pytest.raises(InvalidInput, match=NAME):
        read_project(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "permissionsBoundry: x",
        "permissionsBoundary: 1",
        "permissionsBoundary:",
        "requirePermissionsBoundary: 1",
        f"permissionsBoundary: {ONE}\npermissionsBoundary: {ONE}",
        "- a",
        "a: b\n---\nc: d",
        "a: [",
    ],
)
def test_a_wrong_file_is_told_with_its_place(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(text, ".irsa.yaml")
    assert ".irsa.yaml:" in "".join((str(caught.value), *caught.value.details))


def test_the_boundary_of_a_whole_file_is_of_entries_that_make_a_role_and_name_none() -> None:
    entries = "".join(
        f"- metadata: {{name: {name}}}\n{more}"
        for name, more in (
            ("one", ""),
            ("two", f"  permissionsBoundary: {OTHER}\n"),
            ("three", "  attachRoleARN: arn:aws:iam::111122223333:role/r\n"),
        )
    )
    head = f"apiVersion: irsa/v1\nkind: Bindings\npermissionsBoundary: {ONE}\nserviceAccounts:\n"
    (config,) = parse(head + entries, "f.yaml")
    assert [item.permissions_boundary for item in config.bindings] == [ONE, OTHER, ""]
    with pytest.raises(InvalidInput, match=r"f.yaml:3:22"):
        parse(head.replace(ONE, "x") + entries, "f.yaml")
