"""Signature Version 4, as the receiving side checks it, with botocore's own canonical forms.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.answer import AwsError

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.request import AwsRequest, Signature

WINDOW = timedelta(minutes=15)
"""How old, or how far ahead, a signature may be; STS takes presigned calls for as long, too."""


def verify(request: AwsRequest, signature: Signature, secret: str) -> None:
    """Refuses, with AWS's own code for the service, a signature that `secret` did not make or an old one."""
    try:
        signed = datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise AwsError("IncompleteSignature", "The request has no valid date.", 400) from None
    if abs(datetime.now(timezone.utc) - signed) > WINDOW:
        raise _refusal(request, f"Signature expired: {signature.date} is outside of the allowed 15 minutes")
    if not hmac.compare_digest(_expected(request, signature, secret), signature.value):
        message = "The request signature we calculated does not match the signature you provided."
        raise _refusal(request, message)


def _refusal(request: AwsRequest, message: str) -> AwsError:
    json_services = ("eks", "cloudtrail")
    code = "InvalidSignatureException" if request.service in json_services else "SignatureDoesNotMatch"
    return AwsError(code, message, 403)


def _expected(request: AwsRequest, signature: Signature, secret: str) -> str:
    from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    kinds = (SigV4Auth, SigV4QueryAuth, S3SigV4Auth, S3SigV4QueryAuth)
    kind = kinds[2 * (request.service == "s3") + signature.presigned]
    auth = kind(Credentials(signature.access_key, secret), signature.service, signature.region)
    headers = {name: request.headers.get(name, "") for name in signature.signed_headers}
    url = f"http://{request.headers.get('host', '')}{request.target}"
    mirror = AWSRequest(method=request.method, url=_unsigned_url(url), headers=headers, data=request.body)
    mirror.context["timestamp"] = signature.date
    text = auth.string_to_sign(mirror, auth.canonical_request(mirror))
    return str(auth.signature(text, mirror))


def _unsigned_url(url: str) -> str:
    parts = urlsplit(url)
    kept = [item for item in parts.query.split("&") if not item.startswith("X-Amz-Signature=")]
    return parts._replace(query="&".join(kept)).geturl()
