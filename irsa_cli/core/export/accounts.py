"""A ServiceAccount as other tools need to know it, and as a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class ExportedAccount(Namespaced):
    """A ServiceAccount with the webhook's annotations: its role, and the settings of its tokens.

    irsa's own marks are not part of it: they say that irsa wrote into a cluster, which no file repeats.
    """

    namespace: str
    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, str]:
        """The namespace and the name."""
        return self.namespace, self.name

    @property
    def role_arn(self) -> str:
        """The role of its annotation, '' without one."""
        return self.annotations.get(ROLE_ARN_ANNOTATION, "")

    @property
    def manifest(self) -> Document:
        """The ServiceAccount for `kubectl apply`, with only the fields that a user owns."""
        metadata: Document = {"name": self.name, "namespace": self.namespace}
        if self.labels:
            metadata["labels"] = dict(sorted(self.labels.items()))
        metadata["annotations"] = dict(self.annotations)
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def in_order(accounts: Iterable[ExportedAccount]) -> list[ExportedAccount]:
    """Sort by namespace and name, so that two exports of the same cluster are the same text."""
    return sorted(accounts, key=lambda account: account.names)
