"""Files that keep the roles of some of their ServiceAccounts, or all, in another account."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.scenarios.other_account import OTHER, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.scenarios.test_chaining import target
from tests.support.ran import Ran
from tests.support.short_files import file_of
from tests.support.stage import ROLE_ARN, Stage

"""Locks hold as long as those of users: many runs at once are slow on a busy machine."""
S3 = "attachPolicyARNs: [$S3]"
THERE = "roleAccount: '$other', roleAssumeRole: $deployer"
NOWHERE: Mapping[str, str] = {}
PRUNE = "--prune --yes --include $ns/*"


@pytest.fixture
def there(stage: Stage, namespace: str, elsewhere: Elsewhere) -> Elsewhere:
    stage.words |= {"other": OTHER, "deployer": elsewhere.deployer}
    return elsewhere


def apply(
    stage: Stage, *accounts: str, more: str = "", top: Mapping[str, str] = NOWHERE, **expected: Any
) -> Ran:
    """Apply a file of ServiceAccounts."""
    (stage.folder / "bindings.yaml").write_text(file_of(stage, *accounts, **top))
    return stage.run(f"apply -f bindings.yaml {more}", **expected)


def names(stage: Stage) -> set[str]:
    """The ServiceAccounts of the namespace, without the one that each has."""
    there = (name.split("/") for name in stage.kube_world()["serviceaccounts"])
    return {name for place, name in there if place == stage.words["ns"]} - {"default"}


def nothing_is_left(stage: Stage) -> None:
    """Delete what the file lists, and both providers."""
    stage.run("delete -f bindings.yaml --yes")
    for way in ("", "--role-account $other --role-assume-role $deployer"):
        stage.run(f"disassociate-oidc {way} --yes")
    assert names(stage) == set()


def test_many_entries_over_two_accounts(stage: Stage, there: Elsewhere) -> None:
    before = stage.aws_world(), there.world()
    here = [f"here-{number}: {S3}" for number in range(4)]
    away = [f"away-{number}: {S3}, {THERE}" for number in range(4)]
    apply(stage, *here, *away, more="--verify")
    assert len(there.roles()) == 4
    for number in range(4):
        account = stage.account(stage.words["ns"], f"away-{number}")
        assert f":{OTHER}:" in (account or {})["annotations"][ROLE_ARN]
    stage.run("diff -f bindings.yaml")
    apply(stage, *here[:2], *away[:2], more=PRUNE)
    assert len(there.roles()) == 2
    assert names(stage) == {f"{kind}-{number}" for kind in ("here", "away") for number in range(2)}
    nothing_is_left(stage)
    assert (stage.aws_world(), there.world()) == before


def admitted(there: Elsewhere) -> list[int]:
    """How many statements irsa has put on each of the target roles."""
    roles = there.world()["roles"]
    return [len(roles[name]["trust"]["Statement"]) - 1 for name in ("data", "more")]


def test_many_entries_over_both_patterns(stage: Stage, there: Elsewhere) -> None:
    """Two of the chains end at one role each: no statement on it is lost, whoever writes at once."""
    ends = [target(there, name=name) for name in ("data", "more")]
    before = stage.aws_world(), there.world()
    away = [f"away-{number}: {S3}, {THERE}" for number in range(4)]
    chained = [
        f"chained-{number}: {S3}, targetRole: {ends[number % 2]}, externalID: id, targetAssumeRole: $deployer"
        for number in range(4)
    ]
    apply(stage, *away, *chained, code=1)
    apply(stage, *away, *chained, more="--update-target-trust --verify")
    assert (len(there.roles()), admitted(there)) == (4, [2, 2])
    assert apply(stage, *away, *chained, more="-o json").metadata["summary"] == {"unchanged": 8}
    apply(stage, *away[:2], *chained[:2], more=PRUNE)
    assert (len(there.roles()), admitted(there)) == (2, [1, 1])
    nothing_is_left(stage)
    assert (stage.aws_world(), there.world()) == before


def test_the_file_says_it_for_all_and_the_command_line_how(stage: Stage, there: Elsewhere) -> None:
    where = {"roleAccount": "'$other'"}
    apply(stage, f"one: {S3}", f"two: {S3}", top=where, code=4, changes="")
    assert there.roles() == {}
    apply(stage, f"one: {S3}", f"two: {S3}", top=where, more="--role-assume-role $deployer --atomic")
    assert len(there.roles()) == 2


def test_what_is_elsewhere_is_pruned_only_by_files_that_keep_roles_there(
    stage: Stage, there: Elsewhere
) -> None:
    apply(stage, f"here: {S3}", f"away: {S3}, {THERE}")
    apply(stage, f"here: {S3}", more=PRUNE, says="$ns/away is not pruned", changes="")
    assert len(there.roles()) == 1
    top = {"roleAccount": "'$other'", "roleAssumeRole": "$deployer"}
    apply(stage, f"here: {S3}, roleAccount: '$account'", top=top, more=PRUNE)
    assert (there.roles(), names(stage)) == ({}, {"here"})


def test_what_contradicts_is_refused_before_any_call(stage: Stage, there: Elsewhere) -> None:
    stage.words["china"] = there.deployer.replace("arn:aws:", "arn:aws-cn:")
    for fields in (
        "roleAccount: '333333333333', roleAssumeRole: $deployer",
        "roleProfile: there",
        "roleAssumeRole: $china",
    ):
        stage.sandbox.calls.clear()
        apply(stage, f"app: {S3}, {fields}", code=2)
        assert stage.sandbox.calls == []
