"""Files of Terraform that lint can't read, and the command that prints the one that it can.

https://developer.hashicorp.com/terraform/cli/commands/show
https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
import shlex

from irsa_cli.core.values.errors import InvalidInput

_ZIP = b"PK\x03\x04"
_STATE = ("version", "terraform_version", "serial", "lineage")
"""The keys of a state file; its JSON output has a `format_version`."""


def binary_plan(error: InvalidInput, name: str) -> InvalidInput | None:
    """The error of a plan as `terraform plan -out` writes it, which is a zip file; None for other files."""
    cause = error.__cause__
    if not isinstance(cause, UnicodeDecodeError):
        return None
    data = cause.object
    if not data.startswith(_ZIP) or b"tfplan" not in data:
        return None
    return _instead(name, "a binary plan of Terraform", "PLAN" if name == "standard input" else name)


def not_as_json(text: str, name: str) -> InvalidInput | None:
    """The error of a state file, or of the messages of `terraform plan -json`; None for other files."""
    if text.startswith('{"@level"'):
        return _instead(name, "the output of terraform plan -json", "PLAN")
    if not all(f'"{key}"' in text for key in _STATE):
        return None
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(state, dict) or not all(key in state for key in _STATE):
        return None
    return _instead(name, "a state file of Terraform", name if name.endswith(".tfstate") else "")


def _instead(name: str, kind: str, argument: str) -> InvalidInput:
    command = shlex.join(["terraform", "show", "-json", *([argument] if argument else [])])
    return InvalidInput(f"{name} is {kind}", reason=f"run {command} | irsa lint -")
