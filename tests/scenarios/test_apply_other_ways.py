"""`irsa apply` where an entry changes what can't simply be changed: roleOnly, the role's name, its path."""

import pytest

from tests.scenarios.test_apply import APPLY, READER, with_more
from tests.support.acts import after, asked, forget, named, role, unchanged, wish, wished, wished_own, writes
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
    unchanged(stage, APPLY, "unchanged")
    stage.run("apply -f before.yaml")
    assert stage.role_of(namespace, "reader")["attached"] == [READ_ONLY]


NAMED = "roleName: $ns-mine"
AT_PATH = "rolePath: /teams/x/"
WHOLE = after(wished(READER), APPLY)
OTHER_PATH = after(WHOLE, wished_own(with_more(READER, AT_PATH)))
# A role that irsa named itself is looked for in the list of its path; it may be in another one.
UNLISTED = after(wished_own(with_more(ALONE, AT_PATH)), APPLY, wished_own(ALONE))
FOREIGN = after(role(name="$ns-mine"), wished(MINE))
UNNAMED = after(wished(MINE), APPLY, wished(READER))
FOR_ANOTHER = after(wished(MINE), APPLY, wished(with_more(OTHER, NAMED)))
TWICE = wished(MINE, with_more(OTHER, NAMED))
PATH = "IAM can't change the path of a role"
ROLE_ONLY = "create-sa reader -n $ns --role-only --attach-policy-arn $S3"
NOT_OURS, RUNNING = "is not managed by irsa", "Another run"


@rows(
    Row("another path", APPLY, 4, PATH, silent="for another desired state", given=OTHER_PATH),
    Row("a path that no list has shown", f"{APPLY} --atomic", 4, PATH, given=UNLISTED),
    Row("of a role alone", ROLE_ONLY, 4, "created with its ServiceAccount", "", "has not finished", WHOLE),
    Row("a name that is no longer given", APPLY, 0, "unchanged", given=UNNAMED),
    Row("irsa's for another", APPLY, 4, "attachRoleARN", silent="irsa adopt", given=FOR_ANOTHER),
)
def test_how_it_ends(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_a_role_of_others_is_seen_before_the_first_write(stage: Stage) -> None:
    FOREIGN(stage)
    stage.sandbox.calls.clear()
    for mode in ("", " --atomic", " --atomic --dry-run", " --dry-run"):
        stage.run(APPLY + mode, code=4, says=NOT_OURS, silent=RUNNING, changes="")
    assert writes(stage) == []
    TWICE(stage)
    stage.sandbox.calls.clear()
    for mode in ("", " --atomic"):
        stage.run(APPLY + mode, code=2, says="$ns/other has the roleName $ns-mine of $ns/reader")
    assert not asked(stage)


def test_names_that_irsa_gives_are_looked_up_in_one_list(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    wish(stage, READER, OTHER, OTHER.replace("other", "third"))
    stage.run("diff -f f.yaml", code=6)
    assert not [call for call in stage.sandbox.calls if call.operation == "GetRole"]
