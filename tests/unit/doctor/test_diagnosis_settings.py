"""Settings of containers: the suspect ones are no problem and no all-clear, the harmless ones no alarm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.causes.settings import VARIABLES
from irsa_cli.core.doctor.diagnosis import judge, undecided
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import Volume
from irsa_cli.core.plan.states import CONFIG_MAP_ANNOTATION, TARGET_ANNOTATION
from tests.support.thoroughness import examples
from tests.unit.current import (
    FOLDER,
    ROLE,
    ROLE_ARN,
    Change,
    account,
    around,
    bare_pod,
    container,
    env,
    pod,
    working,
)
from tests.unit.doctor.diagnosis_cases import (
    FOREIGN,
    behind_proxy,
    from_config_map,
    pod_identity,
    unasked,
    with_env,
)

OWN_KEYS = env(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y", AWS_ENDPOINT_URL="minio")
"""A sidecar that calls storage which is not AWS's."""
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
        ("pod-endpoint", with_env(AWS_ENDPOINT_URL_STS=None)),
        ("pod-endpoint", with_env(AWS_ENDPOINT_URL=None)),
        ("pod-endpoint", with_env(AWS_ENDPOINT_URL="http://user:secret@minio")),
        ("pod-endpoint", with_env(AWS_ENDPOINT_URL="http://minio", AWS_ENDPOINT_URL_STS=None)),
        (
            "pod-endpoint",
            with_env(AWS_ENDPOINT_URL="http://minio", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=None),
        ),
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
        with_env(AWS_ENDPOINT_URL="http://minio", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="True"),
        with_env(AWS_ENDPOINT_URL=""),
        around(pods=(pod(containers=(container(), container(name="backup", env=OWN_KEYS))),)),
        with_env(AWS_ENDPOINT_URL_STS="https://sts.amazonaws.com", AWS_STS_REGIONAL_ENDPOINTS="legacy"),
        with_env(AWS_ENDPOINT_URL_STS="https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"),
        with_env(AWS_ENDPOINT_URL_STS="https://sts.cn-north-1.amazonaws.com.cn"),
        with_env(AWS_ENDPOINT_URL_STS="https://sts.eu-west-1.api.aws"),
        with_env(AWS_ENDPOINT_URL=None, AWS_ENDPOINT_URL_STS="https://sts.eu-west-1.amazonaws.com"),
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


AT_HOME = {"aws": "/root/.aws", "aws-iam-token": FOLDER}


def brought(volume: Volume, mounts: dict[str, str] = AT_HOME) -> Change:
    item = container(mounts=mounts)
    return around(
        events=(),
        pods=(pod(containers=(item,), volumes=(Volume("aws-iam-token", "sts.amazonaws.com"), volume)),),
    )


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("pod-setting", unasked(AWS_REGION="eu-west-9")),
        ("pod-setting", unasked(AWS_DEFAULT_REGION="eu-west-1a")),
        ("pod-setting", unasked(AWS_USE_FIPS_ENDPOINT=None)),
        ("pod-setting", unasked(AWS_USE_FIPS_ENDPOINT="true", AWS_REGION=None, AWS_DEFAULT_REGION=None)),
        ("pod-setting", unasked(AWS_USE_FIPS_ENDPOINT="yes")),
        ("pod-setting", unasked(AWS_STS_REGIONAL_ENDPOINTS="global")),
        ("pod-setting", unasked(AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE="v6")),
        ("pod-setting", unasked(AWS_ACCESS_KEY="x", AWS_SECRET_KEY="y")),
        ("pod-sts-proxy", unasked(HTTPS_PROXY="http://proxy:3128")),
        ("pod-sts-proxy", unasked(https_proxy=None, NO_PROXY="amazonaws.com.example,s3.amazonaws.com")),
        ("pod-sts-proxy", unasked(HTTPS_PROXY="http://proxy:3128", NO_PROXY=None)),
        (
            "pod-sts-proxy",
            unasked(ALL_PROXY="x", NO_PROXY="sts.eu-west-1.amazonaws.com", AWS_REGION="eu-west-3"),
        ),
        ("pod-credentials-file", brought(Volume("aws", secrets=("keys",)))),
        ("pod-credentials-file", brought(Volume("aws", config_maps=("config",)))),
        (
            "pod-credentials-file",
            brought(Volume("aws", secrets=("k",)), {**AT_HOME, "aws": "/root/.aws/credentials"}),
        ),
        (
            "pod-static-credentials",
            around(events=(), pods=(pod(containers=(container(sources=("secret/aws-keys",)),)),)),
        ),
    ],
)
def test_what_sdks_may_fail_with_is_suspect_until_sts_has_answered(cause: str, change: Change) -> None:
    facts = change(working())
    found = judge(facts)
    assert Verdict.PROBLEM not in {item.verdict for item in found}
    assert cause in [item.cause.id for item in undecided(facts, found)]
    answered = around(events=working().named.events)(facts)
    assert cause not in [item.cause.id for item in undecided(answered, judge(answered))]


@pytest.mark.parametrize(
    "change",
    [
        unasked(AWS_REGION="us-east-1"),
        unasked(AWS_REGION="aws-global"),
        unasked(AWS_REGION="$(REGION)"),
        unasked(AWS_USE_FIPS_ENDPOINT="true", AWS_REGION="us-east-1"),
        unasked(AWS_USE_FIPS_ENDPOINT="false"),
        unasked(AWS_USE_FIPS_ENDPOINT="true", AWS_ENDPOINT_URL_STS="https://sts.eu-west-1.amazonaws.com"),
        unasked(AWS_ROLE_SESSION_NAME=""),
        unasked(AWS_ROLE_SESSION_NAME=None),
        unasked(AWS_ROLE_SESSION_NAME="me@example.com"),
        unasked(AWS_ROLE_SESSION_NAME="$(POD_NAME)"),
        unasked(HTTP_PROXY="http://proxy:3128"),
        unasked(HTTPS_PROXY="http://proxy:3128", NO_PROXY="10.0.0.0/8, .amazonaws.com"),
        unasked(HTTPS_PROXY="http://proxy:3128", no_proxy="*"),
        unasked(HTTPS_PROXY=""),
        unasked(AWS_MAX_ATTEMPTS="5", AWS_RETRY_MODE="adaptive"),
        unasked(AWS_EC2_METADATA_SERVICE_ENDPOINT="http://imds.example"),
        from_config_map("configmap/app", "LOG_LEVEL"),
    ],
)
def test_a_setting_that_sdks_take_is_no_alarm(change: Change) -> None:
    found = {item.cause.id: item.verdict for item in judge(change(working()))}
    for cause in ("pod-setting", "pod-sts-proxy", "pod-static-credentials"):
        assert found[cause] is Verdict.OK, cause


def test_every_variable_of_the_table_is_judged_or_says_why_not() -> None:
    assert len({row["name"] for row in VARIABLES}) == len(VARIABLES)
    for row in VARIABLES:
        assert set(row["sdks"]) <= {"botocore", "go", "java", "js", "net", "rust"}
        assert row["what"] in ("identity", "region", "endpoint", "proxy")
        assert row["check"] in CAUSES if row["check"] else row["why"]


@pytest.mark.parametrize("row", [row for row in VARIABLES if row["check"]], ids=lambda row: row["name"])
def test_the_cause_that_the_table_names_looks_at_the_variable(row: dict[str, Any]) -> None:
    """Some value of it, or that it is there, changes what the cause says."""
    alone = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"))
    befores: tuple[dict[str, str | None], ...] = (
        {},
        {"HTTPS_PROXY": "x"},
        {"AWS_ENDPOINT_URL": "http://minio"},
        alone,
    )
    cause = CAUSES[row["check"]]
    changed = [
        before
        for before in befores
        for value in (None, "", "true", "x y", "*", "https://sts.amazonaws.com", "eu-west-9")
        if cause.judge(unasked(**{**before, row["name"]: value})(working()))
        != cause.judge(unasked(**before)(working()))
    ]
    assert changed


def test_a_role_in_the_way_of_kube2iam_is_a_hint() -> None:
    change = around(pods=(bare_pod(annotations={"iam.amazonaws.com/role": "reader"}),))
    assert verdicts(change)["pod-old-annotation"] is Verdict.UNKNOWN


def test_containers_that_begin_a_pod_are_read_and_passwords_are_not() -> None:
    first = {"name": "init", "env": [{"name": "AWS_ENDPOINT_URL", "value": "http://u:secret@minio"}]}
    body = {
        "metadata": {"namespace": "a", "name": "b"},
        "spec": {"containers": [], "initContainers": [first]},
    }
    found = kinds.pod(body)
    assert [item.init for item in found.containers] == [True]
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "http://[bad"},
        {"AWS_ENDPOINT_URL_STS": "http://[bad"},
        {"AWS_ENDPOINT_URL": "minio.storage:9000"},
        {"AWS_ENDPOINT_URL": "http://minio", "AWS_ENDPOINT_URL_STS": ""},
        {"AWS_ENDPOINT_URL": "https://sts.amazonaws.com.example"},
        {"AWS_ENDPOINT_URL": "https://xsts.eu-west-1.amazonaws.com"},
    ],
)
def test_an_endpoint_that_is_none_of_sts_is_a_problem(variables: dict[str, str | None]) -> None:
    assert verdicts(with_env(**variables))["pod-endpoint"] is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", None),
        ("AWS_ENDPOINT_URL_STS", None),
        ("AWS_ENDPOINT_URL_STS", "https://user:secret@proxy.internal/path?key=secret"),
    ],
)
def test_an_endpoint_behind_which_sts_has_answered_is_no_alarm(name: str, value: str | None) -> None:
    facts = with_env(**{name: value})(working())
    found = judge(facts)
    (judged,) = (item for item in found if item.cause.id == "pod-endpoint")
    assert judged.verdict is Verdict.UNKNOWN
    assert undecided(facts, found) == ()
    assert "secret" not in str(judged)


@given(st.text(max_size=60) | st.from_regex(r"https?://[^\x00]{0,20}", fullmatch=True))
@settings(max_examples=examples(200))
def test_no_endpoint_is_too_strange_to_be_judged(text: str) -> None:
    verdicts(with_env(AWS_ENDPOINT_URL=text))
    verdicts(with_env(AWS_ENDPOINT_URL_STS=text))


MAP = (Volume("aws", config_maps=("reports-aws",)), Volume("aws-iam-token", "sts.amazonaws.com"))
LEFT: dict[str, str | None] = {
    "AWS_PROFILE": "target",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "",
    "AWS_REGION": "eu-west-1",
}
FILE: dict[str, str | None] = {"AWS_CONFIG_FILE": "/etc/aws/config"}


def chained(
    variables: dict[str, str | None], mount: str = "/etc/aws", volumes: tuple[Volume, ...] = MAP
) -> Change:
    """A ServiceAccount with a ConfigMap of irsa's, and a pod with it mounted there and these variables."""
    marks = {ROLE_ARN: ROLE, TARGET_ANNOTATION: FOREIGN, CONFIG_MAP_ANNOTATION: "reports-aws"}
    item = container(env=variables, mounts={"aws": mount, "aws-iam-token": FOLDER})
    return around(account=account(annotations=marks), pods=(pod(containers=(item,), volumes=volumes),))


@pytest.mark.parametrize(
    "change",
    [
        chained({**LEFT, **FILE}),
        chained({**LEFT, **FILE}, "/etc/aws/"),
        chained({**LEFT, **FILE}, "/etc/aws/config"),
        chained(LEFT, "/root/.aws"),
        chained(LEFT, "/home/app/.aws/config"),
    ],
)
def test_who_takes_the_profile_of_the_config_map_is_right(change: Change) -> None:
    found = verdicts(change)
    for cause in ("chain-pod", "pod-profile", "pod-credentials-file", "pod-env-partial", "pod-unseen"):
        assert found[cause] is Verdict.OK, cause


@pytest.mark.parametrize(
    "change",
    [
        chained(LEFT),
        chained({**LEFT, "AWS_CONFIG_FILE": "/etc/awsome/config"}),
        chained({**LEFT, "AWS_CONFIG_FILE": None}),
        chained({**LEFT, **FILE}, volumes=(Volume("aws"),)),
        chained({**LEFT, **FILE, "AWS_PROFILE": "other"}),
        chained({**LEFT, **FILE, "AWS_PROFILE": None}),
        chained(FILE),
    ],
)
def test_who_does_not_take_it_is_found(change: Change) -> None:
    assert verdicts(change)["chain-pod"] is Verdict.UNKNOWN
