"""A ServiceAccount's identity where something is wrong: which error, and no token in any of them."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

import boto3
import botocore.stub
import pytest

from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.sts import assume_by_token
from irsa_cli.cli.commands.token import when
from irsa_cli.core.objects.aws import RoleCredentials
from irsa_cli.core.values.errors import Refused, ServiceError
from irsa_cli.usecases.command.connect import Connection, Target
from irsa_cli.usecases.exec.forms import agent_answer, process_output, shell_variables
from irsa_cli.usecases.exec.identity import own_session_name
from irsa_cli.usecases.read.identity import NamedServiceAccount

ROLE_ARN = "eks.amazonaws.com/role-arn"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2ln"


def account(annotations: dict[str, str] | None) -> NamedServiceAccount:
    """A ServiceAccount as the cluster shows it; None: as if somebody had removed the annotations' field."""
    found = {"metadata": {"annotations": annotations}}
    kube = SimpleNamespace(service_account=lambda namespace, name: found)
    cluster = SimpleNamespace(name="demo")
    connection = SimpleNamespace(kube=kube, cluster=cluster, target=Target("demo"))
    return NamedServiceAccount(cast("Connection", connection), "backend", "reader")


@pytest.mark.parametrize(
    "annotations",
    [
        None,
        {},
        {ROLE_ARN: ""},
        {ROLE_ARN: "reader"},
        {ROLE_ARN: "arn:aws:iam::1:role/reader"},
        {ROLE_ARN: "arn:aws:iam::111122223333:user/reader"},
        {ROLE_ARN: " arn:aws:iam::111122223333:role/reader"},
    ],
)
def test_what_is_no_role_is_refused(annotations: dict[str, str] | None) -> None:
    with pytest.raises(Refused) as refused:
        account(annotations).settings_with_role()
    assert ROLE_ARN in str(refused.value)
    assert "-n backend -c demo" in " ".join(refused.value.next_steps)
    assert ("is empty" in str(refused.value)) == ((annotations or {}).get(ROLE_ARN) == "")


def test_a_role_of_any_path_and_partition_is_taken() -> None:
    arn = "arn:aws-cn:iam::111122223333:role/irsa/demo/reader"
    assert account({ROLE_ARN: arn}).settings_with_role().role_arn == arn


def test_a_token_that_sts_repeats_is_not_shown() -> None:
    """STS tells which value breaks a rule, and the value may be the token."""
    client = boto3.client("sts", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    message = (
        f"1 validation error detected: Value '{TOKEN}' at 'webIdentityToken' failed to satisfy constraint"
    )
    aws: Any = SimpleNamespace(unsigned_sts=lambda: client)
    role = "arn:aws:iam::111122223333:role/reader"
    with botocore.stub.Stubber(client) as stub:
        stub.add_client_error("assume_role_with_web_identity", "ValidationError", message, 400)
        with pytest.raises(ServiceError) as refused:
            assume_by_token(cast("AwsSession", aws), role, TOKEN, session_name="irsa-me-1")
    assert "webIdentityToken" in str(refused.value)
    assert TOKEN not in str(refused.value) + repr(refused.value)


def test_a_user_whom_the_machine_does_not_know_has_a_session_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("uid not found: 1001")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert own_session_name().startswith("irsa-1")


def test_the_end_of_credentials_is_in_utc() -> None:
    """botocore reads the times of EKS in the time zone of the machine."""
    two_hours_ahead = timezone(timedelta(hours=2))
    expires = datetime(2026, 6, 1, 14, 30, tzinfo=two_hours_ahead)
    credentials = RoleCredentials("AKIA", "secret", "session", expires, "arn")
    forms = (agent_answer(credentials), process_output(credentials))
    assert {form["Expiration"] for form in forms} == {"2026-06-01T12:30:00Z"}
    assert shell_variables(credentials, "eu-west-1")["AWS_CREDENTIAL_EXPIRATION"] == "2026-06-01T12:30:00Z"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process in UTC, and back."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (0, "now, 22:13:20 UTC"),
        (1, "in 1 second, 22:13:21 UTC"),
        (119, "in 119 seconds, 22:15:19 UTC"),
        (-3600, "60 minutes ago, 21:13:20 UTC"),
        (86400, "in 24 hours, 2023-11-15 22:13:20 UTC"),
        (30 * 86400, "in 30 days, 2023-12-14 22:13:20 UTC"),
    ],
)
def test_moments_in_words(distance: int, words: str, utc: None) -> None:
    now = 1_700_000_000.0
    assert when(now + distance, now) == words
