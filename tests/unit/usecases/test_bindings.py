"""One binding made, changed, adopted and deleted: what is refused, what stays, what is there then."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest

from irsa_cli.core.plan.states import COMMIT_TAG, ROLE_ARN_ANNOTATION, TRANSACTION_TAG
from tests.support.memory.cloud import PROVIDER
from tests.support.memory.iam import ACCOUNT
from tests.support.memory.playing import DENIED, Play
from tests.unit.usecases.commands import (
    CREATE,
    READ_S3,
    READER,
    S3,
    SHARED,
    SQS,
    attached,
    bound,
    by_hand,
    nothing,
    provider,
    shared,
)
from tests.unit.world import World

POD = {
    "spec": {"serviceAccountName": "reader", "containers": [{"name": "app"}]},
    "status": {"phase": "Running"},
}


def the_role(play: Play) -> str:
    """The name of the only role."""
    (name,) = play.world.roles
    return name


def refused(play: Play, *arguments: str, code: int = 4) -> str:
    """Run a command that is to be refused and to write nothing; what it says."""
    before = copy.deepcopy(play.world)
    ran = play.irsa(*arguments, code=code)
    assert play.world == before
    assert play.cloud.writes == []
    return ran.err


def unbound(play: Play) -> None:
    """The ServiceAccount has lost its annotation."""
    bound(play)
    annotations = play.cloud.kube.metadata("serviceaccounts", "backend", "reader")["annotations"]
    del annotations[ROLE_ARN_ANNOTATION]


def other_role(play: Play) -> None:
    """A ServiceAccount with a role of somebody else's."""
    by_hand(play)


def changed_by_hand(play: Play) -> None:
    """Somebody has changed what irsa made."""
    bound(play)
    play.cloud.iam.update_role(RoleName=the_role(play), Description="theirs")


def of_another_wish(play: Play) -> None:
    """A run that wished something else was killed, and is young."""
    provider(play)
    play.cloud.break_("create serviceaccounts", DENIED)
    play.cloud.break_("DetachRolePolicy", DENIED, times=1000)
    play.cloud.break_("DeleteRole", DENIED, times=1000)
    play.irsa(*CREATE, code=3)
    play.cloud.faults.clear()


REFUSALS: dict[str, tuple[Callable[[Play], None], tuple[str, ...], int]] = {
    "without a provider": (nothing, CREATE, 4),
    "an unknown cluster": (nothing, ("create-sa", "reader", "-c", "other", "--attach-policy-arn", S3), 4),
    "another policy": (bound, (*CREATE[:-1], SQS), 4),
    "changed by hand": (changed_by_hand, CREATE, 4),
    "the ServiceAccount has another role": (other_role, CREATE, 4),
    "no namespace": (provider, (*CREATE, "--no-create-namespace"), 4),
    "a half-made role of another wish": (of_another_wish, (*CREATE[:-1], SQS), 4),
    "a role that is not there": (provider, ("create-sa", *READER, "--attach-role-arn", SHARED), 4),
    "a role that does not trust": (shared, ("create-sa", *READER, "--attach-role-arn", SHARED), 4),
    "an unknown ServiceAccount": (provider, ("update-sa", *READER, "--tags", "a=b"), 4),
    "a role of somebody else's": (by_hand, ("update-sa", *READER, "--tags", "a=b"), 4),
    "nothing to delete": (provider, ("delete-sa", *READER), 4),
    "not irsa's": (by_hand, ("delete-sa", *READER), 4),
    "nothing to adopt": (provider, ("adopt", *READER), 4),
    "a provider that is used": (bound, ("disassociate-oidc", "-c", "demo"), 4),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_it_is_refused_and_nothing_is_written(play: Play, name: str) -> None:
    prepare, arguments, code = REFUSALS[name]
    prepare(play)
    assert "Error:" in refused(play, *arguments, code=code)


def test_a_missing_policy_is_said_with_one_that_resembles_it(play: Play) -> None:
    provider(play)
    missing = S3 + "s"
    play.cloud.iam.missing.add(missing)
    assert "AmazonS3ReadOnlyAccess" in refused(play, *CREATE[:-1], missing, code=1)


@pytest.mark.parametrize("operation", ["GetRole", "rehearse serviceaccounts", "get serviceaccounts"])
def test_what_may_not_be_read_ends_it_before_the_first_write(play: Play, operation: str) -> None:
    provider(play)
    play.cloud.break_(operation, DENIED, times=10)
    refused(play, *CREATE, code=1)


def test_policies_and_namespaces_that_may_not_be_read_do_not(play: Play) -> None:
    provider(play)
    play.cloud.break_("GetPolicy", DENIED, times=10)
    play.cloud.break_("get namespaces", DENIED, times=10)
    play.irsa(*CREATE)


def test_a_half_made_one_is_gone_on_with_by_the_same_wish(play: Play) -> None:
    of_another_wish(play)
    play.irsa(*CREATE, "--state-dir", str(play.folder / "elsewhere"))
    assert play.world.accounts["backend", "reader"].annotations[ROLE_ARN_ANNOTATION]


def test_a_lost_annotation_is_written_again(play: Play) -> None:
    bound(play)
    world = play.world
    unbound(play)
    play.irsa(*CREATE)
    assert play.world.accounts == world.accounts


def test_a_service_account_that_is_there_keeps_what_is_on_it(play: Play) -> None:
    shared(play)
    play.irsa(*CREATE)
    account = play.world.accounts["backend", "reader"]
    assert account.annotations["team"] == "a"
    assert TRANSACTION_TAG not in account.annotations
    play.irsa("delete-sa", *READER)
    assert play.world.accounts["backend", "reader"].annotations == {"team": "a"}
    assert list(play.world.roles) == ["shared"]


def test_with_the_flag_another_role_is_replaced_and_stays(play: Play) -> None:
    by_hand(play)
    theirs = play.world.roles["theirs"]
    out = play.irsa(*CREATE, "--override-existing-serviceaccounts")
    assert "theirs" in out.out + out.err
    assert play.world.roles["theirs"] == theirs
    assert not play.world.accounts["backend", "reader"].annotations[ROLE_ARN_ANNOTATION].endswith("theirs")


def test_a_role_alone_tells_by_itself_that_it_is_whole(play: Play) -> None:
    provider(play)
    play.irsa(*CREATE, "--role-only")
    assert play.world.roles[the_role(play)].state.tags[COMMIT_TAG] == "done"
    assert play.world.accounts == {}
    play.irsa("delete-sa", *READER, "--role-only")
    assert play.world.roles == {}


UPDATES: dict[str, tuple[tuple[str, ...], Callable[[World], object], object]] = {
    "policies": (
        ("--attach-policy-arn", SQS, "--detach-policy-arn", S3),
        lambda world: next(iter(world.roles.values())).attached,
        {SQS},
    ),
    "all policies": (
        ("--set-policy-arns", f"{SQS},{S3}"),
        lambda world: next(iter(world.roles.values())).attached,
        {SQS, S3},
    ),
    "description": (
        ("--description", "new"),
        lambda world: next(iter(world.roles.values())).state.description,
        "new",
    ),
    "boundary": (
        ("--permissions-boundary", SQS),
        lambda world: next(iter(world.roles.values())).state.permissions_boundary,
        SQS,
    ),
    "label": (
        ("--label", "team=b"),
        lambda world: world.accounts["backend", "reader"].labels["team"],
        "b",
    ),
    "expiration": (
        ("--token-expiration", "3600"),
        lambda world: world.accounts["backend", "reader"].annotations["eks.amazonaws.com/token-expiration"],
        "3600",
    ),
    "audience": (
        ("--audience", "vault", "--associate-oidc"),
        lambda world: (
            sorted(world.providers[PROVIDER].audiences),
            world.accounts["backend", "reader"].annotations["eks.amazonaws.com/audience"],
        ),
        (["sts.amazonaws.com", "vault"], "vault"),
    ),
    "audience, proven": (
        ("--audience", "vault", "--associate-oidc", "--verify"),
        lambda world: world.accounts["backend", "reader"].annotations["eks.amazonaws.com/audience"],
        "vault",
    ),
}


@pytest.mark.parametrize("name", UPDATES)
def test_what_is_named_changes(play: Play, name: str) -> None:
    bound(play)
    arguments, part, value = UPDATES[name]
    before = copy.deepcopy(play.world)
    play.irsa("update-sa", *READER, *arguments, "--dry-run")
    assert play.world == before
    play.irsa("update-sa", *READER, *arguments)
    assert part(play.world) == value
    assert play.irsa("update-sa", *READER, *arguments, "-o", "json").metadata["outcome"] == "unchanged"
    assert play.cloud.writes == []


def test_an_inline_policy_comes_and_goes(play: Play) -> None:
    bound(play)
    before = copy.deepcopy(play.world)
    play.irsa("update-sa", *READER, "--inline-policy", play.file(json.dumps(READ_S3), "read.json"))
    assert play.world.roles[the_role(play)].inline == {"read": READ_S3}
    play.irsa("update-sa", *READER, "--remove-inline-policy", "read")
    assert play.world == before


def test_what_sts_refuses_is_taken_back(play: Play) -> None:
    bound(play)
    before = copy.deepcopy(play.world)
    play.cloud.break_("AssumeRoleWithWebIdentity", DENIED, times=1000)
    ran = play.irsa("update-sa", *READER, "--audience", "vault", "--associate-oidc", "--verify", code=5)
    assert "STS rejected the token" in ran.err
    assert play.world == before


def test_what_sts_refuses_when_it_is_made_is_taken_back(play: Play) -> None:
    provider(play)
    before = copy.deepcopy(play.world)
    play.cloud.break_("AssumeRoleWithWebIdentity", DENIED, times=1000)
    play.irsa(*CREATE, "--verify", code=5)
    assert play.world == before


def test_what_is_in_use_is_not_deleted_without_force(play: Play) -> None:
    bound(play)
    play.cloud.kube.put("pods", "backend", "app-1", POD)
    assert "app-1" in refused(play, "delete-sa", *READER)
    play.irsa("delete-sa", *READER, "--force")
    assert play.world.roles == {}


@pytest.mark.parametrize("flag", ["--keep-role", "--keep-sa"])
def test_what_is_to_be_kept_is(play: Play, flag: str) -> None:
    bound(play)
    play.irsa("delete-sa", *READER, flag)
    assert bool(play.world.roles) == (flag == "--keep-role")
    assert (("backend", "reader") in play.world.accounts) == (flag == "--keep-sa")


def test_what_may_not_be_listed_is_no_all_clear(play: Play) -> None:
    bound(play)
    play.cloud.break_("list pods", DENIED, times=10)
    assert "can't be listed" in refused(play, "delete-sa", *READER)


def test_a_binding_on_a_shared_role_leaves_it_as_it_was(play: Play) -> None:
    shared(play)
    before = copy.deepcopy(play.world)
    play.irsa("create-sa", *READER, "--attach-role-arn", SHARED, "--update-trust")
    assert play.world != before
    play.irsa("delete-sa", *READER)
    assert play.world == before


def test_adopted_one_by_one_and_all_at_once(play: Play) -> None:
    by_hand(play)
    before = copy.deepcopy(play.world)
    play.irsa("adopt", "--all", "-c", "demo", "--dry-run")
    assert play.world == before
    play.irsa("adopt", "--all", "-c", "demo")
    tags = play.world.roles["theirs"].state.tags
    assert tags["irsa/service-account"] == "backend/reader"
    assert TRANSACTION_TAG not in tags
    assert play.irsa("adopt", *READER, "-o", "json").metadata["outcome"] == "unchanged"
    play.irsa("update-sa", *READER, "--tags", "a=b")
    play.irsa("delete-sa", *READER)
    assert "theirs" not in play.world.roles


def test_adopt_all_passes_over_what_is_not_to_be_taken(play: Play) -> None:
    bound(play)
    elsewhere = "arn:aws:iam::444455556666:role/x"
    for name, arn in {"far": elsewhere, "odd": "no-arn", "gone": f"arn:aws:iam::{ACCOUNT}:role/gone"}.items():
        play.cloud.kube.put("serviceaccounts", "backend", name, annotations={ROLE_ARN_ANNOTATION: arn})
    before = copy.deepcopy(play.world)
    ran = play.irsa("adopt", "--all", "-c", "demo", code=None)
    assert play.world == before
    assert all(f"backend/{name}" in ran.out + ran.err for name in ("far", "odd", "gone", "reader"))


def test_a_provider_of_its_own_goes_when_nobody_uses_it(play: Play) -> None:
    bound(play)
    play.irsa("delete-sa", *READER)
    play.irsa("disassociate-oidc", "-c", "demo")
    assert play.world.providers == {}
    assert play.irsa("disassociate-oidc", "-c", "demo", "-o", "json").metadata["outcome"] == "unchanged"


@pytest.mark.parametrize("prepare", [bound, attached, by_hand, unbound])
def test_what_only_shows_writes_nothing(play: Play, prepare: Callable[[Play], None]) -> None:
    prepare(play)
    before = copy.deepcopy(play.world)
    listed = play.irsa("get-sa", "-c", "demo", "-A", code=None)
    assert "reader" in listed.out + listed.err
    play.irsa("describe-sa", *READER, code=None)
    assert play.cloud.writes == []
    assert play.world == before
