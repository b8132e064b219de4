"""No secret in what is told of others' texts, and no more of it than a person reads."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.values.shown import LONGEST, redacted


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


CLAIMS = part(json.dumps({"sub": "system:serviceaccount:a:b"}))
JWT = f"{part(json.dumps({'alg': 'RS256'}))}.{CLAIMS}.c2lnbmF0dXJl"
EKS = f"k8s-aws-v1.{part('https://sts.amazonaws.com/?X-Amz-Signature=abc')}"
SECRETS = {
    "jwt": JWT,
    "eks token": EKS,
    "presigned": "X-Amz-Signature=0123456789abcdef0123456789abcdef",
    "presigned, escaped": "X-Amz-Security-Token%3DIQoJb3JpZ2luX2VjE",
    "key id": "ASIAIOSFODNN7EXAMPLE",
    "secret key": "SecretAccessKey: wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "secret in JSON": '"secretAccessKey": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"',
    "secret in XML": "<SecretAccessKey>wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY</SecretAccessKey>",
    "session token": "AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEXAMPLETOKEN",
    "bearer": "Authorization: Bearer abcdefghijklmnop",
    "form": "RoleSessionName=irsa&WebIdentityToken=abcdefghijklmnop",
    "key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@given(before=st.text(max_size=50), after=st.text(max_size=50))
def test_secrets_go(secret: str, before: str, after: str) -> None:
    told = redacted(f"{before} {secret} {after}")
    payload = max(re.sub(r'["<>]', " ", secret).split(), key=len)
    value = payload.rpartition("=")[2] or payload
    assert value not in told


@given(st.text(max_size=20_000))
def test_no_text_is_longer_than_a_person_reads(text: str) -> None:
    assert len(redacted(text)) <= LONGEST + 1


@pytest.mark.parametrize(
    "text",
    [
        "User: arn:aws:sts::111122223333:assumed-role/ci/s is not authorized to perform: iam:CreateRole",
        "serviceaccounts is forbidden: User cannot get resource in the namespace secret-store",
        "The security token included in the request is expired",
        "Role demo-backend-reader-1a2b3c4d already exists",
        "access key and secret key are read from the environment",
    ],
)
def test_what_a_person_needs_stays(text: str) -> None:
    assert redacted(text) == text
