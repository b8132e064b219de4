"""What the Kubernetes API's refusals are taken for."""

import json

import pytest
from kubernetes.client.exceptions import ApiException

from irsa_cli.kube.errors import translate

NOT_CALLED = (
    'Internal error occurred: failed calling webhook "mesh.example.com": failed to call webhook: Post'
    ' "https://mesh.apps.svc:443/inject?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused'
)


def answered(message: str, status: int = 500) -> ApiException:
    """The error of the client for this answer."""
    error = ApiException(status=status, reason="Internal Server Error")
    error.body = json.dumps({"kind": "Status", "message": message, "reason": "InternalError", "code": status})
    return error


@pytest.mark.parametrize(
    ("operation", "message", "passes"),
    [
        ("create pods", NOT_CALLED, False),
        ("create pods", "etcdserver: request timed out", True),
        ("create namespaces", NOT_CALLED, True),
        ("patch serviceaccounts", NOT_CALLED, True),
    ],
)
def test_a_webhook_that_is_not_reached_is_an_answer_only_where_a_pod_is_tried(
    operation: str, message: str, passes: bool
) -> None:
    error = translate(answered(message), operation)
    assert error.transient is passes
    assert error.status == 500
    assert message[:40] in error.reason
