"""Write the types of the fields of Kubernetes' objects that irsa reads: irsa_cli/kube/types.json.

They are taken from the models of the installed Kubernetes client, which irsa does not import when it runs.
With --check, nothing is written; it fails if the table lacks something that these models have.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import kubernetes.client

FOLDER = Path(__file__).parents[2] / "irsa_cli/kube"
PATH = FOLDER / "types.json"
_PARTS = ("V1ObjectMeta", "V1ListMeta")
"""Models that are looked at by themselves."""


def types() -> dict[str, dict[str, str]]:
    """The models that irsa reads and all that they refer to: the type of each field, by its name in JSON."""
    waiting = [*json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))["models"].values(), *_PARTS]
    found: dict[str, dict[str, str]] = {}
    while waiting:
        name = waiting.pop()
        model: Any = getattr(kubernetes.client, name, None)
        if name in found or not hasattr(model, "openapi_types"):
            continue
        # Older models write dict(str, str).
        kinds = {key: kind.replace("(", "[").replace(")", "]") for key, kind in model.openapi_types.items()}
        found[name] = {model.attribute_map[key]: kind for key, kind in sorted(kinds.items())}
        waiting += [word for kind in kinds.values() for word in re.findall(r"\w+", kind)]
    return dict(sorted(found.items()))


def is_complete() -> bool:
    """Whether the table has all that the installed models have; those of an older client have less."""
    table = json.loads(PATH.read_text(encoding="utf-8"))
    return all(fields.items() <= table.get(name, {}).items() for name, fields in types().items())


def main() -> int | str:
    if "--check" in sys.argv:
        return 0 if is_complete() else f"{PATH} is old: python tools/docs/kube_types.py"
    lines = (f"{json.dumps(name)}: {json.dumps(fields)}" for name, fields in types().items())
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
