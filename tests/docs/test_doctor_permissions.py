"""docs/reference/permissions.md: with what it says doctor needs, doctor can look at everything.

And without each of it, something can't be told: nothing of the list is too much.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from irsa_cli.sandbox import Rule, Sandbox
from tests.docs.console import ROOT
from tests.scenarios.breaking import Binding, make
from tests.scenarios.breaks import annotation_of_another_role, associate, no_provider
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.doctoring import doctor, of
from tests.scenarios.uncreating import PODS_FOLDER, mounted_twice, uncreated
from tests.support.eks_states import add_node
from tests.support.stage import Json

PAGE = (
    (ROOT / "docs/reference/permissions.md")
    .read_text("utf-8")
    .partition("## Doctor")[2]
    .partition("\n## ")[0]
)
LISTED = [
    *re.findall(r"`((?:eks|ec2|cloudtrail):\w+)`", PAGE),
    *(f"iam:{name}" for name in re.findall(r"`((?:Get|List)\w+)`", PAGE)),
]
RULES = [
    Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces")),
    Rule(("list",), ("mutatingwebhookconfigurations",), groups=("admissionregistration.k8s.io",)),
    Rule(("list",), ("networkpolicies",), groups=("networking.k8s.io",)),
    Rule(("list",), ("events",)),
    Rule(("list",), ("replicasets", "statefulsets", "daemonsets"), groups=("apps",)),
    Rule(("list",), ("jobs", "cronjobs"), groups=("batch",)),
    Rule(("create",), ("pods",)),
    Rule(("get",), ("leases",), "default", groups=("coordination.k8s.io",)),
    Rule(("get",), ("/openid/v1/jwks",)),
]


@pytest.fixture
def binding(sandbox: Sandbox, tmp_path: Path) -> Binding:
    """A binding of which everything is read: what is wrong with it has to be looked for everywhere."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    stage.make_namespace("back")
    made = make(stage, "back")
    iam = made.aws("iam")
    iam.put_role_permissions_boundary(
        RoleName=made.role, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    document = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
    )
    iam.put_role_policy(RoleName=made.role, PolicyName="own", PolicyDocument=document)
    annotation_of_another_role(made)
    associate(made)
    no_provider(made)
    made.new_pod(nodeName="ip-10-0-0-1.ec2.internal")
    add_node(sandbox, "demo", "ip-10-0-0-1.ec2.internal")
    # No pod of it runs, so that events are asked, and who makes pods.
    made.say_phase("Pending")
    for kind in ("Deployment", "Job"):
        uncreated(made, kind.lower(), kind=kind, **mounted_twice(PODS_FOLDER))
    return made


def told(
    binding: Binding, capsys: pytest.CaptureFixture[str], actions: list[str], rules: list[Rule]
) -> set[tuple[str, ...]]:
    """All that a caller is told who may do just this: cause, verdict, text and evidence."""
    return said(told_document(binding, capsys, actions, rules))


def told_document(
    binding: Binding, capsys: pytest.CaptureFixture[str], actions: list[str], rules: list[Rule]
) -> Json:
    """The document of a caller who may do just this."""
    sandbox, user = binding.stage.sandbox, f"u-{uuid.uuid4().hex[:12]}"
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    sandbox.add_user(user, policy={"Version": "2012-10-17", "Statement": statement})
    sandbox.grant("demo", user, rules=rules)
    return doctor(binding, capsys, *of(binding), user=user)


def gaps(document: Json) -> list[str]:
    """What could change the answer, but for what tells of seconds."""
    listed = document["metadata"]["scope"]["notExamined"]
    texts = [gap["what"] for gap in listed if gap["couldChangeAnswer"]]
    return sorted(text for text in texts if not text.startswith("role-new"))


def said(document: Json) -> set[tuple[str, ...]]:
    """What is told, but for what tells of seconds."""
    return {
        (item["id"], item["verdict"], item["text"], str(item["evidence"]))
        for item in document["items"][0]["findings"]
        if item["id"] != "role-new"
    }


def test_the_list_is_enough_and_nothing_of_it_too_much(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    document = told_document(binding, capsys, LISTED, RULES)
    of_admin = doctor(binding, capsys, *of(binding))
    assert gaps(document) == gaps(of_admin)
    whole = said(document)
    assert whole == said(of_admin)
    for action in LISTED[1:]:  # Without the first one, DescribeCluster, nothing is told.
        assert told(binding, capsys, [item for item in LISTED if item != action], RULES) != whole, action
    for number in range(len(RULES)):
        fewer = RULES[:number] + RULES[number + 1 :]
        assert told(binding, capsys, LISTED, fewer) != whole, RULES[number]
