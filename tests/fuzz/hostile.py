"""Values that nobody means well with: for command lines, for files, and for answers."""

import copy
import json
import random
from typing import Any

import yaml

FORGED = "x\n::error::all is lost"
TEXTS = (
    "",
    " ",
    "x",
    "-",
    "--",
    "-x",
    "default",
    "demo",
    "\n",
    FORGED,
    "::warning::%0Ax",
    "##vso[task.setvariable variable=x]y",
    "x\r  ok",
    "\x1b[2K\x1b[1A",
    "\x00",
    "\x7f\x9b31m",
    "a\u2028b\u202ec",
    "\udc80",
    "é" * 70,
    "💥",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "' || touch pwned #",
    '"',
    "%s%n{0}{x.__class__}",
    "../../../etc/passwd",
    "x" * 5000,
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "NaN",
    "99999999999999999999999",
    "10m",
    "1h99999999999999m",
    "a=b",
    "a=b,A=c",
    "=",
    ",",
    "*",
    "?*[",
    "{a,b",
    "arn:aws:iam::111122223333:role/x",
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws-cn:iam::aws:policy/x",
    "arn:aws:iam::111122223333:role/\n::error::x",
    "arn:" + ":" * 50,
    "https://issuer.example.com/one",
    "http://[::1",
    "https://a b/",
    "file:///etc/passwd",
    "eu-west-1",
    "no-where-1",
    "../x",
    "s3:GetObject",
    "s3 list-buckets",
    "s3 get-object --bucket '",
    '{"Statement": []}',
    "[[[[",
    "@file",
    "&anchor *alias",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 10**30, 0.5, float("inf"))


def document(text: str, **parts: Any) -> Any:
    """A document from its YAML: `<name>` in it is a part, `<name as text>` its JSON."""
    for name, part in parts.items():
        said = part if isinstance(part, str) else json.dumps(part)
        text = text.replace(f"<{name} as text>", json.dumps(said)).replace(f"<{name}>", said)
    return yaml.safe_load(text)


def text(chance: random.Random) -> str:
    """A hostile text, or two of them together."""
    found = chance.choice(TEXTS)
    return found + chance.choice(TEXTS) if chance.random() < 0.1 else found


def value(chance: random.Random, depth: int = 2) -> Any:
    """Anything that JSON can say."""
    kind = chance.randrange(8 if depth else 5)
    if kind < 2:
        return text(chance)
    if kind == 2:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice((None, True, False))
    if kind < 7:
        return [value(chance, depth - 1) for _ in range(chance.randrange(3))]
    return {text(chance): value(chance, depth - 1) for _ in range(chance.randrange(3))}


def mutated(chance: random.Random, data: Any) -> Any:
    """The document with one thing in it taken away, added, renamed, doubled or replaced; it is not kept."""
    found = list(places(data))
    if not found or chance.random() < 0.02:
        return value(chance)
    parent, key = chance.choice(found)
    how = chance.choice(("drop", "replace", "replace", "replace", "rename", "add", "copy"))
    if how == "drop":
        del parent[key]
    elif how == "replace":
        parent[key] = value(chance)
    elif how == "copy":
        other, there = chance.choice(found)
        parent[key] = copy.deepcopy(other[there])
    elif isinstance(parent, list):
        parent.append(value(chance))
    elif how == "rename":
        parent[text(chance)] = parent.pop(key)
    else:
        parent[text(chance)] = value(chance)
    return data


def spoilt(chance: random.Random, content: bytes) -> bytes:
    """The file with something in it that is no matter of types."""
    at, how = chance.randrange(len(content) + 1), chance.randrange(16)
    odd = {
        0: content[:at],
        1: content[:at] + bytes(chance.randrange(256) for _ in range(5)) + content[at:],
        2: content[:at] + text(chance).encode("utf-8", "surrogatepass") + content[at:],
        3: content + b"\n---\n" + content,
        4: b"\xff\xfe" + content.decode("utf-8", "replace").encode("utf-16-le", "surrogatepass"),
        5: b"<<: text\n" + content,
    }
    return odd.get(how, content)


def places(data: Any) -> Any:
    """What has parts, with the key of each part."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in list(pairs):
        yield data, key
        yield from places(item)
