"""The answer of a pod: read strictly, shown safely, and judged by the role that irsa expects."""

from __future__ import annotations

import json

import pytest

from irsa_cli.core.doctor.causes.answers import INSIDE, expected_role
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.doctor.reported import CONTAINER, PodAnswer, answer_in, state_of
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.values.errors import IrsaError, Unreadable
from irsa_cli.preflight.__main__ import as_json
from irsa_cli.preflight.judge import Conclusion
from tests.support.documents import Json
from tests.unit.current import ACCOUNT, CLUSTER, ROLE, around, working
from tests.unit.doctor.diagnosis_cases import finding

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
    because = f"the SDK's first source is {WEB}"
    shown = {"identity": SESSION, "source": WEB, "because": because, "to do": "do this"}
    found = answer_in(json.dumps(document()))
    assert found == PodAnswer("expected", f"The pod is {SESSION}.", SESSION, shown)


ITEMS = r"""{"verdict": "fine"}
{"verdict": ["expected"]}
{"sentence": null}
{"cause": {"a": "b"}}
{"next": "do this now and then that"}
{"next": [{}]}
{"next": null}
{"evidence": []}"""
EVIDENCE = rf"""{{"identity": ""}}
{{"identity": null}}
{{"identity": 7}}
{{"identity": "admin"}}
{{"identity": "{SESSION}\n"}}
{{"identity": "{SESSION} and more"}}
{{"identity": "{SESSION}{"x" * 300}"}}
{{"source": "{WEB}"}}
{{"source": {{"go": 1}}}}"""
CHANGES: list[tuple[str, Json]] = [
    *(("item", json.loads(text)) for text in ITEMS.splitlines()),
    ("item", {"sentence": "x" * 1001}),
    ("item", {"next": ["x"] * 11}),
    *(("evidence", json.loads(text)) for text in EVIDENCE.splitlines()),
    ("whole", {"items": document()["items"] * 2}),
    ("whole", {"items": []}),
    ("whole", {"kind": "DiagnosisList"}),
    ("whole", {"kind": None}),
]


def test_anything_else_is_no_answer() -> None:
    for part, change in CHANGES:
        whole = document()
        (item,) = whole["items"]
        {"item": item, "evidence": item["evidence"], "whole": whole}[part].update(change)
        with pytest.raises(IrsaError, match="no answer of irsa preflight"):
            pytest.fail(f"{change} is read as {answer_in(json.dumps(whole))}")


def test_a_log_that_is_no_document() -> None:
    for log in ("", "hello", "[]", "7", "null", "[" * 100_000, '{"items": 7}', "{}{}"):
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
    item = finding(around(inside=answer), INSIDE)
    assert (item.verdict, item.judgement.decides) == (verdict, decides)


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
    for change, role in (
        (around(), ROLE),
        (around(association=served), served.role_arn),
        (around(association=Unreadable("not permitted")), ""),
        (around(account=None), ""),
    ):
        assert expected_role(change(working()).named) == role


STATES = {
    "{}": (False, "new"),
    '{"phase": "Pending"}': (False, "Pending"),
    '{"phase": "Failed", "reason": "Evicted", "message": "low"}': (None, "Evicted: low"),
    '{"state": {"running": {}}, "phase": "Running"}': (False, "Running"),
    '{"state": {"waiting": {"reason": "ContainerCreating"}}}': (False, "ContainerCreating"),
    '{"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}': (False, "ErrImagePull: no"),
    '{"state": {"waiting": {"reason": "ImagePullBackOff"}}}': (None, "ImagePullBackOff"),
    '{"state": {"terminated": {"reason": "Error", "exitCode": 5}}}': (True, "Error"),
    r'{"state": {"waiting": {"reason": "a\nb"}}}': (False, r"a\u000ab"),
}


def test_the_state_of_a_pod() -> None:
    for text, expected in STATES.items():
        status = json.loads(text)
        state = status.pop("state", None)
        beside = {"name": "istio-proxy", "state": {"terminated": {"reason": "Completed"}}}
        own = [{"name": CONTAINER, "state": state}] if state else []
        assert state_of({"status": {**status, "containerStatuses": [beside, *own]}}) == expected, text
