"""Preflight in pods of a real kube-apiserver: init containers, projected tokens, and the sandbox's STS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.breaking import AUDIENCE, NAME
from tests.scenarios.conftest import real_stage
from tests.scenarios.preflight_pods import Scene, scene_of
from tests.scenarios.preflighting import LocalAws, local_aws, one_file, preflight
from tests.support.fixtures import RealCluster

INIT = {"name": "irsa-preflight", "image": "irsa"}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture
def scene(sandbox: Sandbox, real: RealCluster, aws: LocalAws, tmp_path: Path, unique: str) -> Iterator[Scene]:
    """A working binding on the real API server."""
    with scene_of(real_stage(sandbox, real, tmp_path), unique, aws) as made:
        yield made


@pytest.mark.parametrize("container", ["app", "irsa-preflight"])
def test_the_pod_and_its_init_container_are_their_role(scene: Scene, container: str) -> None:
    scene.world.new_pod(initContainers=[INIT])
    scene.container = container
    scene.start()
    code, item = preflight(scene.env, program=one_file(scene.folder))
    assert (code, item["verdict"], item["next"]) == (0, "expected", []), item
    token = item["evidence"]["token"]
    assert (token["sub"], token["aud"]) == (scene.world.subject, ["sts.amazonaws.com"])
    assert 86_000 < token["expiresIn"] <= 86_400


def test_the_token_of_another_audience_is_refused(scene: Scene) -> None:
    scene.world.annotate("ours", AUDIENCE)
    scene.world.new_pod()
    scene.start()
    code, item = preflight(scene.env)
    assert (code, "the audience ['ours']" in item["cause"]) == (5, True), item


def test_a_pod_that_the_webhook_did_not_see(scene: Scene) -> None:
    scene.world.new_pod_unseen()
    scene.start()
    code, item = preflight(scene.env)
    assert (code, "the node's role node" in item["sentence"]) == (5, True), item


def test_the_subject_of_another_account_is_refused(scene: Scene) -> None:
    scene.world.values(sub=f"system:serviceaccount:{scene.world.namespace}:another")
    scene.start()
    code, item = preflight(scene.env)
    assert (code, f"does not allow {scene.world.subject}" in item["cause"]) == (5, True), item
    assert f"irsa verify {NAME} -n {scene.world.namespace}" in item["next"][0]
