"""Preflight under the conditions of containers: users, folders, DNS, slow services, CAs, proxies, tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.breaking import NAME
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.preflight_pods import CLOSED, Scene, scene_of, silent, with_tls
from tests.scenarios.preflighting import NOBODY, LocalAws, local_aws, one_file, preflight

EXCHANGE = "AssumeRoleWithWebIdentity"
OTHER_CA = "/etc/ssl/certs/ca-certificates.crt"
NOWHERE = "sts.eu-west-1.invalid"
"""A name that no DNS has (RFC 6761)."""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture
def scene(sandbox: Sandbox, aws: LocalAws, tmp_path: Path) -> Iterator[Scene]:
    """A healthy pod, started."""
    with scene_of(sandbox_stage(sandbox, "demo", tmp_path), "back", aws) as made:
        made.start()
        yield made


def said(item: dict[str, object]) -> str:
    return f"{item['sentence']} {item['cause']} {item['next']}"


# Users and folders.


@pytest.mark.parametrize("user", [NOBODY, 54321], ids=["nobody", "no line in passwd"])
@pytest.mark.parametrize("home", ["/nonexistent", "", None])
def test_a_user_without_rights_home_or_a_place_to_write(scene: Scene, user: int, home: str | None) -> None:
    program = one_file(scene.folder)
    place = scene.folder / "read-only"
    place.mkdir()
    place.chmod(0o555)
    env = {**scene.env, "HOME": home} if home is not None else {**scene.env, "HOME": "/"}
    if home is None:
        program = ("/usr/bin/env", "-u", "HOME", *program)
    before = sorted(scene.folder.rglob("*"))
    as_user = user if os.getuid() == 0 else None
    code, item = preflight(env, program=program, folder=place, user=as_user)
    assert (code, item["verdict"]) == (0, "expected"), item
    assert sorted(scene.folder.rglob("*")) == before


def test_it_writes_nothing_as_root_either(scene: Scene) -> None:
    program = one_file(scene.folder)
    before = sorted(scene.folder.rglob("*"))
    assert preflight({**scene.env, "HOME": str(scene.folder)}, program=program, folder=scene.folder)[0] == 0
    assert sorted(scene.folder.rglob("*")) == before


# DNS and time.


def test_no_dns(scene: Scene) -> None:
    code, item = preflight({**scene.env, "AWS_ENDPOINT_URL_STS": f"https://{NOWHERE}"})
    assert (code, item["notReached"]) == (1, [f"STS {EXCHANGE}"])
    assert f"{NOWHERE} can't be resolved" in said(item)


def test_the_name_of_a_proxy_that_dns_does_not_have(scene: Scene) -> None:
    env = {
        **scene.env,
        "AWS_ENDPOINT_URL_STS": f"https://{NOWHERE}",
        "HTTPS_PROXY": "http://proxy.invalid:3128",
    }
    code, item = preflight(env)
    assert code == 1
    assert "proxy.invalid can't be resolved" in said(item)


def test_a_slow_sts_is_waited_for(scene: Scene) -> None:
    scene.world.stage.sandbox.latency = 0.4
    assert preflight(scene.env)[0] == 0


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_time_limit_of_a_call_holds(scene: Scene, kind: str) -> None:
    fault = Fault("sts", EXCHANGE, kind, seconds=5.0 if kind == "hang" else 0.2)  # type: ignore[arg-type]
    scene.world.stage.sandbox.faults.add(fault)
    started = time.monotonic()
    code, item = preflight(scene.env, "--timeout", "0.5s")
    assert time.monotonic() - started < 15.0
    assert (code, item["notReached"]) == (1, [f"STS {EXCHANGE}"])
    assert "no answer from" in said(item)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("sts", EXCHANGE, "throttle"),
        Fault("sts", EXCHANGE, "status", status=503),
        Fault("sts", EXCHANGE, "reset-before"),
        Fault("sts", EXCHANGE, "garble-after"),
        Fault("sts", EXCHANGE, "error", code="IDPCommunicationError", status=400),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status if fault.kind == 'status' else ''}".strip(),
)
def test_a_passing_fault_is_unknown_at_once_and_overcome_by_waiting(scene: Scene, fault: Fault) -> None:
    faults = scene.world.stage.sandbox.faults
    faults.add(fault)
    code, item = preflight(scene.env)
    assert (code, item["verdict"], item["notReached"]) == (1, "unknown", [f"STS {EXCHANGE}"]), item
    faults.add(fault)
    assert preflight(scene.env, "--wait", "20s")[0] == 0


def test_an_answer_that_is_not_from_aws(scene: Scene) -> None:
    page = Fault("sts", EXCHANGE, "answer", status=200, body="<html>Please log in</html>")
    scene.world.stage.sandbox.faults.add(page)
    code, item = preflight(scene.env)
    assert (code, "is not from AWS" in said(item)) == (1, True), item


def test_a_redirect_is_not_followed(scene: Scene) -> None:
    sandbox = scene.world.stage.sandbox
    sandbox.faults.add(Fault("sts", EXCHANGE, "answer", status=302, times=None))
    code, item = preflight(scene.env)
    assert (code, "HTTP 302" in said(item)) == (1, True), item
    assert len(sandbox.faults.struck) == 1


# Certificates.


def test_the_bundle_of_another_ca(scene: Scene) -> None:
    with with_tls(scene.world.stage.sandbox) as url:
        own = scene.folder / "own.pem"
        own.write_text(scene.world.stage.sandbox.ca_pem)
        env = {**scene.env, "AWS_ENDPOINT_URL_STS": url}
        assert preflight({**env, "AWS_CA_BUNDLE": str(own)})[0] == 0
        for bundle in (OTHER_CA, None):
            code, item = preflight({**env, "AWS_CA_BUNDLE": bundle} if bundle else env)
            assert (code, item["notReached"]) == (1, [f"STS {EXCHANGE}"]), item
            assert "is not trusted" in said(item)


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nnope\n"])
def test_a_bundle_that_can_t_be_used(scene: Scene, content: str | None) -> None:
    bundle = scene.folder / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with with_tls(scene.world.stage.sandbox) as url:
        code, item = preflight({**scene.env, "AWS_ENDPOINT_URL_STS": url, "AWS_CA_BUNDLE": str(bundle)})
    assert code == 1
    assert "AWS_CA_BUNDLE" in said(item), item


def test_a_bundle_is_not_needed_without_tls(scene: Scene) -> None:
    assert preflight({**scene.env, "AWS_CA_BUNDLE": "/nonexistent/ca.pem"})[0] == 0


def test_the_certificate_of_a_stranger_and_no_tls_at_all(scene: Scene) -> None:
    sandbox = scene.world.stage.sandbox
    own = scene.folder / "own.pem"
    own.write_text(sandbox.ca_pem)
    with with_tls(sandbox) as url:
        env = {**scene.env, "AWS_ENDPOINT_URL_STS": url, "AWS_CA_BUNDLE": str(own)}
        sandbox.faults.add(Fault("aws", "*", "tls-stranger"))
        code, item = preflight(env)
        assert (code, "is not trusted" in said(item)) == (1, True), item
        sandbox.faults.add(Fault("aws", "*", "tls-garbage"))
        code, item = preflight(env)
        assert (code, "can't be reached" in said(item)) == (1, True), item


# Proxies.


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_swallows(scene: Scene, scheme: str) -> None:
    with silent() as proxy:
        env = {**scene.env, "AWS_ENDPOINT_URL_STS": f"{scheme}://{NOWHERE}", f"{scheme.upper()}_PROXY": proxy}
        code, item = preflight(env, "--timeout", "0.3s")
    assert (code, item["notReached"]) == (1, [f"STS {EXCHANGE}"])
    assert f"no answer from {NOWHERE} in time (through the proxy 127.0.0.1)" in said(item)
    assert "NO_PROXY" in said(item)


def test_a_proxy_that_refuses_a_tunnel(scene: Scene) -> None:
    env = {**scene.env, "AWS_ENDPOINT_URL_STS": f"https://{NOWHERE}", "HTTPS_PROXY": scene.aws.url}
    code, item = preflight(env)
    assert code == 1
    assert "through the proxy 127.0.0.1" in said(item)


@pytest.mark.parametrize(("sdk", "code"), [("python", 1), ("go", 1), ("javascript", 0)])
def test_the_sdk_for_javascript_reads_no_proxy(scene: Scene, sdk: str, code: int) -> None:
    env = {**scene.env, "HTTP_PROXY": CLOSED, "HTTPS_PROXY": CLOSED}
    found, item = preflight(env, "--sdk", sdk)
    assert (found, "the proxy 127.0.0.1 refuses" in said(item)) == (code, code == 1), item


def test_the_region_that_boto3_does_not_read(scene: Scene) -> None:
    """A template with AWS_REGION alone keeps EKS's webhook from setting AWS_DEFAULT_REGION."""
    without = ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_STS")
    env = {key: value for key, value in scene.env.items() if key not in without}
    for sdk, endpoint in (("python", "sts.amazonaws.com"), ("go", "sts.eu-west-1.amazonaws.com")):
        _, item = preflight({**env, "HTTPS_PROXY": CLOSED}, "--sdk", sdk)
        assert item["evidence"]["sts"] == f"https://{endpoint}", item


def test_a_password_of_a_proxy_is_not_shown(scene: Scene) -> None:
    proxy = CLOSED.replace("://", "://user:hunter2@")
    env = {**scene.env, "AWS_ENDPOINT_URL_STS": f"http://{NOWHERE}", "HTTP_PROXY": proxy}
    code, item = preflight(env)
    assert (code, "hunter2" in str(item)) == (1, False), item


# What changes while it waits.


def test_the_token_is_rotated_while_it_waits(scene: Scene) -> None:
    """The kubelet writes a new folder and moves one link to it; the new token is read."""
    good, folder = scene.token_file.read_text(), scene.token_file.parent
    scene.token_file.unlink()
    for name, text in (("..1", _token_of_another(scene)), ("..2", good)):
        (folder / name).mkdir()
        (folder / name / "token").write_text(text)
    (folder / "..data").symlink_to("..1")
    scene.token_file.symlink_to("..data/token")

    def rotate() -> None:
        (folder / "..new").symlink_to("..2")
        (folder / "..new").replace(folder / "..data")

    scene.world.stage.sandbox.faults.add(Fault("sts", EXCHANGE, "callback", run=rotate))
    code, item = preflight(scene.env, "--wait", "20s")
    assert (code, item["evidence"]["token"]["sub"]) == (0, scene.world.subject), item


def test_the_role_is_made_while_it_waits(scene: Scene) -> None:
    statement = scene.world.statement
    scene.world.values(sub="system:serviceaccount:back:nobody")
    fix = Fault("sts", EXCHANGE, "callback", skip=1, run=lambda: scene.world.trust(**statement))
    scene.world.stage.sandbox.faults.add(fix)
    assert preflight(scene.env, "--wait", "20s")[0] == 0


def test_what_can_t_change_is_not_waited_for(scene: Scene) -> None:
    """A container's variables stay as they are: a long wait ends at once."""
    scene.env.pop("AWS_WEB_IDENTITY_TOKEN_FILE")
    started = time.monotonic()
    assert preflight(scene.env, "--wait", "600s")[0] == 5
    assert time.monotonic() - started < 30.0


def test_the_time_to_wait_ends(scene: Scene) -> None:
    code, item = preflight({**scene.env, "AWS_ENDPOINT_URL_STS": CLOSED}, "--wait", "0.2s")
    assert (code, "refuses connections" in said(item)) == (1, True)


def _token_of_another(scene: Scene) -> str:
    scene.world.account_named("other")
    scene.world.pod("other", "other")
    pod = scene.world.stage.kube.get(f"/api/v1/namespaces/{scene.world.namespace}/pods/other").body
    return scene.token(pod, {"audience": "sts.amazonaws.com", "expirationSeconds": 600})


def test_the_scene_is_that_of_the_binding(scene: Scene) -> None:
    assert scene.world.subject.endswith(NAME)
