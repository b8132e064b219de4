"""Requests, results and errors of the sandbox's AWS, in each service's own shape.

Sources: the botocore service models (protocols `query`, `ec2`, `json`, `rest-json` and `rest-xml`).
Requests are routed by the scope of the signature (Signature Version 4), in the header or in a presigned URL,
since all services share one address. Signatures are read here and verified in `callers`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from irsa_cli.sandbox.exchange import Incoming
from irsa_cli.sandbox.model import Answer, table


class AwsError(Exception):
    """A refusal by an AWS service."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> AwsError:
    """IAM's and STS's answer to a parameter outside its rules."""
    return AwsError("ValidationError", message)


def no_such_entity(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceeded", message, 409)


def malformed_policy(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


def render_error(service: str, error: AwsError) -> Answer:
    request_id = str(uuid.uuid4())
    if service in REST:
        body = json.dumps({"message": error.message}).encode()
        headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
    elif service in _JSON:
        body = json.dumps({"__type": error.code, "Message": error.message}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1"}
    else:
        error_text = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        kind = "Sender" if error.status < 500 else "Receiver"
        form: str = _XML_ERRORS.get(service, _XML_ERRORS[""])
        body = form.format(error=error_text, type=kind, id=request_id).encode()
        headers = {"Content-Type": "application/xml" if service == "s3" else "text/xml"}
    return Answer(error.status, body, {"x-amzn-RequestId": request_id, **headers}, error.code)


def result_of(request: AwsRequest, result: Mapping[str, Any] | None = None) -> Answer:
    """A successful answer of the protocols `query` and `ec2`."""
    from moto.core.serialize import EC2Serializer, QuerySerializer, SerializationContext

    class Serializer(EC2Serializer if request.service == "ec2" else QuerySerializer):  # type: ignore[misc]
        def _serialize_type_timestamp(self, serialized: Any, value: datetime, shape: Any, key: str) -> None:
            self._default_serialize(serialized, value.strftime("%Y-%m-%dT%H:%M:%SZ"), shape, key)

    request_id = str(uuid.uuid4())
    model = service_model(request.service).operation_model(request.operation)
    body = Serializer(model, SerializationContext(request_id)).serialize(result or {})["body"]
    return Answer(200, body.encode(), {"Content-Type": "text/xml", "x-amzn-RequestId": request_id})


_JSON = ("cloudtrail", "organizations")
"""Services that name the operation in a header."""
REST = ("eks", "eks-auth")
"""Services that name the operation by method and path, and take JSON."""
SERVICES = ("iam", "sts", *REST, "s3", "ec2", *_JSON)
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
_SIGNED_HEADERS = re.compile(r"SignedHeaders=([^,\s]+)")
_APPLICATION = re.compile(r"(?:^|\s)app/(\S+)")
_SIGNATURE = re.compile(r"Signature=([0-9a-f]+)")
_SUBJECTS = table("subjects")
_XML_ERRORS = table("xml errors")
_S3_PARTS = table("parts of s3")
"""Parts of buckets and objects that calls name in the query; each has actions of its own."""
_UNSIGNED = {"AssumeRoleWithWebIdentity": "sts", "AssumeRoleWithSAML": "sts"}


@dataclass(frozen=True)
class Signature:
    """The parts of a request's signature; `date` is the time of signing, as 20260131T235959Z."""

    access_key: str
    region: str
    service: str
    date: str
    signed_headers: tuple[str, ...]
    value: str
    token: str
    presigned: bool


@dataclass(frozen=True)
class AwsRequest(Incoming):
    """One call. `params` are those of the query protocol."""

    params: Mapping[str, str]
    signature: Signature | None
    service: str
    operation: str

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def region(self) -> str:
        """The region that it was signed for; empty for an unsigned call."""
        return self.signature.region if self.signature else ""

    @property
    def subject(self) -> str:
        """Its subject for the call log."""
        if self.service in (*REST, "s3"):
            return self.path.removeprefix("/clusters").strip("/")
        return next((self.params[name] for name in _SUBJECTS if name in self.params), "")

    @property
    def caller(self) -> str:
        """Whose call it is: the access key; without a signature, the application id in the User-Agent.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
        """
        if self.signature:
            return self.signature.access_key
        application = _APPLICATION.search(self.headers.get("user-agent", ""))
        return application[1] if application else ""

    @property
    def json(self) -> dict[str, Any]:
        """The body of a call in JSON; empty without one. Raises AwsError for what is no object."""
        try:
            document = json.loads(self.body or b"{}")
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise AwsError("SerializationException", "The body is no JSON object.")
        return document

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters as botocore takes them, with lists and structures."""
        from moto.core.parse import EC2QueryParser, QueryParser

        model = service_model(self.service)
        if self.operation not in model.operation_names:
            return {}
        if self.service in REST:
            return self._of_rest(model.operation_model(self.operation).input_shape)
        parser = EC2QueryParser if self.service == "ec2" else QueryParser
        query: Any = {"values": self.params}
        return dict(parser(model.operation_model(self.operation)).parse(query))

    def _of_rest(self, shape: Any) -> dict[str, Any]:
        """Parameters from the path, the query and the body."""
        _, places = _rest_operation(self.service, self.method, self.path)
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        parameters: dict[str, Any] = {}
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            key = member.serialization.get("name", name)
            if place == "uri":
                parameters[name] = places[key]
            elif place == "querystring" and key in query:
                parameters[name] = query[key] if member.type_name == "list" else query[key][0]
            elif place is None and self.json.get(key) is not None:
                parameters[name] = self.json[key]
        return parameters

    def tags(self) -> list[tuple[str, str]]:
        return [(tag.get("Key", ""), tag.get("Value", "")) for tag in self.parameters.get("Tags", [])]


def read_request(incoming: Incoming) -> AwsRequest:
    method = incoming.method
    target = incoming.target
    headers = incoming.headers
    body = incoming.body
    query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    params = dict(query)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        params.update(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    signature = _read_signature(headers, query)
    path = unquote(urlsplit(target).path)
    operation = params.get("Action", "")
    if signature:
        service = signature.service
    elif operation:
        service = _UNSIGNED.get(operation, "iam" if params.get("Version") == "2010-05-08" else "sts")
    else:
        service = "eks" if path.startswith("/clusters") else "s3"
    if service in REST:
        operation, _ = _rest_operation(service, method, path)
    elif service == "s3":
        operation = _s3_operation(method, path, query)
    elif service in _JSON:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
    return AwsRequest(method, target, headers, body, params, signature, service, operation)


def _rest_operation(service: str, method: str, path: str) -> tuple[str, dict[str, str]]:
    """The operation, and the parameters that the path has; its line if there is no such operation."""
    place = "/" + "/".join(filter(None, path.split("/")))
    for verb, form, name in _rest_routes(service):
        match = re.fullmatch(form, place) if verb == method else None
        if match:
            return name, match.groupdict()
    return f"{method} {path}", {}


def _read_signature(headers: Mapping[str, str], query: Mapping[str, str]) -> Signature | None:
    presigned = "X-Amz-Credential" in query
    if presigned:
        parts = query["X-Amz-Credential"].split("/")
        if len(parts) != 5:
            return None
        key, _, region, service, _ = parts
        names = ("Date", "SignedHeaders", "Signature", "Security-Token")
        date, signed, value, token = (query.get(f"X-Amz-{name}", "") for name in names)
    else:
        header = headers.get("authorization", "")
        credential = _CREDENTIAL.search(header)
        signed_headers = _SIGNED_HEADERS.search(header)
        signature = _SIGNATURE.search(header)
        if not credential or not signed_headers or not signature:
            return None
        key, region, service = credential.group(1, 3, 4)
        signed = signed_headers[1]
        value = signature[1]
        date = headers.get("x-amz-date", "")
        token = headers.get("x-amz-security-token", "")
    return Signature(key, region, service, date, tuple(signed.split(";")), value, token, presigned=presigned)


@cache
def _rest_routes(service: str) -> list[tuple[str, str, str]]:
    """Method, form of the path, and name of a service's operations. Only the names of ARNs have slashes."""
    model = service_model(service)
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        form = re.sub(r"\{(\w+Arn)\}", r"(?P<\1>.+)", http["requestUri"])
        routes.append((http["method"], re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", form), name))
    return sorted(routes, key=lambda route: len(route[1]), reverse=True)


@cache
def service_model(service: str) -> Any:
    from moto.core.utils import get_service_model

    return get_service_model(service)


def _s3_operation(method: str, path: str, query: Mapping[str, str]) -> str:
    bucket, _, key = path.strip("/").partition("/")
    if not bucket:
        return "ListBuckets" if method == "GET" else f"{method} /"
    target = "Object" if key else "Bucket"
    subresource = next((name for name in _S3_PARTS if name in query), None)
    if subresource:
        return f"{method.title()}{target}{subresource.title()}"
    if method == "GET" and not key:
        return "ListObjectsV2"
    names = {"GET": "Get", "HEAD": "Head", "PUT": "Put" if key else "Create", "DELETE": "Delete"}
    return f"{names.get(method, method.title())}{target}"
