"""The values of variables are those that kubelet computes, and unknown if irsa does not see all parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import variable
from irsa_cli.core.objects.variables import Maps

FIRST, LAST = variable("IRSA_TEST_FIRST"), variable("IRSA_TEST_LAST")
POD = {
    "metadata": {
        "namespace": "backend",
        "name": "web-0",
        "uid": "u-1",
        "labels": {"app": "web"},
        "annotations": {"example.com/team": "blue"},
    },
    "spec": {"nodeName": "node-1", "serviceAccountName": "web"},
    "status": {"podIP": "10.0.0.7", "hostIP": "10.0.0.1"},
}
TEMPLATE: dict[str, Any] = {"metadata": {"namespace": "backend", "labels": {"app": "web"}}, "spec": {}}
MAPS: Maps = {"configmap/app": {"region": "eu-west-1", FIRST: "from app"}, "configmap/late": {FIRST: "late"}}


def value_of(env: list[Any], env_from: list[Any], pod: Any = POD, maps: Maps | None = None) -> str | None:
    """The value of the last variable, `(none)` without one; `maps` are the ConfigMaps that are read."""
    container = {"name": "app", "env": env, "envFrom": env_from}
    body = {**pod, "spec": {**pod["spec"], "containers": [container]}}
    read = kinds.pod(body)
    if maps is not None:
        read = read.with_config_maps(maps)
    return read.containers[0].env.get(LAST, "(none)")


def text(value: str, name: str = LAST) -> dict[str, Any]:
    """A variable with a text."""
    return {"name": name, "value": value}


def from_(source: str, variable: str = LAST, **fields: Any) -> dict[str, Any]:
    """A variable with a value from elsewhere."""
    return {"name": variable, "valueFrom": {source: fields}}


def field(path: str, name: str = LAST) -> dict[str, Any]:
    return from_("fieldRef", name, fieldPath=path)


APP = {"configMapRef": {"name": "app"}}
LATE = {"configMapRef": {"name": "late"}}
SECRET = {"secretRef": {"name": "keys"}}
REGION = from_("configMapKeyRef", name="app", key="region")
NONE = from_("configMapKeyRef", name="app", key="gone", optional=True)

FIELDS = {
    "metadata.name": "web-0",
    "metadata.namespace": "backend",
    "metadata.uid": "u-1",
    "metadata.labels['app']": "web",
    "metadata.labels['gone']": "",
    "metadata.annotations['example.com/team']": "blue",
    "spec.nodeName": "node-1",
    "spec.serviceAccountName": "web",
    "status.podIP": "10.0.0.7",
    "status.hostIP": "10.0.0.1",
    "status.podIPs": None,
}


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_of_the_pod(path: str) -> None:
    assert value_of([field(path)], []) == FIELDS[path]
    # A template does not say what its pods will be called, or which labels they will get besides.
    known = path in ("metadata.namespace", "metadata.labels['app']")
    assert value_of([field(path)], [], TEMPLATE) == (FIELDS[path] if known else None)


@pytest.mark.parametrize(
    ("env", "env_from", "read", "unread"),
    [
        ([text("a$(b"), text("x$$(Y)$"), text("$(IRSA_TEST_LAST)-2")], [], "x$(Y)$-2", "x$(Y)$-2"),
        ([text("one", FIRST), text("$(IRSA_TEST_FIRST)-two")], [], "one-two", "one-two"),
        ([text("$(IRSA_TEST_FIRST)"), text("one", FIRST)], [], "$(IRSA_TEST_FIRST)", "$(IRSA_TEST_FIRST)"),
        ([field("metadata.name", FIRST), text("$(IRSA_TEST_FIRST).x")], [], "web-0.x", "web-0.x"),
        ([from_("secretKeyRef", FIRST, name="k", key="k"), text("$(IRSA_TEST_FIRST)-two")], [], None, None),
        ([from_("resourceFieldRef", resource="limits.cpu")], [], None, None),
        ([text("tcp://$(DB_SERVICE_HOST):$(DB_PORT)")], [], None, None),
        ([REGION], [], "eu-west-1", None),
        ([{**REGION, "name": FIRST}, text("sts.$(IRSA_TEST_FIRST)")], [], "sts.eu-west-1", None),
        ([NONE], [], "(none)", None),
        ([from_("configMapKeyRef", name="app", key="gone")], [], None, None),
        ([from_("configMapKeyRef", name="unread", key="region")], [], None, None),
        ([text("$(IRSA_TEST_FIRST)")], [APP, LATE], "late", None),
        ([text("$(IRSA_TEST_FIRST)")], [LATE, APP], "from app", None),
        ([text("$(IRSA_TEST_FIRST)")], [APP, SECRET], None, None),
        ([text("$(IRSA_TEST_FIRST)")], [SECRET, APP], "from app", None),
        ([text("$(IRSA_TEST_FIRST)")], [{**APP, "prefix": "APP_"}], *["$(IRSA_TEST_FIRST)"] * 2),
        ([text("$(X_region)")], [{**APP, "prefix": "X_"}], "eu-west-1", None),
        ([text("own")], [{**LATE, "prefix": "IRSA_TEST_"}], "own", "own"),
        ([], [{**APP, "prefix": "P"}], "(none)", "(none)"),
    ],
)
def test_references_to_what_stands_before(
    env: list[Any], env_from: list[Any], read: str | None, unread: str | None
) -> None:
    assert value_of(env, env_from, maps=MAPS) == read
    assert value_of(env, env_from) == unread


def test_a_variable_that_only_a_config_map_sets() -> None:
    maps: Maps = {"configmap/app": {LAST: "app"}, "configmap/late": {LAST: "late"}}
    assert value_of([], [APP, LATE], maps=maps) == "late"
    assert value_of([], [APP, LATE], maps={"configmap/app": {LAST: "app"}}) is None  # The other may have it.
    assert value_of([], [APP, SECRET], maps=maps) is None
    assert value_of([], [SECRET, APP], maps=maps) == "app"


@given(st.text(alphabet="ab$()X_"), st.text(alphabet="ab$()", min_size=1))
def test_what_a_secret_may_decide_is_never_told(before: str, after: str) -> None:
    hidden = from_("secretKeyRef", FIRST, name="k", key="k")
    if not (before + after).count("$"):
        assert value_of([hidden, text(f"{before}$(IRSA_TEST_FIRST){after}")], []) is None
    # Without a reference, a text is itself.
    plain = before.replace("$", "")
    assert value_of([hidden, text(plain)], []) == plain
