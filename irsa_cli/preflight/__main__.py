"""The command line of preflight: options in, verdict out. `python -m irsa_cli.preflight` and the zipapp start here."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
import zipfile
from typing import Any, Dict, List, Mapping, Optional, Tuple

from irsa_cli.preflight.calls import Caller, Failed
from irsa_cli.preflight.judge import EXPECTED, UNKNOWN, WRONG, Report, Wanted, judge
from irsa_cli.preflight.sources import ORDERS

KINDS = ("init", "job", "helm-test", "argo-presync")
SUMMARY = "Check from inside a pod which AWS identity it gets."
DESCRIPTION = (
    "Reads environment and token, calls STS or the Pod Identity agent as an SDK does, and compares the identity."
    " Exit code 0: the expected identity; 5: another one or none; 1: unknown."
)
OPTIONS: Tuple[Tuple[str, Mapping[str, Any], str], ...] = (
    ("--expect-role", {"metavar": "ROLE"}, "ARN or name of the expected role. [default: AWS_ROLE_ARN]"),
    ("--expect-account", {"metavar": "ID"}, "AWS account of the expected role."),
    ("--sdk", {"choices": sorted(ORDERS)}, "The pod's SDK. [default: all, which have to agree]"),
    ("--call", {"metavar": "CALL"}, "Also make this call with boto3, such as 's3 list-buckets'."),
    ("--wait", {"metavar": "SECONDS", "default": "0s"}, "Ask again until the identity is the expected one."),
    ("--timeout", {"metavar": "SECONDS", "default": "5s"}, "Time limit of each call."),
    ("--output", {"choices": ("text", "json"), "default": "text"}, "Form of the answer."),
    ("--manifest", {"choices": KINDS}, "Print the Kubernetes YAML that runs the check instead."),
    ("--image", {"metavar": "IMAGE", "default": "irsa"}, "With --manifest: the image of irsa, by digest."),
    ("--service-account", {"metavar": "NAME", "default": "app"}, "With --manifest: the ServiceAccount."),
    ("--namespace", {"metavar": "NAMESPACE", "default": ""}, "With --manifest: the namespace."),
)
"""Each option's flag, how it is read, and its help; the click command is made of the same table."""
SHORT = {"--output": "-o", "--namespace": "-n"}


def main(arguments: Optional[List[str]] = None, env: Optional[Mapping[str, str]] = None) -> int:
    """Run preflight; returns the exit code."""
    parser = argparse.ArgumentParser("irsa preflight", description=SUMMARY + " " + DESCRIPTION)
    for flag, how, help_text in OPTIONS:
        parser.add_argument(*([SHORT[flag]] if flag in SHORT else []), flag, help=help_text, **how)
    parser.add_argument("--self", action="store_true", help="Write preflight as one file (a zipapp) to stdout.")
    given = parser.parse_args(arguments)
    if given.self:
        sys.stdout.buffer.write(zipapp())
        return 0
    if given.manifest:
        from irsa_cli.preflight.manifests import manifest

        sys.stdout.write(manifest(given.manifest, given.image, given.service_account, given.namespace))
        return 0
    wanted = Wanted(given.expect_role or "", given.expect_account or "", given.sdk or "", given.call or "")
    try:
        seconds = {name: _seconds(getattr(given, name)) for name in ("wait", "timeout")}
    except ValueError as error:
        parser.error(str(error))
    report = check(dict(os.environ if env is None else env), wanted, seconds["wait"], seconds["timeout"])
    sys.stdout.write(as_json(report) if given.output == "json" else as_text(report))
    return report.exit_code


def check(env: Mapping[str, str], wanted: Wanted, wait: float, timeout: float) -> Report:
    """The verdict, asked for again while it may still change and `wait` seconds are not over."""
    until, pause = time.monotonic() + wait, 0.5
    while True:
        report = judge(env, wanted, Caller(env, timeout))
        left = until - time.monotonic()
        if not report.may_pass or left <= 0:
            break
        time.sleep(min(pause, left))
        pause = min(pause * 2, 5.0)
    return _called(report, wanted.call) if report.verdict == EXPECTED and wanted.call else report


def _called(report: Report, call: str) -> Report:
    """The report, or what AWS says of the call that the user has named."""
    words = call.split()
    try:
        import boto3
        from botocore.exceptions import ClientError
    except ImportError:
        failed = Failed("--call", "boto3 is not in this image")
        return Report(UNKNOWN, report.sentence, str(failed), ["leave --call out"], report.evidence, ["--call"])
    try:
        client = boto3.client(words[0])
        getattr(client, words[1].replace("-", "_"))()
    except ClientError as error:
        do = ["allow it in the role's policies"]
        return Report(WRONG, "The role is the expected one, and AWS refuses the call.", str(error), do, report.evidence)
    except Exception as error:
        return Report(UNKNOWN, report.sentence, "%s: %s" % (call, error), [], report.evidence, [call])
    report.evidence["call"] = call
    return report


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise ValueError("'%s' is no duration, such as 60s" % text) from None


def as_text(report: Report) -> str:
    """The report for a person: the sentence first."""
    mark = {EXPECTED: "✓", WRONG: "✗", UNKNOWN: "?"}[report.verdict]
    lines = ["%s %s" % (mark, report.sentence)]
    lines += ["  because  %s" % report.cause] if report.cause else []
    lines += ["  do       %s" % step for step in report.do]
    for key, value in report.evidence.items():
        if value not in (None, "", [], {}):
            lines.append("  %-8s %s" % (key, _plain(key, value)))
    lines += ["  not reached: %s" % what for what in report.not_reached]
    encoding = sys.stdout.encoding or "ascii"
    return "".join("%s\n" % line for line in lines).encode(encoding, "replace").decode(encoding)


def _plain(key: str, value: Any) -> str:
    if key == "source":
        value = sorted(set(value.values())) if len(set(value.values())) == 1 else value
        return value[0] if isinstance(value, list) else ", ".join("%s: %s" % item for item in value.items())
    if isinstance(value, dict):
        return ", ".join("%s=%s" % item for item in value.items() if item[1] is not None)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def as_json(report: Report) -> str:
    """The report in the envelope that all commands of irsa use."""
    item: Dict[str, Any] = {
        "verdict": report.verdict,
        "sentence": report.sentence,
        "cause": report.cause or None,
        "next": report.do,
        "evidence": report.evidence,
        "notReached": report.not_reached,
    }
    outcome = "failed" if report.verdict == UNKNOWN else "ok"
    metadata = {
        "command": "preflight",
        "outcome": outcome,
        "exitCode": report.exit_code,
        "cluster": None,
        "summary": {report.verdict: 1},
        "notes": [],
    }
    document = {"apiVersion": "irsa/v1", "kind": "PreflightList", "metadata": metadata, "items": [item], "errors": []}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def zipapp() -> bytes:
    """Preflight as one file that needs Python 3.8 only: `python preflight.pyz`."""
    folder = os.path.dirname(os.path.abspath(__file__))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("irsa_cli/__init__.py", "")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py"):
                archive.write(os.path.join(folder, name), "irsa_cli/preflight/" + name)
        run = "import sys\nfrom irsa_cli.preflight.__main__ import main\nsys.exit(main())\n"
        archive.writestr("__main__.py", run)
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
