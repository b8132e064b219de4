"""What one object says of itself does not change the answers about the others, whatever it says.

Beside good bindings there is an object for each tag or annotation of irsa and each odd text; each list is
asked before and after. Only what others may write is odd: IAM itself restricts the texts of tags.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.marks import locks
from irsa_cli.core.plan import states
from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from irsa_cli.sandbox.model import RoleSpec
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, entry
from tests.support.asked import Answer, ask
from tests.support.stage import READ_ONLY, Json, Stage

TAGS = (
    *("", "x", "a/b/c", "../..", "9" * 200, "é" * 100, "arn:aws:iam::1:role/x", "arn:::::"),
    *(f"{moment}Z-00000001" for moment in ("29991231T235959000", "20269999T999999000", "00010101T000000000")),
    "arn:aws:eks:eu-west-1:111122223333:cluster/",
)
"""Texts that IAM allows as the value of a tag."""
ANNOTATIONS = (
    *TAGS,
    *("\n", "\x00\x1b[2K\u202e", "[" * 5000, "{}", "null", '{"annotations": 1}', "x" * 50_000),
    '{"annotations": [null], "labels": [[]]}',
    "9999-12-31T23:59:59+23:59",
    "arn:aws:iam::111122223333:role/" + "x/" * 300,
)
TAG_KEYS = (
    *(states.CLUSTER_TAG, states.SERVICE_ACCOUNT_TAG, states.TRANSACTION_TAG, states.SPEC_HASH_TAG),
    *(states.COMMIT_TAG, states.TRUST_TAG, states.TAGS_TAG),
    *("alpha.eksctl.io/cluster-name", "alpha.eksctl.io/iamserviceaccount-name"),
)
ANNOTATION_KEYS = (
    *(*states.MARKS, *states.MARKS.values(), states.TRANSACTION_TAG, *states.CHAIN_ANNOTATIONS, "irsa/keys"),
)
BIND = "create-sa {} -n good -c {} --associate-oidc --attach-policy-arn $S3"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A good binding that a file has, one that no file has, a killed run, a dead cluster, a lock."""
    made = sandbox_stage(sandbox, "demo", tmp_path)
    made.run(BIND.format("kept", "demo"))
    made.run(BIND.format("surplus", "demo"))
    sandbox.add_cluster(ClusterSpec("dead"))
    sandbox_stage(sandbox, "dead", tmp_path).run(BIND.format("gone", "dead"))
    sandbox.remove_cluster("dead")
    sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=made.kill))
    made.run(BIND.format("half", "demo"), code=-9)
    sandbox.settle()
    sandbox.faults.clear()
    (tmp_path / "irsa.yaml").write_text(config(made, entry("kept", "good", attachPolicyARNs=[READ_ONLY])))
    return made


def odd_roles(stage: Stage) -> Iterator[RoleSpec]:
    """A role for each tag and text; its other tags are those of a killed run."""
    policy = json.dumps(stage.role_of("good", "kept")["trust"])
    for number, (key, text) in enumerate(itertools.product(TAG_KEYS, TAGS)):
        name = f"odd-{number}"
        tags = {
            states.CLUSTER_TAG: "arn:aws:eks:eu-west-1:111122223333:cluster/demo",
            states.SERVICE_ACCOUNT_TAG: f"odd/{name}",
            states.TRANSACTION_TAG: "20260601T115900000Z-0000000a",
            states.SPEC_HASH_TAG: "0" * 64,
        }
        own = json.loads(policy.replace(":good:kept", f":odd:{name}"))
        yield RoleSpec(name, own, "/irsa/demo/", {**tags, key: text}, (READ_ONLY,))


def odd_objects(lease_labels: Json) -> Iterator[Json]:
    """A ServiceAccount, a ConfigMap, a namespace and a Lease for each annotation and text."""

    def made(kind: str, metadata: Json, version: str = "v1", **more: Any) -> Json:
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}

    for number, (key, text) in enumerate(itertools.product(ANNOTATION_KEYS, ANNOTATIONS)):
        about: Json = {"name": f"odd-{number}", "namespace": "odd", "annotations": {key: text}}
        about["labels"] = {states.MANAGED_BY_LABEL: "irsa"}
        yield made("ServiceAccount", about)
        yield made("ConfigMap", about, data={"config": text, key.replace("/", "."): text})
    for number, text in enumerate(ANNOTATIONS):
        yield made("Namespace", {"name": f"ns-{number}", "annotations": {states.TRANSACTION_TAG: text}})
        marks = dict.fromkeys((locks.COMMAND, locks.LOCKED, locks.HOST, locks.USER), text)
        about = {"name": f"irsa-odd-{number}", "namespace": "default", "annotations": marks}
        spec = {"holderIdentity": text or None, "leaseDurationSeconds": 1}
        yield made("Lease", {**about, "labels": lease_labels}, "coordination.k8s.io/v1", spec=spec)


def write_odd_journals(stage: Stage) -> None:
    """Journals like the one of the killed run, each with another value in its header."""
    folder = stage.folder / "state"
    (text,) = [text for path in folder.glob("*.jsonl") if "good/half" in (text := path.read_text())]
    first, *lines = text.replace("good", "odd").splitlines()
    keys = [*json.loads(first), *(("context", key) for key in json.loads(first)["context"])]
    values: tuple[Any, ...] = (None, [], {}, 1, "x", "\n", [{}], "29991231T235959000Z-00000001")
    for number, (key, value) in enumerate(itertools.product(keys, values)):
        header = json.loads(first)
        place = header["context"] if isinstance(key, tuple) else header
        place[key[1] if isinstance(key, tuple) else key] = value
        path = folder / f"20260101T000000000Z-{number:08x}.jsonl"
        path.write_text("\n".join([json.dumps(header), *lines, ""]))
        path.chmod(0o600)


QUESTIONS = (
    "recover -c demo --min-age 0s",
    "recover -c demo --all --min-age 0s --dry-run",
    "get-sa -c demo",
    "audit -c demo --reach",
    "retire --list",
    "retire --all --dry-run",
    "apply -f irsa.yaml -c demo --prune --dry-run",
    "history",
    "recover --unlock -c demo",
)
TIMES = ("ended", "ageSeconds", "seconds", "created", "age", "lastUsed", "started", "now", "at")


def about_good(said: Any) -> Any:
    """What a document says, without times, and of lists only what is not about the odd ones."""
    if isinstance(said, dict):
        return {key: about_good(item) for key, item in said.items() if key not in TIMES}
    if isinstance(said, list):
        return sorted((about_good(item) for item in said if "odd" not in json.dumps(item)), key=json.dumps)
    return said


def good_items(answer: Answer) -> Any:
    items = answer.document["items"]
    return about_good([item for item in items if "good" in json.dumps(item) or "dead" in json.dumps(item)])


def test_the_answers_about_the_others_stay_the_same(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stage.folder)
    before = {line: ask(stage, line) for line in QUESTIONS}
    stage.sandbox.put_roles(odd_roles(stage))
    stage.make_namespace("odd")
    stage.sandbox.put_objects("demo", odd_objects(stage.leases()[0]["metadata"]["labels"]))
    write_odd_journals(stage)
    for line, then in before.items():
        now = ask(stage, line)
        assert good_items(then)
        assert good_items(now) == good_items(then), line
        # What an annotation names in other accounts is not read, which an audit says.
        assert now.code == then.code or line.startswith("audit"), now.document["errors"]


def test_no_command_is_proposed_that_a_tag_made_another_one(stage: Stage) -> None:
    """The run of a tag becomes an argument, and `--all` is none."""
    (name,) = [name for name in stage.aws_world()["roles"] if "good-half" in name]
    for text in ("--all", "-h", "a b", "x/../y"):
        stage.iam().tag_role(RoleName=name, Tags=[{"Key": states.TRANSACTION_TAG, "Value": text}])
        listed = ask(stage, "recover -c demo --min-age 0s").document["items"]
        assert text not in [item["transaction"] for item in listed]
        before = stage.world()["roles"]
        assert ask(stage, "recover -c demo --min-age 0s --all --yes").code == 0
        assert stage.world()["roles"] == before
