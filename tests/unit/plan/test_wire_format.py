"""What is in journals stays what it is: one of today, with each kind of change, is read for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import (
    BoundaryState,
    CommitState,
    DocumentState,
    NamespaceState,
    OwnerState,
    Present,
    ProviderState,
    RoleState,
    ServiceAccountState,
    SettingsState,
    TagsState,
)
from irsa_cli.transaction.reading import read
from tests.support.documents import doc

JOURNALS = Path(__file__).parent / "journals"
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/5B8D"
ROLE_ARN = "arn:aws:iam::111122223333:role/irsa/demo/made"
STATEMENT = doc(
    '{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",'
    ' "Principal": {"Federated": "<PROVIDER>"}}',
    PROVIDER=PROVIDER,
)
DOCUMENT = {"Version": "2012-10-17", "Statement": [STATEMENT]}
EVERY_KIND = Plan(
    (
        (
            Change(Kind.PROVIDER, (PROVIDER,), None, ProviderState("https://x", ["sts"], ["a1"], {"k": "v"})),
            Change(Kind.AUDIENCE, (PROVIDER, "sts"), None, Present()),
            Change(Kind.NAMESPACE, ("n",), None, NamespaceState({"team": "a"})),
            Change(Kind.ROLE_OWNER, ("other",), OwnerState("nobody"), OwnerState("")),
        ),
        (
            Change(
                Kind.ROLE,
                ("made",),
                None,
                RoleState("/irsa/demo/", DOCUMENT, "why", 7200, "arn:aws:iam::aws:policy/B", {"k": "v"}),
            ),
            Change(Kind.ROLE_COMMIT, ("other",), None, CommitState("pending")),
            Change(Kind.ROLE_SETTINGS, ("other",), SettingsState("", 3600), SettingsState("why", 7200)),
            Change(Kind.BOUNDARY, ("other",), BoundaryState("arn:aws:iam::aws:policy/B"), None),
            Change(Kind.ROLE_TAGS, ("other",), TagsState({"a": None}), TagsState({"a": "b"})),
            Change(Kind.TRUST_POLICY, ("other",), DocumentState({}), DocumentState(DOCUMENT)),
            Change(Kind.TRUST_STATEMENT, ("shared", "system:x"), DocumentState(STATEMENT), None),
        ),
        (
            Change(Kind.ATTACHMENT, ("made", "arn:aws:iam::aws:policy/A"), None, Present()),
            Change(Kind.INLINE_POLICY, ("made", "p"), None, DocumentState(DOCUMENT)),
        ),
        (
            Change(
                Kind.SERVICE_ACCOUNT,
                ("n", "a"),
                ServiceAccountState({"eks.amazonaws.com/role-arn": None}, {"l": "1"}, "u", "7"),
                ServiceAccountState(
                    {"eks.amazonaws.com/role-arn": ROLE_ARN}, {"l": "1"}, "u", "7", {"m": {}}
                ),
            ),
        ),
        (),
    )
)
FACTS = {"command": "create-sa", "cluster": "c", "serviceAccount": "n/a", "target": {"cluster": "demo"}}


def test_a_journal_with_every_kind_is_read_as_it_was_meant() -> None:
    story = read(JOURNALS / "every-kind.jsonl")
    assert {change.kind.value for change in EVERY_KIND} == KINDS_THEN
    assert [[item.change for item in stage] for stage in story.stages] == [list(s) for s in EVERY_KIND.stages]
    assert (story.transaction, story.outcome, story.finished) == ("20261126T010000000Z-0a1b2c3d", "", False)
    assert story.context == {**FACTS, "gated": True}
    states = [item.state for item in story.records]
    assert states == [
        "done",
        "unchanged",
        "done",
        "refused",
        "undone",
        "done",
        "begun",
        *["pending"] * 7,
    ]
    assert [item.identity for item in story.records][:3] == [{}, {}, {"uid": "1"}]


def test_what_is_written_of_every_kind_is_what_was_written_then() -> None:
    header = json.loads((JOURNALS / "every-kind.jsonl").read_text().splitlines()[0])
    assert [[written.write(change) for change in stage] for stage in EVERY_KIND.stages] == header["plan"]


@pytest.mark.parametrize("outcome", ["committed", "rolled-back", "incomplete"])
def test_how_a_journal_of_then_ended_is_read(outcome: str) -> None:
    story = read(JOURNALS / f"{outcome}.jsonl")
    assert story.outcome == outcome
    assert story.finished is (outcome != "incomplete")


KINDS_THEN = {
    "OIDCProvider",
    "OIDCProviderAudience",
    "Namespace",
    "Role",
    "PolicyAttachment",
    "InlinePolicy",
    "TrustStatement",
    "ServiceAccount",
    "RoleOwner",
    "RoleCommit",
    "RoleSettings",
    "RoleBoundary",
    "RoleTags",
    "TrustPolicy",
}
