"""Credentials as EKS Pod Identity's agent gets them for a pod. No token is kept or printed."""

from __future__ import annotations

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.sts import Exchange
from irsa_cli.core.objects.aws import RoleCredentials
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.core.values.names import subject


def exchange_for_pod(aws: AwsSession, cluster: str, token: str) -> Exchange:
    """Exchange a token as the EKS Pod Identity agent does, for credentials of the last role.

    The caller needs eks-auth:AssumeRoleForPodIdentity. Raises `ServiceError`; the token is not in it.
    https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html
    """
    client = aws.client("eks-auth")
    try:
        answer = call(client.assume_role_for_pod_identity, clusterName=cluster, token=token)
    except ServiceError as error:
        raise error.but(reason=error.reason.replace(token, "…")) from None
    found, session = answer["credentials"], answer["assumedRoleUser"]["arn"]
    keys = (found["accessKeyId"], found["secretAccessKey"], found["sessionToken"])
    whose = answer["subject"]
    return Exchange(
        subject=subject(whose["namespace"], whose["serviceAccount"]),
        audience=answer["audience"],
        provider=f"association {answer['podIdentityAssociation']['associationId']}",
        role_session=session,
        endpoint=client.meta.endpoint_url,
        credentials=RoleCredentials(*keys, found["expiration"], session),
    )
