"""Write docs/reference/well-known-policies.md from the catalogue; with `--check`, fail when it is stale.

What a policy is, and where it is from, is said in its data file (`irsa_cli/core/policies/data`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.policies import wellknown, wellknown_uses  # noqa: E402 - it may not be installed
from irsa_cli.core.policies.policy import WellKnown  # noqa: E402
from irsa_cli.core.policies.wellknown import Parameter, WellKnownPolicy  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "well-known-policies.md"
HEAD = """\
# Well-known policies

<!-- By tools/docs/well_known_policies.py from irsa_cli/core/policies/data: change it there. -->

Permissions of common controllers, by name: `irsa create-sa --well-known-policy NAME`, or `wellKnownPolicies`
in a [configuration file](config.md). `irsa policies list` and `irsa policies show NAME` print the content of
this page.

The actions are those of each controller's own documentation, in the version and of the date shown
with it; other releases may need others. An inline policy has the name of the well-known policy. ARNs are in
the cluster's partition; this page shows `aws`.

Parameters narrow a policy down: `--well-known-policy externalDNS:hostedZones=Z1,Z2`, or in a file
`externalDNS: {hostedZones: [Z1, Z2]}`. `clusterName`, `region` and `account` default to
the cluster's own. The documents below show required parameters as `${name}`.

IAM accepts 10,240 characters of inline policies per role, without white space. Each section shows the size.

| name | for | eksctl has it |
| --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    policies = [wellknown.get(name) for name in wellknown.names()]
    return "\n".join([HEAD.rstrip("\n"), *map(_row, policies), "", *map(_section, policies)])


def _row(policy: WellKnownPolicy) -> str:
    theirs = "yes" if policy.name in wellknown.EKSCTL else ""
    return f"| [{policy.name}](#{policy.name.lower()}) | {policy.title} | {theirs} |"


def _section(policy: WellKnownPolicy) -> str:
    return "\n".join(
        [f"## {policy.name}", "", f"{policy.title}.", "", *_facts(policy), "", *_document(policy)]
    )


def _facts(policy: WellKnownPolicy) -> Iterator[str]:
    yield f"- Source: <{policy.source}>, {policy.version}, {policy.date}"
    if policy.service_account:
        yield f"- Usual ServiceAccount: `{policy.service_account}`"
    yield from (f"- Managed policy: `{arn}`" for arn in _resolved(policy).policies)
    yield from (f"- {note}" for note in policy.notes)
    yield from (f"- Parameter {_parameter(policy, item)}" for item in policy.parameters.values())


def _parameter(policy: WellKnownPolicy, item: Parameter) -> str:
    default = f"default {', '.join(f'`{value}`' for value in item.default)}" if item.default else "optional"
    kind = "needed" if item.name in policy.required else default
    return f"`{item.name}`: {item.description} ({kind}{', several' if item.many else ''})"


def _document(policy: WellKnownPolicy) -> Iterator[str]:
    for document in _resolved(policy).inline.values():
        size = len(json.dumps(document, separators=(",", ":")))
        yield f"Inline policy, {size} characters without parameters:"
        yield f"\n```json\n{json.dumps(document, indent=2)}\n```\n"


def _resolved(policy: WellKnownPolicy) -> wellknown.Resolved:
    return wellknown_uses.sketch(WellKnown(policy.name), "aws")


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; returns the exit code."""
    desired = page()
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == desired:
            return 0
        command = "python tools/docs/well_known_policies.py"
        print(f"docs/reference/well-known-policies.md is stale: {command}", file=sys.stderr)
        return 1
    if arguments:
        print("usage: python tools/docs/well_known_policies.py [--check]", file=sys.stderr)
        return 2
    PAGE.write_text(desired, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
