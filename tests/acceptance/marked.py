"""What runs have left: found by name and mark, and deleted. What has no mark is not touched."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.acceptance.place import MARK, Json, Place

_ROLE = re.compile(rf"(?:/{MARK}/([0-9a-f]{{8}})/.*|.*/{MARK}-([0-9a-f]{{8}})-[^/]*)")
_NAMESPACE = re.compile(rf"{MARK}-([0-9a-f]{{8}})(?:-gone)?")
DELETING_SECONDS = 60.0


@dataclass(frozen=True)
class Left:
    """An object, by its kind and name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def sid(number: str) -> str:
    """The Sid in the trust policies of roles whose tags are what a fact is about."""
    return f"IrsaAcceptance{number}"


def found(place: Place, number: str = "") -> list[Left]:
    """Everything that has the mark of this run, or of any."""
    return [*_roles(place, number), *_namespaces(place, number), *_provider(place, number)]


def _roles(place: Place, number: str) -> Iterator[Left]:
    for role in place.roles("/"):
        named = _ROLE.fullmatch(role["Path"] + role["RoleName"])
        run = (named[1] or named[2]) if named else ""
        if not run or (number and run != number):
            continue
        statements: Any = role["AssumeRolePolicyDocument"].get("Statement", [])
        sids = [item.get("Sid") for item in statements if isinstance(item, dict)]
        if sid(run) in sids or place.tags(role["RoleName"]).get(MARK) == run:
            yield Left("IAM role", role["RoleName"])


def _namespaces(place: Place, number: str) -> Iterator[Left]:
    selector = f"{MARK}={number}" if number else MARK
    listed = place.try_kube("list_namespace", label_selector=selector)
    for item in listed.items if listed else ():
        named = _NAMESPACE.fullmatch(item.metadata.name)
        marked = named and item.metadata.labels.get(MARK) == named[1]
        if marked and item.metadata.deletion_timestamp is None:
            yield Left("namespace", item.metadata.name)


def _provider(place: Place, number: str) -> Iterator[Left]:
    state = place.provider_state() or {}
    tags = {tag["Key"]: tag["Value"] for tag in state.get("Tags", [])}
    if MARK in tags and number in ("", tags[MARK]):
        yield Left("OIDC provider", place.issuer.removeprefix("https://"))


def delete(place: Place, item: Left) -> None:
    """Delete a role with its policies, or a namespace with its ServiceAccounts; a provider is irsa's work."""
    if item.kind == "IAM role":
        delete_role(place, item.name)
    elif item.kind == "namespace":
        delete_associations(place, item.name)
        listed = place.try_kube("list_namespaced_service_account", item.name)
        for account in listed.items if listed else ():
            if account.metadata.name != "default":
                place.try_kube("delete_namespaced_service_account", account.metadata.name, item.name)
        place.try_kube("delete_namespace", item.name)


def delete_associations(place: Place, namespace: str) -> None:
    """Delete all Pod Identity associations of a namespace; who can't list them has created none."""
    where = {"clusterName": place.args.cluster}
    try:
        listed = place.eks.list_pod_identity_associations(**where, namespace=namespace)
    except ClientError as error:
        # Stock moto does not have them.
        if error.response["Error"]["Code"] not in ("AccessDeniedException", "404"):
            raise
        return
    for association in listed["associations"]:
        place.eks.delete_pod_identity_association(**where, associationId=association["associationId"])


def delete_role(place: Place, name: str) -> None:
    """Delete a role, although reads of what it has may be late."""
    until = time.monotonic() + DELETING_SECONDS
    while True:
        for arn in place.attached(name):
            place.try_iam("detach_role_policy", RoleName=name, PolicyArn=arn)
        try:
            place.try_iam("delete_role", RoleName=name)
        except ClientError as error:
            passes = ("DeleteConflict", "ConcurrentModification", "EntityTemporarilyUnmodifiable")
            if error.response["Error"]["Code"] not in passes or time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return


def trust_of(document: Json, number: str) -> Json:
    """A trust policy with the mark in its first statement, unless that has a Sid."""
    statements = document.get("Statement")
    if not isinstance(statements, list) or not all(isinstance(item, dict) for item in statements):
        return document
    first = [{"Sid": sid(number), **item} for item in statements[:1]]
    return {**document, "Statement": [*first, *statements[1:]]}
