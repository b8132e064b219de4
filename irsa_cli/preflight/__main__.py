"""The command line of preflight, of `python -m irsa_cli.preflight` and of the zipapp."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
import traceback
from typing import Any, Mapping, NoReturn, Sequence

from irsa_cli.preflight.judge import EXIT_CODES, EXPECTED, UNKNOWN, WRONG, Conclusion, judge
from irsa_cli.preflight.manifests import KINDS, manifest
from irsa_cli.preflight.onefile import one_file
from irsa_cli.preflight.sdk import ORDERS, PASSING, ThisPod
from irsa_cli.preflight.shown import Secrets, visible
from irsa_cli.preflight.wire import in_time


def duration(text: str) -> float:
    """Seconds, from a number with or without one of the units s, m, h."""
    duration_match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", text)
    if not duration_match:
        raise ValueError(f"'{text}' is not a duration, such as 60s")
    return float(duration_match[1]) * {"m": 60, "h": 3600}.get(duration_match[2], 1)


OPTIONS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("--expect-role", "ARN or name of the expected role. [default: AWS_ROLE_ARN]", {"metavar": "ROLE"}),
    ("--expect-account", "AWS account of the expected role.", {"metavar": "ID"}),
    ("--sdk", "SDK of the application. [default: all; they must agree]", {"choices": sorted(ORDERS)}),
    ("--call", "Also send this call with boto3, such as 's3 list-buckets'.", {"metavar": "CALL"}),
    ("--wait", "Retry for this time, such as 60s. [default: 0s]", {"type": duration, "default": 0.0}),
    ("--timeout", "Time limit of each call. [default: 5s]", {"type": duration, "default": 5.0}),
    ("--output", "Output format. [default: text]", {"choices": ["text", "json"], "default": "text"}),
    ("--manifest", "Print the Kubernetes YAML that runs this check.", {"choices": KINDS}),
    ("--image", "With --manifest: image of irsa, with its digest.", {"metavar": "IMAGE"}),
    ("--service-account", "With --manifest: ServiceAccount of the Job.", {"metavar": "NAME"}),
    ("--namespace", "With --manifest: namespace of the Job.", {"metavar": "NAMESPACE"}),
    ("--self", "Write preflight as one Python file (zipapp) to standard output.", {"action": "store_true"}),
)  # fmt: skip
"""Each option's flag, its help, and how argparse reads it; click's options are created from it."""
SHORT = {"--output": ["-o"], "--namespace": ["-n"]}
MOST_CALLS = 4
"""The calls of one attempt with a time limit each: for credentials, for their identity, and two to IMDS."""
LONGEST_CALL = 86_400.0
"""Seconds: sockets have no longer time limit."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def main(arguments: list[str] | None = None) -> int:
    """Run preflight without the rest of irsa; returns the exit code."""
    parser = _Parser("irsa preflight", description="Check the AWS identity of this pod.")
    for flag, text, how in OPTIONS:
        parser.add_argument(*SHORT.get(flag, []), flag, help=text, **how)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = run(vars(parser.parse_args(arguments)))
        sys.stdout.flush()
        return code
    except ValueError as error:
        return parser.error(str(error))
    except KeyboardInterrupt:
        return 130
    except OSError:  # Nobody reads standard output, or its disk is full.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CODES[UNKNOWN]


def run(options: Mapping[str, Any]) -> int:
    """Do what the options say; returns the exit code. A `ValueError` is about the command line."""
    if "" in options.values():
        raise ValueError("the value of an option is empty (is a variable not set?)")
    if options["self"]:
        content = one_file()
        sys.stdout.buffer.write(content)
        sys.stderr.write(f"sha256 {hashlib.sha256(content).hexdigest()}\n")
        return 0
    if options["manifest"]:
        sys.stdout.write(manifest(options))
        return 0
    if options["call"] and len(options["call"].split()) != 2:
        raise ValueError(f"'{options['call']}' is not a call, such as 's3 list-buckets'")
    secrets = Secrets(os.environ)
    report = _concluded(options, secrets).cleaned(secrets)
    sys.stdout.write(as_json(report) if options["output"] == "json" else as_text(report))
    return EXIT_CODES[report.verdict]


def _concluded(options: Mapping[str, Any], secrets: Secrets) -> Conclusion:
    """The verdict, in time and whatever happens: what nobody foresaw is also unknown."""
    sentence = "Which identity this pod gets is unknown."
    seconds = options["wait"] + MOST_CALLS * options["timeout"]
    try:
        report = in_time(lambda: check(options, secrets), seconds)
        if options["call"] and report.verdict == EXPECTED:
            _call(options, report)
        return report
    except TimeoutError as error:
        return Conclusion(UNKNOWN, sentence, f"{error}: a file or a service does not respond")
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)
        place = f"{os.path.basename(places[-1].filename)}, line {places[-1].lineno}"
        # Its message is not shown: it may have a part of what was read.
        cause = f"a bug in irsa: {type(error).__name__} in {place}"
        return Conclusion(UNKNOWN, sentence, cause, "owner of irsa preflight: report it to the project")


def check(options: Mapping[str, Any], secrets: Secrets) -> Conclusion:
    """The verdict, asked for again while it may still change and the time to wait is not over."""
    until = time.monotonic() + options["wait"]
    pause = 0.5
    seconds = min(options["timeout"], LONGEST_CALL)
    role = options["expect_role"] or ""
    account = options["expect_account"] or ""
    while True:
        pod = ThisPod(os.environ, seconds, options["sdk"] or "", secrets)
        report = judge(pod, role, account)
        remaining = until - time.monotonic()
        if not report.may_pass or remaining <= 0:
            return report
        time.sleep(min(pause, remaining))
        pause = min(pause * 2, 5.0)


def _call(options: Mapping[str, Any], report: Conclusion) -> None:
    """Send the user's own call, and change the report if AWS refuses it or its answer is unknown."""
    call = options["call"]
    service, operation = call.split()
    report.evidence["call"] = call

    try:
        import boto3

        def send() -> None:
            client: Any = boto3.client(service, region_name=report.evidence["region"])
            getattr(client, operation.replace("-", "_"))()

        in_time(send, options["timeout"])
    except Exception as error:
        report.verdict = UNKNOWN
        report.cause = f"'{call}': {error}"
        if _is_refusal(error):
            report.verdict = WRONG
            report.sentence = f"The role is the expected one, but AWS refuses '{call}'."
            report.do = [f"AWS administrator: allow {service} {operation} in the policies of the role"]
        else:
            report.not_reached.append(service)


def _is_refusal(error: Exception) -> bool:
    """Whether AWS itself refuses a call, and would refuse it again."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):  # An error of the connection also has a `response`: none.
        return False
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500 and status != 429 and response.get("Error", {}).get("Code") not in PASSING


def as_text(report: Conclusion) -> str:
    mark = {EXPECTED: "✓", WRONG: "✗", UNKNOWN: "?"}[report.verdict]
    facts = [("because", report.cause), *(("to do", step) for step in report.do)]
    facts += [(_words(key), _plain(value)) for key, value in report.evidence.items()]
    facts += [("not reached", service) for service in report.not_reached]
    lines = [f"{mark} {report.sentence}", *(f"  {key:<13}  {value}" for key, value in facts if value)]
    return "".join(f"{line}\n" for line in lines)


def _plain(value: Any) -> str:
    """A fact in words; if all SDKs have the same source, it is shown once."""
    if isinstance(value, dict):
        if len(set(map(str, value.values()))) == 1:
            return _plain(next(iter(value.values())))
        return ", ".join(f"{_words(key)} {_plain(fact)}" for key, fact in value.items() if fact is not None)
    if isinstance(value, int):
        return f"{value} s"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _words(key: str) -> str:
    return re.sub("([A-Z])", r" \1", key).lower()


def as_json(report: Conclusion) -> str:
    metadata = {"command": "preflight", "outcome": report.verdict, "exitCode": EXIT_CODES[report.verdict]}
    metadata.update({"cluster": None, "caller": None, "summary": {report.verdict: 1}, "notes": []})
    fields: dict[str, Any] = {"verdict": report.verdict, "sentence": report.sentence, "cause": report.cause}
    fields.update(next=report.do, evidence=report.evidence, notReached=report.not_reached)
    document: Mapping[str, Any] = {"apiVersion": "irsa/v1", "kind": "PreflightList", "metadata": metadata}
    return json.dumps({**document, "items": [fields], "errors": []}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
