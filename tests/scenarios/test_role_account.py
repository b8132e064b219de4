"""`--role-account`: OIDC provider and role in another account, the ServiceAccount in this one's cluster."""

from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.conftest import recovered
from tests.scenarios.other_account import OTHER, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.support.rows import Running
from tests.support.short_files import file_of
from tests.support.stage import Json, Ran, Stage

WAY = "--role-account $other --role-assume-role $deployer"
PROFILE = "--role-account $other --role-profile there"
CREATE = "create-sa app -n $ns --attach-policy-arn $S3 --associate-oidc"


class Accounts(Running):
    """Both accounts: their world is one, the other's IAM beside the cluster's."""

    def __init__(self, stage: Stage, elsewhere: Elsewhere) -> None:
        self.stage, self.elsewhere, self.cluster = stage, elsewhere, stage.cluster
        self.words = stage.words
        self.words |= {"other": OTHER, "deployer": elsewhere.deployer}

    def irsa(self, *arguments: str, **options: Any) -> Ran:
        return self.stage.irsa(*arguments, **options)

    def world(self) -> Json:
        return {**self.stage.world(), **{f"their {kind}": it for kind, it in self.elsewhere.world().items()}}

    def roles(self) -> list[Json]:
        return list(self.elsewhere.roles().values())

    def kill_while_attaching(self, line: str) -> None:
        self.stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=self.stage.kill))
        self.run(line, code=-9)
        self.stage.sandbox.settle()


@pytest.fixture
def both(stage: Stage, namespace: str, elsewhere: Elsewhere) -> Accounts:
    return Accounts(stage, elsewhere)


def test_provider_and_role_are_made_in_the_other_account(both: Accounts) -> None:
    before = both.world()
    both.run(f"{CREATE} {WAY} --verify")
    after = both.world()
    (role,) = both.roles()
    account = both.stage.account(both.words["ns"], "app") or {}
    assert account["annotations"]["eks.amazonaws.com/role-arn"] == role["arn"]
    assert f":{OTHER}:" in role["arn"]
    assert {kind for kind in before if after[kind] != before[kind]} == {
        "kubernetes",
        "their roles",
        "their oidc_providers",
    }
    assert both.run(f"{CREATE} {WAY} --verify -o json", changes="").metadata["outcome"] == "unchanged"
    both.run(f"delete-sa app -n $ns {WAY} --yes")
    assert both.roles() == []
    both.run(f"disassociate-oidc {WAY} --yes")
    assert both.world() == before


def test_a_failure_takes_back_what_is_in_both(both: Accounts) -> None:
    both.stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    both.run(f"{CREATE} {WAY}", code=1, says=OTHER, changes="")


def test_credentials_that_are_no_good_are_found_before_anything_is_written(both: Accounts) -> None:
    wrong: dict[str, Any] = both.elsewhere.profile("wrong", account="333333333333")
    both.run(
        f"{CREATE} --role-account $other --role-profile wrong",
        code=4,
        says="333333333333",
        changes="",
        **wrong,
    )
    said = "--role-profile PROFILE, or --role-assume-role arn:aws:iam::$other:role/ROLE"
    both.run(f"{CREATE} --role-account $other", code=4, says=said, changes="")
    missing = f"{CREATE} --role-account $other --role-profile nowhere"
    both.run(missing, code=1, says="account $other", changes="")
    both.stage.sandbox.faults.add(
        Fault("sts", "AssumeRole", "error", code="ExpiredToken", status=403, times=None)
    )
    both.run(f"{CREATE} {WAY}", code=1, says="account $other", changes="")


def test_another_partition_is_refused_before_the_first_call(both: Accounts) -> None:
    china: dict[str, Any] = both.elsewhere.profile(region="cn-north-1")
    both.run(f"{CREATE} --role-assume-role arn:aws-cn:iam::$other:role/deployer", code=2, changes="")
    both.run(f"{CREATE} {PROFILE}", code=2, changes="", **china)
    both.run(f"{CREATE} {WAY} --role-account 333333333333", code=2, changes="")


def test_an_error_names_the_account_and_its_caller(both: Accounts) -> None:
    both.stage.sandbox.faults.add(Fault("iam", "GetRole", "error", code="AccessDenied", status=403))
    said = ["assumed-role/deployer", "iam GetRole ($other)", "eks DescribeCluster  200"]
    both.run(f"{CREATE} {WAY} -v", code=1, says=said, changes="")


def test_it_is_updated_there(both: Accounts) -> None:
    both.run(f"{CREATE} {WAY}")
    update = "update-sa app -n $ns --attach-policy-arn $SQS --tags team=a"
    (both.stage.folder / "bindings.yaml").write_text(file_of(both.stage, "app"))
    said = "--role-account $other"
    for line in (update, CREATE):
        both.run(line, code=4, says=said, changes="")
    both.run("apply -f bindings.yaml", code=1, says=said)
    both.run(f"{update} {WAY}")
    (role,) = both.roles()
    assert (len(role["attached"]), role["tags"]["team"]) == (2, "a")


def test_it_is_shown_and_judged_with_the_same_flags(both: Accounts) -> None:
    both.run(f"{CREATE} {WAY}")
    items = both.run(f"get-sa -A {WAY} --allow-partial -o json").items
    place = both.words["ns"]
    assert [item["status"] for item in items if item["serviceAccount"]["namespace"] == place] == ["ok"]
    assert "--iam-assume-role" in both.irsa("get-sa", "-n", place, "-c", both.cluster).err
    both.run(f"describe-sa app -n $ns {WAY}", says="$S3")
    both.run(f"verify app -n $ns {WAY}")
    doctor = both.irsa("doctor", "app", "-n", place, "-c", both.cluster, *both.elsewhere.by_role)
    assert "No problem was found" in doctor.out


def test_an_interrupted_run_is_recovered_with_credentials_for_the_other_account(both: Accounts) -> None:
    before = both.world()
    both.kill_while_attaching(f"{CREATE} {WAY}")
    assert both.roles()
    (path,) = (both.stage.folder / "state").glob("*Z-*.jsonl")
    recover = ("recover", path.name.partition(".")[0])
    bare = both.irsa(*recover)
    assert (bare.code, f"--role-assume-role {both.elsewhere.deployer}" in bare.err) == (4, True), bare.err
    assert both.irsa(*recover, "--role-account", both.stage.account_id).code == 4
    assert both.irsa(*recover, "--role-assume-role", both.elsewhere.deployer).code == 0
    assert both.world() == before


def test_what_a_lost_machine_has_left_there_is_found_without_its_journal(both: Accounts) -> None:
    recovered(both.stage)
    both.run(f"{CREATE.replace('app', 'one')} {WAY}")
    before = both.world()
    both.kill_while_attaching(f"{CREATE} {WAY}")
    items = both.run(f"get-sa -n $ns {WAY} -o json").items
    (left,) = [item for item in items if item["serviceAccount"]["name"] == "app"]
    assert any(f"--role-assume-role {both.elsewhere.deployer}" in step for step in left["next"])
    both.run(f"recover {WAY} --min-age 0 --state-dir other --all --yes")
    assert both.world() == before


def test_it_is_not_deleted_by_halves(both: Accounts) -> None:
    before = both.stage.world()
    both.run(f"{CREATE} {WAY}")
    both.run("delete-sa app -n $ns --yes", code=4, says="--role-account $other", changes="")
    both.run("delete-sa app -n $ns --yes --keep-role")
    assert (both.stage.world(), len(both.roles())) == (before, 1)


def test_a_profile_alone_is_enough_where_the_annotation_names_the_account(both: Accounts) -> None:
    there: dict[str, Any] = both.elsewhere.profile()
    both.run(f"{CREATE} {PROFILE}", **there)
    both.run(f"{CREATE.replace('app', 'new')} --role-profile there", code=2, **there)
    lines = ("adopt app -n $ns", "update-sa app -n $ns --tags a=b", "delete-sa app -n $ns")
    wrong: dict[str, Any] = both.elsewhere.profile(account="333333333333")
    for line in lines:
        both.run(f"{line} --role-profile there", code=4, changes="", **wrong)
    there = {**both.elsewhere.profile()}
    for line, tagged in zip(lines, ([None], ["b"], []), strict=True):
        both.run(f"{line} --role-profile there", **there)
        assert [role["tags"].get("a") for role in both.roles()] == tagged
