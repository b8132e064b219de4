"""Settings of containers: the suspect ones are no problem and no all-clear, the harmless ones no alarm."""

from __future__ import annotations

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
from tests.support.documents import Json, doc
from tests.support.thoroughness import examples
from tests.unit.current import (
    FOLDER,
    ROLE,
    ROLE_ARN,
    Change,
    account,
    around,
    bare_pod,
    both,
    container,
    env,
    pod,
    working,
)
from tests.unit.doctor.diagnosis_cases import (
    FOREIGN,
    SKIPPING,
    from_config_map,
    proxied,
    unasked,
    with_bare,
    with_container,
    with_env,
    with_pod,
    words,
)

"""A sidecar that calls storage which is not AWS's."""


def judged(change: Change) -> tuple[dict[str, Verdict], list[str]]:
    """The verdicts, and what is undecided."""
    facts = change(working())
    found = judge(facts)
    return {item.cause.id: item.verdict for item in found}, [
        item.cause.id for item in undecided(facts, found)
    ]


def cases(texts: str) -> list[tuple[str, str]]:
    """Lines of a cause and the variables of a container."""
    parts = (line.strip().partition(": ") for line in texts.splitlines())
    return [(cause, variables) for cause, _, variables in parts]


@pytest.mark.parametrize(
    ("cause", "variables"),
    cases(
        """pod-profile: AWS_PROFILE=prod
        pod-profile: AWS_PROFILE
        pod-credentials-file: AWS_SHARED_CREDENTIALS_FILE=/secrets/aws
        pod-endpoint: AWS_ENDPOINT_URL_STS=http://proxy.internal
        pod-endpoint: AWS_ENDPOINT_URL_STS
        pod-endpoint: AWS_ENDPOINT_URL
        pod-endpoint: AWS_ENDPOINT_URL=http://user:secret@minio
        pod-endpoint: AWS_ENDPOINT_URL=http://minio AWS_ENDPOINT_URL_STS
        pod-endpoint: AWS_ENDPOINT_URL=http://minio AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
        pod-identity-proxy: NO_PROXY=169.254.0.0/16"""
    ),
)
def test_what_is_suspect_is_no_problem_and_no_all_clear(cause: str, variables: str) -> None:
    change = proxied(variables) if cause == "pod-identity-proxy" else with_env(variables)
    verdicts, open_causes = judged(both(around(events=()), change))
    assert Verdict.PROBLEM not in verdicts.values()
    assert cause in open_causes


HARMLESS = """AWS_PROFILE=
AWS_ENDPOINT_URL_S3=http://minio
AWS_ENDPOINT_URL=https://sts.eu-west-1.amazonaws.com
AWS_ENDPOINT_URL=http://minio AWS_ENDPOINT_URL_STS=https://sts.eu-west-1.amazonaws.com
AWS_ENDPOINT_URL=http://minio AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true
AWS_ENDPOINT_URL=http://minio AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=True
AWS_ENDPOINT_URL=
AWS_ENDPOINT_URL_STS=https://sts.amazonaws.com AWS_STS_REGIONAL_ENDPOINTS=legacy
AWS_ENDPOINT_URL_STS=https://vpce-1.sts.eu-west-1.vpce.amazonaws.com
AWS_ENDPOINT_URL_STS=https://sts.cn-north-1.amazonaws.com.cn
AWS_ENDPOINT_URL_STS=https://sts.eu-west-1.api.aws
AWS_ENDPOINT_URL AWS_ENDPOINT_URL_STS=https://sts.eu-west-1.amazonaws.com
AWS_EC2_METADATA_DISABLED=true
HTTPS_PROXY=x"""
BACKUP = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y AWS_ENDPOINT_URL=minio"


@pytest.mark.parametrize(
    "change",
    [
        *map(with_env, HARMLESS.splitlines()),
        # A sidecar that calls storage which is not AWS's.
        with_pod(containers=(container(), container(name="backup", env={**env(), **words(BACKUP)}))),
        proxied("NO_PROXY=10.0.0.0/8,169.254.170.23"),
        with_pod(containers=(container(), container(name="s", env={"AWS_ACCESS_KEY_ID": "x"}))),
        around(pods=(pod(), bare_pod(name="debug", labels=SKIPPING, owner=""))),
        around(pods=(pod(), bare_pod(ending=True))),
        with_pod(containers=(container(), container(name="init", init=True, env=env()))),
    ],
)
def test_what_is_harmless_is_no_alarm(change: Change) -> None:
    verdicts, open_causes = judged(change)
    assert Verdict.PROBLEM not in verdicts.values()
    assert open_causes == []


def brought(volume: Volume, path: str = "/root/.aws") -> Change:
    """A pod with this volume there, whose container STS was not seen to be asked by."""
    item = container(mounts={"aws": path, "aws-iam-token": FOLDER})
    volumes = (Volume("aws-iam-token", "sts.amazonaws.com"), volume)
    return both(around(events=()), with_pod(containers=(item,), volumes=volumes))


SUSPECT = """pod-setting: AWS_REGION=eu-west-9
pod-setting: AWS_DEFAULT_REGION=eu-west-1a
pod-setting: AWS_USE_FIPS_ENDPOINT
pod-setting: AWS_USE_FIPS_ENDPOINT=true AWS_REGION AWS_DEFAULT_REGION
pod-setting: AWS_USE_FIPS_ENDPOINT=yes
pod-setting: AWS_STS_REGIONAL_ENDPOINTS=global
pod-setting: AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=v6
pod-setting: AWS_ACCESS_KEY=x AWS_SECRET_KEY=y
pod-sts-proxy: HTTPS_PROXY=http://proxy:3128
pod-sts-proxy: https_proxy NO_PROXY=amazonaws.com.example,s3.amazonaws.com
pod-sts-proxy: HTTPS_PROXY=http://proxy:3128 NO_PROXY
pod-sts-proxy: ALL_PROXY=x NO_PROXY=sts.eu-west-1.amazonaws.com AWS_REGION=eu-west-3"""


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        *((cause, unasked(variables)) for cause, variables in cases(SUSPECT)),
        ("pod-credentials-file", brought(Volume("aws", secrets=("keys",)))),
        ("pod-credentials-file", brought(Volume("aws", config_maps=("config",)))),
        ("pod-credentials-file", brought(Volume("aws", secrets=("k",)), "/root/.aws/credentials")),
        (
            "pod-static-credentials",
            both(around(events=()), with_container(sources=("secret/aws-keys",))),
        ),
    ],
)
def test_what_sdks_may_fail_with_is_suspect_until_sts_has_answered(cause: str, change: Change) -> None:
    verdicts, open_causes = judged(change)
    assert Verdict.PROBLEM not in verdicts.values()
    assert cause in open_causes
    assert cause not in judged(both(change, around(events=working().named.events)))[1]


TAKEN = """AWS_REGION=us-east-1
AWS_REGION=aws-global
AWS_REGION
AWS_USE_FIPS_ENDPOINT=true AWS_REGION=us-east-1
AWS_USE_FIPS_ENDPOINT=false
AWS_USE_FIPS_ENDPOINT=true AWS_ENDPOINT_URL_STS=https://sts.eu-west-1.amazonaws.com
AWS_ROLE_SESSION_NAME=
AWS_ROLE_SESSION_NAME
AWS_ROLE_SESSION_NAME=me@example.com
HTTP_PROXY=http://proxy:3128
HTTPS_PROXY=http://proxy:3128 NO_PROXY='10.0.0.0/8, .amazonaws.com'
HTTPS_PROXY=http://proxy:3128 no_proxy=*
HTTPS_PROXY=
AWS_MAX_ATTEMPTS=5 AWS_RETRY_MODE=adaptive
AWS_EC2_METADATA_SERVICE_ENDPOINT=http://imds.example"""


def test_a_setting_that_sdks_take_is_no_alarm() -> None:
    taken = {text: unasked(text) for text in TAKEN.splitlines()}
    for text, change in {**taken, "config map": from_config_map("configmap/app", "LOG_LEVEL")}.items():
        for cause in ("pod-setting", "pod-sts-proxy", "pod-static-credentials"):
            assert judged(change)[0][cause] is Verdict.OK, (text, cause)


def test_every_variable_of_the_table_is_judged_or_says_why_not() -> None:
    assert len({row["name"] for row in VARIABLES}) == len(VARIABLES)
    for row in VARIABLES:
        assert set(row["sdks"]) <= {"botocore", "go", "java", "js", "net", "rust"}
        assert row["what"] in ("identity", "region", "endpoint", "proxy")
        assert row["check"] in CAUSES if row["check"] else row["why"]


@pytest.mark.parametrize("row", [row for row in VARIABLES if row["check"]], ids=lambda row: row["name"])
def test_the_cause_that_the_table_names_looks_at_the_variable(row: Json) -> None:
    """Some value of it, or that it is there, changes what the cause says."""
    cause, name = CAUSES[row["check"]], row["name"]
    befores = ("", "HTTPS_PROXY=x", "AWS_ENDPOINT_URL=http://minio", "AWS_REGION AWS_DEFAULT_REGION")
    values = ("", "=", "=true", "='x y'", "=*", "=https://sts.amazonaws.com", "=eu-west-9")
    assert any(
        cause.judge(unasked(f"{before} {name}{value}")(working())) != cause.judge(unasked(before)(working()))
        for before in befores
        for value in values
    )


def test_a_role_in_the_way_of_kube2iam_is_a_hint() -> None:
    change = with_bare(annotations={"iam.amazonaws.com/role": "reader"})
    assert judged(change)[0]["pod-old-annotation"] is Verdict.UNKNOWN


def test_containers_that_begin_a_pod_are_read_and_passwords_are_not() -> None:
    found = kinds.pod(
        doc(
            """{"metadata": {"namespace": "a", "name": "b"}, "spec": {"containers": [], "initContainers": [
            {"name": "init", "env": [{"name": "AWS_ENDPOINT_URL", "value": "http://u:secret@minio"}]}]}}"""
        )
    )
    assert [item.init for item in found.containers] == [True]
    assert "secret" not in repr(found)


NONE_OF_STS = """AWS_ENDPOINT_URL=http://[bad
AWS_ENDPOINT_URL_STS=http://[bad
AWS_ENDPOINT_URL=minio.storage:9000
AWS_ENDPOINT_URL=http://minio AWS_ENDPOINT_URL_STS=
AWS_ENDPOINT_URL=https://sts.amazonaws.com.example
AWS_ENDPOINT_URL=https://xsts.eu-west-1.amazonaws.com"""


def test_an_endpoint_that_is_none_of_sts_is_a_problem() -> None:
    for variables in NONE_OF_STS.splitlines():
        assert judged(with_env(variables))[0]["pod-endpoint"] is Verdict.PROBLEM, variables


@pytest.mark.parametrize("value", ["", "_STS", "_STS='https://user:secret@proxy.internal/path?key=secret'"])
def test_an_endpoint_behind_which_sts_has_answered_is_no_alarm(value: str) -> None:
    facts = with_env(f"AWS_ENDPOINT_URL{value}")(working())
    found = judge(facts)
    (item,) = (item for item in found if item.cause.id == "pod-endpoint")
    assert item.verdict is Verdict.UNKNOWN
    assert undecided(facts, found) == ()
    assert "secret" not in str(item)


@given(st.text(max_size=60) | st.from_regex(r"https?://[^\x00]{0,20}", fullmatch=True))
@settings(max_examples=examples(200))
def test_no_endpoint_is_too_strange_to_be_judged(text: str) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
        judged(with_container(env={**env(), name: text}))


MAP = (Volume("aws", config_maps=("reports-aws",)), Volume("aws-iam-token", "sts.amazonaws.com"))
LEFT = "AWS_PROFILE=target AWS_WEB_IDENTITY_TOKEN_FILE= AWS_REGION=eu-west-1"
FILE = "AWS_CONFIG_FILE=/etc/aws/config"


def chained(text: str, mount: str = "/etc/aws", volumes: tuple[Volume, ...] = MAP) -> Change:
    """A ServiceAccount with a ConfigMap of irsa's, and a pod with it mounted there and these variables."""
    marks = {ROLE_ARN: ROLE, TARGET_ANNOTATION: FOREIGN, CONFIG_MAP_ANNOTATION: "reports-aws"}
    item = container(env=words(text), mounts={"aws": mount, "aws-iam-token": FOLDER})
    return around(account=account(annotations=marks), pods=(pod(containers=(item,), volumes=volumes),))


def test_who_takes_the_profile_of_the_config_map_is_right() -> None:
    for variables, mount in (
        (f"{LEFT} {FILE}", "/etc/aws"),
        (f"{LEFT} {FILE}", "/etc/aws/"),
        (f"{LEFT} {FILE}", "/etc/aws/config"),
        (LEFT, "/root/.aws"),
        (LEFT, "/home/app/.aws/config"),
    ):
        verdicts, _ = judged(chained(variables, mount))
        for cause in ("chain-pod", "pod-profile", "pod-credentials-file", "pod-env-partial", "pod-unseen"):
            assert verdicts[cause] is Verdict.OK, (variables, mount, cause)


@pytest.mark.parametrize(
    "change",
    [
        chained(LEFT),
        chained(f"{LEFT} AWS_CONFIG_FILE=/etc/awsome/config"),
        chained(f"{LEFT} AWS_CONFIG_FILE"),
        chained(f"{LEFT} {FILE}", volumes=(Volume("aws"),)),
        chained(f"{LEFT} {FILE} AWS_PROFILE=other"),
        chained(f"{LEFT} {FILE} AWS_PROFILE"),
        chained(FILE),
    ],
)
def test_who_does_not_take_it_is_found(change: Change) -> None:
    assert judged(change)[0]["chain-pod"] is Verdict.UNKNOWN
