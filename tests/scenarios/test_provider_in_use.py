"""The OIDC provider and its audiences stay when roles of others count on them, whoever made them."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import NO_LOCK, READ_ONLY, Json, Ran, Stage

POLICY = ("--attach-policy-arn", READ_ONLY)
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, with a namespace."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    return stage


def killed(stage: Stage, operation: str, *arguments: str) -> None:
    """Run irsa and kill it when a call to IAM has been executed."""
    stage.sandbox.faults.add(Fault("iam", operation, "callback", run=stage.kill))
    assert stage.irsa(*arguments, "-c", stage.cluster).code == -9
    stage.sandbox.settle()


def elsewhere(stage: Stage, *arguments: str, **env: str) -> int:
    """Run create-sa for another ServiceAccount on a machine without journals of ours; its exit code."""
    state = str(stage.folder / "elsewhere")
    policy = ("--attach-policy-arn", SQS)
    return stage.create_sa("b", "apps", *policy, *arguments, IRSA_STATE_DIR=state, **env).code


def recover(stage: Stage, *arguments: str) -> Ran:
    """Recover; calls are given up on soon, as the time for which late ones are looked for depends on that."""
    return stage.irsa("recover", *arguments, IRSA_CALL_TIMEOUT="2")


def entry_of(document: Json, what: str) -> Json:
    (entry,) = (item for item in document["left"] if item["what"].startswith(what))
    found: Json = entry
    return found


def audiences(stage: Stage) -> list[str]:
    (provider,) = stage.aws_world()["oidc_providers"].values()
    found: list[str] = provider["audiences"]
    return found


def test_the_provider_of_a_killed_run_stays_for_who_uses_it_by_now(small: Stage) -> None:
    killed(small, "CreateOpenIDConnectProvider", "associate-oidc")
    assert elsewhere(small, "--verify") == 0
    ran = recover(small, "--all", "-o", "json")
    assert ran.code == 3, ran.err
    (item,) = ran.items
    entry = entry_of(item, "OIDCProvider ")
    assert small.role_of("apps", "b")["arn"].rpartition("/")[2] in entry["why"]
    keeps(small, entry)
    assert elsewhere(small, "--verify") == 0


def keeps(stage: Stage, entry: Json) -> None:
    """What is proposed for what others use works, and leaves it to them."""
    before = stage.world()
    ran = stage.irsa(*shlex.split(entry["repair"], comments=True)[1:], "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "unchanged"), ran.err
    assert stage.world() == before
    assert stage.irsa("recover", "-o", "json").items == []
    assert stage.irsa("recover", "-c", stage.cluster, "--min-age", "0s", "-o", "json").items == []


def test_without_others_the_provider_goes_with_the_role_that_trusts_it(small: Stage) -> None:
    before = small.world()
    killed(small, "AttachRolePolicy", "create-sa", "a", "-n", "apps", *POLICY, "--associate-oidc")
    ran = recover(small, "--all")
    assert ran.code == 0, ran.err
    assert small.world() == before


def test_an_audience_stays_for_who_uses_it_by_now(small: Stage) -> None:
    assert small.associate().code == 0
    desired = ("--audience", "vault", "--associate-oidc")
    killed(small, "AttachRolePolicy", "create-sa", "a", "-n", "apps", *POLICY, *desired)
    assert elsewhere(small, *desired, "--verify") == 0
    ran = recover(small, "--all", "-o", "json")
    assert ran.code == 3, ran.err
    (item,) = ran.items
    assert [entry["what"].split()[0] for entry in item["left"]] == ["OIDCProviderAudience"]
    keeps(small, item["left"][0])
    assert sorted(audiences(small)) == ["sts.amazonaws.com", "vault"]
    assert elsewhere(small, *desired, "--verify") == 0


def test_an_audience_that_only_the_killed_run_used_goes(small: Stage) -> None:
    assert small.associate().code == 0
    assert elsewhere(small) == 0
    desired = ("--audience", "vault", "--associate-oidc")
    killed(small, "AttachRolePolicy", "create-sa", "a", "-n", "apps", *POLICY, *desired)
    ran = recover(small, "--all")
    assert ran.code == 0, ran.err
    assert audiences(small) == ["sts.amazonaws.com"]


def configuration(stage: Stage) -> str:
    entry = {"metadata": {"name": "a", "namespace": "fresh"}, "attachPolicyARNs": [READ_ONLY]}
    document: dict[str, Any] = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": stage.cluster, "region": stage.region},
        "iam": {"withOIDC": True, "serviceAccounts": [entry]},
    }
    (stage.folder / "file.json").write_text(json.dumps(document))
    return "file.json"


@pytest.mark.parametrize(
    ("service", "operation", "flags"),
    [("iam", "AttachRolePolicy", ("--atomic",)), ("kubernetes", "POST namespaces", ())],
)
def test_apply_that_fails_leaves_the_provider_to_who_came_meanwhile(
    small: Stage, service: str, operation: str, flags: tuple[str, ...]
) -> None:
    codes: list[int] = []

    def meanwhile() -> None:
        if not codes:
            codes.append(-1)
            codes.append(elsewhere(small, "--verify", **NO_LOCK))  # With a lock it would wait for this one.

    fault = Fault(
        service,
        operation,
        "error",
        match=READ_ONLY if service == "iam" else "",
        times=None,
        status=403,
        code="AccessDenied" if service == "iam" else "Forbidden",
        run=meanwhile,
    )
    small.sandbox.faults.add(fault)
    ran = small.irsa("apply", "-f", configuration(small), *flags, "-o", "json")
    assert codes[1:] == [0]
    assert ran.code == 3, ran.err
    small.sandbox.faults.clear()
    keeps(
        small, next(entry for item in ran.items for entry in item["left"] if "OIDCProvider " in entry["what"])
    )
    assert elsewhere(small, "--verify") == 0


def test_where_roles_cant_be_listed_the_provider_stays_and_is_named(small: Stage) -> None:
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    small.sandbox.faults.add(Fault("iam", "ListRoles", "error", times=None))
    before = small.world()
    ran = small.create_sa("a", "apps", *POLICY, "--associate-oidc", "-o", "json")
    assert ran.code == 3, ran.err
    entry = entry_of(ran.item, "OIDCProvider ")
    assert "ListRoles" in entry["why"]
    small.sandbox.faults.clear()
    assert small.irsa(*entry["repair"].split()[1:]).code == 0
    assert small.world() == before


def test_by_the_cluster_the_provider_stays_as_the_dry_run_says(small: Stage) -> None:
    """The journal is on this machine, and knows that the run made the provider."""
    killed(small, "AttachRolePolicy", "create-sa", "a", "-n", "apps", *POLICY, "--associate-oidc")
    # As if it were old: who uses it does not make it theirs first.
    arn = next(iter(small.aws_world()["oidc_providers"]))
    small.iam().untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=[SERVICE_ACCOUNT_TAG])
    assert elsewhere(small, "--verify") == 0
    by_cluster = ("-c", small.cluster, "--all", "--min-age", "0s")
    assert "OIDCProvider" not in recover(small, *by_cluster, "--dry-run").out
    ran = recover(small, *by_cluster, "-o", "json")
    assert ran.code == 3, ran.err
    keeps(small, entry_of(ran.item, "OIDCProvider "))
    assert elsewhere(small, "--verify") == 0
