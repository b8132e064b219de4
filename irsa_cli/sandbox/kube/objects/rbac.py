"""RBAC's roles and bindings: their fields, and what the API server checks of them.

They are objects like any other here: who may do what is said to the sandbox (`authorizer`), and not
read from them.
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/
"""

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.objects.schema import OBJECT, RAW, JsonObject, ListOf, Schema

GROUP = "rbac.authorization.k8s.io"
_RULE = dict.fromkeys(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), ListOf(str))
_SUBJECT = dict.fromkeys(("kind", "apiGroup", "name", "namespace"), str)
ROLE: Schema = {**OBJECT, "rules": ListOf(_RULE), "aggregationRule": RAW}
BINDING: Schema = {
    **OBJECT,
    "roleRef": dict.fromkeys(("apiGroup", "kind", "name"), str),
    "subjects": ListOf(_SUBJECT),
}


def fill_in_binding(binding: JsonObject) -> None:
    """The groups that kinds belong to."""
    binding.setdefault("roleRef", {}).setdefault("apiGroup", GROUP)
    for subject in binding.get("subjects", []):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", GROUP)


def binding_problems(binding: JsonObject) -> list[status.FieldError]:
    """Errors of what a binding is to and for."""
    errors = []
    reference = binding["roleRef"]
    if reference.get("kind") not in ("Role", "ClusterRole"):
        found = reference.get("kind", "")
        errors.append(status.FieldError("roleRef.kind", "FieldValueNotSupported", f"unsupported: {found}"))
    if not reference.get("name"):
        errors.append(status.required_value("roleRef.name", "a role has a name"))
    for place, subject in enumerate(binding.get("subjects", [])):
        where = f"subjects[{place}]"
        if not subject.get("name"):
            errors.append(status.required_value(f"{where}.name", "a subject has a name"))
        # In a RoleBinding it is the binding's own namespace.
        everywhere = "namespace" not in binding["metadata"]
        if everywhere and subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            errors.append(status.required_value(f"{where}.namespace", "a ServiceAccount has a namespace"))
    return errors
