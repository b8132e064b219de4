"""EKS Auth, which gives pods the credentials of their EKS Pod Identity associations, and the agent.

https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
https://github.com/aws/eks-pod-identity-agent (pkg/handlers and pkg/errors, for its answers)
The agent answers for the nodes of all clusters: the issuer of a token tells which one. It keeps credentials
by token, so after a deletion, pods get credentials with a token that the agent knows. It is unknown whether
EKS takes a token that is bound to no pod; here it does, and such a session has no tags of a pod.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from irsa_cli.sandbox.aws.callers import Caller, Callers, Session, Terms
from irsa_cli.sandbox.aws.cloud import Cloud
from irsa_cli.sandbox.aws.clusters import Cluster, Clusters
from irsa_cli.sandbox.aws.iam.account import Lag
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, read_request
from irsa_cli.sandbox.aws.sts import Sts, claims_of, note_use, read_token
from irsa_cli.sandbox.enforce import Who, admits, of_every_request
from irsa_cli.sandbox.exchange import Incoming, Label
from irsa_cli.sandbox.model import Answer

SERVICE = "pods.eks.amazonaws.com"
"""The audience of its tokens, and the principal of trust policies."""
PATH = "/v1/credentials"
_SECONDS = 6 * 3600
_CHAINED_SECONDS = 3600
_KEPT_SECONDS = 3 * 3600
"""How long the agent keeps credentials that are valid for so long."""
_DENIED = "Unauthorized Exception! EKS does not have permissions to assume the associated role."


@dataclass(frozen=True)
class EksAuth:
    """AssumeRoleForPodIdentity: the token, the association, the trust policy, and the target role."""

    _cloud: Cloud
    _callers: Callers
    _clusters: Clusters
    _lag: Lag
    _sts: Sts

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        name = request.parameters["clusterName"]
        text = request.parameters["token"]
        cluster = self.cluster_of(text)
        spec = cluster.spec
        if (spec.name, spec.account, spec.region) != (name, caller.account, request.region):
            raise AwsError("InvalidTokenException", "The token was issued by another cluster.")
        session, association = self.assume(request, cluster, text)
        answer = {
            "subject": {key: association[key] for key in ("namespace", "serviceAccount")},
            "audience": SERVICE,
            "podIdentityAssociation": {key: association[key] for key in ("associationArn", "associationId")},
            "assumedRoleUser": {"arn": session.arn, "assumeRoleId": session.caller.user_id},
            "credentials": {
                "accessKeyId": session.access_key,
                "secretAccessKey": session.secret,
                "sessionToken": session.token,
                "expiration": int(session.expires.timestamp()),
            },
        }
        return Answer.of_json(answer)

    def cluster_of(self, text: str) -> Cluster:
        """The cluster whose keys signed a token for EKS Pod Identity."""
        try:
            token = read_token(text, self._clusters)
        except AwsError as error:
            if error.code != "ExpiredTokenException":
                raise AwsError("InvalidTokenException", error.message) from None
            now, end = (_instant(moment) for moment in (time.time(), claims_of(text).get("exp", 0)))
            words = f"current date/time {now} must be before the expiration date/time {end}."
            raise AwsError(error.code, f"The token included in the request is expired: {words}") from None
        cluster = self._clusters.with_issuer(token.issuer)
        if cluster is None or SERVICE not in token.audiences:
            raise AwsError("InvalidTokenException", "The service account token is invalid.")
        return cluster

    def assume(self, request: AwsRequest, cluster: Cluster, text: str) -> tuple[Session, dict[str, Any]]:
        """New credentials of the last role of the association of the token's ServiceAccount."""
        claims = claims_of(text)["kubernetes.io"]
        namespace = claims["namespace"]
        account = claims["serviceaccount"]["name"]
        association = self._clusters.associations.get(cluster.arn, namespace, account)
        if association is None:
            message = f"No association found for service account {account} in namespace {namespace}."
            raise AwsError("ResourceNotFoundException", message, 404)
        pod = claims.get("pod", {})
        name = f"eks-{cluster.spec.name[:20]}-{pod.get('name', account)[:20]}-{uuid.uuid4().hex[:16]}"
        tags = {} if association["disableSessionTags"] else _tags(cluster, claims)
        limit = json.loads(association.get("policy") or "null")
        target = association.get("targetRoleArn")
        with self._cloud.lock, self._lag.stale_view(cluster.spec.account, cluster.partition):
            role = self._cloud.principal(association["roleArn"])
            context = {
                **of_every_request(),
                "aws:sourceaccount": [cluster.spec.account],
                "aws:sourcearn": [cluster.arn],
                **{f"aws:requesttag/{key}": [value] for key, value in tags.items()},
                **({"aws:tagkeys": list(tags)} if tags else {}),
            }
            for action in ("sts:AssumeRole", *(["sts:TagSession"] if tags else [])):
                document = role.assume_role_policy_document if role else None
                if not document or not admits(document, action, Who(service=SERVICE), context):
                    raise AwsError("AccessDeniedException", _DENIED)
            session = self._callers.open_session(role, name, _SECONDS, Terms(None if target else limit))
            session.tags.update(tags)
            session.transitive.update(tags)
            note_use(role, cluster.spec.region)
        if target:
            session = self._chained(request, session, association, limit)
        return session, association

    def _chained(
        self, request: AwsRequest, first: Session, association: Mapping[str, Any], limit: Any
    ) -> Session:
        params = {
            "RoleArn": association["targetRoleArn"],
            "RoleSessionName": first.name,
            "ExternalId": association["externalId"],
            "DurationSeconds": str(_CHAINED_SECONDS),
            **({"Policy": json.dumps(limit)} if limit else {}),
        }
        try:
            return self._sts.assume_role(replace(request, params=params), first.caller)
        except AwsError as error:
            raise AwsError("AccessDeniedException", _DENIED) from error


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(cluster: Cluster, claims: Mapping[str, Any]) -> dict[str, str]:
    pod = claims.get("pod", {})
    return {
        "eks-cluster-arn": cluster.arn,
        "eks-cluster-name": cluster.spec.name,
        "kubernetes-namespace": claims["namespace"],
        "kubernetes-service-account": claims["serviceaccount"]["name"],
        **{f"kubernetes-pod-{key}": value for key, value in pod.items()},
    }


class Agent:
    """The agent's HTTP endpoint."""

    def __init__(self, auth: EksAuth) -> None:
        self._auth = auth
        self._kept: dict[str, tuple[datetime, Session]] = {}

    def reset(self) -> None:
        """Forget all credentials."""
        self._kept.clear()

    def label(self, request: Incoming) -> Label:
        return Label("agent", f"{request.method} {request.target}")

    def answer(self, request: Incoming) -> Answer:
        if request.target != PATH:
            return self.failure("agent", "", "404 page not found", 404)
        text = request.headers.get("authorization", "")
        if not text:
            return self.failure("agent", "", "Service account token cannot be empty", 400)
        now = datetime.now(timezone.utc)
        until, session = self._kept.get(text, (now, None))
        try:
            if session is None or until <= now:
                cluster = self._auth.cluster_of(text)
                session, _ = self._auth.assume(read_request(request), cluster, text)
                self._kept[text] = min(session.expires, now + timedelta(seconds=_KEPT_SECONDS)), session
        except AwsError as error:
            return self.failure("agent", error.code, error.message, error.status)
        return Answer.of_json(
            {
                "AccessKeyId": session.access_key,
                "SecretAccessKey": session.secret,
                "Token": session.token,
                "AccountId": session.account,
                "Expiration": session.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def failure(self, _: str, code: str, message: str, status: int) -> Answer:
        """An error in plain text; `code` is that of EKS Auth, '' for the agent's own."""
        fault = "server" if status >= 500 else "client"
        text = f"[{uuid.uuid4()}]: ({code}): {message}, fault: {fault}" if code else message
        return Answer(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"}, code or "agent")
