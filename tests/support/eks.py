"""The bearer token of an AWS user for a cluster, for what administrators do in tests; no irsa code in it."""

import base64
from collections.abc import Mapping

from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner


def bearer(env: Mapping[str, str], cluster: str) -> str:
    """A presigned GetCallerIdentity of the user whose keys are in `env`."""
    token = env.get("AWS_SESSION_TOKEN")
    credentials = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token)
    events = HierarchicalEmitter()  # the signer keeps a weak reference
    signer = RequestSigner(ServiceId("STS"), env["AWS_REGION"], "sts", "v4", credentials, events)
    request = {
        "method": "GET",
        "url": f"{env['AWS_ENDPOINT_URL']}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(
        request, region_name=env["AWS_REGION"], expires_in=900, operation_name="GetCallerIdentity"
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
