"""The sandbox for its users: AWS and EKS clusters on 127.0.0.1, for a `with` block."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from irsa_cli.sandbox.aws.cloud import Cloud, iam_world, user_key
from irsa_cli.sandbox.aws.clusters import Cluster, issuer_of
from irsa_cli.sandbox.aws.eks_auth import PATH, Agent
from irsa_cli.sandbox.aws.front import Front
from irsa_cli.sandbox.aws.of_clusters import cluster_arn
from irsa_cli.sandbox.control import Control
from irsa_cli.sandbox.exchange import Endpoint, Exchange, Faults, Label
from irsa_cli.sandbox.kube.admission import Webhook
from irsa_cli.sandbox.kube.api import KubeApi
from irsa_cli.sandbox.kubefront import KubeFront, identify, review
from irsa_cli.sandbox.model import (
    DEFAULT_ACCOUNT,
    DEFAULT_REGION,
    Answer,
    Call,
    ClusterSpec,
    RoleSpec,
    Rule,
    partition_of,
)
from irsa_cli.sandbox.server import HOST, Authority, Issuers, Server, signing_key


@dataclass
class _Own:
    """A cluster with the sandbox's own Kubernetes API."""

    api: KubeApi
    server: Server


class Sandbox:
    """AWS and EKS in this process. One at a time: moto's state belongs to the process.

    With a cluster's name, it raises KeyError for an unknown one and, if it is about the sandbox's own
    Kubernetes API, for one whose control plane is external.
    """

    _running: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, clusters: Sequence[ClusterSpec] = (ClusterSpec(),), *, latency: float = 0.0) -> None:
        """`latency`: seconds added to each call. Raises RuntimeError when another sandbox is running."""
        if not self._running.acquire(blocking=False):
            raise RuntimeError("there is one sandbox at a time in a process")
        try:
            self._exchange = Exchange()
            self.faults: Faults = self._exchange.faults
            self.calls: list[Call] = self._exchange.calls
            """All calls since start or reset, in the order of their ends."""
            self._front = Front(Cloud())
            self.quotas: dict[str, int] = self._front.quotas
            """IAM's quotas in all accounts, by the names of GetAccountSummary; may be changed."""
            authority = Authority()
            self._tls = authority.context()
            self.ca_pem = authority.pem
            """The CA of all ports with TLS."""
            self._own: dict[str, _Own] = {}
            self._users: dict[tuple[str, str], Mapping[str, Any] | None] = {}
            self._given = tuple(clusters)
            self._latency = latency
            self._warming = threading.Thread(
                target=self._front.cloud.warm, args=(DEFAULT_ACCOUNT, "aws"), daemon=True
            )
            self._token = secrets.token_urlsafe(24)
            control = Control(self, self._token)
            issuers = Issuers(self._front.clusters, authority)
            self._aws = Server(self._exchange, self._front, control=control, issuers=issuers)
            self._agents = Agent(self._front.eks_auth)
            self._agent = Server(self._exchange, self._agents, name="agent")
            self.url = self._aws.url
            self.agent_url = f"{self._agent.url}{PATH}"
            """Stands for http://169.254.170.23/v1/credentials, the EKS Pod Identity agent of all nodes."""
            self.control_url = f"{self.url}/_sandbox/{self._token}"
            self._exchange.latency = latency
        except BaseException:
            self._running.release()
            raise

    def __enter__(self) -> Sandbox:
        self._aws.start()
        with tempfile.NamedTemporaryFile("w", prefix="irsa-sandbox-", suffix=".pem", delete=False) as file:
            file.write(self.ca_pem)
        self._ca_file = Path(file.name)
        self._agent.start()
        self._front.cloud.open_account(DEFAULT_ACCOUNT, "aws")
        self._warming.start()
        try:
            for spec in self._given:
                self.add_cluster(spec)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._warming.join()
        self._exchange.reset(0.0)
        self._aws.stop()
        self._ca_file.unlink(missing_ok=True)
        self._agent.stop()
        for own in self._own.values():
            own.server.stop()
        self._front.cloud.close()
        self._running.release()

    def listen(self, listener: Callable[[Label], None]) -> None:
        """Call `listener` before each call, in its thread and holding it, until the next reset."""
        self._exchange.listen = listener

    @property
    def latency(self) -> float:
        """Seconds added to each AWS and Kubernetes call."""
        return self._exchange.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._exchange.latency = seconds

    @property
    def lag(self) -> float:
        """By how many seconds, at most, IAM's reads, attachments, STS and the webhook are late."""
        return self._front.lag.seconds

    @lag.setter
    def lag(self, seconds: float) -> None:
        self._front.lag.seconds = seconds

    def replicate(self, seconds: float, seed: int = 0) -> None:
        """Delay each read of IAM, and STS, by up to `seconds` (by `seed`), as with many replicas."""
        self._front.lag.seconds = seconds
        self._front.lag.replicate(seed)

    def endpoint(self, cluster: str = "") -> Endpoint:
        """AWS, or a cluster's own Kubernetes API, with nothing before it: no log, no latency, no faults."""
        return KubeFront(self._own[self._cluster(cluster).arn].api) if cluster else self._front

    def open_port(self, endpoint: Endpoint | None = None, *, name: str = "aws") -> Server:
        """One more port, with TLS, that leads to `endpoint`, or to the sandbox's AWS.

        Its calls are logged and broken like all others; `name` is as in faults of handshakes. The caller
        starts and stops it.
        """
        return Server(self._exchange, endpoint or self._front, self._tls, name=name)

    def add_cluster(self, spec: ClusterSpec) -> None:
        """Create an EKS cluster, with the sandbox's Kubernetes API unless it has an external one."""
        if any(known.arn == cluster_arn(spec) for known in self._front.clusters.all()):
            raise ValueError(f"cluster {spec.name} exists")
        self._open_account(spec.account, spec.region)
        external = spec.external
        if external:
            cluster = Cluster(spec, external.endpoint, external.ca_pem, external.issuer, external.jwks)
        else:
            cluster = self._start_cluster(spec)
        self._front.clusters.add(cluster)

    def remove_cluster(self, name: str) -> None:
        """Delete a cluster that was added: EKS forgets it, IAM does not."""
        cluster = self._cluster(name)
        self._front.clusters.remove(cluster.spec)
        own = self._own.pop(cluster.arn, None)
        if own:
            own.server.stop()

    def _start_cluster(self, spec: ClusterSpec) -> Cluster:
        key = signing_key(len(self._own))
        issuer = issuer_of(spec)
        cluster: Cluster
        webhook = Webhook(
            spec.region if spec.pod_webhook else "",
            self.ca_pem,
            lambda namespace, name: self.associated(cluster.arn, namespace, name),
        )
        api = KubeApi(issuer, key, lambda token: identify(self._front, cluster, token), webhook=webhook)
        server = Server(self._exchange, KubeFront(api), self._tls, name="kubernetes")
        cluster = Cluster(spec, server.url, self.ca_pem, issuer, api.jwks)
        self._own[cluster.arn] = _Own(api, server)
        server.start()
        return cluster

    def env(
        self, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION, user: str = "admin"
    ) -> dict[str, str]:
        """The environment in which AWS SDKs call this sandbox as that user."""
        partition = self._open_account(account, region)
        key, secret = user_key(account, partition, user)
        no_proxy = ",".join(filter(None, (os.environ.get("NO_PROXY", ""), HOST, "localhost")))
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Only the issuers are behind the proxy: everything else is on this machine, or not there.
            "HTTPS_PROXY": self.url,
            "https_proxy": self.url,
            "AWS_CA_BUNDLE": str(self._ca_file),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def add_user(
        self, name: str, *, account: str = DEFAULT_ACCOUNT, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Create an IAM user with this inline policy, in every partition of the account."""
        if (account, name) in self._users:
            raise ValueError(f"user {name} exists in account {account}")
        partitions = [partition for number, partition in self._front.cloud.accounts() if number == account]
        if not partitions:
            self._front.cloud.open_account(account, "aws")
            partitions = ["aws"]
        self._users[account, name] = policy
        for partition in partitions:
            self._front.cloud.add_user(account, partition, name, policy)

    def _open_account(self, account: str, region: str) -> str:
        partition = partition_of(region).name
        cloud = self._front.cloud
        with cloud.lock:
            if (account, partition) not in cloud.accounts():
                cloud.open_account(account, partition)
                for (number, name), policy in self._users.items():
                    if number == account:
                        cloud.add_user(account, partition, name, policy)
        return partition

    def add_bucket(self, name: str, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> None:
        """Create an empty S3 bucket, besides the two demo buckets that every account has."""
        partition = self._open_account(account, region)
        self._front.cloud.add_bucket(account, partition, name)

    def put_roles(self, roles: Iterable[RoleSpec], *, account: str = DEFAULT_ACCOUNT) -> None:
        """Put roles into an account without any call: thousands in a moment, and past all quotas."""
        partition = self._open_account(account, DEFAULT_REGION)
        for spec in roles:
            self._front.cloud.put_role(account, partition, spec)

    def age_roles(self, days: float, *, account: str = DEFAULT_ACCOUNT) -> None:
        """Let all roles of an account have been created so many days ago, and not have been used since."""
        self._front.cloud.age_roles(account, "aws", days)

    def put_objects(self, cluster: str, manifests: Iterable[dict[str, Any]]) -> None:
        """Create Kubernetes objects without any call, in this order."""
        self._own[self._cluster(cluster).arn].api.put(manifests)

    def grant(
        self,
        cluster: str,
        user: str,
        *,
        username: str | None = None,
        groups: Sequence[str] = (),
        rules: Sequence[Rule] = (),
    ) -> None:
        """Set the Kubernetes identity of an IAM user or ARN; `rules` are for the sandbox's own API."""
        target = self._cluster(cluster)
        own = f"arn:{target.partition}:iam::{target.spec.account}:user/{user}"
        arn = user if user.startswith("arn:") else own
        name = username or arn
        entries = self._front.clusters.access_entries
        entries.put(target.spec, target.arn, arn, username=name, kubernetesGroups=[*groups])
        if target.arn in self._own:
            self._own[target.arn].api.set_rules(name, rules)

    def associated(self, cluster: str, namespace: str, name: str) -> bool:
        """Whether the webhook finds an EKS Pod Identity association of a ServiceAccount; see `lag`."""
        target = self._cluster(cluster)
        return self._front.clusters.associations.is_heeded(target.spec, target.arn, namespace, name)

    def review_token(self, cluster: str, body: bytes) -> Answer:
        return review(self._front, self._cluster(cluster), body)

    def _cluster(self, name: str) -> Cluster:
        for cluster in self._front.clusters.all():
            if name in (cluster.spec.name, cluster.arn):
                return cluster
        raise KeyError(name)

    def world(self, account: str = DEFAULT_ACCOUNT, *, region: str = DEFAULT_REGION) -> dict[str, Any]:
        """All that is in an account's IAM and its clusters, as plain values; a region tells the partition."""
        partition = self._open_account(account, region)
        cloud = self._front.cloud
        with cloud.lock:
            state = iam_world(cloud.iam(account, partition))
        clusters = self._front.clusters
        associations: dict[str, Any] = {}
        kubernetes: dict[str, Any] = {}
        for cluster in clusters.all():
            if (cluster.spec.account, cluster.partition) != (account, partition):
                continue
            name = cluster.spec.name
            for account_name, association in clusters.associations.world(cluster.arn).items():
                associations[f"{name}/{account_name}"] = association
            if cluster.arn in self._own:
                kubernetes[name] = self._own[cluster.arn].api.world()
        return {**state, "associations": associations, "kubernetes": kubernetes}

    def settle(self, timeout: float = 30.0, *, hurry: bool = False, gone: bool = False) -> None:
        """Wait until no call is under way, not even one that its client has given up.

        `hurry`: calls that a fault holds back are let go now, which executes late ones. `gone`: all clients
        of ports with TLS have ended; what they had sent is read to its end. Raises TimeoutError after
        `timeout` seconds.
        """
        self._exchange.settle(timeout, hurry=hurry, gone=gone)

    def reset(self) -> None:
        """Back to the state after start. Calls that faults hold back are dropped."""
        self._exchange.reset(self._latency)
        for cluster in self._front.clusters.all():
            if cluster.spec not in self._given:
                self.remove_cluster(cluster.arn)
        for own in self._own.values():
            own.api.reset()
        self._users.clear()
        self._front.reset()
        self._agents.reset()
