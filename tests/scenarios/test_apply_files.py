"""What `irsa apply` makes of files as eksctl's users have them, and what it says about them."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import DOCUMENT, apply, bindings, config, entry, reader
from tests.support.ran import full_name, is_about
from tests.support.stage import READ_ONLY, Stage


def cluster_only(stage: Stage) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": stage.cluster, "region": stage.region},
            "iam": {"withOIDC": True},
        }
    )


@pytest.mark.parametrize("mode", [(), ("--atomic",)])
def test_with_oidc_alone_makes_the_provider(stage: Stage, mode: tuple[str, ...]) -> None:
    text = cluster_only(stage)
    before = stage.world()
    shown = stage.irsa("diff", "-f", "-", *mode, stdin=text)
    assert (shown.code, stage.world()) == (6, before), shown.err
    assert "OIDCProvider" in shown.out
    ran = apply(stage, text, *mode)
    assert ran.code == 0, ran.err
    (provider,) = stage.world()["oidc_providers"].values()
    assert "sts.amazonaws.com" in str(provider)
    again = apply(stage, text, *mode)
    assert (again.code, stage.irsa("diff", "-f", "-", *mode, stdin=text).code) == (0, 0)


def test_who_lacks_the_provider_is_told_what_apply_has(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    text = config(stage, reader(unique), oidc=False)
    ran = apply(stage, text, "-o", "json")
    assert ran.code == 4, ran.err
    item = ran.of(unique, "reader")
    command, words = ran.error_of(item)["next"]
    assert "withOIDC: true" in words
    assert "--associate-oidc" not in ran.err
    assert item["cluster"]["name"] == stage.cluster
    associated = stage.irsa(*shlex.split(command)[1:])
    assert associated.code == 0, associated.err
    assert apply(stage, text).code == 0


def test_the_field_that_is_proposed_makes_the_provider(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    assert apply(stage, config(stage, reader(unique), oidc=False)).code == 4
    ran = apply(stage, config(stage, reader(unique)))
    assert ran.code == 0, ran.err


def test_a_role_at_another_path_is_proposed_as_a_field(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    assert stage.associate().code == 0
    stage.iam().create_role(
        RoleName=f"{unique}-r", Path="/teams/", AssumeRolePolicyDocument=json.dumps(trust())
    )
    wrong = f"arn:aws:iam::{stage.account_id}:role/{unique}-r"
    ran = apply(
        stage, config(stage, entry("app", unique, attachRoleARN=wrong)), "--update-trust", "-o", "json"
    )
    assert ran.code == 4, ran.err
    (step,) = ran.error["next"]
    assert step.startswith("set attachRoleARN: arn:aws:iam::")
    right = step.split()[2]
    assert apply(stage, config(stage, entry("app", unique, attachRoleARN=right)), "--update-trust").code == 0


def trust() -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_what_prune_may_not_delete_is_deleted_by_the_proposed_command(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique))).code == 0
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"serviceAccountName": "reader", "containers": [{"name": "c", "image": "i"}]},
    }
    stage.kube.create(f"/api/v1/namespaces/{unique}/pods", pod)
    ran = apply(stage, config(stage), "--prune", "--yes", "--include", f"{unique}/*", "-o", "json")
    assert ran.code == 4, ran.err
    steps = ran.error["next"]
    command = next(step for step in steps if "irsa delete-sa" in step).partition(": ")[2]
    assert stage.irsa(*shlex.split(command)[1:]).code == 0
    assert stage.account(unique, "reader") is None


def test_all_that_iam_would_refuse_is_told_before_the_first_call(
    stage: Stage, unique: str, tmp_path: Path
) -> None:
    document = json.loads(json.dumps(DOCUMENT).replace('"Resource": "*"', '"Resource": "${KEY}"'))
    (tmp_path / "p.json").write_text('{"Statement": {"Effect": "Allow",\n"Action": "x", "Resource": "*"}}')
    (tmp_path / "b.yaml").write_text(
        bindings(
            stage,
            entry("one", unique, attachPolicy=document),
            entry("two", unique, inlinePolicies={"p": {"file": "p.json"}}),
        )
    )
    stage.sandbox.calls.clear()
    for command in ("apply", "diff"):
        ran = stage.irsa(command, "-f", str(tmp_path / "b.yaml"))
        assert ran.code == 2, ran.err
        assert "'${KEY}' is a placeholder" in ran.err
        assert ": p.json:2:11: the action 'x' names no service" in ran.err
    ran = stage.create_sa("one", unique, "--inline-policy", str(tmp_path / "p.json"))
    assert ran.code == 2, ran.err
    assert f"{tmp_path}/p.json:2:11" in ran.err
    assert not [call for call in stage.sandbox.calls if call.service in ("iam", "eks")]


def test_what_is_bound_elsewhere_is_told(stage: Stage, unique: str) -> None:
    addon = {"name": "vpc-cni", "attachPolicyARNs": ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}
    ran = apply(stage, config(stage, reader(unique), addons=[addon]), "-o", "json")
    assert ran.code == 0, ran.err
    told = "not managed by irsa: addons vpc-cni: attachPolicyARNs"
    assert told in ran.err
    assert any(told in notice for notice in ran.metadata["notes"])


@pytest.fixture
def two(sandbox: Sandbox, tmp_path: Path) -> tuple[Stage, Stage]:
    """Two clusters of one name in two regions."""
    sandbox.add_cluster(ClusterSpec("twin", "eu-west-1"))
    sandbox.add_cluster(ClusterSpec("twin", "eu-central-1"))
    west = sandbox_stage(sandbox, "twin", tmp_path)
    return west, sandbox_stage(sandbox, "twin", tmp_path, region="eu-central-1")


def test_two_clusters_in_one_file_are_told_apart(two: tuple[Stage, Stage], unique: str) -> None:
    west, central = two
    missing = f"arn:aws:iam::{west.account_id}:policy/none"
    text = "---\n".join(
        (config(west, reader(unique)), config(central, entry("reader", unique, attachPolicyARNs=[missing])))
    )
    shown = west.irsa("diff", "-f", "-", stdin=text)
    assert f"twin (eu-west-1, {west.account_id}) {unique}/reader:" in shown.out
    ran = apply(west, text, "-o", "json")
    assert ran.code == 1, ran.err
    items = [item for item in ran.items if is_about(item, unique, "reader")]
    assert [(item["cluster"]["region"], item["outcome"]) for item in items] == [
        ("eu-west-1", "committed"),
        ("eu-central-1", "failed"),
    ]
    rows = [line for line in ran.err.splitlines() if line.startswith(("  + ", "  ✗ "))]
    heads = [line for line in ran.err.splitlines() if line.endswith(":") and line[0].isalpha()]
    lines = [line for line in (*rows, *heads) if line != "Next:"]
    assert len(lines) >= 4
    assert all("twin (eu-west-1, " in line or "twin (eu-central-1, " in line for line in lines), lines
    gone = west.irsa("delete", "--yes", "-f", "-", stdin=text)
    assert gone.code == 0, gone.err
    assert f"twin (eu-central-1, {west.account_id}) {unique}/reader" in gone.err


def test_what_is_not_begun_names_its_cluster(two: tuple[Stage, Stage], unique: str) -> None:
    west, central = two
    central.sandbox.faults.add(
        Fault("iam", "CreateOpenIDConnectProvider", "error", times=None, status=403, code="AccessDenied")
    )
    text = "---\n".join(config(stage, reader(unique)) for stage in two)
    ran = apply(west, text, "-o", "json")
    assert [(item["cluster"]["region"], full_name(item)) for item in ran.metadata["notBegun"]] == [
        (region, f"{unique}/reader") for region in ("eu-west-1", "eu-central-1")
    ]
    assert all(item["cluster"] for item in ran.items)
    assert READ_ONLY not in ran.out


def test_a_cluster_that_is_not_reached_does_not_keep_the_others(
    two: tuple[Stage, Stage], unique: str
) -> None:
    west, central = two
    gone = config(west, reader(unique)).replace("name: twin", "name: twim")
    text = "---\n".join((gone, config(central, reader(unique))))
    shown = west.irsa("diff", "-f", "-", stdin=text)
    assert shown.code == 4
    assert f"twin (eu-central-1, {west.account_id}) {unique}/reader:" in shown.out
    ran = apply(west, text, "-o", "json")
    assert ran.code == 1
    assert ran.metadata["byCluster"] == [
        {"name": "twim", "region": "eu-west-1", "account": None, "summary": {"refused": 1}},
        {
            "name": "twin",
            "region": "eu-central-1",
            "account": west.account_id,
            "summary": {"committed": 2},
        },
    ]
    assert "twim" in ran.error["message"]
    assert central.account(unique, "reader") is not None
    told = apply(west, text)
    rows = [line.split() for line in told.out.splitlines() if line.startswith("  tw")]
    assert rows == [
        ["twim", "(eu-west-1,", "not", "reached)", "1", "refused"],
        ["twin", "(eu-central-1,", f"{west.account_id})", "1", "unchanged"],
    ]
    deleted = west.irsa("delete", "--yes", "-f", "-", stdin=text)
    assert deleted.code == 1
    assert central.account(unique, "reader") is None


def test_nothing_is_begun_after_so_many_failures(two: tuple[Stage, Stage], unique: str) -> None:
    west, central = two
    missing = f"arn:aws:iam::{west.account_id}:policy/none"
    broken = [entry(f"broken-{number}", unique, attachPolicyARNs=[missing]) for number in range(4)]
    text = "---\n".join((config(west, *broken), config(central, reader(unique))))
    ran = apply(west, text, "--parallel", "1", "--max-failures", "2", "-o", "json")
    assert ran.code == 1
    assert ran.metadata["outcome"] == "unfinished"
    rows = {row["region"]: row["summary"] for row in ran.metadata["byCluster"]}
    assert rows["eu-west-1"] == {"committed": 1, "failed": 2, "not-begun": 2}
    assert rows["eu-central-1"] == {"not-begun": 1}
    assert "stopped: --max-failures 2" in ran.metadata["notes"]
    assert central.account(unique, "reader") is None
    again = apply(west, text, "--max-failures", "5", "-o", "json")
    assert again.metadata["byCluster"][1]["summary"] == {"committed": 2}
