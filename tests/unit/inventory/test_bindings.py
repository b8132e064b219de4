"""How bindings are judged, and when reading all roles of an account pays."""

from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.aws.details import CALLS_PER_PAGE, CALLS_PER_ROLE, pages_pay
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.inventory.bindings import (
    BindingStatus,
    ListedBinding,
    ReadProvider,
    ReadRole,
    as_answered,
    in_order,
    listed,
    role_details,
)
from irsa_cli.core.inventory.unbound import unbound
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable
from tests.support.trusts import trust_of

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/5B8D"
CLUSTER = Cluster(
    "prod", "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "eu-west-1", "aws", "111122223333", ISSUER
)
ARN = "arn:aws:iam::111122223333:role/irsa/prod/app"
PROVIDER = ProviderState(ISSUER, ["sts.amazonaws.com"])
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
WHY = Unreadable("missing permission: iam:GetRole")


def account(arn: str | None = ARN, **annotations: str) -> ServiceAccount:
    role = {} if arn is None else {"eks.amazonaws.com/role-arn": arn}
    return ServiceAccount("backend", "app", {**role, **annotations}, created=NOW)


def binding(account: ServiceAccount, role: ReadRole = None, provider: ReadProvider = PROVIDER) -> Binding:
    return Binding(CLUSTER, account.namespace, account.name, account, role, provider=provider)


def role(**tags: str) -> Role:
    document = trust_of(binding(account()).identity)
    marks = {key.replace("__", "/"): text for key, text in tags.items()}
    return Role(ARN, RoleState("/irsa/prod/", document, tags=marks), created=NOW)


def judged(
    of: ServiceAccount | None = None, found: ReadRole = None, provider: ReadProvider = PROVIDER
) -> ListedBinding:
    return listed(binding(of or account(), found, provider))


def test_what_is_wrong() -> None:
    assert judged(account("my-role"), role()).status is BindingStatus.BAD_ARN
    assert judged(account(""), role()).status is BindingStatus.BAD_ARN
    assert judged().status is BindingStatus.NO_ROLE
    assert judged(account(ARN.replace("irsa/prod/", "")), role()).status is BindingStatus.NO_ROLE
    assert judged(found=role().with_trust({})).status is BindingStatus.NOT_ADMITTED
    assert judged(found=role(), provider=None).status is BindingStatus.NO_PROVIDER
    audience = {"eks.amazonaws.com/audience": "other"}
    assert judged(account(**audience), role()).status is BindingStatus.NO_PROVIDER
    accepting = ProviderState(ISSUER, ["other"])
    assert judged(account(**audience), role(), accepting).status is BindingStatus.NOT_ADMITTED


def test_nothing_is_ok_that_was_not_looked_at() -> None:
    assert judged(found=WHY).status is BindingStatus.UNCERTAIN
    assert judged(found=role(), provider=WHY).status is BindingStatus.UNCERTAIN
    network = role()
    network.trust["Statement"][0]["Condition"]["IpAddress"] = {"aws:SourceIp": "10.0.0.0/8"}
    assert judged(found=network).status is BindingStatus.UNCERTAIN
    assert judged(found=role().with_trust({}), provider=WHY).status is BindingStatus.NOT_ADMITTED


def test_roles_without_a_service_account() -> None:
    mine = {"irsa__cluster": CLUSTER.arn, "irsa__service-account": "backend/app"}
    assert role(**mine).owner == CLUSTER.arn
    assert role(**{**mine, "irsa__cluster": f"{CLUSTER.arn}2"}).owner != CLUSTER.arn
    gone = unbound(CLUSTER, role(**mine), {})
    assert (gone.status, gone.full_name, gone.owner) == (
        BindingStatus.NO_SERVICE_ACCOUNT,
        "backend/app",
        "irsa",
    )
    bare = unbound(CLUSTER, role(**mine), {"backend/app": account(None)})
    other = unbound(CLUSTER, role(**mine), {"backend/app": account(f"{ARN}2")})
    assert {bare.status, other.status} == {BindingStatus.NO_SERVICE_ACCOUNT}
    assert len({gone.reason, bare.reason, other.reason}) == 3
    only = unbound(CLUSTER, role(**mine, irsa__commit="done"), {})
    assert (only.status, only.waits_for_git) == (BindingStatus.ROLE_ONLY, True)
    mine_elsewhere = {"backend/app": account(f"{ARN}2")}
    elsewhere = unbound(CLUSTER, role(**mine, irsa__commit="done"), mine_elsewhere)
    assert (elsewhere.status, elsewhere.waits_for_git) == (BindingStatus.ROLE_ONLY, False)
    assert unbound(CLUSTER, role(**mine, irsa__commit="pending"), {}).status is BindingStatus.INCOMPLETE
    assert unbound(CLUSTER, role(**mine, irsa__commit="deleting"), {}).status is BindingStatus.DELETING


def test_a_role_whose_run_is_not_over_is_not_ok_although_it_admits() -> None:
    mine = {"irsa__cluster": CLUSTER.arn, "irsa__service-account": "backend/app", "irsa__transaction": "t9"}
    told = account(**{"irsa/role-arn": ARN})
    assert judged(told, role(**mine)).status is BindingStatus.OK
    # Somebody else may have annotated it after the run was cut off.
    assert judged(found=role(**mine)).status is BindingStatus.INCOMPLETE
    for commit, status in (("pending", BindingStatus.INCOMPLETE), ("deleting", BindingStatus.DELETING)):
        found = judged(found=role(**mine, irsa__commit=commit))
        assert found.status is status
        assert "t9" in found.reason
        assert any(step.startswith("irsa delete-sa app -n backend -c prod ") for step in found.next_steps)
        assert found.explanation is not None
        assert found.explanation.admitted


def test_a_role_that_nobody_names_may_have_been_interrupted() -> None:
    mine = {"irsa__cluster": CLUSTER.arn, "irsa__service-account": "backend/app", "irsa__transaction": "t9"}
    found = unbound(CLUSTER, role(**mine), {})
    assert found.status is BindingStatus.NO_SERVICE_ACCOUNT
    assert "t9 was interrupted" in found.reason


def test_order() -> None:
    one, two = judged(), ListedBinding(Binding(CLUSTER, "a", "z"), BindingStatus.OK)
    nobodys = Binding(CLUSTER, "backend", "app", named_role=ARN)
    orphan = ListedBinding(nobodys, BindingStatus.NO_SERVICE_ACCOUNT)
    assert in_order([orphan, one, two]) == (two, one, orphan)


def test_the_details_of_a_role_have_all_its_policies() -> None:
    details = {
        "Arn": ARN,
        "AssumeRolePolicyDocument": {},
        "AttachedManagedPolicies": [{"PolicyArn": "arn:b"}, {"PolicyArn": "arn:a"}],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": {"Statement": []}}],
    }
    role = role_details(details, as_answered)
    assert role.policies == ("arn:a", "arn:b", "own")


@given(st.integers(0, 10_000), st.integers(1, 10**7), st.integers(0, 1000))
def test_pages_never_cost_more_than_single_reads(wanted: int, left: int, page: int) -> None:
    if pages_pay(wanted, left, page):
        pages = -(-left // max(page, 1))
        assert pages * CALLS_PER_PAGE <= wanted * CALLS_PER_ROLE
    else:
        assert not pages_pay(wanted, left * 2, page)
