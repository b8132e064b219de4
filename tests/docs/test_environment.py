"""docs/reference/environment.md and commands.md have each variable, and each flag that has none."""

from __future__ import annotations

import re
from pathlib import Path

import click

from irsa_cli.cli.help.environment import PERMITS, variable_of
from irsa_cli.cli.main import COMMANDS, irsa
from irsa_cli.core.config import project_file
from irsa_cli.usecases.local.settings import MEANT_ELSEWHERE

PAGES = Path(__file__).resolve().parents[2] / "docs/reference"
PAGE = (PAGES / "environment.md").read_text("utf-8")


def test_each_flag_without_a_variable_is_named() -> None:
    context = click.Context(irsa, info_name="irsa")
    said = set(
        re.findall(r"`(--[\w-]+)`", PAGE.partition("Some flags have no variable")[2].partition("## ")[0])
    )
    missing, commands = set(), (PAGES / "commands.md").read_text("utf-8")
    for name in COMMANDS:
        found = irsa.get_command(context, name)
        assert found is not None
        for option in found.params:
            variable = variable_of(name, option)
            if variable:
                assert f"(environment: `{variable}`)" in commands
            elif option.name in PERMITS and isinstance(option, click.Option) and not option.hidden:
                missing |= {text for text in option.opts if text.startswith("--")}
    assert missing <= said


def test_each_other_variable_is_explained() -> None:
    rows = set(re.findall(r"`(IRSA_\w+)`", PAGE))
    inner = {"IRSA_E2E", "IRSA_SANDBOX_CONTROL", "IRSA_CREDENTIALS_ACTIVE"}
    assert set(MEANT_ELSEWHERE) - inner <= rows


def test_each_field_of_the_project_is_explained() -> None:
    section = PAGE.partition("## .irsa.yaml")[2]
    assert {name for name in project_file._FIELDS if f"`{name}" not in section} == set()
