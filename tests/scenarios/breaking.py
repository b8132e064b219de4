"""A working binding with a pod, and the ways to break it that `irsa doctor` must tell apart.

Everything is done as by somebody else: by AWS's and Kubernetes' own calls.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from string import Template
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

    def text(self, text: str) -> str:
        """A text with the binding's words in place of `$NAME`."""
        providers, _, prefix = self.provider.partition("/")
        words = {
            "role": self.role_arn,
            "ns": self.namespace,
            "subject": self.subject,
            "prefix": prefix,
            "name": self.role,
        }
        words |= {"providers": providers, "issuers": prefix.rpartition("/")[0]}
        words |= {"region": self.stage.region, "account": self.stage.account_id}
        return Template(text).safe_substitute(words)

    def json(self, text: str) -> Json:
        """A JSON text with the binding's words."""
        found: Json = json.loads(self.text(text))
        return found

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

    def annotate(self, value: str | None, key: str = ROLE_ARN, *, account: str = NAME) -> None:
        """Write an annotation of a ServiceAccount, or take it away."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}"
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

    def remake_pod(self, name: str) -> None:
        """Delete a pod, which its StatefulSet makes anew."""
        assert name == f"{NAME}-0", name
        self.restart_pod()

    def restart(self, workload: str) -> None:
        """Make the pods of a workload (`kind/name`) anew."""
        assert workload == f"statefulset/{NAME}", workload
        self.restart_pod()

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
        self.wait_until(lambda shown: shown.status == 500)

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
        self.wait_until(lambda shown: ("AWS_ROLE_ARN" in made(shown).text) is injects)

    def wait_until(self, is_so: Callable[[Answer], bool]) -> None:
        """Return when the API answers so to a pod that is not made."""
        spec = {"serviceAccountName": NAME, "containers": [{"name": "show", "image": "show"}]}
        body, path = {"metadata": {"name": "show"}, "spec": spec}, f"/api/v1/namespaces/{self.namespace}/pods"
        shown = (self.stage.kube.create(path, body, dryRun="All") for _ in range(2000))
        assert any(map(is_so, shown)), "the webhook's configuration does not take effect"

    def make_role(self, name: str, statement: Json, path: str = "/") -> str:
        """Make a role with this trust policy's only statement; returns its ARN."""
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = self.stage.iam().create_role(
            RoleName=f"{self.namespace}-{name}", Path=path, AssumeRolePolicyDocument=document
        )
        return str(role["Role"]["Arn"])

    def aws(self, service: str, account: str = "") -> Any:
        """A service of AWS as the administrator of an account, by default the cluster's."""
        return administrator(self.stage.sandbox, service, account or self.stage.account_id, self.stage.region)

    def exchange(self, **parameters: Any) -> None:
        """Exchange a token as the pod would; STS may refuse."""
        with suppress(ClientError):
            exchanged(self, self.role_arn, token_of(self, NAME), **parameters)


def token_of(binding: Binding, name: str, audience: str = STS) -> str:
    """A token of a ServiceAccount of the namespace."""
    path = f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{name}/token"
    spec = {"audiences": [audience], "expirationSeconds": 600}
    return str(made(binding.stage.kube.create(path, {"spec": spec})).body["status"]["token"])


def exchanged(binding: Binding, role: str, token: str, **parameters: Any) -> Any:
    """What STS answers to a token. Raises `ClientError` where it refuses."""
    stage, unsigned = binding.stage, Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    sts = boto3.client("sts", endpoint_url=stage.sandbox.url, region_name=stage.region, config=unsigned)
    return sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="pod", WebIdentityToken=token, **parameters
    )


def make(stage: Stage, namespace: str) -> Binding:
    """A working binding with a pod."""
    binding = Binding(stage, namespace, make_binding(stage, namespace, NAME))
    binding.new_pod()
    return binding


Break = Callable[[Binding], None]
