"""Role-only bindings (`create-sa --role-only`, `roleOnly` in files) as the reading commands see them.

Git has the ServiceAccount. Until it has the annotation as well, the role waits for Git: no command calls that
broken, and none proposes to write what Git owns.
"""

import re
import shlex

import pytest
import yaml

from tests.support.acts import killed, wish_own
from tests.support.proposals import commands, steps_in_document
from tests.support.stage import ROLE_ARN, Json, Stage

CREATE = "create-sa app -n $ns --attach-policy-arn $S3 --role-only -q"
OTHER = "arn:aws:iam::111122223333:role/other"
WAITS = "waits for Git"
WRITES = ("create-sa app", "kubectl annotate")
"""Commands that would write the ServiceAccount."""


@pytest.fixture
def arn(stage: Stage, namespace: str) -> str:
    """The role of `app`."""
    stage.associate("-q")
    return stage.run(f"{CREATE} -o arn").out.strip()


def listed(stage: Stage, arn: str) -> Json:
    """The binding of the role as get-sa lists it."""
    items = stage.run("get-sa -n $ns -o json").items
    return next(item for item in items if item["role"]["arn"] == arn)


def with_account(stage: Stage, namespace: str, existing: bool) -> None:
    if existing:
        stage.make_account(namespace, "app", labels={"app.kubernetes.io/managed-by": "Helm"})


@pytest.mark.parametrize("existing", [False, True], ids=["missing", "without annotation"])
def test_a_role_that_waits_is_not_broken_and_not_verified(
    stage: Stage, namespace: str, arn: str, existing: bool
) -> None:
    with_account(stage, namespace, existing)
    line = f"{ROLE_ARN}: {arn}"
    item = listed(stage, arn)
    assert (item["status"], item["waitsFor"]) == ("role-only", "git")
    stage.run("get-sa -n $ns", says=(f"role-only: {WAITS}", "irsa export app"), silent=WRITES, changes="")
    stage.run("get-sa -n $ns -o wide", says=f"role-only: {WAITS}: ", silent=WRITES)
    for command in ("describe-sa", "verify", "credentials"):
        stage.run(f"{command} app -n $ns", code=4, says=(WAITS, line, "irsa export app"), silent=WRITES)
    stage.run("doctor app -n $ns", code=5, says=(WAITS, line), silent=WRITES)


def test_what_is_proposed_is_the_manifest_that_completes_the_binding(
    stage: Stage, namespace: str, arn: str
) -> None:
    (step,) = commands(steps_in_document(listed(stage, arn)))
    manifest = yaml.safe_load(stage.irsa(*shlex.split(step, comments=True)[1:], "-q").out)
    assert stage.kube.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", manifest).status == 201
    item = listed(stage, arn)
    assert (item["status"], item["waitsFor"], item["next"]) == ("ok", None, [])
    stage.run("verify app -n $ns", says="Verified")
    stage.run("doctor app -n $ns", code=1, silent=WAITS)  # No pod uses it yet.


def test_a_role_outside_of_irsas_path_is_exported_as_proposed(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    arn = stage.run(f"{CREATE} --role-path /own/ -o arn").out.strip()
    (item,) = stage.run("get-sa -n $ns --all-paths -o json").items
    (step,) = commands(steps_in_document(item))
    assert arn in stage.irsa(*shlex.split(step, comments=True)[1:], "-q").out


def test_a_role_with_a_pattern_waits_as_well(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    arn = stage.run(f"{CREATE} --subject-pattern app* -o arn").out.strip()
    for existing in (False, True):
        with_account(stage, namespace, existing)
        stage.run("doctor app -n $ns", code=5, says=(WAITS, f"{ROLE_ARN}: {arn}"), silent=WRITES)


def test_a_service_account_with_another_role_does_not_wait(stage: Stage, namespace: str, arn: str) -> None:
    stage.make_account(namespace, "app", annotations={ROLE_ARN: OTHER})
    item = listed(stage, arn)
    assert (item["status"], item["waitsFor"]) == ("role-only", None)
    assert OTHER in item["reason"]
    assert list(commands(item["next"])) == []
    stage.run("get-sa -n $ns", says=f"uses {OTHER}", silent=WAITS)


def test_a_mark_of_irsa_shows_that_git_was_not_to_write_it(stage: Stage, namespace: str) -> None:
    """A role that was created again under an annotation of irsa's bears the same tag as a role-only one."""
    stage.associate("-q")
    create = "create-sa app -n $ns --attach-policy-arn $S3 -q"
    stage.run(create)
    role = stage.role_of(namespace, "app")
    stage.iam().detach_role_policy(RoleName=role["arn"].rpartition("/")[2], PolicyArn=role["attached"][0])
    stage.iam().delete_role(RoleName=role["arn"].rpartition("/")[2])
    stage.run(create)
    stage.kube.patch(
        f"/api/v1/namespaces/{namespace}/serviceaccounts/app", {"metadata": {"annotations": {ROLE_ARN: None}}}
    )
    item = listed(stage, role["arn"])
    assert (item["status"], item["waitsFor"]) == ("annotation-changed", None)


def test_an_interrupted_role_is_completed_without_its_service_account(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    stage.make_account(namespace, "app")
    killed(stage, CREATE, "iam AttachRolePolicy callback")
    ran = stage.run("doctor app -n $ns", code=5, says="role-incomplete")
    (step,) = re.findall(r"irsa (create-sa app .*--attach-policy-arn) ARN --role-only", ran.out)
    stage.run(f"{step} $S3 --role-only")
    account = stage.account(namespace, "app")
    assert account is not None
    assert ROLE_ARN not in account.get("annotations", {})
    assert stage.run("get-sa -n $ns -o json").item["waitsFor"] == "git"


ENTRY = """{metadata: {name: app, namespace: $ns}, roleOnly: true, attachPolicyARNs: [$S3],
  subjects: [{namespace: $ns, name: worker}]}"""


def test_each_subject_of_a_role_is_told_to_git(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    wish_own(stage, ENTRY)
    stage.run("apply -f f.yaml", says=f"$ns/app {WAITS}")
    arn = str(stage.run("get-sa -n $ns -o json").item["role"]["arn"])
    stage.run("diff -f f.yaml", says=(f"$ns/app {WAITS}", f"{ROLE_ARN}: {arn}"), changes="")
    stage.make_account(namespace, "worker")
    stage.run(
        "doctor worker -n $ns",
        code=5,
        says=f"{ROLE_ARN}: {arn}",
        silent=("create-sa worker", "kubectl annotate", "irsa export"),
    )
    stage.annotate(namespace, "worker", **{ROLE_ARN: arn})
    assert [item["waitsFor"] for item in stage.run("get-sa -n $ns -o json").items] == ["git", None]
    stage.make_account(namespace, "app", annotations={ROLE_ARN: arn})
    stage.run("diff -f f.yaml", silent=WAITS, changes="")
    found = stage.run("get-sa -n $ns -o json").items
    assert [(item["status"], item["waitsFor"]) for item in found] == [("ok", None), ("ok", None)]


def test_an_unread_service_account_is_neither_waiting_nor_bound(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    wish_own(stage, ENTRY)
    stage.run("apply -f f.yaml -q")
    user = stage.restricted((("get", "list"), ("namespaces",)))
    stage.run("diff -f f.yaml", user=user, silent=WAITS)
    stage.run("get-sa -n $ns", user=user, code=(1, 4), silent=WAITS)


def test_a_file_of_bindings_keeps_it_role_only(stage: Stage, namespace: str, arn: str) -> None:
    stage.make_account(namespace, "app", annotations={ROLE_ARN: arn})
    text = stage.run("init -n $ns -q").out
    (entry,) = yaml.safe_load(text)["serviceAccounts"]
    assert entry["roleOnly"] is True
    (stage.folder / "all.yaml").write_text(text, encoding="utf-8")
    stage.run("diff -f all.yaml", changes="", silent=WAITS)
