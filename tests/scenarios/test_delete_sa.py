"""`irsa delete-sa`: what irsa made goes, the rest stays, a failure anywhere takes everything back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support import forks
from tests.support.stage import ACCOUNT, NO_LOCK, READ_ONLY, ROLE_ARN, Json, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
OTHERS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
WISH = (
    *("--attach-policy-arn", f"{READ_ONLY},{SQS}", "--inline-policy", "inline.json"),
    *("--description", "reads", "--max-session-duration", "7200", "--permissions-boundary", SQS),
    *("--tags", "team=a", "--label", "x=y", "--annotation", "n=m", "--token-expiration", "900"),
)


UNIQUE = "as a principal keep its unique id"


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    (stage.folder / "inline.json").write_text(json.dumps(document))


def delete(stage: Stage, namespace: str, *arguments: str, name: str = "app", **env: str) -> Ran:
    return stage.irsa("delete-sa", name, "-n", namespace, "-c", stage.cluster, *arguments, **env)


def create(stage: Stage, namespace: str, *arguments: str) -> None:
    ran = stage.create_sa("app", namespace, *arguments)
    assert ran.code == 0, ran.err


def without_account(world: Json, namespace: str) -> Json:
    accounts = dict(world["kubernetes"]["serviceaccounts"])
    del accounts[f"{namespace}/app"]
    return {**world, "kubernetes": {**world["kubernetes"], "serviceaccounts": accounts}}


def run_pod(stage: Stage, namespace: str, account: str = "app") -> None:
    spec = {"serviceAccountName": account, "containers": [{"name": "c", "image": "i"}]}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", "controller": True}
    metadata = {"name": "web-0", "ownerReferences": [owner]}
    answer = stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": metadata, "spec": spec})
    assert answer.status == 201, answer.text


def test_what_irsa_made_is_gone(stage: Stage, namespace: str) -> None:
    before = stage.world()
    create(stage, namespace, *WISH)
    made = stage.world()
    planned = delete(stage, namespace, "--dry-run", "--detailed-exitcode", "-o", "json")
    assert (planned.code, planned.metadata["outcome"]) == (6, "planned")
    assert planned.item["changes"][-1]["kind"] == "ServiceAccount"
    assert UNIQUE in str(planned.item["notes"])
    assert stage.world() == made
    ran = delete(stage, namespace, "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "committed"), ran.err
    assert ran.item["serviceAccount"] == {"namespace": namespace, "name": "app", "deleted": True}
    assert ran.item["role"]["deleted"] is True
    assert stage.world() == before
    again = delete(stage, namespace)
    assert again.code == 4
    assert delete(stage, namespace, "--ignore-not-found").code == 0
    assert stage.irsa("recover").out.startswith("No unfinished")


FAILURES = [
    ("iam", "TagRole", 0),
    ("iam", "TagRole", 1),
    ("iam", "DetachRolePolicy", 1),
    ("iam", "DeleteRolePolicy", 0),
    ("iam", "DeleteRole", 0),
]


@pytest.mark.parametrize(("service", "operation", "skip"), FAILURES)
def test_a_step_that_fails_takes_everything_back(
    stage: Stage, namespace: str, service: str, operation: str, skip: int
) -> None:
    create(stage, namespace, *WISH)
    before = stage.world()
    stage.sandbox.faults.add(Fault(service, operation, "error", skip=skip, times=1))
    ran = delete(stage, namespace)
    assert ran.code == 1, ran.err
    assert stage.world() == before
    assert UNIQUE not in ran.err
    assert stage.create_sa("app", namespace, *WISH, "-o", "json").metadata["outcome"] == "unchanged"


def test_a_service_account_that_may_not_go_is_found_before_anything_is_written(
    stage: Stage, namespace: str
) -> None:
    create(stage, namespace, *WISH)
    before = stage.world()
    user = stage.restricted((("get", "patch", "list"), ("serviceaccounts",)), (("list",), ("pods",)))
    calls = len(stage.sandbox.calls)
    ran = stage.irsa("delete-sa", "app", "-n", namespace, "-c", stage.cluster, user=user)
    assert ran.code == 1
    assert "delete serviceaccounts" in ran.err
    assert not [call for call in stage.sandbox.calls[calls:] if call.operation == "TagRole"]
    assert stage.world() == before


def test_a_role_that_a_rollback_creates_again_is_another_principal(sandbox: Sandbox, tmp_path: Path) -> None:
    # On a real API server the calls of a deletion are not always the same in number.
    stage, namespace = sandbox_stage(sandbox, "demo", tmp_path), "default"
    assert stage.associate().code == 0
    create(stage, namespace, *WISH)
    fault = Fault("kubernetes", "DELETE serviceaccounts", "error", match=namespace, skip=2, status=403)
    stage.sandbox.faults.add(fault)
    name = stage.role_of(namespace, "app")["arn"].rsplit("/", 1)[-1]
    before, ids = stage.world(), [stage.iam().get_role(RoleName=name)["Role"]["RoleId"]]
    ran = delete(stage, namespace)
    ids.append(stage.iam().get_role(RoleName=name)["Role"]["RoleId"])
    assert (ran.code, stage.world() == before) == (1, True), ran.err
    assert ids[0] != ids[1]
    assert UNIQUE in ran.err


LOST = ["TagRole", "DetachRolePolicy", "DeleteRolePolicy", "DeleteRole"]


@pytest.mark.parametrize("operation", LOST)
def test_answers_that_are_all_lost_are_settled_by_reading(
    stage: Stage, namespace: str, operation: str
) -> None:
    before = stage.world()
    create(stage, namespace, *WISH)
    stage.sandbox.faults.add(Fault("iam", operation, "reset-after", times=None))
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert stage.world() == before


def test_a_service_account_that_irsa_only_annotated_stays(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", labels={"of": "them"}, annotations={"a": "b"}, secrets=("s",))
    before = stage.world()
    create(stage, namespace, "--attach-policy-arn", READ_ONLY, "--token-expiration", "900")
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert "it is kept" in ran.err
    assert stage.world() == before
    assert delete(stage, namespace).code == 4


def shared(stage: Stage, name: str, *statements: Json) -> str:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    stage.iam().create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_a_role_that_it_only_used_loses_its_statement(stage: Stage, namespace: str, unique: str) -> None:
    arn = shared(stage, f"{unique}-r", OTHERS)
    before = stage.world()
    create(stage, namespace, "--attach-role-arn", arn, "--update-trust")
    made = stage.world()
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "error", times=1))
    assert delete(stage, namespace).code == 1
    assert stage.world() == made
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert stage.world() == before


def test_of_several_that_share_a_statement_one_goes(stage: Stage, namespace: str, unique: str) -> None:
    arn = shared(stage, f"{unique}-r", OTHERS)
    create(stage, namespace, "--attach-role-arn", arn, "--update-trust")
    before = stage.world()
    joined = stage.irsa(
        *("create-sa", "guest", "-n", namespace, "-c", stage.cluster),
        *("--attach-role-arn", arn, "--update-trust"),
    )
    assert joined.code == 0, joined.err
    with_both = stage.world()
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "error", times=1))
    assert stage.irsa("delete-sa", "guest", "-n", namespace, "-c", stage.cluster).code == 1
    assert stage.world() == with_both
    ran = stage.irsa("delete-sa", "guest", "-n", namespace, "-c", stage.cluster)
    assert ran.code == 0, ran.err
    assert stage.world() == before


def test_the_only_statement_of_a_role_stays(stage: Stage, namespace: str, unique: str) -> None:
    name = f"{unique}-r"
    arn = shared(stage, name, OTHERS)
    create(stage, namespace, "--attach-role-arn", arn, "--update-trust")
    trust = stage.aws_world()["roles"][name]["trust"]
    left = json.dumps({**trust, "Statement": trust["Statement"][1:]})
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=left)
    before = stage.aws_world()
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert "its only one" in ran.err
    assert stage.account(namespace, "app") is None
    assert stage.aws_world()["roles"] == before["roles"]


@pytest.mark.parametrize(
    "text", ["not-an-arn", f"arn:aws:iam::{ACCOUNT}:role/gone", "arn:aws:iam::444455556666:role/theirs"]
)
def test_what_the_annotation_names_need_not_be_there(stage: Stage, namespace: str, text: str) -> None:
    create(stage, namespace, *WISH)
    assert delete(stage, namespace, "--keep-sa").code == 0
    before = stage.world()
    stage.annotate(namespace, "app", **{ROLE_ARN: text})
    by_hand = stage.world()
    assert delete(stage, namespace).code == 4
    assert stage.world() == by_hand
    stage.annotate(namespace, "app", **{"irsa/role-arn": text})
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert text in ran.err
    assert stage.world() == before


def test_a_kept_service_account_is_nobodys(stage: Stage, namespace: str) -> None:
    create(stage, namespace, *WISH)
    uid = stage.account(namespace, "app")["uid"]  # type: ignore[index]
    ran = delete(stage, namespace, "--keep-sa")
    assert ran.code == 0, ran.err
    kept = stage.account(namespace, "app")
    assert kept is not None
    found = (kept["uid"], kept["labels"], kept["annotations"])
    assert found == (uid, {"x": "y"}, {"n": "m"})
    assert not stage.aws_world()["roles"]
    assert delete(stage, namespace).code == 4


def test_a_kept_role_is_complete(stage: Stage, namespace: str) -> None:
    create(stage, namespace, *WISH)
    role = stage.role_of(namespace, "app")
    ran = delete(stage, namespace, "--keep-role")
    assert ran.code == 0, ran.err
    assert stage.account(namespace, "app") is None
    (kept,) = stage.aws_world()["roles"].values()
    assert (kept["attached"], kept["inline"], kept["trust"]) == (
        role["attached"],
        role["inline"],
        role["trust"],
    )
    listed = stage.irsa("recover", "--cluster", stage.cluster, "-o", "json")
    assert listed.code == 0, listed.err
    left = listed.items
    assert not [item for item in left if any(piece["kind"] == "Role" for piece in item["objects"])]
    create(stage, namespace, *WISH)
    assert delete(stage, namespace).code == 0
    assert not stage.aws_world()["roles"]


def test_a_role_without_a_service_account(stage: Stage, namespace: str) -> None:
    before = stage.world()
    create(stage, namespace, "--attach-policy-arn", READ_ONLY, "--role-only")
    assert delete(stage, namespace, "--role-only").code == 0
    assert stage.world() == before
    create(stage, namespace, "--attach-policy-arn", READ_ONLY)
    made = stage.world()
    assert delete(stage, namespace, "--role-only").code == 4
    assert stage.world() == made


def test_roles_of_other_names_are_found(stage: Stage, namespace: str) -> None:
    before = stage.world()
    create(stage, namespace, *WISH, "--role-name", f"{namespace}-own", "--role-path", "/else/")
    stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/app")
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert stage.world() == before
    shared(stage, f"{namespace}-theirs", OTHERS)
    theirs = stage.world()
    assert delete(stage, namespace, "--role-name", f"{namespace}-theirs").code == 4
    assert stage.world() == theirs


def test_while_pods_use_it_it_stays(stage: Stage, namespace: str) -> None:
    create(stage, namespace, *WISH)
    run_pod(stage, namespace)
    before = stage.world()
    ran = delete(stage, namespace)
    assert ran.code == 4
    assert "web-0 (StatefulSet/web)" in ran.err
    assert stage.world() == before
    user = stage.restricted((("get", "patch", "delete"), ("serviceaccounts",)))
    hidden = stage.irsa("delete-sa", "app", "-n", namespace, "-c", stage.cluster, user=user)
    assert (hidden.code, "can't be listed" in hidden.err) == (4, True)
    assert stage.world() == before
    assert delete(stage, namespace, "--force").code == 0
    assert stage.account(namespace, "app") is None


def elsewhere(stage: Stage) -> dict[str, str]:
    """Another machine, which has no journals of what was run here."""
    return {"IRSA_STATE_DIR": str(stage.folder / "elsewhere")}


def forget(stage: Stage, namespace: str) -> None:
    """The ServiceAccount goes as with its namespace; a bare API server has no controller to end that."""
    stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/app")
    stage.kube.delete(f"/api/v1/namespaces/{namespace}")


@pytest.mark.parametrize("lock", [{}, NO_LOCK], ids=["locks", "no locks"])
def test_a_role_whose_namespace_is_gone_is_deleted_at_once(
    stage: Stage, namespace: str, lock: dict[str, str]
) -> None:
    """The run that made it holds no Lease any more: only where nobody takes locks its age has to tell."""
    before = stage.world()["roles"]
    create(stage, namespace, *WISH)
    forget(stage, namespace)
    shown = delete(stage, namespace, "--dry-run", **elsewhere(stage), **lock)
    ran = delete(stage, namespace, **elsewhere(stage), **lock)
    assert (shown.code, ran.code) == ((4, 4) if lock else (0, 0)), shown.err + ran.err
    assert (stage.world()["roles"] == before) is not bool(lock)


def test_force_says_each_thing_that_it_goes_past(stage: Stage, namespace: str) -> None:
    """Who skips the look at the run that makes it has skipped nothing else."""
    create(stage, namespace)
    run_pod(stage, namespace)
    stage.kube.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/app")
    ran = delete(stage, namespace, "--force", **elsewhere(stage), **NO_LOCK)
    assert ran.code == 0, ran.err
    assert "is creating" in ran.err
    assert "web-0 (StatefulSet/web)" in ran.err


def test_a_run_that_has_only_made_the_role_is_waited_for(stage: Stage, namespace: str) -> None:
    """Its namespace is not there yet, as after one that is gone: its Lease tells the two apart."""
    before, found = stage.world(), []

    def meanwhile() -> None:
        arguments = ("delete-sa", "app", "-n", f"{namespace}-new", "-c", stage.cluster, "--lock-timeout", "0")
        with forks.one() as zygote:
            process = zygote.start(arguments, {**stage.env(), **elsewhere(stage)}, stage.folder)
            assert process.ended.wait(60)
            found.append((process.code, bytes(process.err).decode()))

    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=meanwhile))
    patient = {"IRSA_CALL_TIMEOUT": "120"}  # Its call is held while the other one is at work.
    ran = stage.create_sa("app", f"{namespace}-new", "--attach-policy-arn", READ_ONLY, **patient)
    assert ran.code == 0, ran.err
    assert [code for code, _ in found] == [4], found
    assert "another run is working" in found[0][1], found
    assert stage.account(f"{namespace}-new", "app") is not None
    assert stage.world() != before


def test_while_other_service_accounts_use_the_role_it_stays(stage: Stage, namespace: str) -> None:
    create(stage, namespace, "--subject-pattern", "app*")
    stage.make_account(namespace, "app-2", annotations={ROLE_ARN: stage.role_of(namespace, "app")["arn"]})
    before = stage.world()
    ran = delete(stage, namespace)
    assert (ran.code, f"{namespace}/app-2" in ran.err) == (4, True)
    assert stage.world() == before
    assert delete(stage, namespace, "--force").code == 0


def test_the_wrong_namespace_is_told(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = stage.world()
    ran = delete(stage, "default")
    assert (ran.code, namespace in ran.err) == (4, True)
    assert delete(stage, "default", "--ignore-not-found").code == 0
    assert stage.world() == before


def test_no_deletion_of_what_others_need_is_proposed(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    other = f"{namespace}-2"
    stage.make_namespace(other)
    elsewhere = delete(stage, other)
    assert namespace in elsewhere.err
    assert f"again with -n {namespace}" not in elsewhere.err
    stage.make_account(other, "app")
    kubectl = f"kubectl delete serviceaccount app -n {other}"
    assert f"if nobody needs it, delete the ServiceAccount: {kubectl}" in delete(stage, other).err


def test_what_is_not_irsas_is_left_alone(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app")
    before = stage.world()
    assert delete(stage, namespace).code == 4
    assert stage.world() == before


CUTS = [
    ("TagRole", 0, "callback"),
    ("TagRole", 1, "callback"),
    ("DetachRolePolicy", 0, "callback"),
    ("DeleteRole", 0, "reset-before"),
    ("DeleteRole", 0, "callback"),
]


@pytest.fixture
def interrupted(stage: Stage, namespace: str, request: pytest.FixtureRequest) -> Json:
    """A binding whose deletion was killed; the world before it."""
    operation, skip, kind = request.param
    create(stage, namespace, *WISH)
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", operation, kind, skip=skip, run=stage.kill))
    assert delete(stage, namespace).code == -9
    stage.sandbox.settle()
    return before


@pytest.mark.parametrize("interrupted", CUTS, indirect=True, ids=lambda cut: f"{cut[0]}-{cut[2]}")
@pytest.mark.parametrize("way", ["back", "forward", "again", "elsewhere"])
def test_a_deletion_that_was_cut_off_is_finished(
    stage: Stage, namespace: str, interrupted: Json, way: str
) -> None:
    if way in ("back", "forward"):
        flags = ("--forward",) if way == "forward" else ()
        ran = stage.irsa("recover", "--all", *flags)
    elif way == "again":
        ran = delete(stage, namespace)
    else:
        ran = delete(stage, namespace, IRSA_STATE_DIR=str(stage.folder / "elsewhere"))
    assert ran.code == 0, ran.err
    world = stage.world()
    if way == "back":
        assert world == interrupted
    else:
        assert world == {**without_account(interrupted, namespace), "roles": {}}


def test_a_service_account_that_is_gone_does_not_come_back(
    stage: Stage, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The faults of the cluster's API strike on the sandbox's own only."""
    small = sandbox_stage(sandbox, "demo", tmp_path)
    small.foreign = stage.foreign
    assert small.associate().code == 0
    assert small.create_sa("app", "apps", "--attach-policy-arn", READ_ONLY).code == 0
    gone = Fault("kubernetes", "DELETE serviceaccounts", "callback", skip=2, run=small.kill)
    sandbox.faults.add(gone)
    assert delete(small, "apps").code == -9
    sandbox.settle()
    recovered = small.irsa("recover", "--all", "-o", "json", IRSA_CALL_TIMEOUT="1")
    assert recovered.code == 0, recovered.err
    (item,) = recovered.items
    assert (item["outcome"], "can't be restored" in item["notes"][0]) == ("committed", True)
    assert small.account("apps", "app") is None
    assert not small.aws_world()["roles"]


def other(stage: Stage, namespace: str) -> Ran:
    """A run on another machine, which takes no lock."""
    return delete(stage, namespace, IRSA_STATE_DIR=str(stage.folder / "state-elsewhere"), **NO_LOCK)


@pytest.mark.parametrize("at", ["TagRole", "DetachRolePolicy", "DeleteRole"])
def test_of_two_deletions_both_end_well(stage: Stage, namespace: str, at: str) -> None:
    before = stage.world()
    create(stage, namespace, "--attach-policy-arn", READ_ONLY)
    found: list[Ran] = []
    run: Callable[[], None] = lambda: found.append(other(stage, namespace))  # noqa: E731
    stage.sandbox.faults.add(Fault("iam", at, "callback", run=run))
    first = delete(stage, namespace, "--ignore-not-found")
    assert [first.code, *(ran.code for ran in found)] == [0, 0], first.err + found[0].err
    assert stage.world() == before


def test_what_a_run_is_making_is_left_to_it(stage: Stage, namespace: str) -> None:
    found: list[Ran] = []
    run: Callable[[], None] = lambda: found.append(other(stage, namespace))  # noqa: E731
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=run))
    create(stage, namespace, "--attach-policy-arn", READ_ONLY)
    assert [ran.code for ran in found] == [4]
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


def test_who_makes_it_again_while_it_goes_has_it_whole(stage: Stage, namespace: str) -> None:
    desired = ("--attach-policy-arn", READ_ONLY)
    create(stage, namespace, *desired)
    found: list[Ran] = []
    state = str(stage.folder / "state-elsewhere")
    run: Callable[[], None] = lambda: found.append(  # noqa: E731
        stage.create_sa("app", namespace, *desired, IRSA_STATE_DIR=state, **NO_LOCK)
    )
    stage.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=run))
    ran = delete(stage, namespace)
    assert found[0].code in (0, 1, 3, 4), found[0].err
    # Whoever ended with 0 last has what was promised; nothing is left in between without a word.
    account = stage.account(namespace, "app")
    if ran.code == 0:
        assert account is None
        assert not stage.aws_world()["roles"]
    else:
        assert found[0].code == 0
        assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize("principal", [{"Service": "ec2.amazonaws.com"}, {"AWS": ACCOUNT}, {"AWS": "*"}])
def test_a_role_that_trusts_somebody_else_is_not_taken_from_them(
    stage: Stage, namespace: str, principal: object
) -> None:
    create(stage, namespace, "--attach-policy-arn", READ_ONLY)
    role = stage.role_of(namespace, "app")
    theirs = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = {**role["trust"], "Statement": [*role["trust"]["Statement"], theirs]}
    name = role["arn"].rsplit("/", 1)[-1]
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    before = stage.world()
    ran = delete(stage, namespace)
    assert ran.code == 4
    assert "has a role that others may also use" in ran.err
    assert "its trust policy also allows" in ran.err
    assert stage.world() == before
    assert delete(stage, namespace, "--force").code == 0
    assert name not in stage.world()["roles"]
