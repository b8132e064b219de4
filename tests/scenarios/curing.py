"""Doing what `irsa doctor` says is to be done: its commands, carried out by AWS's and Kubernetes' own calls.

There is no `kubectl` and no AWS CLI in the tests; what is left to a person (an editor, a look) is not done.
"""

from __future__ import annotations

import os
import shlex
import signal
from typing import Any
from unittest import mock

from botocore import xform_name

from irsa_cli.cli.main import run
from tests.scenarios.breaking import NAME, Binding

BY_HAND = {
    *("ARN", "edit", "doctor", "get", "get-policy", "get-role", "modify-vpc-endpoint", "describe-cluster"),
    *("describe-pod-identity-association", "curl"),
}
"""Words of commands that need a person."""


def is_by_hand(fix: str) -> bool:
    """Whether a fix can't be pasted as it is."""
    return any(word in BY_HAND for line in fix.splitlines() for word in shlex.split(line, comments=True))


def cure(binding: Binding, fix: str) -> None:
    """Carry out the commands of a fix."""
    for line in fix.splitlines():
        program, *words = shlex.split(line, comments=True)
        {"irsa": _irsa, "kubectl": _kubectl, "aws": _aws}[program](binding, words)


def _irsa(binding: Binding, words: list[str]) -> None:
    terminate = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ, binding.stage.env()):
        assert run([*words, "-q"]) == 0, words
    signal.signal(signal.SIGTERM, terminate)


def _kubectl(binding: Binding, words: list[str]) -> None:
    if "annotate" in words:
        assert words[:5] == ["-n", binding.namespace, "annotate", "serviceaccount", NAME]
        for pair in (word for word in words[5:] if not word.startswith("--")):
            key, equals, value = pair.partition("=")
            binding.annotate(value if equals else None, key if equals else key.removesuffix("-"))
    else:
        assert words[2:4] == ["delete", "pod"], words
        binding.new_pod()


def _aws(binding: Binding, words: list[str]) -> None:
    service, operation, *rest = words
    client = binding.aws(service)
    name = operation.replace("-", "_")
    members = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[name]
    ).input_shape.members
    flags: dict[str, Any] = {}
    for flag, value in zip(rest[::2], rest[1::2], strict=True):
        for member, shape in members.items():
            if xform_name(member, "-") == flag.removeprefix("--"):
                flags[member] = int(value) if shape.type_name == "integer" else value
    getattr(client, name)(**flags)
