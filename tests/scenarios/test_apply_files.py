"""What `irsa apply` makes of files as eksctl's users have them, and what it says about them."""

from pathlib import Path

import pytest
from yaml import safe_load

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import make_role
from tests.scenarios.test_apply import APPLY, DIFF, MADE_READER, READER, WORKER
from tests.support.acts import (
    EKSCTL,
    SERVICE,
    asked,
    named,
    put,
    put_pod,
    refused,
    steps,
    strike,
    unchanged,
    wish,
    wish_own,
)
from tests.support.ran import full_name
from tests.support.rows import Row, in_words
from tests.support.stage import READ_ONLY, Stage


@pytest.fixture(autouse=True)
def words(request: pytest.FixtureRequest) -> None:
    if "stage" in request.fixturenames:
        request.getfixturevalue("namespace")
        named(request.getfixturevalue("stage"), "reader")


@pytest.mark.parametrize("mode", ["", " --atomic"])
def test_with_oidc_alone_makes_the_provider(stage: Stage, mode: str) -> None:
    put(stage, "f.yaml", EKSCTL + "iam: {withOIDC: true}")
    stage.run(DIFF + mode, code=6, says="OIDCProvider", changes="")
    stage.run(APPLY + mode)
    (provider,) = stage.world()["oidc_providers"].values()
    assert provider["audiences"] == ["sts.amazonaws.com"]
    unchanged(stage, APPLY + mode)
    stage.run(DIFF + mode)


def test_who_lacks_the_provider_is_told_what_apply_has(stage: Stage) -> None:
    wish(stage, READER, top="")
    ran = refused(stage, f"{APPLY} -o json", "withOIDC: true", silent="--associate-oidc")
    assert ran.items[ran.error["item"]]["cluster"]["name"] == stage.cluster
    stage.run(*steps(ran))
    stage.run(APPLY, changes=MADE_READER)
    wish(stage, READER)
    unchanged(stage, APPLY)


USED = "{metadata: {name: app, namespace: $ns}, attachRoleARN: 'arn:aws:iam::$account:role/$ns-r'}"


def test_a_role_at_another_path_is_proposed_as_a_field(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    arn = make_role(stage, f"{namespace}-r", SERVICE, path="/teams/")
    wish(stage, USED)
    ran = refused(stage, f"{APPLY} --update-trust -o json")
    assert ran.error["next"][0].startswith(f"set attachRoleARN: {arn}")
    wish(stage, USED.replace("role/", "role/teams/"))
    stage.run(f"{APPLY} --update-trust")


def test_what_prune_may_not_delete_is_deleted_by_the_proposed_command(stage: Stage, namespace: str) -> None:
    wish(stage, READER)
    stage.run(APPLY)
    put_pod(stage, "reader")
    wish(stage)
    ran = refused(stage, f"{APPLY} --prune --yes --include $ns/* -o json")
    stage.run(*steps(ran, "delete-sa"))
    assert stage.account(namespace, "reader") is None


def test_all_that_iam_would_refuse_is_told_before_the_first_call(stage: Stage) -> None:
    put(stage, "p.json", '{"Statement": {"Effect": "Allow",\n"Action": "x", "Resource": "*"}}')
    files = "inlinePolicies: {p: {file: p.json}}}"
    placeholder = WORKER.replace("Resource: '*'", "Resource: '$${KEY}'")
    wish_own(stage, placeholder, READER.replace("attachPolicyARNs: [$S3]}", files))
    stage.sandbox.calls.clear()
    says = (
        "'${KEY}' is a placeholder".replace("${", "$${"),
        ": p.json:2:11: the action 'x' names no service",
    )
    for command in (APPLY, DIFF):
        stage.run(command, code=2, says=says)
    stage.run("create-sa one -n $ns --inline-policy p.json", code=2, says="p.json:2:11")
    assert not asked(stage)


def test_what_is_bound_elsewhere_is_told(stage: Stage) -> None:
    cni = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    wish(stage, READER, more=f"addons: [{{name: vpc-cni, attachPolicyARNs: ['{cni}']}}]")
    told = "not managed by irsa: addons vpc-cni: attachPolicyARNs"
    assert told in str(stage.run(f"{APPLY} -o json", says=told).metadata["notes"])


@pytest.fixture
def two(sandbox: Sandbox, tmp_path: Path, unique: str) -> tuple[Stage, Stage]:
    """Two clusters of one name in two regions."""
    stages = []
    for region in ("eu-west-1", "eu-central-1"):
        sandbox.add_cluster(ClusterSpec("twin", region))
        stages.append(sandbox_stage(sandbox, "twin", tmp_path, region=region))
        stages[-1].words["ns"] = unique
    return stages[0], stages[1]


BROKEN = READER.replace("$S3", "'arn:aws:iam::$account:policy/none'")
MANY = ", ".join(BROKEN.replace("reader", f"broken-{number}") for number in range(4))


def both(two: tuple[Stage, Stage], west: str, central: str, name: str = "twin") -> Stage:
    """Write a file with a document for each of the two; returns the first one."""
    texts = []
    for stage, entries in zip(two, (west, central), strict=True):
        wish(stage, entries)
        texts.append((stage.folder / "f.yaml").read_text("utf-8"))
    put(two[0], "f.yaml", "---\n".join([texts[0].replace("name: twin", f"name: {name}"), texts[1]]))
    return two[0]


WEST, CENTRAL = "twin (eu-west-1, $account)", "twin (eu-central-1, $account)"
OUTCOMES = "metadata.byCluster.{}.summary"


def test_two_clusters_in_one_file_are_told_apart(two: tuple[Stage, Stage]) -> None:
    west = both(two, READER, BROKEN)
    west.run(DIFF, code=1, says=(f"{WEST} $ns/reader:", f"{CENTRAL} $ns/reader"))
    summaries = {OUTCOMES.format(0): {"committed": 2}, OUTCOMES.format(1): {"committed": 1, "failed": 1}}
    ran = Row("both", f"{APPLY} -o json", 1, changes=None, document=summaries).play(west)
    lines = [line for line in ran.err.splitlines() if line.startswith(("  + ", "  ✗ "))]
    lines += [line for line in ran.err.splitlines() if line[:1].isalpha() and line.endswith("):")]
    assert len(lines) >= 4
    assert all("twin (eu-west-1, " in line or "twin (eu-central-1, " in line for line in lines), lines
    west.run("delete --yes -f f.yaml", says=f"{CENTRAL} $ns/reader")


def test_what_is_not_begun_names_its_cluster(two: tuple[Stage, Stage], unique: str) -> None:
    west = both(two, READER, READER)
    strike(two[1], "iam CreateOpenIDConnectProvider error", times=None)
    ran = west.run(f"{APPLY} -o json", code=1, silent=READ_ONLY)
    places = [(item["cluster"]["region"], full_name(item)) for item in ran.metadata["notBegun"]]
    assert places == [("eu-west-1", f"{unique}/reader"), ("eu-central-1", f"{unique}/reader")]
    assert all(item["cluster"] for item in ran.items)


LOST = """[{name: twim, region: eu-west-1, account: null, summary: {refused: 1}},
    {name: twin, region: eu-central-1, account: '111122223333', summary: {committed: 2}}]"""


def test_a_cluster_that_is_not_reached_does_not_keep_the_others(two: tuple[Stage, Stage]) -> None:
    west = both(two, READER, READER, name="twim")
    west.run(DIFF, code=4, says=f"{CENTRAL} $ns/reader:")
    by_cluster = {"metadata.byCluster": safe_load(LOST)}
    ran = Row("both", f"{APPLY} -o json", 1, changes=None, document=by_cluster).play(west)
    assert "twim" in ran.error["message"]
    told = " ".join(west.run(APPLY, code=4).out.split())
    for text in ("twim (eu-west-1, not reached) 1 refused", f"{CENTRAL} 1 unchanged"):
        assert in_words(west, text) in told
    west.run("delete --yes -f f.yaml", code=1)
    assert two[1].account(west.words["ns"], "reader") is None


STOPPED = {
    "metadata.outcome": "unfinished",
    OUTCOMES.format(0): {"committed": 1, "failed": 2, "not-begun": 2},
    OUTCOMES.format(1): {"not-begun": 1},
}


def test_nothing_is_begun_after_so_many_failures(two: tuple[Stage, Stage]) -> None:
    west = both(two, MANY, READER)
    line = f"{APPLY} --parallel 1 --max-failures 2 -o json"
    Row("two", line, 1, "stopped: --max-failures 2", None, document=STOPPED).play(west)
    assert two[1].account(west.words["ns"], "reader") is None
    more = {OUTCOMES.format(1): {"committed": 2}}
    Row("five", f"{APPLY} --max-failures 5 -o json", 1, changes=None, document=more).play(west)
