"""Two runs at once: the second waits for the first, and goes by what that one has left."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from irsa_cli.sandbox import Fault
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
POLICY = ("--attach-policy-arn", READ_ONLY)


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


Beside = Callable[..., Future[Ran]]


@pytest.fixture
def beside(stage: Stage, threads: ThreadPoolExecutor) -> Beside:
    """Begin another run while the first one is in a call; its result is waited for behind the first's."""

    def begin(service: str, operation: str, run: Callable[[], Ran], match: str = "") -> Future[Ran]:
        found: Future[Ran] = Future()

        def follow() -> None:
            try:
                found.set_result(run())
            except BaseException as error:
                found.set_exception(error)

        def start() -> None:
            threads.submit(follow)

        stage.sandbox.faults.add(Fault(service, operation, "callback", match=match, run=start))
        return found

    return begin


def other(stage: Stage, name: str, namespace: str, *arguments: str) -> Ran:
    """A run on another machine: it has no journal of ours."""
    state = str(stage.folder / f"state-{name}-elsewhere")
    return stage.create_sa(name, namespace, *arguments, IRSA_STATE_DIR=state)


@pytest.mark.parametrize("flags", [(), ("--verify",)])
def test_the_second_makes_all_of_it_when_the_first_has_failed(
    stage: Stage, namespace: str, flags: tuple[str, ...], beside: Beside
) -> None:
    second = beside("iam", "CreateRole", lambda: other(stage, "app", namespace, *POLICY, *flags))
    refused = Fault("iam", "AttachRolePolicy", "error", status=403, times=1)
    stage.sandbox.faults.add(refused)
    first = stage.create_sa("app", namespace, *POLICY)
    assert (first.code, second.result().code) == (1, 0), first.err + second.result().err
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    assert stage.create_sa("app", namespace, *POLICY, "--verify").code == 0


def test_both_want_the_same(stage: Stage, namespace: str, beside: Beside) -> None:
    before = stage.world()
    second = beside("iam", "CreateRole", lambda: other(stage, "app", namespace, *POLICY, "-o", "json"))
    first = stage.create_sa("app", namespace, *POLICY)
    assert [first.code, second.result().code] == [0, 0], first.err + second.result().err
    assert second.result().metadata["outcome"] == "unchanged"
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    assert len(stage.world()["roles"]) == len(before["roles"]) + 1


@pytest.mark.parametrize("at", ["CreateRole", "AttachRolePolicy"])
def test_of_two_desired_states_the_first_is_reached(
    stage: Stage, namespace: str, at: str, beside: Beside
) -> None:
    wants = ("--attach-policy-arn", SQS, "--label", "a=b")
    second = beside("iam", at, lambda: other(stage, "app", namespace, *wants))
    first = stage.create_sa("app", namespace, *POLICY)
    assert [first.code, second.result().code] == [0, 4], first.err + second.result().err
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize("flags", [(), ("--associate-oidc",)])
def test_what_two_bindings_share_is_there_for_the_second(
    stage: Stage, unique: str, flags: tuple[str, ...], beside: Beside
) -> None:
    """The first one makes the namespace (and the provider), and fails when the second has seen them."""
    if flags:
        (arn,) = stage.aws_world()["oidc_providers"]
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    wanted = (*POLICY, *flags)
    second = beside("iam", "AttachRolePolicy", lambda: other(stage, "two", unique, *wanted), READ_ONLY[-20:])
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match=SQS[-20:], times=1))
    first = stage.create_sa("one", unique, "--attach-policy-arn", f"{READ_ONLY},{SQS}", *flags)
    assert first.code != 0, first.err
    assert stage.account(unique, "one") is None
    if second.result().code != 0:  # A real namespace is being deleted for a while, and takes nothing then.
        assert "the namespace is being deleted" in second.result().err
        assert "Nothing was changed (exit 1)" in second.result().err
        return
    assert stage.create_sa("two", unique, *POLICY, "--verify").code == 0
    assert stage.role_of(unique, "two")["attached"] == [READ_ONLY]


def test_two_service_accounts_join_one_shared_role_at_once(
    stage: Stage, namespace: str, unique: str, beside: Beside
) -> None:
    theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [theirs]}
    stage.iam().create_role(RoleName=unique, AssumeRolePolicyDocument=json.dumps(document))
    shared = ("--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/{unique}", "--update-trust")
    second = beside("iam", "UpdateAssumeRolePolicy", lambda: other(stage, "two", namespace, *shared))
    first = stage.create_sa("one", namespace, *shared)
    assert [first.code, second.result().code] == [0, 0], first.err + second.result().err
    trust = json.dumps(stage.aws_world()["roles"][unique]["trust"])
    assert "ec2.amazonaws.com" in trust
    assert all(f"serviceaccount:{namespace}:{name}" in trust for name in ("one", "two"))


def test_a_run_that_was_interrupted_behind_an_early_annotation_is_gone_on_with(
    stage: Stage, namespace: str
) -> None:
    """The ServiceAccount bore the role's ARN before the role was there, and so tells nothing."""
    planned = stage.create_sa("app", namespace, *POLICY, "--dry-run", "-o", "json").item
    stage.make_account(namespace, "app", annotations={ROLE_ARN: planned["role"]["arn"]})
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert stage.create_sa("app", namespace, *POLICY).code < 0
    stage.sandbox.settle(hurry=True)
    assert other(stage, "app", namespace, *POLICY).code == 0
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


def test_two_that_apply_many_in_opposite_orders_wait_for_each_other_and_never_in_a_circle(
    stage: Stage, namespace: str, threads: ThreadPoolExecutor
) -> None:
    """Each takes the locks of what comes next ahead: the other one's, sooner or later."""
    entries = [
        {"metadata": {"name": f"app-{number}", "namespace": namespace}, "attachPolicyARNs": [READ_ONLY]}
        for number in range(24)
    ]
    document = {"apiVersion": "irsa/v1", "kind": "Bindings"}
    runs: list[Future[Ran]] = []
    for name, items in (("first", entries), ("second", entries[::-1])):
        path = stage.folder / f"{name}.json"
        path.write_text(json.dumps({**document, "serviceAccounts": items}))
        state = str(stage.folder / f"state-{name}")
        arguments = ("apply", "-f", str(path), "-c", stage.cluster, "--parallel", "3", "-o", "json")
        runs.append(threads.submit(stage.irsa, *arguments, IRSA_STATE_DIR=state))
    assert [run.result().code for run in runs] == [0, 0], [run.result().err for run in runs]
    found = json.loads(stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster, "-o", "json").out)
    assert len(found["items"]) == len(entries)
    assert not [lease for lease in stage.leases() if f"{namespace}/app-" in json.dumps(lease)]
