"""One binding made, changed, adopted and deleted: what is refused, what stays, what is there then."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from irsa_cli.core.plan.states import COMMIT_TAG, ROLE_ARN_ANNOTATION, TRANSACTION_TAG
from tests.support.memory.iam import ACCOUNT
from tests.support.memory.playing import DENIED, Play
from tests.support.named import named
from tests.unit.usecases.commands import (
    CREATE,
    READ_S3,
    S3,
    Stage,
    attached,
    bound,
    by_hand,
    nothing,
    provider,
    shared,
)

POD = json.loads('{"spec": {"serviceAccountName": "reader", "containers": [{"name": "app"}]}}')
CREATING = "create-sa reader -n backend --attach-policy-arn $S3"
DELETING = "delete-sa reader -n backend"
ATTACHING = "create-sa reader -n backend --attach-role-arn $SHARED"
VERIFIED = "update-sa reader -n backend --audience vault --associate-oidc --verify"
ELSEWHERE = f"{CREATING} --state-dir $folder/elsewhere"


def the_role(play: Play) -> str:
    """The name of the only role."""
    (name,) = play.world.roles
    return name


def unbound(play: Play) -> None:
    """The ServiceAccount has lost its annotation."""
    bound(play)
    del play.cloud.kube.metadata("serviceaccounts", "backend", "reader")["annotations"][ROLE_ARN_ANNOTATION]


def changed_by_hand(play: Play) -> None:
    """Somebody has changed what irsa made."""
    bound(play)
    play.cloud.iam.update_role(RoleName=the_role(play), Description="theirs")


def of_another_wish(play: Play) -> None:
    """A run that wished something else was killed, and is young."""
    provider(play)
    for operation in ("create serviceaccounts", "DetachRolePolicy", "DeleteRole"):
        play.cloud.break_(operation, DENIED, times=1000)
    play.irsa(*CREATE, code=3)
    play.cloud.faults.clear()


def in_use(play: Play) -> None:
    """A pod runs with it."""
    bound(play)
    play.cloud.kube.put("pods", "backend", "app-1", {**POD, "status": {"phase": "Running"}})


def denied(*operations: str, prepare: Callable[[Play], None] = provider) -> Callable[[Play], None]:
    """The caller lacks some permissions."""

    def prepared(play: Play) -> None:
        prepare(play)
        for operation in operations:
            play.cloud.break_(operation, DENIED, times=10)

    return prepared


def without_policy(play: Play) -> None:
    """The policy that is named is not there, but one of a name like it."""
    provider(play)
    play.cloud.iam.missing.add(f"{S3}s")


@named(
    "prepare line says code",
    ("without a provider", nothing, CREATING, "", 4),
    ("unknown cluster", nothing, "create-sa reader -c other --attach-policy-arn $S3", "", 4),
    ("another policy", bound, CREATING.replace("S3", "SQS"), "", 4),
    ("changed by hand", changed_by_hand, CREATING, "", 4),
    ("the ServiceAccount has another role", by_hand, CREATING, "", 4),
    ("no namespace", provider, f"{CREATING} --no-create-namespace", "", 4),
    ("half made for another wish", of_another_wish, CREATING.replace("S3", "SQS"), "", 4),
    ("a role that is not there", provider, ATTACHING, "", 4),
    ("a role that does not trust", shared, ATTACHING, "", 4),
    ("unknown ServiceAccount", provider, "update-sa reader -n backend --tags a=b", "", 4),
    ("a role of somebody else's", by_hand, "update-sa reader -n backend --tags a=b", "", 4),
    ("nothing to delete", provider, DELETING, "", 4),
    ("not irsa's", by_hand, DELETING, "", 4),
    ("nothing to adopt", provider, "adopt reader -n backend", "", 4),
    ("a provider that is used", bound, "disassociate-oidc", "", 4),
    ("a pod uses it", in_use, DELETING, "app-1", 4),
    ("unseen pods", denied("list pods", prepare=bound), DELETING, "can't be listed", 4),
    (
        "a missing policy",
        without_policy,
        "create-sa reader --attach-policy-arn ${S3}s",
        "AmazonS3ReadOnlyAccess",
        1,
    ),
    ("the role can not be read", denied("GetRole"), CREATING, "", 1),
    ("nor the ServiceAccount", denied("get serviceaccounts"), CREATING, "", 1),
    ("nor what is to be made of it", denied("rehearse serviceaccounts"), CREATING, "", 1),
)
def test_it_is_refused_and_nothing_is_written(
    stage: Stage, prepare: Callable[[Play], None], line: str, says: str, code: int
) -> None:
    prepare(stage.play)
    stage.refuses(line, says or "Error:", code)


def test_policies_and_namespaces_that_may_not_be_read_refuse_nothing(stage: Stage) -> None:
    denied("GetPolicy", "get namespaces")(stage.play)
    stage.run(CREATING)


def test_a_half_made_one_is_gone_on_with_by_the_same_wish(stage: Stage) -> None:
    of_another_wish(stage.play)
    stage.run(ELSEWHERE)
    assert stage.play.world.accounts["backend", "reader"].annotations[ROLE_ARN_ANNOTATION]


def test_a_lost_annotation_is_written_again(stage: Stage) -> None:
    unbound(stage.play)
    role = the_role(stage.play)
    stage.run(CREATING, changes=f"+ sa backend/reader annotations {ROLE_ARN_ANNOTATION} {role}")


def test_a_service_account_that_is_there_keeps_what_is_on_it(stage: Stage) -> None:
    shared(stage.play)
    before = stage.play.world
    stage.run(CREATING)
    account = stage.play.world.accounts["backend", "reader"]
    assert account.annotations["team"] == "a"
    assert TRANSACTION_TAG not in account.annotations
    stage.run(DELETING)
    assert stage.play.world == before


def test_with_the_flag_another_role_is_replaced_and_stays(stage: Stage) -> None:
    by_hand(stage.play)
    theirs = stage.play.world.roles["theirs"]
    stage.run(f"{CREATING} --override-existing-serviceaccounts", says="theirs")
    assert stage.play.world.roles["theirs"] == theirs
    annotations = stage.play.world.accounts["backend", "reader"].annotations
    assert not annotations[ROLE_ARN_ANNOTATION].endswith("theirs")


def test_a_role_alone_tells_by_itself_that_it_is_whole(stage: Stage) -> None:
    provider(stage.play)
    stage.run(f"{CREATING} --role-only")
    assert stage.play.world.roles[the_role(stage.play)].state.tags[COMMIT_TAG] == "done"
    assert stage.play.world.accounts == {}
    stage.run(f"{DELETING} --role-only")
    assert stage.play.world.roles == {}


EXPIRES = """
    + sa backend/reader annotations eks.amazonaws.com/token-expiration 3600
    + sa backend/reader annotations irsa/token-expiration 3600
"""
VAULT = """
    + provider 0123456789ABCDEF0123456789ABCDEF audiences vault
    + sa backend/reader annotations eks.amazonaws.com/audience vault
    + sa backend/reader annotations irsa/audience vault
    - role $role trusts backend/reader for sts.amazonaws.com
    + role $role trusts backend/reader for vault
"""


@pytest.mark.parametrize(
    ("flags", "changes"),
    [
        (
            "--attach-policy-arn $SQS --detach-policy-arn $S3",
            "- role $role attached AmazonS3ReadOnlyAccess\n+ role $role attached AmazonSQSReadOnlyAccess",
        ),
        ("--set-policy-arns $SQS,$S3", "+ role $role attached AmazonSQSReadOnlyAccess"),
        ("--description new", "+ role $role description new"),
        ("--permissions-boundary $SQS", "+ role $role permissions_boundary AmazonSQSReadOnlyAccess"),
        ("--label team=b", "+ sa backend/reader labels team b"),
        ("--token-expiration 3600", EXPIRES),
        ("--audience vault --associate-oidc", VAULT),
        ("--audience vault --associate-oidc --verify", VAULT),
    ],
)
def test_what_is_named_changes(stage: Stage, flags: str, changes: str) -> None:
    bound(stage.play)
    stage.words["role"] = the_role(stage.play)
    stage.run(f"update-sa reader -n backend {flags} --dry-run", changes="")
    stage.run(f"update-sa reader -n backend {flags}", changes=changes)
    stage.again(f"update-sa reader -n backend {flags}")


def test_an_inline_policy_comes_and_goes(stage: Stage) -> None:
    bound(stage.play)
    before = stage.play.world
    stage.play.file(json.dumps(READ_S3), "read.json")
    stage.run("update-sa reader -n backend --inline-policy $folder/read.json")
    assert stage.play.world.roles[the_role(stage.play)].inline == {"read": READ_S3}
    stage.run("update-sa reader -n backend --remove-inline-policy read")
    assert stage.play.world == before


@pytest.mark.parametrize(("prepare", "line"), [(bound, VERIFIED), (provider, f"{CREATING} --verify")])
def test_what_sts_refuses_is_taken_back(stage: Stage, prepare: Callable[[Play], None], line: str) -> None:
    prepare(stage.play)
    stage.play.cloud.break_("AssumeRoleWithWebIdentity", DENIED, times=1000)
    stage.run(line, code=5, says="STS rejected the token", changes="")


def test_what_is_in_use_is_deleted_by_force(stage: Stage) -> None:
    in_use(stage.play)
    stage.run(f"{DELETING} --force")
    assert stage.play.world.roles == {}


@pytest.mark.parametrize(("flag", "roles", "accounts"), [("--keep-role", 1, 0), ("--keep-sa", 0, 1)])
def test_what_is_to_be_kept_is(stage: Stage, flag: str, roles: int, accounts: int) -> None:
    bound(stage.play)
    stage.run(f"{DELETING} {flag}")
    assert (len(stage.play.world.roles), len(stage.play.world.accounts)) == (roles, accounts)


def test_a_binding_on_a_shared_role_leaves_it_as_it_was(stage: Stage) -> None:
    shared(stage.play)
    before = stage.play.world
    stage.run(f"{ATTACHING} --update-trust")
    assert stage.play.world != before
    stage.run(DELETING)
    assert stage.play.world == before


def test_adopted_one_by_one_and_all_at_once(stage: Stage) -> None:
    by_hand(stage.play)
    stage.run("adopt --all --dry-run", changes="")
    stage.run("adopt --all")
    tags = stage.play.world.roles["theirs"].state.tags
    assert tags["irsa/service-account"] == "backend/reader"
    assert TRANSACTION_TAG not in tags
    stage.again("adopt reader -n backend")
    stage.run("update-sa reader -n backend --tags a=b", changes="+ role theirs tags a b")
    stage.run(DELETING)
    assert stage.play.world.roles == {}


def test_adopt_all_passes_over_what_is_not_to_be_taken(stage: Stage) -> None:
    bound(stage.play)
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    for name, arn in {"far": "arn:aws:iam::444455556666:role/x", "odd": "no-arn", "gone": gone}.items():
        account = {ROLE_ARN_ANNOTATION: arn}
        stage.play.cloud.kube.put("serviceaccounts", "backend", name, annotations=account)
    stage.run("adopt --all", code=4, says="4 ServiceAccounts: 1 refused, 3 skipped.", changes="")


def test_a_provider_of_its_own_goes_when_nobody_uses_it(stage: Stage) -> None:
    bound(stage.play)
    stage.run(DELETING)
    stage.run("disassociate-oidc")
    assert stage.play.world.providers == {}
    stage.again("disassociate-oidc")


@pytest.mark.parametrize("prepare", [bound, attached, by_hand, unbound])
def test_what_only_shows_writes_nothing(stage: Stage, prepare: Callable[[Play], None]) -> None:
    prepare(stage.play)
    before = stage.play.world
    assert "reader" in str(stage.irsa("get-sa", "-A", "-c", "demo"))
    stage.irsa("describe-sa", "reader", "-n", "backend", "-c", "demo")
    assert (stage.play.cloud.writes, stage.play.world) == ([], before)
