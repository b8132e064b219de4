"""The sandbox's own reading of trust policies. It shares no code with irsa's."""

import json
from typing import Any

from irsa_cli.sandbox.enforce import Who, admits, of_every_request

PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A"
ISSUER = "oidc.example/id/A"
ACTION = "sts:AssumeRoleWithWebIdentity"
CONTEXT = {
    f"{ISSUER}:sub".lower(): ["system:serviceaccount:shop:cart"],
    f"{ISSUER}:aud".lower(): ["sts.amazonaws.com"],
}
EXACT = {f"{ISSUER}:sub": "system:serviceaccount:shop:cart", f"{ISSUER}:aud": "sts.amazonaws.com"}


def _statement(**changes: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ACTION,
        "Condition": {"StringEquals": EXACT},
        **changes,
    }
    return {key: value for key, value in statement.items() if value is not None}


def test_every_request_is_made_now_over_tls() -> None:
    context = {**CONTEXT, **of_every_request()}
    condition = {
        "Bool": {"aws:SecureTransport": "true"},
        "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
        "DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"},
    }
    document = json.dumps({"Statement": _statement(Condition=condition)})
    assert admits(document, ACTION, Who(federated=PROVIDER), context)
