"""`irsa verify -A`: all annotated ServiceAccounts at once, each by itself, and the forms for pipelines."""

import json
from typing import Any
from xml.etree import ElementTree

from tests.scenarios.binding import make_binding
from tests.scenarios.verifying import also
from tests.support.stage import ROLE_ARN, Ran, Stage

LIST = (("list",), ("serviceaccounts",))


def verify_all(stage: Stage, more: str = "", code: int = 0, **expected: Any) -> Ran:
    """Run `irsa verify -A` for a namespace: a real cluster also holds what other tests have left."""
    where = "" if "-n " in more else "-n $ns"
    return stage.run(f"verify --all {where} -q {more}", code=code, changes="", **expected)


def second_account(stage: Stage, namespace: str, name: str, arn: str) -> str:
    """One more ServiceAccount with a role like that of `arn`; returns its role's ARN."""
    iam = stage.iam()
    document = iam.get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    text = json.dumps(document).replace(":reader", f":{name}")
    made: str = iam.create_role(RoleName=f"{namespace}-{name}", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    stage.make_account(namespace, name, annotations={ROLE_ARN: made})
    return made


def suites(ran: Ran) -> dict[str | None, tuple[str | None, str | None]]:
    """The failures and errors of each suite."""
    root = ElementTree.fromstring(ran.out)
    return {
        item.get("name"): (item.get("failures"), item.get("errors")) for item in root.findall("testsuite")
    }


def test_each_is_judged_by_itself(stage: Stage, namespace: str) -> None:
    role = make_binding(stage, namespace)
    also(stage, second_account(stage, namespace, "broken", role), Action="sts:TagSession")
    second_account(stage, namespace, "good", role)
    stage.make_account(namespace, "bare")
    stage.make_account(namespace, "junk", annotations={ROLE_ARN: "my-role"})
    ran = verify_all(stage, "-o json", code=5)
    assert ran.json["kind"] == "VerificationList"
    assert {item["serviceAccount"]["name"]: item["outcome"] for item in ran.items} == {
        "broken": "failed",
        "good": "verified",
        "junk": "failed",
        "reader": "verified",
    }
    assert ran.metadata["summary"] == {"verified": 2, "failed": 2, "undetermined": 0}
    found = suites(verify_all(stage, "-o junit", code=5))
    assert found[f"{namespace}/broken"] == ("2", "0")
    assert found[f"{namespace}/reader"] == ("0", "0")


def test_all_of_them_good_or_none_at_all(stage: Stage, namespace: str) -> None:
    said = ["0 ServiceAccounts with a role:", "No ServiceAccount in namespace $ns of $cluster has a role"]
    verify_all(stage, code=7, says=said)
    verify_all(stage, "--allow-empty")
    assert verify_all(stage, "-o json", code=7).metadata["outcome"] == "undetermined"
    assert [errors for _, errors in suites(verify_all(stage, "-o junit", code=7)).values()] == ["1"]
    assert verify_all(stage, "-o markdown", code=7).out.startswith("## ⚠️")
    make_binding(stage, namespace)
    summary = verify_all(stage, "-o yaml").yaml["metadata"]["summary"]
    assert summary == {"verified": 1, "failed": 0, "undetermined": 0}
    first, last, proof = verify_all(stage).out.splitlines()
    assert f"{namespace}/reader" in first
    assert last.startswith("1 ServiceAccount with a role: 1 verified")
    assert proof.startswith("Verified: a token is exchanged for the role. Webhook, pods and")


def test_what_can_not_be_tried_is_not_called_good(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace)
    ran = verify_all(stage, "-o json", code=1, user=stage.restricted(LIST))
    assert ran.metadata["summary"] == {"verified": 0, "failed": 0, "undetermined": 1}


def test_a_namespace_that_is_not_there_is_refused(stage: Stage, namespace: str) -> None:
    ran = verify_all(stage, "-n $ns-none -o junit", code=4, says="$ns-none")
    assert suites(ran)[f"{namespace}-none"][1] == "1"
    verify_all(stage, code=7, user=stage.restricted(LIST))


def test_who_may_not_list_is_told(stage: Stage, namespace: str) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = verify_all(stage, "-o json", code=1, user=user)
    assert (ran.error["code"], ran.items) == ("Forbidden", [])


def test_what_they_share_is_read_once(stage: Stage, namespace: str) -> None:
    role = make_binding(stage, namespace)
    for number in range(4):
        stage.make_account(namespace, f"more-{number}", annotations={ROLE_ARN: role})
    stage.sandbox.calls.clear()
    stage.run("verify --all -n $ns -q", code=5)
    counted = [call.operation for call in stage.sandbox.calls]
    for operation in ("DescribeCluster", "GetOpenIDConnectProvider", "GetRole", "discovery", "keys"):
        assert counted.count(operation) == 1, operation
    assert counted.count("AssumeRoleWithWebIdentity") == 5
