"""What the sandbox's AWS answers: results and errors in each service's own shape.

Sources: the botocore service models (protocols `query`, `ec2`, `json`, `rest-json` and `rest-xml`).
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from irsa_cli.sandbox.model import Answer

NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}


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
    """IAM's answer when a named thing does not exist."""
    return AwsError("NoSuchEntity", message, 404)


def limit_exceeded(message: str) -> AwsError:
    """IAM's answer when a quota is used up."""
    return AwsError("LimitExceeded", message, 409)


def malformed_policy(message: str) -> AwsError:
    """IAM's answer to a policy document that breaks the grammar."""
    return AwsError("MalformedPolicyDocument", message)


def render_error(service: str, error: AwsError) -> Answer:
    """`error` as `service` says it."""
    request_id = str(uuid.uuid4())
    if service == "eks":
        body = json.dumps({"message": error.message}).encode()
        headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
    elif service == "cloudtrail":
        body = json.dumps({"__type": error.code, "Message": error.message}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1"}
    else:
        inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        body = _xml_error(service, inner, error.status, request_id).encode()
        headers = {"Content-Type": "application/xml" if service == "s3" else "text/xml"}
    return Answer(error.status, body, {"x-amzn-RequestId": request_id, **headers}, error.code)


def _xml_error(service: str, inner: str, status: int, request_id: str) -> str:
    tail = f"<RequestId>{request_id}</RequestId>"
    if service == "s3":
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}{tail}</Error>'
    if service == "ec2":
        return (
            f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    kind = "Sender" if status < 500 else "Receiver"
    namespace = NAMESPACES.get(service, "")
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type>{inner}</Error>{tail}</ErrorResponse>'
    )


class Repeated(list[Any]):
    """A list whose items each are an element of the list's own name, as maps have them."""


class Items(list[Any]):
    """A list within an element, whose items each are an `item`, as EC2 has them."""


def xml_result(service: str, operation: str, result: dict[str, Any] | None = None) -> Answer:
    """A successful answer of the `query` protocol."""
    request_id = str(uuid.uuid4())
    inner = "" if result is None else _element(f"{operation}Result", result)
    body = (
        f'<{operation}Response xmlns="{NAMESPACES[service]}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Answer(200, body.encode(), {"Content-Type": "text/xml", "x-amzn-RequestId": request_id})


def ec2_result(operation: str, result: dict[str, Any]) -> Answer:
    """A successful answer of the `ec2` protocol, whose lists have items."""
    inner = "".join(
        f"<{tag}>{''.join(f'<item>{_content(item)}</item>' for item in items)}</{tag}>"
        for tag, items in result.items()
    )
    name = f"{operation}Response"
    head = f'<{name} xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>{uuid.uuid4()}</requestId>'
    return Answer(200, f"{head}{inner}</{name}>".encode(), {"Content-Type": "text/xml"})


def _element(tag: str, value: Any) -> str:
    if isinstance(value, Repeated):
        return "".join(_element(tag, item) for item in value)
    return f"<{tag}>{_content(value)}</{tag}>"


def _content(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_element(key, item) for key, item in value.items() if item is not None)
    if isinstance(value, Items):
        return "".join(_element("item", item) for item in value)
    if isinstance(value, (list, tuple)):
        return "".join(_element("member", item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))
