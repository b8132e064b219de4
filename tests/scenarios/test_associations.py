"""What commands that write say of EKS Pod Identity, which takes ServiceAccounts over whatever they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.binding import make_binding
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import make_role, trust_of, write_trust
from tests.support.acts import client, strike, unchanged, wish
from tests.support.documents import doc
from tests.support.rows import Row, rows
from tests.support.stage import ROLE_ARN, Ran, Stage

LIST = "ListPodIdentityAssociations"
NAME = "reader"
OTHER = "pods get the credentials of EKS Pod Identity"
PODS = '{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}'
CREATE = "create-sa reader -n $ns --associate-oidc --attach-policy-arn $S3"
UPDATE = "update-sa reader -n $ns --token-expiration"
SAME = "reader has the role $other; EKS Pod Identity gives it to pods"
ADOPT = "adopt reader -n $ns"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path, unique: str) -> Stage:
    """The sandbox's API is enough: associations are EKS' business."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace(unique)
    stage.words["ns"] = unique
    return stage


def associate(stage: Stage, role: str = "", name: str = NAME) -> str:
    """An association, by default with a role of its own, `$other`; returns that role.

    A role that is given keeps its trust policy, which it may have had otherwise when it was associated.
    """
    namespace = stage.words["ns"]
    arn = role or make_role(stage, f"{namespace}-pi", doc(PODS))
    before = trust_of(stage, arn.rpartition("/")[2])["Statement"]
    write_trust(stage, arn.rpartition("/")[2], doc(PODS))
    where = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": name}
    client(stage, "eks").create_pod_identity_association(**where, roleArn=arn)
    write_trust(stage, arn.rpartition("/")[2], *before)
    stage.words["other"] = arn
    return arn


def make_another(stage: Stage, namespace: str, name: str, arn: str) -> None:
    """Another ServiceAccount with a role like the one of this ARN, whose trust policy names it."""
    (own,) = trust_of(stage, arn.rpartition("/")[2])["Statement"]
    statement = json.loads(json.dumps(own).replace(f"{namespace}:{NAME}", f"{namespace}:{name}"))
    role = make_role(stage, f"{namespace}-{name}", statement)
    stage.make_account(namespace, name, annotations={ROLE_ARN: role})


def asked(stage: Stage) -> int:
    """How often the associations were asked for since the calls were forgotten."""
    return [call.operation for call in stage.sandbox.calls].count(LIST)


def last(ran: Ran) -> str:
    return ran.out.splitlines()[-1]


def created(stage: Stage) -> None:
    stage.run(CREATE)
    associate(stage)


def bound(stage: Stage) -> None:
    make_binding(stage, stage.words["ns"])
    associate(stage)


def same(stage: Stage) -> None:
    """Both ways lead to the same role."""
    role = stage.run(f"{CREATE} -o json").item["role"]["arn"]
    associate(stage, role)


@rows(
    Row("the same role", f"{CREATE} --verify", 0, SAME, "", OTHER, same),
    Row("update-sa alone", f"{UPDATE} 7200", 0, "Restart running pods for the change", None, OTHER, CREATE),
    Row("nothing", CREATE, 0, "Pods that start from now on use it.", None, OTHER),
)
def test_where_pods_get_their_credentials_is_said(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_an_association_that_takes_over_is_said(stage: Stage) -> None:
    associate(stage)
    played = (
        Row("its plan", f"{CREATE} --dry-run", 0, (OTHER, "$other")),
        Row("without a proof", CREATE, 0, (OTHER, "$other"), None),
        Row("with a proof", f"{CREATE} --verify", 0, (OTHER, "$other")),
        Row("update-sa", f"{UPDATE} 7200 --verify", 0, (OTHER, "$other"), None, "restarted"),
    )
    for row in played:
        ran = row.play(stage)
        assert stage.words["other"] in last(ran) or "--dry-run" in row.line


def test_adopt_says_it(stage: Stage) -> None:
    bound(stage)
    unchanged(stage, f"{ADOPT} --dry-run", OTHER)
    stage.run(ADOPT, says=f"; but {OTHER}")


@pytest.mark.parametrize(("line", "given"), [(CREATE, None), (f"{UPDATE} 3600", created), (ADOPT, bound)])
def test_it_is_asked_once(line: str, given: Any, stage: Stage) -> None:
    if given:
        given(stage)
    stage.sandbox.calls.clear()
    stage.run(line)
    assert asked(stage) == 1


def test_a_document_has_the_role_of_pods(stage: Stage) -> None:
    item = stage.run(f"{CREATE} --verify -o json").item
    assert (item["podIdentity"], item["notes"]) == (None, [])
    associate(stage)
    item = unchanged(stage, f"{CREATE} --verify -o json", '"unchanged"').item
    assert item["podIdentity"]["role"] == {"arn": stage.words["other"]}


def test_a_saved_plan_says_it_when_it_is_made_and_when_it_is_applied(stage: Stage) -> None:
    associate(stage)
    stage.run(f"{CREATE} --dry-run --out plan.json", says="$other")
    stage.run("apply plan.json --yes", says="$other")


FAULTS = {
    "forbidden": {"what": "error", "code": "AccessDeniedException"},
    "silent": {"what": "hang", "seconds": 30.0},
}


def hidden(stage: Stage, operation: str, *, what: str, **how: Any) -> None:
    strike(stage, f"eks {operation} {what}", times=None, **how)


@pytest.mark.parametrize("what", FAULTS)
def test_what_can_not_be_asked_is_said_and_fails_nothing(what: str, stage: Stage) -> None:
    how: Any = FAULTS[what]
    hidden(stage, LIST, **how)
    item = stage.run(f"{CREATE} --verify -o json").item
    assert item["verifications"][0]["roleSession"]
    assert "podIdentity" not in item
    assert "did not check whether EKS Pod Identity takes precedence" in str(item["notes"])


def test_a_run_that_fails_says_nothing_of_associations(stage: Stage) -> None:
    associate(stage)
    strike(stage, "iam AttachRolePolicy error", times=None)
    stage.run(f"{CREATE} --verify -o json", code=1, silent=("podIdentity", OTHER))


def test_adopt_of_all_asks_once(stage: Stage, unique: str) -> None:
    arn = make_binding(stage, unique)
    for name in ("other", "third"):
        make_another(stage, unique, name, arn)
    other = associate(stage)
    stage.sandbox.calls.clear()
    items = stage.run("adopt --all -n $ns -o json", says=f"$ns/reader: {OTHER}").items
    roles = {item["serviceAccount"]["name"]: item["podIdentity"] for item in items}
    assert (roles["other"], roles["third"], roles[NAME]["role"]) == (None, None, {"arn": other})
    assert asked(stage) == 2, "all at once, then the one with its role"


ENTRY = "{metadata: {name: reader, namespace: $ns}, attachPolicyARNs: [$S3]}"


@pytest.mark.parametrize("mode", ["", " --atomic"])
def test_apply_notes_what_takes_over(mode: str, stage: Stage) -> None:
    wish(stage, ENTRY, ENTRY.replace("reader", "another"))
    associate(stage)
    stage.sandbox.calls.clear()
    assert stage.run(f"apply -f f.yaml --verify{mode}").err.count(OTHER) == 1
    assert asked(stage) == 2, "all at once, then the one with its role"
    for line in (f"apply -f f.yaml{mode}", "diff -f f.yaml"):
        assert unchanged(stage, line).err.count(OTHER) == 1


@pytest.mark.parametrize(
    ("which", "given", "code"), [("--all", created, 5), ("reader", same, 0)], ids=["of all", "by name"]
)
def test_verify_does_not_call_pods_right_whose_role_is_not_told(
    which: str, given: Any, code: int, stage: Stage
) -> None:
    given(stage)
    stage.run(f"verify {which} -n $ns", code=code, says="$other" if code else "")
    hidden(stage, "DescribePodIdentityAssociation", **FAULTS["forbidden"])  # type: ignore[arg-type]
    ran = stage.run(f"verify {which} -n $ns", code=1, says="EKS did not return its role")
    assert "undetermined" in ran.out.lower()
