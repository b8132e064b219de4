"""Two runs at once: the second waits for the first, and goes by what that one has left."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from irsa_cli.sandbox import Fault
from tests.support.rows import arguments_of
from tests.support.short_files import write
from tests.support.stage import READ_ONLY, ROLE_ARN, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
CREATE = "create-sa app -n $ns --attach-policy-arn"
EC2 = """{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"""


@pytest.fixture(autouse=True)
def associated(stage: Stage, unique: str) -> None:
    stage.words["ns"] = unique
    stage.run("associate-oidc")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


Beside = Callable[..., Future[Ran]]


def elsewhere(stage: Stage, line: str) -> Ran:
    """A run on another machine: it has no journal of ours."""
    return stage.irsa(*arguments_of(stage, line), IRSA_STATE_DIR=str(stage.folder / "elsewhere"))


@pytest.fixture
def beside(stage: Stage, threads: ThreadPoolExecutor) -> Beside:
    """Begin another run while the first one is in a call; its result is waited for behind the first's."""

    def begin(operation: str, line: str, match: str = "") -> Future[Ran]:
        found: Future[Ran] = Future()

        def follow() -> None:
            try:
                found.set_result(elsewhere(stage, line))
            except BaseException as error:
                found.set_exception(error)

        def start() -> None:
            threads.submit(follow)

        stage.sandbox.faults.add(Fault("iam", operation, "callback", match=match, run=start))
        return found

    return begin


def refuse(stage: Stage, match: str = "") -> None:
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match=match, status=403, times=1))


def test_the_second_makes_all_of_it_when_the_first_has_failed(
    stage: Stage, namespace: str, beside: Beside
) -> None:
    second = beside("CreateRole", f"{CREATE} $S3 --verify")
    refuse(stage)
    stage.run(f"{CREATE} $S3", code=1)
    assert second.result().code == 0, second.result().err
    stage.run(f"{CREATE} $S3 --verify", changes="")


def test_both_want_the_same(stage: Stage, namespace: str, beside: Beside) -> None:
    before = stage.world()
    second = beside("CreateRole", f"{CREATE} $S3 -o json")
    stage.run(f"{CREATE} $S3")
    assert second.result().metadata["outcome"] == "unchanged", second.result().err
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    assert len(stage.world()["roles"]) == len(before["roles"]) + 1


def test_of_two_desired_states_the_first_is_reached(stage: Stage, namespace: str, beside: Beside) -> None:
    second = beside("CreateRole", f"{CREATE} $SQS --label a=b")
    stage.run(f"{CREATE} $S3")
    assert second.result().code == 4, second.result().err
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize("flags", ["", "--associate-oidc"])
def test_what_two_bindings_share_is_there_for_the_second(
    stage: Stage, unique: str, flags: str, beside: Beside
) -> None:
    """The first one makes the namespace (and the provider), and fails when the second has seen them."""
    if flags:
        (arn,) = stage.aws_world()["oidc_providers"]
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    two = f"create-sa two -n $ns --attach-policy-arn $S3 {flags}"
    second = beside("AttachRolePolicy", two, READ_ONLY[-20:])
    refuse(stage, SQS[-20:])
    stage.run(f"create-sa one -n $ns --attach-policy-arn $S3,$SQS {flags}", code=1)
    assert stage.account(unique, "one") is None
    if second.result().code != 0:  # A real namespace is being deleted for a while, and takes nothing then.
        assert "the namespace is being deleted" in second.result().err
        assert "Nothing was changed (exit 1)" in second.result().err
        return
    stage.run(f"{two} --verify", changes="")


def test_two_service_accounts_join_one_shared_role_at_once(
    stage: Stage, namespace: str, unique: str, beside: Beside
) -> None:
    stage.iam().create_role(RoleName=unique, AssumeRolePolicyDocument=EC2)
    line = "-n $ns --attach-role-arn arn:aws:iam::$account:role/$ns --update-trust"
    second = beside("UpdateAssumeRolePolicy", f"create-sa two {line}")
    stage.run(f"create-sa one {line}")
    assert second.result().code == 0, second.result().err
    trust = json.dumps(stage.aws_world()["roles"][unique]["trust"])
    wanted = ("ec2.amazonaws.com", f"serviceaccount:{namespace}:one", f"serviceaccount:{namespace}:two")
    assert [text in trust for text in wanted] == [True] * 3


def test_a_run_that_was_interrupted_behind_an_early_annotation_is_gone_on_with(
    stage: Stage, namespace: str
) -> None:
    """The ServiceAccount bore the role's ARN before the role was there, and so tells nothing."""
    arn = stage.run(f"{CREATE} $S3 --dry-run -o json").item["role"]["arn"]
    stage.make_account(namespace, "app", annotations={ROLE_ARN: arn})
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    stage.run(f"{CREATE} $S3", code=-9)
    stage.sandbox.settle(hurry=True)
    assert elsewhere(stage, f"{CREATE} $S3").code == 0
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


def test_two_that_apply_many_in_opposite_orders_wait_for_each_other_and_never_in_a_circle(
    stage: Stage, namespace: str, threads: ThreadPoolExecutor
) -> None:
    """Each takes the locks of what comes next ahead: the other one's, sooner or later."""
    fields = "attachPolicyARNs: [$S3]"
    entries = [f"  - {{metadata: {{name: app-{n}, namespace: $ns}}, {fields}}}" for n in range(24)]
    runs: list[Future[Ran]] = []
    for name, lines in (("first", entries), ("second", entries[::-1])):
        head = ["apiVersion: irsa/v1", "kind: Bindings", "serviceAccounts:"]
        write(stage, name, "\n".join([*head, *lines]))
        words = ["apply", "-f", name, "-c", stage.cluster, "--parallel", "3", "-o", "json"]
        runs.append(threads.submit(stage.irsa, *words, IRSA_STATE_DIR=f"state-{name}"))
    assert [run.result().code for run in runs] == [0, 0], [run.result().err for run in runs]
    assert len(stage.run("get-sa -n $ns -o json").items) == 24
    assert not [lease for lease in stage.leases() if f"{namespace}/app-" in json.dumps(lease)]
