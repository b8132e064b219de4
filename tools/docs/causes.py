"""Write docs/reference/causes.md from the causes themselves; with `--check`, fail when it is stale.

The table counts the ways in which the tests break a working binding, and judges the pure ones now.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.doctor.causes import CAUSES, Cause, Group  # noqa: E402 - the tests are next to the package
from irsa_cli.core.doctor.causes.settings import DATE, SOURCES, VARIABLES  # noqa: E402
from irsa_cli.core.doctor.diagnosis import judge  # noqa: E402
from irsa_cli.core.doctor.finding import Verdict  # noqa: E402
from tests.scenarios.breaks import BREAKS, ELSEWHERE  # noqa: E402
from tests.scenarios.reported.cases import Reported, Score  # noqa: E402
from tests.scenarios.reported.everything import HEALTHY, REPORTED  # noqa: E402
from tests.unit.current import working  # noqa: E402
from tests.unit.doctor.diagnosis_cases import BESIDE, CASES  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "causes.md"
HEAD = """\
# Causes

<!-- Written by tools/docs/causes.py from irsa_cli/core/doctor/data/causes.json: change it there. -->

The causes that `irsa doctor` checks. `irsa doctor --explain ID` shows one of them, `--explain all` lists
them; neither needs a cluster. How to use the command: [Diagnose a pod without its
role](../how-to/doesnt-work.md).

Each check ends with one of three verdicts:

- `ok`: this is not the cause.
- `problem`: this is wrong. The evidence shows the found and the expected values. `to fix` is a command to
  paste, `to fill in` has a placeholder, `to decide` has comments only: the command that shows the problem,
  and what can be done.
- `unknown`: irsa could not read what the check needs, and says why.

| exit code | meaning |
| --- | --- |
| 5 | there is a problem |
| 1 | no problem, but something decisive is unknown |
| 0 | no problem; the last line says what to check if the application still fails |

Decisive are:

- ServiceAccount, role, trust policy and provider (`service-account-missing`, `role-missing`, `trust-*`,
  `provider-audience`); for an EKS Pod Identity association, `pod-identity-trust` and `pod-identity-target`
- a running pod with this identity (`pod-unseen`)
- suspicious settings of a container (`pod-profile`, `pod-credentials-file`, `pod-setting`, `pod-sts-proxy`,
  `pod-static-credentials`, `sts-global-endpoint`, `pod-role-twice`)
- the answers of STS (`sts-refused`, `sts-region`, `token-malformed`), or no call to STS (`sts-never-asked`)
- pods on `default` that the application seems to have created (`pod-service-account`)

Problems are shown in the order in which to fix them: AWS (provider, role, trust policy), then the
ServiceAccount, then pods, which keep their settings until they restart. Within each, the most probable one
comes first. A check that depends on another one is unknown until that one is fixed: without a role, irsa
cannot check its trust policy.

## What is not checked

- Organization policies (SCPs, RCPs): a member account cannot read them.
- The application's use of its credentials: a further role, or a token that it keeps for too long (unless
  STS saw it, or it is mounted by subPath). A setting that repeats the role is a hint; it is suspicious if
  it says to assume the role.
- STS calls of irsa (`irsa verify`, `irsa credentials`, `create-sa --verify`) and under `irsa exec`: they
  prove nothing about the application. irsa leaves them out by their session name and user agent.
- The inside of pods, such as the content of the token file.
- The network: DNS, routes, and sidecars. irsa reads NetworkPolicies, but cannot see if the cluster enforces
  them.
- The answers of the EKS Pod Identity agent. irsa checks that it runs on the pods' nodes.
- Pods that could not be created while others with this identity run, unless you ask for a whole namespace
  (`-n` without a name).

These are never a cause:

- `automountServiceAccountToken: false`: a web identity has its own volume.
- the provider's thumbprint for an EKS issuer
- `hostNetwork`
- a missing permission of the role: the error then shows the role, so STS accepted the token.
"""
TRIED = """\
A test breaks a working binding in each of these ways, and irsa must find exactly this cause. `observed`
counts ways in the observed values, judged when this page is written. `end to end` counts ways in the
sandbox and on a real kube-apiserver, with the whole command. Tests fail if a cause is missed or a wrong one
is reported, also for a working binding. Causes without a way are hints, and never a problem.
"""
MEASURED = """\
The table above is derived from the causes. The following failures were reported in public by others, with a
confirmed cause. A test reproduces each in the sandbox with the whole command, and fails if a score gets
worse. The scores:

- `exact`: the first problem is the confirmed cause.
- `among others`: it is a problem, but not the first one.
- `hint`: no problem, and the cause is listed as unknown (but not for a working binding).
- `unknown`: no problem; irsa says what it could not see, and the exit code is not 0.
- `not checked`: exit code 0, as the pod gets its role; the failure is in the application, its permissions
  or another role, which doctor [does not check](#what-is-not-checked).
- `missed`: exit code 0, and nothing leads to the cause.
- `false`: another cause is reported as a problem.
"""
UNTOUCHED = """\
Setups without a problem, usual and unusual ones, in the same test. `alarm` is a problem that doctor reports
wrongly.
"""
VARIABLES_READ = """\
Environment variables that SDKs read for an identity, a region, an endpoint or a proxy. irsa cannot see
which SDK a container has, so a value that only some SDKs reject is suspicious and not a problem.
"""
SDKS = {
    "botocore": "Python and AWS CLI",
    "go": "Go 2",
    "java": "Java 2",
    "js": "JavaScript 3",
    "net": ".NET",
    "rust": "Rust",
}
GROUPS = {
    Group.CLUSTER: "Cluster",
    Group.SERVICE_ACCOUNT: "ServiceAccount",
    Group.ROLE: "Role",
    Group.WEBHOOK: "Webhook",
    Group.PODS: "Pods",
    Group.STS: "STS",
}


@dataclass
class Tried:
    """How a cause fared: ways to break a binding, and how often it was named rightly, not, or wrongly."""

    ways: int = 0
    found: int = 0
    missed: int = 0
    false: int = 0


def tried() -> dict[str, Tried]:
    """Judge every observed way to break a binding, by cause."""
    results = {identifier: Tried() for identifier in CAUSES}
    for causes, change in [*(((cause,), change) for cause, change in CASES), *BESIDE]:
        named = {item.cause.id for item in judge(change(working())) if item.verdict is Verdict.PROBLEM}
        for cause in causes:
            results[cause].ways += 1
            results[cause].found += cause in named
            results[cause].missed += cause not in named
        for other in named.difference(causes):
            results[other].false += 1
    return results


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections(), *_variables(), *_table(), *_reported(), *_healthy()])


def _sections() -> Iterator[str]:
    for group, title in GROUPS.items():
        yield f"## {title}\n"
        for cause in CAUSES.values():
            if cause.group is group:
                yield _section(cause)


def _section(cause: Cause) -> str:
    lines = [
        f"### {cause.id}",
        "",
        f"{cause.title} (weight {cause.weight})",
        "",
        f"- Symptom: {_text(cause.symptom)}",
        f"- Checks: {_text(cause.looks_at)}",
        f"- Remedy: {_text(cause.remedy)}",
        f"- Source: <{cause.source}>",
        "",
    ]
    return "\n".join(lines)


def _text(text: str) -> str:
    """Plain text in Markdown: stars and angle brackets stay as they are."""
    return text.replace("*", "\\*").replace("<", "&lt;")


def _variables() -> Iterator[str]:
    yield "## Variables that SDKs read\n"
    yield VARIABLES_READ
    yield "| variable | of | read by | checked by |\n| --- | --- | --- | --- |"
    for row in VARIABLES:
        judged = f"[{row['check']}](#{row['check']})" if row["check"] else f"not checked: {row['why']}"
        only = " (whether it is set: irsa cannot tell its effect)" if "unseen" in row else ""
        readers = ", ".join(SDKS[name] for name in row["sdks"])
        yield f"| `{row['name']}` | {row['what']} | {readers} | {judged}{only} |"
    yield f"\nRead on {DATE}: {'; '.join(f'{SDKS.get(key, key)}: {text}' for key, text in SOURCES.items())}\n"


def _table() -> Iterator[str]:
    yield "## Derived from the causes\n"
    yield TRIED
    yield "| cause | observed | found | missed | false | end to end |\n| --- | --- | --- | --- | --- | --- |"
    ends = Counter(cause for cause, _ in BREAKS.values()) + Counter(ELSEWHERE)
    results = tried()
    for cause in CAUSES.values():
        item = results[cause.id]
        yield (
            f"| [{cause.id}](#{cause.id}) | {item.ways} | {item.found} | {item.missed} | {item.false}"
            f" | {ends[cause.id]} |"
        )
    total = [sum(getattr(item, name) for item in results.values()) for name in vars(Tried())]
    yield f"| all {len(CAUSES)} | {' | '.join(map(str, total))} | {sum(ends.values())} |\n"


def _reported() -> Iterator[str]:
    cases = list(REPORTED.values())
    counts = Counter(case.score for case in cases)
    yield "## Reported by others\n"
    yield MEASURED
    yield f"| cases | {' | '.join(score.value for score in Score)} |\n| --- |{' --- |' * len(Score)}"
    yield f"| {len(cases)} | {' | '.join(str(counts[score]) for score in Score)} |\n"
    yield "| reported | symptom | confirmed cause | score |\n| --- | --- | --- | --- |"
    yield from (_row(case) for case in cases)
    yield ""


def _row(case: Reported) -> str:
    name = case.source.removeprefix("https://").removeprefix("github.com/")
    for part in ("/issues/", "/pull/", "/-/issues/"):
        name = name.replace(part, " #")
    return f"| [{name}]({case.source}) | {_text(case.symptom)} | {_text(case.cause)} | {case.score.value} |"


def _healthy() -> Iterator[str]:
    alarms = [item for item in HEALTHY.values() if item.alarm]
    yield "## Working setups\n"
    yield UNTOUCHED
    yield f"{len(HEALTHY)} set-ups, {len(HEALTHY) - len(alarms)} without an alarm.\n"
    yield "| set-up | exit code | alarm |\n| --- | --- | --- |"
    for item in HEALTHY.values():
        yield f"| {_text(item.what)} | {5 if item.alarm else item.exit_code} | {item.alarm or 'none'} |"
    yield ""


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; returns the exit code."""
    desired = page()
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == desired:
            return 0
        print("docs/reference/causes.md is stale: python tools/docs/causes.py", file=sys.stderr)
        return 1
    if arguments:
        print("usage: python tools/docs/causes.py [--check]", file=sys.stderr)
        return 2
    PAGE.write_text(desired, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
