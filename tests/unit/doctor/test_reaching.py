"""Commands that are proposed reach what was looked at: they have the options of the command that was run."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from itertools import pairwise

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.values.cluster import PLAIN, Reach
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Target
from tests.unit.current import working
from tests.unit.doctor.diagnosis_cases import CASES

REACH = reach_of(Target("demo", region="eu-west-1", profile="ops", kubeconfig="/a b", context="prod"))
BEGINS = re.compile(r"(?:# |.*: )?((?:kubectl|aws|irsa) .*)")
"""A command, or one in a comment that is to be pasted instead."""


def test_each_command_of_a_fix_reaches_the_same_cluster() -> None:
    for cause, change in CASES:
        for line in CAUSES[cause].judge(replace(change(working()), reach=REACH)).fix.splitlines():
            found = BEGINS.fullmatch(line)
            assert found is None or reaches(found[1]), line


def reaches(command: str) -> bool:
    """Whether a command has all that it needs; where it is to be run in another account, that is said."""
    words = shlex.split(command, comments=True)
    given = set(pairwise(words))
    kube = {("--kubeconfig", "/a b"), ("--context", "prod")}
    if words[0] == "kubectl":
        return kube <= given
    if words[0] == "irsa":
        return kube | {("-c", "demo"), ("-r", "eu-west-1"), ("-p", "ops")} <= given
    regional = words[1] not in ("eks", "ec2") or ("--region", "eu-west-1") in given
    return regional and (("--profile", "ops") in given or " # in account " in command)


def test_what_the_user_did_not_give_is_not_given() -> None:
    assert reach_of(Target("demo")) == Reach("-c demo")
    assert PLAIN.kubectl("get pods", "back") == "kubectl -n back get pods"
    assert PLAIN.aws("iam get-role") == "aws iam get-role"


def test_a_role_that_was_assumed_is_said() -> None:
    reach = reach_of(Target("demo", assume_role="arn:aws:iam::111122223333:role/ops"))
    assert reach.aws("iam get-role").endswith("# as arn:aws:iam::111122223333:role/ops")
