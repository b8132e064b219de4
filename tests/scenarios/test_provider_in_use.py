"""The OIDC provider and its audiences stay when roles of others count on them, whoever made them."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, entry
from tests.scenarios.test_recover import recover
from tests.support.stage import NO_LOCK, READ_ONLY, Json, Stage

VAULT = "--audience vault --associate-oidc"


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, with a namespace."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    return stage


def killed(stage: Stage, line: str) -> None:
    """Run irsa and kill it when it has created a provider or attached a policy."""
    operation = "CreateOpenIDConnectProvider" if line.startswith("associate") else "AttachRolePolicy"
    stage.sandbox.faults.add(Fault("iam", operation, "callback", run=stage.kill))
    stage.run(line, code=-9)
    stage.sandbox.settle()


def elsewhere(stage: Stage, more: str = "", **env: Any) -> None:
    """Create a binding for another ServiceAccount on a machine without journals of ours."""
    line = f"create-sa b -n apps --attach-policy-arn $SQS {more}"
    stage.run(line, IRSA_STATE_DIR=str(stage.folder / "elsewhere"), **env)


def kept(stage: Stage, items: list[Json], what: str) -> str:
    """What is proposed for what others use works, and leaves it to them; returns why it is left."""
    (left,) = (left for item in items for left in item["left"] if left["what"].startswith(f"{what} "))
    before = stage.world()
    ran = stage.irsa(*shlex.split(left["repair"], comments=True)[1:], "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "unchanged"), ran.err
    assert stage.world() == before
    for words in ("-o json", "-c demo --min-age 0s -o json"):
        assert stage.irsa("recover", *words.split()).items == []
    elsewhere(stage, f"{VAULT if 'Audience' in what else ''} --verify")
    return str(left["why"])


def audiences(stage: Stage) -> list[str]:
    (provider,) = stage.aws_world()["oidc_providers"].values()
    return sorted(provider["audiences"])


def test_the_provider_of_a_killed_run_stays_for_who_uses_it_by_now(small: Stage) -> None:
    killed(small, "associate-oidc")
    elsewhere(small, "--verify")
    items = recover(small, "--all -o json", code=3).items
    assert small.role_of("apps", "b")["arn"].rpartition("/")[2] in kept(small, items, "OIDCProvider")


def test_without_others_the_provider_goes_with_the_role_that_trusts_it(small: Stage) -> None:
    before = small.world()
    killed(small, "create-sa a -n apps --attach-policy-arn $S3 --associate-oidc")
    recover(small, "--all")
    assert small.world() == before


@pytest.mark.parametrize("used", [True, False])
def test_an_audience_stays_only_for_who_uses_it_by_now(small: Stage, used: bool) -> None:
    small.run("associate-oidc")
    if not used:
        elsewhere(small)
    killed(small, "create-sa a -n apps --attach-policy-arn $S3 --audience vault --associate-oidc")
    if used:
        elsewhere(small, "--audience vault --associate-oidc --verify")
    ran = recover(small, "--all -o json", code=3 if used else 0)
    if used:
        assert len(ran.item["left"]) == 1
        kept(small, ran.items, "OIDCProviderAudience")
    assert audiences(small) == ["sts.amazonaws.com", *(["vault"] if used else [])]


@pytest.mark.parametrize(
    ("call", "code", "flags"),
    [("iam AttachRolePolicy", "AccessDenied", " --atomic"), ("kubernetes POST namespaces", "Forbidden", "")],
)
def test_apply_that_fails_leaves_the_provider_to_who_came_meanwhile(
    small: Stage, call: str, code: str, flags: str
) -> None:
    came: list[bool] = []

    def meanwhile() -> None:
        if not came:
            came.append(False)
            elsewhere(small, "--verify", **NO_LOCK)  # With a lock it would wait for this one.
            came.append(True)

    service, _, operation = call.partition(" ")
    match = READ_ONLY if service == "iam" else ""
    fault = Fault(service, operation, "error", match=match, times=None, status=403, code=code, run=meanwhile)
    small.sandbox.faults.add(fault)
    text = config(small, entry("a", "fresh", attachPolicyARNs=[READ_ONLY]))
    ran = small.run(f"apply -f - -o json{flags}", code=3, stdin=text)
    assert came == [False, True]
    small.sandbox.faults.clear()
    kept(small, ran.items, "OIDCProvider")


def test_where_roles_cant_be_listed_the_provider_stays_and_is_named(small: Stage) -> None:
    for operation in ("AttachRolePolicy", "ListRoles"):
        small.sandbox.faults.add(Fault("iam", operation, "error", times=None))
    before = small.world()
    ran = small.run("create-sa a -n apps --attach-policy-arn $S3 --associate-oidc -o json", code=3)
    (left,) = (left for left in ran.item["left"] if left["what"].startswith("OIDCProvider "))
    assert "ListRoles" in left["why"]
    small.sandbox.faults.clear()
    assert small.irsa(*left["repair"].split()[1:]).code == 0
    assert small.world() == before


def test_by_the_cluster_the_provider_stays_as_the_dry_run_says(small: Stage) -> None:
    """The journal is on this machine, and knows that the run made the provider."""
    killed(small, "create-sa a -n apps --attach-policy-arn $S3 --associate-oidc")
    # As if it were old: who uses it does not make it theirs first.
    (arn,) = small.aws_world()["oidc_providers"]
    small.iam().untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=[SERVICE_ACCOUNT_TAG])
    elsewhere(small, "--verify")
    quick: dict[str, Any] = {"IRSA_CALL_TIMEOUT": "2"}
    small.run("recover -c demo --all --min-age 0s --dry-run", silent="OIDCProvider", **quick)
    ran = small.run("recover -c demo --all --min-age 0s -o json", code=3, **quick)
    kept(small, ran.items, "OIDCProvider")
