"""The command line."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from irsa_cli.core.values.limits import seconds_of


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance",
        description="Run irsa in your AWS account and an existing EKS cluster, and report what happened.",
    )
    add = parser.add_argument
    add("--cluster", "-c", required=True, help="name of the EKS cluster")
    add("--region", "-r", help="AWS region of the cluster [default: as the AWS CLI finds it]")
    add("--profile", "-p", help="profile of the AWS configuration")
    add("--kubeconfig", type=lambda text: str(Path(text).resolve()), help="use this kubeconfig")
    add("--context", help="use this context of the kubeconfig")
    add("--yes", "-y", action="store_true", help="skip the confirmation prompt")
    add("--cleanup", action="store_true", help="only delete what interrupted runs left behind")
    add("--report", type=Path, help="write the report as Markdown to this file")
    add("--json", type=Path, help="write the report as JSON to this file")
    add("--limit", type=_duration, default=600.0, help="time limit, cleanup included [default: 10m]")
    add("--calls", type=int, default=6000, help="limit of calls to AWS and Kubernetes [default: 6000]")
    add("--id", type=_id, help="8 hex digits for all names [default: random]")
    add("--no-exchange", action="store_true", help="exchange no tokens at STS (for stock moto)")
    add("--steps", type=int, help="take only the first steps [default: all]")
    add("--facts", type=int, default=1000, help="ask at most this many facts [default: all]")
    add("--repeat", type=int, default=5, help="measure each delay of reads this many times [default: 5]")
    add("--settle", type=float, default=10.0, help="seconds to wait for late reads of a fact [default: 10]")
    args = parser.parse_args(arguments)
    if args.context and not args.kubeconfig:
        parser.error("--context needs --kubeconfig")
    return args


def _duration(text: str) -> float:
    seconds = seconds_of(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text} is not a duration such as 90s or 10m")
    return seconds


def _id(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{8}", text):
        raise argparse.ArgumentTypeError(f"{text} is not 8 hex digits")
    return text
