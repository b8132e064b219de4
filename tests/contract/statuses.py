"""Checking the errors of a Kubernetes API."""

from tests.support.kubeclient import Answer, Json


def assert_refused(answer: Answer, code: int, reason: str, message: str | None = None) -> Json:
    """Check that `answer` is a well-formed `Status` with these values; returns its details."""
    assert answer.status == code, answer.text
    body = answer.body
    assert {key: body.get(key) for key in ("kind", "apiVersion", "status", "code", "reason")} == {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
    }
    assert body["message"]
    if message is not None:
        assert body["message"] == message
    details = body.get("details", {})
    assert isinstance(details, dict)
    return details


def causes(answer: Answer) -> set[tuple[str, str]]:
    """Return the field and reason of each cause; the same one may be listed several times."""
    listed = answer.body["details"]["causes"]
    return {(cause["field"], cause["reason"]) for cause in listed}
