"""`irsa retire`: what a deleted cluster left goes, and nothing else does."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, RoleSpec, Sandbox
from irsa_cli.sandbox.model import FaultKind
from tests.scenarios.conftest import sandbox_stage
from tests.support import makers
from tests.support.proposals import check_steps
from tests.support.sandbox_clients import administrator, client
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Json, Ran, Stage

NAME = "doomed"
ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{NAME}"
GITHUB = "token.actions.githubusercontent.com"
OTHER_ACCOUNT = "444455556666"
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}


@pytest.fixture
def doomed(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with three bindings, deleted long ago, and one that lives beside it."""
    sandbox.add_cluster(ClusterSpec(NAME))
    for name in ("demo", NAME):
        folder = tmp_path / name
        folder.mkdir()
        stage = sandbox_stage(sandbox, name, folder)
        assert stage.associate().code == 0
        assert stage.create_sa("app", "apps", "--attach-policy-arn", READ_ONLY).code == 0
    (folder / "queue.json").write_text(json.dumps(DOCUMENT))
    bounded = ("--inline-policy", "queue.json", "--permissions-boundary", READ_ONLY)
    assert stage.create_sa("queue", "apps", *bounded).code == 0
    return stage


def gone(stage: Stage, days: float = 60) -> Stage:
    stage.sandbox.remove_cluster(NAME)
    stage.sandbox.age_roles(days)
    return stage


def provider(stage: Stage, cluster: str = NAME) -> str:
    found = client(stage.sandbox, "eks").describe_cluster(name=cluster)["cluster"]
    return (
        f"arn:aws:iam::{ACCOUNT}:oidc-provider/{found['identity']['oidc']['issuer'].removeprefix('https://')}"
    )


def retire(stage: Stage, *arguments: str, names: tuple[str, ...] = (NAME,)) -> Ran:
    return stage.irsa("retire", *names, *arguments, "-o", "json")


def roles(stage: Stage, cluster: str = NAME) -> list[str]:
    paths = ((role["path"], name) for name, role in stage.aws_world()["roles"].items())
    return sorted(name for path, name in paths if path == f"/irsa/{cluster}/")


def kept(ran: Ran) -> dict[str, str]:
    """The roles that stay, and why."""
    return {
        item["role"]["arn"].rpartition("/")[2]: " ".join(item["notes"])
        for item in ran.json["items"]
        if item["role"] and not item["role"]["deleted"] and item["outcome"] == "unchanged"
    }


def notes(ran: Ran) -> dict[str, list[str]]:
    """The notes on each role, by its name."""
    return {item["role"]["arn"].rpartition("/")[2]: item["notes"] for item in ran.items if item["role"]}


def others(stage: Stage, *names: str) -> Json:
    """The account without what the deleted cluster left."""
    world = copy.deepcopy(stage.aws_world())
    gone = [name for name, role in world["roles"].items() if role["path"] == f"/irsa/{NAME}/"]
    for name in (*gone, *names):
        world["roles"].pop(name, None)
    return world


def test_all_of_it_goes_and_nothing_else(doomed: Stage) -> None:
    arn = provider(doomed)
    stage = gone(doomed)
    before = copy.deepcopy(stage.aws_world())
    planned = retire(stage)
    assert (planned.code, planned.metadata["summary"]) == (0, {"planned": 3}), planned.err
    assert stage.aws_world() == before
    ran = retire(stage, "--yes")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 3}), ran.err
    assert roles(stage) == []
    wanted = others(stage)
    before["roles"] = {
        name: role for name, role in before["roles"].items() if role["path"] != f"/irsa/{NAME}/"
    }
    del before["oidc_providers"][arn]
    assert wanted == before
    again = retire(stage, "--yes")
    assert (again.code, "nothing is left of doomed" in again.err) == (4, True)
    every = retire(stage, "--all", "--yes", names=())
    assert (every.code, every.metadata["summary"], stage.aws_world()) == (0, {}, wanted)


def test_a_list_that_is_denied_at_the_end_hides_nothing_that_was_done(doomed: Stage) -> None:
    arn = provider(doomed)
    stage = gone(doomed)
    stage.sandbox.faults.add(Fault("iam", "ListRoles", "error", code="AccessDenied", status=403, times=None))
    ran = retire(stage, "--yes")
    stage.sandbox.faults.clear()
    assert (ran.code, ran.metadata["summary"]) == (1, {"committed": 2, "failed": 1}), ran.err
    assert f"the roles that trust {arn} could not be read" in ran.err
    assert "\nNothing was changed" not in ran.err
    assert roles(stage) == []
    assert arn in stage.aws_world()["oidc_providers"]
    assert retire(stage, "--yes").code == 0
    assert arn not in stage.aws_world()["oidc_providers"]


def trust(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def test_roles_of_others_stay_to_the_byte(doomed: Stage) -> None:
    arn, sandbox = provider(doomed), doomed.sandbox
    tags = {
        "terraform": {"ManagedBy": "Terraform"},
        "eksctl": {"alpha.eksctl.io/cluster-name": NAME},
        "stack": {"aws:cloudformation:stack-name": "apps"},
        "ack": {"services.k8s.aws/controller-version": "iam-v1.3.0"},
    }
    sandbox.put_roles(
        RoleSpec(
            name, makers.terraform(arn, "apps/app", f"arn:aws:iam::{ACCOUNT}:role/{name}"), tags=tags[name]
        )
        for name in tags
    )
    sandbox.put_roles([RoleSpec("by-hand", makers.terraform(arn, "apps/app", ""))])
    stage = gone(doomed)
    before = copy.deepcopy(stage.aws_world()["roles"])
    ran = retire(stage, "--include-unmarked", "--yes")
    after = stage.aws_world()["roles"]
    assert ran.code == 0, ran.err
    assert {name: after[name] for name in tags} == {name: before[name] for name in tags}
    assert kept(ran).keys() == tags.keys()
    assert "by-hand" not in after
    assert arn in stage.aws_world()["oidc_providers"]
    assert "4 roles trust it" in ran.err


def test_without_the_flag_an_unmarked_role_stays(doomed: Stage) -> None:
    arn = provider(doomed)
    doomed.sandbox.put_roles([RoleSpec("by-hand", makers.terraform(arn, "apps/app", ""))])
    stage = gone(doomed)
    ran = retire(stage, "--yes")
    assert (ran.code, [*kept(ran)], roles(stage)) == (0, ["by-hand"], []), ran.err
    assert "--include-unmarked" in kept(ran)["by-hand"]


def test_only_the_statements_of_the_dead_cluster_go(doomed: Stage) -> None:
    """A role that GitHub and two clusters share: the deleted one's statement goes, by irsa's mark."""
    github = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {f"{GITHUB}:sub": "repo:org/app:*"}},
    }
    shared = f"arn:aws:iam::{ACCOUNT}:role/shared"
    document = json.dumps(trust(EC2, github))
    doomed.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=document)
    for cluster in ("demo", NAME):
        names = ("create-sa", "web", "-n", "apps", "-c", cluster)
        ran = doomed.irsa(*names, "--attach-role-arn", shared, "--update-trust")
        assert ran.code == 0, ran.err
    stage = gone(doomed)
    before = stage.aws_world()["roles"]["shared"]
    ran = retire(stage, "--yes")
    assert ran.code == 0, ran.err
    after = stage.aws_world()["roles"]["shared"]
    assert len(before["trust"]["Statement"]) == 4
    assert after["trust"]["Statement"] == before["trust"]["Statement"][:3]
    assert {**after, "trust": None} == {**before, "trust": None}
    assert f"oidc-provider/{GITHUB}" in json.dumps(after)


REASONS = {
    "used": "it was used on",
    "young": "its use is unknown",
    "service": "ec2.amazonaws.com",
    "profile": "instance profile worker",
    "adopted": "Terraform",
}


@pytest.mark.parametrize("why", REASONS)
def test_what_may_be_needed_stays(doomed: Stage, why: str) -> None:
    stage = gone(doomed, days=1 if why == "young" else 60)
    (name, other) = roles(stage)
    iam = stage.iam()
    if why == "used":
        yesterday = datetime.now(timezone.utc) - timedelta(days=1)
        stage.sandbox._front.cloud.iam(ACCOUNT, "aws").get_role(name).last_used = yesterday
    elif why == "service":
        found = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        document = json.dumps({**found, "Statement": [*found["Statement"], EC2]})
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    elif why == "profile":
        iam.create_instance_profile(InstanceProfileName="worker")
        iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName=name)
    elif why == "adopted":
        iam.untag_role(RoleName=name, TagKeys=["irsa/transaction"])
        iam.tag_role(RoleName=name, Tags=[{"Key": "ManagedBy", "Value": "Terraform"}])
    before = stage.aws_world()
    ran = retire(stage, "--yes")
    after = stage.aws_world()
    assert ran.code == 0, ran.err
    assert REASONS[why] in " ".join(notes(ran)[name])
    assert other in after["roles"] if why == "young" else other not in after["roles"]
    if why != "service":
        assert after["roles"][name] == before["roles"][name]
        assert before["oidc_providers"] == after["oidc_providers"]
    else:
        assert after["roles"][name]["trust"]["Statement"] == [EC2]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("eks", "ListClusters", "error", code="AccessDeniedException", times=1),
        Fault("ec2", "DescribeRegions", "error", code="UnauthorizedOperation", status=403, times=None),
        Fault("iam", "ListOpenIDConnectProviders", "error", code="AccessDenied", status=403, times=None),
    ],
    ids=lambda fault: fault.operation,
)
def test_what_can_not_be_read_is_not_gone(doomed: Stage, fault: Fault) -> None:
    stage = gone(doomed)
    before = copy.deepcopy(stage.aws_world())
    stage.sandbox.faults.add(fault)
    ran = retire(stage, "--yes")
    assert (ran.code, stage.aws_world()) == (1, before), ran.err


def test_a_living_cluster_is_refused(doomed: Stage) -> None:
    for name in (NAME, ARN, provider(doomed).partition("oidc-provider/")[2]):
        ran = retire(doomed, "--yes", names=(name,))
        assert (ran.code, "exists" in ran.err) == (4, True), ran.err
    assert len(roles(doomed)) == 2


def test_a_cluster_of_the_same_name_keeps_its_roles(doomed: Stage) -> None:
    """Only the provider of the former issuer is left over: roles with that tag belong to the new one."""
    former = provider(doomed)
    stage = gone(doomed)
    iam = stage.iam()
    moved = former.replace("/id/", "/id/0")[: len(former)]
    iam.create_open_id_connect_provider(
        Url=f"https://{moved.partition('oidc-provider/')[2]}",
        ClientIDList=["sts.amazonaws.com"],
        Tags=[{"Key": "irsa/cluster", "Value": ARN}],
    )
    stage.sandbox.add_cluster(ClusterSpec(NAME))
    before = copy.deepcopy(stage.aws_world())
    ran = retire(stage, "--all", "--yes", names=())
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 1}), ran.err
    del before["oidc_providers"][moved]
    assert stage.aws_world() == before


def test_a_role_that_a_living_cluster_trusts_stays_without_its_provider(doomed: Stage) -> None:
    """Its OIDC provider was deleted by mistake: when it is back, the pods of the living cluster go on."""
    living = provider(doomed, "demo")
    stage = gone(doomed)
    (name, other) = roles(stage)
    share(stage, name, living)
    demo = sandbox_stage(stage.sandbox, "demo", stage.folder)
    demo.make_account("apps", "shared", annotations={ROLE_ARN: role_arn(stage, name)})
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=living)
    before = copy.deepcopy(stage.aws_world())
    ran = retire(stage, "--yes")
    assert ran.code == 0, ran.err
    why = f"Federated {living} (it does not exist, but a cluster of this account has its issuer)"
    assert why in " ".join(notes(ran)[name])
    after = stage.aws_world()
    assert other not in after["roles"]
    left = after["roles"][name]["trust"]["Statement"]
    assert left == [
        item for item in before["roles"][name]["trust"]["Statement"] if living in json.dumps(item)
    ]
    assert {**after["roles"][name], "trust": 0} == {**before["roles"][name], "trust": 0}


@pytest.mark.parametrize("answers", ["404", "answers", "github"])
def test_an_absent_provider_is_nobodys_only_if_its_issuer_is_gone(doomed: Stage, answers: str) -> None:
    absent = f"https://oidc.eks.eu-west-1.amazonaws.com/id/{'0123456789ABCDEF' * 2}"
    if answers == "answers":  # A cluster of another account has the issuer.
        doomed.sandbox.add_cluster(ClusterSpec("far", account=OTHER_ACCOUNT))
        eks = administrator(doomed.sandbox, "eks", OTHER_ACCOUNT, "eu-west-1")
        absent = eks.describe_cluster(name="far")["cluster"]["identity"]["oidc"]["issuer"]
    elif answers == "github":
        absent = f"https://{GITHUB}"
    stage = gone(doomed)
    (name, _) = roles(stage)
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{absent.removeprefix('https://')}"
    share(stage, name, arn)
    ran = retire(stage, "--yes")
    assert ran.code == 0, ran.err
    assert (name in stage.aws_world()["roles"]) == (answers != "404"), ran.err
    if answers != "404":
        assert f"its trust policy also allows Federated {arn} (" in " ".join(notes(ran)[name])


def role_arn(stage: Stage, name: str) -> str:
    return str(stage.iam().get_role(RoleName=name)["Role"]["Arn"])


def share(stage: Stage, name: str, arn: str) -> None:
    """Let a role trust tokens of one more provider, by hand."""
    found = stage.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    more = makers.terraform(arn, "apps/shared", "")["Statement"]
    document = json.dumps({**found, "Statement": [*found["Statement"], *more]})
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=document)


@pytest.mark.parametrize("answers", ["404", "answers"])
def test_an_unmarked_issuer_is_asked(doomed: Stage, answers: str) -> None:
    """It can be of a cluster in another account: then its documents can be read."""
    arn = provider(doomed)
    doomed.sandbox.put_roles([RoleSpec("by-hand", makers.terraform(arn, "apps/app", ""))])
    iam = doomed.iam()
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["irsa/cluster"])
    if answers == "answers":
        doomed.sandbox._front.clusters.say(ARN, {"identity": {"oidc": {"issuer": "https://other.example"}}})
        doomed.sandbox.age_roles(60)
        stage = doomed
    else:
        stage = gone(doomed)
    before = copy.deepcopy(stage.aws_world())
    issuer = arn.partition("oidc-provider/")[2]
    ran = retire(stage, "--include-unmarked", "--yes", names=(issuer,))
    if answers == "answers":
        assert (ran.code, stage.aws_world(), "its issuer answers" in ran.err) == (4, before, True)
    else:
        assert ran.code == 0, ran.err
        assert "by-hand" not in stage.aws_world()["roles"]


def test_a_budget(doomed: Stage) -> None:
    stage = gone(doomed)
    ran = retire(stage, "--max", "1", "--yes")
    assert (ran.code, len(roles(stage)), "1 more role left" in ran.err) == (0, 1, True), ran.err
    assert "1 role trusts it" in ran.err
    assert retire(stage, "--max", "1", "--yes").code == 0
    assert roles(stage) == []


def test_the_list(doomed: Stage) -> None:
    stage = gone(doomed)
    before = copy.deepcopy(stage.aws_world())
    ran = stage.irsa("retire", "--list", "-o", "json")
    assert ran.code == 0, ran.err
    (row,) = (item for item in ran.json["items"] if item["arn"] == ARN)
    assert (row["name"], row["roles"], row["providers"], row["status"]) == (NAME, 2, 1, "gone")
    quotas = {item["what"]: item for item in ran.metadata["quotas"]}
    assert quotas["OIDC providers"] == {"what": "OIDC providers", "used": 2, "quota": 100}
    assert quotas["roles"]["used"] == len(before["roles"])
    text = stage.irsa("retire", "--list")
    assert (text.code, NAME in text.out, "of 100 OIDC providers" in text.out) == (0, True, True)
    stage.sandbox.faults.add(Fault("eks", "ListClusters", "error", code="AccessDeniedException", times=1))
    ran = stage.irsa("retire", "--list", "-o", "json")
    assert (ran.code, {item["status"] for item in ran.json["items"]}) == (1, {"unknown"})
    assert stage.aws_world() == before


def test_what_aws_refuses_stays_listed(doomed: Stage) -> None:
    stage = gone(doomed)
    (name, _) = roles(stage)
    before = copy.deepcopy(stage.aws_world()["roles"][name])
    denied = Fault("iam", "DeleteRole", "error", match=name, code="AccessDenied", status=403, times=None)
    stage.sandbox.faults.add(denied)
    ran = retire(stage, "--yes")
    assert (ran.code, ran.metadata["summary"]["committed"], roles(stage)) == (1, 1, [name]), ran.err
    assert stage.aws_world()["roles"][name] == before
    stage.sandbox.faults.clear()
    assert retire(stage, "--yes").code == 0
    assert roles(stage) == []


WRITES = ("TagRole", "DetachRolePolicy", "DeleteRolePolicy", "DeleteRole", "DeleteOpenIDConnectProvider")


KINDS: tuple[FaultKind, ...] = ("reset-before", "callback")
"""A kill before the call is executed, and after it."""


@pytest.mark.parametrize("operation", WRITES)
def test_a_killed_run_is_continued(doomed: Stage, operation: str) -> None:
    """Killed before a write, then again after one, with late reads of IAM; another run finishes."""
    arn = provider(doomed)
    stage = gone(doomed)
    before = others(stage)
    stage.sandbox.replicate(0.3, seed=7)
    for number, kind in enumerate(KINDS):
        stage.sandbox.faults.add(Fault("iam", operation, kind, run=stage.kill))
        ran = retire(stage, "--all", "--yes", names=())
        assert ran.code < 0 or number, ran.err
        stage.sandbox.settle()
        stage.sandbox.faults.clear()
    ran = retire(stage, "--all", "--yes", names=())
    assert (ran.code, roles(stage)) == (0, []), ran.err
    del before["oidc_providers"][arn]
    assert others(stage) == before
    assert stage.irsa("recover", "-o", "json").json["items"] == []
    stage.sandbox.calls.clear()
    assert retire(stage, "--all", "--yes", names=()).code == 0
    writes = [call.operation for call in stage.sandbox.calls if call.service == "iam"]
    assert not [name for name in writes if not name.startswith(("Get", "List"))]


def test_an_interrupted_run_can_be_rolled_back(doomed: Stage) -> None:
    stage = gone(doomed)
    before = copy.deepcopy(stage.aws_world())
    stage.sandbox.faults.add(Fault("iam", "DeleteRole", "reset-before", run=stage.kill))
    assert retire(stage, "--max", "1", "--yes").code < 0
    stage.sandbox.settle()
    stage.sandbox.faults.clear()
    ran = stage.irsa("recover", "--all", "--yes", "-o", "json")
    assert (ran.code, stage.aws_world()) == (0, before), ran.err


def bound(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("web", namespace, "--attach-policy-arn", READ_ONLY, "-c", "demo").code == 0


def test_bindings_of_namespaces_that_are_gone(sandbox: Sandbox, tmp_path: Path) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    for namespace in ("pr-1", "pr-2", "pr-3", "live"):
        bound(stage, namespace)
    for namespace in ("pr-1", "pr-2", "live"):
        assert stage.kube.delete(f"/api/v1/namespaces/{namespace}").status == 200
    asked = ("retire", "--namespace", "pr-*", "-c", "demo", "--older-than", "7d", "-o", "json")
    young = stage.irsa(*asked, "--yes")
    assert (young.code, young.metadata["summary"], len(roles(stage, "demo"))) == (0, {}, 4), young.err
    assert "its use is unknown" in young.err
    sandbox.age_roles(10)
    before = copy.deepcopy(stage.world())
    planned = stage.irsa(*asked)
    assert (planned.metadata["summary"], stage.world()) == ({"planned": 2}, before), planned.err
    hidden = Fault(
        "kubernetes", "GET namespaces", "error", match="pr-2", code="Forbidden", status=403, times=None
    )
    sandbox.faults.add(hidden)
    ran = stage.irsa(*asked, "--yes")
    sandbox.faults.clear()
    assert (ran.code, ran.metadata["summary"]) == (1, {"committed": 1, "failed": 1}), ran.err
    assert "namespace pr-2 was not read" in ran.err
    assert stage.irsa(*asked, "--yes").metadata["summary"] == {"committed": 1}
    left = {
        role["tags"]["irsa/service-account"] for role in stage.aws_world()["roles"].values() if role["tags"]
    }
    assert left == {"pr-3/web", "live/web"}
    before = stage.world()
    again = stage.irsa(*asked, "--yes")
    assert (again.code, stage.world()) == (0, before)


def test_a_saved_plan(doomed: Stage) -> None:
    stage = gone(doomed)
    ran = stage.irsa("retire", NAME, "--dry-run", "--out", "old.plan")
    assert ran.code == 0, ran.err
    applied = stage.irsa("apply", "old.plan", "--yes", "-o", "json")
    assert (applied.code, roles(stage)) == (0, []), applied.err


@pytest.mark.parametrize("why", ["shared", "adopted"])
def test_what_is_proposed_for_a_binding_of_a_gone_namespace_can_be_run(
    sandbox: Sandbox, tmp_path: Path, why: str
) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    bound(stage, "pr-1")
    (name,) = roles(stage, "demo")
    iam = stage.iam()
    if why == "shared":
        found = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        document = json.dumps({**found, "Statement": [*found["Statement"], EC2]})
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    else:
        iam.untag_role(RoleName=name, TagKeys=["irsa/transaction"])
        iam.tag_role(RoleName=name, Tags=[{"Key": "tool", "Value": "our terraform"}])
    assert stage.kube.delete("/api/v1/namespaces/pr-1").status == 200
    sandbox.age_roles(10)
    ran = stage.irsa("retire", "--namespace", "pr-*", "-c", "demo", "-r", "eu-west-1", "--yes", "-o", "json")
    assert (ran.code, roles(stage, "demo")) == (4, [name]), ran.err
    commands = check_steps(ran.error["next"], "retire")
    deletion = next(words for words in commands if words[-1] in ("--force", "--ignore-maker"))
    assert deletion[0] == "delete-sa"
    done = stage.irsa(*deletion)
    assert (done.code, roles(stage, "demo")) == (0, []), done.err
