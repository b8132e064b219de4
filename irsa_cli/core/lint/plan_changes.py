"""The changes of a Terraform plan: its resources before and after it.

https://developer.hashicorp.com/terraform/internals/json-format#change-representation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from irsa_cli.core.lint.found import Placed, Unjudged, as_dict, part_of
from irsa_cli.core.lint.from_aws import dicts, listed
from irsa_cli.core.trust.rules.rule import Severity

_PROVIDER = "aws_iam_openid_connect_provider"
UNCHANGED = "unchanged"
_WORDS = {
    ("create",): "created",
    ("update",): "updated",
    ("delete", "create"): "replaced",
    ("create", "delete"): "replaced",
    ("delete",): "deleted",
    ("no-op",): UNCHANGED,
}


@dataclass(frozen=True)
class PlanChanges:
    """The changes of a plan by the addresses of their resources; a state has none."""

    plan: Mapping[str, Any]

    @cached_property
    def _changes(self) -> dict[str, Mapping[str, Any]]:
        changes = dicts(self.plan.get("resource_changes"))
        return {str(change.get("address")): as_dict(change.get("change")) for change in changes}

    def word(self, address: str) -> str:
        """The change of a resource in a word; '' if the document does not tell."""
        actions = listed(self._changes.get(address, {}).get("actions"))
        return _WORDS.get(tuple(map(str, actions)), "")

    def is_changed(self, address: str) -> bool:
        """Whether the plan creates a resource, or changes it."""
        return self.word(address) not in ("", UNCHANGED)

    def unknown(self, address: str) -> Mapping[str, Any]:
        """The values of a resource that are known only after apply."""
        return as_dict(self._changes.get(address, {}).get("after_unknown"))

    def deleted(self, kind: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
        """The resources of a type that the plan deletes: the place in its list, the address, the values."""
        for index, change in enumerate(map(as_dict, listed(self.plan.get("resource_changes")))):
            address = str(change.get("address"))
            if change.get("type") == kind and self.word(address) == "deleted":
                yield index, address, as_dict(part_of(change, ("change", "before")))

    @cached_property
    def deleted_providers(self) -> frozenset[str]:
        """The ARNs of the OIDC providers that the plan deletes."""
        arns = (values.get("arn") for _, _, values in self.deleted(_PROVIDER))
        return frozenset(arn for arn in arns if isinstance(arn, str))

    def incomplete(self, placed: Placed) -> Iterator[Unjudged]:
        """The reasons why a plan may lack resources."""
        place = placed.place()
        if self.plan.get("errored") is True:
            yield Unjudged(place, "the plan failed, so it may lack resources", Severity.CRITICAL)
        elif self.plan.get("complete") is False:
            text = "the plan is not complete (-target, or deferred changes), so it may lack resources"
            yield Unjudged(place, text, Severity.CRITICAL)


def audiences_of(kind: str, values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The audiences of an OIDC provider by its ARN, if both are known."""
    arn = values.get("arn")
    audiences = values.get("client_id_list")
    if kind != _PROVIDER or not isinstance(arn, str) or not isinstance(audiences, list):
        return {}
    return {arn: tuple(map(str, audiences))}
