"""`irsa repoint`: a new cluster gets the roles of an old one, and nobody else notices."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.proposals import check_steps
from tests.support.sandbox_clients import administrator, client
from tests.support.stage import ACCOUNT, ROLE_ARN, Json, Ran, Stage
from tests.support.thoroughness import THOROUGH

NAMESPACE = "apps"
MAKERS = ("irsa", "hand", "eksctl", "terraform")
COUNT = 150 if THOROUGH else 2 * len(MAKERS)
TAGS = {
    "hand": {},
    "eksctl": {"alpha.eksctl.io/iamserviceaccount-name": f"{NAMESPACE}/x"},
    "terraform": {"Terraform": "true"},
}
GITHUB = {
    "Sid": "Hub",
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:org/app:*"}},
}
JENKINS = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
}

MANY = 13 * [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]
"""Statements of others: with the cluster's own, there are 14."""


class Pair:
    """Two clusters of one account, with bindings in the first."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.add_cluster(ClusterSpec("blue"))
        sandbox.add_cluster(ClusterSpec("green"))
        self.sandbox = sandbox
        self.blue, self.green = (sandbox_stage(sandbox, name, folder) for name in ("blue", "green"))
        assert self.blue.associate().code == 0
        self.green.make_namespace(NAMESPACE)
        self.blue.make_namespace(NAMESPACE)
        self.names: list[str] = []
        self.old_issuer = self.issuer(self.blue)

    def issuer(self, stage: Stage) -> str:
        eks = administrator(self.sandbox, "eks", ACCOUNT, "eu-west-1")
        found: str = eks.describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
        return found

    def provider(self, stage: Stage) -> str:
        return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.issuer(stage).removeprefix('https://')}"

    def statement(self, name: str, **more: Any) -> Json:
        prefix = self.issuer(self.blue).removeprefix("https://")
        keys = {
            f"{prefix}:sub": f"system:serviceaccount:{NAMESPACE}:{name}",
            f"{prefix}:aud": "sts.amazonaws.com",
        }
        return {
            **more,
            "Effect": "Allow",
            "Principal": {"Federated": self.provider(self.blue)},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": keys},
        }

    def bind(self, maker: str, *, account: bool = True, around: Sequence[Json] | None = None) -> str:
        """One binding in blue by a maker, with statements of others around it."""
        name = f"app-{len(self.names)}"
        self.names.append(name)
        if maker == "irsa":
            assert self.blue.create_sa(name, NAMESPACE, "--no-policy").code == 0
        else:
            if around is None:
                around = [[], [JENKINS], [GITHUB], [GITHUB, JENKINS]][len(self.names) % 4]
            statements = [*around, self.statement(name, Sid="Pods")]
            role = self.blue.iam().create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
                Tags=[{"Key": key, "Value": text} for key, text in TAGS[maker].items()],
            )["Role"]["Arn"]
            self.blue.make_account(NAMESPACE, name, annotations={ROLE_ARN: role, "x": "y"})
        if account:
            self.green.make_account(NAMESPACE, name, annotations={"note": "theirs"})
        return name

    def repoint(self, *arguments: str, back: bool = False, **how: Any) -> Ran:
        old, new = ("green", "blue") if back else ("blue", "green")
        where = ("-r", "eu-west-1")
        return self.blue.irsa("repoint", "--from", old, "--to", new, *where, *arguments, **how)

    def world(self) -> Json:
        return {"blue": self.blue.world(), "green": self.green.kube_world()}

    def trust(self, name: str) -> list[Json]:
        role = self.blue.account(NAMESPACE, name)["annotations"][ROLE_ARN].rsplit("/", 1)[-1]  # type: ignore[index]
        found: list[Json] = self.blue.aws_world()["roles"][role]["trust"]["Statement"]
        return found

    def assumes(self, stage: Stage, name: str) -> bool:
        """Whether STS takes a token of the ServiceAccount for the role that it is annotated with."""
        account = stage.account(NAMESPACE, name)
        arn = (account or {"annotations": {}})["annotations"].get(ROLE_ARN)
        if not arn:
            return False
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token"
        body = {"spec": {"audiences": ["sts.amazonaws.com"]}}
        token = stage.kube.create(path, body).body["status"]["token"]
        sts = client(self.sandbox, "sts", region="eu-west-1")
        try:
            sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="pod", WebIdentityToken=token)
        except sts.exceptions.ClientError:
            return False
        return True

    def all_assume(self, stage: Stage) -> list[bool]:
        return [self.assumes(stage, name) for name in self.names]

    @contextmanager
    def exchanging(self, *stages: Stage) -> Iterator[list[str]]:
        """While this lasts, tokens of these clusters are exchanged all the time; those that failed."""
        over, failed = threading.Event(), list[str]()

        def run() -> None:
            while not over.is_set():
                failed.extend(
                    f"{stage.cluster} {name}"
                    for stage in stages
                    for name in self.names
                    if not self.assumes(stage, name)
                )
                over.wait(0.1)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield failed
        finally:
            over.set()
            thread.join()

    def age(self) -> None:
        """All roles are old, and nothing was used for longer than CloudTrail and IAM remember."""
        for role in self.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values():
            role.create_date, role.last_used = LONG_AGO, None
        self.sandbox._front.trail.reset()

    def roles(self) -> Json:
        found: Json = self.blue.aws_world()["roles"]
        return found


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Pair:
    return Pair(sandbox, tmp_path)


LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
BLUE_CALLS = [("iam", "UpdateAssumeRolePolicy"), ("kubernetes", "PATCH serviceaccounts")]
ALL = "--include-managed"


def test_added_there_and_back_roles_are_the_same_and_tokens_work_all_the_time(pair: Pair) -> None:
    for number in range(COUNT - 1):
        pair.bind(MAKERS[number % 4])
    pair.sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    pair.bind("hand", around=MANY)
    before = pair.world()
    with pair.exchanging(pair.blue) as failed:
        added = pair.repoint("--add", ALL, "-o", "json")
        assert added.code == 0, added.err
    assert failed == []
    assert [item["outcome"] for item in added.items] == ["committed"] * (COUNT + 1)
    assert pair.all_assume(pair.blue) == [True] * COUNT
    assert pair.all_assume(pair.green) == [True] * COUNT
    both = pair.world()
    for name, role in before["blue"]["roles"].items():
        there = both["blue"]["roles"][name]["trust"]["Statement"]
        kept = [item for item in there if pair.provider(pair.green) not in json.dumps(item)]
        assert json.dumps(kept) == json.dumps(role["trust"]["Statement"])
        assert {**both["blue"]["roles"][name], "trust": 0} == {**role, "trust": 0}
    assert {**both["blue"], "roles": 0, "oidc_providers": 0} == {
        **before["blue"],
        "roles": 0,
        "oidc_providers": 0,
    }
    again = pair.repoint("--add", ALL)
    assert again.code == 0, again.err
    assert pair.world() == both
    pair.age()
    with pair.exchanging(pair.blue) as failed:
        back = pair.repoint("--retire", ALL, back=True)
        assert back.code == 0, back.err
    assert failed == []
    assert json.dumps(pair.roles()) == json.dumps(before["blue"]["roles"])
    assert pair.all_assume(pair.blue) == [True] * COUNT


def test_retired_and_added_again_roles_are_the_same(pair: Pair) -> None:
    count = COUNT if THOROUGH else len(MAKERS)
    for number in range(count):
        pair.bind(MAKERS[number % 4])
    before = pair.roles()
    assert pair.repoint("--add", ALL).code == 0
    pair.age()
    with pair.exchanging(pair.green) as failed:
        retired = pair.repoint("--retire", ALL)
        assert retired.code == 0, retired.err
    assert failed == []
    assert pair.provider(pair.blue) not in json.dumps([role["trust"] for role in pair.roles().values()])
    assert pair.all_assume(pair.blue) == [False] * count
    assert pair.all_assume(pair.green) == [True] * count
    assert pair.repoint("--verify").code == 0
    with pair.exchanging(pair.green) as failed:
        back = pair.repoint("--add", ALL, back=True)
        assert back.code == 0, back.err
    assert failed == []
    assert pair.all_assume(pair.blue) == [True] * count
    pair.age()
    assert pair.repoint("--retire", ALL, back=True).code == 0
    assert json.dumps(pair.roles()) == json.dumps(before)


def test_irsas_own_role_belongs_to_the_new_cluster_afterwards(pair: Pair) -> None:
    name = pair.bind("irsa")
    assert pair.repoint("--add").code == 0
    pair.age()
    assert pair.repoint("--retire").code == 0
    (role,) = pair.roles().values()
    assert role["tags"]["irsa/cluster"].endswith("cluster/green")
    ran = pair.green.irsa("delete-sa", name, "-n", NAMESPACE, "-c", "green", "-y")
    assert ran.code == 0, ran.err
    assert pair.roles() == {}


def test_each_role_is_judged_by_its_use(pair: Pair) -> None:
    used, unused = pair.bind("hand"), pair.bind("hand")
    assert pair.repoint("--add").code == 0
    pair.age()
    for name in pair.names:
        assert pair.assumes(pair.green, name)
    assert pair.assumes(pair.blue, used)
    ran = pair.repoint("--retire")
    assert ran.code == 0, ran.err
    assert f"{NAMESPACE}/{used} of the old cluster used it on" in ran.err
    assert "CloudTrail in eu-west-1, us-east-1 shows no token of the old cluster since" in ran.err
    assert pair.assumes(pair.blue, used)
    assert not pair.assumes(pair.blue, unused)


def test_unknown_use_is_no_proof(pair: Pair) -> None:
    name = pair.bind("hand")
    assert pair.repoint("--add").code == 0
    before = pair.roles()
    young = pair.repoint("--retire")
    assert young.code == 0, young.err
    assert "stays: it was created after" in young.err
    pair.age()
    assert pair.assumes(pair.green, name)
    pair.sandbox.faults.add(
        Fault("cloudtrail", "LookupEvents", "error", times=None, status=403, code="AccessDenied")
    )
    denied = pair.repoint("--retire")
    assert denied.code == 0, denied.err
    assert "CloudTrail in eu-west-1 could not be read" in denied.err
    assert pair.roles() == before
    pair.sandbox.faults.clear()
    asked = pair.repoint("--retire", "--unused-for", "0s", "--dry-run")
    assert "its use was not checked (--unused-for 0s)" in asked.err
    assert "1 role to change" in asked.out
    assert pair.blue.irsa("disassociate-oidc", "-c", "blue", "--force", "-y").code == 0
    gone = pair.repoint("--retire")
    assert "OIDC provider does not exist" in gone.err
    assert pair.roles() != before
    assert pair.assumes(pair.green, name)


def test_without_the_new_statements_nothing_is_retired(pair: Pair) -> None:
    pair.bind("hand")
    pair.age()
    before = pair.world()
    ran = pair.repoint("--retire")
    assert ran.code == 4, ran.err
    assert "the new cluster lacks 1 of them" in ran.err
    assert pair.world() == before
    told = pair.repoint("--retire", "-o", "json")
    (words,) = check_steps(told.error["next"], "repoint")
    assert pair.blue.irsa(*words).code == 0
    assert pair.repoint("--retire", "--unused-for", "0s").code == 0


def test_roles_of_other_tools_stay_and_their_statements_are_shown(pair: Pair) -> None:
    for maker in ("terraform", "eksctl"):
        pair.bind(maker)
    before = pair.world()
    ran = pair.repoint("--add", "--manifests", "out")
    assert ran.code == 0, ran.err
    found = pair.world()
    assert found["blue"]["roles"] == before["blue"]["roles"]
    assert found["green"] == before["green"]
    assert "Terraform manages it, so it stays" in ran.err
    assert f'variable = "{pair.issuer(pair.green).removeprefix("https://")}:sub"' in ran.out
    folder = pair.blue.folder / "out"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "trust/app-0.tf",
        "trust/app-1.json",
    ]
    document = json.loads((folder / "trust" / "app-1.json").read_text())
    assert document["Principal"] == {"Federated": pair.provider(pair.green)}


def test_a_role_that_looks_like_a_tools_stays(pair: Pair) -> None:
    name = "eksctl-blue-podidentityrole-app"
    document = {"Version": "2012-10-17", "Statement": [pair.statement("app")]}
    pair.blue.iam().create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    before = pair.world()["blue"]["roles"]
    ran = pair.repoint("--add")
    assert (ran.code, pair.world()["blue"]["roles"]) == (0, before), ran.err
    assert "it may be managed by eksctl" in ran.err
    assert pair.repoint("--add", "--include-managed").code == 0
    assert pair.world()["blue"]["roles"] != before


@pytest.mark.parametrize("names", ["../../evil:x", "apps:../../../evil", "apps:x --force", "-o:yaml"])
def test_what_a_trust_policy_names_is_no_path_and_no_flag(pair: Pair, names: str) -> None:
    statement = pair.statement("app", Sid="Pods")
    keys = statement["Condition"]["StringEquals"]
    (key,) = (key for key in keys if key.endswith(":sub"))
    keys[key] = f"system:serviceaccount:{names}"
    document = {"Version": "2012-10-17", "Statement": [statement]}
    pair.blue.iam().create_role(RoleName="odd", AssumeRolePolicyDocument=json.dumps(document))
    pair.sandbox.remove_cluster("blue")
    where = ("repoint", "--to", "green", "-r", "eu-west-1", "--from", pair.old_issuer)
    ran = pair.green.irsa(*where, "--add", "--manifests", "out")
    assert ran.code == 0, ran.err
    assert "annotate these ServiceAccounts yourself" in ran.err
    assert not list((pair.green.folder / "out").rglob("*"))


def test_service_accounts_that_are_not_there_become_manifests(pair: Pair) -> None:
    name = pair.bind("hand", account=False)
    ran = pair.repoint("--add", "--manifests", "out")
    assert ran.code == 0, ran.err
    assert f"not in green yet: ServiceAccount {NAMESPACE}/{name}" in ran.err
    (path,) = (pair.blue.folder / "out").iterdir()
    manifest = yaml.safe_load(path.read_text())
    pair.green.make_account(**manifest["metadata"])
    assert pair.all_assume(pair.green) == [True]


def test_an_old_cluster_that_is_gone_is_known_by_its_issuer(pair: Pair) -> None:
    exact = pair.bind("hand")
    issuer = pair.issuer(pair.blue)
    number = issuer.rpartition("/")[2]
    pair.sandbox.remove_cluster("blue")
    where = ("repoint", "--to", "green", "-r", "eu-west-1")
    for old in (issuer, number):
        ran = pair.green.irsa(*where, "--from", old, "--add")
        assert ran.code == 0, ran.err
        assert "ServiceAccounts were not read (no cluster of eu-west-1 has its issuer)" in ran.err
        assert pair.assumes(pair.green, exact)
    marked = pair.green.irsa(*where, "--from", "blue", "--add")
    assert marked.code == 0, marked.err  # Its provider bears irsa's mark.
    assert "were not read (it is gone)" in marked.err
    unknown = pair.green.irsa(*where, "--from", "0" * 32, "--add")
    assert unknown.code == 0, unknown.err
    assert "no role that was selected trusts arn:aws:iam::" in unknown.err
    by_id = ("repoint", "--from", number, "--to", pair.issuer(pair.green), "-r", "eu-west-1", "-o", "json")
    (item,) = pair.green.irsa(*by_id).items
    assert (item["repoint"]["old"], item["repoint"]["new"], item["repoint"]["missing"]) == (1, 1, 0)


@pytest.mark.parametrize("kind", ["error", "callback"])
@pytest.mark.parametrize(
    ("step", "call"),
    [
        ("--add", ("iam", "CreateOpenIDConnectProvider")),
        ("--add", ("iam", "UpdateAssumeRolePolicy")),
        ("--add", ("kubernetes", "PATCH serviceaccounts")),
        ("--retire", ("iam", "UpdateAssumeRolePolicy")),
        ("--retire", ("iam", "TagRole")),
    ],
)
def test_a_run_killed_at_a_call_is_continued_elsewhere(
    pair: Pair, step: str, call: tuple[str, str], kind: Any
) -> None:
    """Killed before or after the call is executed; then another machine, without the journal, goes on."""
    for maker in ("irsa", "hand"):
        pair.bind(maker)
    if step == "--retire":
        assert pair.repoint("--add").code == 0
        pair.age()
    pair.sandbox.faults.add(Fault(*call, kind, run=pair.blue.kill))
    assert pair.repoint(step).code == -9
    pair.sandbox.settle()
    assert pair.all_assume(pair.green if step == "--retire" else pair.blue) == [True, True]
    ran = pair.repoint(step, IRSA_STATE_DIR="other")
    assert ran.code == 0, ran.err
    assert pair.all_assume(pair.green) == [True, True]
    assert pair.all_assume(pair.blue) == [step == "--add"] * 2
    wanted = 2 if step == "--add" else 1
    assert [len(role["trust"]["Statement"]) for role in pair.roles().values()] == [wanted, wanted + 1]


@pytest.mark.parametrize("lag", [0.0, 0.7, 2.5])
def test_late_reads_lose_nothing(pair: Pair, lag: float) -> None:
    """By replicas that answer with an older state, or by a delay."""
    for maker in ("irsa", "hand"):
        pair.bind(maker)
    if lag:
        pair.sandbox.lag = lag
    else:
        pair.sandbox.replicate(0.7, 3)
    assert pair.repoint("--add").code == 0
    pair.sandbox.settle()
    both = pair.roles()
    pair.age()
    assert pair.repoint("--retire").code == 0
    pair.sandbox.settle()
    assert [len(role["trust"]["Statement"]) for role in both.values()] == [2, 3]
    now = pair.roles()
    assert [len(role["trust"]["Statement"]) for role in now.values()] == [1, 2], now
    assert json.dumps(GITHUB) in json.dumps(pair.roles())


def test_one_that_would_be_too_large_stops_no_other(pair: Pair) -> None:
    large, small = pair.bind("hand"), pair.bind("hand")
    more = [pair.statement(f"other-{number}") for number in range(3)]
    document = {"Version": "2012-10-17", "Statement": [pair.statement(large), *more]}
    pair.blue.iam().update_assume_role_policy(RoleName=large, PolicyDocument=json.dumps(document))
    before = pair.trust(large)
    ran = pair.repoint("--add")
    assert ran.code == 1, ran.err
    assert "would be too large" in ran.err
    assert f"{large} has room for" in ran.err
    assert pair.trust(large) == before
    assert pair.all_assume(pair.green) == [False, True]
    assert small in pair.names


def test_a_saved_plan_is_carried_out_exactly(pair: Pair) -> None:
    for maker in ("irsa", "hand"):
        pair.bind(maker)
    before = pair.world()
    planned = pair.repoint("--add", "--dry-run", "--out", "plan.json")
    assert planned.code == 0, planned.err
    assert pair.world() == before
    assert "2 roles to change" in planned.out
    applied = pair.blue.irsa("apply", "plan.json", "-y")
    assert applied.code == 0, applied.err
    assert pair.all_assume(pair.green) == [True, True]


def test_verify_tells_what_does_not_work(pair: Pair) -> None:
    name = pair.bind("hand")
    assert pair.repoint("--add").code == 0
    good = pair.repoint("--verify")
    assert good.code == 0, good.err
    assert f"green: STS took tokens of {NAMESPACE}/{name}" in good.err
    assert f"blue: STS took tokens of {NAMESPACE}/{name}" in good.err
    nobody = pair.blue.restricted((("create",), ("serviceaccounts/token",)))
    unread = pair.repoint("--verify", user=nobody)
    assert unread.code == 1, unread.err
    assert "can't be read" in unread.err
    pair.blue.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=pair.provider(pair.green))
    bad = pair.repoint("--verify", IRSA_RETRY="1s")
    assert bad.code == 5, bad.err
    assert f"green {NAMESPACE}/{name}:" in bad.err


def test_roles_are_selected_by_name_path_and_namespace(pair: Pair) -> None:
    for maker in ("irsa", "hand", "hand"):
        pair.bind(maker)

    def shown(*arguments: str) -> int:
        return len(pair.repoint(*arguments, "-o", "json").items)

    assert shown() == 3
    assert shown("app-?") == 2
    assert shown("--role-path", "/irsa/") == 1
    assert shown("-n", NAMESPACE) == 3
    assert shown("-n", "other") == 0
    text = pair.repoint("--status")
    assert "SERVICEACCOUNTS IN NEW" in text.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--add", "--retire"), "contradict each other"),
        (("--manifests", "x"), "--manifests needs --add"),
        (("--retire", "--force"), "--force needs --add"),
        (("--allow-wide-trust",), "--allow-wide-trust needs --add or --retire"),
        (("--verify", ALL), "--include-managed needs"),
        (("--role-path", "x"), "begins and ends with /"),
        (("--unused-for", "soon", "--retire"), "is not a duration"),
        (("-c", "other"), "--to is the new cluster"),
    ],
)
def test_wrong_usage_ends_before_the_first_call(pair: Pair, arguments: tuple[str, ...], said: str) -> None:
    pair.sandbox.calls.clear()
    ran = pair.repoint(*arguments)
    assert ran.code == 2, ran.err
    assert said in ran.err
    assert pair.sandbox.calls == []


FORMS = ("{issuer}/", "{bare}", "{provider}", "arn:aws:eks:eu-west-1:111122223333:cluster/{name}")


@pytest.mark.parametrize("form", FORMS)
def test_clusters_are_named_as_people_paste_them(pair: Pair, form: str) -> None:
    pair.bind("hand")
    old, new = (
        form.format(
            issuer=pair.issuer(stage),
            bare=pair.issuer(stage).removeprefix("https://"),
            provider=pair.provider(stage),
            name=stage.cluster,
        )
        for stage in (pair.blue, pair.green)
    )
    ran = pair.blue.irsa("repoint", "--from", old, "--to", new, "-r", "eu-west-1", "-o", "json")
    assert ran.code == 0, ran.err
    (item,) = ran.items
    assert (item["repoint"]["old"], item["repoint"]["missing"]) == (1, 1)
    assert item["cluster"]["name"] == "green"


def test_the_old_cluster_may_be_in_another_region(pair: Pair) -> None:
    pair.sandbox.add_cluster(ClusterSpec("green", region="eu-central-1"))
    far = sandbox_stage(pair.sandbox, "green", pair.blue.folder, region="eu-central-1")
    far.make_namespace(NAMESPACE)
    assert far.associate().code == 0
    pair.bind("hand", account=False)
    arn = f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/green"
    added = pair.blue.irsa("repoint", "--from", pair.old_issuer, "--to", arn, "--add", "-o", "json")
    assert added.code == 0, added.err
    assert "were not read" not in added.err
    status = pair.blue.irsa("repoint", "--from", arn, "--to", "blue", "-r", "eu-west-1", "-o", "json")
    assert status.code == 0, status.err
    assert [item["repoint"]["missing"] for item in status.items] == [0]
    elsewhere = arn.replace(ACCOUNT, "999999999999")
    other = pair.blue.irsa("repoint", "--from", elsewhere, "--to", "blue", "-r", "eu-west-1")
    assert (other.code, "is in another account" in other.err) == (4, True), other.err
    both = pair.blue.irsa("repoint", "--from", "blue", "--to", arn, "-r", "eu-west-1")
    assert (both.code, "--to is in eu-central-1" in both.err) == (2, True), both.err


def test_a_statement_for_everybody_is_named(pair: Pair) -> None:
    statement = {**pair.statement("wide"), "Principal": {"AWS": "*"}}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    pair.blue.iam().create_role(RoleName="wide", AssumeRolePolicyDocument=json.dumps(document))
    ran = pair.repoint("--add", "--dry-run")
    assert ran.code == 0, ran.err
    assert "role wide allows everybody with conditions on the old issuer" in ran.err


def test_the_command_of_a_refusal_can_be_run(pair: Pair) -> None:
    pair.bind("hand")
    pair.age()
    refused = pair.repoint("--retire")
    assert refused.code == 4, refused.err
    (line,) = (text.strip() for text in refused.err.splitlines() if "irsa repoint" in text)
    command = shlex.split(line.removeprefix("Next:"))
    assert pair.blue.irsa(*command[1:]).code == 0
    assert pair.repoint("--retire").code == 0


@pytest.mark.parametrize("step", ["--add", "--retire"])
def test_a_late_write_undoes_no_other_statement(pair: Pair, step: str) -> None:
    """The first write of two has no answer, and is executed when both are there."""
    name = pair.bind("hand", around=[pair.statement("mate", Sid="Mate")])
    if step == "--retire":
        pair.blue.iam().update_assume_role_policy(
            RoleName=name,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [*pair.trust(name), JENKINS]}),
        )
        assert pair.repoint("--add").code == 0
        pair.age()
    pair.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "late", seconds=0.75))
    ran = pair.repoint(step, IRSA_CALL_TIMEOUT="0.5")
    assert ran.code == 0, ran.err
    time.sleep(1.5)
    names = [item["Principal"].get("Federated") for item in pair.trust(name)]
    wanted = {"--add": (2, 2), "--retire": (0, 2)}[step]
    assert (names.count(pair.provider(pair.blue)), names.count(pair.provider(pair.green))) == wanted


def test_a_name_of_no_role_is_refused(pair: Pair) -> None:
    name = pair.bind("hand")
    before = pair.world()
    for step in ("--add", "--retire", "--verify", "--status"):
        ran = pair.repoint(step, name, "ap-*", "-o", "json")
        assert (ran.code, "no role is called ap-*" in ran.err) == (4, True), ran.err
        check_steps(ran.error["next"], "repoint")
    assert pair.repoint("--add", name, "--role-path", "/irsa/").code == 4
    assert pair.world() == before


def test_a_role_that_no_longer_trusts_the_old_cluster_is_unchanged(pair: Pair) -> None:
    name = pair.bind("hand")
    pair.blue.iam().create_role(
        RoleName="apart",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [JENKINS]}),
    )
    assert pair.repoint("--add").code == 0
    assert pair.repoint("--retire", "--unused-for", "0s").code == 0
    before = pair.world()
    for names in ((name,), ("app-*",), ("apart",), (name, "apart")):
        for step in ("--retire", "--add"):
            ran = pair.repoint(step, *names, "-o", "json")
            assert (ran.code, ran.metadata["summary"]["unchanged"]) == (0, len(names)), ran.err
            assert {item["outcome"] for item in ran.items if item["role"]} == {"unchanged"}
    assert pair.repoint("--retire", "a*", "-o", "json").metadata["summary"] == {"unchanged": 1}
    assert pair.world() == before


def barring(pair: Pair, name: str) -> Json:
    """A Deny of the old cluster for one ServiceAccount."""
    return {**pair.statement(name, Sid="Barred"), "Effect": "Deny"}


def shares(pair: Pair, name: str, *more: Json) -> None:
    """Both clusters trust the role of a binding, each by a statement of its own, and green uses it."""
    old, new = (pair.issuer(stage).removeprefix("https://") for stage in (pair.blue, pair.green))
    own = json.loads(json.dumps(pair.statement(name)).replace(old, new))
    document = {"Version": "2012-10-17", "Statement": [*more, pair.statement(name, Sid="Pods"), own]}
    pair.blue.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    pair.green.make_account(NAMESPACE, name, annotations={ROLE_ARN: role})
    assert pair.green.associate().code == 0


def test_running_pods_of_the_new_cluster_keep_the_role(pair: Pair) -> None:
    """A Deny of the old cluster is not copied if it takes the role from somebody of the new one."""
    name, other = pair.bind("hand", account=False), pair.bind("hand")
    shares(pair, name, barring(pair, name))
    assert pair.assumes(pair.green, name)
    before = pair.roles()
    ran = pair.repoint("--add", "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (1, {"committed": 1, "unchanged": 1, "refused": 1}), ran.err
    assert f"{name} would be denied to {NAMESPACE}/{name} of the new cluster" in ran.err
    assert pair.roles()[name] == before[name]
    assert pair.assumes(pair.green, name)
    assert pair.assumes(pair.green, other)
    alone = pair.repoint("--add", name)
    assert alone.code == 4, alone.err
    assert "run this again with --force" in alone.err
    forced = pair.repoint("--add", name, "--force")
    assert (forced.code, "would be denied" in forced.err) == (0, True), forced.err
    assert not pair.assumes(pair.green, name)


def test_a_condition_of_the_new_cluster_holds(pair: Pair) -> None:
    name = pair.bind("hand", account=False)
    shares(pair, name)
    found = pair.trust(name)
    found[1]["Condition"]["IpAddress"] = {"aws:SourceIp": "10.0.0.0/8"}
    document = {"Version": "2012-10-17", "Statement": found}
    pair.blue.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    ran = pair.repoint("--add")
    assert (ran.code, "aws:SourceIp matches '10.0.0.0/8'" in ran.err) == (4, True), ran.err
    assert not pair.assumes(pair.green, name)
    assert pair.trust(name) == found
    assert pair.repoint("--add", "--force").code == 0
    assert pair.assumes(pair.green, name)


def test_a_powerful_role_needs_the_flag(pair: Pair) -> None:
    strong, plain = pair.bind("hand"), pair.bind("irsa")
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    pair.blue.iam().attach_role_policy(RoleName=strong, PolicyArn=arn)
    before = pair.roles()[strong]
    ran = pair.repoint("--add", "-o", "json")
    assert ran.code == 1, ran.err
    assert f"role/{strong} is too powerful for {NAMESPACE}/{strong}" in ran.err
    assert "--allow-wide-trust" in ran.err
    assert pair.roles()[strong] == before
    assert [pair.assumes(pair.green, name) for name in (strong, plain)] == [False, True]
    wide = pair.repoint("--add", "--allow-wide-trust")
    assert wide.code == 0, wide.err
    assert pair.assumes(pair.green, strong)
    assert pair.repoint("--add").code == 0


def test_nobody_of_the_old_cluster_gets_a_role_by_its_removal(pair: Pair) -> None:
    name = pair.bind("hand")
    everybody = {**pair.statement(name, Sid="All"), "Principal": {"AWS": "*"}}
    document = {"Version": "2012-10-17", "Statement": [barring(pair, name), everybody]}
    pair.blue.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    assert pair.repoint("--add").code == 0
    before = pair.roles()
    ran = pair.repoint("--retire", "--unused-for", "0s")
    assert (ran.code, "of the old cluster could assume" in ran.err) == (4, True), ran.err
    assert pair.roles() == before
    assert not pair.assumes(pair.blue, name)


def test_the_way_back_restores_a_deny(pair: Pair) -> None:
    """There is nothing of the old cluster by then, so nobody of it loses anything."""
    name = pair.bind("hand")
    barred = barring(pair, "barred")
    document = {"Version": "2012-10-17", "Statement": [barred, pair.statement(name, Sid="Pods")]}
    pair.blue.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    before = pair.roles()
    assert pair.repoint("--add").code == 0
    assert pair.repoint("--retire", "--unused-for", "0s").code == 0
    back = pair.repoint("--add", back=True)
    assert back.code == 0, back.err
    assert pair.repoint("--retire", "--unused-for", "0s", back=True).code == 0
    assert json.dumps(pair.roles()) == json.dumps(before)


def test_a_use_that_iam_does_not_show_yet_is_seen_in_cloudtrail(pair: Pair) -> None:
    """IAM shows a use some hours later: the old cluster's pods exchanged a minute ago."""
    used, unused = pair.bind("hand"), pair.bind("hand")
    assert pair.repoint("--add").code == 0
    pair.age()
    assert pair.assumes(pair.blue, used)
    for role in pair.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values():
        role.last_used = None
    ran = pair.repoint("--retire")
    assert ran.code == 0, ran.err
    assert f"IAM does not show it yet, but {NAMESPACE}/{used} of the old cluster used it on" in ran.err
    assert pair.assumes(pair.blue, used)
    assert not pair.assumes(pair.blue, unused)
    assert pair.repoint("--retire", "--unused-for", "0s").code == 0
    assert not pair.assumes(pair.blue, used)


def test_what_cloudtrail_can_not_show_yet_is_no_proof(pair: Pair) -> None:
    name = pair.bind("hand")
    assert pair.repoint("--add").code == 0
    pair.age()
    ran = pair.repoint("--retire", "--unused-for", "10m")
    assert (ran.code, "CloudTrail can be 15 minutes late" in ran.err) == (0, True), ran.err
    assert pair.assumes(pair.blue, name)
