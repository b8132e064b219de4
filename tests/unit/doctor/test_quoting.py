"""Commands that are proposed: a name of others is one word in them, whatever is in it."""

import shlex
from dataclasses import replace

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.causes.service_account import _use
from irsa_cli.core.doctor.commands import edit, restarts
from irsa_cli.core.doctor.finding import Judgement, Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod, pod
from irsa_cli.core.planning.delete import unannotate
from irsa_cli.core.values.cluster import Reach
from tests.support.documents import doc, policy
from tests.unit.current import ACCOUNT, CLUSTER, account, annotated, around, both, of_cluster, role, working
from tests.unit.doctor.diagnosis_cases import CASES, FOREIGN

EVIL = "x; touch pwned $(touch pwned)"


def owned(kind: str) -> Pod:
    """A pod that an owner of a hostile name has made."""
    return pod(
        doc(
            """{"metadata": {"namespace": "apps", "name": "app", "labels": {"pod-template-hash": "abc"},
            "ownerReferences": [{"kind": "<kind>", "name": "<name>"}]}, "spec": {}}""",
            kind=kind,
            name=EVIL,
        )
    )


def test_the_name_of_an_owner_is_one_word() -> None:
    for kind in ("ReplicaSet", "StatefulSet", "Deployment", "Evil; touch pwned"):
        found = owned(kind)
        for command in (edit(working(), found), _use(working(), found), restarts(Reach(), [found], {})):
            words = shlex.split(command, comments=True)
            assert "touch" not in words, command
            assert not any(word.startswith("$(") for word in words), command


OTHER_ROLE = role(arn=FOREIGN)
FOR_EVIL = {"role_arn": FOREIGN, "audience": EVIL}
HOSTILE = {
    "provider-account": around(account=annotated(**FOR_EVIL), role=OTHER_ROLE, provider=None),
    "permissions-boundary": around(
        role=role(
            boundary=f"arn:aws:iam::{ACCOUNT}:policy/{EVIL}", boundary_policy=policy("Allow sqs:* on *")
        )
    ),
    "pod-identity-trust": around(
        account=annotated(), association=Association("a-1", FOREIGN), association_role=None
    ),
    "service-account-namespace": both(
        around(account=None), of_cluster(accounts=(account(namespace=EVIL, name="reader"),))
    ),
}


def test_what_others_have_written_is_one_word() -> None:
    for cause, change in HOSTILE.items():
        check(CAUSES[cause].judge(change(working())))


def test_whatever_the_names_are_they_are_words() -> None:
    """Names of the cluster, of namespaces and of ServiceAccounts, wherever commands have them."""
    for cause, change in CASES:
        facts = change(working())
        subject = replace(facts.named, namespace=EVIL, name=f"{EVIL}2")
        if isinstance(subject.pods, tuple):
            mine = {facts.named.name: subject.name}
            renamed = (
                replace(item, namespace=EVIL, service_account=mine.get(item.service_account, EVIL))
                for item in subject.pods
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
    words = shlex.split(unannotate(Binding(CLUSTER, EVIL, EVIL)))
    assert "touch" not in words


def test_no_fix_that_is_pasted_as_a_whole_undoes_what_it_does() -> None:
    """What ends a contradiction the other way, or gives a binding up, is a comment."""
    for cause, change in CASES:
        fix = CAUSES[cause].judge(change(working())).fix
        done = {" ".join(shlex.split(line, comments=True)[:2]) for line in fix.splitlines()}
        assert not done & {"irsa delete-sa", "aws iam delete-role"}, fix
