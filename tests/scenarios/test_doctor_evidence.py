"""No all-clear without evidence: what doctor, verify, get-sa and describe-sa say of what they did not see."""

from __future__ import annotations

import re

import pytest

from irsa_cli.sandbox import Rule
from tests.scenarios.alone import stage_alone as stage_alone
from tests.scenarios.breaking import NAME, Binding, Break
from tests.scenarios.breaks import BREAKS, IN_FRONT, anew, annotated, each, values
from tests.scenarios.curing import cure
from tests.scenarios.doctoring import FOREIGN, Case, cases, diagnose, examine, move_role_to, provide
from tests.scenarios.uncreating import add_pod, no_account, no_pod
from tests.support.documents import policy
from tests.support.stage import ROLE_ARN, made

CALLS = 21
"""To AWS and to Kubernetes, for one ServiceAccount in which nothing is wrong."""
DOCTOR = f"doctor {NAME} -n $ns"
RENAMED = f"{NAME}-sa"


def phase(name: str) -> Break:
    """Say how far the pod is."""
    return lambda binding: binding.say_phase(name)


def other_pod(account: str, *, elsewhere: bool = False) -> Break:
    """A ServiceAccount with a running pod, here or in another namespace; the binding's own pod is gone."""

    def make(binding: Binding) -> None:
        no_pod(binding)
        namespace = f"{binding.namespace}-2" if elsewhere else binding.namespace
        if elsewhere:
            binding.stage.make_namespace(namespace)
        binding.stage.make_account(namespace, account)
        add_pod(binding, "web-0", account, namespace)

    return make


def idle(binding: Binding) -> None:
    """A ServiceAccount with an empty annotation, of which nothing tells of a role."""
    binding.stage.make_account(binding.namespace, "idle", annotations={ROLE_ARN: ""})


@cases(
    Case("a pod that waits", phase("Pending"), code=1, untold="pod-unseen"),
    Case("a pod that has ended", phase("Succeeded"), code=1, untold="pod-unseen"),
    Case(
        "the same in text",
        phase("Pending"),
        line=DOCTOR,
        code=1,
        says="whether pods get the role was not seen (exit 1)",
        silent="No problem was found.",
    ),
    Case(
        "among many the one without a pod",
        no_pod,
        line="doctor",
        code=1,
        says=(f"? $ns/{NAME}", f"no pod uses ServiceAccount $ns/{NAME}"),
    ),
    Case(
        "the namesake in another namespace",
        other_pod(NAME, elsewhere=True),
        "pod-service-account",
        fix="-n $ns-2",
    ),
    Case(
        "what waits for a cause is one line",
        anew("$role-gone"),
        line=DOCTOR,
        code=5,
        says="checks not possible until that is fixed (-v shows them)",
    ),
    Case("an empty annotation that nobody uses", idle, line="doctor"),
    Case(
        "an empty annotation that something tells of",
        each(idle, anew("")),
        line="doctor",
        code=5,
        says="annotation-arn",
        silent="idle",
    ),
    Case(
        "what does not follow is told beside the cause",
        each(values(IN_FRONT), no_pod),
        line=DOCTOR,
        code=5,
        says=("✗ trust-subject: ", "? unknown: no pod uses ServiceAccount"),
    ),
)
def test_what_is_said_of_what_was_not_seen(case: Case, binding: Binding) -> None:
    case.play(binding)


def test_whether_pods_under_a_near_name_are_let_in_is_asked(binding: Binding) -> None:
    near = "doctor-raeder"
    other_pod(near)(binding)
    diagnosis = diagnose(binding)
    assert diagnosis.problems == ["pod-service-account"]
    before = binding.stage.world()
    cure(binding, diagnosis.fix)
    assert binding.stage.world() == before
    let_in(binding, diagnosis.fix, near)


def let_in(binding: Binding, fix: str, name: str) -> None:
    """Answer the question whether another name is let in: then its pods are, when they are made anew."""
    (command,) = [line for line in fix.splitlines() if "--update-trust" in line]
    assert command.startswith("# irsa")
    cure(binding, command.removeprefix("# "))
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/pods/web-0", {"gracePeriodSeconds": 0})
    add_pod(binding, "web-0", name)
    assert examine(binding.stage, name, "-n", binding.namespace).code == 0


def test_the_role_of_a_name_that_is_gone(binding: Binding) -> None:
    each(other_pod(RENAMED), no_account)(binding)
    assert examine(binding.stage).accounts == {RENAMED: ["service-account-renamed"]}
    diagnosis = examine(binding.stage, RENAMED, "-n", binding.namespace)
    assert diagnosis.problems == ["service-account-renamed"]
    let_in(binding, diagnosis.fix, RENAMED)


def test_a_lost_annotation_is_found_without_a_name(binding: Binding) -> None:
    binding.annotate(None)  # Its pod has what it was given.
    for arguments in ([], ["-n", binding.namespace]):
        assert examine(binding.stage, *arguments).accounts == {NAME: ["annotation-removed"]}
    binding.new_pod()  # Only the role tells it now.
    assert examine(binding.stage).accounts == {NAME: ["annotation-missing"]}


def test_one_that_nobody_uses_is_not_asked_to_have_a_role(binding: Binding) -> None:
    each(annotated(None), other_pod("plain"))(binding)
    diagnosis = examine(binding.stage)
    assert (diagnosis.accounts, diagnosis.code) == ({}, 0)


def follow(binding: Binding, line: str, text: str, code: int = 0) -> str:
    """Run a command, and the one that it proposes behind a text in its last line; returns that."""
    last = binding.stage.run(line, code=code, changes="").out.splitlines()[-1]
    proposed = last.partition(f"{text}: irsa ")[2]
    binding.stage.run(proposed)
    return proposed


def test_what_a_command_proposes_to_look_at_more_can_be_run(binding: Binding) -> None:
    for line in (f"verify {NAME} -n $ns", "verify -A", "verify --all -n $ns"):
        follow(binding, line, "were not checked")
    binding.stage.run(
        f"verify {NAME} -n $ns",
        says=binding.text(f"Verified: a token of $ns/{NAME} is exchanged for $role"),
    )
    binding.say_phase("Succeeded")
    follow(binding, DOCTOR, "To see more", 1)


def test_associations_that_can_not_be_read_are_said_to_be(binding: Binding) -> None:
    may = policy("Allow eks:DescribeCluster,sts:*,iam:Get*,iam:List* on *")
    binding.stage.sandbox.add_user("iam-only", policy=may)
    binding.stage._grant("iam-only", [Rule(("get", "list"), ("serviceaccounts",))])
    for line in ("get-sa", f"describe-sa {NAME} -n $ns"):
        ran = binding.stage.run(f"{line} -o json", code=1, user="iam-only")
        assert "eks:ListPodIdentityAssociations" in str(ran.metadata["notes"])


def test_a_pod_or_its_workload_is_name_enough(binding: Binding) -> None:
    stage = binding.stage
    path = f"/apis/apps/v1/namespaces/{binding.namespace}/deployments"
    template = {"spec": {"serviceAccountName": NAME, "containers": []}}
    made(stage.kube.create(path, {"metadata": {"name": "web"}, "spec": {"template": template}}))
    for what in (f"pod/{NAME}-0", "deploy/web", "deployment/web", f"sa/{NAME}"):
        ran = stage.run(f"doctor {what} -n $ns -o json")
        assert ran.items[0]["serviceAccount"]["name"] == NAME
    stage.run("doctor pod/gone -n $ns", code=4)
    stage.run("doctor ingress/web -n $ns", code=2, says="pod/NAME")


@pytest.mark.parametrize(
    ("broken", "follows"),
    [
        ("issuer_that_refuses_everybody", "returns HTTP 403"),
        ("annotation_with_a_wrong_digit", "irsa can't read account"),
        ("pod_started_before_the_annotation", "none of its running pods has an AWS identity"),
        ("pod_of_another_service_account", "no pod uses ServiceAccount"),
    ],
)
def test_what_follows_from_a_cause_is_folded_into_it(broken: str, follows: str, binding: Binding) -> None:
    cause, make = BREAKS[broken]
    make(binding)
    said = (f"✗ {cause}: ", "until that is fixed (-v shows them)")
    ran = binding.stage.run(DOCTOR, code=5, says=said, silent="Note: ")
    assert not [line for line in ran.out.splitlines() if "unknown: " in line and follows in line]
    binding.stage.run(f"{DOCTOR} -v", code=5, says=follows)


@pytest.mark.parametrize(
    ("where", "verify", "noted"),
    [
        (f"{NAME} -n $ns", f"{NAME} -n $ns", ""),
        ("-n $ns", "--all -n $ns", f"irsa did not read account {FOREIGN} (roles of $ns/{NAME})"),
        ("", "-A", f"irsa did not read account {FOREIGN} (roles of $ns/{NAME})"),
    ],
)
def test_another_account_is_proposed_to_be_read_or_tried(
    where: str, verify: str, noted: str, binding: Binding
) -> None:
    stage, reader = binding.stage, move_role_to(binding)
    provide(binding)
    ran = stage.run(f"doctor {where}", code=1, says="--iam-assume-role")
    (note,) = [line for line in ran.out.splitlines() if line.startswith("Note: ")]
    assert binding.text(noted) in note
    proposed = re.split(r"test the token exchanges?: irsa ", note)[-1]
    assert proposed == binding.text(f"verify {verify} -c demo")
    stage.run(proposed)
    stage.run(f"doctor {where} --iam-assume-role {reader}", silent=("--iam-assume-role", "Note: "))
    if not noted:
        assert f"--iam-assume-role {reader}" in follow(
            binding, f"verify {where} --iam-assume-role {reader}", "were not checked"
        )


def test_a_reader_that_may_not_read_is_not_proposed_again(binding: Binding) -> None:
    reader = move_role_to(binding)
    binding.aws("iam", FOREIGN).detach_role_policy(
        RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    said = "missing permission: iam:GetRole"
    binding.stage.run(f"{DOCTOR} --iam-assume-role {reader}", code=1, says=said, silent="Note: ")


def test_of_many_each_line_names_its_account_and_the_first_fix_is_whole(binding: Binding) -> None:
    anew("$role\n")(binding)
    ran = binding.stage.run("doctor -n $ns", code=5, says=f"    $ns/{NAME}: annotation-whitespace: ")
    first = ran.out.partition(binding.text(f"Begin with $ns/{NAME}: "))[2]
    cure(binding, first.partition("to fix")[2].splitlines()[0])
    binding.new_pod()
    binding.stage.run("doctor -n $ns")


def test_what_one_account_costs(binding: Binding) -> None:
    binding.stage.sandbox.calls.clear()
    diagnose(binding)
    made_calls = [call.operation for call in binding.stage.sandbox.calls]
    assert len(made_calls) <= CALLS, sorted(made_calls)
    assert made_calls.count("DescribeCluster") == 1
