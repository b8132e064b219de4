"""Commands that are proposed: a name of others is one word in them, whatever is in it."""

import shlex
from typing import Any

import pytest

from irsa_cli.core.doctor.causes.bare_pods import edit
from irsa_cli.core.doctor.causes.pod_accounts import _use
from irsa_cli.core.doctor.subjects import _restart
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.parsing import pod

EVIL = "x; touch pwned $(touch pwned)"


def owned(kind: str) -> Pod:
    """A pod that an owner of a hostile name has made."""
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "apps",
            "name": "app",
            "labels": {"pod-template-hash": "abc"},
            "ownerReferences": [{"kind": kind, "name": EVIL}],
        },
        "spec": {},
    }
    return pod(body)


@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet", "Deployment", "Evil; touch pwned"])
def test_the_name_of_an_owner_is_one_word(kind: str) -> None:
    found = owned(kind)
    for command in (edit("apps", found), _use("apps", "app", found), _restart("apps", found)):
        words = shlex.split(command)
        assert "touch" not in words
        assert not any(word.startswith("$(") for word in words)
