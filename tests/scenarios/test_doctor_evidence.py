"""No all-clear without evidence: what doctor, verify, get-sa and describe-sa say of what they did not see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from irsa_cli.sandbox import Rule, Sandbox
from tests.scenarios.breaking import NAME, STS, Binding
from tests.scenarios.breaks import BREAKS, associate
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.curing import cure
from tests.scenarios.doctoring import doctor, of, problems, run_doctor, untold
from tests.scenarios.test_doctor_cures import fix_of
from tests.scenarios.test_doctor_limits import FOREIGN, move_role_to
from tests.support.stage import ROLE_ARN, Json, Stage, made

CALLS = 21
"""To AWS and to Kubernetes, for one ServiceAccount in which nothing is wrong."""


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's API is enough: pods are what others write of them."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def pod_path(binding: Binding, name: str = f"{NAME}-0", namespace: str = "") -> str:
    return f"/api/v1/namespaces/{namespace or binding.namespace}/pods/{name}"


def add_pod(binding: Binding, name: str, account: str, namespace: str = "") -> None:
    spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]}
    path = f"/api/v1/namespaces/{namespace or binding.namespace}/pods"
    made(binding.stage.kube.create(path, {"metadata": {"name": name}, "spec": spec}))
    status = {"status": {"phase": "Running"}}
    assert binding.stage.kube.patch(f"{pod_path(binding, name, namespace)}/status", status).status == 200


def test_nothing_is_called_right_without_a_running_pod(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {}
    for phase in ("Running", "Pending", "Succeeded"):
        binding.say_phase(phase)
        document = doctor(binding, capsys, *of(binding))
        assert problems(document) == []
        said[phase] = document["metadata"]["exitCode"], "pod-unseen" in untold(document)
    assert said == {"Running": (0, False), "Pending": (1, True), "Succeeded": (1, True)}
    ran = binding.stage.irsa("doctor", *of(binding), "-c", "demo")
    last = ran.out.splitlines()[-1]
    assert "No problem was found." not in ran.out
    assert "whether pods get the role was not seen (exit 1)" in last
    command = last.partition("To see more: irsa ")[2]
    assert binding.stage.irsa(*command.split()).code == 0


def test_among_many_the_one_without_a_pod_is_not_called_right(binding: Binding) -> None:
    binding.stage.kube.delete(pod_path(binding), {"gracePeriodSeconds": 0})
    ran = binding.stage.irsa("doctor", "-c", "demo")
    assert ran.code == 1
    assert f"? {binding.namespace}/{NAME}" in ran.out
    assert f"no pod uses ServiceAccount {binding.namespace}/{NAME}" in ran.out


@pytest.mark.parametrize("near", [f"{NAME}-sa", "doctor-raeder"])
def test_whether_pods_under_a_near_name_are_let_in_is_asked(
    near: str, binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.stage.kube.delete(pod_path(binding), {"gracePeriodSeconds": 0})
    binding.stage.make_account(binding.namespace, near)
    add_pod(binding, "web-0", near)
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == ["pod-service-account"]
    before = binding.stage.world()
    cure(binding, fix_of(document))
    assert binding.stage.world() == before
    let_in = next(line for line in fix_of(document).splitlines() if "--update-trust" in line)
    assert let_in.startswith("# irsa")
    cure(binding, let_in.removeprefix("# "))
    binding.stage.kube.delete(pod_path(binding, "web-0"), {"gracePeriodSeconds": 0})
    add_pod(binding, "web-0", near)
    assert run_doctor(binding.stage, capsys, near, "-n", binding.namespace)["metadata"]["exitCode"] == 0


def test_the_namesake_in_another_namespace(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    binding.stage.kube.delete(pod_path(binding), {"gracePeriodSeconds": 0})
    other = f"{binding.namespace}-2"
    binding.stage.make_namespace(other)
    binding.stage.make_account(other, NAME)
    add_pod(binding, "web-0", NAME, other)
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == ["pod-service-account"]
    assert f"-n {other}" in fix_of(document)


def accounts(document: Json) -> dict[str, list[str]]:
    return {
        item["serviceAccount"]["name"]: [
            found["id"] for found in item["findings"] if found["verdict"] == "problem"
        ]
        for item in document["items"][1:]
    }


def test_a_lost_annotation_is_found_without_a_name(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.annotate(None)  # Its pod has what it was given.
    for arguments in ([], ["-n", binding.namespace]):
        assert accounts(run_doctor(binding.stage, capsys, *arguments)) == {NAME: ["annotation-removed"]}
    binding.new_pod()  # Only the role tells it now.
    assert accounts(run_doctor(binding.stage, capsys)) == {NAME: ["annotation-missing"]}


def test_one_that_nobody_uses_is_not_asked_to_have_a_role(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.annotate(None)
    binding.stage.kube.delete(pod_path(binding), {"gracePeriodSeconds": 0})
    binding.stage.make_account(binding.namespace, "plain")
    add_pod(binding, "plain-0", "plain")
    document = run_doctor(binding.stage, capsys)
    assert (accounts(document), document["metadata"]["exitCode"]) == ({}, 0)


def test_the_role_of_a_name_that_is_gone(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    path = f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}"
    binding.stage.kube.delete(pod_path(binding), {"gracePeriodSeconds": 0})
    binding.stage.kube.delete(path)
    new = f"{NAME}-sa"
    binding.stage.make_account(binding.namespace, new)
    add_pod(binding, "web-0", new)
    assert accounts(run_doctor(binding.stage, capsys)) == {new: ["service-account-renamed"]}
    document = run_doctor(binding.stage, capsys, new, "-n", binding.namespace)
    assert problems(document) == ["service-account-renamed"]
    let_in = next(line for line in fix_of(document).splitlines() if "--update-trust" in line)
    assert let_in.startswith("# irsa")
    cure(binding, let_in.removeprefix("# "))
    binding.stage.kube.delete(pod_path(binding, "web-0"), {"gracePeriodSeconds": 0})
    add_pod(binding, "web-0", new)
    assert run_doctor(binding.stage, capsys, new, "-n", binding.namespace)["metadata"]["exitCode"] == 0


def test_what_waits_for_a_cause_is_one_line(binding: Binding) -> None:
    binding.annotate(f"{binding.role_arn}-gone")
    binding.new_pod()
    few = binding.stage.irsa("doctor", *of(binding), "-c", "demo")
    everything = binding.stage.irsa("doctor", *of(binding), "-c", "demo", "-v")
    assert "checks not possible until that is fixed (-v shows them)" in few.out
    assert "there is no role" not in few.out.partition("✗ role-missing")[2].partition("\n")[2]
    assert "checks wait" not in everything.out


@pytest.fixture
def taken_over(binding: Binding) -> Binding:
    associate(binding)
    binding.new_pod()
    return binding


def test_verify_fails_where_pods_get_other_credentials(taken_over: Binding) -> None:
    ran = taken_over.stage.irsa("verify", *of(taken_over), "-c", "demo", "-o", "json")
    assert ran.code == 5
    assert [step["name"] for step in ran.item["steps"] if step["status"] == "failed"] == ["pods"]
    many = taken_over.stage.irsa("verify", "-A", "-c", "demo")
    assert many.code == 5
    assert "pods get the credentials of EKS Pod Identity" in many.out


def test_verify_says_what_it_proved_and_what_it_did_not_look_at(binding: Binding) -> None:
    ran = binding.stage.irsa("verify", *of(binding), "-c", "demo")
    last = ran.out.splitlines()[-1]
    assert f"Verified: a token of {binding.namespace}/{NAME} is exchanged for {binding.role_arn}" in last
    command = last.partition("were not checked: irsa ")[2]
    assert binding.stage.irsa(*command.split()).code == 0
    for many in (["-A"], ["--all", "-n", binding.namespace]):
        last = binding.stage.irsa("verify", *many, "-c", "demo").out.splitlines()[-1]
        assert last.startswith("Verified: a token is exchanged for the role.")
        command = last.partition("were not checked: irsa ")[2]
        assert binding.stage.irsa(*command.split()).code == 0


def test_what_verify_proposes_reads_the_other_account_too(binding: Binding) -> None:
    reader = move_role_to(binding, FOREIGN)
    provide(binding)
    ran = binding.stage.irsa("verify", *of(binding), "-c", "demo", "--iam-assume-role", reader)
    assert ran.code == 0, ran.out
    command = ran.out.splitlines()[-1].partition("were not checked: irsa ")[2]
    assert f"--iam-assume-role {reader}" in command
    assert binding.stage.irsa(*command.split()).code == 0


def test_get_sa_and_describe_sa_know_what_takes_over(taken_over: Binding) -> None:
    for arguments in (["get-sa"], ["get-sa", *of(taken_over)]):
        (item,) = taken_over.stage.irsa(*arguments, "-c", "demo", "-o", "json").items
        assert (item["status"], "EKS Pod Identity" in item["reason"]) == ("pod-identity", True)
    found = taken_over.stage.irsa("describe-sa", *of(taken_over), "-c", "demo", "-o", "json").item
    assert found["status"] == "pod-identity"


def test_associations_that_can_not_be_read_are_said_to_be(binding: Binding) -> None:
    names = ["eks:DescribeCluster", "sts:*", "iam:Get*", "iam:List*"]
    statement = {"Effect": "Allow", "Action": names, "Resource": "*"}
    binding.stage.sandbox.add_user("iam-only", policy={"Version": "2012-10-17", "Statement": statement})
    binding.stage._grant("iam-only", [Rule(("get", "list"), ("serviceaccounts",))])
    for command in (["get-sa"], ["describe-sa", *of(binding)]):
        document = binding.stage.irsa(*command, "-c", "demo", "-o", "json", user="iam-only").json
        assert "eks:ListPodIdentityAssociations" in str(document["metadata"]["notes"]), command


def test_a_namespace_with_a_role_nobody_names_stays_quiet(binding: Binding) -> None:
    binding.stage.make_account(binding.namespace, "idle", annotations={ROLE_ARN: ""})
    assert binding.stage.irsa("doctor", "-c", "demo").code == 0
    # Where something tells of a role, the empty annotation is what is wrong.
    binding.annotate("")
    binding.new_pod()
    ran = binding.stage.irsa("doctor", "-c", "demo")
    assert ran.code == 5
    assert "annotation-arn" in ran.out
    assert "idle" not in ran.out


def test_a_pod_or_its_workload_is_name_enough(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    template = {"spec": {"template": {"spec": {"serviceAccountName": NAME, "containers": []}}}}
    path = f"/apis/apps/v1/namespaces/{binding.namespace}/deployments"
    made(binding.stage.kube.create(path, {"metadata": {"name": "web"}, **template}))
    for what in (f"pod/{NAME}-0", "deploy/web", "deployment/web", f"sa/{NAME}"):
        document = run_doctor(binding.stage, capsys, what, "-n", binding.namespace)
        assert (document["items"][0]["serviceAccount"]["name"], document["metadata"]["exitCode"]) == (NAME, 0)
    assert binding.stage.irsa("doctor", "pod/gone", "-n", binding.namespace, "-c", "demo").code == 4
    wrong = binding.stage.irsa("doctor", "ingress/web", "-n", binding.namespace, "-c", "demo")
    assert (wrong.code, "pod/NAME" in wrong.err) == (2, True)


def test_the_trust_is_judged_without_the_permission_to_see_policies(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["eks:*", "sts:*", "iam:GetRole", "iam:ListRoles", "iam:GetOpenIDConnectProvider"]
    statement = {"Effect": "Allow", "Action": names, "Resource": "*"}
    binding.stage.sandbox.add_user("trusts", policy={"Version": "2012-10-17", "Statement": statement})
    binding.stage._grant("trusts", [Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces"))])
    binding.values(sub="system:serviceaccount:backend:other")
    document = doctor(binding, capsys, *of(binding), user="trusts")
    assert problems(document) == ["trust-subject"]
    assert "role-without-permissions" in untold(document)


ISSUER_REFUSES = "issuer_that_refuses_everybody"
FOLLOWING = {
    ISSUER_REFUSES: "returns HTTP 403",
    "annotation_with_a_wrong_digit": "irsa can't read account",
    "no_annotation": "none of its running pods has an AWS identity",
    "no_webhook": "none of its running pods has an AWS identity",
    "pod_started_before_the_annotation": "none of its running pods has an AWS identity",
    "pod_of_another_service_account": "no pod uses ServiceAccount",
}


@pytest.mark.parametrize("broken", FOLLOWING)
def test_what_follows_from_a_cause_is_folded_into_it(broken: str, binding: Binding) -> None:
    cause, make = BREAKS[broken]
    make(binding)
    ran = binding.stage.irsa("doctor", *of(binding), "-c", "demo")
    assert ran.code == 5
    assert f"✗ {cause}: " in ran.out
    unknown = [line for line in ran.out.splitlines() if "unknown: " in line]
    assert not any(FOLLOWING[broken] in line for line in unknown)
    assert "until that is fixed (-v shows them)" in ran.out
    assert "Note: " not in ran.out
    everything = binding.stage.irsa("doctor", *of(binding), "-c", "demo", "-v")
    assert FOLLOWING[broken] in everything.out


def test_what_does_not_follow_is_told_beside_the_cause(binding: Binding) -> None:
    binding.values(sub="system:serviceaccount:backend:other")
    binding.stage.kube.delete(pod_path(binding), {"gracePeriodSeconds": 0})
    ran = binding.stage.irsa("doctor", *of(binding), "-c", "demo")
    assert "✗ trust-subject: " in ran.out
    assert "? unknown: no pod uses ServiceAccount" in ran.out


def provide(binding: Binding) -> None:
    """Have the other account know the issuer."""
    url = f"https://{binding.prefix}"
    binding.aws("iam", FOREIGN).create_open_id_connect_provider(Url=url, ClientIDList=[STS])


def verifying(text: str) -> list[str]:
    """The words of the `irsa verify` that a note proposes, without `irsa`."""
    return re.split(r"test the token exchanges?: irsa ", text)[-1].split()


def test_another_account_is_proposed_to_be_read_or_tried(binding: Binding) -> None:
    reader = move_role_to(binding, FOREIGN)
    provide(binding)
    ran = binding.stage.irsa("doctor", *of(binding), "-c", "demo")
    assert ran.code == 1
    assert "pass --iam-assume-role with a role of that account" in ran.out
    (note,) = [line for line in ran.out.splitlines() if line.startswith("Note: ")]
    assert verifying(note) == ["verify", NAME, "-n", binding.namespace, "-c", "demo"]
    assert binding.stage.irsa(*verifying(note)).code == 0
    read = binding.stage.irsa("doctor", *of(binding), "-c", "demo", "--iam-assume-role", reader)
    assert read.code == 0
    assert "--iam-assume-role" not in read.out


@pytest.mark.parametrize("within", [True, False])
def test_another_account_is_proposed_for_many_too(within: bool, binding: Binding) -> None:
    reader = move_role_to(binding, FOREIGN)
    provide(binding)
    where = ("-n", binding.namespace) if within else ()
    ran = binding.stage.irsa("doctor", *where, "-c", "demo")
    assert ran.code == 1
    (note,) = [line for line in ran.out.splitlines() if line.startswith("Note: ")]
    assert f"irsa did not read account {FOREIGN} (roles of {binding.namespace}/{NAME})" in note
    assert verifying(note) == ["verify", *(("--all", *where) if within else ("-A",)), "-c", "demo"]
    assert binding.stage.irsa(*verifying(note)).code == 0
    read = binding.stage.irsa("doctor", *where, "-c", "demo", "--iam-assume-role", reader)
    assert (read.code, "Note: " in read.out) == (0, False)


def test_a_reader_that_may_not_read_is_not_proposed_again(binding: Binding) -> None:
    reader = move_role_to(binding, FOREIGN)
    binding.aws("iam", FOREIGN).detach_role_policy(
        RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    ran = binding.stage.irsa("doctor", *of(binding), "-c", "demo", "--iam-assume-role", reader)
    assert ran.code == 1
    assert "Note: " not in ran.out
    assert "missing permission: iam:GetRole" in ran.out


def test_of_many_each_line_names_its_account_and_the_first_fix_is_whole(binding: Binding) -> None:
    binding.annotate(f"{binding.role_arn}\n")
    binding.new_pod()
    ran = binding.stage.irsa("doctor", "-n", binding.namespace, "-c", "demo")
    full_name = f"{binding.namespace}/{NAME}"
    assert f"    {full_name}: annotation-whitespace: " in ran.out
    first = ran.out.partition(f"Begin with {full_name}: ")[2]
    cure(binding, first.partition("to fix")[2].splitlines()[0])
    binding.new_pod()
    assert binding.stage.irsa("doctor", "-n", binding.namespace, "-c", "demo").code == 0


def test_what_one_account_costs(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    binding.stage.sandbox.calls.clear()
    doctor(binding, capsys, *of(binding))
    made_calls = [call.operation for call in binding.stage.sandbox.calls]
    assert len(made_calls) <= CALLS, sorted(made_calls)
    assert made_calls.count("DescribeCluster") == 1
