"""`irsa retire`: what a deleted cluster left goes, and nothing else does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, RoleSpec, Sandbox
from irsa_cli.usecases.write.delete_sa import FEW
from tests.scenarios.conftest import sandbox_stage
from tests.support import makers
from tests.support.documents import doc
from tests.support.proposals import check_steps
from tests.support.rows import Running
from tests.support.sandbox_clients import client
from tests.support.stage import ACCOUNT, ROLE_ARN, Json, Ran, Stage

NAME = "doomed"
ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{NAME}"
GITHUB = "token.actions.githubusercontent.com"
OTHER_ACCOUNT = "444455556666"
EC2 = '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
HUB = """{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/<hub>"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringLike": {"<hub>:sub": "repo:org/app:*"}}}"""
WHOLE = ("app", "provider", "queue")
"""What the cluster has left."""


class Doomed(Running):
    """A cluster with two bindings, deleted long ago, and one that lives beside it."""

    cluster = NAME

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.add_cluster(ClusterSpec(NAME))
        self.sandbox, self.words = sandbox, {}
        self.demo, self.stage = (sandbox_stage(sandbox, name, folder) for name in ("demo", NAME))
        for stage in (self.demo, self.stage):
            stage.run("associate-oidc")
            stage.run("create-sa app -n apps --attach-policy-arn $S3")
        (folder / "queue.json").write_text('{"Version": "2012-10-17", "Statement": []}'.replace("[]", S3_GET))
        self.stage.run("create-sa queue -n apps --inline-policy queue.json --permissions-boundary $S3")
        self.provider, self.living = (self.provider_of(name) for name in (NAME, "demo"))
        self.app, self.queue = (
            self.stage.role_of("apps", name)["arn"].rpartition("/")[2] for name in ("app", "queue")
        )
        self.called = {self.app: "app", self.queue: "queue", self.provider: "provider"}

    def provider_of(self, cluster: str, account: str = ACCOUNT) -> str:
        """The ARN of a provider for the issuer of a cluster."""
        eks = client(self.sandbox, "eks", account=account)
        issuer = eks.describe_cluster(name=cluster)["cluster"]["identity"]["oidc"]["issuer"]
        return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"

    def gone(self, days: float = 60) -> None:
        self.sandbox.remove_cluster(NAME)
        self.sandbox.age_roles(days)

    def irsa(self, *arguments: str, **options: Any) -> Ran:
        """Run irsa without the cluster's option, which `run` adds."""
        return self.stage.irsa(*(arguments[:-2] if arguments[-1] == NAME else arguments), **options)

    def iam(self) -> Any:
        return self.stage.iam()

    def world(self) -> Json:
        return {**copy.deepcopy(self.stage.aws_world()), "kubernetes": {}}

    def retire(self, line: str = "doomed --yes", gone: Iterable[str] = WHOLE, **expected: Any) -> Ran:
        """Run it; what is gone then is called by its name, and all else is as it was."""
        before = self.world()
        ran = self.run(f"retire {line} -o json", **expected)
        assert self.lost(before) == sorted(gone), ran.err
        return ran

    def lost(self, before: Json, changed: str = "") -> list[str]:
        """What is gone since; nothing else may be another, but for what is in one role."""
        after, gone = self.world(), []
        for kind, things in before.items():
            gone += [self.called.get(name, name) for name in things if name not in after[kind]]
            left = {name: thing for name, thing in things.items() if name in after[kind]}
            for world in (left, after[kind]):
                world.pop(changed, None)
            assert after[kind] == left
        return sorted(gone)

    def trust(self, name: str) -> Json:
        found: Json = self.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        return found

    def admit(self, name: str, *statements: Json) -> None:
        """Let a role trust somebody more."""
        document = self.trust(name)
        document["Statement"] += statements
        self.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

    def by_hand(self, name: str = "by-hand", **tags: str) -> None:
        """A role for the cluster that irsa did not make."""
        document = makers.terraform(self.provider, "apps/app", f"arn:aws:iam::{ACCOUNT}:role/{name}")
        self.sandbox.put_roles([RoleSpec(name, document, tags=tags)])


S3_GET = '{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}'


@pytest.fixture
def doomed(sandbox: Sandbox, tmp_path: Path) -> Doomed:
    return Doomed(sandbox, tmp_path)


def notes(ran: Ran, name: str) -> str:
    """The notes on a role."""
    (item,) = [item for item in ran.items if item["role"] and item["role"]["arn"].endswith(f"/{name}")]
    return " ".join(item["notes"])


def test_all_of_it_goes_and_nothing_else(doomed: Doomed) -> None:
    """By a saved plan; without one, the tests below say."""
    doomed.gone()
    before = doomed.world()
    assert doomed.retire("doomed", gone=()).metadata["summary"] == {"planned": 3}
    doomed.run("retire doomed --dry-run --out old.plan", changes="")
    assert doomed.run("apply old.plan --yes -o json").metadata["summary"] == {"committed": 3}
    assert doomed.lost(before) == [*WHOLE]
    doomed.retire(gone=(), code=4, says="nothing is left of doomed")
    assert doomed.retire("--all --yes", gone=()).metadata["summary"] == {}


def test_a_list_that_is_denied_at_the_end_hides_nothing_that_was_done(doomed: Doomed) -> None:
    doomed.gone()
    doomed.sandbox.faults.add(Fault("iam", "ListRoles", "error", code="AccessDenied", status=403, times=None))
    said = f"the roles that trust {doomed.provider} could not be read"
    ran = doomed.retire(gone=("app", "queue"), code=1, says=said, silent="\nNothing was changed")
    assert ran.metadata["summary"] == {"committed": 2, "failed": 1}
    doomed.sandbox.faults.clear()
    doomed.retire(gone=["provider"])


def test_roles_of_others_stay_to_the_byte(doomed: Doomed) -> None:
    tags = {
        "terraform": {"ManagedBy": "Terraform"},
        "eksctl": {"alpha.eksctl.io/cluster-name": NAME},
        "stack": {"aws:cloudformation:stack-name": "apps"},
        "ack": {"services.k8s.aws/controller-version": "iam-v1.3.0"},
    }
    for name, tag in tags.items():
        doomed.by_hand(name, **tag)
    doomed.by_hand()
    doomed.gone()
    ran = doomed.retire("doomed --yes", gone=("app", "queue"))
    assert "--include-unmarked" in notes(ran, "by-hand")
    doomed.retire("doomed --include-unmarked --yes", gone=["by-hand"], says="4 roles trust it")


def test_only_the_statements_of_the_dead_cluster_go(doomed: Doomed) -> None:
    """A role that GitHub and two clusters share: the deleted one's statement goes, by irsa's mark."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": [doc(EC2), doc(HUB, hub=GITHUB)]})
    doomed.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=trust)
    for stage in (doomed.demo, doomed.stage):
        stage.run("create-sa web -n apps --attach-role-arn arn:aws:iam::$account:role/shared --update-trust")
    doomed.gone()
    before, statements = doomed.world(), doomed.trust("shared")["Statement"]
    doomed.run("retire doomed --yes")
    assert doomed.trust("shared")["Statement"] == statements[:3]
    assert doomed.lost(before, changed="shared") == [*WHOLE]


def used(doomed: Doomed) -> None:
    role = doomed.sandbox._front.cloud.iam(ACCOUNT, "aws").get_role(doomed.app)
    role.last_used = datetime.now(timezone.utc) - timedelta(days=1)


def profile(doomed: Doomed) -> None:
    doomed.iam().create_instance_profile(InstanceProfileName="worker")
    doomed.iam().add_role_to_instance_profile(InstanceProfileName="worker", RoleName=doomed.app)


def adopted(doomed: Doomed) -> None:
    doomed.iam().untag_role(RoleName=doomed.app, TagKeys=["irsa/transaction"])
    doomed.iam().tag_role(RoleName=doomed.app, Tags=[{"Key": "ManagedBy", "Value": "Terraform"}])


def test_what_may_be_needed_stays(doomed: Doomed) -> None:
    doomed.gone()
    for make, why in ((used, "it was used on"), (profile, "instance profile worker"), (adopted, "Terraform")):
        make(doomed)
        assert why in notes(doomed.retire("doomed", gone=()), doomed.app)
    doomed.retire(gone=["queue"])


def test_what_can_not_be_read_is_not_gone(doomed: Doomed) -> None:
    doomed.gone()
    for fault in (
        Fault("eks", "ListClusters", "error", code="AccessDeniedException", times=1),
        Fault("ec2", "DescribeRegions", "error", code="UnauthorizedOperation", status=403, times=None),
        Fault("iam", "ListOpenIDConnectProviders", "error", code="AccessDenied", status=403, times=None),
    ):
        doomed.sandbox.faults.add(fault)
        doomed.retire(gone=(), code=1)
        doomed.sandbox.faults.clear()


def test_a_living_cluster_is_refused(doomed: Doomed) -> None:
    for name in (NAME, ARN, makers.issuer_in(doomed.provider)):
        doomed.retire(f"{name} --yes", gone=(), code=4, says="exists")


def test_a_cluster_of_the_same_name_keeps_its_roles(doomed: Doomed) -> None:
    """Only the provider of the former issuer is left over: roles with that tag belong to the new one."""
    doomed.gone()
    former = doomed.provider.replace("/id/", "/id/0")[: len(doomed.provider)]
    doomed.iam().create_open_id_connect_provider(
        Url=f"https://{makers.issuer_in(former)}",
        ClientIDList=["sts.amazonaws.com"],
        Tags=[{"Key": "irsa/cluster", "Value": ARN}],
    )
    doomed.sandbox.add_cluster(ClusterSpec(NAME))
    assert doomed.retire("--all --yes", gone=[former]).metadata["summary"] == {"committed": 1}


@pytest.mark.parametrize("whose", ["nobody", "elsewhere", "living"])
def test_whom_a_role_also_admits_keeps_it_if_that_one_lives(doomed: Doomed, whose: str) -> None:
    """A provider that does not exist may be deleted by mistake: its pods go on when it is back."""
    issuer = "oidc.eks.eu-west-1.amazonaws.com/id/" + "0123456789ABCDEF" * 2
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    if whose == "elsewhere":
        doomed.sandbox.add_cluster(ClusterSpec("far", account=OTHER_ACCOUNT))
        arn = doomed.provider_of("far", OTHER_ACCOUNT)
    elif whose == "living":
        arn = doomed.living
        doomed.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        role = {ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/irsa/{NAME}/{doomed.app}"}
        doomed.demo.make_account("apps", "shared", annotations=role)
    doomed.gone()
    (more,) = makers.terraform(arn, "apps/shared", "")["Statement"]
    doomed.admit(doomed.app, more)
    before = doomed.world()
    ran = doomed.run("retire doomed --yes -o json")
    if whose == "nobody":
        assert doomed.lost(before) == [*WHOLE]
        return
    why = f"Federated {arn} (it does not exist, but a cluster of this account has its issuer)"
    others = f"its trust policy also allows Federated {arn} ("
    assert (why if whose == "living" else others) in notes(ran, doomed.app)
    assert doomed.trust(doomed.app)["Statement"] == [more]
    assert doomed.lost(before, changed=doomed.app) == ["provider", "queue"]


def test_an_unmarked_issuer_is_asked(doomed: Doomed) -> None:
    """It can be of a cluster in another account: then its documents can be read."""
    doomed.by_hand()
    doomed.iam().untag_open_id_connect_provider(
        OpenIDConnectProviderArn=doomed.provider, TagKeys=["irsa/cluster"]
    )
    line = f"{makers.issuer_in(doomed.provider)} --include-unmarked --yes"
    other = {"identity": {"oidc": {"issuer": "https://other.example"}}}
    doomed.sandbox._front.clusters.say(ARN, other)
    doomed.sandbox.age_roles(60)
    doomed.retire(line, gone=(), code=4, says="its issuer answers")
    doomed.gone()
    doomed.retire(line, gone=[*WHOLE, "by-hand"])


def test_a_budget(doomed: Doomed) -> None:
    doomed.gone()
    before = doomed.world()
    doomed.run("retire doomed --max 1 --yes", says=["1 more role left", "1 role trusts it"])
    assert len(doomed.lost(before)) == 1
    doomed.run("retire doomed --max 1 --yes")
    assert doomed.lost(before) == [*WHOLE]


def test_the_list(doomed: Doomed) -> None:
    doomed.gone()
    ran = doomed.retire("--list", gone=())
    (row,) = (item for item in ran.items if item["arn"] == ARN)
    assert (row["name"], row["roles"], row["providers"], row["status"]) == (NAME, 2, 1, "gone")
    quotas = {item["what"]: (item["used"], item["quota"]) for item in ran.metadata["quotas"]}
    assert quotas["OIDC providers"] == (2, 100)
    assert quotas["roles"][0] == len(doomed.world()["roles"])
    doomed.run("retire --list", says=[NAME, "of 100 OIDC providers"])
    doomed.sandbox.faults.add(Fault("eks", "ListClusters", "error", code="AccessDeniedException", times=1))
    ran = doomed.retire("--list", gone=(), code=1)
    assert {item["status"] for item in ran.items} == {"unknown"}


def test_a_killed_run_is_rolled_back_or_continued(doomed: Doomed) -> None:
    """With late reads of IAM; the matrix of tests/faults breaks each call."""
    doomed.gone()
    before = doomed.world()
    doomed.sandbox.faults.add(Fault("iam", "DeleteRole", "reset-before", run=doomed.stage.kill))
    doomed.run("retire doomed --max 1 --yes", code=-9)
    doomed.sandbox.settle()
    doomed.run("recover --all --yes")
    assert doomed.world() == before
    doomed.sandbox.replicate(0.3, seed=7)
    doomed.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=doomed.stage.kill))
    doomed.run("retire --all --yes", code=-9)
    doomed.sandbox.settle()
    doomed.run("retire --all --yes")
    assert doomed.lost(before) == [*WHOLE]
    assert doomed.run("recover -o json").items == []


def bound(sandbox: Sandbox, folder: Path, *namespaces: str) -> Stage:
    """The living cluster, with a binding in each namespace."""
    stage = sandbox_stage(sandbox, "demo", folder)
    stage.run("associate-oidc")
    for name in namespaces:
        stage.run(f"create-sa web -n {name} --attach-policy-arn $S3")
    return stage


def owners(stage: Stage) -> set[str]:
    """The ServiceAccounts of the roles that are there."""
    return {role["tags"].get("irsa/service-account") for role in stage.aws_world()["roles"].values()} - {None}


def test_bindings_of_namespaces_that_are_gone(sandbox: Sandbox, tmp_path: Path) -> None:
    stage = bound(sandbox, tmp_path, "pr-1", "pr-2", "pr-3", "live")
    for namespace in ("pr-1", "pr-2", "live"):
        assert stage.kube.delete(f"/api/v1/namespaces/{namespace}").status == 200
    asked = "retire --namespace pr-* -c $cluster --older-than 7d -o json"
    young = stage.run(f"{asked} --yes", says="its use is unknown", changes="")
    assert young.metadata["summary"] == {}
    sandbox.age_roles(10)
    assert stage.run(asked, changes="").metadata["summary"] == {"planned": 2}
    sandbox.faults.add(
        Fault("kubernetes", "GET namespaces", "error", match="pr-2", code="Forbidden", status=403, times=None)
    )
    ran = stage.run(f"{asked} --yes", code=1, says="namespace pr-2 was not read")
    assert ran.metadata["summary"] == {"committed": 1, "failed": 1}
    assert owners(stage) == {"pr-2/web", "pr-3/web", "live/web"}
    sandbox.faults.clear()
    assert stage.run(f"{asked} --yes").metadata["summary"] == {"committed": 1}
    assert owners(stage) == {"pr-3/web", "live/web"}
    stage.run(f"{asked} --yes", changes="")


def test_many_bindings_of_a_namespace_that_is_gone_are_read_in_lists(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    names = [f"pr-{number}" for number in range(FEW)]
    stage = bound(sandbox, tmp_path, *names)
    for namespace in names:
        assert stage.kube.delete(f"/api/v1/namespaces/{namespace}").status == 200
    sandbox.age_roles(10)
    sandbox.calls.clear()
    ran = stage.run("retire --namespace pr-* -c $cluster --older-than 7d --yes -o json")
    assert ran.metadata["summary"] == {"committed": len(names)}
    assert owners(stage) == set()
    calls = [call.operation for call in sandbox.calls]
    # Before and after the locks are taken; on a slow machine one of them may be asked again.
    assert calls.count("GetAccountAuthorizationDetails") in (2, 3)
    assert not {"ListAttachedRolePolicies", "ListRolePolicies"} & {*calls}


@pytest.mark.parametrize("shared", [False, True], ids=["adopted", "shared"])
def test_what_is_proposed_for_a_binding_of_a_gone_namespace_can_be_run(
    sandbox: Sandbox, tmp_path: Path, shared: bool
) -> None:
    stage = bound(sandbox, tmp_path, "pr-1")
    role = stage.role_of("pr-1", "web")
    name = role["arn"].rpartition("/")[2]
    if shared:
        document = {**role["trust"], "Statement": [*role["trust"]["Statement"], doc(EC2)]}
        stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    else:
        stage.iam().untag_role(RoleName=name, TagKeys=["irsa/transaction"])
        stage.iam().tag_role(RoleName=name, Tags=[{"Key": "tool", "Value": "our terraform"}])
    assert stage.kube.delete("/api/v1/namespaces/pr-1").status == 200
    sandbox.age_roles(10)
    ran = stage.run("retire --namespace pr-* -c $cluster -r eu-west-1 --yes -o json", code=4, changes="")
    steps = check_steps(ran.error["next"], "retire")
    deletion = next(words for words in steps if words[-1] in ("--force", "--ignore-maker"))
    assert deletion[0] == "delete-sa"
    assert stage.irsa(*deletion).code == 0
    assert owners(stage) == set()
