"""Write docs/reference/audit-rules.md from the rules themselves; with `--check`, fail when it is stale.

What a rule means is said where it is defined (`irsa_cli.core.trust.rules`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.trust.rules.power import ESCALATIONS, SOURCE  # noqa: E402
from irsa_cli.core.trust.rules.rule import Area, Rule  # noqa: E402 - the package may not be installed
from irsa_cli.core.trust.rules.table import RULES  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "audit-rules.md"
HEAD = """\
# Audit rules

<!-- Written by tools/docs/audit_rules.py from the rules in irsa_cli/core/trust/rules: change them there. -->

What `irsa audit` and `irsa lint` find, and what `create-sa`, `apply`, `get-sa`, `describe-sa`, `adopt` and
`doctor` warn of: one table of rules. `irsa audit --explain ID` shows one of them, `--explain all` lists them;
neither asks anybody. How to use it is in [Audit an account](../how-to/audit.md) and
[Check files before they are live](../how-to/lint.md).

The severity is one step higher, up to `critical`, if the role's policies make its holder an administrator or
let him become one ([below](#permissions-that-raise-the-severity)). What could not be read breaks no rule, and
a note says so. What is *broken* keeps pods from their credentials: `--fail-on broken` fails for it.
"""
AREAS = {
    Area.TRUST: "Trust policies",
    Area.BINDING: "ServiceAccounts and their roles",
    Area.DRIFT: "What is left over",
}
RHINO = "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/"
POWER = f"""\
## Permissions that raise the severity

`AdministratorAccess`, `PowerUserAccess` or `IAMFullAccess`, a policy that allows `*` or `iam:*` on
everything, or one of these ways to become an administrator, if all its actions are allowed on all resources,
without a condition, and by the permissions boundary, too. The list follows [pathfinding.cloud]({SOURCE}) and
[Rhino Security Labs]({RHINO}).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_overview(), *_sections(), POWER, *_power()])


def _overview() -> Iterator[str]:
    yield "| rule | severity | broken | what |\n| --- | --- | --- | --- |"
    for rule in RULES.values():
        broken = "yes" if rule.broken else ""
        yield f"| [{rule.id}](#{rule.id}) | {rule.severity.value} | {broken} | {_text(rule.title)} |"
    yield ""


def _sections() -> Iterator[str]:
    for area, title in AREAS.items():
        yield f"## {title}\n"
        for rule in RULES.values():
            if rule.area is area:
                yield _section(rule)


def _section(rule: Rule) -> str:
    lines = [
        f"### {rule.id}",
        "",
        f"{_text(rule.title)} (severity {rule.severity.value})",
        "",
        f"- Why: {_text(rule.reason)}",
        f"- To fix: {_text(rule.fix)}",
        f"- Source: <{rule.source}>",
        "",
    ]
    for head, example in (("Before", rule.before), ("After", rule.after)):
        lines += [f"{head}:", "", "```json", json.dumps(example, indent=2), "```", ""]
    return "\n".join(lines)


def _power() -> Iterator[str]:
    yield "| actions | by |\n| --- | --- |"
    for way in ESCALATIONS:
        yield f"| {', '.join(f'`{action}`' for action in way.actions)} | {way.by} |"
    yield ""


def _text(text: str) -> str:
    """Plain text in Markdown: stars and angle brackets stay as they are, but in backquotes."""
    parts = text.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; returns the exit code."""
    desired = page()
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == desired:
            return 0
        print("docs/reference/audit-rules.md is stale: python tools/docs/audit_rules.py", file=sys.stderr)
        return 1
    if arguments:
        print("usage: python tools/docs/audit_rules.py [--check]", file=sys.stderr)
        return 2
    PAGE.write_text(desired, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
