"""The account and the cluster: clients whose calls are counted, and the names of a run.

Nothing of irsa is used to look at them: whether a step has passed is judged by these clients.
"""

import argparse
import base64
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import kubernetes.client
import kubernetes.config
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from kubernetes.client.exceptions import ApiException

from tests.support.eks import bearer

MARK = "irsa-acceptance"
"""The key of the tag of roles and providers, the label of namespaces, and the start of all names."""
POLICIES = ("AmazonSQSReadOnlyAccess", "AmazonSNSReadOnlyAccess")
"""Managed by AWS; they read names and settings, and no data."""
ROLE_ARN = "eks.amazonaws.com/role-arn"
IN_A_ROW = 4
"""Times that an answer has to be seen before it is believed, as IAM's reads are late."""
Json = dict[str, Any]


class OutOfBudget(Exception):
    """The time or the calls of a run are used up."""


class Failed(Exception):
    """A step that has not passed; its words have no names of the account in them."""


class LeftOut(Exception):
    """A step that an option leaves out."""


@dataclass
class Budget:
    """When a run has to stop, and how many calls it may make until then."""

    until: float
    calls: int
    used: int = 0

    def spend(self, **_: object) -> None:
        """Count a call."""
        self.used += 1
        if self.used > self.calls or self.left() <= 0:
            raise OutOfBudget

    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()


class Place:
    """Where a run takes place. `close` removes its temporary files."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.id: str = args.id or secrets.token_hex(4)
        self.name = f"{MARK}-{self.id}"
        self.vanishing = f"{self.name}-gone"
        self.path = f"/{MARK}/{self.id}/"
        self.args = args
        self.began = time.monotonic()
        self.budget = Budget(self.began + args.limit * 0.8, args.calls)
        self._folder = tempfile.TemporaryDirectory(prefix=f"{MARK}-")
        self.folder = Path(self._folder.name)
        # As the AWS CLI finds it: boto3 knows AWS_DEFAULT_REGION only.
        region = args.region or os.environ.get("AWS_REGION")
        self._session = boto3.Session(profile_name=args.profile, region_name=region)
        self._session.events.register("before-call", self.budget.spend)
        self.iam, self.eks = self._aws("iam"), self._aws("eks")
        sts = self._aws("sts")
        self.sts = self._aws("sts", signed=False)
        who = sts.get_caller_identity()
        self.account: str = who["Account"]
        self.partition: str = who["Arn"].split(":")[1]
        self.cluster: Json = self.eks.describe_cluster(name=args.cluster)["cluster"]
        self.region: str = self.eks.meta.region_name
        self.issuer: str = self.cluster["identity"]["oidc"]["issuer"]
        self.kube = kubernetes.client.CoreV1Api(self._kubernetes(sts.meta.endpoint_url))
        self.kubernetes_version: str = self._on_kube(
            kubernetes.client.VersionApi(self.kube.api_client).get_code
        ).git_version

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    def _aws(self, service: str, *, signed: bool = True) -> Any:
        make: Any = self._session.client
        config = Config(
            signature_version=None if signed else UNSIGNED,
            retries={"mode": "standard", "total_max_attempts": 5},
            parameter_validation=False,
            connect_timeout=10,
            read_timeout=20,
        )
        return make(service, config=config)

    def _kubernetes(self, sts_url: str) -> Any:
        if self.args.kubeconfig:
            return kubernetes.config.new_client_from_config(self.args.kubeconfig, self.args.context)
        authority = self.folder / "ca.crt"
        authority.write_bytes(base64.b64decode(self.cluster["certificateAuthority"]["data"]))
        configuration = kubernetes.client.Configuration()
        configuration.host = self.cluster["endpoint"]
        configuration.ssl_ca_cert = str(authority)

        def renew(_: object = None) -> None:
            credentials: Any = self._session.get_credentials()
            found = credentials.get_frozen_credentials()
            env = {
                "AWS_ACCESS_KEY_ID": found.access_key,
                "AWS_SECRET_ACCESS_KEY": found.secret_key,
                "AWS_REGION": self.region,
                "AWS_ENDPOINT_URL": sts_url,
                **({"AWS_SESSION_TOKEN": found.token} if found.token else {}),
            }
            configuration.api_key["authorization"] = f"Bearer {bearer(env, self.args.cluster)}"

        configuration.refresh_api_key_hook = renew
        renew()
        return kubernetes.client.ApiClient(configuration)

    def _on_kube(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        self.budget.spend()
        return call(*arguments, **more, _request_timeout=20)

    def try_kube(self, operation: str, *arguments: Any, **more: Any) -> Any:
        """The answer of the Kubernetes API; None if there is no such object."""
        try:
            return self._on_kube(getattr(self.kube, operation), *arguments, **more)
        except ApiException as error:
            if error.status != 404:
                raise
            return None

    @property
    def provider(self) -> str:
        """The ARN of the cluster's OIDC provider, whether it is there or not."""
        host = self.issuer.removeprefix("https://")
        return f"arn:{self.partition}:iam::{self.account}:oidc-provider/{host}"

    def policy(self, number: int) -> str:
        """The ARN of one of the policies that are attached."""
        return f"arn:{self.partition}:iam::aws:policy/{POLICIES[number]}"

    @property
    def missing_policy(self) -> str:
        """The ARN of a policy that does not exist."""
        return f"arn:{self.partition}:iam::{self.account}:policy/{MARK}-none"

    def try_iam(self, operation: str, **parameters: Any) -> Json | None:
        """The answer of IAM; None if there is no such entity."""
        try:
            answer: Json = getattr(self.iam, operation)(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise
            return None
        return answer

    def provider_state(self) -> Json | None:
        """The cluster's OIDC provider, None if there is none."""
        return self.try_iam("get_open_id_connect_provider", OpenIDConnectProviderArn=self.provider)

    def tags(self, role: str) -> dict[str, str]:
        """A role's tags; none if there is no such role."""
        answer = self.try_iam("list_role_tags", RoleName=role) or {"Tags": []}
        return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}

    def attached(self, role: str) -> set[str]:
        """The ARNs of the policies that are attached to a role."""
        answer = self.try_iam("list_attached_role_policies", RoleName=role) or {"AttachedPolicies": []}
        return {item["PolicyArn"] for item in answer["AttachedPolicies"]}

    def roles(self, path: str) -> list[Json]:
        """All roles of a path."""
        pages = self.iam.get_paginator("list_roles").paginate(
            PathPrefix=path, PaginationConfig={"PageSize": 1000}
        )
        return [role for page in pages for role in page["Roles"]]

    def settled(self, check: Callable[[], bool], seconds: float = 45.0) -> bool:
        """Whether `check` gets true, and stays so."""
        until, seen = time.monotonic() + seconds, 0
        while seen < IN_A_ROW:
            seen = seen + 1 if check() else 0
            if not seen and time.monotonic() > until:
                return False
            if not seen:
                time.sleep(0.2)
        return True

    def make_namespace(self, name: str) -> None:
        """Create a namespace with the mark, or use the one that is there with it."""
        found = self.try_kube("read_namespace", name)
        if found is None:
            metadata = {"name": name, "labels": {MARK: self.id}}
            self._on_kube(self.kube.create_namespace, {"metadata": metadata})
        elif (found.metadata.labels or {}).get(MARK) != self.id:
            raise Failed("a namespace of the run's name exists without its label")
