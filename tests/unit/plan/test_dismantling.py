"""What stays as it is in a rollback, because something else could not be rolled back.

A role that no annotation names stays marked as complete, also where its annotation can't be brought back.
"""

from collections.abc import Sequence

from irsa_cli.core.plan.changes import Change, Kind, waits
from irsa_cli.core.plan.states import (
    COMMIT_TAG,
    ROLE_ARN_ANNOTATION,
    ConfigMapState,
    DocumentState,
    RoleState,
    ServiceAccountState,
    TagsState,
)
from tests.support.named import named

TRUST = DocumentState({"Version": "2012-10-17", "Statement": []})
ARN = "arn:aws:iam::111122223333:role/irsa/demo/app"
ROLE = Change(Kind.ROLE, ("app",), None, RoleState("/irsa/demo/", TRUST.document))
POLICY = Change(Kind.INLINE_POLICY, ("app", "irsa-assume-target-role"), None, TRUST)
ELSE = Change(Kind.INLINE_POLICY, ("other", "irsa-assume-target-role"), None, TRUST)
TARGET = Change(Kind.TARGET_TRUST, ("arn:aws:iam::222222222222:role/data", ARN), None, TRUST)
MAP = Change(Kind.CONFIG_MAP, ("apps", "aws"), None, ConfigMapState({}, "apps/app", role="app"))
MARK = Change(Kind.ROLE_TAGS, ("app",), TagsState({COMMIT_TAG: None}), TagsState({COMMIT_TAG: "done"}))
TAG = Change(Kind.ROLE_TAGS, ("app",), TagsState({"a": None}), TagsState({"a": "b"}))
ANNOTATED, PLAIN = (ServiceAccountState({ROLE_ARN_ANNOTATION: value}) for value in (ARN, None))
UNBIND = Change(Kind.SERVICE_ACCOUNT, ("apps", "app"), ANNOTATED, PLAIN)


@named(
    "change left expected",
    *(
        (f"{chained.kind.value}: {words}", change, left, expected)
        for chained in (TARGET, MAP)
        for words, change, left, expected in (
            ("its permission stays", POLICY, [chained], True),
            ("and the role", ROLE, [chained, POLICY], True),
            ("not that of another role", ELSE, [chained, POLICY], False),
            ("a role that tells of nothing any more", ROLE, [chained], False),
            ("a role whose deletion is rolled back", ROLE.inverse, [chained.inverse], False),
        )
    ),
    ("a permission alone", ROLE, [POLICY], False),
    ("nothing is left", POLICY, [], False),
    ("a mark while the annotation is not back", MARK, [UNBIND], True),
    ("a mark when it is", MARK, [], False),
    ("another tag", TAG, [UNBIND], False),
)
def test_what_waits_for_what_is_left(change: Change, left: Sequence[Change], expected: bool) -> None:
    chained = [item for item in left if item.kind in (Kind.TARGET_TRUST, Kind.CONFIG_MAP)]
    plan = (ROLE, POLICY, *(chained or [TARGET]), ELSE, MARK, TAG, UNBIND)
    assert waits(change, plan, left) is expected
