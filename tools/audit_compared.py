"""Compare what `irsa audit` and other tools find in the same trust policies; a table on standard output.

    python tools/audit_compared.py             the table
    python tools/audit_compared.py --write     and into docs/explanation/audit-compared.md
    python tools/audit_compared.py --detail    and what each tool says of each role

The policies are those of the planted account (`tests/support/large_account.py`): as CloudFormation for
checkov and cfn-lint, as policies in JSON for parliament. Each tool runs if it is found on the PATH; none is a
dependency. A tool has found a role if it says something of it that it does not say of most tight roles.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from irsa_cli import __version__  # noqa: E402 - the package may not be installed
from irsa_cli.core.audit.auditing import Audit  # noqa: E402
from irsa_cli.core.objects.role import Role  # noqa: E402
from irsa_cli.core.policies.policy import as_list  # noqa: E402
from irsa_cli.core.trust.rules.rule import TRUST_RULES  # noqa: E402
from tests.support.estates import Planted, planted  # noqa: E402
from tests.support.large_account import large_account, tight, variants  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "audit-compared.md"
BEGIN, END = "<!-- Written by tools/audit_compared.py. -->\n", "<!-- Until here. -->\n"
TIGHT = 60
POWER = "an administrator, or a way to become one, behind a broad trust policy"
_SUFFIX = "WithPermissions"
_IDS = [rule.id for rule in TRUST_RULES]

Reported = Mapping[str, frozenset[str]]
"""What a tool reports, by the name of the role."""


@dataclass(frozen=True)
class Corpus:
    """The roles that are compared: planted ones by name, and tight ones."""

    planted: Mapping[str, Planted] = field(
        default_factory=lambda: {
            item.role.name: item
            for item in (*planted(), *variants())
            if any(rule in _IDS for rule, _ in item.breaks)
        }
    )
    tight: Mapping[str, Role] = field(
        default_factory=lambda: {role.name: role for _, role, _ in tight(TIGHT)}
    )

    def powerful(self) -> list[str]:
        """The planted roles whose permissions make it worse."""
        return [name for name, item in self.planted.items() if "; this grants" in _told(item.role.arn)]

    def templates(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The properties of roles in CloudFormation, without permissions; those of some with, too."""
        roles = {**{name: item.role for name, item in self.planted.items()}, **self.tight}
        for name, role in roles.items():
            yield name, {"AssumeRolePolicyDocument": role.trust}
        for name in self.powerful():
            role = roles[name]
            inline = [
                {"PolicyName": key, "PolicyDocument": {"Version": "2012-10-17", "Statement": _listed(value)}}
                for key, value in role.inline.items()
            ]
            permissions = {"ManagedPolicyArns": sorted(role.attached), "Policies": inline}
            given = {key: value for key, value in permissions.items() if value}
            yield f"{name}{_SUFFIX}", {"AssumeRolePolicyDocument": role.trust, **given}


ESTATE = large_account()
AUDIT = Audit(ESTATE)


def _listed(document: Mapping[str, Any]) -> list[Any]:
    """The statements as the list that other tools expect."""
    return as_list(document["Statement"])


def _told(arn: str) -> str:
    return "\n".join(item.reason for item in AUDIT.risks if item.role == arn)


def by_irsa() -> Reported:
    """What irsa finds in the whole account."""
    found: dict[str, set[str]] = {}
    for item in AUDIT.risks:
        name = item.role.rsplit("/", 1)[-1]
        found.setdefault(name, set()).add(item.rule.id)
        if "; this grants" in item.reason:
            found.setdefault(f"{name}{_SUFFIX}", set()).add(POWER)
    return {name: frozenset(rules) for name, rules in found.items()}


# Other tools


def _run(*command: str) -> str:
    """What a tool prints; that it ends with an error is its way to say that it has found something."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    return ran.stdout or ran.stderr


def _template(corpus: Corpus, folder: Path) -> Path:
    resources = {name: {"Type": "AWS::IAM::Role", "Properties": made} for name, made in corpus.templates()}
    path = folder / "template.json"
    document = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def by_checkov(corpus: Corpus, folder: Path) -> Reported:
    """What checkov says of the template."""
    options = ("--framework", "cloudformation", "-o", "json", "--compact", "--quiet", "--skip-download")
    printed = json.loads(_run("checkov", "-f", str(_template(corpus, folder)), *options))
    found: dict[str, set[str]] = {}
    for item in printed["results"]["failed_checks"]:
        found.setdefault(item["resource"].rpartition(".")[2], set()).add(item["check_id"])
    return {name: frozenset(checks) for name, checks in found.items()}


def by_cfn_lint(corpus: Corpus, folder: Path) -> Reported:
    """What cfn-lint says of the template."""
    printed = json.loads(_run("cfn-lint", "--format", "json", str(_template(corpus, folder))))
    found: dict[str, set[str]] = {}
    for item in printed:
        place = item["Location"]["Path"] or []
        if len(place) > 1 and place[0] == "Resources":
            found.setdefault(place[1], set()).add(item["Rule"]["Id"])
    return {name: frozenset(rules) for name, rules in found.items()}


def by_parliament(corpus: Corpus, folder: Path) -> Reported:
    """What parliament says of the policies; a trust policy gets the Resource that it asks for."""
    for name, made in corpus.templates():
        trust = made["AssumeRolePolicyDocument"]
        statements = [{**item, "Resource": "*"} for item in trust["Statement"]]
        documents = [{**trust, "Statement": statements}]
        documents += [item["PolicyDocument"] for item in made.get("Policies", ())]
        for number, document in enumerate(documents):
            path = folder / f"{name}.{number}.json"
            path.write_text(json.dumps(document), encoding="utf-8")
    options = ("--json", "--include-community-auditors")
    found: dict[str, set[str]] = {}
    for line in _run("parliament", "--directory", str(folder), *options).splitlines():
        if line.startswith("{"):
            item = json.loads(line)
            name = Path(item["location"]["filepath"]).name.partition(".")[0]
            found.setdefault(name, set()).add(item["issue"])
    return {name: frozenset(issues) for name, issues in found.items()}


Tool = Callable[[Corpus, Path], Reported]
TOOLS: Mapping[str, Tool] = {"checkov": by_checkov, "parliament": by_parliament, "cfn-lint": by_cfn_lint}


# The table


def rows(corpus: Corpus, reported: Mapping[str, Reported]) -> Iterator[list[str]]:
    """The table: for each rule how many roles are planted, and how many of them each tool has found."""
    yield ["rule", "planted", *reported]
    for rule in _IDS:
        names = [name for name, item in corpus.planted.items() if rule in dict(item.breaks)]
        counts = [_found(corpus, tool, said, names, rule) for tool, said in reported.items()]
        yield [f"[`{rule}`](../reference/audit-rules.md#{rule})", str(len(names)), *map(str, counts)]
    powerful = corpus.powerful()
    more = [_with_permissions(corpus, said, powerful) for said in reported.values()]
    yield [POWER, str(len(powerful)), *map(str, more)]
    wrong = [sum(bool(said.get(name)) for name in corpus.tight) for said in reported.values()]
    yield ["safe roles, about which nothing should be reported", str(len(corpus.tight)), *map(str, wrong)]


def _found(corpus: Corpus, tool: str, said: Reported, names: list[str], rule: str) -> int:
    """How many of the roles a tool has found; irsa has to say why."""
    usual = _usual(corpus, said)
    about = [said.get(name, frozenset()) - usual for name in names]
    return sum(rule in found if tool == "irsa" else bool(found) for found in about)


def _with_permissions(corpus: Corpus, said: Reported, names: list[str]) -> int:
    """Of how many roles more is said with their permissions than without."""
    usual = _usual(corpus, said)
    both = [(said.get(f"{name}{_SUFFIX}", frozenset()), said.get(name, frozenset())) for name in names]
    return sum(bool(more - less - usual) for more, less in both)


def _usual(corpus: Corpus, said: Reported) -> frozenset[str]:
    """What a tool says of most of the tight roles, so that it tells nothing."""
    counts = Counter(item for name in corpus.tight for item in said.get(name, ()))
    return frozenset(item for item, count in counts.items() if count > len(corpus.tight) / 2)


def _markdown(table: list[list[str]]) -> str:
    head, *body = table
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main(arguments: list[str]) -> int:
    """Compare, print, and write the page if asked to."""
    corpus = Corpus()
    reported: dict[str, Reported] = {"irsa": by_irsa()}
    versions = [f"irsa {__version__}"]
    for name, tool in TOOLS.items():
        if shutil.which(name) is None:
            print(f"{name} is not on the PATH: left out", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            reported[name] = tool(corpus, Path(folder))
        versions.append(f"{name} {_run(name, '--version').split()[-1]}")
    written = f"\nVersions: {', '.join(versions)}.\n\n{_markdown(list(rows(corpus, reported)))}\n"
    if "--detail" in arguments:
        for whose, said in reported.items():
            for name in sorted(said):
                print(whose, name, *sorted(said[name]))
    print(written)
    if "--write" in arguments:
        if len(reported) <= len(TOOLS):
            print("not written: a tool is missing", file=sys.stderr)
            return 1
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}{written}{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
