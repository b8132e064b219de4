"""Journals that somebody has put there: none makes a command do what this user's irsa had not begun."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover import ATTACHING, WISH, cut_off, unfinished
from tests.support.stage import READ_ONLY, Json, Stage
from tests.support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
PLANTED = "20260601T120000000Z-0a1b2c3d"
EVIL_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
            "Action": "sts:AssumeRole",
        }
    ],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
OWNER = {"kind": "RoleOwner", "before": {"transaction": "nobody"}, "after": {"transaction": ""}}


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, with a role that is not irsa's."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.iam().create_role(RoleName="victim", AssumeRolePolicyDocument=json.dumps(TRUST))
    stage.iam().attach_role_policy(RoleName="victim", PolicyArn=READ_ONLY)
    return stage


def plant(stage: Stage, *changes: Json, name: str = PLANTED, **target: str) -> None:
    """Put a journal there by which these changes were begun, and done, by an irsa."""
    arn = f"arn:aws:eks:{stage.region}:{stage.account_id}:cluster/{stage.cluster}"
    header = {
        "version": 1,
        "irsa": "0.1.0",
        "transaction": name,
        "started": "2026-06-01T12:00:00+00:00",
        "context": {
            "command": "delete-sa",
            "cluster": arn,
            "serviceAccount": "default/app",
            "target": {"cluster": stage.cluster, "region": stage.region, **target},
        },
        "plan": [[{"before": None, "after": None, **change}] for change in changes],
    }
    lines: list[Json] = [header]
    for number in range(len(changes)):
        lines.append({"event": "begin", "at": "x", "change": number})
        if number < len(changes) - 1:
            lines.append({"event": "done", "at": "x", "change": number, "changed": True, "identity": {}})
    folder = stage.folder / "state"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.chmod(0o600)


ATTACH = {"kind": "PolicyAttachment", "target": ["victim", ADMINISTRATOR], "before": {}}
INLINE = {
    "kind": "InlinePolicy",
    "target": ["victim", "all"],
    "before": {
        "document": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        }
    },
}
REPLACE = {
    "kind": "TrustPolicy",
    "target": ["victim"],
    "before": {"document": EVIL_TRUST},
    "after": {"document": TRUST},
}
DETACH = {"kind": "PolicyAttachment", "target": ["victim", READ_ONLY], "after": {}}
TAGS = {
    "kind": "RoleTags",
    "target": ["victim"],
    "before": {"values": {"team": "evil"}},
    "after": {"values": {"team": None}},
}
MAKE = {"kind": "Role", "target": ["evil"], "before": {"path": "/", "trust": EVIL_TRUST}}
ATTACKS: dict[str, list[Json]] = {
    "a policy is attached": [ATTACH],
    "a policy is put": [INLINE],
    "a trust policy is replaced": [REPLACE],
    "a policy is detached": [DETACH],
    "a tag is set": [TAGS],
    "with a mark that was never put": [{**OWNER, "target": ["victim"]}, ATTACH, REPLACE],
}
COMMANDS: list[tuple[str, ...]] = [
    ("--all",),
    ("--all", "--yes"),
    (PLANTED,),
    (PLANTED, "--yes"),
    ("--all", "--forward"),
    (PLANTED, "--forward", "--yes"),
]


@pytest.mark.parametrize("case", ATTACKS)
def test_a_role_without_the_mark_is_not_touched(small: Stage, case: str) -> None:
    before = small.world()
    for arguments in COMMANDS:
        plant(small, *ATTACKS[case])
        ran = small.irsa("recover", *arguments)
        assert ran.code == 4, (arguments, ran.out, ran.err)
        assert small.world() == before, arguments
    (small.folder / "state" / f"{PLANTED}.jsonl").unlink()
    # The other way round: what was made is given up by no journal that is planted.
    backwards = [
        {**change, "before": change.get("after"), "after": change.get("before")} for change in (ATTACH,)
    ]
    plant(small, *backwards)
    assert small.irsa("recover", "--all", "--forward").code == 4
    assert small.world() == before


def test_a_role_is_made_again_only_when_its_journal_is_named_and_confirmed(small: Stage) -> None:
    before = small.world()
    attach = {**ATTACH, "target": ["evil", ADMINISTRATOR]}
    for arguments in (("--all",), ("--all", "--yes"), (PLANTED,)):
        plant(small, attach, MAKE)
        ran = small.irsa("recover", *arguments)
        assert ran.code == 4, ran.err
        assert small.world() == before
    assert "was not written by your irsa on this machine" in ran.err
    shown = small.irsa("recover", PLANTED, "--dry-run")
    assert "AdministratorAccess" in shown.out
    assert f"irsa recover {PLANTED} --yes" in ran.err


def test_a_complete_role_is_not_taken_apart_by_its_makers_name(small: Stage) -> None:
    """Its mark is there for anybody to read."""
    assert small.create_sa("app", "apps", *WISH_WITHOUT_FILE).code == 0
    role = small.role_of("apps", "app")
    maker = small.irsa("history", "-o", "json").items[-1]["transaction"]
    made = small.world()
    name = role["arn"].rsplit("/", 1)[-1]
    journal = small.folder / "state" / f"{maker}.jsonl"
    lines = journal.read_text().splitlines()
    header = json.loads(lines[0])
    header["plan"] = [
        [change for change in stage if change["kind"] in ("Role", "PolicyAttachment")]
        for stage in header["plan"]
    ]
    header["plan"] = [*filter(None, header["plan"]), []]
    events = [{"event": "begin", "at": "x", "change": number} for number in (0, 1)]
    journal.write_text("".join(json.dumps(line) + "\n" for line in (header, *events)))
    for arguments in (("--all",), (maker,)):
        ran = small.irsa("recover", *arguments)
        assert ran.code == 4, ran.err
        assert f"role {name} is complete" in ran.err
        assert small.world() == made
    # Nor is anything attached to it.
    plant(small, {**ATTACH, "target": [name, ADMINISTRATOR]}, name=maker)
    for arguments in (("--all",), (maker,)):
        assert small.irsa("recover", *arguments).code == 4
        assert small.world() == made


WISH_WITHOUT_FILE = ("--associate-oidc", "--attach-policy-arn", READ_ONLY)


def test_a_kubeconfig_of_a_journal_runs_nothing(small: Stage) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [
            {
                "name": "x",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": "/bin/sh",
                        "args": ["-c", f"env > {small.folder}/stolen"],
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
    (small.folder / "evil config").write_text(json.dumps(config))
    account = {
        "kind": "ServiceAccount",
        "target": ["default", "app"],
        "after": {"annotations": {}, "labels": {}},
    }
    plant(small, account, kubeconfig=str(small.folder / "evil config"), context="x")
    for arguments in (("--all",), ("--all", "--forward"), (PLANTED,), (PLANTED, "--yes")):
        ran = small.irsa("recover", *arguments)
        assert ran.code == 4, ran.err
        assert f"irsa recover {PLANTED}" in ran.err
        assert "--kubeconfig YOUR-KUBECONFIG --context x" in ran.err
        assert "evil config" not in ran.err
    assert small.create_sa("app", "apps", *WISH_WITHOUT_FILE).code == 0
    assert not (small.folder / "stolen").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("profile", "prod"), ("assume_role", "arn:aws:iam::111122223333:role/x")]
)
def test_a_journal_does_not_decide_as_whom(small: Stage, option: str, value: str) -> None:
    plant(small, DETACH, **{option: value})
    ran = small.irsa("recover", PLANTED)
    assert ran.code == 4
    assert f"irsa recover {PLANTED} --{option.replace('_', '-')} {value}" in ran.err


def test_a_journal_about_another_cluster_is_refused(small: Stage) -> None:
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    half = small.world()
    path = small.folder / "state" / f"{transaction}.jsonl"
    path.write_text(path.read_text().replace(":cluster/demo", ":cluster/other", 1))
    ran = small.irsa("recover", transaction, "--yes")
    assert ran.code == 4, ran.err
    assert "belongs to another cluster" in ran.err
    assert small.world() == half


CHANGED: dict[str, Callable[[Path], object]] = {
    "0777": lambda folder: folder.chmod(0o777),
    "group": lambda folder: [os.chown(folder, -1, 65534), folder.chmod(0o770)],  # type: ignore[func-returns-value]
    "parent": lambda folder: folder.parent.chmod(0o777),
    "file": lambda folder: next(folder.glob("*.jsonl")).chmod(0o666),
    "nobody's": lambda folder: os.chown(next(folder.glob("*.jsonl")), 65534, -1),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_others_may_have_written_is_refused_and_told(small: Stage, case: str) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    half, folder = small.world(), small.folder / "state"
    try:
        CHANGED[case](folder)
    except (
        PermissionError
    ):  # Only root gives files away; `tests/unit/transaction/test_private_files.py` is for the others.
        return
    for arguments in ((transaction,), ("--all",), ("--all", "--forward"), (transaction, "--yes")):
        ran = small.irsa("recover", *arguments)
        assert ran.code == 4, (arguments, ran.err)
        assert "is not safe to use" in ran.err
    assert small.world() == half
    assert re.search(rf"^{transaction} +\d+\w +refused ", small.irsa("history").out, re.MULTILINE)
    listed = small.irsa("recover", "-o", "json")
    assert (listed.code, [item["refused"] for item in listed.metadata["unreadable"]]) == (4, [True])
    for path in (folder.parent, folder, *folder.glob("*.jsonl")):
        os.chown(path, os.geteuid(), os.getegid())
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert small.irsa("recover", "--all").code == 0
    assert small.world() == before


def test_one_that_is_refused_hides_no_other(small: Stage) -> None:
    before = small.world()
    cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    plant(small, ATTACH)
    (small.folder / "state" / f"{PLANTED}.jsonl").chmod(0o666)
    ran = small.irsa("recover", "--all", "-o", "json")
    assert ran.code == 4, ran.err
    assert sorted(item["outcome"] for item in ran.items) == ["refused", "rolled-back"]
    assert small.world() == before


def test_a_run_in_a_folder_of_others_is_refused_before_anything_is_done(small: Stage) -> None:
    before = small.world()
    (small.folder / "state").mkdir()
    (small.folder / "state").chmod(0o777)
    ran = small.create_sa("app", "apps", *WISH_WITHOUT_FILE)
    assert ran.code == 4, ran.err
    assert "chmod go-w" in ran.err
    assert small.world() == before


def test_a_journal_of_another_machine_takes_away_what_bears_its_mark(small: Stage) -> None:
    """As an artifact of a job in CI: no key comes with it, and none is needed for that."""
    before = small.world()
    elsewhere = {
        "XDG_DATA_HOME": str(small.folder / "elsewhere"),
        "IRSA_STATE_DIR": str(small.folder / "artifact"),
    }
    (small.folder / "inline.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": []}))
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=small.kill))
    assert small.create_sa("app", "apps", *WISH_WITHOUT_FILE, **elsewhere).code == -9
    small.sandbox.settle()
    ran = small.irsa("recover", "--all", IRSA_STATE_DIR=str(small.folder / "artifact"))
    assert ran.code == 0, ran.err
    assert small.world() == before


def test_a_deletion_that_is_taken_back_is_shown_before_and_never_called_taken_back(small: Stage) -> None:
    assert small.create_sa("app", "apps", *WISH_WITHOUT_FILE).code == 0
    made = small.world()["roles"]
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=small.kill))
    assert small.irsa("delete-sa", "app", "-n", "apps", "-c", small.cluster).code == -9
    small.sandbox.settle()
    (item,) = unfinished(small)
    ran = small.irsa("recover", item["transaction"])
    assert ran.code == 0, ran.err
    intended, _, done = ran.err.partition("attached again")
    assert "+ PolicyAttachment AmazonS3ReadOnlyAccess" in intended
    assert done
    attached = [line for line in ran.err.splitlines() if "PolicyAttachment" in line]
    assert not any("rolled back" in line for line in attached)
    assert "restored what" in ran.out
    assert {name: role["attached"] for name, role in small.world()["roles"].items()} == {
        name: role["attached"] for name, role in made.items()
    }


def test_the_command_that_an_interrupted_run_proposes_names_the_way(small: Stage) -> None:
    before, keys = small.world(), small.env()
    (small.folder / "aws config").write_text(
        f"""[profile "p q"]
region = {small.region}
aws_access_key_id = {keys["AWS_ACCESS_KEY_ID"]}
aws_secret_access_key = {keys["AWS_SECRET_ACCESS_KEY"]}
"""
    )
    env = {"AWS_CONFIG_FILE": str(small.folder / "aws config")}
    for operation in ("AttachRolePolicy", "DeleteRole"):
        small.sandbox.faults.add(Fault("iam", operation, "error", times=None))
    ran = small.create_sa("app", "apps", *WISH_WITHOUT_FILE, "--profile", "p q", **env)
    assert ran.code == 3, ran.err
    small.sandbox.faults.clear()
    (proposed,) = {line.partition("to finish: ")[2] for line in ran.err.splitlines() if "to finish" in line}
    assert proposed.endswith("--profile 'p q'")
    (item,) = unfinished(small)
    assert small.irsa("recover", item["transaction"], **env).code == 4
    assert small.irsa(*shlex.split(proposed)[1:], **env).code == 0
    assert small.world() == before


@pytest.mark.parametrize("answer", ["n", "y"])
def test_at_a_terminal_the_plan_is_shown_and_asked_about(small: Stage, answer: str) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    half = small.world()
    command = [sys.executable, "-m", "irsa_cli", "recover", transaction]
    env = {**small.env(), "PYTHONPATH": str(ROOT)}
    with Terminal(command, env, small.folder) as terminal:
        terminal.read(f"{transaction}  apps/app  is planned:")
        terminal.read("- Role .*demo-apps-app")
        terminal.read(r"Do this\? \[y/N\]")
        terminal.type(f"{answer}\n")
        terminal.read("rolled back" if answer == "y" else "it was not confirmed")
        assert terminal.end() == (0 if answer == "y" else 4)
    assert small.world() == (before if answer == "y" else half)


def test_with_yes_nobody_is_asked(small: Stage) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    command = [sys.executable, "-m", "irsa_cli", "recover", transaction, "--yes"]
    with Terminal(command, {**small.env(), "PYTHONPATH": str(ROOT)}, small.folder) as terminal:
        terminal.read("is planned:")
        terminal.read("Everything that the transaction did was rolled back")
        assert terminal.end() == 0
    assert small.world() == before
