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


def _contexts(group: click.Group, parent: click.Context) -> Iterator[click.Context]:
    yield parent
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        if isinstance(command, click.Group):
            yield from _contexts(command, context)
        else:
            yield context


GROUPED = {context.command_path: context for context in _contexts(irsa, TOP)}
ALL = [context for context in GROUPED.values() if not isinstance(context.command, click.Group)]


def said(*words: str, code: int = 0) -> str:
    ran = CliRunner().invoke(irsa, words, prog_name="irsa")
    assert ran.exit_code == code, words
    return ran.output


def _help(context: click.Context, more: str = "--help") -> str:
    return said(*context.command_path.split()[1:], more)


def _examples(command: click.Command) -> list[list[str]]:
    """The command lines of the examples, without the parts for a shell."""
    texts = (re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ") for text in examples(command))
    lines = [re.split(r"\s[|>#]\s?", text)[0] for text in texts]
    commands = [re.search(r"\birsa .*", line.removesuffix(')"')) for line in lines]
    return [shlex.split(line[0]) if line else [] for line in commands]


def test_each_command_has_examples_that_it_understands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cluster.yaml", "queue.json", "baseline.json", "plan.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    for name in ("bindings", "account"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for context in ALL:
        path = context.command_path.split()
        lines = _examples(context.command)
        assert lines, path
        for words in lines:
            assert words[: len(path)] == path
            context.command.make_context(path[-1], words[len(path) :], parent=context.parent)


def test_each_command_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    assert re.findall(r"(?m)^([\w ]+):(?!.*--)", said("--help")) == ["Usage", *GROUPS, "Examples"]


def test_the_help_of_a_command_fits_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of `irsa` has a line for each command: it has room for some more."""
    monkeypatch.setenv("COLUMNS", "80")
    for name, context in GROUPED.items():
        lines = _help(context).splitlines()
        assert len(lines) <= {"irsa": 54, "irsa create-sa": 49}.get(name, 60), name
        assert max(map(len, lines)) <= 80, name


def test_a_short_help_names_the_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in _COMMON:
        context = GROUPED[f"irsa {name}"]
        shown = _help(context)
        assert shown.splitlines()[2] == f"  {COMMANDS[name]}"
        last = f"All options: irsa {name} --help-all, or irsa docs reference/commands"
        assert shown.splitlines()[-1] == last
        assert shown.count("\n  irsa ") == min(3, len(_examples(context.command))) > 0
        options = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", shown)
        params = {param.name: param.opts for param in context.command.params}
        assert all(option in params[key] for option, key in zip(options, _COMMON[name], strict=True)), name
        assert len(options) <= 12, name


def test_the_long_help_has_all_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for context in ALL:
        shown = _help(context, "--help-all")
        assert shown == said("help", *context.command_path.split()[1:], "--all")
        assert set(re.findall(r"--[\w-]+", _help(context))) <= set(re.findall(r"--[\w-]+", shown))
        first = re.search(r"(?m)^\w+:\n  (.*)", shown.partition("Usage:")[2])
        assert first is None or "--allow-wide-trust" not in first[1]


ORDER = [
    "Options", "Role", "EKS Pod Identity", "ServiceAccount", "Files", "Cluster", "Other accounts", "Run",
    "Output",
]  # fmt: skip


def test_each_option_is_under_one_heading() -> None:
    for context in ALL:
        shown = whole_help(context.command, click.Context(context.command, parent=context.parent))
        for option in context.command.get_params(context):
            if isinstance(option, click.Option) and not option.hidden:
                lines = re.findall(rf"(?m)^  (?:-\S+, )*{option.opts[-1]}\b(?!-)", shown)
                assert len(lines) == 1, (context.command_path, option.name)
        headings = re.findall(r"(?m)^(\w[\w ]*):$", shown.partition("Examples:")[0])
        assert headings == [heading for heading in ORDER if heading in headings], context.command_path


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("creat-sa", "create-sa"),
        ("recovr", "recover"),
        ("help histroy", "history"),
        ("policies shw", "show"),
        ("create-sa --dry-rn", "--dry-run"),
        ("docs how-to/recove", "how-to/recover"),
        ("docs recovr", "how-to/recover"),
        ("docs drif", "how-to/drift"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_right_one(line: str, meant: str) -> None:
    assert re.search(rf"Did you mean .*{meant}", said(*line.split(), code=2))


def test_a_name_that_is_like_none_is_answered_with_none() -> None:
    assert "Did you mean" not in said("zzz", code=2)


@pytest.mark.parametrize("line", ["", "create-sa", "lint", "policies show"])
def test_help_prints_what_the_option_prints(line: str) -> None:
    assert said("help", *line.split()) == said(*line.split(), "--help")


def test_version_as_a_document() -> None:
    document = json.loads(said("version", "-o", "json"))
    assert (document["kind"], document["items"][0]["version"]) == ("VersionList", __version__)
    assert said("version").startswith(f"irsa {__version__} ")


def test_each_page_of_the_documentation_can_be_read() -> None:
    listed = said("docs")
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert f"\n{name} " in listed
        text = re.sub(r"<!--.*?-->\n?", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert said("docs", name) == text
    for page in ("drift", "drift.md", "docs/how-to/drift.md"):
        assert said("docs", page) == said("docs", "how-to/drift")


def test_texts_name_pages_by_the_command_that_shows_them() -> None:
    """A wheel has no folder `docs`."""
    plain = importlib.import_module("tools.docs.plain")
    for name, text in plain.all_texts():
        assert not re.search(r"(?<![\w/.])docs/[a-z]", text), name
        for page in re.findall(r"\birsa docs ([a-z][\w/-]*/[\w-]+|tutorial|index)\b", text):
            assert (ROOT / "docs" / f"{page}.md").is_file(), (name, page)
