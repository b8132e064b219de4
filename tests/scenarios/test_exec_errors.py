"""`irsa exec`, `token` and `credentials` where something is missing: what is said; nothing is run."""

from pathlib import Path

import pytest

from tests.scenarios.binding import make_binding
from tests.support.stage import ROLE_ARN, Ran, Stage

ROLE = "arn:aws:iam::111122223333:role/reader"


def run(stage: Stage, name: str, namespace: str, *, user: str = "admin") -> Ran:
    """Run a command that leaves a trace; it must not have been run."""
    trace = Path(stage.folder) / "trace"
    ran = stage.irsa("exec", name, "-n", namespace, "-c", stage.cluster, "--", "touch", str(trace), user=user)
    assert not trace.exists()
    return ran


def test_a_service_account_that_is_elsewhere(stage: Stage, namespace: str) -> None:
    name = f"reader-{namespace}"
    stage.make_namespace(f"{namespace}-b")
    stage.make_account(f"{namespace}-b", name, annotations={ROLE_ARN: ROLE})
    stage.make_account(namespace, f"{name}s")
    token = ("token", name, "-n", namespace, "-c", stage.cluster)
    for ran in (run(stage, name, namespace), stage.irsa(*token), stage.irsa(*token, "--audience", "a")):
        assert (ran.code, ran.out) == (4, "")
        assert f"there is no ServiceAccount {namespace}/{name}" in ran.err
        assert f"of that name: {namespace}-b\n" in ran.err
        assert f"similar name: {name}s\n" in ran.err
    ran = stage.irsa(*token, "-o", "json")
    assert (ran.json["kind"], ran.metadata["outcome"], ran.error["code"]) == (
        "TokenList",
        "refused",
        "Refused",
    )


def test_a_service_account_that_is_not_there_for_a_caller_who_may_not_list(
    stage: Stage, namespace: str
) -> None:
    user = stage.restricted((("get",), ("serviceaccounts",)))
    ran = run(stage, "reader", namespace, user=user)
    assert ran.code == 4
    assert f"there is no ServiceAccount {namespace}/reader" in ran.err


def test_a_service_account_without_a_role(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "reader")
    ran = run(stage, "reader", namespace)
    assert ran.code == 4
    assert ROLE_ARN in ran.err
    ran = stage.irsa("credentials", "reader", "-n", namespace, "-c", stage.cluster)
    assert (ran.code, ran.out) == (4, "")


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        ((("create",), ("serviceaccounts/token",)), "--verb=get --resource=serviceaccounts "),
        ((("get",), ("serviceaccounts",)), "--verb=create --resource=serviceaccounts/token "),
    ],
)
def test_a_missing_permission_is_named_with_the_rule_that_gives_it(
    stage: Stage, namespace: str, allowed: tuple[tuple[str, ...], tuple[str, ...]], missing: str
) -> None:
    stage.make_account(namespace, "reader", annotations={ROLE_ARN: ROLE})
    user = stage.restricted(allowed)
    ran = run(stage, "reader", namespace, user=user)
    assert ran.code == 1
    assert f"kubectl -n {namespace} create role" in ran.err
    assert f"{missing}--resource-name=reader" in ran.err


def test_both_permissions_are_enough(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace)
    user = stage.restricted((("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)))
    common = ("reader", "-n", namespace, "-c", stage.cluster)
    assert stage.irsa("exec", *common, "--", "true", user=user).code == 0
    assert stage.irsa("credentials", *common, user=user).code == 0


def test_an_audience_that_is_given_needs_no_reading(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "reader")
    user = stage.restricted((("create",), ("serviceaccounts/token",)))
    common = ("token", "reader", "-n", namespace, "-c", stage.cluster)
    assert stage.irsa(*common, user=user).code == 1
    assert stage.irsa(*common, "--audience", "example.com", user=user).code == 0


def test_a_command_that_is_not_there(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "reader", annotations={ROLE_ARN: ROLE})
    common = ("exec", "reader", "-n", namespace, "-c", stage.cluster)
    ran = stage.irsa(*common, "--", "no-such-command", TMPDIR=str(stage.folder), KUBECONFIG="")
    assert (ran.code, ran.err) == (127, "irsa: no-such-command: command not found\n")
    assert stage.irsa(*common, "--", str(stage.folder), TMPDIR=str(stage.folder)).code == 126
    assert list(stage.folder.glob("irsa-exec-*")) == []
