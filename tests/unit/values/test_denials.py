"""What a denial and a refused signature are called: nothing that AWS's own words, or a clock, contradict."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from irsa_cli.aws import errors as aws
from irsa_cli.core.values.attempts import validity_advice
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube import errors as kube
from irsa_cli.kube.errors import HttpRefusal

ASKED = "User: arn:aws:iam::111122223333:user/ci is not authorized to perform: iam:CreateRole on resource: r"
DENIALS = {
    "because no identity-based policy allows the iam:CreateRole action": "missing permission",
    "": "missing permission",
    "with an explicit deny in a service control policy": "explicitly denied by a service control policy",
    "with an explicit deny in an identity-based policy": "explicitly denied by a policy",
    "with an explicit deny in a permissions boundary": "explicitly denied by a permissions boundary",
    "because no service control policy allows the iam:CreateRole action": "not allowed by the ",
    "because no permissions boundary allows the iam:CreateRole action": "not allowed by the ",
    "because no session policy allows the iam:CreateRole action": "not allowed by the ",
}


def answered(code: str, message: str = "no", date: datetime | None = None) -> ServiceError:
    headers = {"date": format_datetime(date, usegmt=True)} if date else {}
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": headers, "RequestId": "1"},
    }
    return aws.translate(ClientError(response, "CreateRole"), "iam", "CreateRole", "r")


@pytest.mark.parametrize("words", DENIALS)
def test_only_a_missing_permission_is_called_one(words: str) -> None:
    error = answered("AccessDenied", f"{ASKED} {words}".strip())
    (detail,) = error.details
    assert detail.startswith(DENIALS[words])
    assert detail.endswith(": iam:CreateRole on r")
    assert words in error.reason


CLOCK = ["SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired"]


@pytest.mark.parametrize("code", [*CLOCK, "RequestInTheFuture"])
@pytest.mark.parametrize(("minutes", "side"), [(-20, "ahead of"), (20, "behind")])
def test_a_wrong_clock_is_said_with_by_how_much(code: str, minutes: int, side: str) -> None:
    theirs = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    (step,) = answered(code, date=theirs).next_steps
    assert "clock" in step
    assert f"s {side}" in step
    assert 1195 < float(step.split(" it is ")[1].split()[0]) < 1205
    refused = HttpRefusal(status=401, reason="Unauthorized")
    refused.headers = {"Date": format_datetime(theirs, usegmt=True)}
    (step,) = kube.translate(refused, "get namespaces").next_steps
    assert f"s {side}" in step


@pytest.mark.parametrize("code", CLOCK)
def test_without_the_time_of_the_answer_the_clock_is_named_all_the_same(code: str) -> None:
    assert "clock" in " ".join(answered(code).next_steps)


def test_with_the_right_time_credentials_are_what_is_left() -> None:
    now = datetime.now(timezone.utc)
    assert "get-caller-identity" in " ".join(answered("SignatureDoesNotMatch", date=now).next_steps)
    assert "get-caller-identity" in " ".join(answered("InvalidClientTokenId", date=now).next_steps)


@pytest.mark.parametrize(("code", "told"), [(9, True), (10, True), (18, False)])
def test_a_certificate_that_is_not_valid_at_this_time(code: int, told: bool) -> None:
    import ssl

    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code = code
    assert bool(validity_advice(OSError(cause))) is told
    steps = " ".join(kube.translate(OSError(cause), "get namespaces").next_steps)
    assert ("clock" in steps) is told


def test_whether_the_caller_may_is_asked_of_a_missing_permission_only() -> None:
    body = '{"kind": "Status", "reason": "Forbidden", "code": 403, "message": "no"}'
    refused = HttpRefusal(status=403, reason="Forbidden")
    refused.body = body
    error = kube.translate(refused, "create leases")
    assert kube.reviewed(error, lambda: False).details == error.details
    assert kube.reviewed(error, lambda: True).permitted
    unknown = kube.reviewed(error, lambda: None)
    assert unknown.permitted is None
    assert unknown.details[0].startswith("RBAC does not allow it, or ")
    causes = '"details": {"causes": [{"reason": "NamespaceTerminating"}]}, "message"'
    refused.body = body.replace('"message"', causes)
    ending = kube.translate(refused, "create leases")
    assert kube.reviewed(ending, lambda: True) is ending


def test_the_denied_action_is_the_one_that_aws_names() -> None:
    """EKS asks for iam:PassRole when an association is created."""
    response: Any = {
        "Error": {
            "Code": "AccessDeniedException",
            "Message": ASKED.replace("CreateRole", "PassRole"),
        },
        "ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": {}, "RequestId": "1"},
    }
    operation = "CreatePodIdentityAssociation"
    error = aws.translate(ClientError(response, operation), "eks", operation, "")
    assert error.details == ("missing permission: iam:PassRole",)
