"""What one object says of itself does not change the answers about the others, whatever it says.

Beside good bindings there is an object for each tag or annotation of irsa and each odd text; each list is
asked before and after. Only what others may write is odd: IAM itself restricts the texts of tags.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.marks import locks
from irsa_cli.core.plan import states
from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from irsa_cli.sandbox.model import RoleSpec
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Json, Stage

TAGS = (
    "",
    "x",
    "a/b/c",
    "../..",
    "9" * 200,
    "é" * 100,
    "29991231T235959000Z-00000001",
    "20269999T999999000Z-00000001",
    "00010101T000000000Z-00000001",
    "arn:aws:iam::1:role/x",
    "arn:aws:eks:eu-west-1:111122223333:cluster/",
    "arn:::::",
)
"""Texts that IAM allows as the value of a tag."""
ANNOTATIONS = (
    *TAGS,
    "\n",
    "\x00\x1b[2K\u202e",
    "[" * 5000,
    "{}",
    "null",
    '{"annotations": 1}',
    '{"annotations": [null], "labels": [[]]}',
    "x" * 50_000,
    "9999-12-31T23:59:59+23:59",
    "arn:aws:iam::111122223333:role/" + "x/" * 300,
)
TAG_KEYS = (
    states.CLUSTER_TAG,
    states.SERVICE_ACCOUNT_TAG,
    states.TRANSACTION_TAG,
    states.SPEC_HASH_TAG,
    states.COMMIT_TAG,
    states.TRUST_TAG,
    states.TAGS_TAG,
    "alpha.eksctl.io/cluster-name",
    "alpha.eksctl.io/iamserviceaccount-name",
)
ANNOTATION_KEYS = (
    *states.MARKS,
    *states.MARKS.values(),
    states.TRANSACTION_TAG,
    *states.CHAIN_ANNOTATIONS,
    "irsa/keys",
)
RUN = "20260601T115900000Z-0000000a"
NAMESPACE, ODD = "good", "odd"
FILE = "irsa.yaml"


@dataclass(frozen=True)
class Answer:
    """What a command in this process said."""

    code: int
    document: Json


def ask(stage: Stage, *arguments: str) -> Answer:
    """Ask in this process, and fail for what irsa calls a bug of its own."""
    out, err = io.StringIO(), io.StringIO()
    terminate = signal.getsignal(signal.SIGTERM)
    with (
        mock.patch.dict(os.environ, stage.env()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run([*arguments, "-o", "json", "-q"])
    signal.signal(signal.SIGTERM, terminate)
    said = out.getvalue() + err.getvalue()
    assert "a bug in irsa" not in said, said[said.index("a bug in irsa") :][:2000]
    return Answer(code, json.loads(out.getvalue()))


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A good binding that a file has, one that no file has, a killed run, a dead cluster, a lock."""
    made = sandbox_stage(sandbox, "demo", tmp_path)
    assert made.associate().code == 0
    for name in ("kept", "surplus"):
        assert made.create_sa(name, NAMESPACE, "--attach-policy-arn", READ_ONLY).code == 0
    sandbox.add_cluster(ClusterSpec("dead"))
    dead = sandbox_stage(sandbox, "dead", tmp_path)
    assert dead.associate().code == 0
    assert dead.create_sa("gone", NAMESPACE, "--attach-policy-arn", READ_ONLY).code == 0
    sandbox.remove_cluster("dead")
    sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=made.kill))
    assert made.create_sa("half", NAMESPACE, "--attach-policy-arn", READ_ONLY).code == -9
    sandbox.settle()
    sandbox.faults.clear()
    entry = {"metadata": {"name": "kept", "namespace": NAMESPACE}, "attachPolicyARNs": [READ_ONLY]}
    document = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "iam": {"serviceAccounts": [entry]},
    }
    (tmp_path / FILE).write_text(json.dumps(document))
    return made


def trust(stage: Stage, subject: str) -> dict[str, Any]:
    """The trust policy of a good role, for another subject."""
    (role,) = [item for name, item in stage.aws_world()["roles"].items() if f"{NAMESPACE}-kept" in name]
    text = json.dumps(role["trust"]).replace(f"system:serviceaccount:{NAMESPACE}:kept", subject)
    found: dict[str, Any] = json.loads(text)
    return found


def odd_roles(stage: Stage) -> Iterator[RoleSpec]:
    """A role for each tag and text; its other tags are those of a killed run."""
    policy = trust(stage, "system:serviceaccount:{}:{}")
    for number, (key, text) in enumerate((key, text) for key in TAG_KEYS for text in TAGS):
        name = f"{ODD}-{number}"
        tags = {
            states.CLUSTER_TAG: f"arn:aws:eks:eu-west-1:{stage.account_id}:cluster/{stage.cluster}",
            states.SERVICE_ACCOUNT_TAG: f"{ODD}/{name}",
            states.TRANSACTION_TAG: RUN,
            states.SPEC_HASH_TAG: "0" * 64,
        }
        own = json.loads(json.dumps(policy).replace("{}:{}", f"{ODD}:{name}"))
        yield RoleSpec(name, own, f"/irsa/{stage.cluster}/", {**tags, key: text}, (READ_ONLY,))


def odd_objects(lease_labels: Mapping[str, str]) -> Iterator[Json]:
    """A ServiceAccount, a ConfigMap, a namespace and a Lease for each annotation and text."""
    for number, (key, text) in enumerate((key, text) for key in ANNOTATION_KEYS for text in ANNOTATIONS):
        name = f"{ODD}-{number}"
        about = {"name": name, "namespace": ODD, "annotations": {key: text}}
        labels = {states.MANAGED_BY_LABEL: "irsa"}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**about, "labels": labels}}
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**about, "labels": labels},
            "data": {"config": text, key.replace("/", "."): text},
        }
    for number, text in enumerate(ANNOTATIONS):
        marked = {states.TRANSACTION_TAG: text}
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": f"ns-{number}", "annotations": marked},
        }
        yield odd_lease(f"irsa-{ODD}-{number}", text, lease_labels)


def odd_lease(name: str, text: str, labels: Mapping[str, str]) -> Json:
    keys = (locks.COMMAND, locks.LOCKED, locks.HOST, locks.USER)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": dict(labels),
            "annotations": dict.fromkeys(keys, text),
        },
        "spec": {"holderIdentity": text or None, "leaseDurationSeconds": 1},
    }


def write_odd_journals(stage: Stage) -> None:
    """Journals like the one of the killed run, each with another value in its header."""
    folder = stage.folder / "state"
    (path,) = [path for path in folder.glob("*.jsonl") if f"{NAMESPACE}/half" in path.read_text()]
    lines = path.read_text().replace(NAMESPACE, ODD).splitlines()
    number = 0
    values: tuple[Any, ...] = (None, [], {}, 1, "x", "\n", [{}], "29991231T235959000Z-00000001")
    for value in values:
        header = json.loads(lines[0])
        for place in (header, header["context"]):
            for key in place:
                number += 1
                odd = json.loads(lines[0])
                (odd if place is header else odd["context"])[key] = value
                other = folder / f"20260101T000000000Z-{number:08x}.jsonl"
                other.write_text("\n".join([json.dumps(odd), *lines[1:], ""]))
                other.chmod(0o600)


QUESTIONS: dict[str, Callable[[Stage], tuple[str, ...]]] = {
    "recover": lambda stage: ("recover", "-c", stage.cluster, "--min-age", "0s"),
    "recover --all": lambda stage: ("recover", "-c", stage.cluster, "--all", "--min-age", "0s", "--dry-run"),
    "get-sa": lambda stage: ("get-sa", "-c", stage.cluster),
    "audit": lambda stage: ("audit", "-c", stage.cluster, "--reach"),
    "retire --list": lambda stage: ("retire", "--list"),
    "retire": lambda stage: ("retire", "--all", "--dry-run"),
    "prune": lambda stage: (
        *("apply", "-f", str(stage.folder / FILE), "-c", stage.cluster, "--prune", "--dry-run"),
    ),
    "history": lambda stage: ("history",),
    "unlock": lambda stage: ("unlock", "-c", stage.cluster),
}
AGES = ("ended", "ageSeconds", "seconds", "created", "age", "lastUsed", "started", "now", "at")


def about_good(found: Any) -> Any:
    """What a document says, without times, and of lists only what is not about the odd ones."""
    if isinstance(found, dict):
        return {key: about_good(item) for key, item in found.items() if key not in AGES}
    if isinstance(found, list):
        kept = [about_good(item) for item in found if ODD not in json.dumps(item)]
        return sorted((item for item in kept), key=json.dumps)
    return found


def good_items(answer: Answer) -> list[Any]:
    items: list[Any] = about_good(
        [
            item
            for item in answer.document["items"]
            if NAMESPACE in json.dumps(item) or "dead" in json.dumps(item)
        ]
    )
    return items


def test_the_answers_about_the_others_stay_the_same(stage: Stage) -> None:
    before = {name: ask(stage, *words(stage)) for name, words in QUESTIONS.items()}
    stage.sandbox.put_roles(odd_roles(stage))
    stage.make_namespace(ODD)
    stage.sandbox.put_objects(stage.cluster, odd_objects(stage.leases()[0]["metadata"]["labels"]))
    write_odd_journals(stage)
    for name, words in QUESTIONS.items():
        now = ask(stage, *words(stage))
        assert good_items(before[name])
        assert good_items(now) == good_items(before[name]), name
        # What an annotation names in other accounts is not read, which an audit says.
        assert now.code == before[name].code or name == "audit", now.document["errors"]


def test_no_command_is_proposed_that_a_tag_made_another_one(stage: Stage) -> None:
    """The run of a tag becomes an argument, and `--all` is none."""
    (half,) = [role for name, role in stage.aws_world()["roles"].items() if f"{NAMESPACE}-half" in name]
    name = half["arn"].rpartition("/")[2]
    for text in ("--all", "-h", "a b", "x/../y"):
        stage.iam().tag_role(RoleName=name, Tags=[{"Key": states.TRANSACTION_TAG, "Value": text}])
        answer = ask(stage, "recover", "-c", stage.cluster, "--min-age", "0s")
        assert text not in [item["transaction"] for item in answer.document["items"]]
        before = stage.world()
        assert ask(stage, "recover", "-c", stage.cluster, "--min-age", "0s", "--all", "--yes").code == 0
        assert stage.world()["roles"] == before["roles"]
