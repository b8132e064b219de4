"""The errors of the Kubernetes API: `Status` bodies with code, reason, message and details.

Only how an error looks on the wire lives here; when one is raised is decided elsewhere. An error that one
place raises, with nothing to choose, is written there.
Shapes: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OPTIMISTIC_LOCK = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class ApiError(Exception):
    """A refusal in the API server's words: HTTP status, `reason` (a code), and the object in `details`."""

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = {key: value for key, value in self.details.items() if value}
        return status


@dataclass(frozen=True)
class FieldError:
    """One wrong field: `reason` is a `CauseType` such as FieldValueInvalid, `text` what is wrong."""

    field: str
    reason: str
    text: str

    def cause(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.text, "field": self.field}


def invalid_value(field: str, value: object, why: str) -> FieldError:
    """Describe a field whose value breaks a rule; strings are quoted, numbers are not."""
    shown = json.dumps(value, ensure_ascii=False)
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def required_value(field: str, why: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def forbidden(
    resource: str, name: str, why: str, *, group: str = "", causes: Sequence[dict[str, str]] = ()
) -> ApiError:
    """403: known, but not allowed to (RBAC or admission)."""
    subject = _qualified(resource, group) + (f' "{name}"' if name else "")
    details = {"name": name, "group": group, "kind": resource, "causes": list(causes)}
    message = f"{subject} is forbidden: {why}" if subject else f"forbidden: {why}"
    return ApiError(403, "Forbidden", message, details)


def not_found(resource: str, name: str, *, group: str = "") -> ApiError:
    message = f'{_qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, {"name": name, "group": group, "kind": resource})


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def already_exists(resource: str, name: str, *, group: str = "", ending: bool = False) -> ApiError:
    """409 to a create: the name is taken, perhaps (`ending`) by an object that is going away."""
    message = f'{_qualified(resource, group)} "{name}" already exists'
    if ending:
        message = f"object is being deleted: {message}"
    return ApiError(409, "AlreadyExists", message, {"name": name, "group": group, "kind": resource})


def conflict(resource: str, name: str, why: str, *, group: str = "") -> ApiError:
    """409 to a patch or delete: a precondition (resourceVersion, uid) does not hold."""
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, {"name": name, "group": group, "kind": resource})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, name: str, errors: Sequence[FieldError], *, group: str = "") -> ApiError:
    """422: readable, but fields break rules; each is a cause in the details."""
    distinct = list(dict.fromkeys(f"{error.field}: {error.text}" for error in errors))
    listed = distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
    message = f'{_qualified(kind, group)} "{name}" is invalid: {listed}'
    causes = [error.cause() for error in errors]
    details = {"name": name, "group": group, "kind": kind, "causes": causes}
    return ApiError(422, "Invalid", message, details)
