"""Write what the reference says of the rules; with `--check`, fail if it is stale.

That is docs/reference/audit-rules.md, and the identifiers in docs/reference/output.schema.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.trust.rules.escalations import DATE, ESCALATIONS, RUNNING, SOURCE  # noqa: E402
from irsa_cli.core.trust.rules.rule import (  # noqa: E402 - the package may not be installed
    RULES,
    TRUST_RULES,
    Area,
    Consequence,
    Exposure,
    Rule,
    after,
    before,
    reaches_of,
)

PAGE = ROOT / "docs" / "reference" / "audit-rules.md"
SCHEMA = ROOT / "docs" / "reference" / "output.schema.json"
HUB = "https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html"
HEAD = """\
# Audit rules

<!-- Written by tools/docs/audit_rules.py from the rules in irsa_cli/core/trust/rules: change them there. -->

`irsa audit` and `irsa lint` report these rules, and `create-sa`, `apply`, `get-sa`, `describe-sa`, `adopt`
and `doctor` warn about them. `irsa audit --explain ID` shows one rule and `--explain all` lists them, both
without any network access. See also [Audit an account](../how-to/audit.md) and
[Check files before they are live](../how-to/lint.md).

Rules marked as *broken* leave pods without credentials; `--fail-on broken` fails for them. Parts that could
not be read break no rule and are listed in a note.
"""
SEVERITIES = """\
## Severities

A severity says when to act. It depends on two things: what follows if nobody acts, and who can cause that.

| severity | act | as in AWS Security Hub |
| --- | --- | --- |
| critical | now | must be remediated immediately |
| high | today | must be addressed as a priority |
| medium | soon: plan it | must be addressed, not urgently |
| low | when you are there | needs no action on its own |
| note | not at all: it is probably intended | informational |

The next table has a line for what follows, and a column for who can cause it: *anyone* has a pod in the
cluster or is outside of the account; *neighbours* are in the same namespace, in another stage or in another
service; *owners* control one of its own pods; *privileged* ones have another right that is needed, such as
creating OIDC providers or associations.

"""
KNOWN = f"""
The severity of a finding can differ from that of its rule:

- It is one step higher, up to `critical`, if the role's policies grant administrator permissions or allow
  privilege escalation ([below](#permissions-that-raise-the-severity)). Then the line of the account applies.
- It is one step lower if it depends on an unknown condition. Then the finding has an "if".
- Broken credentials are `high` if pods of the ServiceAccount run, `medium` if none is known to run, and `low`
  if an EKS Pod Identity association gives its pods a role anyway.
- [reads-all-data](#reads-all-data) is a note if one ServiceAccount alone can assume the role and uses it, and
  `medium` if several can, other roles can, the trust policy allows others, or nobody uses it.
- [subject-gone](#subject-gone) is `low` in `kube-system`, where only administrators create ServiceAccounts.
- A ServiceAccount that can do everything in its cluster, such as that of Argo CD, breaks
  [powerful-service-account](#powerful-service-account) with severity `medium`.

Findings are listed by severity, then by what follows, in the order of the table. The levels are those of
[AWS Security Hub]({HUB}).
"""
CONSEQUENCES = {
    Consequence.OUTAGE: "running pods have no credentials",
    Consequence.FAILURE: "pods that start get no credentials",
    Consequence.ACCOUNT: "administrator permissions of the account",
    Consequence.ROLE: "the permissions of a role, for others than its pods",
    Consequence.DATA: "all data of a kind, also of other applications",
    Consequence.LEFTOVER: "nothing today, something is left over or untrue",
}
AREAS = {
    Area.TRUST: "Trust policies",
    Area.BINDING: "ServiceAccounts and their roles",
    Area.POWER: "Permissions of roles",
    Area.DRIFT: "Leftovers and changes",
}
RHINO = "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/"
POWER = f"""\
## Permissions that raise the severity

A role is an administrator if a policy allows `*` or `iam:*` on all resources, on all resources of the
account or on all roles, or with `AdministratorAccess`. The table lists the ways of privilege escalation. Each
one needs all of its actions on all resources of their kind, or on those in the third column. The list follows
[pathfinding.cloud]({SOURCE}) (as of {DATE}) and [Rhino Security Labs]({RHINO}).

- Denies and the permissions boundary count. If the boundary was not read, the severity of the rule is
  medium.
- A condition that a pod's session never meets allows nothing. A condition that it always meets
  (`aws:SecureTransport`, its own account) changes nothing. `iam:PassedToService` and `iam:PolicyARN` are
  compared with the way's services and policies. Any other condition leads to
  [can-become-administrator](#can-become-administrator) with severity medium, and raises no other severity.
- If a way needs something else, such as a function with a powerful role, the severity of
  [can-become-administrator](#can-become-administrator) is also medium.
- A role that is passed by its ARN counts if it has (or has a way to) administrator permissions and trusts
  the service.
- The list of services is open. A role that can pass such a role to a service, and has any action of that
  service that does more than read, tag or end something, "might": severity medium, and no other severity is
  raised.
- A limit that the role can remove itself does not count: its permissions boundary, a policy of its own with a
  Deny, and its own tags if a condition asks for them.
- A SAML provider that the role can replace counts if a role with administrator permissions trusts it.
- Functions, instances and projects that a policy lists one by one do not count, because their roles are not
  read.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_overview(), *_severities(), *_sections(), POWER, *_power()])


def _severities() -> Iterator[str]:
    """What a severity means, the table by consequence and reach, and what changes it."""
    heads = [reach.value for reach in Exposure]
    lines = [f"| what follows | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    for consequence in Consequence:
        severities = reaches_of(consequence)
        cells = [severities[reach].value if reach in severities else "" for reach in Exposure]
        lines.append(f"| {consequence.value}: {CONSEQUENCES[consequence]} | {' | '.join(cells)} |")
    yield SEVERITIES + "\n".join(lines)
    yield KNOWN


def _overview() -> Iterator[str]:
    yield "| rule | severity | consequence | reach | broken | title |\n| --- | --- | --- | --- | --- | --- |"
    for rule in RULES.values():
        broken = "yes" if rule.broken else ""
        why = f"{rule.consequence.value} | {rule.reach.value}"
        yield f"| [{rule.id}](#{rule.id}) | {rule.severity.value} | {why} | {broken} | {_text(rule.title)} |"
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
    for head, example in (("Before", before(rule)), ("After", after(rule))):
        lines += [f"{head}:", "", "```json", json.dumps(example, indent=2), "```", ""]
    return "\n".join(lines)


def _power() -> Iterator[str]:
    yield "| actions | privilege escalation by | on | if |\n| --- | --- | --- | --- |"
    for way in ESCALATIONS:
        actions = ", ".join(f"`{action}`" for action in way.actions)
        yield f"| {actions} | {way.by} | {way.target.value} | {way.needs} |"
    for way in RUNNING:
        actions = ", ".join(f"`{action}`" for action in way.actions)
        trust = f"such a role trusts {' or '.join(way.passed)}, and {way.needs}"
        yield f"| {actions} | {way.by} | | {trust} |"
    yield ""


def _text(text: str) -> str:
    """Escape plain text for Markdown, except in backquotes."""
    parts = text.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def schema(written: str) -> str:
    """The schema of outputs with the identifiers of the rules that warnings can have."""
    head, rest = written.split('    "warnings": {', 1)
    before_list, rest = rest.split('"enum": [\n', 1)
    _, after_list = rest.split("\n            ]", 1)
    names = ",\n".join(f'              "{rule.id}"' for rule in TRUST_RULES)
    return f'{head}    "warnings": {{{before_list}"enum": [\n{names}\n            ]{after_list}'


def main(arguments: list[str]) -> int:
    """Write the files, or compare them; returns the exit code."""
    written = SCHEMA.read_text(encoding="utf-8")
    desired = {PAGE: page(), SCHEMA: schema(written)}
    if arguments == ["--check"]:
        for path, text in desired.items():
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                name = path.relative_to(ROOT)
                print(f"{name} is stale: python tools/docs/audit_rules.py", file=sys.stderr)
                return 1
        return 0
    if arguments:
        print("usage: python tools/docs/audit_rules.py [--check]", file=sys.stderr)
        return 2
    for path, text in desired.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
