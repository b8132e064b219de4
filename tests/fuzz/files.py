"""Hostile configuration files: ClusterConfigs and irsa's own, with something in them that is not right."""

import copy
import json
import random
from pathlib import Path

import yaml

from irsa_cli.sandbox import Sandbox
from tests.fuzz import answers, hostile
from tests.fuzz.runs import Figures, flaws, irsa, words

_ENTRY = hostile.document("""
metadata:
  name: app
  namespace: apps
  labels: {a: b}
  annotations: {c: d}
attachPolicyARNs: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess']
wellKnownPolicies: {externalDNS: true}
attachPolicy:
  Statement:
  - Effect: Allow
    Action: ['s3:GetObject']
    Resource: '*'
permissionsBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
roleName: named
tags: {team: a}
""")
DOCUMENTS = hostile.document(
    """
- apiVersion: eksctl.io/v1alpha5
  kind: ClusterConfig
  metadata: {name: demo, region: eu-west-1, version: '1.33'}
  iam:
    withOIDC: true
    serviceRoleARN: arn:aws:iam::111122223333:role/x
    serviceAccounts:
    - <entry>
    - metadata: {name: b}
      attachRoleARN: arn:aws:iam::111122223333:role/x
  nodeGroups:
  - {name: ng, minSize: 1}
- apiVersion: irsa/v1
  kind: Bindings
  metadata: {name: demo, region: eu-west-1}
  withOIDC: true
  serviceAccounts:
  - metadata: {name: worker, namespace: batch}
    rolePath: /teams/batch/
    description: Works through the queue
    maxSessionDuration: 7200
    inlinePolicies:
      queue: {file: queue.json}
      b:
        Statement:
        - Effect: Allow
          Action: ['s3:GetObject']
          Resource: '*'
    subjects:
    - {namespace: batch, name: other}
""",
    entry=_ENTRY,
)
COMMANDS = tuple(
    map(
        words,
        (
            "diff -f one.yaml",
            "apply -f one.yaml --dry-run",
            "delete --yes -f one.yaml --dry-run -o json",
            "diff -f one.yaml --include */app -o json",
        ),
    )
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
    return hostile.spoilt(chance, found, 12, 4)


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
        line = chance.choice(COMMANDS)
        ran = irsa(line, env)
        wrong = list(flaws(ran, (env["AWS_SECRET_ACCESS_KEY"],)))
        wrong += ["wrong claim"] * (sandbox.world() != before)
        figures.note(ran, wrong, f"{' '.join(line)} {content[:1500]!r}")
    return figures
