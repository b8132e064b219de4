"""A cluster that EKS does not know any more: what irsa marked for it goes, and nothing by a wrong name."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import issuer_of, trust_of, write_trust
from tests.support.acts import SERVICE, killed, strike, wish
from tests.support.stage import ACCOUNT, Stage

NAME = "doomed"
ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{NAME}"
DELETE = "delete-sa app -n apps"
DISASSOCIATE = "disassociate-oidc"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"


@pytest.fixture
def doomed(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with its provider and one binding, and another cluster's beside it."""
    sandbox.add_cluster(ClusterSpec(NAME))
    issuers = {}
    for name in ("demo", NAME):
        (tmp_path / name).mkdir()
        stage = sandbox_stage(sandbox, name, tmp_path / name)
        stage.run("create-sa app -n apps --attach-policy-arn $S3 --associate-oidc")
        issuers[f"{name}_issuer"] = f"{PROVIDER}{issuer_of(stage)}"
    stage.words |= issuers
    return stage


@pytest.fixture
def gone(doomed: Stage) -> Stage:
    """The same, without the cluster; `$role` is the one of its binding."""
    doomed.sandbox.remove_cluster(NAME)
    (doomed.words["role"],) = roles(doomed)
    return doomed


def roles(stage: Stage, cluster: str = NAME) -> list[str]:
    paths = ((role["path"], name) for name, role in stage.aws_world()["roles"].items())
    return sorted(name for path, name in paths if path == f"/irsa/{cluster}/")


def trust(stage: Stage, statement: Any) -> None:
    """Let the role trust one more principal."""
    write_trust(stage, stage.words["role"], *trust_of(stage, stage.words["role"])["Statement"], statement)


def test_what_irsa_marked_is_deleted(gone: Stage) -> None:
    before = gone.aws_world()
    gone.run(f"{DELETE} --dry-run -o json", says='"planned"')
    assert gone.aws_world() == before
    gone.run(DELETE, says=(ARN, "can't check pods"))
    assert (roles(gone), len(roles(gone, "demo"))) == ([], 1)
    gone.run(DELETE, code=4, says="irsa manages no role for apps/app")
    gone.run(f"{DELETE} --ignore-not-found")
    assert gone.run(f"{DISASSOCIATE} -o json").item["provider"]["deleted"] is True
    assert [*gone.aws_world()["oidc_providers"]] == [gone.words["demo_issuer"]]
    # Nothing tells by now that there was such a cluster.
    gone.run(DISASSOCIATE, code=4)


def test_files_name_what_goes(gone: Stage) -> None:
    entry = "{metadata: {name: app, namespace: apps}, attachPolicyARNs: [$S3]}"
    wish(gone, entry, entry.replace("app,", "never,"))
    gone.run("delete -f f.yaml --yes -o json", says=('"committed": 1', '"unchanged": 1'))
    assert (roles(gone), len(roles(gone, "demo"))) == ([], 1)


@pytest.mark.parametrize("place", ["-c dooomed", f"-c {NAME} -r us-east-1", f"-c {NAME} --any-region"])
def test_what_is_not_found_elsewhere_is_not_gone(gone: Stage, place: str) -> None:
    before = gone.aws_world()
    for command in (f"{DELETE} --force", f"{DISASSOCIATE} --force"):
        gone.run(f"{command} {place}", code=4, says="there is no cluster")
    gone.run(f"recover --all --min-age 0s {place}", code=4)
    assert gone.aws_world() == before


def test_what_may_not_be_read_is_not_gone(doomed: Stage) -> None:
    before = doomed.aws_world()
    strike(doomed, "eks DescribeCluster error", code="AccessDeniedException", times=None)
    for command in (DELETE, DISASSOCIATE):
        doomed.run(f"{command} --force", code=1)
    assert doomed.aws_world() == before


def test_whom_its_role_or_provider_serves_keep_it(gone: Stage) -> None:
    before = gone.aws_world()
    gone.run(DISASSOCIATE, code=4, says="$role")
    assert gone.aws_world() == before
    trust(gone, SERVICE)
    before = gone.aws_world()
    gone.run(DELETE, code=4, says="ec2.amazonaws.com")
    assert gone.aws_world() == before
    gone.run(f"{DELETE} --force")


def test_a_living_cluster_whose_provider_is_missing_keeps_it(gone: Stage) -> None:
    arn = gone.words["demo_issuer"]
    trust(gone, {**SERVICE, "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"})
    gone.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    gone.run(DELETE, code=4, says=arn)
    assert roles(gone) == [gone.words["role"]]
    gone.run(f"{DELETE} --force")


@pytest.mark.parametrize("marked", ["marked", "unmarked", "deleted"])
def test_only_the_mark_tells_which_provider_was_the_clusters(gone: Stage, marked: str) -> None:
    arn, iam = gone.words["doomed_issuer"], gone.iam()
    if marked == "unmarked":
        iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["irsa/cluster"])
        gone.run(DELETE, code=4, says=arn)
        return
    if marked == "deleted":
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    gone.run(DELETE, silent=arn)


def test_of_several_providers_one_has_to_be_named(gone: Stage) -> None:
    former = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    gone.iam().create_open_id_connect_provider(
        Url=former, ClientIDList=["sts.amazonaws.com"], Tags=[{"Key": "irsa/cluster", "Value": ARN}]
    )
    ran = gone.run(DISASSOCIATE, code=4)
    (command,) = (line for line in ran.err.splitlines() if former in line and "irsa " in line)
    assert gone.irsa(*shlex.split(command)[1:]).code == 0
    assert former[8:] not in str(gone.aws_world()["oidc_providers"])
    gone.run(DELETE)


def test_a_role_of_another_name_is_told_by_its_tags(gone: Stage) -> None:
    url = "--issuer-url https://example.com --account $account --role-only --role-name $role"
    gone.run(f"{DELETE} {url}", code=4, says=f"its tags name apps/app in {ARN}", silent="has no tags")
    gone.run(f"{DELETE} --role-name $role")


LATE = "create-sa late -n apps --attach-policy-arn $S3"


def half(stage: Stage, line: str, at: str) -> str:
    """A run is killed, and its cluster deleted; the name of the run."""
    killed(stage, line, f"iam {at} callback")
    (journal,) = stage.irsa("recover", "-o", "json").items
    stage.sandbox.remove_cluster(NAME)
    return str(journal["transaction"])


@pytest.mark.parametrize("journal", [True, False])
def test_what_a_killed_run_left_is_recovered(doomed: Stage, journal: bool) -> None:
    name = half(doomed, LATE, "AttachRolePolicy")
    if journal:
        ran = doomed.irsa("recover", name, "-o", "json")
        assert (ran.code, ran.metadata["outcome"]) == (0, "rolled-back"), ran.err
    else:
        for path in (doomed.folder / "state").glob("*.jsonl"):
            path.unlink()
        doomed.run("recover --all --min-age 0s", says=ARN)
    assert "-late-" not in str(roles(doomed))
    assert len(roles(doomed, "demo")) == 1


def test_a_deletion_that_was_cut_off_is_finished(doomed: Stage) -> None:
    """By the same command, or by its journal: what was in the cluster is not to be brought back."""
    ran = doomed.irsa("recover", half(doomed, DELETE, "DetachRolePolicy"), "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "rolled-back"), ran.err
    assert "is gone with its cluster" in str(ran.item["notes"])
    assert len(roles(doomed)) == 1
    doomed.run(DELETE)
    assert not roles(doomed)
    assert not doomed.irsa("recover", "-o", "json").items
