"""Journals that somebody has put there: none makes a command do what this user's irsa had not begun."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.docs.console import ROOT
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover import ATTACHING, WISH, cut_off, recover, unfinished
from tests.support.documents import doc
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import READ_ONLY, Json, Stage
from tests.support.terminal import Terminal

PLANTED = "20260601T120000000Z-0a1b2c3d"
CREATE = "create-sa app -n apps --associate-oidc --attach-policy-arn $S3"
EVIL = (
    '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}]}'
)
ATTACH = '{"kind": "PolicyAttachment", "target": ["victim", "arn:aws:iam::aws:policy/AdministratorAccess"]'
REPLACE = f"""{{"kind": "TrustPolicy", "target": ["victim"],
"before": {{"document": {EVIL}}}, "after": {{"document": {EC2_TRUST}}}}}"""
DETACH = f'{{"kind": "PolicyAttachment", "target": ["victim", "{READ_ONLY}"], "after": {{}}}}'
POWER = ATTACH + ', "before": {}}'
ATTACKS = {
    "a policy is attached": [POWER],
    "a policy is put": [
        """{"kind": "InlinePolicy", "target": ["victim", "all"], "before": {"document":
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}}"""
    ],
    "a trust policy is replaced": [REPLACE],
    "a policy is detached": [DETACH],
    "a tag is set": [
        """{"kind": "RoleTags", "target": ["victim"], "before": {"values": {"team": "evil"}},
        "after": {"values": {"team": null}}}"""
    ],
    "with a mark that was never put": [
        """{"kind": "RoleOwner", "target": ["victim"], "before": {"transaction": "nobody"},
        "after": {"transaction": ""}}""",
        POWER,
        REPLACE,
    ],
}


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, with a role that is not irsa's."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.iam().create_role(RoleName="victim", AssumeRolePolicyDocument=EC2_TRUST)
    stage.iam().attach_role_policy(RoleName="victim", PolicyArn=READ_ONLY)
    stage.words["run"] = PLANTED
    return stage


def path_of(stage: Stage, name: str = PLANTED) -> Path:
    return stage.folder / "state" / f"{name}.jsonl"


def plant(stage: Stage, *changes: str, name: str = PLANTED, **target: str) -> None:
    """Put a journal there by which these changes were begun, and all but the last done, by an irsa."""
    header = doc(
        '{"version": 1, "irsa": "0.1.0", "transaction": "<name>", "started": "2026-06-01T12:00:00+00:00"}',
        name=name,
    )
    header["context"] = {
        "command": "delete-sa",
        "cluster": f"arn:aws:eks:{stage.region}:{stage.account_id}:cluster/{stage.cluster}",
        "serviceAccount": "default/app",
        "target": {"cluster": stage.cluster, "region": stage.region, **target},
    }
    header["plan"] = [[{"before": None, "after": None, **doc(change)}] for change in changes]
    lines: list[Json] = [header]
    for number in range(len(changes)):
        lines.append({"event": "begin", "at": "x", "change": number})
        if number < len(changes) - 1:
            lines.append({"event": "done", "at": "x", "change": number, "changed": True, "identity": {}})
    path = path_of(stage, name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.chmod(0o600)


def test_a_role_without_the_mark_is_not_touched(small: Stage) -> None:
    for changes in ATTACKS.values():
        for words in ("--all", "--all --yes", "$run --yes", "--all --forward", "$run --forward --yes"):
            plant(small, *changes)
            recover(small, words, code=4, changes="")


def test_a_role_is_made_again_only_when_its_journal_is_named_and_confirmed(small: Stage) -> None:
    make = f'{{"kind": "Role", "target": ["evil"], "before": {{"path": "/", "trust": {EVIL}}}}}'
    attach = POWER.replace("victim", "evil")
    for words in ("--all", "--all --yes"):
        plant(small, attach, make)
        recover(small, words, code=4, changes="")
    plant(small, attach, make)
    said = ("was not written by your irsa on this machine", "irsa recover $run --yes")
    recover(small, code=4, says=said, changes="")
    recover(small, "$run --dry-run", says="AdministratorAccess", changes="")


def test_nothing_that_was_made_is_given_up_by_a_planted_journal(small: Stage) -> None:
    plant(small, ATTACH + ', "after": {}}')
    recover(small, "--all --forward", code=4, changes="")


def test_a_complete_role_is_not_taken_apart_by_its_makers_name(small: Stage) -> None:
    """Its mark is there for anybody to read."""
    small.run(CREATE)
    name = small.role_of("apps", "app")["arn"].rsplit("/", 1)[-1]
    (journal,) = path_of(small).parent.glob("*.jsonl")
    small.words["run"] = journal.stem
    header = json.loads(journal.read_text().splitlines()[0])
    kinds = ("Role", "PolicyAttachment")
    plan = [[change for change in changes if change["kind"] in kinds] for changes in header["plan"]]
    header["plan"] = [*filter(None, plan), []]
    events = [{"event": "begin", "at": "x", "change": number} for number in (0, 1)]
    journal.write_text("".join(json.dumps(line) + "\n" for line in (header, *events)))
    for words in ("--all", "$run"):
        recover(small, words, code=4, says=f"role {name} is complete", changes="")
    # Nor is anything attached to it.
    plant(small, POWER.replace("victim", name), name=journal.stem)
    for words in ("--all", "$run"):
        recover(small, words, code=4, changes="")


def test_a_kubeconfig_of_a_journal_runs_nothing(small: Stage) -> None:
    path = small.folder / "evil config"
    path.write_text(
        f"""apiVersion: v1
kind: Config
current-context: x
contexts: [{{name: x, context: {{cluster: x, user: x}}}}]
clusters: [{{name: x, cluster: {{server: "https://127.0.0.1:1"}}}}]
users:
- name: x
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /bin/sh
      args: ["-c", "env > {small.folder}/stolen"]
      interactiveMode: Never
"""
    )
    account = (
        '{"kind": "ServiceAccount", "target": ["default", "app"], "after": {"annotations": {}, "labels": {}}}'
    )
    plant(small, account, kubeconfig=str(path), context="x")
    said = ("irsa recover $run", "--kubeconfig YOUR-KUBECONFIG --context x")
    for words in ("--all", "--all --forward", "$run", "$run --yes"):
        recover(small, words, code=4, says=said, silent="evil config", changes="")
    small.run(CREATE)
    assert not (small.folder / "stolen").exists()


def test_a_journal_does_not_decide_as_whom(small: Stage) -> None:
    value = "arn:aws:iam::111122223333:role/x"
    for option in ("profile", "assume_role"):
        plant(small, DETACH, **{option: value})
        said = f"irsa recover $run --{option.replace('_', '-')} {value}"
        recover(small, code=4, says=said, changes="")


def test_a_journal_about_another_cluster_is_refused(small: Stage) -> None:
    path = path_of(small, cut_off(small, "app", "apps", *WISH, at=ATTACHING))
    path.write_text(path.read_text().replace(":cluster/demo", ":cluster/other", 1))
    recover(small, "$run --yes", code=4, says="belongs to another cluster", changes="")


def test_what_others_may_have_written_is_refused_and_told(small: Stage) -> None:
    """By the file; tests/unit/transaction/test_private_files.py has all the ways."""
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    path = path_of(small, transaction)
    mode = path.stat().st_mode
    path.chmod(0o777)
    for words in ("$run", "--all", "--all --forward", "$run --yes"):
        recover(small, words, code=4, says="is not safe to use", changes="")
    assert re.search(rf"^{transaction} +\d+\w +refused ", small.run("history").out, re.MULTILINE)
    listed = recover(small, "-o json", code=4)
    assert [item["refused"] for item in listed.metadata["unreadable"]] == [True]
    path.chmod(mode)
    recover(small, "--all")
    assert small.world() == before


def test_one_that_is_refused_hides_no_other(small: Stage) -> None:
    before = small.world()
    cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    plant(small, DETACH)
    path_of(small).chmod(0o666)
    ran = recover(small, "--all -o json", code=4)
    assert sorted(item["outcome"] for item in ran.items) == ["refused", "rolled-back"]
    assert small.world() == before


def test_a_journal_of_another_machine_takes_away_what_bears_its_mark(small: Stage) -> None:
    """As an artifact of a job in CI: no key comes with it, and none is needed for that."""
    before = small.world()
    artifact: dict[str, Any] = {"IRSA_STATE_DIR": str(small.folder / "artifact")}
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=small.kill))
    small.run(CREATE, code=-9, XDG_DATA_HOME=str(small.folder / "elsewhere"), **artifact)
    small.sandbox.settle()
    recover(small, "--all", **artifact)
    assert small.world() == before


def test_a_deletion_that_is_taken_back_is_shown_before_and_never_called_taken_back(small: Stage) -> None:
    small.run(CREATE)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=small.kill))
    small.run("delete-sa app -n apps", code=-9)
    small.sandbox.settle()
    err = recover(small, "--all --yes", says="restored what").err
    assert re.search(r"\+ PolicyAttachment AmazonS3ReadOnlyAccess(?s:.*)attached again", err)
    assert not re.search("PolicyAttachment.*rolled back", err)
    assert small.role_of("apps", "app")["attached"] == [READ_ONLY]


def test_the_command_that_an_interrupted_run_proposes_names_the_way(small: Stage) -> None:
    before, keys = small.world(), small.env()
    (small.folder / "aws config").write_text(
        f"""[profile "p q"]
region = {small.region}
aws_access_key_id = {keys["AWS_ACCESS_KEY_ID"]}
aws_secret_access_key = {keys["AWS_SECRET_ACCESS_KEY"]}
"""
    )
    env: dict[str, Any] = {"AWS_CONFIG_FILE": str(small.folder / "aws config")}
    for operation in ("AttachRolePolicy", "DeleteRole"):
        small.sandbox.faults.add(Fault("iam", operation, "error", times=None))
    ran = small.run(f"{CREATE} --profile 'p q'", code=3, **env)
    small.sandbox.faults.clear()
    (proposed,) = set(re.findall("to finish: (.*)", ran.err))
    assert proposed.endswith("--profile 'p q'")
    small.words["run"] = unfinished(small)[0]["transaction"]
    recover(small, code=4, changes="", **env)
    assert small.irsa(*shlex.split(proposed)[1:], **env).code == 0
    assert small.world() == before


def test_at_a_terminal_the_plan_is_shown_and_asked_about(small: Stage) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    half = small.world()
    command = [sys.executable, "-m", "irsa_cli", "recover", transaction]
    for answer, said, code, after in (
        ("n", "it was not confirmed", 4, half),
        ("y", "rolled back", 0, before),
    ):
        with Terminal(command, {**small.env(), "PYTHONPATH": str(ROOT)}, small.folder) as terminal:
            terminal.read(f"{transaction}  apps/app  is planned:")
            terminal.read("- Role .*demo-apps-app")
            terminal.read(r"Do this\? \[y/N\]")
            terminal.type(f"{answer}\n")
            terminal.read(said)
            assert terminal.end() == code
        assert small.world() == after
