"""A sandbox's whole state as JSON, and back: IAM, associations, Kubernetes objects, irsa's own files."""

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import RoleSpec, Sandbox
from irsa_cli.sandbox.kube.kinds import KINDS
from tests.support.sandbox_clients import administrator

Json = dict[str, Any]
CLUSTER, REGION = "demo", "eu-west-1"
ACCOUNTS = ("111122223333", "222222222222")
"""The cluster's account, and another one that some commands are about, too."""
KEY = "journal.key"
"""What seals journals: random bytes, which are kept as hexadecimal digits."""
_OF_NEW_CLUSTERS = ("default", "kube-node-lease", "kube-public", "kube-system", "kube-root-ca.crt")


def take(sandbox: Sandbox, folder: Path) -> Json:
    """All that irsa, or somebody else, has written; `folder` is where the commands ran."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        "accounts": {account: _iam(sandbox, account) for account in ACCOUNTS},
        "associations": list(_associations(sandbox)),
        "objects": list(_objects(sandbox)),
        "files": {str(path.relative_to(folder)): _text(path) for path in files},
    }


def put(sandbox: Sandbox, folder: Path, state: Json) -> None:
    """Put such a state into a sandbox that is as after its start, and into an empty folder."""
    for account, iam in state["accounts"].items():
        if iam["roles"] or iam["oidc_providers"]:
            _put_iam(sandbox, account, iam)
    _put_associations(sandbox, state["associations"])
    _put_objects(sandbox, state["objects"])
    for name, text in state["files"].items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(text) if path.name == KEY else text.encode())
        path.chmod(0o600)


def _text(path: Path) -> str:
    return path.read_bytes().hex() if path.name == KEY else path.read_text(encoding="utf-8")


def _iam(sandbox: Sandbox, account: str) -> Json:
    world = sandbox.world(account, region=REGION)
    assert not world["policies"], "policies of an account's own are not recorded"
    described = {}
    for role in sandbox._front.cloud.iam(account, "aws").roles.values():
        created = role.create_date.replace(tzinfo=timezone.utc).isoformat()
        described[role.name] = {**world["roles"][role.name], "id": role.id, "created": created}
    return {"roles": described, "oidc_providers": world["oidc_providers"]}


def _put_iam(sandbox: Sandbox, account: str, iam: Json) -> None:
    client = administrator(sandbox, "iam", account, REGION)
    for arn, provider in iam["oidc_providers"].items():
        assert arn.endswith(provider["url"].removeprefix("https://"))
        client.create_open_id_connect_provider(
            Url=f"https://{provider['url'].removeprefix('https://')}",
            ClientIDList=provider["audiences"],
            ThumbprintList=provider["thumbprints"],
            Tags=[{"Key": key, "Value": value} for key, value in provider["tags"].items()],
        )
    sandbox.put_roles(
        (
            RoleSpec(name, role["trust"], role["path"], role["tags"], role["attached"])
            for name, role in iam["roles"].items()
        ),
        account=account,
    )
    there = sandbox._front.cloud.iam(account, "aws").roles
    for role in list(there.values()):
        recorded = iam["roles"][role.name]
        del there[role.id]
        role.id = recorded["id"]
        there[role.id] = role
        role.create_date = datetime.fromisoformat(recorded["created"]).replace(tzinfo=None)
        role.description = recorded["description"]
        role.max_session_duration = str(recorded["max_session_duration"])
        role.permissions_boundary_arn = recorded["boundary"]
        role.policies = {name: json.dumps(document) for name, document in recorded["inline"].items()}


def _associations(sandbox: Sandbox) -> Iterator[Json]:
    for association in sandbox._front.clusters.associations._of.get(_arn(sandbox), {}).values():
        yield {key: value for key, value in association.items() if key != "_since"}


def _put_associations(sandbox: Sandbox, associations: list[Json]) -> None:
    of_cluster = sandbox._front.clusters.associations._of.setdefault(_arn(sandbox), {})
    for association in associations:
        of_cluster[association["associationId"]] = {**copy.deepcopy(association), "_since": 0.0}


def _objects(sandbox: Sandbox) -> Iterator[Json]:
    store = _store(sandbox)
    for kind in KINDS.values():
        if kind.group in ("", "coordination.k8s.io", "apps", "batch"):
            for item in store.list(kind)[1]:
                if item["metadata"]["name"] not in _OF_NEW_CLUSTERS:
                    yield item


def _put_objects(sandbox: Sandbox, objects: list[Json]) -> None:
    """With their uids and versions, which a server would choose anew."""
    store = _store(sandbox)
    kinds = {(kind.kind, kind.api_version): kind for kind in KINDS.values()}
    for item in copy.deepcopy(objects):
        metadata = item["metadata"]
        kind = kinds[item["kind"], item["apiVersion"]]
        if item["kind"] == "Namespace":
            store.create(kind, "", copy.deepcopy(item) | {"metadata": {"name": metadata["name"]}})
        store._objects[kind][metadata.get("namespace", ""), metadata["name"]] = item
        store._version = max(store._version, int(metadata["resourceVersion"]))


def _store(sandbox: Sandbox) -> Any:
    return sandbox._own[_arn(sandbox)].api._store


def _arn(sandbox: Sandbox) -> str:
    return sandbox._cluster(CLUSTER).arn
