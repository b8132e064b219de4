"""Files that keep the roles of some of their ServiceAccounts, or all, in another account."""

from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.other_account import OTHER, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.scenarios.test_chaining import target
from tests.support.ran import Ran
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

LONG = {"IRSA_LOCK_DURATION": "45"}
"""Locks hold as long as those of users: many runs at once are slow on a busy machine."""


def entry(namespace: str, name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "attachPolicyARNs": [READ_ONLY], **more}


def written(stage: Stage, *entries: dict[str, Any], **more: Any) -> str:
    document = {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": stage.cluster},
        "withOIDC": True,
        "serviceAccounts": list(entries),
        **more,
    }
    path = Path(stage.folder) / "bindings.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def left(stage: Stage, namespace: str) -> set[str]:
    """The ServiceAccounts of the namespace, with the one that each has (which no controller makes here)."""
    there = (name.split("/") for name in stage.kube_world()["serviceaccounts"])
    return {name for place, name in there if place == namespace} | {"default"}


def apply(stage: Stage, path: str, *more: str) -> Ran:
    return stage.irsa("apply", "-f", path, *more, **LONG)


def test_twenty_entries_over_two_accounts(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    before, there = stage.aws_world(), elsewhere.world()
    here = [entry(namespace, f"here-{number}") for number in range(10)]
    away = [
        entry(namespace, f"away-{number}", roleAccount=OTHER, roleAssumeRole=elsewhere.deployer)
        for number in range(10)
    ]
    path = written(stage, *here, *away)
    ran = apply(stage, path, "--verify")
    assert ran.code == 0, ran.err
    assert len(elsewhere.roles()) == 10
    for item in away:
        account = stage.account(namespace, item["metadata"]["name"])
        assert account is not None
        assert f":{OTHER}:" in account["annotations"][ROLE_ARN]
    assert stage.irsa("diff", "-f", path).code == 0
    fewer = written(stage, *here[:5], *away[:5])
    ran = apply(stage, fewer, "--prune", "--yes", "--include", f"{namespace}/*")
    assert ran.code == 0, ran.err
    assert len(elsewhere.roles()) == 5
    assert stage.account(namespace, "away-9") is None
    assert stage.account(namespace, "here-9") is None
    assert stage.account(namespace, "here-0") is not None
    gone = stage.irsa("delete", "-f", fewer, "--yes", **LONG)
    assert gone.code == 0, gone.err
    assert elsewhere.roles() == {}
    for command in (("disassociate-oidc",), ("disassociate-oidc", *elsewhere.by_role)):
        assert stage.irsa(*command, "-c", stage.cluster, "--yes").code == 0
    assert (stage.aws_world(), elsewhere.world()) == (before, there)
    assert left(stage, namespace) == {"default"}


def admitted(elsewhere: Elsewhere) -> list[int]:
    """How many statements irsa has put on each of the target roles."""
    roles = elsewhere.world()["roles"]
    return [len(roles[name]["trust"]["Statement"]) - 1 for name in ("data", "more")]


def test_twenty_entries_over_both_patterns(stage: Stage, namespace: str, elsewhere: Elsewhere) -> None:
    """Five of the chains end at one role each: no statement on it is lost, whoever writes at once."""
    ends = [target(elsewhere, name=name) for name in ("data", "more")]
    before, there = stage.aws_world(), elsewhere.world()
    way = {"targetAssumeRole": elsewhere.deployer}
    away = [
        entry(namespace, f"away-{number}", roleAccount=OTHER, roleAssumeRole=elsewhere.deployer)
        for number in range(10)
    ]
    chained = [
        entry(namespace, f"chained-{number}", targetRole=ends[number % 2], externalID="id", **way)
        for number in range(10)
    ]
    path = written(stage, *away, *chained)
    refused = apply(stage, path, "-o", "json")
    assert refused.code == 1, refused.err
    ran = apply(stage, path, "--update-target-trust", "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    assert len(elsewhere.roles()) == 10
    assert admitted(elsewhere) == [5, 5]
    again = apply(stage, path, "-o", "json")
    assert (again.code, again.metadata["summary"]) == (0, {"unchanged": 20}), again.err
    fewer = written(stage, *away[:5], *chained[:5])
    pruned = apply(stage, fewer, "--prune", "--yes", "--include", f"{namespace}/*")
    assert pruned.code == 0, pruned.err
    assert len(elsewhere.roles()) == 5
    assert admitted(elsewhere) == [3, 2]
    gone = stage.irsa("delete", "-f", fewer, "--yes", **LONG)
    assert gone.code == 0, gone.err
    for command in (("disassociate-oidc",), ("disassociate-oidc", *elsewhere.by_role)):
        assert stage.irsa(*command, "-c", stage.cluster, "--yes").code == 0
    assert (stage.aws_world(), elsewhere.world()) == (before, there)
    assert left(stage, namespace) == {"default"}


def test_the_file_says_it_for_all_and_the_command_line_how(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    path = written(stage, entry(namespace, "one"), entry(namespace, "two"), roleAccount=OTHER)
    refused = apply(stage, path)
    assert refused.code == 4, refused.err
    assert elsewhere.roles() == {}
    ran = apply(stage, path, "--role-assume-role", elsewhere.deployer, "--atomic")
    assert ran.code == 0, ran.err
    assert len(elsewhere.roles()) == 2


def test_what_is_elsewhere_is_pruned_only_by_files_that_keep_roles_there(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    there = entry(namespace, "away", roleAccount=OTHER, roleAssumeRole=elsewhere.deployer)
    assert apply(stage, written(stage, entry(namespace, "here"), there)).code == 0
    ran = apply(
        stage, written(stage, entry(namespace, "here")), "--prune", "--yes", "--include", f"{namespace}/*"
    )
    assert ran.code == 0, ran.err
    assert f"{namespace}/away is not pruned" in ran.err
    assert len(elsewhere.roles()) == 1
    way = {"roleAccount": OTHER, "roleAssumeRole": elsewhere.deployer}
    document = written(stage, entry(namespace, "here", roleAccount=stage.account_id), **way)
    ran = apply(stage, document, "--prune", "--yes", "--include", f"{namespace}/*")
    assert ran.code == 0, ran.err
    assert elsewhere.roles() == {}
    assert stage.account(namespace, "away") is None
    assert stage.account(namespace, "here") is not None


def test_what_contradicts_is_refused_before_any_call(
    stage: Stage, namespace: str, elsewhere: Elsewhere
) -> None:
    for more in (
        {"roleAccount": "333333333333", "roleAssumeRole": elsewhere.deployer},
        {"roleProfile": "there"},
        {"roleAssumeRole": elsewhere.deployer.replace("arn:aws:", "arn:aws-cn:")},
    ):
        stage.sandbox.calls.clear()
        ran = apply(stage, written(stage, entry(namespace, "app", **more)))
        assert ran.code == 2, ran.err
        assert stage.sandbox.calls == []
