"""Commands that are proposed: a name of others is one word in them, whatever is in it."""

import shlex
from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.binding.bound import Bound
from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.causes.service_account import _use
from irsa_cli.core.doctor.commands import edit, restarts
from irsa_cli.core.doctor.finding import Judgement, Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod, pod
from irsa_cli.core.planning.delete import unannotate
from irsa_cli.core.values.cluster import Reach
from tests.unit.current import (
    ACCOUNT,
    CLUSTER,
    Change,
    account,
    annotated,
    around,
    both,
    of_cluster,
    role,
    working,
)
from tests.unit.doctor.diagnosis_cases import CASES, FOREIGN

EVIL = "x; touch pwned $(touch pwned)"


def owned(kind: str) -> Pod:
    """A pod that an owner of a hostile name has made."""
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "apps",
            "name": "app",
            "labels": {"pod-template-hash": "abc"},
            "ownerReferences": [{"kind": kind, "name": EVIL}],
        },
        "spec": {},
    }
    return pod(body)


@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet", "Deployment", "Evil; touch pwned"])
def test_the_name_of_an_owner_is_one_word(kind: str) -> None:
    found = owned(kind)
    for command in (edit(working(), found), _use(working(), found), restarts(Reach(), [found], {})):
        words = shlex.split(command, comments=True)
        assert "touch" not in words
        assert not any(word.startswith("$(") for word in words)


OTHER_ROLE = role(arn=FOREIGN)
FOR_EVIL = {"role_arn": FOREIGN, "audience": EVIL}
DENYING = {"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
HOSTILE = {
    "provider-account": around(account=annotated(**FOR_EVIL), role=OTHER_ROLE, provider=None),
    "permissions-boundary": around(
        role=role(boundary=f"arn:aws:iam::{ACCOUNT}:policy/{EVIL}", boundary_policy=DENYING)
    ),
    "pod-identity-trust": around(
        account=annotated(), association=Association("a-1", FOREIGN), association_role=None
    ),
    "service-account-namespace": both(
        around(account=None), of_cluster(accounts=(account(namespace=EVIL, name="reader"),))
    ),
}


@pytest.mark.parametrize("cause", HOSTILE)
def test_what_others_have_written_is_one_word(cause: str) -> None:
    check(CAUSES[cause].judge(HOSTILE[cause](working())))


@pytest.mark.parametrize(("cause", "change"), CASES)
def test_whatever_the_names_are_they_are_words(cause: str, change: Change) -> None:
    """Names of the cluster, of namespaces and of ServiceAccounts, wherever commands have them."""
    facts = change(working())
    subject = replace(facts.named, namespace=EVIL, name=f"{EVIL}2")
    pods = facts.named.pods
    if isinstance(pods, tuple):
        mine = {facts.named.name: subject.name}
        renamed = (
            replace(item, namespace=EVIL, service_account=mine.get(item.service_account, EVIL))
            for item in pods
        )
        subject = replace(subject, pods=tuple(renamed))
    cluster = replace(facts.cluster, name=EVIL, region=EVIL, issuer=f"https://{EVIL}")
    for hostile in (replace(facts, subject=subject), replace(facts, cluster=cluster)):
        judged = CAUSES[cause].judge(hostile)
        if judged.verdict is Verdict.PROBLEM:
            check(judged)


def check(judged: Judgement) -> None:
    """Whether a fix, pasted into a shell, runs nothing but what it says."""
    assert judged.verdict is Verdict.PROBLEM
    for line in judged.fix.splitlines():
        words = shlex.split(line, comments=True)
        assert "touch" not in words, line
        assert all(word in ("aws", "irsa", "kubectl", "curl") for word in words[:1]), line


def test_a_command_that_takes_the_role_off_names_words() -> None:
    """See `irsa_cli.core.planning.delete`."""
    words = shlex.split(unannotate(Bound(CLUSTER, EVIL, EVIL)))
    assert "touch" not in words


@pytest.mark.parametrize(("cause", "change"), CASES)
def test_no_fix_that_is_pasted_as_a_whole_undoes_what_it_does(cause: str, change: Change) -> None:
    """What ends a contradiction the other way, or gives a binding up, is a comment."""
    commands = [
        shlex.split(line, comments=True) for line in CAUSES[cause].judge(change(working())).fix.splitlines()
    ]
    done = {" ".join(words[:2]) for words in commands if words}
    assert "irsa delete-sa" not in done
    assert "aws iam delete-role" not in done
