"""One rule for a value, whoever brings it: the options of commands have those that files and notes go by."""

import click

from irsa_cli.cli.main import COMMANDS, irsa
from irsa_cli.cli.options.kinds import Checked
from irsa_cli.core.config.model import Config
from irsa_cli.core.config.project import Project
from irsa_cli.core.plan.rules import NOTES, Rule, rules_of
from irsa_cli.core.plan.states import CHAIN_ANNOTATIONS, WEBHOOK_ANNOTATIONS
from irsa_cli.usecases.plans import reading
from tests.unit.usecases.test_saved_texts import all_texts

ALSO_NONE = {("update-sa", "permissions_boundary")}
"""An option that takes `none`, which is no value."""


def rules_by_name() -> dict[str, set[Rule]]:
    """The rules that fields of requests, files and settings of a name have."""
    requests = {planned.request for planned in reading.COMMANDS.values()}
    owners: set[type] = {owner for owner, _ in all_texts()} | requests | {Project, Config}
    rules: dict[str, set[Rule]] = {}
    for owner in owners:
        for name, rule in rules_of(owner).items():
            rules.setdefault(name, set()).add(rule)
    return rules


def test_an_option_has_the_rule_of_its_field() -> None:
    context = click.Context(irsa)
    rules = rules_by_name()
    compared = set()
    for name in COMMANDS:
        command = irsa.get_command(context, name)
        assert command is not None
        for option in command.params:
            if (
                isinstance(option.type, Checked)
                and option.name in rules
                and (name, option.name) not in ALSO_NONE
            ):
                compared.add(option.name.replace("_", "-"))
                assert option.type.check in rules[option.name], f"{name} --{option.name}"
    assert {NOTES[key].flag for key in CHAIN_ANNOTATIONS} <= compared


def test_every_note_has_a_rule() -> None:
    assert {*CHAIN_ANNOTATIONS, *WEBHOOK_ANNOTATIONS} == set(NOTES)
