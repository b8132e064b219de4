"""Write docs/reference/causes.md from the causes themselves; with `--check`, fail when it is stale.

What a cause means is said where it is defined (`irsa_cli.core.doctor.causes`). The table counts the ways in
which the tests break a working binding, and judges those that are pure here and now.
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

Why IRSA does not work: what `irsa doctor` looks for. `irsa doctor --explain ID` shows one of them,
`--explain all` lists them; neither asks anybody. How to use it is in
[Diagnose a pod without its role](../how-to/doesnt-work.md).

Each check ends with one of three verdicts:

- `ok`: this is not it.
- `problem`: this is wrong. The evidence shows what is there and what should be; `to fix` is a command to
  paste. `to fill in` has a placeholder, `to decide` is comments only, `to look at` only shows what is wrong.
- `unknown`: what it needs is not there or could not be read, and the output says why. What is not
  known is no problem: the exit code is 5 when there is a problem. It is 1 when there is none, but
  ServiceAccount, role, trust policy or provider could not be checked (`service-account-missing`,
  `role-missing`, `trust-*`, `provider-audience`; of an EKS Pod Identity association `pod-identity-trust` and
  `pod-identity-target`), no running pod with this identity was seen (`pod-unseen`), or something that was
  seen may be what is wrong: a setting of a container (`pod-profile`, `pod-credentials-file`,
  `pod-setting`, `pod-sts-proxy`, `pod-static-credentials`, `sts-global-endpoint`, `pod-role-twice`), what STS
  has answered (`sts-refused`, `sts-region`, `token-malformed`) or was never asked (`sts-never-asked`), pods
  that the application made on `default` (`pod-service-account`). Else it is 0, and the last line names what
  to look at if the application fails.

Problems are shown in the order in which to fix them: AWS (provider, role, trust policy), then the
ServiceAccount, then pods, which keep what they were started with; among each by weight, the most probable
one first. A check that depends on another says "unknown" until that one is in order: where there is no
role, nothing is said of its trust policy.

## What is not checked

- Policies of the organization (SCPs, RCPs): they can't be read from a member account.
- What the application does with its credentials: another role that it assumes, an SDK that is told to use
  something else, a token that is kept for too long (unless STS has seen it, or it is mounted by subPath). A
  setting that names the role once more is a hint, or suspect where it says that the role is to be assumed.
- What irsa itself has asked of STS (`irsa verify`, `irsa credentials`, `create-sa --verify`), and what was
  run under `irsa exec`: it says nothing of the application. By their session and user agent they are left out
  of what CloudTrail tells; that STS has admitted one of them is known.
- The inside of pods: what is in the token's file.
- The network: DNS, routes, and what a sidecar lets out. NetworkPolicies are read, and give a hint only:
  whether the cluster's network enforces them can't be seen.
- Of EKS Pod Identity: what its agent says. Whether it runs on the nodes of the pods is checked.
- Pods that could not be created beside some that run with this identity (a rollout that hangs), unless a
  whole namespace is asked for (`-n` without a name).

Never a cause, and never named as one: `automountServiceAccountToken: false` (a web identity has a volume of
its own), the provider's thumbprint for an issuer of EKS, `hostNetwork`, and a policy that the role lacks (the
error then names the role: its token was accepted).
"""
TRIED = """\
A working binding is broken in each of these ways, and exactly the cause has to be named: found, and no other.
`observed` are ways in what was read (judged when this page is written). `end to end` are those that are done
to a binding in the sandbox and again on a real kube-apiserver, with the whole command; there the tests fail
when a cause is missed or a false one is named. A working binding has to have none. Causes without a way are
hints: from outside they can be suspected and not proven, and they are never a problem.
"""
MEASURED = """\
The table above is derived from the causes: it says nothing of failures that nobody thought of. These are
failures that somebody else reported in public, with the cause that was confirmed there. Each is reproduced in
the sandbox, the whole command is run on it, and a test fails when a score gets worse. The scores:

- `exact`: the first problem is the confirmed cause.
- `among others`: it is a problem, and another one is named before it.
- `hint`: no problem, and the cause is named under "unknown" (and is not for a binding that works).
- `unknown`: no problem; what could not be seen is said, and the exit code is not 0.
- `not checked`: exit code 0, since the pod gets its role; what fails is its application, its permissions or
  another role, which doctor [does not check](#what-is-not-checked).
- `missed`: exit code 0, and nothing leads to the cause.
- `false`: something else is called a problem.
"""
UNTOUCHED = """\
Set-ups in which nothing is wrong, usual and unusual ones; the same test plays them. `alarm` is what doctor
calls a problem there all the same.
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
