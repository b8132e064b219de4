"""A role annotation that a tool owns: irsa does not write over it unasked, and says how to change its source.

Each command that is proposed is run. Here the manifest of a client-side apply tells the owner.
`tests/e2e/test_git_owners.py` has managedFields, and `tests/unit/binding/test_field_owner.py` the rules.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
import yaml

from tests.scenarios.test_boundaries import APP, APPLY
from tests.support.acts import put, wish
from tests.support.associated import AGENT
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Stage

THEIRS = "arn:aws:iam::111122223333:role/theirs"
CREATE = "create-sa app -n $ns --attach-policy-arn $S3 --associate-oidc"
OVERRIDE = "--override-existing-serviceaccounts"
HELM = {"meta.helm.sh/release-name": "app"}
ARGO = {"argocd.argoproj.io/tracking-id": "shop:/ServiceAccount:web/app"}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def applied(role: str | None = THEIRS) -> dict[str, str]:
    """The annotations after a client-side apply of a manifest with this role."""
    has = {} if role is None else {ROLE_ARN: role}
    return {**has, LAST_APPLIED: json.dumps({"metadata": {"annotations": has}})}


def annotations_of(stage: Stage, namespace: str) -> dict[str, Any]:
    account = stage.account(namespace, "app")
    assert account is not None
    return dict(account["annotations"])


def test_the_source_is_changed_and_nothing_is_written_twice(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", annotations={**ARGO, **applied()})
    refused = stage.run(f"{CREATE} -o json", code=4, says="Argo CD owns the annotation", changes="")
    first, line, export, override = refused.error["next"]
    assert "--role-only" in first
    assert OVERRIDE in override
    stage.run(f"{CREATE} --role-only")
    put(stage, "app.yaml", "{apiVersion: v1, kind: ServiceAccount, metadata: {name: app, namespace: $ns}}\n")
    arguments = shlex.split(export, comments=True)[1:]
    stage.run(shlex.join([*arguments, "-q", "--write", "app.yaml"]))
    body = yaml.safe_load((stage.folder / "app.yaml").read_text("utf-8"))
    annotations = body["metadata"]["annotations"]
    assert yaml.safe_load(line.partition("manifest: ")[2])["metadata"]["annotations"] == annotations
    stage.annotate(namespace, "app", **applied(annotations[ROLE_ARN]))
    before = annotations_of(stage, namespace)
    stage.run(f"{CREATE} --role-only", says="Nothing to do", changes="")
    # Owned by another with the same value: there is nothing to write.
    stage.run(CREATE, says="Nothing to do", changes="")
    says = ["Deleted: role", "Remove it from its source (Argo CD, Application shop"]
    stage.run("delete-sa app -n $ns --yes", says=says, silent="kubectl annotate")
    assert annotations_of(stage, namespace) == before


def test_one_flag_goes_on_and_what_irsa_wrote_is_removed_again(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", annotations=applied())
    stage.run(CREATE, code=4, says=["kubectl apply owns the annotation", "--to manifests"], changes="")
    says = ["the next apply of its manifest writes", THEIRS]
    stage.run(f"{CREATE} {OVERRIDE} --dry-run", says=says, changes="")
    stage.run(f"{CREATE} {OVERRIDE}", says=says)
    assert annotations_of(stage, namespace)[ROLE_ARN] != THEIRS
    stage.run(CREATE, says="Nothing to do", changes="")
    stage.run("update-sa app -n $ns --label team=web")
    # The manifest still has another role: that keeps nobody from taking irsa's away.
    stage.run("delete-sa app -n $ns --yes", says="Deleted: role")
    assert ROLE_ARN not in annotations_of(stage, namespace)


@pytest.mark.parametrize("mode", ["", "--atomic"])
def test_files_say_what_to_put_into_the_entry(stage: Stage, namespace: str, mode: str) -> None:
    stage.run("associate-oidc")
    stage.make_account(namespace, "app", annotations={**ARGO, **applied()})
    wish(stage, APP)
    says = ["Argo CD owns the annotation", "add roleOnly: true to the entry", "--to manifests"]
    stage.run(f"{APPLY} {mode}", code=4, says=says, changes="")
    stage.run(f"{APPLY} {mode} {OVERRIDE} --dry-run", says="its next sync writes", changes="")
    before = annotations_of(stage, namespace)
    wish(stage, APP.replace("attach", "roleOnly: true, attach"))
    stage.run(f"{APPLY} {mode}")
    assert annotations_of(stage, namespace) == before


def test_who_owns_nothing_and_whom_nobody_knows(stage: Stage, namespace: str) -> None:
    """By hand, as the manifest does not have it: as before. And if there is no note: perhaps."""
    stage.make_account(namespace, "app", annotations={**ARGO, **applied(None), ROLE_ARN: THEIRS})
    stage.run(CREATE, code=4, says=["exists and differs", OVERRIDE], silent="own the annotation", changes="")
    stage.run(f"{CREATE} {OVERRIDE}", says="is managed by Argo CD: its next sync removes")
    stage.make_account(namespace, "b", annotations={**HELM, ROLE_ARN: THEIRS})
    if "managedFields" not in stage.kube.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/b").text:
        says = ["Helm may own the annotation", "it has no managedFields", "--to helm"]
        stage.run(CREATE.replace("app", "b"), code=4, says=says, changes="")


def test_migrate_writes_no_role_against_a_manifest(stage: Stage, namespace: str) -> None:
    add_addon(stage.sandbox, "demo", AGENT)
    last = {LAST_APPLIED: applied()[LAST_APPLIED]}
    stage.make_account(namespace, "app", annotations=last)
    stage.run("create-sa app -n $ns --pod-identity --attach-policy-arn $S3")
    stage.run("associate-oidc")
    back = "migrate --to irsa app -n $ns"
    stage.run(back, code=4, says=["kubectl apply owns the annotation", "--include-managed"], changes="")
    stage.run(f"{back} --include-managed", says="the next apply of its manifest writes")
