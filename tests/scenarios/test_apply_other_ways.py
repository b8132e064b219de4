"""`irsa apply` where an entry changes what can't simply be changed: roleOnly, the role's name, its path."""

import pytest

from tests.scenarios.foreign import make_role
from tests.scenarios.test_apply import APPLY, READER, with_more
from tests.support.acts import SERVICE, asked, forget, named, wish, wish_own, writes
from tests.support.rows import Row, rows
from tests.support.stage import READ_ONLY, Stage

OTHER = READER.replace("reader", "other").replace("$S3", "$SQS")
ALONE = with_more(READER, "roleOnly: true")
MINE = with_more(READER, "roleName: $ns-mine")


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "reader")


def test_a_role_that_is_wished_alone_from_now_on(stage: Stage, namespace: str) -> None:
    wish(stage, READER, name="before.yaml")
    stage.run("apply -f before.yaml")
    wish(stage, ALONE.replace("$S3", "$SQS"))
    stage.run("diff -f f.yaml", code=6, changes="")
    changes = """
    - role $role attached AmazonS3ReadOnlyAccess
    + role $role attached AmazonSQSReadOnlyAccess
    + role $role tags irsa/commit done
    """
    stage.run(APPLY, changes=changes)
    # What the role says of itself holds without the ServiceAccount.
    forget(stage, "reader")
    stage.run(APPLY, changes="", says="unchanged")
    stage.run("apply -f before.yaml")
    assert stage.role_of(namespace, "reader")["attached"] == [READ_ONLY]


def whole(stage: Stage) -> None:
    wish(stage, READER)
    stage.run(APPLY)


def at_a_path(stage: Stage) -> None:
    whole(stage)
    wish_own(stage, with_more(READER, "rolePath: /teams/x/"))


def alone_at_a_path(stage: Stage) -> None:
    """A role that irsa named itself is looked for in the list of its path; it may be in another one."""
    wish_own(stage, with_more(ALONE, "rolePath: /teams/x/"))
    stage.run(APPLY)
    wish_own(stage, ALONE)


def of_others(stage: Stage) -> None:
    make_role(stage, f"{stage.words['ns']}-mine", SERVICE)
    wish(stage, MINE)


def no_longer_named(stage: Stage) -> None:
    wish(stage, MINE)
    stage.run(APPLY)
    wish(stage, READER)


def for_another(stage: Stage) -> None:
    wish(stage, MINE)
    stage.run(APPLY)
    wish(stage, with_more(OTHER, "roleName: $ns-mine"))


def named_twice(stage: Stage) -> None:
    wish(stage, MINE, with_more(OTHER, "roleName: $ns-mine"))


PATH = "IAM can't change the path of a role"
ROLE_ONLY = "create-sa reader -n $ns --role-only --attach-policy-arn $S3"
NOT_OURS, RUNNING = "is not managed by irsa", "Another run"


@rows(
    Row("another path", APPLY, 4, PATH, silent="for another desired state", given=at_a_path),
    Row("a path that no list has shown", f"{APPLY} --atomic", 4, PATH, given=alone_at_a_path),
    Row("of a role alone", ROLE_ONLY, 4, "created with its ServiceAccount", "", "has not finished", whole),
    Row("a role of others", APPLY, 4, NOT_OURS, silent=RUNNING, given=of_others),
    Row("all or nothing", f"{APPLY} --atomic", 4, NOT_OURS, silent=RUNNING, given=of_others),
    Row("as the plan says", f"{APPLY} --atomic --dry-run", 4, given=of_others),
    Row("and without all", f"{APPLY} --dry-run", 4, given=of_others),
    Row("a name that is no longer given", APPLY, 0, "unchanged", given=no_longer_named),
    Row("a name of two", APPLY, 2, "$ns/other has the roleName $ns-mine of $ns/reader", given=named_twice),
    Row("irsa's for another", APPLY, 4, "attachRoleARN", silent="irsa adopt", given=for_another),
)
def test_how_it_ends(row: Row, stage: Stage) -> None:
    row.play(stage)


@pytest.mark.parametrize("mode", ["", " --atomic"])
def test_a_role_of_others_is_seen_before_the_first_write(stage: Stage, mode: str) -> None:
    of_others(stage)
    stage.sandbox.calls.clear()
    stage.run(APPLY + mode, code=4)
    assert writes(stage) == []
    named_twice(stage)
    stage.sandbox.calls.clear()
    stage.run(APPLY + mode, code=2)
    assert not asked(stage)


def test_names_that_irsa_gives_are_looked_up_in_one_list(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    wish(stage, READER, OTHER, OTHER.replace("other", "third"))
    stage.run("diff -f f.yaml", code=6)
    assert not [call for call in stage.sandbox.calls if call.operation == "GetRole"]
