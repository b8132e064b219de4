"""Who gets a second way: whom the role's trust policy allows the first one, and nobody by an annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.associated import SERVICE, associate
from tests.support.migrated import (
    ALSO,
    BACK,
    CREATE,
    MIGRATE,
    PODS,
    ROLE,
    THEIRS,
    by_hand,
    proposed,
    set_trust,
    statements,
    with_agent,
)
from tests.support.stage import ROLE_ARN, Stage

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
NETWORK = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
ACCOUNT_PATH = "/api/v1/namespaces/apps/serviceaccounts/app"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """With the agent. The sandbox's API is enough: associations are EKS' business."""
    return with_agent(sandbox_stage(sandbox, "demo", tmp_path))


def services(stage: Stage, name: str) -> list[Any]:
    return [item["Principal"].get("Service") for item in statements(stage, name)]


def make_powerful(stage: Stage, name: str) -> None:
    stage.iam().attach_role_policy(RoleName=name, PolicyArn=ADMINISTRATOR)


def test_an_annotation_gives_no_role(stage: Stage) -> None:
    """Whoever may annotate a ServiceAccount does not become administrator by it."""
    role = by_hand(stage, THEIRS)
    make_powerful(stage, "hand")
    said = f" --pod-identity --attach-role-arn {role} --update-trust"
    for line in (MIGRATE.replace("app ", ""), MIGRATE):
        ran = stage.run(line, code=4, changes="", says=said)
    # Pasted, it gives nothing: create-sa says what the role is, and which flag that needs.
    assert "too powerful" in proposed(stage, ran.err, "create-sa app -n apps ", code=4).err
    proposed(stage, ran.err, "create-sa app", "--allow-wide-trust")
    (given,) = stage.world()["associations"].values()
    assert given["roleArn"] == role
    assert services(stage, "hand") == ["ec2.amazonaws.com", SERVICE]
    stage.run(MIGRATE)


@pytest.mark.parametrize("line", [MIGRATE, BACK], ids=["a mark of irsa", "a bare statement"])
def test_what_else_is_no_consent(stage: Stage, line: str) -> None:
    """A statement that is gone may have been revoked by the role's owner; one for Pod Identity is for all."""
    if line == MIGRATE:
        stage.run(CREATE)
        set_trust(stage, THEIRS)
    else:
        by_hand(stage, PODS)
    ran = stage.run(line, code=4, says="--update-trust", changes="")
    proposed(stage, ran.err, "create-sa app")
    assert bool(stage.world()["associations"]) == (line == MIGRATE)
    stage.run(line)


def test_what_is_not_known_is_refused_with_its_condition(stage: Stage) -> None:
    """The proposed line is refused as well, without --force: its statement has no such condition."""
    stage.run(CREATE)
    (own,) = statements(stage)
    set_trust(stage, {**own, "Condition": {**own["Condition"], **NETWORK}})
    for line in (ALSO, MIGRATE):
        ran = stage.run(line, code=4, says=("irsa can't tell whether", "aws:SourceIp"), changes="")
    proposed(stage, ran.err, "create-sa app", code=4)
    proposed(stage, ran.err, "create-sa app", "--force")
    assert stage.world()["associations"]


def test_neither_provider_nor_agent_counts_for_consent(stage: Stage) -> None:
    by_hand(stage)
    (provider,) = stage.world()["oidc_providers"]
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    stage.run(MIGRATE)
    assert stage.world()["associations"]


def test_an_association_is_consent_as_long_as_the_trust_policy_says_yes(stage: Stage) -> None:
    role = by_hand(stage, PODS)
    stage.kube.patch(ACCOUNT_PATH, {"metadata": {"annotations": {ROLE_ARN: None}}})
    associate(stage, "apps", "app", role)
    set_trust(stage, THEIRS, name="hand")
    stage.run(BACK, code=4, says="no statement allows it", changes="")
    set_trust(stage, PODS, name="hand")
    stage.run(BACK)
    set_trust(stage, THEIRS, name="hand")
    proposed(stage, stage.run(BACK, code=4, changes="").err, "create-sa app")


def test_the_line_for_an_association_without_session_tags_works(stage: Stage) -> None:
    associate(stage, "apps", "app", by_hand(stage, PODS), disableSessionTags=True)
    set_trust(stage, THEIRS, name="hand")
    ran = stage.run(MIGRATE, code=4, says="--disable-session-tags", changes="")
    proposed(stage, ran.err, "create-sa app")


def test_a_powerful_role_gets_a_statement_only_if_that_is_allowed(stage: Stage) -> None:
    stage.run(CREATE)
    make_powerful(stage, ROLE)
    for line in (ALSO, MIGRATE):
        stage.run(line, code=4, says="too powerful", changes="")
        stage.run(f"{line} --allow-wide-trust --dry-run", changes="")
    stage.run(f"{MIGRATE} --allow-wide-trust")
    assert stage.world()["associations"]


def test_a_condition_is_bypassed_only_with_force(stage: Stage) -> None:
    """One that holds for each token of today: irsa's statement would be without it."""
    by_hand(stage, Null={"aws:SourceIdentity": "true"})
    stage.run(MIGRATE, code=4, says="would bypass a condition", changes="")
    stage.run("migrate app -n apps --to pod-identity --force")


def test_the_way_back_to_a_restricted_statement_can_be_forced(stage: Stage) -> None:
    """Without --force no statement is added, and the note says why."""
    associate(stage, "apps", "app", by_hand(stage, PODS, **NETWORK))
    stage.run(BACK, says="irsa can't tell whether the trust policy allows IRSA")
    assert len(statements(stage, "hand")) == 2
    stage.run("migrate app -n apps --to irsa --force")
    assert len(statements(stage, "hand")) == 3


def test_a_role_that_its_tool_writes_back_is_changed_only_by_request(stage: Stage) -> None:
    by_hand(stage, tags={"Terraform": "true"})
    said = "is managed by Terraform"
    ran = stage.run(MIGRATE, code=4, says=said, changes="")
    assert said in proposed(stage, ran.err, "migrate .* --include-managed").err
    assert stage.world()["associations"]


def test_a_statement_of_the_tool_itself_needs_no_request(stage: Stage) -> None:
    by_hand(stage, PODS, tags={"Terraform": "true"}, Bool={"aws:SecureTransport": "true"})
    stage.run(MIGRATE)
    assert len(statements(stage, "hand")) == 2


def test_of_a_role_in_a_stack_a_note_says_so(stage: Stage) -> None:
    by_hand(stage, tags={"alpha.eksctl.io/iamserviceaccount-name": "x"})
    stage.run(MIGRATE, says="belongs to a stack of eksctl")
