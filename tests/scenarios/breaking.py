"""A working binding with a pod, and the ways to break it that `irsa doctor` must tell apart.

Everything is done as by somebody else: by AWS's and Kubernetes' own calls.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.scenarios.binding import make_binding
from tests.support.kubeclient import Answer
from tests.support.podwebhook import PATH as WEBHOOKS
from tests.support.sandbox_clients import administrator
from tests.support.stage import ROLE_ARN, Json, Stage, made

NAME = "doctor-reader"
STS = "sts.amazonaws.com"
AUDIENCE = "eks.amazonaws.com/audience"
WEBHOOK = f"{WEBHOOKS}/pod-identity-webhook"
FOREIGN = "444455556666"
OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME, "uid": "u", "controller": True}
OWNED: Json = {"ownerReferences": [OWNER]}
"""The pod belongs to a StatefulSet, which nobody has to play: `restart_pod` does what it would do."""
AWS_CLI = "public.ecr.aws/aws-cli/aws-cli:2.17.0"


@dataclass
class Binding:
    """A ServiceAccount with a role and a pod, and what changes it."""

    stage: Stage
    namespace: str
    role_arn: str

    @property
    def role(self) -> str:
        """The role's name."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def subject(self) -> str:
        """The `sub` of its tokens."""
        return f"system:serviceaccount:{self.namespace}:{NAME}"

    @property
    def provider(self) -> str:
        """The ARN of the issuer's provider."""
        (found,) = self.statement["Principal"].values()
        return str(found)

    @property
    def prefix(self) -> str:
        """What condition keys begin with."""
        return self.provider.partition("oidc-provider/")[2]

    @property
    def account(self) -> Json:
        """The ServiceAccount."""
        return self.stage.kube.get(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{NAME}").body

    @property
    def statement(self) -> Json:
        """The only statement of the trust policy that the binding was made with."""
        return copy.deepcopy(self._statement)

    def __post_init__(self) -> None:
        role = self.stage.iam().get_role(RoleName=self.role)["Role"]
        (self._statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        self._template: Json = {}

    def trust(self, *more: Json, **elements: Any) -> None:
        """Write a trust policy: the statement with elements replaced (None: without), and more of them."""
        whole = {**self.statement, **elements}
        statement = {key: value for key, value in whole.items() if value is not None}
        document = {"Version": "2012-10-17", "Statement": [statement, *more]}
        self.stage.iam().update_assume_role_policy(RoleName=self.role, PolicyDocument=json.dumps(document))

    def conditions(self, **operators: Any) -> None:
        """Write a trust policy with another condition; keys `sub` and `aud` get the issuer's prefix."""
        condition = {
            operator: {
                f"{self.prefix}:{key}" if key in ("sub", "aud") else key: text for key, text in keys.items()
            }
            for operator, keys in operators.items()
        }
        self.trust(Condition=condition)

    def values(self, sub: str = "", aud: str = STS) -> None:
        """Write a trust policy with other values."""
        self.conditions(StringEquals={"sub": sub or self.subject, "aud": aud})

    def annotate(self, value: str | None, key: str = ROLE_ARN) -> None:
        """Write an annotation of the ServiceAccount, or take it away."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{NAME}"
        answer = self.stage.kube.patch(path, {"metadata": {"annotations": {key: value}}})
        assert answer.status == 200, answer.text

    def new_pod(self, *, metadata: Json | None = None, container: Json | None = None, **spec: Any) -> Json:
        """Make the pod anew, by another spec; returns it as it was admitted."""
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        self.stage.kube.delete(f"{pods}/{NAME}-0", {"gracePeriodSeconds": 0})
        self._template = {"metadata": metadata, "container": container, **spec}
        whole = {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": False,
            "containers": [{"name": "app", "image": AWS_CLI, **(container or {})}],
            **spec,
        }
        body = {"metadata": {"name": f"{NAME}-0", **OWNED, **(metadata or {})}, "spec": whole}
        pod = made(self.stage.kube.create(pods, body)).body
        self.say_phase("Running")
        return pod

    def new_pod_unseen(self) -> None:
        """Make the pod anew without the webhook's seeing it; nothing of it, or of its template, says so."""
        skip = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
        self.new_pod(metadata={"labels": skip})
        path = f"/api/v1/namespaces/{self.namespace}/pods/{NAME}-0"
        self.stage.kube.patch(path, {"metadata": {"labels": dict.fromkeys(skip)}})
        self._template = {"metadata": None, "container": None}

    def say_phase(self, phase: str, name: str = f"{NAME}-0") -> None:
        """Say of a pod, as its node would, how far it is."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/status"
        answer = self.stage.kube.patch(path, {"status": {"phase": phase}})
        assert answer.status == 200, answer.text

    def restart_pod(self) -> Json:
        """Make the pod anew, by the spec that it was made by."""
        return self.new_pod(**self._template)

    def take_webhook_away(self) -> Json:
        """Delete the webhook's configuration, and return when that is in effect."""
        found = self.stage.kube.get(WEBHOOK).body
        self.stage.kube.delete(WEBHOOK)
        self.wait_for_webhook(injects=False)
        return {"metadata": {"name": found["metadata"]["name"]}, "webhooks": found["webhooks"]}

    def bring_webhook_back(self, body: Json) -> None:
        """Create the webhook's configuration, and return when it is in effect."""
        made(self.stage.kube.create(WEBHOOKS, body))
        self.wait_for_webhook(injects=True)

    def change_webhook(self, **fields: Any) -> list[Json]:
        """Write fields of the webhook that keep it from injecting; returns the webhooks from before."""
        before: list[Json] = self.stage.kube.get(WEBHOOK).body["webhooks"]
        self.restore_webhook([{**item, **fields} for item in before])
        self.wait_for_webhook(injects=False)
        return before

    def refuse_pods(self, **fields: Any) -> None:
        """Write fields of the webhook that keep all pods from being created."""
        before: list[Json] = self.stage.kube.get(WEBHOOK).body["webhooks"]
        self.restore_webhook([{**item, **fields} for item in before])
        for _ in range(2000):
            if self._show().status == 500:
                return
        raise AssertionError("the webhook's configuration does not take effect")

    def restore_webhook(self, webhooks: list[Json]) -> None:
        """Write the webhooks of the configuration."""
        answer = self.stage.kube.patch(WEBHOOK, {"webhooks": webhooks})
        assert answer.status == 200, answer.text

    def next_second(self) -> None:
        """Return when the clock shows another second: Kubernetes' times are no finer."""
        now = int(time.time())
        while int(time.time()) == now:
            self.stage.kube.get("/version")

    def wait_for_webhook(self, *, injects: bool) -> None:
        """Return when new pods of the ServiceAccount get a web identity, or get none."""
        for _ in range(2000):
            answer = self._show()
            assert answer.status == 201, answer.text
            if ("AWS_ROLE_ARN" in answer.text) is injects:
                return
        raise AssertionError("the webhook's configuration does not take effect")

    def _show(self) -> Answer:
        """What the API says to a pod that is not made."""
        body = {
            "metadata": {"name": "show"},
            "spec": {"serviceAccountName": NAME, "containers": [{"name": "show", "image": "show"}]},
        }
        return self.stage.kube.create(f"/api/v1/namespaces/{self.namespace}/pods", body, dryRun="All")

    def make_role(self, name: str, statement: Json) -> str:
        """Make a role with this trust policy's only statement; returns its ARN."""
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = self.stage.iam().create_role(
            RoleName=f"{self.namespace}-{name}", AssumeRolePolicyDocument=document
        )
        return str(role["Role"]["Arn"])

    def aws(self, service: str, account: str = "") -> Any:
        """A service of AWS as the administrator of an account, by default the cluster's."""
        return administrator(self.stage.sandbox, service, account or self.stage.account_id, self.stage.region)

    def exchange(self, **parameters: Any) -> None:
        """Exchange a token as the pod would; STS may refuse."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{NAME}/token"
        answer = made(self.stage.kube.create(path, {"spec": {"audiences": [STS], "expirationSeconds": 600}}))
        unsigned = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        sts = boto3.client(
            "sts", endpoint_url=self.stage.sandbox.url, region_name=self.stage.region, config=unsigned
        )
        try:
            sts.assume_role_with_web_identity(
                RoleArn=self.role_arn,
                RoleSessionName="pod",
                WebIdentityToken=answer.body["status"]["token"],
                **parameters,
            )
        except ClientError:
            return


def make(stage: Stage, namespace: str) -> Binding:
    """A working binding with a pod."""
    binding = Binding(stage, namespace, make_binding(stage, namespace, NAME))
    binding.new_pod()
    return binding


Break = Callable[[Binding], None]
