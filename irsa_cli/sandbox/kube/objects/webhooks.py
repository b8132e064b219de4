"""MutatingWebhookConfigurations: their fields, and which of their webhooks an object is shown to.

How a webhook is called is in `admission`. Only what decides about new objects is judged; match conditions
and other versions of a resource are not known.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from collections.abc import Mapping
from typing import Any

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.objects.schema import BYTES, OBJECT, RAW, JsonObject, ListOf, MapOf, Schema

GROUP = "admissionregistration.k8s.io"
_SELECTOR = {
    "matchLabels": MapOf(str),
    "matchExpressions": ListOf({"key": str, "operator": str, "values": ListOf(str)}),
}
_RULE = {**dict.fromkeys(("operations", "apiGroups", "apiVersions", "resources"), ListOf(str)), "scope": str}
_WEBHOOK = {
    "name": str,
    "clientConfig": {"url": str, "service": RAW, "caBundle": BYTES},
    "rules": ListOf(_RULE),
    "namespaceSelector": _SELECTOR,
    "objectSelector": _SELECTOR,
    "admissionReviewVersions": ListOf(str),
    "timeoutSeconds": int,
    "matchConditions": RAW,
    **dict.fromkeys(("failurePolicy", "matchPolicy", "sideEffects", "reinvocationPolicy"), str),
}
CONFIGURATION: Schema = {**OBJECT, "webhooks": ListOf(_WEBHOOK)}


def fill_in(configuration: JsonObject) -> None:
    """Set the defaults of version v1."""
    for webhook in configuration.get("webhooks", []):
        webhook.setdefault("failurePolicy", "Fail")
        webhook.setdefault("matchPolicy", "Equivalent")
        webhook.setdefault("namespaceSelector", {})
        webhook.setdefault("objectSelector", {})
        webhook.setdefault("timeoutSeconds", 10)
        webhook.setdefault("reinvocationPolicy", "Never")
        for rule in webhook.get("rules", []):
            rule.setdefault("scope", "*")


def problems(configuration: JsonObject) -> list[status.FieldError]:
    """Errors of what every webhook must say."""
    errors = []
    for index, webhook in enumerate(configuration.get("webhooks", [])):
        field = f"webhooks[{index}]"
        name = webhook.get("name", "")
        if name.count(".") < 2:
            why = "should be a domain with at least three segments separated by dots"
            errors.append(status.invalid_value(f"{field}.name", name, why))
        client = webhook.get("clientConfig", {})
        errors += [
            status.required_value(f"{field}.{part}", why)
            for part, why, given in (
                ("sideEffects", "must specify one of None, NoneOnDryRun", webhook.get("sideEffects")),
                (
                    "clientConfig",
                    "exactly one of url or service is required",
                    ("url" in client) != ("service" in client),
                ),
                (
                    "admissionReviewVersions",
                    "must specify one of v1, v1beta1",
                    webhook.get("admissionReviewVersions"),
                ),
            )
            if not given
        ]
    return errors


def is_shown(
    webhook: Mapping[str, Any],
    resource: tuple[str, str],
    obj: JsonObject,
    namespace_labels: Mapping[str, str],
) -> bool:
    """Whether a webhook is asked about the creation of `obj`; `resource` is its group and plural name."""
    group, name = resource
    ruled = any(
        {"CREATE", "*"} & set(rule.get("operations", []))
        and {group, "*"} & set(rule.get("apiGroups", []))
        and {"v1", "*"} & set(rule.get("apiVersions", []))
        and {name, "*", "*/*"} & set(rule.get("resources", []))
        and rule.get("scope") != "Cluster"
        for rule in webhook.get("rules", [])
    )
    return (
        ruled
        and selects(webhook.get("namespaceSelector", {}), namespace_labels)
        and selects(webhook.get("objectSelector", {}), obj["metadata"].get("labels", {}))
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    there = expression["key"] in labels
    listed = there and labels[expression["key"]] in expression.get("values", [])
    return {"Exists": there, "DoesNotExist": not there, "In": listed, "NotIn": not listed}.get(
        expression["operator"], False
    )
