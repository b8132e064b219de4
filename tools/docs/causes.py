"""Write docs/reference/causes.md from the causes themselves; with `--check`, fail when it is stale.

The causes are in `irsa_cli.core.doctor.causes`. The table counts the ways in which tests break a binding.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.doctor.causes import CAUSES, Cause, Group  # noqa: E402 - the tests are beside the package
from irsa_cli.core.doctor.causes.variables import DATE, SOURCES, VARIABLES  # noqa: E402
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

<!-- Written by tools/docs/causes.py from the causes in irsa_cli/core/doctor/causes: change them there. -->

The causes that `irsa doctor` checks. `irsa doctor --explain ID` shows one of them, `--explain all` lists
them, without network. [Diagnose a pod without its role](../how-to/doesnt-work.md) shows how to use the
command.

Each check has one of three results:

- `ok`: this is not the cause.
- `problem`: this is wrong. The evidence shows the current and the expected value. `to fix` is a command to
  paste, `to fill in` a command with a placeholder, `to decide` a list of comments, `to look at` a command
  that shows the problem.
- `unknown`: the facts are missing or could not be read; the output says why. If there is a problem, the
  exit code is 5. Without a problem it is 1 if ServiceAccount, role, trust policy or provider could not be
  checked (`service-account-missing`, `role-missing`, `trust-*`, `provider-audience`; of an EKS Pod Identity
  association `pod-identity-trust` and `pod-identity-target`), no running pod with this identity was seen
  (`pod-unseen`), or something that was seen may be what is wrong: a setting of a container (`pod-profile`,
  `pod-credentials-file`, `pod-setting`, `pod-sts-proxy`, `pod-static-credentials`, `sts-global-endpoint`,
  `pod-role-twice`), what STS has answered (`sts-refused`, `sts-region`, `token-malformed`) or was never
  asked (`sts-never-asked`), pods of the application that use `default` (`pod-service-account`). Otherwise
  it is 0, and the last line shows where to look if the application fails.

Problems are in the order of their fixes: AWS (provider, role, trust policy), then the ServiceAccount, then
pods, which keep the settings of their start. Within each group the most probable problem is first. A check
that depends on another is "unknown" until that one is `ok`: without a role, its trust policy is unknown.

## What is not checked

- Policies of the organization (SCPs, RCPs): a member account can't read them.
- The application's use of its credentials: another role that it assumes, an SDK with other settings, a
  token that it keeps too long (unless STS has seen it, or it is mounted by subPath). If a setting contains
  the role again, that is a hint, or a suspect if the setting assumes the role.
- Calls of irsa itself to STS (`irsa verify`, `irsa credentials`, `create-sa --verify`, `irsa exec`). They
  prove nothing about the application, so irsa leaves them out of CloudTrail's events.
- Files inside pods, such as the token's file.
- The network: DNS, routes, and the rules of a sidecar. NetworkPolicies are only a hint, because irsa can't
  see whether the cluster's network enforces them.
- The log of the EKS Pod Identity agent. irsa checks that the agent runs on the nodes of the pods.
- Pods that could not be created while others run with this identity (a rollout that hangs), unless you
  check a whole namespace (`-n` without a name).

Never a cause: `automountServiceAccountToken: false` (the web identity token has its own volume), the
provider's thumbprint for an EKS issuer, `hostNetwork`, and a missing policy of the role (the error then
contains the role, so its token was accepted).
"""
TRIED = """\
Tests break a working binding in each of these ways. `irsa doctor` must find exactly this cause.
`observed` counts changes of observed facts. `end to end` counts changes of a real binding, on the sandbox and
on a real kube-apiserver, with the whole command. A working binding has no cause. Causes without a way are
hints: irsa can't prove them from outside, so they are never a problem.
"""
MEASURED = """\
The table above comes from the causes, so it misses failures that nobody thought of. These are failures that
others reported in public, with a confirmed cause. A test reproduces each in the sandbox, runs the command and
fails if a score gets worse. The scores:

- `exact`: the first problem is the confirmed cause.
- `among others`: it is a problem, but not the first one.
- `hint`: no problem, but the cause is listed under "unknown" (and not for a working binding).
- `unknown`: no problem; the output lists the missing facts, and the exit code is not 0.
- `not checked`: exit code 0, because the pod gets its role. The failure is in its application, its
  permissions or another role, which doctor [does not check](#what-is-not-checked).
- `missed`: exit code 0, without a clue.
- `false`: another cause is reported as a problem.
"""
UNTOUCHED = """\
Usual and unusual setups that work. `alarm` is a problem that doctor reports anyway.
"""
VARIABLES_READ = """\
What SDKs read of a container's environment to find an identity, a region, an endpoint or a way to STS.
Which SDK a container has can't be seen, so a value that only some of them refuse is suspect and no problem.
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
    yield "| variable | of | read by | judged by |\n| --- | --- | --- | --- |"
    for row in VARIABLES:
        judged = f"[{row['check']}](#{row['check']})" if row["check"] else f"not judged: {row['why']}"
        only = " (that it is set: its effect can't be seen)" if "unseen" in row else ""
        readers = ", ".join(SDKS[name] for name in row["sdks"])
        yield f"| `{row['name']}` | {row['what']} | {readers} | {judged}{only} |"
    yield f"\nRead on {DATE}: {'; '.join(f'{SDKS.get(key, key)}: {text}' for key, text in SOURCES.items())}\n"


def _table() -> Iterator[str]:
    yield "## Ways of breaking that are derived from the causes\n"
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
    yield "## Failures that somebody else reported\n"
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
    yield "## Set-ups in which nothing is wrong\n"
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
