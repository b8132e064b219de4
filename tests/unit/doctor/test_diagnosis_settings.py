"""Settings of containers: the suspect ones are no problem and no all-clear, the harmless ones no alarm."""

from __future__ import annotations

import pytest

from irsa_cli.core.doctor.decisive import undecided
from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects import parsing
from tests.unit.current import Change, around, bare_pod, container, env, pod, working
from tests.unit.doctor.diagnosis_cases import behind_proxy, pod_identity, with_env

SKIP = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}


def verdicts(change: Change) -> dict[str, Verdict]:
    return {item.cause.id: item.verdict for item in judge(change(working()))}


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("pod-profile", with_env(AWS_PROFILE="prod")),
        ("pod-profile", with_env(AWS_PROFILE=None)),
        ("pod-credentials-file", with_env(AWS_SHARED_CREDENTIALS_FILE="/secrets/aws")),
        ("pod-endpoint", with_env(AWS_ENDPOINT_URL_STS="http://proxy.internal")),
        ("pod-identity-proxy", pod_identity(pods=(behind_proxy(NO_PROXY="169.254.0.0/16"),))),
    ],
)
def test_what_is_suspect_is_no_problem_and_no_all_clear(cause: str, change: Change) -> None:
    facts = change(around(events=())(working()))
    found = judge(facts)
    assert [item.cause.id for item in found if item.verdict is Verdict.PROBLEM] == []
    assert cause in [item.cause.id for item in undecided(facts, found)]


@pytest.mark.parametrize(
    "change",
    [
        with_env(AWS_PROFILE=""),
        with_env(AWS_ENDPOINT_URL_S3="http://minio"),
        with_env(AWS_ENDPOINT_URL="https://sts.eu-west-1.amazonaws.com"),
        with_env(AWS_ENDPOINT_URL="http://minio", AWS_ENDPOINT_URL_STS="https://sts.eu-west-1.amazonaws.com"),
        with_env(AWS_ENDPOINT_URL="http://minio", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true"),
        with_env(AWS_EC2_METADATA_DISABLED="true"),
        with_env(HTTPS_PROXY="x"),
        pod_identity(pods=(behind_proxy(NO_PROXY="10.0.0.0/8,169.254.170.23"),)),
        around(pods=(pod(containers=(container(), container(name="s", env={"AWS_ACCESS_KEY_ID": "x"}))),)),
        around(pods=(pod(), bare_pod(name="debug", labels=SKIP, owner=""))),
        around(pods=(pod(), bare_pod(ending=True))),
        around(pods=(pod(containers=(container(), container(name="init", init=True, env=env()))),)),
    ],
)
def test_what_is_harmless_is_no_alarm(change: Change) -> None:
    facts = change(working())
    found = judge(facts)
    assert [item.cause.id for item in found if item.verdict is Verdict.PROBLEM] == []
    assert undecided(facts, found) == ()


def test_a_role_in_the_way_of_kube2iam_is_a_hint() -> None:
    change = around(pods=(bare_pod(annotations={"iam.amazonaws.com/role": "reader"}),))
    assert verdicts(change)["pod-old-annotation"] is Verdict.UNKNOWN


def test_containers_that_begin_a_pod_are_read_and_passwords_are_not() -> None:
    first = {"name": "init", "env": [{"name": "AWS_ENDPOINT_URL", "value": "http://u:secret@minio"}]}
    body = {
        "metadata": {"namespace": "a", "name": "b"},
        "spec": {"containers": [], "initContainers": [first]},
    }
    found = parsing.pod(body)
    assert [item.init for item in found.containers] == [True]
    assert "secret" not in repr(found)
