"""One binding made, changed, adopted and deleted: what is refused, what stays, what is there then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from tests.support.memory.playing import DENIED, Play
from tests.support.named import named
from tests.unit.usecases.commands import S3, Stage, bound, provider

CREATING = "create-sa reader -n backend --attach-policy-arn $S3"
DELETING = "delete-sa reader -n backend"
VERIFIED = "update-sa reader -n backend --audience vault --associate-oidc --verify"


def the_role(play: Play) -> str:
    """The name of the only role."""
    (name,) = play.world.roles
    return name


def unbound(play: Play) -> None:
    """The ServiceAccount has lost its annotation."""
    bound(play)
    del play.cloud.kube.metadata("serviceaccounts", "backend", "reader")["annotations"][ROLE_ARN_ANNOTATION]


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
    ("unseen pods", denied("list pods", prepare=bound), DELETING, "can't be listed", 4),
    (
        "a missing policy",
        without_policy,
        "create-sa reader --attach-policy-arn ${S3}s",
        "AmazonS3ReadOnlyAccess",
        1,
    ),
    ("the role can not be read", denied("GetRole"), CREATING, "Error:", 1),
    ("nor the ServiceAccount", denied("get serviceaccounts"), CREATING, "Error:", 1),
    ("nor what is to be made of it", denied("rehearse serviceaccounts"), CREATING, "Error:", 1),
)
def test_it_is_refused_and_nothing_is_written(
    stage: Stage, prepare: Callable[[Play], None], line: str, says: str, code: int
) -> None:
    prepare(stage.play)
    stage.refuses(line, says, code)


def test_policies_and_namespaces_that_may_not_be_read_refuse_nothing(stage: Stage) -> None:
    denied("GetPolicy", "get namespaces")(stage.play)
    stage.run(CREATING)


def test_a_lost_annotation_is_written_again(stage: Stage) -> None:
    unbound(stage.play)
    role = the_role(stage.play)
    stage.run(CREATING, changes=f"+ sa backend/reader annotations {ROLE_ARN_ANNOTATION} {role}")


@pytest.mark.parametrize(("prepare", "line"), [(bound, VERIFIED), (provider, f"{CREATING} --verify")])
def test_what_sts_refuses_is_taken_back(stage: Stage, prepare: Callable[[Play], None], line: str) -> None:
    prepare(stage.play)
    stage.play.cloud.break_("AssumeRoleWithWebIdentity", DENIED, times=1000)
    stage.run(line, code=5, says="STS rejected the token", changes="")
