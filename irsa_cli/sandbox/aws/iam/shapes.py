"""The rules for single parameters of IAM's and STS's calls: lengths, patterns, ranges, tags.

Source: botocore's models of the services. How IAM and STS say it: snapshots that were recorded on AWS in 2025
and 2026 (localstack/localstack, tests/aws/services); STS repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from irsa_cli.sandbox.aws.answer import AwsError, validation_error


def check_parameters(service: str, operation: str, params: Mapping[str, str]) -> None:
    """Raises AwsError, ValidationError, that names all parameters which are outside of their rules."""
    model = _model(service)
    shape = model.operation_model(operation).input_shape if operation in model.operation_names else None
    if shape is None:
        return
    wrong = [
        f"Value{_shown(value, service)} at '{field}' failed to satisfy constraint: {rule}"
        for field, value, rule in _breaches(shape, "", "", params)
    ]
    if wrong:
        errors = "error" if len(wrong) == 1 else "errors"
        raise validation_error(f"{len(wrong)} validation {errors} detected: {'; '.join(wrong)}")


def check_tags(tags: Sequence[tuple[str, str]], *, any_case: bool = True) -> None:
    """Raises AwsError, InvalidInput, for tags that don't go together.

    Keys are the same in `any_case` for roles and users, not for what else has tags:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    if any(key.lower().startswith("aws:") for key, _ in tags):
        raise AwsError("InvalidInput", "Tag keys that begin with aws: are reserved for AWS.")
    if len({key.lower() if any_case else key for key, _ in tags}) < len(tags):
        more = " Please note that Tag keys are case insensitive." if any_case else ""
        raise AwsError("InvalidInput", f"Duplicate tag keys found.{more}")


@cache
def _model(service: str) -> Any:
    from botocore.session import Session

    return Session().get_service_model(service)


def _shown(value: str | None, service: str) -> str:
    return " null" if value is None else f" '{value}'" if service == "sts" else ""


def _breaches(
    shape: Any, prefix: str, path: str, params: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str]]:
    """Fields, their values, and the rules that they break, in a structure whose parameters have `prefix`."""
    for name, member in sorted(shape.members.items()):
        key, field = prefix + name, path + name[0].lower() + name[1:]
        if member.type_name == "list":
            yield from _breaches_in_list(member, key, field, params)
        elif key in params:
            yield from ((field, params[key], rule) for rule in _broken(member, params[key]))
        elif name in shape.required_members and member.type_name not in ("structure", "map"):
            yield field, None, "Member must not be null"


def _breaches_in_list(
    shape: Any, key: str, field: str, params: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str]]:
    start = f"{key}.member."
    numbers = sorted({int(k[len(start) :].split(".")[0]) for k in params if re.match(rf"{start}\d", k)})
    if len(numbers) > shape.metadata.get("max", len(numbers)):
        yield field, "...", f"Member must have length less than or equal to {shape.metadata['max']}"
    if shape.member.type_name == "structure":
        for number in numbers:
            yield from _breaches(shape.member, f"{start}{number}.", f"{field}.{number}.member.", params)
    elif any(_broken(shape.member, params.get(f"{start}{number}", "")) for number in numbers):
        rules = [rule for rule, _ in _rules(shape.member, "")]
        null = ["Member must not be null"] if "pattern" in shape.member.metadata else []
        yield field, "...", f"Member must satisfy constraint: [{', '.join(rules + null)}]"


def _broken(shape: Any, value: str) -> list[str]:
    return [rule for rule, kept in _rules(shape, value) if not kept]


def _rules(shape: Any, value: str) -> list[tuple[str, bool]]:
    """The rules for a value, and whether it keeps them."""
    about = shape.metadata
    if shape.type_name in ("integer", "long"):
        size, what = int(value) if re.fullmatch(r"-?\d{1,18}", value) else -1, "value"
    else:
        size, what = len(value), "length"
    rules = []
    if "max" in about:
        rules.append((f"Member must have {what} less than or equal to {about['max']}", size <= about["max"]))
    if "min" in about:
        rules.append(
            (f"Member must have {what} greater than or equal to {about['min']}", size >= about["min"])
        )
    if "pattern" in about:
        rule = f"Member must satisfy regular expression pattern: {about['pattern']}"
        rules.append((rule, _matches(about["pattern"], value)))
    if getattr(shape, "enum", None):
        rules.append((f"Member must satisfy enum value set: [{', '.join(shape.enum)}]", value in shape.enum))
    return rules


def _matches(pattern: str, value: str) -> bool:
    """Whether a value is as a regular expression of Java's says, which has names for kinds of letters."""
    flags = 0 if r"\p{" in pattern else re.ASCII
    return re.fullmatch(pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s"), value, flags) is not None
