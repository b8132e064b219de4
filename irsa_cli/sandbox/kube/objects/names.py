"""What names, labels and annotations may look like, as the API server checks them on each write.

Rules: names/, labels/ and annotations/ below https://kubernetes.io/docs/concepts/overview/working-with-objects/.
Field names, reasons and values agree with a real server; the explanations are our own words.
"""

import re
from collections.abc import Mapping

from irsa_cli.sandbox.kube.status import FieldError, invalid_value, required_value, too_long

ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all keys and values of an object's annotations together."""

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


def dns_label_problems(value: str) -> list[str]:
    """Why `value` is not an RFC 1123 label (namespaces, containers); empty if it is one."""
    problems = ["must be no more than 63 characters"] if len(value) > 63 else []
    if not _DNS_LABEL.fullmatch(value):
        problems.append("is not an RFC 1123 label (lower case letters, digits and inner '-')")
    return problems


def dns_subdomain_problems(value: str) -> list[str]:
    """Why `value` is not an RFC 1123 subdomain (most objects); empty if it is one."""
    problems = ["must be no more than 253 characters"] if len(value) > 253 else []
    if not _DNS_SUBDOMAIN.fullmatch(value):
        problems.append("is not an RFC 1123 subdomain (labels of letters, digits and '-', joined by '.')")
    return problems


def _name_part_problems(name: str) -> list[str]:
    problems = []
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not _QUALIFIED_NAME.fullmatch(name):
        problems.append("name part may have letters, digits and inner '-', '_', '.'")
    return problems


def key_problems(key: str) -> list[str]:
    """Why `key` is not a label key (optional DNS prefix, '/', name); empty if it is one."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return ["has more than one '/'"]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns_subdomain_problems(prefix)]
    return problems + _name_part_problems(name)


def label_errors(labels: Mapping[str, str], field: str) -> list[FieldError]:
    """Errors of keys and values of labels."""
    errors = []
    for key, value in sorted(labels.items()):
        errors += [invalid_value(field, key, problem) for problem in key_problems(key)]
        if len(value) > 63:
            errors.append(invalid_value(field, value, "must be no more than 63 characters"))
        if value and not _QUALIFIED_NAME.fullmatch(value):
            errors.append(invalid_value(field, value, "may have letters, digits and inner '-', '_', '.'"))
    return errors


def annotation_errors(annotations: Mapping[str, str], field: str) -> list[FieldError]:
    """Errors of the keys (case does not matter) and of the total size of annotations."""
    errors = [
        invalid_value(field, key, problem)
        for key in sorted(annotations)
        for problem in key_problems(key.lower())
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        errors.append(too_long(field, ANNOTATIONS_LIMIT))
    return errors


def name_errors(name: str, *, label: bool) -> list[FieldError]:
    """Errors of `metadata.name`: a DNS label for a namespace (`label`), else a DNS subdomain."""
    if not name:
        return [required_value("metadata.name", "name or generateName is required")]
    problems = dns_label_problems(name) if label else dns_subdomain_problems(name)
    return [invalid_value("metadata.name", name, problem) for problem in problems]


def segment_errors(name: str) -> list[FieldError]:
    """Errors of a name that needs only fit into a path."""
    if not name:
        return [required_value("metadata.name", "name or generateName is required")]
    if name in (".", "..") or "/" in name or "%" in name:
        return [invalid_value("metadata.name", name, "may not be '.', '..', or have '/' or '%' in it")]
    return []
