"""`irsa verify -A`: all annotated ServiceAccounts at once, each by itself, and the forms for pipelines."""

import json
from xml.etree import ElementTree

from tests.scenarios.binding import make_binding
from tests.scenarios.verifying import change_trust
from tests.support.stage import ROLE_ARN, Json, Ran, Stage


def verify_all(stage: Stage, namespace: str, *arguments: str, user: str = "admin") -> Ran:
    """Run `irsa verify -A` for a namespace: a real cluster also holds what other tests have left."""
    return stage.irsa("verify", "--all", "-n", namespace, "-c", stage.cluster, "-q", *arguments, user=user)


def second_account(stage: Stage, namespace: str, name: str, arn: str) -> str:
    """One more ServiceAccount with a role like that of `arn`; returns its role's ARN."""
    iam = stage.iam()
    document = iam.get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    text = json.dumps(document).replace(":reader", f":{name}")
    made: str = iam.create_role(RoleName=f"{namespace}-{name}", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    stage.make_account(namespace, name, annotations={ROLE_ARN: made})
    return made


def outcomes(document: Json) -> dict[str, str]:
    """The outcome of each ServiceAccount."""
    return {item["serviceAccount"]["name"]: item["outcome"] for item in document["items"]}


def test_each_is_judged_by_itself(stage: Stage, namespace: str) -> None:
    role = make_binding(stage, namespace)
    broken = second_account(stage, namespace, "broken", role)
    change_trust(stage, broken, lambda statement: [{**statement, "Action": "sts:TagSession"}])
    second_account(stage, namespace, "good", role)
    stage.make_account(namespace, "bare")
    stage.make_account(namespace, "junk", annotations={ROLE_ARN: "my-role"})
    before = stage.world()
    ran = verify_all(stage, namespace, "-o", "json")
    assert ran.code == 5, ran.err
    assert ran.json["kind"] == "VerificationList"
    assert outcomes(ran.json) == {
        "broken": "failed",
        "good": "verified",
        "junk": "failed",
        "reader": "verified",
    }
    assert ran.metadata["summary"] == {"verified": 2, "failed": 2, "undetermined": 0}
    assert stage.world() == before


def test_all_of_them_good_or_none_at_all(stage: Stage, namespace: str) -> None:
    ran = verify_all(stage, namespace)
    assert (ran.code, ran.out.split(":")[0]) == (7, "0 ServiceAccounts with a role")
    assert f"No ServiceAccount in namespace {namespace} of {stage.cluster} has a role" in ran.out
    assert verify_all(stage, namespace, "--allow-empty").code == 0
    empty = verify_all(stage, namespace, "-o", "json")
    assert (empty.code, empty.metadata["outcome"]) == (7, "undetermined")
    (suite,) = ElementTree.fromstring(verify_all(stage, namespace, "-o", "junit").out).findall("testsuite")
    assert suite.get("errors") == "1"
    assert verify_all(stage, namespace, "-o", "markdown").out.startswith("## ⚠️")
    make_binding(stage, namespace)
    ran = verify_all(stage, namespace, "-o", "yaml")
    assert ran.code == 0, ran.err
    assert ran.yaml["metadata"]["summary"] == {"verified": 1, "failed": 0, "undetermined": 0}


def test_what_can_not_be_tried_is_not_called_good(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace)
    user = stage.restricted((("list",), ("serviceaccounts",)))
    ran = verify_all(stage, namespace, "-o", "json", user=user)
    assert ran.code == 1, ran.err
    assert ran.metadata["summary"] == {"verified": 0, "failed": 0, "undetermined": 1}


def test_a_namespace_that_is_not_there_is_refused(stage: Stage, namespace: str) -> None:
    ran = verify_all(stage, f"{namespace}-none", "-o", "junit")
    assert ran.code == 4, ran.err
    assert f"{namespace}-none" in ran.err
    (suite,) = ElementTree.fromstring(ran.out).findall("testsuite")
    assert (suite.get("name"), suite.get("errors")) == (f"{namespace}-none", "1")
    user = stage.restricted((("list",), ("serviceaccounts",)))
    assert verify_all(stage, namespace, user=user).code == 7


def test_who_may_not_list_is_told(stage: Stage, namespace: str) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = verify_all(stage, namespace, "-o", "json", user=user)
    assert ran.code == 1
    assert ran.error["code"] == "Forbidden"
    assert ran.items == []


def test_what_they_share_is_read_once(stage: Stage, namespace: str) -> None:
    role = make_binding(stage, namespace)
    for number in range(4):
        stage.make_account(namespace, f"more-{number}", annotations={ROLE_ARN: role})
    stage.sandbox.calls.clear()
    assert verify_all(stage, namespace).code == 5
    counted = [call.operation for call in stage.sandbox.calls]
    for operation in ("DescribeCluster", "GetOpenIDConnectProvider", "GetRole", "discovery", "keys"):
        assert counted.count(operation) == 1, operation
    assert counted.count("AssumeRoleWithWebIdentity") == 5


def test_junit(stage: Stage, namespace: str) -> None:
    role = make_binding(stage, namespace)
    broken = second_account(stage, namespace, "broken", role)
    change_trust(stage, broken, lambda statement: [{**statement, "Action": "sts:TagSession"}])
    ran = verify_all(stage, namespace, "-o", "junit")
    assert ran.code == 5, ran.err
    suites = {suite.get("name"): suite for suite in ElementTree.fromstring(ran.out).findall("testsuite")}
    failed = {name: suite.get("failures") for name, suite in suites.items()}
    assert failed == {f"{namespace}/broken": "2", f"{namespace}/reader": "0"}


def test_the_table_has_a_line_for_each(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace)
    ran = verify_all(stage, namespace)
    first, last, proof = ran.out.splitlines()
    assert f"{namespace}/reader" in first
    assert last.startswith("1 ServiceAccount with a role: 1 verified")
    assert proof.startswith("Verified: a token is exchanged for the role. Webhook, pods and")
