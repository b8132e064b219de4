"""`irsa exec`, `token` and `credentials` where something is missing: what is said; nothing is run."""

import pytest

from tests.scenarios.binding import make_binding
from tests.support.stage import ROLE_ARN, Stage

ROLE = "arn:aws:iam::111122223333:role/reader"


def refused(stage: Stage, name: str, code: int, *said: str, user: str = "admin") -> None:
    """Run a command that leaves a trace; it must not have been run."""
    stage.run(f"exec {name} -n $ns -c $cluster -- touch trace", code=code, says=said, user=user)
    assert not (stage.folder / "trace").exists()


def test_a_service_account_that_is_elsewhere(stage: Stage, namespace: str) -> None:
    name = f"reader-{namespace}"
    stage.make_namespace(f"{namespace}-b")
    stage.make_account(f"{namespace}-b", name, annotations={ROLE_ARN: ROLE})
    stage.make_account(namespace, f"{name}s")
    said = (
        f"there is no ServiceAccount {namespace}/{name}",
        f"of that name: {namespace}-b\n",
        f"similar name: {name}s\n",
    )
    refused(stage, name, 4, *said)
    for more in ("", "--audience a"):
        assert stage.run(f"token {name} -n $ns {more}", code=4, says=said).out == ""
    ran = stage.run(f"token {name} -n $ns -o json", code=4)
    end = ran.json["kind"], ran.metadata["outcome"], ran.error["code"]
    assert end == ("TokenList", "refused", "Refused")


def test_a_service_account_that_is_not_there_for_a_caller_who_may_not_list(
    stage: Stage, namespace: str
) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    refused(stage, "reader", 4, "there is no ServiceAccount $ns/reader", user=user)


def test_a_service_account_without_a_role(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "reader")
    refused(stage, "reader", 4, ROLE_ARN)
    assert stage.run("credentials reader -n $ns", code=4).out == ""


@pytest.mark.parametrize(
    ("verb", "resource", "missing"),
    [
        ("create", "serviceaccounts/token", "--verb=get --resource=serviceaccounts "),
        ("get", "serviceaccounts", "--verb=create --resource=serviceaccounts/token "),
    ],
)
def test_a_missing_permission_is_named_with_the_rule_that_gives_it(
    stage: Stage, namespace: str, verb: str, resource: str, missing: str
) -> None:
    stage.make_account(namespace, "reader", annotations={ROLE_ARN: ROLE})
    said = ("kubectl -n $ns create role", f"{missing}--resource-name=reader")
    refused(stage, "reader", 1, *said, user=stage.restricted(((verb,), (resource,))))


def test_both_permissions_are_enough(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace)
    user = stage.restricted((("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)))
    stage.run("exec reader -n $ns -c $cluster -- true", user=user)
    stage.run("credentials reader -n $ns", user=user)


def test_an_audience_that_is_given_needs_no_reading(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "reader")
    user = stage.restricted((("create",), ("serviceaccounts/token",)))
    stage.run("token reader -n $ns", code=1, user=user)
    stage.run("token reader -n $ns --audience example.com", user=user)


def test_a_command_that_is_not_there(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "reader", annotations={ROLE_ARN: ROLE})
    line, env = "exec reader -n $ns -c $cluster --", {"TMPDIR": str(stage.folder), "KUBECONFIG": ""}
    ran = stage.run(f"{line} no-such-command", code=127, **env)
    assert ran.err == "irsa: no-such-command: command not found\n"
    stage.run(f"{line} {stage.folder}", code=126, **env)
    assert list(stage.folder.glob("irsa-exec-*")) == []
