"""`irsa recover` by the journals of this machine: back, forward, one and all."""

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Json, Stage

POLICIES = f"{READ_ONLY},arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
WISH = ("--associate-oidc", "--attach-policy-arn", POLICIES, "--inline-policy", "inline.json")
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
CUTS = [
    ("iam", "CreateOpenIDConnectProvider", 0, "callback"),
    ("iam", "CreateRole", 0, "reset-before"),
    ("iam", "AttachRolePolicy", 1, "callback"),
    ("iam", "PutRolePolicy", 0, "callback"),
]
"""Where runs are killed; `callback` executes the call all the same."""
KUBERNETES_CUTS = [
    ("kubernetes", "POST namespaces", 1, "callback"),
    ("kubernetes", "POST serviceaccounts", 1, "reset-before"),
    ("kubernetes", "POST serviceaccounts", 1, "callback"),
]
Cut = tuple[str, str, int, str]
ATTACHING = CUTS[2]


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def cut_off(stage: Stage, name: str, namespace: str, *arguments: str, at: Cut) -> str:
    """Run create-sa and kill it at a call; returns its transaction."""
    (stage.folder / "inline.json").write_text(json.dumps(DOCUMENT))
    service, operation, skip, kind = at
    fault = Fault(service, operation, kind, skip=skip, run=stage.kill)  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)
    ran = stage.create_sa(name, namespace, *arguments)
    assert ran.code == -9, ran.err
    stage.sandbox.settle()
    transaction: str = unfinished(stage)[-1]["transaction"]
    return transaction


def unfinished(stage: Stage) -> list[Json]:
    items: list[Json] = stage.irsa("recover", "-o", "json").items
    return items


def is_as_wished(stage: Stage, name: str, namespace: str, *arguments: str) -> bool:
    """Whether the same command finds nothing to do."""
    ran = stage.create_sa(name, namespace, *arguments, "-o", "json")
    return ran.code == 0 and ran.metadata["outcome"] == "unchanged"


@pytest.mark.parametrize("at", CUTS, ids=lambda at: f"{at[1]}-{at[3]}")
def test_a_run_that_was_killed_is_gone_on_with(stage: Stage, unique: str, at: Cut) -> None:
    transaction = cut_off(stage, "app", unique, *WISH, at=at)
    ran = stage.irsa("recover", transaction, "--forward", "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "committed"), ran.err
    assert is_as_wished(stage, "app", unique, *WISH)
    assert ran.item["role"]["arn"] == stage.role_of(unique, "app")["arn"]
    assert unfinished(stage) == []


@pytest.mark.parametrize("at", KUBERNETES_CUTS, ids=lambda at: f"{at[1]}-{at[3]}")
def test_a_run_that_was_killed_at_kubernetes_is_gone_on_with(small: Stage, at: Cut) -> None:
    transaction = cut_off(small, "app", "apps", *WISH, at=at)
    ran = small.irsa("recover", transaction, "--forward")
    assert ran.code == 0, ran.err
    assert is_as_wished(small, "app", "apps", *WISH)


def test_a_run_that_was_killed_while_rolling_back_is_gone_on_with(small: Stage) -> None:
    small.sandbox.faults.add(Fault("iam", "PutRolePolicy", "error", times=4))
    transaction = cut_off(small, "app", "apps", *WISH, at=("iam", "DeleteRole", 0, "callback"))
    small.sandbox.faults.clear()
    assert not small.aws_world()["roles"]
    assert small.irsa("recover", transaction, "--forward").code == 0
    assert is_as_wished(small, "app", "apps", *WISH)


def test_a_run_with_a_gate_is_not_gone_on_with(small: Stage) -> None:
    before = small.world()
    gated = (*WISH, "--verify")
    transaction = cut_off(
        small, "app", "apps", *gated, at=("sts", "AssumeRoleWithWebIdentity", 0, "callback")
    )
    after = small.world()
    ran = small.irsa("recover", transaction, "--forward")
    assert ran.code == 4
    assert "create-sa" in ran.err
    assert small.world() == after
    assert small.irsa("recover", transaction).code == 0
    assert small.world() == before


def test_what_fails_on_the_way_forward_stays_and_both_ways_are_open(small: Stage) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=("iam", "CreateRole", 0, "callback"))
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match="SQS", times=None))
    ran = small.irsa("recover", transaction, "--forward", "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (1, "unfinished")
    states = {change["target"].rsplit("/", 1)[-1]: change["state"] for change in ran.item["changes"]}
    assert states["AmazonS3ReadOnlyAccess"] == "done"
    assert states["AmazonSQSReadOnlyAccess"] == "failed"
    assert states["app"] == "pending"
    (role,) = small.aws_world()["roles"].values()
    assert role["attached"] == [READ_ONLY]
    back, forward = f"irsa recover {transaction}  # rolls it back", f"irsa recover {transaction} --forward"
    assert back in ran.error["next"]
    assert any(step.startswith(forward) for step in ran.error["next"])
    assert "missing" in small.irsa("recover", transaction, "--forward").err
    small.sandbox.faults.clear()
    assert small.irsa("recover", transaction).code == 0
    assert small.world() == before


def test_another_owner_of_the_role_is_not_robbed(small: Stage) -> None:
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    assert small.create_sa("app", "apps", *WISH, "--state-dir", "elsewhere").code == 0
    after = small.world()
    ran = small.irsa("recover", transaction, "--forward")
    assert ran.code == 1
    assert small.world() == after


def test_dry_runs_tell_both_ways_and_write_nothing(small: Stage) -> None:
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    after = small.world()
    journal = (small.folder / "state" / f"{transaction}.jsonl").read_bytes()
    back = small.irsa("recover", transaction, "--dry-run", "-o", "json").item
    assert back["outcome"] == "planned"
    assert {change["action"] for change in back["changes"]} == {"delete"}
    assert {change["kind"] for change in back["changes"]} >= {"OIDCProvider", "Namespace", "Role"}
    forward = small.irsa("recover", transaction, "--dry-run", "--forward", "-o", "json").item
    assert {change["action"] for change in forward["changes"]} == {"create"}
    assert "ServiceAccount" in {change["kind"] for change in forward["changes"]}
    assert "Role" not in {change["kind"] for change in forward["changes"]}
    both = small.irsa("recover", "--all", "--dry-run", "-o", "json").json
    assert [item["outcome"] for item in both["items"]] == ["planned"]
    assert "apps/app" in small.irsa("recover", "--all", "--dry-run").out
    assert small.world() == after
    assert (small.folder / "state" / f"{transaction}.jsonl").read_bytes() == journal


@pytest.mark.parametrize("way", [(), ("--forward",)], ids=["back", "forward"])
def test_all_are_finished(small: Stage, way: tuple[str, ...]) -> None:
    assert small.associate().code == 0
    before = small.world()
    names = ("one", "two")
    for name in names:
        cut_off(small, name, f"in-{name}", *WISH, at=ATTACHING)
    ran = small.irsa("recover", "--all", *way, "-o", "json")
    assert (ran.code, ran.metadata["exitCode"], ran.metadata["skipped"]) == (0, 0, []), ran.err
    expected = "committed" if way else "rolled-back"
    assert [item["outcome"] for item in ran.items] == [expected] * 2
    if way:
        assert all(is_as_wished(small, name, f"in-{name}", *WISH) for name in names)
    else:
        assert small.world() == before
    assert unfinished(small) == []
    assert small.irsa("recover", "--all").code == 0


def test_of_all_the_worst_tells_and_one_that_lives_is_skipped(small: Stage) -> None:
    assert small.associate().code == 0
    first = cut_off(small, "one", "in-one", *WISH, at=ATTACHING)
    seen = []

    def meanwhile() -> None:
        nested = Stage.__new__(Stage)
        nested.__dict__.update(small.__dict__)
        small.sandbox.faults.add(Fault("iam", "DeleteRole", "error", match="in-one", times=1))
        seen.append(nested.irsa("recover", "--all", "-o", "json", IRSA_CALL_TIMEOUT="1"))

    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", match="in-two", run=meanwhile))
    assert small.create_sa("two", "in-two", *WISH).code == 0
    (ran,) = seen
    assert (ran.code, ran.metadata["exitCode"]) == (3, 3)
    assert [(item["transaction"], item["outcome"]) for item in ran.items] == [(first, "incomplete")]
    assert len(ran.metadata["skipped"]) == 1
    assert small.role_of("in-two", "two")["attached"] == sorted(POLICIES.split(","))
    assert small.irsa("recover", "--all").code == 0
    assert "in-one" not in small.world()["kubernetes"]["namespaces"]


def test_a_signal_stops_it_between_two(small: Stage) -> None:
    before = small.world()
    for name in ("one", "two"):
        cut_off(small, name, f"in-{name}", *WISH, at=ATTACHING)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=lambda: small.signal(2)))
    ran = small.irsa("recover", "--all", "-o", "json")
    assert (ran.code, len(ran.items)) == (130, 1), ran.err
    assert ran.items[0]["outcome"] == "rolled-back"
    assert len(unfinished(small)) == 1
    assert small.irsa("recover", "--all").code == 0
    assert small.world() == before


def test_a_signal_stops_the_way_forward_before_the_next_call(small: Stage) -> None:
    def told_to_stop() -> None:
        small.signal(15, heard=b"Stopping")

    transaction = cut_off(small, "app", "apps", *WISH, at=("iam", "CreateRole", 0, "callback"))
    small.sandbox.faults.add(Fault("iam", "PutRolePolicy", "callback", run=told_to_stop))
    ran = small.irsa("recover", transaction, "--forward", "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (143, "unfinished"), ran.err
    assert small.account("apps", "app") is None
    assert small.irsa("recover", transaction, "--forward").code == 0
    assert is_as_wished(small, "app", "apps", *WISH)


def test_a_provider_that_was_half_associated_is_gone_on_with(small: Stage) -> None:
    small.sandbox.faults.add(Fault("iam", "CreateOpenIDConnectProvider", "reset-before", run=small.kill))
    assert small.associate().code == -9
    (item,) = unfinished(small)
    assert small.irsa("recover", item["transaction"], "--forward").code == 0
    assert len(small.aws_world()["oidc_providers"]) == 1
    assert unfinished(small) == []


def test_a_committed_run_whose_journal_could_not_say_so_stays(small: Stage) -> None:
    """The disk was full when the last line was to be written."""
    (small.folder / "inline.json").write_text(json.dumps(DOCUMENT))
    assert small.create_sa("app", "apps", *WISH).code == 0
    (journal,) = (small.folder / "state").glob("*.jsonl")
    journal.write_bytes(journal.read_bytes()[:-12])
    made = small.world()
    assert unfinished(small) == []
    ran = small.irsa("recover", "--all")
    assert (ran.code, small.world()) == (0, made), ran.err
    assert "committed" in small.irsa("history").out


def test_a_journal_that_cant_be_read_is_none_the_less_one(small: Stage) -> None:
    before = small.world()
    lost = cut_off(small, "lost", "apps", *WISH, at=ATTACHING)
    (journal,) = (small.folder / "state").glob("*.jsonl")
    text = journal.read_text()
    # A later irsa wrote it. And the header of another run, which so had not begun, is torn.
    journal.write_text(text.replace('"version":1', '"version":2', 1))
    (small.folder / "state" / "20260601T120000000Z-0a1b2c3d.jsonl").write_text(text[:40])
    cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    listed = small.irsa("recover")
    assert listed.code == 1, listed.err
    (row,) = [line for line in listed.out.splitlines() if line.startswith(lost)]
    assert row.split()[2:5] == ["unreadable", "?", "?"]
    assert f"{journal} was written by irsa" in row
    assert "20260601T" not in listed.out
    for command, code in (("recover", 1), ("history", 0)):
        ran = small.irsa(command, "-o", "json")
        assert ran.code == code
        assert [item["transaction"] for item in ran.metadata["unreadable"]] == [lost]
        assert len(ran.items) == 1
    ran = small.irsa("recover", "--all", "-o", "json")
    assert ran.code == 1, ran.err
    assert sorted(item["outcome"] for item in ran.items) == ["failed", "rolled-back"]
    journal.write_text(text)
    assert small.irsa("recover", "--all").code == 0
    assert small.irsa("recover").code == 0
    assert small.world() == before


def rolled_back_without_a_word(stage: Stage) -> tuple[str, Json]:
    """A deletion that was killed and taken back, whose journal tells nothing of the way back."""
    assert stage.associate().code == 0
    assert stage.create_sa("app", "apps", "--attach-policy-arn", POLICIES).code == 0
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", skip=1, run=stage.kill))
    assert stage.irsa("delete-sa", "app", "-n", "apps", "-c", stage.cluster).code == -9
    stage.sandbox.settle()
    (item,) = unfinished(stage)
    journal = stage.folder / "state" / f"{item['transaction']}.jsonl"
    told = journal.read_text()
    assert stage.irsa("recover", item["transaction"]).code == 0
    assert stage.world() == before
    journal.write_text(told)
    return item["transaction"], before


def test_what_was_rolled_back_without_a_word_in_the_journal_is_rolled_back(small: Stage) -> None:
    """The disk was full from some line on, and the rollback went on all the same."""
    transaction, before = rolled_back_without_a_word(small)
    ran = small.irsa("recover", transaction, "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "rolled-back"), ran.err
    assert small.world() == before
    assert unfinished(small) == []


def test_what_was_taken_away_after_a_rollback_is_not_given_back_by_its_journal(small: Stage) -> None:
    transaction, _ = rolled_back_without_a_word(small)
    name = small.role_of("apps", "app")["arn"].rsplit("/", 1)[-1]
    small.iam().detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    after = small.world()
    ran = small.irsa("recover", transaction)
    assert ran.code == 4, ran.err
    assert "bears the mark of" in ran.err
    assert small.world() == after
