"""The answer of a pod: read strictly, shown safely, and judged by the role that irsa expects."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.core.doctor.causes.answers import INSIDE, expected_role
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.doctor.reported import CONTAINER, PodAnswer, answer_in, state_of
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.values.errors import IrsaError, Unreadable
from irsa_cli.preflight.__main__ import as_json
from irsa_cli.preflight.judge import Conclusion
from irsa_cli.preflight.manifests import manifest
from tests.support.documents import Json
from tests.unit.current import ACCOUNT, CLUSTER, ROLE, around, working

SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/irsa-preflight-1"
OTHER = SESSION.replace("/reader/", "/other/")
WEB = "web identity (IRSA)"


def document(verdict: str = "expected", identity: str | None = SESSION) -> Json:
    """What preflight itself prints."""
    report = Conclusion(verdict, f"The pod is {identity}.", f"the SDK's first source is {WEB}", "do this")
    report.evidence = {"source": {"python": WEB, "go": WEB}, "identity": identity}
    found: Json = json.loads(as_json(report))
    return found


def test_the_answer_is_read() -> None:
    found = answer_in(json.dumps(document()))
    assert found == PodAnswer(
        "expected",
        f"The pod is {SESSION}.",
        SESSION,
        {
            "identity": SESSION,
            "source": WEB,
            "because": f"the SDK's first source is {WEB}",
            "to do": "do this",
        },
    )


def _item(**fields: Any) -> Callable[[Json], None]:
    return lambda whole: whole["items"][0].update(fields)


def _evidence(**fields: Any) -> Callable[[Json], None]:
    return lambda whole: whole["items"][0]["evidence"].update(fields)


@pytest.mark.parametrize(
    "change",
    [
        _item(verdict="fine"),
        _item(verdict=["expected"]),
        _item(sentence=None),
        _item(sentence="x" * 1001),
        _item(cause={"a": "b"}),
        _item(next="do this now and then that"),
        _item(next=["x"] * 11),
        _item(next=[{}]),
        _item(next=None),
        _item(evidence=[]),
        _evidence(identity=""),
        _evidence(identity=None),
        _evidence(identity=7),
        _evidence(identity="admin"),
        _evidence(identity=f"{SESSION}\n"),
        _evidence(identity=f"{SESSION} and more"),
        _evidence(identity=SESSION + "x" * 300),
        _evidence(source=WEB),
        _evidence(source={"go": 1}),
        lambda whole: whole["items"].append(whole["items"][0]),
        lambda whole: whole.update(items=[]),
        lambda whole: whole.update(kind="DiagnosisList"),
        lambda whole: whole.pop("kind"),
    ],
)
def test_anything_else_is_no_answer(change: Callable[[Json], None]) -> None:
    whole = copy.deepcopy(document())
    change(whole)
    with pytest.raises(IrsaError, match="no answer of irsa preflight"):
        answer_in(json.dumps(whole))


@pytest.mark.parametrize("log", ["", "hello", "[]", "7", "null", "[" * 100_000, '{"items": 7}', "{}{}"])
def test_a_log_that_is_no_document(log: str) -> None:
    with pytest.raises(IrsaError, match="no answer of irsa preflight"):
        answer_in(log)


def test_what_the_pod_writes_forges_no_line_and_shows_no_token() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzIn0.c2lnbmF0dXJl"
    whole = document("wrong", None)
    whole["items"][0] |= {
        "sentence": f"\x1b[2J fine\n✓ all is right {token}",
        "cause": "::error::x\r",
        "next": ["kubectl delete\nns backend", "##vso[x]"],
    }
    whole["items"][0]["evidence"]["source"] = {"go": "\u202eodd"}
    found = answer_in(json.dumps(whole))
    shown = [found.sentence, *found.evidence.values()]
    assert all(text.isprintable() for text in shown), shown
    assert not any(token[:20] in text or text.startswith("::") or "##vso" in text for text in shown)


def _judged(answer: PodAnswer | Unreadable) -> tuple[Verdict, bool, str]:
    facts = around(inside=answer)(working())
    (item,) = [item for item in judge(facts) if item.cause.id == INSIDE]
    return item.verdict, item.judgement.decides, item.judgement.text


def _answer(verdict: str, identity: str | None = SESSION) -> PodAnswer:
    return answer_in(json.dumps(document(verdict, identity)))


@pytest.mark.parametrize(
    ("answer", "verdict", "decides"),
    [
        (_answer("expected"), Verdict.OK, False),
        (_answer("expected", OTHER), Verdict.UNKNOWN, True),
        (_answer("expected", SESSION.replace(ACCOUNT, "444455556666")), Verdict.UNKNOWN, True),
        (_answer("expected", f"arn:aws:iam::{ACCOUNT}:user/reader"), Verdict.UNKNOWN, True),
        (_answer("wrong", OTHER), Verdict.PROBLEM, False),
        (_answer("wrong", None), Verdict.PROBLEM, False),
        (_answer("unknown", None), Verdict.UNKNOWN, True),
        (_answer("unknown", OTHER), Verdict.PROBLEM, False),
        (Unreadable("its pod does not start: ImagePullBackOff"), Verdict.UNKNOWN, True),
    ],
)
def test_the_judgement(answer: PodAnswer | Unreadable, verdict: Verdict, decides: bool) -> None:
    assert _judged(answer)[:2] == (verdict, decides)


def test_the_scope_has_the_pod_only_if_it_answered() -> None:
    for answer, expected in ((_answer("expected"), 1), (Unreadable("no quota"), None), (None, None)):
        facts = around(inside=answer)(working())
        findings = judge(facts)
        scope = Diagnosis(CLUSTER, findings, examined(facts, findings)).scope
        assert scope.examined.get("pod seen from inside") == expected
        missed = [item.text for item in scope.not_examined if "pod-inside" in item.text]
        assert bool(missed) == isinstance(answer, Unreadable)


def test_the_expected_role_is_the_one_that_new_pods_get() -> None:
    served = Association("a-1", "arn:aws:iam::111122223333:role/served")
    subject = working().named
    assert expected_role(subject) == ROLE
    for association, role in (
        (served, served.role_arn),
        (Unreadable("not permitted"), ""),
    ):
        assert expected_role(around(association=association)(working()).named) == role
    assert expected_role(around(account=None)(working()).named) == ""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, (False, "new")),
        ({"phase": "Pending"}, (False, "Pending")),
        ({"phase": "Failed", "reason": "Evicted", "message": "low"}, (None, "Evicted: low")),
        ({"state": {"running": {}}, "phase": "Running"}, (False, "Running")),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, (False, "ContainerCreating")),
        ({"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}, (False, "ErrImagePull: no")),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, (None, "ImagePullBackOff")),
        ({"state": {"terminated": {"reason": "Error", "exitCode": 5}}}, (True, "Error")),
        ({"state": {"waiting": {"reason": "a\nb"}}}, (False, "a\\u000ab")),
    ],
)
def test_the_state_of_a_pod(status: Json, expected: tuple[bool | None, str]) -> None:
    state = status.pop("state", None)
    beside = {"name": "istio-proxy", "state": {"terminated": {"reason": "Completed"}}}
    own = [{"name": CONTAINER, "state": state}] if state else []
    assert state_of({"status": {**status, "containerStatuses": [beside, *own]}}) == expected


def test_the_container_has_the_name_in_the_manifest() -> None:
    image = f"i@sha256:{'0' * 64}"
    given = {"manifest": "job", "image": image, "service_account": "a", "namespace": "n", "wait": 0}
    assert f"name: {CONTAINER}\n" in manifest(given)
