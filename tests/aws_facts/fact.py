"""A row of the table: one fact about AWS, where it is known from, the calls that ask for it, and the answer.

Texts in calls and answers may hold names in angle brackets, which stand for what differs from account to
account: `<account>`, `<cluster>`, `<issuer>`, `<host>` (the issuer without https://), `<token>`, and
`<NAME.Member.0.Member>` for a part of the answer to an earlier call that was saved under that name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

ABSENT = "(absent)"
"""Says of a member that the answer doesn't have it."""

ACCOUNT = "<account>"
PROVIDER = "arn:aws:iam::<account>:oidc-provider/<host>"


@dataclass(frozen=True)
class Call:
    """One call. `save` gives its answer a name; `caller` is a saved AssumeRole whose credentials sign it.

    `token` says what is special about `<token>` in it, by the names of `tokens.make`.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    save: str = ""
    caller: str = ""
    token: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """An error: its code, the HTTP status, and its whole message; empty where no source has them."""

    code: str
    status: int = 400
    message: str = ""


@dataclass(frozen=True)
class Success:
    """An answer, by its members: `Role.Tags.0.Key`; `keys of Role` are the names of all that is set in it.

    A value that starts with `~` is a regular expression.
    """

    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fact:
    """The last call is the question; those before it must succeed. `not_simulated`: why the sandbox can't."""

    id: str
    says: str
    source: str
    calls: tuple[Call, ...]
    answer: Refusal | Success
    not_simulated: str = ""

    @property
    def evidence(self) -> str:
        """What the source has of the answer."""
        if isinstance(self.answer, Refusal):
            if not self.answer.code:
                return "unknown"
            return "words" if self.answer.message else "code only"
        seen = self.source.startswith(("recorded", "quoted"))
        return "words" if seen else "rule of a guide"


def iam(operation: str, save: str = "", caller: str = "", **parameters: Any) -> Call:
    """A call of IAM."""
    return Call("iam", operation, parameters, save, caller)


def sts(operation: str, save: str = "", caller: str = "", **parameters: Any) -> Call:
    """A call of STS."""
    return Call("sts", operation, parameters, save, caller)


def eks(operation: str, save: str = "", **parameters: Any) -> Call:
    """A call of EKS about the cluster that is there."""
    return Call("eks", operation, {"clusterName": "<cluster>", **parameters}, save)


def trust(principal: Any = None, action: Any = "sts:AssumeRole", **more: Any) -> str:
    """A trust policy of one statement, by default for EC2."""
    statement = {
        "Effect": "Allow",
        "Principal": principal or {"Service": "ec2.amazonaws.com"},
        "Action": action,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **more}]})


def policy(actions: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> str:
    """An identity policy of one statement."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(name: str = "cart", document: str = "", save: str = "role", **parameters: Any) -> Call:
    """CreateRole."""
    return iam("CreateRole", save, RoleName=name, AssumeRolePolicyDocument=document or trust(), **parameters)


def managed(name: str = "reader", save: str = "policy", **parameters: Any) -> Call:
    """CreatePolicy."""
    return iam("CreatePolicy", save, PolicyName=name, PolicyDocument=policy(), **parameters)


def provider(url: str = "https://login.example.org", **parameters: Any) -> Call:
    """CreateOpenIDConnectProvider."""
    return iam(
        "CreateOpenIDConnectProvider",
        "provider",
        **{"Url": url, "ThumbprintList": ["a" * 40], "ClientIDList": ["one"], **parameters},
    )


def tags(**pairs: str) -> list[dict[str, str]]:
    """Tags in IAM's form."""
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def many_tags(count: int) -> list[dict[str, str]]:
    """That many tags."""
    return [{"Key": f"k{number:03}", "Value": str(number)} for number in range(count)]


_WORDS = {"$EC2": trust(), "$READS": policy()}


def fact(name: str, says: str, source: str, text: str, *, not_simulated: str = "") -> Fact:
    """A fact whose calls are YAML, as well as its answer: `answers` are members, `refuses` is a `Refusal`.

    A document is given as what it says; `$EC2` is a trust policy for EC2, `$READS` an identity policy.
    """
    *calls, answer = yaml.safe_load(text)
    if "answers" in answer:
        return Fact(name, says, source, _calls(calls), Success(answer["answers"]), not_simulated)
    code, status, *words = answer["refuses"].split(" ", 2)
    return Fact(name, says, source, _calls(calls), Refusal(code, int(status), *words), not_simulated)


def _calls(entries: Sequence[dict[str, Any]]) -> tuple[Call, ...]:
    made = []
    for entry in entries:
        (call, given), *more = entry.items()
        service, operation = call.split()
        made.append(Call(service, operation, _filled(given), **dict(more)))
    return tuple(made)


def _filled(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        inside = {name: _filled(item, name) for name, item in value.items()}
        return json.dumps(inside) if key.endswith(("Document", "Policy", "policy")) else inside
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return _WORDS.get(value, value) if isinstance(value, str) else value
