"""A cluster that EKS does not know any more: what irsa marked for it goes, and nothing by a wrong name."""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import issuer_of, trust_of, write_trust
from tests.support.acts import SERVICE, Deed, killed, made, named, refused, strike, wished
from tests.support.rows import Row, in_words, play_all, rows
from tests.support.stage import ACCOUNT, Stage

NAME = "doomed"
ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{NAME}"
DELETE = "delete-sa app -n apps"
DISASSOCIATE = "disassociate-oidc"


@pytest.fixture
def doomed(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with its provider and one binding, and another cluster's beside it."""
    sandbox.add_cluster(ClusterSpec(NAME))
    words = {"ns": "apps"}
    for name in ("demo", NAME):
        (tmp_path / name).mkdir()
        stage = sandbox_stage(sandbox, name, tmp_path / name)
        stage.run("create-sa app -n apps --attach-policy-arn $S3 --associate-oidc")
        words[f"{name}_id"] = issuer_of(stage).rpartition("/")[2]
        words[f"{name}_provider"] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer_of(stage)}"
    stage.words |= words
    named(stage, "app")
    return stage


@pytest.fixture
def gone(doomed: Stage) -> Stage:
    """The same, without the cluster."""
    doomed.sandbox.remove_cluster(NAME)
    doomed._kube_world = lambda: {"namespaces": {}}
    return doomed


def roles(stage: Stage, cluster: str = NAME) -> list[str]:
    paths = ((role["path"], name) for name, role in stage.aws_world()["roles"].items())
    return sorted(name for path, name in paths if path == f"/irsa/{cluster}/")


def trusting(**change: Any) -> Deed:
    """Let the role trust one more principal."""

    def do(stage: Stage) -> None:
        own = trust_of(stage, stage.words["role"])["Statement"]
        more = json.loads(in_words(stage, json.dumps({**SERVICE, **change})))
        write_trust(stage, stage.words["role"], *own, more)

    return do


def without_provider(stage: Stage, name: str = "doomed_provider") -> None:
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=stage.words[name])


def without_demo(stage: Stage) -> None:
    """A living cluster whose provider is missing."""
    trusting(Principal={"Federated": "$demo_provider"}, Action="sts:AssumeRoleWithWebIdentity")(stage)
    without_provider(stage, "demo_provider")


def without_mark(stage: Stage) -> None:
    provider = stage.words["doomed_provider"]
    stage.iam().untag_open_id_connect_provider(OpenIDConnectProviderArn=provider, TagKeys=["irsa/cluster"])


MADE = [*made("app")[0].splitlines(), "+ role $role attached AmazonS3ReadOnlyAccess"]
LOST = [line.replace("+ role", "- role") for line in MADE if "+ role" in line]
PROVIDER = """
- provider $doomed_id
- provider $doomed_id audiences sts.amazonaws.com
- provider $doomed_id tags irsa/cluster doomed
- provider $doomed_id tags irsa/service-account apps/app
"""
ENTRY = "{metadata: {name: app, namespace: apps}, attachPolicyARNs: [$S3]}"
FILE = wished(ENTRY, ENTRY.replace("app,", "never,"))
COUNTS = ('"committed": 1', '"unchanged": 1')
URL = f"{DELETE} --issuer-url https://example.com --account $account --role-only --role-name $role"
MEANT = f"its tags name apps/app in {ARN}"
DELETED = {"items.0.provider.deleted": True}
BY_SERVICE = '- role $role trust {"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},'
BY_SERVICE += '"Action":"sts:AssumeRole"}'


@rows(
    Row("the role", DELETE, 0, (ARN, "can't check pods"), LOST, "$doomed_provider"),
    Row("a file", "delete -f f.yaml --yes -o json", 0, COUNTS, LOST, given=FILE),
    Row("a role of another cluster", DELETE, 4, "$demo_provider", given=without_demo),
    Row("an unmarked provider", DELETE, 4, "$doomed_provider", given=without_mark),
    Row("no provider", DELETE, 0, (), LOST, "$doomed_provider", without_provider),
    Row("a role by its name", f"{DELETE} --role-name $role", changes=LOST),
)
def test_what_irsa_marked_is_deleted(row: Row, gone: Stage) -> None:
    row.play(gone)


def test_what_is_refused_and_goes_by_force(gone: Stage) -> None:
    played = (
        Row("a plan", f"{DELETE} --dry-run -o json", 0, '"planned"'),
        Row("a provider that a role trusts", DISASSOCIATE, 4, "$role"),
        Row("a role by its tags", URL, 4, MEANT, silent="has no tags"),
        Row("a role that a service uses", DELETE, 4, "ec2.amazonaws.com", given=trusting()),
        Row("by force", f"{DELETE} --force", 0, (), [*LOST, BY_SERVICE]),
        Row("again", DELETE, 4, "irsa manages no role for apps/app"),
        Row("what may be gone", f"{DELETE} --ignore-not-found"),
        Row("the provider", f"{DISASSOCIATE} -o json", 0, (), PROVIDER, document=DELETED),
        # Nothing tells by now that there was such a cluster.
        Row("all", DISASSOCIATE, 4),
    )
    play_all(gone, played)


def test_what_is_not_found_elsewhere_is_not_gone(gone: Stage) -> None:
    for line in (f"{DELETE} --force", f"{DISASSOCIATE} --force", "recover --all --min-age 0s"):
        for place in ("-c dooomed", f"-c {NAME} -r us-east-1", f"-c {NAME} --any-region"):
            refused(gone, f"{line} {place}", "there is no cluster")


def test_what_may_not_be_read_is_not_gone(doomed: Stage) -> None:
    strike(doomed, "eks DescribeCluster error", code="AccessDeniedException", times=None)
    for line in (DELETE, DISASSOCIATE):
        doomed.run(f"{line} --force", code=1, changes="")


def test_of_several_providers_one_has_to_be_named(gone: Stage) -> None:
    former = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    tags = [{"Key": "irsa/cluster", "Value": ARN}]
    gone.iam().create_open_id_connect_provider(Url=former, ClientIDList=["sts.amazonaws.com"], Tags=tags)
    ran = gone.run(DISASSOCIATE, code=4)
    (command,) = (line for line in ran.err.splitlines() if former in line and "irsa " in line)
    gone.run(command.partition("irsa ")[2])
    assert former[8:] not in str(gone.aws_world()["oidc_providers"])
    gone.run(DELETE)


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
