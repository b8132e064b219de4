"""Help: commands in groups, options under headings, examples that can be run, what a mistyped name meant."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from irsa_cli import __version__
from irsa_cli.cli.help.helping import _COMMON, examples, whole_help
from irsa_cli.cli.main import COMMANDS, GROUPS, irsa

TOP = click.Context(irsa, info_name="irsa", **irsa.context_settings)
ROOT = Path(__file__).resolve().parents[3]


def _commands(group: click.Group, parent: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(parent):
        found = group.get_command(parent, name)
        assert found is not None
        context = click.Context(found, info_name=name, parent=parent)
        if isinstance(found, click.Group):
            yield from _commands(found, context)
        else:
            yield found, context


ALL = [pytest.param(*item, id=item[1].command_path) for item in _commands(irsa, TOP)]


def _examples(command: click.Command) -> list[list[str]]:
    """The command lines of the examples, without the parts for a shell."""
    texts = (re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ") for text in examples(command))
    lines = [re.split(r"\s[|>#]\s?", text)[0] for text in texts]
    found = [re.search(r"\birsa .*", line.removesuffix(')"')) for line in lines]
    return [shlex.split(line[0]) if line else [] for line in found]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that examples name."""
    for name in ("cluster.yaml", "queue.json", "baseline.json", "plan.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    (tmp_path / "bindings").mkdir()
    (tmp_path / "account").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("command", "context"), ALL)
def test_each_command_has_examples_that_it_understands(
    command: click.Command, context: click.Context
) -> None:
    examples = _examples(command)
    assert examples
    for words in examples:
        name = context.command_path.split()
        assert words[: len(name)] == name
        command.make_context(name[-1], words[len(name) :], parent=context.parent)


def test_each_command_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    said = CliRunner().invoke(irsa, ["--help"]).output
    headings = re.findall(r"(?m)^([\w ]+):(?!.*--)", said)
    assert headings == ["Usage", *GROUPS, "Examples"]


@pytest.fixture
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


GROUPED = [
    *ALL,
    *(
        pytest.param(found, click.Context(found, info_name=name, parent=TOP), id=f"irsa {name}")
        for name in COMMANDS
        if isinstance(found := irsa.get_command(TOP, name), click.Group)
    ),
    pytest.param(irsa, TOP, id="irsa"),
]


@pytest.mark.usefixtures("eighty")
@pytest.mark.parametrize(("command", "context"), GROUPED)
def test_the_help_of_a_command_fits_a_screen(command: click.Command, context: click.Context) -> None:
    lines = _help(context).splitlines()
    assert len(lines) <= (49 if command in (irsa, irsa.get_command(TOP, "create-sa")) else 60)
    assert max(map(len, lines)) <= 80


def _help(context: click.Context, *more: str) -> str:
    words = context.command_path.split()[1:]
    ran = CliRunner().invoke(irsa, [*words, *(more or ["--help"])], prog_name="irsa")
    assert ran.exit_code == 0
    return ran.output


SHORT = [item for item in ALL if str(item.id).removeprefix("irsa ") in _COMMON]


@pytest.mark.usefixtures("eighty")
@pytest.mark.parametrize(("command", "context"), SHORT)
def test_a_short_help_names_the_long_one(command: click.Command, context: click.Context) -> None:
    shown, name = _help(context), command.name or ""
    assert shown.splitlines()[2] == f"  {COMMANDS[name]}"
    assert shown.splitlines()[-1] == f"All options: irsa {name} --help-all, or irsa docs reference/commands"
    assert shown.count("\n  irsa ") == min(3, len(_examples(command))) > 0
    options = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", shown)
    params = {param.name: param.opts for param in command.params}
    assert all(one in params[two] for one, two in zip(options, _COMMON[name], strict=True))
    assert len(options) <= 12


@pytest.mark.usefixtures("eighty")
@pytest.mark.parametrize(("command", "context"), ALL)
def test_the_long_help_has_all_options(command: click.Command, context: click.Context) -> None:
    shown = _help(context, "--help-all")
    words = context.command_path.split()[1:]
    assert shown == CliRunner().invoke(irsa, ["help", *words, "--all"], prog_name="irsa").output
    assert set(re.findall(r"--[\w-]+", _help(context))) <= set(re.findall(r"--[\w-]+", shown))
    first = re.search(r"(?m)^\w+:\n  (.*)", shown.partition("Usage:")[2])
    assert first is None or "--allow-wide-trust" not in first[1]


@pytest.mark.parametrize(("command", "context"), ALL)
def test_each_option_is_under_one_heading(command: click.Command, context: click.Context) -> None:
    said = whole_help(command, click.Context(command, parent=context.parent))
    for option in command.get_params(context):
        if isinstance(option, click.Option) and not option.hidden:
            assert len(re.findall(rf"(?m)^  (?:-\S+, )*{option.opts[-1]}\b(?!-)", said)) == 1, option.name
    headings = re.findall(r"(?m)^(\w[\w ]*):$", said.partition("Examples:")[0])
    order = [
        "Options",
        "Role",
        "EKS Pod Identity",
        "ServiceAccount",
        "Files",
        "Cluster",
        "Other accounts",
        "Run",
        "Output",
    ]
    assert headings == [heading for heading in order if heading in headings]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["creat-sa"], "create-sa"),
        (["recovr"], "recover"),
        (["help", "histroy"], "history"),
        (["policies", "shw"], "show"),
        (["create-sa", "--dry-rn"], "--dry-run"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_right_one(arguments: list[str], meant: str) -> None:
    ran = CliRunner().invoke(irsa, arguments)
    assert ran.exit_code == 2
    assert re.search(rf"Did you mean .*{meant}", ran.output)


def test_a_name_that_is_like_none_is_answered_with_none() -> None:
    ran = CliRunner().invoke(irsa, ["zzz"])
    assert ran.exit_code == 2
    assert "Did you mean" not in ran.output


@pytest.mark.parametrize("words", [[], ["create-sa"], ["lint"], ["policies", "show"]])
def test_help_prints_what_the_option_prints(words: list[str]) -> None:
    by_command = CliRunner().invoke(irsa, ["help", *words], prog_name="irsa").output
    assert by_command == CliRunner().invoke(irsa, [*words, "--help"], prog_name="irsa").output


def test_version_as_a_document() -> None:
    document = json.loads(CliRunner().invoke(irsa, ["version", "-o", "json"]).output)
    assert (document["kind"], document["items"][0]["version"]) == ("VersionList", __version__)
    assert CliRunner().invoke(irsa, ["version"]).output.startswith(f"irsa {__version__} ")


def test_each_page_of_the_documentation_can_be_read() -> None:
    listed = CliRunner().invoke(irsa, ["docs"]).output
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert f"\n{name} " in listed
        assert CliRunner().invoke(irsa, ["docs", name]).output == re.sub(
            r"<!--.*?-->\n?", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )


@pytest.mark.parametrize("page", ["how-to/drift", "drift", "drift.md", "docs/how-to/drift.md"])
def test_a_page_is_found_by_its_name_and_its_file(page: str) -> None:
    drift = (ROOT / "docs/how-to/drift.md").read_text(encoding="utf-8")
    assert CliRunner().invoke(irsa, ["docs", page]).output == drift


@pytest.mark.parametrize(
    ("page", "meant"),
    [("how-to/recove", "how-to/recover"), ("recovr", "how-to/recover"), ("drif", "how-to/drift")],
)
def test_a_page_that_is_not_there_is_answered_with_near_ones(page: str, meant: str) -> None:
    ran = CliRunner().invoke(irsa, ["docs", page])
    assert ran.exit_code == 2
    assert f"Did you mean {meant}" in ran.output


def test_texts_name_pages_by_the_command_that_shows_them() -> None:
    """A wheel has no folder `docs`."""
    plain = importlib.import_module("tools.docs.plain")
    for name, text in plain.all_texts():
        assert not re.search(r"(?<![\w/.])docs/[a-z]", text), name
        for page in re.findall(r"\birsa docs ([a-z][\w/-]*/[\w-]+|tutorial|index)\b", text):
            assert (ROOT / "docs" / f"{page}.md").is_file(), (name, page)
