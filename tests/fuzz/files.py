"""Hostile configuration files: ClusterConfigs and irsa's own, with something in them that is not right."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import yaml

from irsa_cli.sandbox import Sandbox
from tests.fuzz import answers, hostile
from tests.fuzz.runs import Figures, flaws, irsa
from tests.support.stage import READ_ONLY

_ENTRY = {
    "metadata": {"name": "app", "namespace": "apps", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    "attachPolicyARNs": [READ_ONLY],
    "wellKnownPolicies": {"externalDNS": True},
    "attachPolicy": {"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}]},
    "permissionsBoundary": READ_ONLY,
    "roleName": "named",
    "tags": {"team": "a"},
}
DOCUMENTS: tuple[Any, ...] = (
    {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "demo", "region": "eu-west-1", "version": "1.33"},
        "iam": {
            "withOIDC": True,
            "serviceRoleARN": "arn:aws:iam::111122223333:role/x",
            "serviceAccounts": [
                _ENTRY,
                {"metadata": {"name": "b"}, "attachRoleARN": "arn:aws:iam::111122223333:role/x"},
            ],
        },
        "nodeGroups": [{"name": "ng", "minSize": 1}],
    },
    {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "withOIDC": True,
        "serviceAccounts": [
            {
                "metadata": {"name": "worker", "namespace": "batch"},
                "rolePath": "/teams/batch/",
                "description": "Works through the queue",
                "maxSessionDuration": 7200,
                "inlinePolicies": {"queue": {"file": "queue.json"}, "b": _ENTRY["attachPolicy"]},
                "subjects": [{"namespace": "batch", "name": "other"}],
            }
        ],
    },
)
COMMANDS = (
    ("diff", "-f", "one.yaml"),
    ("apply", "-f", "one.yaml", "--dry-run"),
    ("delete", "--yes", "-f", "one.yaml", "--dry-run", "-o", "json"),
    ("diff", "-f", "one.yaml", "--include", "*/app", "-o", "json"),
)


def document(chance: random.Random) -> bytes:
    """The bytes of a file."""
    data = copy.deepcopy(chance.choice(DOCUMENTS))
    for _ in range(chance.choice((1, 1, 2, 5))):
        data = hostile.mutated(chance, data)
    try:
        text = json.dumps(data) if chance.random() < 0.5 else yaml.safe_dump(data, allow_unicode=True)
        found = text.encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, UnicodeEncodeError):
        found = json.dumps(data).encode()
    at = chance.randrange(len(found) + 1)
    how = chance.randrange(12)
    if how == 0:
        return found[:at]
    if how == 1:
        return found[:at] + bytes(chance.randrange(256) for _ in range(5)) + found[at:]
    if how == 2:
        return found[:at] + hostile.text(chance).encode("utf-8", "surrogatepass") + found[at:]
    if how == 3:
        return found + b"\n---\n" + found
    return found


def fuzz(sandbox: Sandbox, folder: Path, count: int, seed: int) -> Figures:
    """Read so many files, by commands that change nothing."""
    figures, env = Figures("files"), answers.environment(sandbox, folder)
    sandbox.reset()
    (folder / "queue.json").write_text(json.dumps(_ENTRY["attachPolicy"]))
    before = sandbox.world()
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        content = document(chance)
        (folder / "one.yaml").write_bytes(content)
        words = chance.choice(COMMANDS)
        ran = irsa(words, env)
        wrong = list(flaws(ran, (env["AWS_SECRET_ACCESS_KEY"],)))
        if sandbox.world() != before:
            wrong.append("wrong claim")
        figures.note(ran, wrong, f"{' '.join(words)} {content[:1500]!r}")
    return figures
