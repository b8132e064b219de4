"""The files of other tools: their schema, a stable order, and nothing that a user does not own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from irsa_cli.core.config.documents import parse
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.formats import FORMATS, Export, joined
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, STS_REGIONAL_ANNOTATION

ARN = "arn:aws:iam::111122223333:role/demo-{}"


def account(name: str, namespace: str = "backend", **labels: str) -> ExportedAccount:
    annotations = {ROLE_ARN_ANNOTATION: ARN.format(name), STS_REGIONAL_ANNOTATION: "true"}
    return ExportedAccount(namespace, name, annotations, labels)


def export(*accounts: ExportedAccount, key: str = "serviceAccount", alone: bool = False) -> Export:
    return Export("demo", "eu-west-1", accounts, key, alone)


def documents(form: str, *accounts: ExportedAccount, key: str = "serviceAccount") -> list[Any]:
    return [*yaml.safe_load_all(joined(FORMATS[form](export(*accounts, key=key))))]


ANNOTATIONS = {ROLE_ARN_ANNOTATION: ARN.format("app"), STS_REGIONAL_ANNOTATION: "true"}


@pytest.mark.parametrize("form", FORMATS)
def test_the_order_of_the_accounts_changes_no_byte(form: str) -> None:
    accounts = [account("b"), account("a"), account("b", "a")]
    assert FORMATS[form](export(*accounts)) == FORMATS[form](export(*reversed(accounts)))


def test_a_manifest_has_only_what_a_user_owns() -> None:
    metadata = {"name": "app", "namespace": "backend", "labels": {"a": "b"}, "annotations": ANNOTATIONS}
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    assert documents("manifests", account("app", a="b")) == [manifest]


def test_the_values_of_a_chart_are_at_its_key() -> None:
    expected = {"controller": {"serviceAccount": {"annotations": ANNOTATIONS}}}
    assert documents("helm", account("app"), key="controller.serviceAccount") == [expected]


def test_argo_cd_ignores_the_annotations() -> None:
    [application] = documents("argocd", account("app"))
    assert application["spec"]["ignoreDifferences"] == [
        {
            "group": "",
            "kind": "ServiceAccount",
            "namespace": "backend",
            "name": "app",
            "jsonPointers": [
                "/metadata/annotations/eks.amazonaws.com~1role-arn",
                "/metadata/annotations/eks.amazonaws.com~1sts-regional-endpoints",
            ],
        }
    ]


def test_a_variable_tells_roles_apart_unless_one_was_asked_for() -> None:
    several = FORMATS["env"](export(account("a.b"), account("c")))["roles.env"]
    assert several == f"BACKEND_A_B_ROLE_ARN={ARN.format('a.b')}\nBACKEND_C_ROLE_ARN={ARN.format('c')}\n"
    one = FORMATS["env"](export(account("app"), alone=True))["roles.env"]
    assert one == f"ROLE_ARN={ARN.format('app')}\n"


def test_irsa_reads_the_file_of_eksctl() -> None:
    [config] = parse(joined(FORMATS["eksctl"](export(account("app")))), "cluster.yaml")
    [binding] = config.bindings
    assert (config.cluster, config.region, str(binding)) == ("demo", "eu-west-1", "backend/app")
    assert (binding.attach_role_arn, binding.sts_regional_endpoints) == (ARN.format("app"), True)


def test_a_target_of_kustomize_has_a_namespace_if_the_name_is_there_twice() -> None:
    [component] = documents("kustomize", account("app"), account("b"), account("app", "web"))
    targets = [patch["target"] for patch in component["patches"]]
    assert [target.get("namespace") for target in targets] == ["backend", None, "web"]
