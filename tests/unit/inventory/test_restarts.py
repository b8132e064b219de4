"""Which pods have their ServiceAccount's role, and which must be made anew to get it."""

from datetime import datetime, timedelta, timezone

import pytest

from irsa_cli.core.inventory.describe_document import Identity, identity_of, pods_of, restart_commands
from irsa_cli.core.objects.kinds import Container, Environment, Pod, Volume
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.values.cluster import PLAIN

ARN = "arn:aws:iam::111122223333:role/app"
NOW = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
ACCOUNT = ServiceAccount("backend", "app", {"eks.amazonaws.com/role-arn": ARN}, annotated=NOW)
UNDATED = ServiceAccount("backend", "app", {"eks.amazonaws.com/role-arn": ARN})
ROLE = {"AWS_ROLE_ARN": ARN, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}


TOKENS = (Volume("aws", "sts.amazonaws.com"),)


def pod(env: dict[str, str | None] | None = None, mount: str = "/", **fields: object) -> Pod:
    defaults = {"service_account": "app", "created": NOW + SECOND, "phase": "Running", "volumes": TOKENS}
    containers = (Container("side"), Container("app", env=Environment(env), mounts={"aws": mount}))
    return Pod("backend", "app-0", containers=containers, **{**defaults, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("account", "one", "identity", "restart"),
    [
        (ACCOUNT, pod({**ROLE}), Identity.CURRENT, False),
        (ACCOUNT, pod({**ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": None}), Identity.CURRENT, False),
        (ACCOUNT, pod({**ROLE}, mount="/elsewhere"), Identity.NO_TOKEN, None),
        (ACCOUNT, pod({**ROLE}, volumes=(Volume("aws"),)), Identity.NO_TOKEN, None),
        (ACCOUNT, pod({**ROLE}, volumes=(Volume("aws", "vault"),)), Identity.NO_TOKEN, None),
        (ACCOUNT, pod({"AWS_ROLE_ARN": ARN}), Identity.NO_TOKEN, None),
        (ACCOUNT, pod({**ROLE, "AWS_ROLE_ARN": f"{ARN}2"}), Identity.OTHER_ROLE, True),
        (ACCOUNT, pod({**ROLE, "AWS_ROLE_ARN": None}), Identity.OTHER_ROLE, True),
        (ACCOUNT, pod(created=NOW - SECOND), Identity.NONE, True),
        (ACCOUNT, pod(created=NOW), Identity.NONE, True),
        (ACCOUNT, pod(created=NOW + SECOND), Identity.NONE, None),
        (UNDATED, pod(), Identity.NONE, True),
        (ACCOUNT, pod(created=None), Identity.NONE, True),
        (
            ACCOUNT,
            pod(labels={"eks.amazonaws.com/skip-pod-identity-webhook": "true"}),
            Identity.OPTED_OUT,
            False,
        ),
        (
            ACCOUNT,
            pod({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23"}),
            Identity.POD_IDENTITY,
            False,
        ),
    ],
)
def test_a_pod(account: ServiceAccount, one: Pod, identity: Identity, restart: bool | None) -> None:
    found = identity_of(one, account)
    assert (found.identity, found.needs_restart) == (identity, restart)
    assert bool(found.reason) is (identity is not Identity.CURRENT)


def test_only_its_own_pods_that_have_not_ended() -> None:
    others = [pod(service_account="other"), pod(phase="Succeeded"), pod(phase="Failed")]
    assert pods_of(ACCOUNT, others) == ()
    (found,) = pods_of(ACCOUNT, [*others, pod({**ROLE})])
    assert found.identity is Identity.CURRENT


def test_one_command_for_each_workload() -> None:
    labels = {"pod-template-hash": "5d4f"}
    old = [
        pod(created=NOW - SECOND, owner="ReplicaSet/web-5d4f", labels=labels),
        pod(created=NOW - SECOND, owner="ReplicaSet/web-5d4f", labels=labels),
        pod(created=NOW - SECOND, owner="StatefulSet/db"),
        pod({**ROLE}, owner="DaemonSet/agent"),
    ]
    assert restart_commands(PLAIN, pods_of(ACCOUNT, old), {}) == (
        "kubectl -n backend rollout restart deployment/web",
        "kubectl -n backend rollout restart statefulset/db",
    )
    assert restart_commands(PLAIN, (), {}) == ()
