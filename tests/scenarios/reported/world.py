"""A cluster with one working binding whose pod runs: what the reported cases break, and how."""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from typing import Any

from tests.scenarios.breaking import AWS_CLI, NAME, STS, Binding
from tests.support.eks_states import add_sts_endpoint, describe_cluster_as, note_exchange
from tests.support.stage import ROLE_ARN, Json, made

OLD_ID = "0123456789ABCDEF0123456789ABCDEF"
AGENT = "eks-pod-identity-agent"
SKIPPED = "eks.amazonaws.com/skip-pod-identity-webhook=true"
SKIP = dict([SKIPPED.split("=")])
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
TOKEN_FILE = f"{FOLDER}/token"


class World(Binding):
    """A binding, and the things around it that reports are about."""

    later = timedelta()
    """How long after the making of the world doctor looks: pods run for a while before somebody complains."""

    def for_hours(self, hours: int = 2) -> None:
        """Let the pods have run for some hours when doctor looks."""
        self.later = timedelta(hours=hours)

    @functools.cached_property
    def _clients(self) -> dict[tuple[str, str], Any]:
        return {}

    def aws(self, service: str, account: str = "") -> Any:
        """As the binding's; a client is made once."""
        if (service, account) not in self._clients:
            self._clients[service, account] = super().aws(service, account)
        return self._clients[service, account]

    @property
    def iam(self) -> Any:
        """IAM of the cluster's account."""
        return self.aws("iam")

    def pod(
        self,
        name: str,
        account: str = NAME,
        *,
        labels: str = "",
        annotation: str = "",
        hook: str = "",
        phase: str = "Running",
        owner: str = "",
        **spec: Any,
    ) -> None:
        """Make a pod besides: labels are KEY=VALUE with commas between, the owner is KIND/NAME.

        With an `annotation` that names the role, or as a `hook` of Helm.
        """
        pairs = (pair.split("=") for pair in labels.split(",") if pair)
        metadata: Json = {"name": name, "labels": dict(pairs)}
        if annotation:
            metadata["annotations"] = {annotation: self.role_arn}
        if hook:
            metadata["annotations"] = {"helm.sh/hook": hook}
        if owner:
            kind, _, maker = owner.partition("/")
            group = "batch/v1" if kind == "Job" else "apps/v1"
            reference = {"apiVersion": group, "kind": kind, "name": maker, "uid": f"uid-{maker}"}
            metadata["ownerReferences"] = [{**reference, "controller": True}]
        whole = {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "containers": [{"name": "app", "image": AWS_CLI}],
            **spec,
        }
        self._bodies[name] = {"metadata": metadata, "spec": whole}
        made(self.stage.kube.create(self._pods, self._bodies[name]))
        self.say_phase(phase, name)

    @functools.cached_property
    def _bodies(self) -> dict[str, Json]:
        """The pods besides, as they were made."""
        return {}

    def remake_pod(self, name: str) -> None:
        """Delete a pod, whose controller makes it anew."""
        if name not in self._bodies:
            super().remake_pod(name)
            return
        self.stage.kube.delete(f"{self._pods}/{name}", {"gracePeriodSeconds": 0})
        made(self.stage.kube.create(self._pods, self._bodies[name]))
        self.say_phase("Running", name)

    def restart(self, workload: str) -> None:
        """Make the pods of a workload (`kind/name`) anew."""
        for name, body in self._bodies.items():
            owners = body["metadata"].get("ownerReferences") or []
            if any(f"{owner['kind'].lower()}/{owner['name']}" == workload for owner in owners):
                self.remake_pod(name)
        if not self._bodies or workload == f"statefulset/{NAME}":
            super().restart(workload)

    def unseen(self, name: str) -> None:
        """Make a pod besides that the webhook does not see; nothing of it says so."""
        self.pod(name, labels=SKIPPED)
        self.forget_skipping(name)

    def forget_skipping(self, name: str) -> None:
        """Take the label off a pod by which the webhook did not see it."""
        self.stage.kube.patch(f"{self._pods}/{name}", {"metadata": {"labels": dict.fromkeys(SKIP)}})
        labels = self._bodies.get(name, {"metadata": {"labels": {}}})["metadata"]["labels"]
        for key in SKIP:
            labels.pop(key, None)

    def end(self, name: str) -> None:
        """Have a pod end, for which it takes its time."""
        self.stage.kube.delete(f"{self._pods}/{name}")

    def say_status(self, name: str, status: str, namespace: str = "") -> None:
        """Write the status of a pod, as its kubelet does."""
        path = f"/api/v1/namespaces/{namespace or self.namespace}/pods/{name}/status"
        answer = self.stage.kube.patch(path, {"status": json.loads(status)})
        assert answer.status == 200, answer.text

    def write_trust(self, role: str, *statements: Json, account: str = "") -> None:
        """Write the trust policy of a role."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.aws("iam", account).update_assume_role_policy(RoleName=role, PolicyDocument=document)

    def version(self, version: str) -> None:
        """Let the cluster be of a version of Kubernetes."""
        describe_cluster_as(self.stage.sandbox, self.stage.cluster, version=version)

    def endpoint(self, *policy: Json) -> None:
        """Make an endpoint for STS in the cluster's VPC."""
        add_sts_endpoint(self.stage.sandbox, self.stage.cluster, *policy)

    def accept(self, audience: str) -> None:
        """Let the cluster's provider accept another audience."""
        self.iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=self.provider, ClientID=audience
        )

    @property
    def other_issuer(self) -> str:
        """The issuer of another cluster, without `https://`."""
        return f"{self.prefix[:-32]}{OLD_ID}"

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def account_named(self, name: str, **annotations: str) -> None:
        """Make another ServiceAccount of the namespace."""
        self.stage.make_account(self.namespace, name, annotations=annotations)

    def subject_of(self, name: str) -> str:
        """The `sub` of another ServiceAccount of the namespace."""
        return f"system:serviceaccount:{self.namespace}:{name}"

    def make_provider(self, url: str = "", *audiences: str, account: str = "") -> None:
        """Make an OIDC provider, by default the cluster's."""
        self.aws("iam", account).create_open_id_connect_provider(
            Url=f"https://{url or self.prefix}", ClientIDList=list(audiences) or [STS]
        )

    def no_role(self) -> None:
        """Take the role away."""
        for item in self.iam.list_attached_role_policies(RoleName=self.role)["AttachedPolicies"]:
            self.iam.detach_role_policy(RoleName=self.role, PolicyArn=item["PolicyArn"])
        self.iam.delete_role(RoleName=self.role)

    def trusting(self, subject: str) -> Json:
        """The statement that admits another subject."""
        found: Json = json.loads(json.dumps(self.statement).replace(self.subject, subject))
        return found

    def of_issuer(self, identifier: str) -> Json:
        """The statement for the same ServiceAccount of another cluster."""
        found: Json = json.loads(json.dumps(self.statement).replace(self.prefix[-32:], identifier))
        return found

    def injected_by_hand(
        self, role: str = "", audience: str = STS, path: str = FOLDER, volume: str = "identity"
    ) -> Json:
        """The spec of a pod that brings variables, volume and mount itself."""
        token = {"serviceAccountToken": {"audience": audience, "expirationSeconds": 86400, "path": "token"}}
        env = {"AWS_ROLE_ARN": role or self.role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{path}/token"}
        variables = [{"name": name, "value": value} for name, value in env.items()]
        container = {
            "env": [*variables, {"name": "AWS_REGION", "value": self.stage.region}],
            "volumeMounts": [{"name": volume, "mountPath": path}],
        }
        return {"container": container, "volumes": [{"name": volume, "projected": {"sources": [token]}}]}

    def refused(self, code: str, words: str = "", role: str = "") -> None:
        """Let CloudTrail tell of an exchange of the pod's token that STS refused."""
        sandbox, role = self.stage.sandbox, role or self.role_arn
        note_exchange(sandbox, self.stage.cluster, self.subject, role, code, words)

    def annotated(self) -> dict[str, str]:
        """The annotation that names the role."""
        return {ROLE_ARN: self.role_arn}
