"""`irsa repoint`: a new cluster gets the roles of an old one, and nobody else notices."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from irsa_cli.usecases.write import repoint_reads
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import doc
from tests.support.proposals import check_steps
from tests.support.rows import Running
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
GITHUB = doc(
    """{"Sid": "Hub", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/<hub>"},
        "Condition": {"StringLike": {"<hub>:sub": "repo:org/app:*"}}}""",
    hub="token.actions.githubusercontent.com",
)
JENKINS = doc(
    """{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}"""
)
S3 = '{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}'
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
ALL = "--include-managed"


class Pair(Running):
    """Two clusters of one account, with bindings in the first; commands are about both."""

    cluster = "blue"

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.add_cluster(ClusterSpec("blue"))
        sandbox.add_cluster(ClusterSpec("green"))
        self.sandbox = sandbox
        self.blue, self.green = (sandbox_stage(sandbox, name, folder) for name in ("blue", "green"))
        self.issuers = {}
        for stage in (self.blue, self.green):
            stage.make_namespace(NAMESPACE)
            eks = administrator(sandbox, "eks", ACCOUNT, "eu-west-1")
            found = eks.describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
            self.issuers[stage.cluster] = found
        assert self.blue.associate().code == 0
        self.names: list[str] = []
        self.words = {"account": ACCOUNT, "number": self.issuers["blue"].rpartition("/")[2]}
        for name, stage in (("old", self.blue), ("new", self.green)):
            self.words |= {name: self.issuer(stage), f"{name}_provider": self.provider(stage)}

    def irsa(self, *arguments: str, **options: Any) -> Ran:
        """Run irsa without the one cluster that `run` names; repoint goes from blue to green."""
        words = arguments[:-2] if arguments[-2:] == ("-c", self.cluster) else arguments
        if words[0] == "repoint" and "--from" not in words:
            words = ("repoint", "--from", "blue", "--to", "green", "-r", "eu-west-1", *words[1:])
        return self.blue.irsa(*words, **options)

    def issuer(self, stage: Stage) -> str:
        return str(self.issuers[stage.cluster])

    def provider(self, stage: Stage) -> str:
        return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.issuer(stage).removeprefix('https://')}"

    def statement(self, name: str, **more: Any) -> Json:
        made = doc(
            """{"Effect": "Allow", "Action": ["sts:AssumeRoleWithWebIdentity"],
                "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/<issuer>"},
                "Condition": {"StringEquals": {"<issuer>:sub": "system:serviceaccount:apps:<name>",
                "<issuer>:aud": "sts.amazonaws.com"}}}""",
            issuer=self.issuer(self.blue).removeprefix("https://"),
            name=name,
        )
        return {**more, **made, **more}

    def make_role(self, name: str, *statements: Json, tags: Json | None = None) -> str:
        """Make a role of somebody else's; returns its ARN."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        marks = [{"Key": key, "Value": text} for key, text in (tags or {}).items()]
        made = self.blue.iam().create_role(RoleName=name, AssumeRolePolicyDocument=document, Tags=marks)
        return str(made["Role"]["Arn"])

    def trusts(self, name: str, *statements: Json) -> None:
        """Write a role's trust policy as its owner does."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.blue.iam().update_assume_role_policy(RoleName=name, PolicyDocument=document)

    def bind(self, maker: str, *, account: bool = True, around: Sequence[Json] | None = None) -> str:
        """One binding in blue by a maker, with statements of others around it."""
        name = f"app-{len(self.names)}"
        self.names.append(name)
        if maker == "irsa":
            self.blue.run(f"create-sa {name} -n {NAMESPACE} --no-policy")
        else:
            if around is None:
                around = [[], [JENKINS], [GITHUB], [GITHUB, JENKINS]][len(self.names) % 4]
            role = self.make_role(name, *around, self.statement(name, Sid="Pods"), tags=TAGS[maker])
            self.blue.make_account(NAMESPACE, name, annotations={ROLE_ARN: role, "x": "y"})
        if account:
            self.green.make_account(NAMESPACE, name, annotations={"note": "theirs"})
        return name

    def repoint(self, *arguments: str, back: bool = False, **how: Any) -> Ran:
        """Go from blue to green, or back."""
        return self.irsa("repoint", *arguments, *(BACK.split() if back else ()), **how)

    def world(self) -> Json:
        """Both clusters; providers are called by their cluster, and a role says which ones it admits."""
        text = json.dumps({**self.blue.world(), "green": self.green.kube_world()["serviceaccounts"]})
        for name, issuer in self.issuers.items():
            text = text.replace(issuer.removeprefix("https://"), name)
        found: Json = json.loads(text)
        for role in found["roles"].values():
            trust = json.dumps(role["trust"])
            role["admits"] = [name for name in self.issuers if f"oidc-provider/{name}" in trust]
        return found

    def admitted(self) -> list[list[str]]:
        """The clusters that each role admits."""
        return [role["admits"] for role in self.world()["roles"].values()]

    def trust(self, name: str) -> list[Json]:
        account = self.blue.account(NAMESPACE, name)
        assert account is not None
        role = account["annotations"][ROLE_ARN].rsplit("/", 1)[-1]
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
    def exchanging(self, stage: Stage) -> Iterator[None]:
        """While this lasts, tokens of a cluster are exchanged all the time, and none may fail."""
        over, failed = threading.Event(), list[str]()

        def run() -> None:
            while not over.is_set():
                failed.extend(name for name in self.names if not self.assumes(stage, name))
                over.wait(0.1)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert failed == []

    def age(self) -> None:
        """All roles are old, and nothing was used for longer than CloudTrail and IAM remember."""
        for role in self.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values():
            role.create_date, role.last_used = LONG_AGO, None
        self.sandbox._front.trail.reset()

    def added(self, *makers: str) -> None:
        """Bindings of makers, which green has, too; all are old."""
        for maker in makers:
            self.bind(maker)
        self.run("repoint --add")
        self.age()

    def roles(self) -> str:
        """All roles, to the byte."""
        return json.dumps(self.blue.aws_world()["roles"])


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Pair:
    return Pair(sandbox, tmp_path)


BACK = "--from green --to blue -r eu-west-1"


def without_green(world: Json) -> str:
    """A world without what makes the new cluster's pods admitted."""
    for role in world["roles"].values():
        statements = role["trust"]["Statement"]
        role["trust"]["Statement"] = [item for item in statements if "r/green" not in json.dumps(item)]
        del role["admits"]
    return json.dumps({**world, "oidc_providers": 0, "green": 0})


def test_added_there_and_back_roles_are_the_same_and_tokens_work_all_the_time(pair: Pair) -> None:
    for number in range(COUNT - 1):
        pair.bind(MAKERS[number % 4])
    pair.sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    pair.bind("hand", around=13 * [json.loads(S3)])
    before, roles = pair.world(), pair.roles()
    with pair.exchanging(pair.blue):
        added = pair.run("repoint --add --include-managed -o json")
    assert [item["outcome"] for item in added.items] == ["committed"] * (COUNT + 1)
    assert pair.all_assume(pair.blue) == pair.all_assume(pair.green) == [True] * COUNT
    assert without_green(pair.world()) == without_green(before)
    pair.run("repoint --add --include-managed", changes="")
    pair.age()
    with pair.exchanging(pair.blue):
        pair.run(f"repoint --retire --include-managed {BACK}")
    assert pair.roles() == roles
    assert pair.all_assume(pair.blue) == [True] * COUNT


def test_irsas_own_role_belongs_to_the_new_cluster_afterwards(pair: Pair) -> None:
    pair.added("irsa")
    pair.run("repoint --retire --dry-run --out plan.json", says="1 role to change", changes="")
    with pair.exchanging(pair.green):
        pair.run("apply plan.json -y")
    (role,) = pair.world()["roles"].values()
    assert role["tags"]["irsa/cluster"].endswith("cluster/green")
    pair.run("repoint --verify", changes="")
    pair.green.run("delete-sa app-0 -n apps -y")
    assert pair.roles() == "{}"


def test_each_role_is_judged_by_its_use(pair: Pair) -> None:
    """By IAM, or by CloudTrail alone, some hours earlier."""
    pair.added("hand", "hand")
    assert pair.all_assume(pair.green) == [True, True]
    assert pair.assumes(pair.blue, "app-0")
    no_token = "CloudTrail in eu-west-1, us-east-1 shows no token of the old cluster since"
    pair.run("repoint --retire", says=["apps/app-0 of the old cluster used it on", no_token])
    assert pair.all_assume(pair.blue) == [True, False]
    for role in pair.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values():
        role.last_used = None
    said = "IAM does not show it yet, but apps/app-0 of the old cluster used it on"
    pair.run("repoint --retire", says=said, changes="")
    pair.run("repoint --retire --unused-for 0s")
    assert pair.all_assume(pair.blue) == [False, False]


def test_unknown_use_is_no_proof(pair: Pair) -> None:
    pair.bind("hand")
    pair.run("repoint --add")
    pair.run("repoint --retire", says="stays: it was created after", changes="")
    pair.age()
    pair.run("repoint --retire --unused-for 10m", says="CloudTrail can be 15 minutes late", changes="")
    assert pair.assumes(pair.green, "app-0")
    pair.sandbox.faults.add(
        Fault("cloudtrail", "LookupEvents", "error", times=None, status=403, code="AccessDenied")
    )
    pair.run("repoint --retire", says="CloudTrail in eu-west-1 could not be read", changes="")
    pair.sandbox.faults.clear()
    said = ["its use was not checked (--unused-for 0s)", "1 role to change"]
    pair.run("repoint --retire --unused-for 0s --dry-run", says=said, changes="")
    pair.blue.run("disassociate-oidc --force -y")
    pair.run("repoint --retire", says="OIDC provider does not exist")
    assert pair.admitted() == [["green"]]
    assert pair.assumes(pair.green, "app-0")


def test_without_the_new_statements_nothing_is_retired(pair: Pair) -> None:
    pair.bind("hand")
    pair.age()
    pair.run("repoint --retire", code=4, says=["the new cluster lacks 1 of them", "irsa repoint"], changes="")
    told = pair.run("repoint --retire -o json", code=4)
    (words,) = check_steps(told.error["next"], "repoint")
    assert pair.irsa(*words).code == 0
    pair.run("repoint --retire")
    assert pair.admitted() == [["green"]]


def test_roles_of_other_tools_stay_and_their_statements_are_shown(pair: Pair) -> None:
    for maker in ("terraform", "eksctl"):
        pair.bind(maker)
    pair.make_role("eksctl-blue-podidentityrole-app", pair.statement("app"))
    pair.words["key"] = pair.issuer(pair.green).removeprefix("https://")
    pair.run(
        "repoint --add --manifests out",
        says=[
            "Terraform manages it, so it stays",
            'variable = "$key:sub"',
            "it may be managed by eksctl",
        ],
        changes="""+ provider green
            + provider green audiences sts.amazonaws.com
            + provider green tags irsa/cluster green""",
    )
    folder = pair.blue.folder / "out"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert names >= {"trust/app-0.tf", "trust/app-1.json"}
    document = json.loads((folder / "trust" / "app-1.json").read_text())
    assert document["Principal"] == {"Federated": pair.provider(pair.green)}
    pair.run("repoint --add --include-managed")
    assert pair.admitted() == [["blue", "green"]] * 3


def test_what_a_trust_policy_names_is_no_path_and_no_flag(pair: Pair) -> None:
    text = json.dumps(pair.statement("app", Sid="Pods"))
    names = ("../../evil:x", "apps:../../../evil", "apps:x --force", "-o:yaml")
    for number, name in enumerate(names):
        pair.make_role(f"odd-{number}", json.loads(text.replace("apps:app", name)))
    pair.sandbox.remove_cluster("blue")
    ran = pair.run("repoint --to green -r eu-west-1 --from $old --add --manifests out")
    assert ran.err.count("annotate these ServiceAccounts yourself") == len(names)
    assert not list((pair.blue.folder / "out").rglob("*"))


def test_service_accounts_that_are_not_there_become_manifests(pair: Pair) -> None:
    pair.bind("hand", account=False)
    pair.run("repoint --add --manifests out", says="not in green yet: ServiceAccount apps/app-0")
    (path,) = (pair.blue.folder / "out").iterdir()
    pair.green.make_account(**yaml.safe_load(path.read_text())["metadata"])
    assert pair.all_assume(pair.green) == [True]


def test_an_old_cluster_that_is_gone_is_known_by_its_issuer(pair: Pair) -> None:
    pair.bind("hand")
    pair.sandbox.remove_cluster("blue")
    where = "repoint --to green -r eu-west-1"
    unread = "ServiceAccounts were not read (no cluster of eu-west-1 has its issuer)"
    for old, said in {
        "$old": unread,
        "$number": unread,
        "blue": "were not read (it is gone)",  # Its provider bears irsa's mark.
        "0" * 32: "no role that was selected trusts arn:aws:iam::",
    }.items():
        pair.run(f"{where} --from {old} --add", says=said)
        assert pair.assumes(pair.green, "app-0")
    (item,) = pair.run("repoint --from $number --to $new -r eu-west-1 -o json").items
    assert (item["repoint"]["old"], item["repoint"]["new"], item["repoint"]["missing"]) == (1, 1, 0)


def test_a_killed_run_is_continued_elsewhere(pair: Pair) -> None:
    """By another machine, without the journal; the matrix of tests/faults breaks each call of both."""
    for maker in ("irsa", "hand"):
        pair.bind(maker)
    for step, before, after in (("--add", pair.blue, ["blue", "green"]), ("--retire", pair.green, ["green"])):
        pair.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "callback", run=pair.blue.kill))
        pair.run(f"repoint {step}", code=-9, IRSA_LOCK="0")
        pair.sandbox.settle()
        assert pair.all_assume(before) == [True, True]
        pair.run(f"repoint {step}", IRSA_STATE_DIR="other", IRSA_LOCK="0")
        assert (pair.all_assume(before), pair.admitted()) == ([True, True], [after] * 2)
        pair.age()
    assert pair.all_assume(pair.blue) == [False, False]
    assert json.dumps(GITHUB) in pair.roles()


def test_verify_tells_what_does_not_work(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repoint_reads, "SPREAD_SECONDS", 1.0)
    pair.added("hand")
    took = "STS took tokens of apps/app-0"
    pair.run("repoint --verify", says=[f"green: {took}", f"blue: {took}"], changes="")
    nobody = pair.blue.restricted((("create",), ("serviceaccounts/token",)))
    pair.run("repoint --verify", code=1, says="can't be read", user=nobody)
    pair.blue.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=pair.provider(pair.green))
    pair.run("repoint --verify", code=5, says="green apps/app-0:")


def test_roles_are_selected_by_name_path_and_namespace(pair: Pair) -> None:
    for maker in ("irsa", "hand", "hand"):
        pair.bind(maker)
    counts = {"": 3, "app-?": 2, "--role-path /irsa/": 1, "-n apps": 3, "-n other": 0}
    assert {line: len(pair.run(f"repoint {line} -o json").items) for line in counts} == counts
    pair.run("repoint --status", says="SERVICEACCOUNTS IN NEW", changes="")


def test_wrong_usage_ends_before_the_first_call(pair: Pair) -> None:
    pair.sandbox.calls.clear()
    for line, said in {
        "--add --retire": "contradict each other",
        "--manifests x": "--manifests needs --add",
        "--retire --force": "--force needs --add",
        "--allow-wide-trust": "--allow-wide-trust needs --add or --retire",
        "--verify --include-managed": "--include-managed needs",
        "--role-path x": "begins and ends with /",
        "--unused-for soon --retire": "is not a duration",
        "-c other": "--to is the new cluster",
    }.items():
        pair.run(f"repoint {line}", code=2, says=said)
    assert pair.sandbox.calls == []


def test_clusters_are_named_as_people_paste_them(pair: Pair) -> None:
    pair.bind("hand")
    arn = "arn:aws:eks:eu-west-1:$account:cluster"
    for old, new in {
        "$old/": "$new/",
        "oidc.eks.eu-west-1.amazonaws.com/id/$number": "$new",
        "$old_provider": "$new_provider",
        f"{arn}/blue": f"{arn}/green",
    }.items():
        (item,) = pair.run(f"repoint --from {old} --to {new} -r eu-west-1 -o json").items
        assert (item["repoint"]["old"], item["repoint"]["missing"]) == (1, 1)
        assert item["cluster"]["name"] == "green"


def test_the_old_cluster_may_be_in_another_region(pair: Pair) -> None:
    pair.sandbox.add_cluster(ClusterSpec("green", region="eu-central-1"))
    far = sandbox_stage(pair.sandbox, "green", pair.blue.folder, region="eu-central-1")
    far.make_namespace(NAMESPACE)
    far.run("associate-oidc")
    pair.bind("hand", account=False)
    pair.words["far"] = f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/green"
    pair.run("repoint --from $old --to $far --add -o json", silent="were not read")
    status = pair.run("repoint --from $far --to blue -r eu-west-1 -o json")
    assert [item["repoint"]["missing"] for item in status.items] == [0]
    pair.words["elsewhere"] = pair.words["far"].replace(ACCOUNT, "999999999999")
    pair.run("repoint --from $elsewhere --to blue -r eu-west-1", code=4, says="is in another account")
    pair.run("repoint --from blue --to $far -r eu-west-1", code=2, says="--to is in eu-central-1")


def test_a_statement_for_everybody_is_named(pair: Pair) -> None:
    pair.make_role("wide", pair.statement("wide", Principal={"AWS": "*"}))
    said = "role wide allows everybody with conditions on the old issuer"
    pair.run("repoint --add --dry-run", says=said, changes="")


def test_a_late_write_undoes_no_other_statement(pair: Pair) -> None:
    """The first write of two has no answer, and is executed when both are there."""
    name = pair.bind("hand", around=[pair.statement("mate", Sid="Mate")])
    for step, blue in (("--add", 2), ("--retire", 0)):
        pair.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "late", seconds=0.75))
        pair.run(f"repoint {step}", IRSA_CALL_TIMEOUT="0.5")
        pair.sandbox.settle()
        admitted = [item["Principal"].get("Federated") for item in pair.trust(name)]
        assert [admitted.count(pair.provider(stage)) for stage in (pair.blue, pair.green)] == [blue, 2]
        pair.age()


def test_a_name_of_no_role_is_refused(pair: Pair) -> None:
    pair.bind("hand")
    for step in ("--add", "--retire", "--verify", "--status"):
        ran = pair.run(
            f"repoint {step} app-0 ap-* -o json", code=4, says="no role is called ap-*", changes=""
        )
        check_steps(ran.error["next"], "repoint")
    pair.run("repoint --add app-0 --role-path /irsa/", code=4, changes="")


def test_a_role_that_no_longer_trusts_the_old_cluster_is_unchanged(pair: Pair) -> None:
    pair.make_role("apart", JENKINS)
    pair.added("hand")
    pair.run("repoint --retire --unused-for 0s")
    for names in ("app-0", "app-*", "apart", "app-0 apart"):
        for step in ("--retire", "--add"):
            ran = pair.run(f"repoint {step} {names} -o json", changes="")
            assert ran.metadata["summary"]["unchanged"] == len(names.split())
            assert {item["outcome"] for item in ran.items if item["role"]} == {"unchanged"}
    assert pair.run("repoint --retire a* -o json").metadata["summary"] == {"unchanged": 1}


def test_a_powerful_role_needs_the_flag(pair: Pair) -> None:
    for maker in ("hand", "irsa"):
        pair.bind(maker)
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    pair.blue.iam().attach_role_policy(RoleName="app-0", PolicyArn=arn)
    said = ["role/app-0 is too powerful for apps/app-0", "--allow-wide-trust"]
    pair.run("repoint --add -o json", code=1, says=said)
    assert (pair.admitted()[0], pair.all_assume(pair.green)) == (["blue"], [False, True])
    pair.run("repoint --add --allow-wide-trust")
    assert pair.assumes(pair.green, "app-0")
    pair.run("repoint --add", changes="")
