"""Bindings of a large cluster: all pages are read, and roles of others cost no calls."""

from collections import Counter

import pytest

from irsa_cli.core.inventory.bindings import Bindings, BindingStatus
from irsa_cli.sandbox import RoleSpec, Sandbox
from irsa_cli.usecases.command.connect import Connection, Target, connect
from irsa_cli.usecases.read.bindings import BindingsScope, read_bindings
from tests.docs import staging
from tests.support.sandbox_clients import EC2_TRUST, S3_READ, policy
from tests.support.service_accounts import put_service_accounts

MANY = 1100
"""More than two pages of ServiceAccounts and one of roles."""


@pytest.fixture
def connection(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connection:
    for name, value in sandbox.env().items():
        monkeypatch.setenv(name, value)
    return reach()


def reach() -> Connection:
    """The cluster, as whoever the environment says."""
    return connect(Target("demo"), kube=True, log=lambda call: None, check=lambda aws: None)


def others(sandbox: Sandbox, count: int) -> None:
    """Roles of somebody else, with names that stand between."""
    sandbox.put_roles(RoleSpec(f"app-{number}-x", {"Statement": []}) for number in range(count))


def counted(sandbox: Sandbox, found: Bindings) -> Counter[str]:
    assert {item.status for item in found.items} <= {BindingStatus.OK}
    return Counter(call.operation for call in sandbox.calls)


def test_all_of_many(sandbox: Sandbox, connection: Connection) -> None:
    staging.bind(sandbox, "backend", [f"app-{number}" for number in range(MANY)], S3_READ)
    others(sandbox, 1500)
    sandbox.calls.clear()
    found = read_bindings(connection)
    assert len(found.items) == MANY
    calls = counted(sandbox, found)
    assert (calls["GET serviceaccounts"], calls["GetAccountAuthorizationDetails"]) == (3, 3)
    assert "GetRole" not in calls
    assert sum(calls.values()) <= 3 * MANY / 100


def test_roles_of_others_cost_nothing_where_few_are_bound(sandbox: Sandbox, connection: Connection) -> None:
    staging.bind(sandbox, "backend", ["app-0", "app-1"], S3_READ)
    before = _cost(sandbox, connection)
    others(sandbox, 3000)
    assert _cost(sandbox, connection) == before


def _cost(sandbox: Sandbox, connection: Connection) -> Counter[str]:
    sandbox.calls.clear()
    return counted(sandbox, read_bindings(connection))


def test_a_few_that_are_not_there_are_looked_for_once_more(sandbox: Sandbox, connection: Connection) -> None:
    names = [f"app-{number}" for number in range(20)]
    staging.bind(sandbox, "backend", names, S3_READ)
    staging.iam(sandbox).detach_role_policy(RoleName="app-7", PolicyArn=S3_READ)
    staging.iam(sandbox).delete_role(RoleName="app-7")
    found = read_bindings(connection)
    missing = [item.name for item in found.items if item.status is BindingStatus.NO_ROLE]
    assert (len(found.items), missing) == (20, ["app-7"])


@pytest.mark.parametrize("denied", ["iam:GetAccountAuthorizationDetails", "iam:GetAccountSummary"])
def test_who_may_not_read_pages_reads_one_by_one(
    denied: str, sandbox: Sandbox, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging.bind(sandbox, "backend", [f"app-{number}" for number in range(6)], S3_READ)
    document = policy("*")
    document["Statement"] = [*document["Statement"], {"Effect": "Deny", "Action": denied, "Resource": "*"}]
    sandbox.add_user("limited", policy=document)
    sandbox.grant("demo", "limited", groups=["system:masters"])
    for name, value in sandbox.env(user="limited").items():
        monkeypatch.setenv(name, value)
    limited = reach()
    sandbox.calls.clear()
    found = read_bindings(limited, BindingsScope("backend"))
    assert len(found.items) == 6
    assert counted(sandbox, found)["GetRole"] == 6


def test_what_is_put_there_is_as_made_by_calls(sandbox: Sandbox) -> None:
    iam = staging.iam(sandbox)
    iam.create_role(RoleName="made", AssumeRolePolicyDocument=EC2_TRUST)
    iam.attach_role_policy(RoleName="made", PolicyArn=S3_READ)
    trust = iam.get_role(RoleName="made")["Role"]["AssumeRolePolicyDocument"]
    sandbox.put_roles([RoleSpec("put", trust, policies=(S3_READ,))])  # type: ignore[arg-type]
    put_service_accounts(sandbox, "demo", "backend", {"app": {"a": "b"}})
    world = sandbox.world()
    made, put = (dict(world["roles"][name]) for name in ("made", "put"))
    for role in (made, put):
        role.pop("arn")
    assert put == made
    assert world["kubernetes"]["demo"]["serviceaccounts"]["backend/app"]["annotations"] == {"a": "b"}
