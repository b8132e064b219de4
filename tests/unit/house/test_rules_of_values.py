"""One rule for a value, whoever brings it: the options of commands have those that files and notes go by."""

import click

from irsa_cli.cli.main import COMMANDS, irsa
from irsa_cli.cli.options.kinds import Checked
from irsa_cli.core.plan.rules import FLAGS, RULES
from irsa_cli.core.plan.states import CHAIN_ANNOTATIONS, WEBHOOK_ANNOTATIONS

ALSO_NONE = {("update-sa", "permissions_boundary")}
"""An option that takes `none`, which is no value."""


def test_an_option_has_the_rule_of_its_name() -> None:
    context = click.Context(irsa)
    compared = set()
    for name in COMMANDS:
        command = irsa.get_command(context, name)
        assert command is not None
        for option in command.params:
            known = option.name in RULES and (name, option.name) not in ALSO_NONE
            if isinstance(option.type, Checked) and known:
                compared.add(option.name)
                assert option.type.check is RULES[option.name], f"{name} --{option.name}"
    assert {FLAGS[key] for key in CHAIN_ANNOTATIONS} <= compared


def test_every_note_has_a_rule() -> None:
    assert {*CHAIN_ANNOTATIONS, *WEBHOOK_ANNOTATIONS} == set(FLAGS)
