"""A role that no annotation names stays marked as complete, also by a rollback that can't bring it back."""

from __future__ import annotations

from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, waits

ROLE = "arn:aws:iam::111122223333:role/app"


def test_a_role_stays_complete_while_its_annotation_is_not_back() -> None:
    bare, done = states.TagsState({states.COMMIT_TAG: None}), states.TagsState({states.COMMIT_TAG: "done"})
    mark = Change(Kind.ROLE_TAGS, ("app",), bare, done)
    annotated = states.ServiceAccountState(annotations={states.ROLE_ARN_ANNOTATION: ROLE}, labels={})
    plain = states.ServiceAccountState(annotations={states.ROLE_ARN_ANNOTATION: None}, labels={})
    removal = Change(Kind.SERVICE_ACCOUNT, ("backend", "app"), annotated, plain)
    assert waits(mark, [mark, removal], [removal])
    assert not waits(mark, [mark, removal], [])
    other = Change(Kind.ROLE_TAGS, ("app",), states.TagsState({"a": None}), states.TagsState({"a": "b"}))
    assert not waits(other, [other, removal], [removal])
