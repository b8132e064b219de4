"""A world as lines that a person can read, and what is another after a command: `+ role app attached S3`.

Names that differ from run to run are left out: uids, the names of transactions, hashes. An ARN is its last
part; a statement is JSON without spaces, and one of irsa's own is `trusts NAMESPACE/NAME for AUDIENCE`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from irsa_cli.core.policies.policy import as_list

Json = dict[str, Any]
UNSTEADY = ("uid", "irsa/transaction", "irsa/spec-hash", "thumbprints")
"""What is left out: nobody can foretell it. That an object was made again, the test of uids says."""
_PLAIN = ("arn", "name", "phase", "url")
_NAMES = {
    "roles": "role",
    "policies": "policy",
    "oidc_providers": "provider",
    "associations": "association",
    "namespaces": "namespace",
    "serviceaccounts": "sa",
    "configmaps": "configmap",
}
_RUN = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}")


def lines_of(world: Json) -> list[str]:
    """A world of `Stage.world`, one fact a line."""
    objects = {key: value for key, value in world.items() if key != "kubernetes"} | world["kubernetes"]
    found = []
    for kind, named in objects.items():
        for name, state in named.items():
            subject = f"{_NAMES.get(kind, kind)} {short(name)}"
            found.append(subject)
            found += [f"{subject} {fact}" for fact in _facts(state)]
    return sorted(found)


def difference(before: Json, after: Json) -> str:
    """What is another after a command, in lines: `-` is gone, `+` is new; '' for nothing."""
    return difference_of_lines(lines_of(before), lines_of(after))


def difference_of_lines(before: Sequence[str], after: Sequence[str]) -> str:
    """As `difference`, of what `lines_of` has made. A line may be there several times."""
    earlier, later = Counter(before), Counter(after)
    gone = [f"- {line}" for line in sorted((earlier - later).elements())]
    new = [f"+ {line}" for line in sorted((later - earlier).elements())]
    return "\n".join([*gone, *new])


def short(value: Any) -> str:
    """A value without what only makes it long."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    text = _RUN.sub("RUN", text)
    if text.startswith("arn:") and " " not in text:
        return text.rpartition("/")[2] if "/" in text else text.rpartition(":")[2]
    return text


def _facts(state: Any, path: str = "") -> Iterator[str]:
    if path in ("trust", "inline") or "Statement" in (state if isinstance(state, Mapping) else ()):
        yield from _documents(path, state)
    elif isinstance(state, Mapping):
        for key, value in state.items():
            if key not in UNSTEADY and not (key in _PLAIN and not path):
                yield from _facts(value, f"{path} {key}".strip())
    elif isinstance(state, list | tuple) and not any(isinstance(item, Mapping) for item in state):
        for item in state:
            yield f"{path} {short(item)}"
    elif state not in (None, "", [], {}):
        yield f"{path} {short(state)}"


def _documents(path: str, state: Any) -> Iterator[str]:
    if "Statement" not in state:
        for name, document in state.items():
            yield from _documents(f"{path} {name}", document)
        return
    for statement in as_list(state["Statement"]):
        trusted = _trusted(statement) if path == "trust" else ""
        yield trusted or f"{path} {short(statement)}"


def _trusted(statement: Mapping[str, Any]) -> str:
    """Irsa's own statement in words, '' for any other."""
    tests: Any = statement.get("Condition", {})
    equals = tests.get("StringEquals", {})
    subject = next((value for key, value in equals.items() if key.endswith(":sub")), "")
    audience = next((value for key, value in equals.items() if key.endswith(":aud")), "")
    own = set(statement) <= {"Sid", "Effect", "Principal", "Action", "Condition"} and len(equals) == 2
    if not (own and len(tests) == 1 and isinstance(subject, str) and isinstance(audience, str)):
        return ""
    if statement["Effect"] != "Allow" or not subject.startswith("system:serviceaccount:"):
        return ""
    account = "/".join(subject.split(":")[2:])
    sid = f" ({statement['Sid']})" if "Sid" in statement else ""
    return f"trusts {account} for {audience}{sid}"


def tidy(text: str | Sequence[str]) -> str:
    """Expected lines as a test writes them: indented as it likes, in any order."""
    written = text.splitlines() if isinstance(text, str) else text
    return "\n".join(sorted(filter(None, (line.strip() for line in written))))
