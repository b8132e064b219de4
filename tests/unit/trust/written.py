"""Statements of trust policies as JSON, and one token that they admit or don't."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from tests.support.documents import Json, doc

P = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{P}"
SUB, AUD = "system:serviceaccount:backend:reader", "sts.amazonaws.com"
TOKEN = WebIdentity(PROVIDER, f"https://{P}", SUB, AUD)
S, A = f"{P}:sub", f"{P}:aud"


def written(text: str) -> Any:
    """JSON in which `<P>` is the issuer, `<SUB>` the token's subject, and `<PROVIDER>` the provider's ARN."""
    return doc(text, P=P, SUB=SUB, PROVIDER=PROVIDER)


def allow(text: str = "{}", **elements: Any) -> Json:
    """An Allow for the provider with these elements, as JSON and as they are; null takes one away."""
    base = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ACTION}
    whole = {**base, **written(text), **elements}
    return {key: value for key, value in whole.items() if value is not None}


def on(text: str, **elements: Any) -> Json:
    """The same with this condition."""
    return allow(**elements, Condition=written(text))


def policy(*statements: Any, **elements: Any) -> Json:
    """A document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements), **elements}
