"""Recovery on another machine: no journal, only what runs have left in IAM and Kubernetes.

Runs are killed at their writes and the journals thrown away; then the world has to be as it was, with
everything of others in it.
"""

import json
import shutil
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import recovered, sandbox_stage
from tests.support.documents import policy
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

EVERYTHING = (
    "create-sa app -n $ns --verify --associate-oidc --attach-policy-arn $S3,$SQS --inline-policy inline.json"
)
ATTACHING = "iam 0 reset-before AttachRolePolicy"
BEFORE_THE_GATE = "sts 0 reset-before AssumeRoleWithWebIdentity"
"""Where runs are killed: at a call of which so many are skipped; `callback` executes it all the same."""
CUTS = (
    "iam 0 callback PutRolePolicy",
    "kubernetes 1 reset-before POST namespaces",  # Behind its rehearsal.
    BEFORE_THE_GATE,
)
"""The matrix of tests/faults has all others."""
ALL = "recover --all --min-age 0s"


def prepared(stage: Stage, namespace: str) -> Stage:
    (stage.folder / "inline.json").write_text(json.dumps(policy("Allow s3:* on *")))
    stage.words["ns"] = namespace
    return stage


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> None:
    """On the real control plane, without what other tests have left there."""
    if "stage" in request.fixturenames:
        stage = prepared(request.getfixturevalue("stage"), request.getfixturevalue("unique"))
        if stage.cluster == "real":
            recovered(stage)
            forget(stage)


def cut_off(stage: Stage, at: str, line: str = EVERYTHING) -> None:
    """Run create-sa, kill it at a call, and forget its journal."""
    service, skip, kind, operation = at.split(" ", 3)
    fault = Fault(service, operation, kind, skip=int(skip), run=stage.kill)  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)
    stage.run(line, code=-9)
    stage.sandbox.settle()
    forget(stage)


def forget(stage: Stage) -> None:
    """This is another machine now."""
    shutil.rmtree(stage.folder / "state", ignore_errors=True)


def found(stage: Stage) -> list[Json]:
    """What is found in the namespace; in the same cluster there may be things of other tests."""
    return [item for item in stage.run("recover -o json").items if stage.words["ns"] in json.dumps(item)]


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, for what has nothing to do with Kubernetes."""
    return prepared(sandbox_stage(sandbox, "demo", tmp_path), "shop")


@pytest.mark.parametrize("at", CUTS)
def test_a_run_killed_at_any_call_is_taken_back(stage: Stage, at: str) -> None:
    before = stage.world()
    cut_off(stage, at)
    recovered(stage)
    assert (stage.world(), found(stage)) == (before, [])


@pytest.fixture
def others(stage: Stage, namespace: str) -> None:
    """What must not be touched: a binding, a role-only role, a provider, what irsa did not make."""
    stage.run("associate-oidc")
    stage.run("create-sa done -n $ns --attach-policy-arn $S3")
    stage.run("create-sa later -n $ns --role-only --attach-policy-arn $S3")
    stage.make_account(namespace, "helm", labels={"app.kubernetes.io/managed-by": "Helm"})
    trust = """{"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}"""
    for path in ("/", f"/irsa/{stage.cluster}/"):
        stage.iam().create_role(RoleName=f"theirs{len(path)}", Path=path, AssumeRolePolicyDocument=trust)
    forget(stage)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("create-sa app -n $ns --verify", BEFORE_THE_GATE),
        ("create-sa app -n $ns --role-path /teams/a/", ATTACHING),
        ("create-sa helm -n $ns", ATTACHING),
    ],
    ids=["a binding", "a role of another path", "a ServiceAccount that was there"],
)
@pytest.mark.usefixtures("others")
def test_nothing_of_others_is_touched(stage: Stage, line: str, at: str) -> None:
    assert found(stage) == []
    before = stage.world()
    cut_off(stage, at, f"{line} --attach-policy-arn $S3")
    (item,) = found(stage)
    assert [account["name"] for account in item["serviceAccounts"]] == [line.split()[1]]
    recovered(stage)
    assert stage.world() == before


def test_a_young_run_is_left_alone_unless_told_otherwise(small: Stage) -> None:
    before = small.world()
    cut_off(small, ATTACHING)
    (item,) = found(small)
    small.words["run"] = item["transaction"]
    assert "min-age" in item["skipped"]
    # What waits does not read as recovered.
    ran = small.run("recover --all -o json", code=4, changes="")
    assert (ran.items, [entry["transaction"] for entry in ran.metadata["skipped"]]) == (
        [],
        [item["transaction"]],
    )
    small.run("recover $run", code=4, changes="")
    small.run("recover $run --min-age 0s")
    assert small.world() == before


def test_a_run_that_left_nothing_needs_no_recovery(small: Stage) -> None:
    small.run("recover 20260101T000000000Z-00000000", says="nothing is left of", changes="")


def test_a_dry_run_and_a_list_write_nothing(small: Stage) -> None:
    cut_off(small, BEFORE_THE_GATE)
    (item,) = found(small)
    kinds = sorted(entry["kind"] for entry in item["objects"])
    wanted = "InlinePolicy Namespace OIDCProvider PolicyAttachment PolicyAttachment Role ServiceAccount"
    assert kinds == wanted.split()
    ran = small.run(f"{ALL} --dry-run -o json", changes="")
    (result,) = ran.items
    changes = result["changes"]
    assert (result["outcome"], {change["action"] for change in changes}) == ("planned", {"delete"})
    assert sorted(change["kind"] for change in changes) == kinds
    small.run(f"{ALL} --dry-run", says=item["transaction"])
    assert not list((small.folder / "state").glob("*"))


def of_iam(stage: Stage) -> Json:
    """The world without Kubernetes."""
    return {**stage.world(), "kubernetes": {}}


def iam_of(stage: Stage) -> Any:
    """moto's own IAM of the stage's account."""
    return stage.sandbox._front.cloud.iam(stage.account_id, "aws")


def test_a_namespace_that_somebody_uses_is_left_alone_and_named(small: Stage) -> None:
    before = of_iam(small)
    cut_off(small, BEFORE_THE_GATE)
    small.make_account("shop", "theirs")
    (result,) = small.run(f"{ALL} -o json", code=3).items
    (entry,) = result["left"]
    assert (result["outcome"], entry["what"]) == ("incomplete", "Namespace shop")
    assert of_iam(small) == before
    assert [bool(small.account("shop", name)) for name in ("theirs", "app")] == [True, False]
    # What is proposed leaves the namespace to who uses it.
    assert entry["repair"].startswith("kubectl annotate namespace shop irsa/transaction-  #")
    unmarked = {"metadata": {"annotations": {"irsa/transaction": None}}}
    assert small.kube.patch("/api/v1/namespaces/shop", unmarked).status == 200
    assert found(small) == []


def test_a_recovery_that_was_killed_is_finished(small: Stage) -> None:
    before = small.world()
    cut_off(small, BEFORE_THE_GATE)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=small.kill))
    small.run(ALL, code=-9)
    small.sandbox.settle()
    (item,) = small.irsa("recover", "-o", "json").items
    assert item["command"] == "recover"
    assert small.irsa("recover", item["transaction"]).code == 0
    assert small.world() == before
    assert "No unfinished" in small.irsa("recover").out


def test_a_run_that_lives_on_this_machine_is_left_alone(small: Stage) -> None:
    second, seen = copy(small), list[Ran]()

    def meanwhile() -> None:
        seen.append(second.run(f"{ALL} -o json"))

    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=meanwhile))
    small.run("create-sa app -n $ns --associate-oidc --attach-policy-arn $S3")
    (ran,) = seen
    assert ran.items == []
    assert "running" in ran.metadata["skipped"][0]["why"]
    assert small.role_of("shop", "app")["attached"] == [READ_ONLY]


def test_a_run_that_lives_elsewhere_and_ends_meanwhile_keeps_its_role(small: Stage) -> None:
    """It is young enough to live, and its last step comes between our look and our hand."""
    small.run("associate-oidc")
    small.make_namespace("shop")
    cut_off(small, ATTACHING, "create-sa app -n $ns --attach-policy-arn $S3")
    before = of_iam(small)
    (arn,) = [role["arn"] for role in before["roles"].values() if "/irsa/" in role["arn"]]

    def end() -> None:
        small.make_account("shop", "app", annotations={ROLE_ARN: arn})

    small.sandbox.faults.add(Fault("iam", "ListAttachedRolePolicies", "callback", run=end))
    small.run(ALL, code=3)
    assert of_iam(small) == before


def test_another_cluster_is_none_of_our_business(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_cluster(ClusterSpec("other"))
    here, there = (prepared(sandbox_stage(sandbox, name, tmp_path), "shop") for name in ("demo", "other"))
    before = here.world()
    cut_off(there, BEFORE_THE_GATE)
    assert found(here) == []
    here.run(ALL, changes="")
    recovered(there)
    assert here.world() == before


def test_a_journal_on_this_machine_is_settled_with_it(small: Stage) -> None:
    before = small.world()
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=small.kill))
    small.run(EVERYTHING, code=-9)
    small.sandbox.settle()
    recovered(small)
    assert small.world() == before
    assert [item["outcome"] for item in small.run("history -o json").items] == ["rolled-back"]


def test_a_signal_lets_one_be_finished_and_the_next_alone(small: Stage) -> None:
    before = small.world()
    for name in ("one", "two"):
        small.words["ns"] = f"shop-{name}"
        cut_off(small, ATTACHING)
    small.words["ns"] = "shop"
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=lambda: small.signal(15)))
    ran = small.run(f"{ALL} -o json", code=143)
    assert [item["outcome"] for item in ran.items] == ["rolled-back"]
    assert len(found(small)) == 1
    recovered(small)
    assert small.world() == before


def test_who_may_not_list_roles_is_told_so(small: Stage) -> None:
    user = small.restricted((("get", "list"), ("serviceaccounts", "namespaces")))
    small.sandbox.faults.add(Fault("iam", "ListRoles", "error", times=None))
    ran = small.run("recover -o json", code=1, user=user)
    assert "missing permission: iam:ListRoles" in ran.error["details"]
