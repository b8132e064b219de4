"""The planted account of `tests.support.estates` in the sandbox, and what aws and kubectl print of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from irsa_cli.core.objects.role import Role
from irsa_cli.sandbox import ClusterSpec, RoleSpec, Sandbox
from tests.support.eks import bearer
from tests.support.estates import (
    DECLARED,
    FOR_DEVELOPERS,
    NO_ROLE,
    OPEN_TO_ALL,
    PODS,
    READ,
    SA,
    admits,
    arn_of,
    issuer_of,
    planted,
    role,
)
from tests.support.kubeclient import MERGE_PATCH, KubeClient
from tests.support.sandbox_clients import client
from tests.support.service_accounts import put_service_accounts
from tests.support.stage import ROLE_ARN

RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = {
    "ServiceAccount": "/api/v1",
    "Pod": "/api/v1",
    "Namespace": "/api/v1",
    **dict.fromkeys(("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"), RBAC),
}
CLUSTERS = ("shop-prod", "shop-dev", "tools")
NEVER_USED = "w24"
"""The sandbox's roles were made just now."""
AUDIENCES = ["sts.amazonaws.com", "https://vault.example.com"]


def plant(sandbox: Sandbox, tight: int = 100) -> dict[str, str]:
    """Put it there; returns the issuers of the sandbox's clusters by those of the planted ones."""
    eks, iam = client(sandbox, "eks"), client(sandbox, "iam")
    issuers = {}
    for name in CLUSTERS:
        sandbox.add_cluster(ClusterSpec(name))
        issuer = eks.describe_cluster(name=name)["cluster"]["identity"]["oidc"]["issuer"]
        iam.create_open_id_connect_provider(Url=issuer, ClientIDList=AUDIENCES)
        issuers[issuer_of(name)] = issuer.removeprefix("https://")
    iam.create_open_id_connect_provider(Url=f"https://{issuer_of('dead')}", ClientIDList=AUDIENCES[:1])
    for found in roles(issuers, tight):
        _put(sandbox, iam, found)
    named = {name: _annotated(name) for name in DECLARED}
    others = {"silent": {}, "by-association": {}, "misspelt": {ROLE_ARN: NO_ROLE}}
    put_service_accounts(
        sandbox, "shop-prod", "prod", {**named, **others, "lost": _annotated("no-such-role")}
    )
    tights = {f"tight{number}": _annotated(f"tight{number}") for number in range(tight)}
    put_service_accounts(sandbox, "shop-prod", "ok", tights)
    put_service_accounts(sandbox, "shop-dev", "prod", {"w18": _annotated("w18")})
    with _kube(sandbox, "shop-prod") as kube:
        # Each namespace has one of its own making.
        body = {"metadata": {"annotations": _annotated("w17")}}
        path = "/api/v1/namespaces/prod/serviceaccounts/default"
        assert kube.request("PATCH", path, body, content_type=MERGE_PATCH).status == 200
    for cluster, objects in (("shop-dev", OPEN_TO_ALL), ("shop-prod", FOR_DEVELOPERS)):
        with _kube(sandbox, cluster) as kube:
            for kind, body in ((kind, body) for kind, bodies in objects.items() for body in bodies):
                place = body["metadata"].get("namespace")
                path = f"{RBAC}/namespaces/{place}" if place else RBAC
                assert kube.create(f"{path}/{kind.lower()}s", body).status == 201
    for name, given in (("w31", "other"), ("by-association", "w21-free"), ("w33", "w33")):
        where = {"clusterName": "shop-prod", "namespace": "prod", "serviceAccount": name}
        eks.create_pod_identity_association(**where, roleArn=arn_of(given))
    return issuers


def roles(issuers: dict[str, str], tight: int) -> Iterator[Role]:
    """All roles, with the issuers that the sandbox has."""
    every = [item.role for item in planted()]
    every += [role(f"tight{n}", admits("shop-prod", f"{SA}ok:tight{n}")) for n in range(tight)]
    every += [role("other", PODS), role("w21-free", PODS)]
    for found in every:
        text = json.dumps(found.trust)
        for old, new in issuers.items():
            text = text.replace(old, new)
        yield found.with_trust(json.loads(text))


def _put(sandbox: Sandbox, iam: Any, found: Role) -> None:
    sandbox.put_roles([RoleSpec(found.name, found.trust, tags=found.tags, policies=sorted(found.attached))])
    for name, document in found.inline.items():
        iam.put_role_policy(RoleName=found.name, PolicyName=name, PolicyDocument=json.dumps(document))
    if found.boundary:
        iam.put_role_permissions_boundary(RoleName=found.name, PermissionsBoundary=READ)


def _annotated(name: str) -> dict[str, str]:
    return {ROLE_ARN: arn_of(name)}


def _kube(sandbox: Sandbox, name: str) -> KubeClient:
    endpoint = client(sandbox, "eks").describe_cluster(name=name)["cluster"]["endpoint"]
    return KubeClient(endpoint, sandbox.ca_pem, bearer(sandbox.env(), name))


def write_files(sandbox: Sandbox, folder: Path) -> None:
    """What aws and kubectl print of the account, a folder for each cluster."""
    iam, eks = client(sandbox, "iam"), client(sandbox, "eks")
    kinds = ["Role", "LocalManagedPolicy", "AWSManagedPolicy"]
    pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=kinds)
    _write(folder / "roles.json", pages.build_full_result())
    listed = iam.list_open_id_connect_providers()
    _write(folder / "providers.json", listed)
    for place, item in enumerate(listed["OpenIDConnectProviderList"]):
        provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=item["Arn"])
        _write(folder / f"provider-{place}.json", provider)
    names = eks.list_clusters()
    _write(folder / "clusters.json", names)
    for name in names["clusters"]:
        (folder / name).mkdir()
        _write_cluster(sandbox, eks, name, folder / name)


def _write_cluster(sandbox: Sandbox, eks: Any, name: str, folder: Path) -> None:
    one = {"clusterName": name}
    associations, entries = eks.list_pod_identity_associations(**one), eks.list_access_entries(**one)
    documents = {
        "cluster": eks.describe_cluster(name=name),
        "associations": associations,
        "entries": entries,
    }
    for place, item in enumerate(associations["associations"]):
        asked = {**one, "associationId": item["associationId"]}
        documents[f"association-{place}"] = eks.describe_pod_identity_association(**asked)
    for place, arn in enumerate(entries["accessEntries"]):
        asked = {**one, "principalArn": arn}
        documents[f"entry-{place}"] = eks.describe_access_entry(**asked)
        documents[f"policies-{place}"] = eks.list_associated_access_policies(**asked)
    with _kube(sandbox, name) as kube:
        for kind, path in KINDS.items():
            found = kube.request("GET", f"{path}/{kind.lower()}s").body["items"]
            # kubectl says of each object what it is; the API says it of the list only.
            items = [{"kind": kind, **item} for item in found]
            documents[kind] = {"kind": f"{kind}List", "items": items}
    for stem, document in documents.items():
        _write(folder / f"{stem}.json", document)


def _write(path: Path, document: Any) -> None:
    told = {key: value for key, value in document.items() if key != "ResponseMetadata"}
    path.write_text(json.dumps(told, default=str), encoding="utf-8")
