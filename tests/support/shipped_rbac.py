"""The RBAC that is shipped, wherever it is: in files of manifests, and in the YAML blocks of pages.

It is found by looking, so that no new file is forgotten by the tests that try to get further with each.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.docs.console import ROOT

Object = dict[str, Any]

TREES = ("deploy", "docs", "examples", "templates")
GROUP = "rbac.authorization.k8s.io"
KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
_BLOCK = re.compile(r"^( *)```ya?ml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"kubectl.* create (cluster)?role")


def files() -> Iterator[Path]:
    """All text that is shipped for others to apply or to paste."""
    for path in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("*.y*ml"), *(f for t in TREES for f in (ROOT / t).rglob("*"))]
    ):
        if path.is_file() and path.suffix not in (".png", ".svg", ".ico", ".gif", ".woff2"):
            yield path


def with_rbac() -> list[str]:
    """The files, relative to the checkout, that say anything of RBAC's API or make a role by kubectl."""
    texts = {path: path.read_text(encoding="utf-8") for path in files()}
    found = [path for path, text in texts.items() if f"{GROUP}/v1" in text or _COMMAND.search(text)]
    return [str(path.relative_to(ROOT)) for path in found]


def objects(name: str) -> list[Object]:
    """The RBAC and the namespaces of a file."""
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    texts = [match[2] for match in _BLOCK.finditer(text)] if path.suffix == ".md" else [text]
    return [item for part in texts for item in _of(yaml.safe_load_all(part))]


def _of(documents: Any) -> Iterator[Object]:
    for item in documents:
        if not isinstance(item, dict):
            continue
        if str(item.get("kind", "")).endswith("List"):
            yield from _of(item["items"])
        elif item.get("kind") in (*KINDS, "Namespace"):
            yield item


def own_namespaces() -> dict[str, list[Object]]:
    """The namespaces that are shipped themselves, each time: nothing of others is in them."""
    found: dict[str, list[Object]] = {}
    for path in files():
        if path.suffix in (".yaml", ".yml", ".md") and "kind: Namespace" in path.read_text(encoding="utf-8"):
            for item in objects(str(path.relative_to(ROOT))):
                if item["kind"] == "Namespace":
                    found.setdefault(item["metadata"]["name"], []).append(item)
    return found


def rules(found: Sequence[Object]) -> list[tuple[str, Object]]:
    """All rules of these objects, each with the namespace of its Role ("" of a ClusterRole)."""
    return [
        (item["metadata"].get("namespace", ""), rule)
        for item in found
        if item["kind"] in ("Role", "ClusterRole")
        for rule in item["rules"]
    ]


def named(found: Sequence[Object]) -> set[str]:
    """The namespaces that these objects are about, but Kubernetes' own."""
    places = {item["metadata"].get("namespace", "") for item in found}
    places |= {item["metadata"]["name"] for item in found if item["kind"] == "Namespace"}
    places |= {
        n
        for _, rule in rules(found)
        if rule["resources"] == ["namespaces"]
        for n in rule.get("resourceNames", [])
    }
    return {place for place in places if place and not place.startswith("kube-") and place != "default"}


def for_test(found: Sequence[Object], places: Mapping[str, str], mark: str) -> list[Object]:
    """The same with a test's namespaces, its group, and names that no other test has."""
    made = copy.deepcopy([item for item in found if item["kind"] != "Namespace"])
    for item in made:
        place = item["metadata"].get("namespace", "")
        item["apiVersion"] = f"{GROUP}/v1"
        item["metadata"]["name"] += f"-{mark}"
        if place:
            item["metadata"]["namespace"] = places.get(place, place)
        if "roleRef" in item:
            item["roleRef"]["name"] += f"-{mark}"
        for subject in item.get("subjects", []):
            assert subject["kind"] == "Group", f"{subject}: this test knows groups only"
            subject["name"] = mark
    for _, rule in rules(made):
        if rule["resources"] == ["namespaces"] and "resourceNames" in rule:
            rule["resourceNames"] = [places.get(name, name) for name in rule["resourceNames"]]
    return made
