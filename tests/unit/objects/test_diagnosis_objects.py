"""Kubernetes' JSON as the values that causes are judged by."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.doctor.subjects import ROLE_ENV, injected, is_bare
from irsa_cli.core.objects import kinds, service_accounts, webhooks
from irsa_cli.core.objects.kinds import Container, Environment, Volume
from irsa_cli.core.values.shown import shown, unspaced
from irsa_cli.sandbox.kube import admission

ROLE = "arn:aws:iam::111122223333:role/reader"
NAMES = st.sampled_from(["DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "X"])


def body(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "backend", "name": "web-0"}, "spec": {"containers": [], **spec}}


@given(st.dictionaries(NAMES, st.text("0123456789abcdef", min_size=8)))
def test_values_of_variables_are_not_kept(env: dict[str, str]) -> None:
    listed = [{"name": name, "value": value} for name, value in env.items()]
    found = kinds.pod(body(containers=[{"name": "app", "env": listed}]))
    assert set(found.containers[0].env) == set(env)
    assert not [value for value in env.values() if value in repr(found)]


def test_what_the_webhook_adds_is_seen() -> None:
    webhook = admission.PodWebhook(
        "eu-west-1", lambda *_: {"eks.amazonaws.com/role-arn": ROLE}, lambda *_: False
    )
    pod = body(containers=[{"name": "app"}], serviceAccountName="reader")
    before, after = kinds.pod(pod), kinds.pod(webhook.mutate(pod, "backend"))
    assert is_bare(before)
    assert injected(after.containers[0])
    assert after.containers[0].env[ROLE_ENV] == ROLE
    assert after.volumes == (Volume("aws-iam-token", "sts.amazonaws.com"),)
    assert after.service_account == "reader"


def test_variables_and_environments_from_elsewhere() -> None:
    listed = [{"name": "AWS_ROLE_ARN", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]
    sources = [{"secretRef": {"name": "keys"}}, {"configMapRef": {"name": "settings"}, "prefix": "APP_"}]
    found = kinds.pod(body(containers=[{"name": "app", "env": listed, "envFrom": sources}]))
    expected = ("secret/keys", "configmap/settings (prefix APP_)")
    assert found.containers == (Container("app", env=Environment({"AWS_ROLE_ARN": None}), sources=expected),)


def test_what_volumes_show() -> None:
    sources = [{"secret": {"name": "keys"}}, {"configMap": {"name": "config"}}, {"downwardAPI": {}}]
    volumes = [
        {"name": "a", "secret": {"secretName": "keys"}},
        {"name": "b", "projected": {"sources": sources}},
        {"name": "c", "emptyDir": {}},
    ]
    found = kinds.pod(body(volumes=volumes)).volumes
    assert [(item.secrets, item.config_maps) for item in found] == [
        (("keys",), ()),
        (("keys",), ("config",)),
        ((), ()),
    ]


def entry(time: str, *keys: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in keys}}}
    return {"manager": "kubectl", "operation": "Update", "time": time, "fieldsV1": fields}


def test_when_the_annotation_was_written() -> None:
    managed = [
        entry("2026-05-01T10:00:00Z", "eks.amazonaws.com/role-arn"),
        entry("2026-05-02T10:00:00Z", "example.com/note"),
    ]
    metadata = {"namespace": "a", "name": "b", "managedFields": managed}
    found = service_accounts.service_account({"metadata": metadata})
    assert found.annotated == datetime(2026, 5, 1, 10, tzinfo=timezone.utc)
    del metadata["managedFields"]
    assert service_accounts.service_account({"metadata": metadata}).annotated is None


def test_only_webhooks_that_inject_identities_count() -> None:
    ours = admission.webhook_configuration()
    other = {"metadata": {"name": "istio"}, "webhooks": [{"name": "sidecar.istio.io", "clientConfig": {}}]}
    assert webhooks.webhooks(other) == []
    (found,) = webhooks.webhooks(ours)
    assert (found.configuration, found.failure_policy) == ("pod-identity-webhook", "Ignore")
    assert not webhooks.selects(found.object_selector, {"eks.amazonaws.com/skip-pod-identity-webhook": "x"})


KEYS = st.sampled_from("ab")
SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(KEYS, KEYS, max_size=2),
        "matchExpressions": st.lists(
            st.fixed_dictionaries(
                {
                    "key": KEYS,
                    "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
                    "values": st.lists(KEYS, max_size=2),
                }
            ),
            max_size=2,
        ),
    },
)


@given(SELECTORS, st.dictionaries(KEYS, KEYS, max_size=2))
def test_selectors_select_what_the_sandbox_s_api_selects(selector: Any, labels: dict[str, str]) -> None:
    hook = {"name": "pod-identity-webhook", "namespaceSelector": selector, "clientConfig": {}}
    (found,) = webhooks.webhooks({"metadata": {"name": "x"}, "webhooks": [hook]})
    expected = admission.selects(selector, labels)
    assert webhooks.selects(found.namespace_selector, labels) == expected


@pytest.mark.parametrize(
    ("text", "seen", "clean"),
    [
        ("a", "'a'", "a"),
        ("a ", "'a '", "a"),
        ("a\n", "'a\\u000a'", "a"),
        ("\u200ba\u00a0", "'\\u200ba\\u00a0'", "a"),
    ],
)
def test_characters_that_are_not_seen_are_shown(text: str, seen: str, clean: str) -> None:
    assert shown(text) == seen
    assert unspaced(text) == clean
