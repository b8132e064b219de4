"""A run: asks, tries, cleans up whatever happens, and reports."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from tests.acceptance import facts, lateness, marked, options
from tests.acceptance.place import POLICIES, Failed, LeftOut, OutOfBudget, Place
from tests.acceptance.program import irsa
from tests.acceptance.report import Report, Step
from tests.acceptance.steps import STEPS, Trial

ERRORS = (ClientError, BotoCoreError, ApiException, ConfigException, HTTPError)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal; raised once."""

    def __init__(self, number: int) -> None:
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all passed; 1: something did not; 2: wrong usage; 3: something was left; 128 + the signal."""
    args = options.parsed(arguments)
    try:
        place = Place(args)
    except ERRORS as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    try:
        return _clean(place) if args.cleanup else _run(place)
    finally:
        place.close()


def _run(place: Place) -> int:
    report = Report(
        [Step(name) for name in STEPS][: place.args.steps], place.kubernetes_version, place.region
    )
    trial = Trial(place)
    creates = place.provider_state() is None
    print(_plan(place, creates))
    if not _agreed(place.args):
        return 2
    number = 0
    try:
        _heed_signals()
        _try_all(trial, report)
        report.outcome = "passed"
    except Stopped as stopped:
        number = stopped.number
        report.why = "interrupted"
    except OutOfBudget:
        report.why = "the limit of time or calls was reached"
    except ERRORS as error:
        report.outcome, report.why = "failed", _code(error)
        print(f"Error: {error}", file=sys.stderr)
    finally:
        for name in SIGNALS:
            signal.signal(name, lambda *_: print("Cleaning up. Please wait."))
        report.left = _remove(place, place.id)
        report.seconds = time.monotonic() - place.began
        report.calls = place.budget.used
        report.write(place.args.report, place.args.json)
    print(f"\n{report.markdown()}")
    if report.left:
        print(f"To delete what is left: python -m tests.acceptance -c {place.args.cluster} --cleanup")
        return 3
    return 128 + number if number else int(not report.passed)


def _plan(place: Place, creates: bool) -> str:
    lines = [
        f"Account {place.account}, cluster {place.args.cluster}, region {place.region}. This run creates:",
        f"  namespaces     {place.name}, {place.vanishing}",
        "                 with ServiceAccounts and Leases (irsa's locks)",
        f"  IAM roles      in the path {place.path}",
        f"                 and with names that begin with {place.name}-",
        f"                 with the AWS managed policies {', '.join(POLICIES)}",
    ]
    if creates:
        lines.append(f"  OIDC provider  {place.issuer.removeprefix('https://')}")
    else:
        lines.append("The cluster's OIDC provider exists and is not changed.")
    limit = f"It takes {place.args.limit / 60:.3g} minutes at most, and deletes everything at the end."
    return "\n".join([*lines, limit])


def _agreed(args: argparse.Namespace) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        print("Error: no terminal to ask on. To continue without a question: --yes", file=sys.stderr)
        return False
    return input("Continue? [y/N] ").strip().lower() in ("y", "yes")


def _heed_signals() -> None:
    def stop(number: int, _: Any) -> None:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        print("Stopping, then cleaning up.", flush=True)
        raise Stopped(number)

    for name in SIGNALS:
        signal.signal(name, stop)


def _try_all(trial: Trial, report: Report) -> None:
    place = trial.place
    for step in report.steps:
        began = time.monotonic()
        trial.exit_codes = step.exit_codes
        step.verdict = "failed"
        try:
            STEPS[step.name](trial)
            step.verdict = "passed"
        except LeftOut:
            step.verdict = "left out"
        except Failed as error:
            step.why = str(error)
        except ERRORS as error:
            step.why = _code(error)
            print(error, file=sys.stderr)
        except (OutOfBudget, Stopped):
            step.verdict = "not finished"
            raise
        finally:
            step.seconds = time.monotonic() - began
            print(f"  {step.verdict:13} {step.name} {step.seconds:.1f} s {step.why}", flush=True)
    facts.ask_all(place, report.facts, _tell)
    print("  delays of reads", flush=True)
    lateness.measure(place, report.delays)


def _tell(count: int) -> None:
    if count % 25 == 0:
        print(f"  {count} facts", flush=True)


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    if isinstance(error, ApiException):
        return f"Kubernetes: {error.status}"
    return type(error).__name__


def _clean(place: Place) -> int:
    """`--cleanup`."""
    left = marked.found(place)
    if not left:
        print("Interrupted runs left nothing behind.")
        return 0
    print("These objects were left. Make sure that no run is in progress.")
    for item in left:
        print(f"  {item}")
    if not _agreed(place.args):
        return 2
    return 3 if _remove(place, "") else 0


def _remove(place: Place, number: str) -> int:
    """Delete what has the mark of this run, or of any; how many objects are left."""
    place.budget.until = max(place.began + place.args.limit, time.monotonic() + 60.0)
    place.budget.calls += 1000
    left: list[marked.Left] = []
    try:
        for attempt in range(8):
            left = marked.found(place, number)
            if not left and place.settled(lambda: not marked.found(place, number), 0):
                return 0
            for item in left:
                if item.kind == "OIDC provider":
                    irsa(place, "disassociate-oidc", "--yes")
                else:
                    marked.delete(place, item)
            time.sleep(min(attempt, 3))
    except (OutOfBudget, *ERRORS) as error:
        print(f"Error: {error or 'the limit was reached'}", file=sys.stderr)
        return max(len(left), 1)
    for item in left:
        print(f"Left: {item}", file=sys.stderr)
    return max(len(left), 1)
