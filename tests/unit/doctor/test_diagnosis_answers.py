"""What STS has answered decides: a refusal that nothing explains, calls that were never seen, and hints."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from irsa_cli.cli.output.results.doctor import lines
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge, undecided
from irsa_cli.core.doctor.facts import EksFacts, Facts
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.objects.kinds import Volume
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.values.errors import Unreadable
from tests.support.documents import Json
from tests.unit.current import (
    CLUSTER,
    FOLDER,
    NOW,
    ROLE,
    Change,
    annotated,
    around,
    bare_pod,
    both,
    container,
    env,
    of_cluster,
    pod,
    trusting,
    working,
)
from tests.unit.doctor.diagnosis_cases import with_container, with_env, with_pod

MINUTE = timedelta(minutes=1)
OTHER_ROLE = f"{ROLE}-2"
RELEASE = {"app.kubernetes.io/instance": "shop"}


def event(
    error: str = "", message: str = "", *, ago: int = 10, role: str = ROLE, own: bool = False
) -> TrailEvent:
    return TrailEvent(NOW - ago * MINUTE, role, error, message, own=own)


def answered(*events: TrailEvent) -> Change:
    return around(events=events)


def found(facts: Facts) -> dict[str, Finding]:
    return {item.cause.id: item for item in judge(facts)}


def whole(facts: Facts) -> Diagnosis:
    every = judge(facts)
    return Diagnosis(CLUSTER, every, examined(facts, every))


def suspects(facts: Facts) -> list[str]:
    return [item.cause.id for item in undecided(facts, judge(facts))]


def last(diagnosis: Diagnosis) -> str:
    """The line that says what all of it means."""
    return list(lines(diagnosis, everything=False))[-1]


INVALID, DENIED = "InvalidIdentityToken", "AccessDenied"


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ([event(DENIED)], "sts-refused"),
        ([event(DENIED), event(ago=20)], "sts-refused"),
        ([event(INVALID)], "sts-refused"),
        ([event(INVALID, "No OpenIDConnect provider found in your account for x")], "sts-region"),
        ([event(INVALID, "The ID Token provided is not a valid JWT")], "token-malformed"),
        ([event(DENIED, role=OTHER_ROLE), event(ago=20)], "sts-refused"),
        # irsa was refused, too: that it was admitted before says nothing.
        ([event(DENIED), event(ago=20, own=True)], "sts-refused"),
    ],
)
def test_a_refusal_that_nothing_explains_is_no_all_clear(events: list[TrailEvent], named: str) -> None:
    facts = answered(*events)(working())
    assert suspects(facts) == [named]
    diagnosis = whole(facts)
    assert (diagnosis.problems, diagnosis.exit_code) == ((), 1)
    assert f"({named}) (exit 1)" in last(diagnosis)


def test_the_refusal_is_told_in_its_own_words() -> None:
    facts = answered(event(DENIED, "with an explicit deny in a resource control policy"))(working())
    text = found(facts)["sts-refused"].judgement.text
    assert "AccessDenied: with an explicit deny in a resource control policy at 2026-05-01T11:50" in text


def test_a_refusal_of_earlier_days_decides_nothing() -> None:
    """The next one was admitted, the refused pods are gone, or a token of irsa's was admitted after it."""
    for events in (
        [event(), event(DENIED, ago=20)],
        [event(DENIED, ago=90)],
        [event(ago=5, own=True), event(DENIED)],
        # The pods' annotation was another one: theirs are gone, too.
        [event(), event(DENIED, ago=90, role=OTHER_ROLE)],
    ):
        facts = answered(*events)(working())
        assert suspects(facts) == []
        assert whole(facts).exit_code == 0


def test_a_refusal_that_is_explained_is_said_once() -> None:
    for change, problem in (
        (trusting({"Statement": []}), "trust-principal"),
        (of_cluster(provider=None), "provider-missing"),
    ):
        facts = both(change, answered(event(DENIED)))(working())
        assert "sts-refused" not in suspects(facts)
        assert whole(facts).exit_code == 5
        assert found(facts)[problem].verdict is Verdict.PROBLEM
        assert found(facts)["sts-refused"].judgement.follows


def test_pods_that_never_asked_are_no_all_clear_after_a_while() -> None:
    assert suspects(answered()(working())) == ["sts-never-asked"]
    young = around(events=(), pods=(pod(created=NOW - MINUTE),))(working())
    assert suspects(young) == []
    line = last(whole(young))
    assert line.startswith("No problem was found, but CloudTrail shows no call to STS yet")
    assert line.endswith("check sts-never-asked first.")


@pytest.mark.parametrize(
    "change",
    [
        with_env("AWS_REGION=us-east-1"),
        with_env("AWS_STS_REGIONAL_ENDPOINTS=legacy"),
        with_env("AWS_ENDPOINT_URL_STS=https://sts.us-east-1.amazonaws.com"),
        around(account=annotated(role_arn=ROLE, sts_regional_endpoints="false")),
    ],
)
def test_what_is_asked_elsewhere_is_not_called_never(change: Change) -> None:
    facts = both(of_cluster(sts_endpoints=()), answered(), change)(working())
    judged = found(facts)["sts-never-asked"].judgement
    assert (judged.hints, judged.decides) == (True, False)


def test_cloudtrail_that_can_not_be_read_is_said_last() -> None:
    hidden = whole(around(events=Unreadable("not permitted"))(working()))
    assert hidden.exit_code == 0
    assert "cannot see if the application called STS: not permitted" in last(hidden)
    of_many = around(events=Unreadable("one at a time", follows=True))(working())
    assert last(whole(of_many)) == "No problem was found."


def test_hints_of_many_name_the_accounts() -> None:
    proxy = with_pod(containers=(container(), container(name="istio-proxy")))
    facts = both(proxy, around(events=Unreadable("one", follows=True)))(working())
    many = Diagnosis(CLUSTER, accounts=(examined(facts, judge(facts)),))
    assert last(many) == "No problem was found. There are hints for backend/reader: run irsa doctor NAME."


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "check-0"}, "decides"),
        ({"name": "reader-x-workflow", "labels": {}, "owner": "Job/reader-x-workflow"}, "decides"),
        ({"name": "migrate-0", "owner": "Job/migrate"}, "hints"),
        ({"name": "cache-0", "owner": "StatefulSet/cache"}, ""),
        ({"name": "reader-x-0", "labels": {}, "owner": "StatefulSet/reader-x"}, ""),
        ({"annotations": {"helm.sh/hook": "test"}}, ""),
        ({"labels": {"app.kubernetes.io/instance": "other"}}, ""),
        ({"phase": "Succeeded"}, ""),
        ({"service_account": "checks"}, ""),
        ({"containers": (container(),)}, ""),
    ],
)
def test_pods_that_the_application_made_on_default(fields: Json, expected: str) -> None:
    made = {"name": "check-0", "service_account": "default", "owner": "", "labels": RELEASE, **fields}
    change = around(pods=(pod(name="reader-x", labels=RELEASE), bare_pod(**made)))
    item = found(change(working()))["pod-service-account"]
    assert item.verdict is (Verdict.UNKNOWN if expected else Verdict.OK)
    assert item.judgement.decides is (expected == "decides")
    assert item.judgement.hints is (expected == "hints")


def test_whom_only_the_image_names_can_not_be_told_to_read() -> None:
    cases: list[tuple[Json, Verdict]] = [
        ({}, Verdict.UNKNOWN),
        ({"user": 0}, Verdict.OK),
        ({"user": 1000}, Verdict.PROBLEM),
        ({"fs_group": 65534}, Verdict.OK),
        ({"user": 1000, "containers": (container(user=0),)}, Verdict.OK),
    ]
    old = of_cluster(eks=EksFacts("1.18", vpc="vpc-1"))
    for fields, verdict in cases:
        facts = both(old, with_pod(**fields), around(events=()))(working())
        assert found(facts)["pod-token-unreadable"].verdict is verdict, fields
    # STS has seen that it can be read.
    assert found(both(old, with_pod())(working()))["pod-token-unreadable"].verdict is Verdict.OK


def test_an_old_sdk_beside_the_endpoint_of_the_vpc() -> None:
    for image, events, hints in (
        ("app:1", (), True),
        ("public.ecr.aws/aws-cli/aws-cli:2.17.0", (), False),
        ("app:1", (event(),), False),
    ):
        facts = both(with_container(image=image), around(events=events))(working())
        assert found(facts)["sts-global-endpoint"].judgement.hints is hints, image


def test_a_role_to_be_assumed_once_more() -> None:
    for argument, decides in (
        (("--role", ROLE), False),
        ((f"--role-arn={ROLE}",), False),
        ((f"--aws-assume-role={ROLE}",), True),
        (("--aws-assume-role", ROLE), True),
    ):
        judged = found(with_container(arguments=argument)(working()))["pod-role-twice"].judgement
        assert (judged.decides, judged.hints) == (decides, not decides), argument


def test_a_setting_is_not_suspect_where_sts_has_admitted_the_pods() -> None:
    for text in ("AWS_PROFILE=app", "AWS_SHARED_CREDENTIALS_FILE=/a", "AWS_PROFILE"):
        assert suspects(with_env(text)(working())) == []
        assert suspects(both(with_env(text), answered(event(ago=90)))(working())) != []


def test_a_configuration_that_is_mounted_is_a_hint() -> None:
    mounted = with_container(mounts={"aws-iam-token": FOLDER, "own": "/root/.aws"})
    for change in (mounted, with_env("AWS_CONFIG_FILE=/a")):
        assert found(change(working()))["pod-credentials-file"].judgement.hints
    nothing = with_env("AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null")
    assert found(nothing(working()))["pod-credentials-file"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("volumes", "variables", "by_hand"),
    [
        # The webhook puts its volume first, and its variables behind the region.
        ((Volume("aws-iam-token", "vault"), Volume("data")), env(), False),
        ((Volume("data"), Volume("aws-iam-token", "vault")), env(), True),
        (
            (Volume("aws-iam-token", "vault"),),
            {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/token", "AWS_ROLE_ARN": ROLE, **env()},
            True,
        ),
    ],
)
def test_an_audience_of_the_template_is_put_right_there(
    volumes: tuple[Volume, ...], variables: dict[str, str | None], by_hand: bool
) -> None:
    facts = around(pods=(pod(volumes=volumes, containers=(container(env=variables),)),))(working())
    fix = found(facts)["pod-audience-differs"].judgement.fix
    assert fix.startswith("kubectl -n backend edit deployment reader") is by_hand
    assert ("rollout restart" in fix) is not by_hand
    assert by_hand or fix.splitlines()[1].startswith("# if their template")


def test_a_sidecar_for_which_the_application_waits_is_no_hint() -> None:
    proxy = container(name="istio-proxy", env={}, mounts={})
    held = {"proxy.istio.io/config": "holdApplicationUntilProxyStarts: true"}
    for change, hints in (
        (with_pod(containers=(container(), proxy)), True),
        (with_pod(containers=(container(), proxy), annotations=held), False),
        (with_pod(containers=(container(), replace(proxy, init=True))), False),
    ):
        facts = both(change, around(events=()))(working())
        assert found(facts)["pod-mesh"].judgement.hints is hints
