"""ServiceAccounts that a repository owns: Flux's way of applying them, beside irsa, on a real kube-apiserver.

Flux applies with server-side apply, a field manager of its own, and force; so does Argo CD if told so. Each
run here is followed by an application, and nothing may be written by both.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import real_stage
from tests.support.fixtures import RealCluster
from tests.support.stage import ROLE_ARN, Json, Stage

pytestmark = pytest.mark.e2e
FLUX = "kustomize-controller"


@pytest.fixture
def stage(sandbox: Sandbox, real: RealCluster, tmp_path: Path, unique: str) -> Stage:
    """A stage with a namespace on the real API server."""
    made = real_stage(sandbox, real, tmp_path)
    made.words["ns"] = unique
    made.make_namespace(unique)
    made.associate("-q")
    return made


def apply(stage: Stage, manifest: Json) -> Json:
    """Apply as Flux does; the object as it is then."""
    metadata = manifest["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{metadata['name']}"
    answer = stage.kube.patch(
        path, manifest, content_type="application/apply-patch+yaml", fieldManager=FLUX, force="true"
    )
    assert answer.status in (200, 201), answer.text
    body: Json = answer.body
    return body


def owners(body: Json, key: str = f"f:{ROLE_ARN}") -> set[str]:
    """The field managers of an annotation."""
    return {
        entry["manager"]
        for entry in body["metadata"]["managedFields"]
        if key in entry["fieldsV1"].get("f:metadata", {}).get("f:annotations", {})
    }


@contextmanager
def healing(stage: Stage, manifest: Json) -> Iterator[list[Json]]:
    """A controller that applies a manifest again and again beside the block; the objects that it gets."""
    seen = [apply(stage, manifest)]
    is_over = Event()

    def heal() -> None:
        while not is_over.is_set():
            seen.append(apply(stage, manifest))

    with ThreadPoolExecutor(1) as pool:
        controller = pool.submit(heal)
        try:
            yield seen
        finally:
            is_over.set()
        controller.result()
    seen.append(apply(stage, manifest))


def annotated(body: Json) -> str | None:
    role: str | None = body["metadata"].get("annotations", {}).get(ROLE_ARN)
    return role


def test_a_controller_and_irsa_side_by_side_write_no_field_twice(stage: Stage, unique: str) -> None:
    manifest: Json = {"apiVersion": "v1", "kind": "ServiceAccount"}
    manifest["metadata"] = {"name": "app", "namespace": unique, "labels": {"team": "web"}}
    create = "create-sa app -n $ns --attach-policy-arn $S3"
    with healing(stage, manifest) as seen:
        stage.run(create)
        arn = annotated(apply(stage, manifest))
        stage.run(create, says="Nothing to do")
        stage.run("update-sa app -n $ns --tags team=b --label tier=front --yes")
        stage.run("update-sa app -n $ns --annotation example.com/note=a --yes")
        stage.run("delete-sa app -n $ns --yes")
    assert arn is not None
    roles = [role for role, _ in groupby(map(annotated, seen))]
    assert roles in ([None, arn, None], [None]), "no role comes or goes but by irsa"
    for key in (ROLE_ARN, "example.com/note"):
        assert set().union(*(owners(body, f"f:{key}") for body in seen)) <= {"irsa"}
    assert {body["metadata"]["labels"]["team"] for body in seen} == {"web"}


def test_a_controller_with_the_annotation_and_irsa_write_one_object_once(stage: Stage, unique: str) -> None:
    create = "create-sa app -n $ns --attach-policy-arn $S3 --role-only"
    stage.run(create)
    manifest = yaml.safe_load(stage.run("export app -n $ns -q").out)
    with healing(stage, manifest) as seen:
        stage.run(create, says="Nothing to do")
        stage.run("update-sa app -n $ns --description new --tags team=b --yes")
        stage.run("verify app -n $ns", says="Verified")
        stage.run("get-sa app -n $ns", says="ok")
    assert len({body["metadata"]["resourceVersion"] for body in seen}) == 1, "nobody wrote it again"
    assert set().union(*map(owners, seen)) == {FLUX}


def test_an_annotation_that_git_never_had_is_kept_and_nothing_flaps(stage: Stage, unique: str) -> None:
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount"}
    manifest["metadata"] = {"name": "app", "namespace": unique, "labels": {"team": "web"}}
    manifest["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/prune": "enabled"}
    apply(stage, manifest)
    create = "create-sa app -n $ns --attach-policy-arn $S3"
    stage.run(create)
    arn = stage.role_of(unique, "app")["arn"]
    versions = set()
    for number in range(3):
        manifest["metadata"]["labels"] = {"team": f"web-{number}"}
        body = apply(stage, manifest)
        assert body["metadata"]["annotations"][ROLE_ARN] == arn
        assert owners(body) == {"irsa"}
        stage.run(create, says="Nothing to do", changes="")
        versions.add(apply(stage, manifest)["metadata"]["resourceVersion"])
    assert len(versions) == 3, "an application without a change writes nothing, and neither does irsa"
    stage.run("delete-sa app -n $ns --yes")
    left = apply(stage, manifest)["metadata"]
    assert ROLE_ARN not in left["annotations"]
    assert left["labels"] == {"team": "web-2"}


def test_git_has_the_annotation_and_irsa_the_role(stage: Stage, unique: str) -> None:
    """`--role-only`, then what `irsa export` writes: irsa never writes the object."""
    create = "create-sa app -n $ns --attach-policy-arn $S3 --role-only"
    stage.run(create)
    manifest = yaml.safe_load(stage.run("export app -n $ns -q").out)
    body = apply(stage, manifest)
    version = body["metadata"]["resourceVersion"]
    assert owners(body) == {FLUX}
    stage.run("get-sa app -n $ns", says="ok")
    stage.run(create, says="Nothing to do", changes="")
    stage.run("update-sa app -n $ns --description new --yes")
    assert apply(stage, manifest)["metadata"]["resourceVersion"] == version


THEIRS = "arn:aws:iam::111122223333:role/theirs"


def test_irsa_does_not_write_over_a_role_that_git_has(stage: Stage, unique: str) -> None:
    """The owner of the field is asked, by server-side apply and by the name of its manager."""
    create = "create-sa app -n $ns --attach-policy-arn $S3"
    metadata = {"name": "app", "namespace": unique, "annotations": {ROLE_ARN: THEIRS}}
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    version = apply(stage, manifest)["metadata"]["resourceVersion"]
    says = ["Flux owns the annotation", f"field manager {FLUX}", "--to manifests"]
    refused = stage.run(f"{create} -o json", code=4, says=says, changes="")
    assert apply(stage, manifest)["metadata"]["resourceVersion"] == version
    stage.run(f"{create} --override-existing-serviceaccounts", says="its next reconciliation writes")
    assert owners(apply(stage, manifest)) == {FLUX}, "Flux restores it"
    stage.run(create, code=4, says=says, changes="")
    (export,) = (step for step in refused.error["next"] if step.startswith("irsa export"))
    line = export.partition("irsa ")[2].partition("  #")[0]
    body = apply(stage, yaml.safe_load(stage.run(f"{line} -q").out))
    assert body["metadata"]["annotations"][ROLE_ARN] != THEIRS
    stage.run(create, says="Nothing to do", changes="")
    says = ["Deleted: role", f"Remove it from its source (Flux; field manager {FLUX})"]
    stage.run("delete-sa app -n $ns --yes", says=says)


@pytest.mark.parametrize(
    ("manager", "says"),
    [("helm", "Helm owns the annotation"), ("kubectl-annotate", "exists and differs")],
)
def test_who_updates_the_annotation_owns_it_if_irsa_knows_the_tool(
    stage: Stage, unique: str, manager: str, says: str
) -> None:
    metadata = {"name": "app", "annotations": {ROLE_ARN: THEIRS, "meta.helm.sh/release-name": "app"}}
    path = f"/api/v1/namespaces/{unique}/serviceaccounts"
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    assert stage.kube.create(path, body, fieldManager=manager).status == 201
    stage.run("create-sa app -n $ns --no-policy", code=4, says=says, changes="")
