"""The caller's AWS session and its clients, with time limits, retries and a log of the wire calls."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, overload

import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session
from botocore.awsrequest import AWSResponse

from irsa_cli import __version__
from irsa_cli.aws.errors import ACCOUNT, OVERRAN, call, check_origin, translate
from irsa_cli.core.objects.aws import AGENT, RoleCredentials
from irsa_cli.core.values import attempts
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.core.values.limits import call_seconds
from irsa_cli.core.values.names import near

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

CONNECT_SECONDS = 5
LARGEST = 32 * 2**20
"""Bytes that an answer may have; a page of whole roles has fewer than 10 MiB."""


@dataclass(frozen=True)
class WireCall:
    """One request and its answer; `status` is 0 without one; `account` is another than the cluster's."""

    service: str
    operation: str
    status: int
    seconds: float
    code: str = ""
    account: str = ""


WireLog = Callable[[WireCall], None]


class AwsSession:
    """Clients for one caller, safe for threads; `account`: another one than the cluster's, for errors."""

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        assume_role: str | None = None,
        log: WireLog = lambda call: None,
        account: str = "",
    ) -> None:
        self._log = log
        self.account = account
        self.known_caller = ""
        """The caller's ARN, if known: a role's comes with its credentials, others are asked for."""
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        try:
            # AWS_REGION is what the AWS CLI and the pod webhook know; botocore reads AWS_DEFAULT_REGION only.
            region = region or os.environ.get("AWS_REGION") or None
            self._session = _session(profile, region)
        except botocore.exceptions.ProfileNotFound as error:
            known = ", ".join(botocore.session.Session().available_profiles) or "none"
            raise IrsaError(
                f"there is no AWS profile {profile or os.environ.get('AWS_PROFILE', '')} (profiles: {known})",
                next_steps=("use one of these, or create it: aws configure --profile NAME",),
                code="ProfileNotFound",
            ) from error
        except botocore.exceptions.BotoCoreError as error:
            raise translate(error, "configuration", "Session", "", account) from error
        if not self._session.get_config_variable("region"):
            raise IrsaError(
                "no AWS region is set",
                reason="neither --region, AWS_REGION nor the profile sets one",
                next_steps=("add --region REGION, for example --region eu-west-1",),
                code="NoRegion",
            )
        self.region = str(self._session.get_config_variable("region"))
        """The region that regional calls go to."""
        check_region(self._session, self.region)

        def hear(**answer: Any) -> None:
            self.known_caller = answer["parsed"].get("AssumedRoleUser", {}).get("Arn", self.known_caller)

        self._hear = hear  # A profile's own role is the caller.
        self._session.register("after-call.sts", hear)
        if assume_role:
            self.become(assume_role)

    @property
    def partition(self) -> str:
        """The partition of the region: aws, aws-cn, aws-us-gov, ..."""
        return self.partition_of(self.region)

    @property
    def regions(self) -> tuple[str, ...]:
        return regions_of(self._session, self.partition)

    def moved_to(self, region: str) -> AwsSession:
        """The same caller in another region."""
        moved = copy.copy(self)
        moved.region = region
        moved._lock = threading.Lock()
        moved._clients = {}
        return moved

    @overload
    def client(self, service: Literal["iam"]) -> IAMClient: ...
    @overload
    def client(self, service: Literal["eks"]) -> EKSClient: ...
    @overload
    def client(self, service: Literal["sts"]) -> STSClient: ...
    @overload
    def client(self, service: Literal["cloudtrail", "ec2", "eks-auth", "organizations"]) -> Any: ...
    def client(self, service: str) -> Any:
        """The client of a service, created once. Getting an existing one waits for no other's creation."""
        return self._once(service, lambda: self._make(service))

    def unsigned_sts(self) -> STSClient:
        """The client for the calls that carry their own proof (AssumeRoleWithWebIdentity), made once."""
        make = partial(self._make, "sts", signature_version=botocore.UNSIGNED)
        return self._once("sts, unsigned", make)  # type: ignore[no-any-return]

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._clients:
            with self._lock:
                if name not in self._clients:
                    self._clients[name] = make()
        return self._clients[name]

    def client_of(self, service: str, credentials: RoleCredentials) -> Any:
        """A new client that calls a service, in the same region, by a role's temporary credentials."""
        keys = {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
            "aws_session_token": credentials.session_token,
        }
        with self._lock:
            return self._make(service, keys)

    @property
    def configured_region(self) -> str:
        return str(self._session.get_scoped_config().get("region") or "")

    def partition_of(self, region: str) -> str:
        """The partition of a region; of one that nobody knows, this session's own, else aws."""
        for name in (region, self.region):
            with suppress(botocore.exceptions.BotoCoreError):
                return str(self._session.get_partition_for_region(name))
        return "aws"

    def identity(self) -> str:
        """The ARN that AWS knows the caller by; raises `ServiceError` where AWS does not take it."""
        if not self.known_caller:
            self.known_caller = str(call(self.client("sts").get_caller_identity)["Arn"])
        return self.known_caller

    def caller(self) -> str:
        """The ARN that AWS knows the caller by, '' when even that can't be found out."""
        try:
            if not self.known_caller:
                self.known_caller = attempts.bounded(self.client("sts").get_caller_identity)["Arn"]
            return self.known_caller
        except Exception:
            return ""

    def _make(self, service: str, keys: Mapping[str, str] | None = None, **options: Any) -> Any:
        # IAM's own endpoint depends on the partition only, which botocore takes from the region.
        config = botocore.config.Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=call_seconds(),
            # How often a call is repeated is decided in `irsa_cli.core.values.patience`, for both APIs.
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra=f"{AGENT}/{__version__}",
            max_pool_connections=16,
            **options,
        )
        try:
            client: Any = self._session.create_client(service, self.region, config=config, **keys or {})  # type: ignore[arg-type]
        except botocore.exceptions.BotoCoreError as error:
            raise translate(error, service, "Client", "", self.account) from error
        except ValueError as error:
            variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
            raise IrsaError(
                f"the endpoint URL of {service} is not valid",
                reason=str(error),
                next_steps=(f"correct {variable}, AWS_ENDPOINT_URL, or endpoint_url in ~/.aws/config",),
                code="InvalidEndpoint",
            ) from error
        client.meta.events.unregister("after-call.sts", self._hear)
        self._watch(client)
        return client

    def _watch(self, client: Any) -> None:
        """Log every attempt, bound what is read of its answer, and take only AWS's."""
        started = threading.local()
        xml = client.meta.service_model.metadata.get("protocol") == "query"

        def sent(**_: Any) -> None:
            started.at = time.monotonic()

        def answered(event_name: str, response_dict: Any = None, exception: Any = None, **rest: Any) -> None:
            status = response_dict["status_code"] if response_dict else 0
            parsed = rest.get("parsed_response") or {}
            _, service, operation = event_name.split(".", 2)
            seconds = time.monotonic() - getattr(started, "at", time.monotonic())
            code = parsed.get("Error", {}).get("Code", "") or (type(exception).__name__ if exception else "")
            self._log(WireCall(service, operation, status, seconds, code, self.account))
            if response_dict and exception is None:
                check_origin(operation, status, response_dict["body"], parsed, xml=xml)

        def overran(service: str, operation: str, seconds: float, **_: Any) -> None:
            self._log(WireCall(service, operation, 0, seconds, "Overran", self.account))

        client.meta.events.register("before-parameter-build", _check_path)
        client.meta.events.register("before-send", sent)
        client.meta.events.register("response-received", answered)
        client.meta.events.register(OVERRAN, overran)
        client.meta.events.register(ACCOUNT, lambda **_: self.account or None)
        # botocore has no other place where an answer can be kept from growing without an end.
        client._endpoint.http_session = _Bounded(client._endpoint.http_session)

    def become(self, role_arn: str) -> None:
        """Become another role for the rest of the run, as pipelines that hop accounts do."""
        answer = call(self.client("sts").assume_role, RoleArn=role_arn, RoleSessionName="irsa")
        credentials = answer["Credentials"]
        self.known_caller = answer["AssumedRoleUser"]["Arn"]
        self._session = _session(region=self.region)
        keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        self._session.set_credentials(*keys)
        self._clients.clear()


def _check_path(params: Mapping[str, Any], model: Any, **_: Any) -> None:
    """Raise `ParamValidationError` for a name that changes the path of a URL to another object.

    botocore escapes all but `.` and `..`, which clients, proxies and servers resolve.
    """
    members = model.input_shape.members if model.input_shape else {}
    for name, member in members.items():
        value = params.get(name)
        if member.serialization.get("location") == "uri" and value in ("", ".", ".."):
            raise botocore.exceptions.ParamValidationError(report=f"'{value}' is no {name}")


@cache
def _descriptions(path: str | None) -> Any:
    """The services and regions as botocore reads them: some 15 MB, shared by all sessions of the process."""
    return botocore.loaders.create_loader(path)


def _session(profile: str | None = None, region: str | None = None) -> botocore.session.Session:
    """A session of botocore's: boto3, which most import, would add S3's transfers and resources only."""
    session = botocore.session.Session(profile=profile)
    session.get_scoped_config()  # Raises for a profile that does not exist.
    session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
    if region:
        session.set_config_variable("region", region)
    return session


class _Bounded:
    """botocore's session of HTTP, whose answers have at most `LARGEST` bytes."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """Send a request; the answer's body is read here."""
        request.stream_output = True
        body = attempts.Sending(b"")
        if isinstance(request.body, bytes | str):
            body = attempts.Sending(request.body.encode() if isinstance(request.body, str) else request.body)
            request.body = body
        with body.delivery():
            answer = self._session.send(request)
        content = attempts.body(answer.raw.stream(64 * 1024), LARGEST)
        read = SimpleNamespace(stream=lambda *_, **__: [content])
        return AWSResponse(answer.url, answer.status_code, answer.headers, read)

    def close(self) -> None:
        self._session.close()


def regions_of(session: botocore.session.Session, partition: str = "") -> tuple[str, ...]:
    """The regions of a partition, or of all; from botocore's endpoints file, which it has read already."""
    known = session.get_data("endpoints")["partitions"]
    names: list[str] = []
    for description in known:
        if partition in ("", description["partition"]):
            names += description.get("regions", {})
    return tuple(names)


def check_region(session: botocore.session.Session, region: str) -> None:
    """Raise `InvalidInput` for a region that there is not, with those whose names are like it."""
    known = regions_of(session)
    if region in known:
        return
    similar = near(region, known)
    raise InvalidInput(
        f"there is no AWS region {region} (in botocore {botocore.__version__})",
        details=(f"regions with a similar name: {', '.join(similar)}",) if similar else (),
        next_steps=("check --region, AWS_REGION and the profile; a newer region needs a newer boto3",),
        code="NoSuchRegion",
    )
