"""A working binding as `irsa doctor` observes it, for the tests of its causes to break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from irsa_cli.core.doctor.facts import EksFacts, Facts, NodeMetadata, Subject, VpcEndpoint
from irsa_cli.core.objects.kinds import Container, Environment, Pod, Volume
from irsa_cli.core.objects.role import LISTED, Role, path_of
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.objects.webhooks import Requirement, Webhook
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.values.cluster import Cluster, Reach
from irsa_cli.core.values.errors import Unreadable
from tests.support.trusts import trust_of

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
ACCOUNT = "111122223333"
HOST = "oidc.eks.eu-west-1.amazonaws.com"
ISSUER = f"https://{HOST}/id/0123456789ABCDEF0123456789ABCDEF"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER.removeprefix('https://')}"
PREFIX = ISSUER.removeprefix("https://")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/reader"
CLUSTER = Cluster(
    "demo", f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo", "eu-west-1", "aws", ACCOUNT, ISSUER
)
NODE = "ip-10-0-0-1.eu-west-1.compute.internal"
SUBJECT = "system:serviceaccount:backend:reader"
IDENTITY = WebIdentity(PROVIDER, ISSUER, SUBJECT, "sts.amazonaws.com")
TRUST = trust_of(IDENTITY)
ROLE_ARN = "eks.amazonaws.com/role-arn"
AUDIENCE = "eks.amazonaws.com/audience"
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
READ_S3 = {"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


def env(role: str = ROLE, **more: str | None) -> dict[str, str | None]:
    """The environment that the webhook writes."""
    return {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/token",
        **more,
    }


def container(**fields: Any) -> Container:
    """A container with a web identity."""
    made = Container(
        "app",
        image="public.ecr.aws/aws-cli/aws-cli:2.17.0",
        env=Environment(env()),
        mounts={"aws-iam-token": FOLDER},
    )
    if isinstance(fields.get("env"), Mapping):
        # As from Kubernetes: of what no cause declares, no value is kept.
        fields["env"] = Environment(fields["env"])
    return replace(made, **fields)


def pod(**fields: Any) -> Pod:
    """A pod of a Deployment, with a web identity."""
    made = Pod(
        "backend",
        "reader-6d4cf56db6-x2x9k",
        service_account="reader",
        created=NOW - timedelta(hours=1),
        labels={"app": "reader", "pod-template-hash": "6d4cf56db6"},
        containers=(container(),),
        volumes=(Volume("aws-iam-token", "sts.amazonaws.com"),),
        owner="ReplicaSet/reader-6d4cf56db6",
        node=NODE,
    )
    return replace(made, **fields)


def bare_pod(**fields: Any) -> Pod:
    """A pod without a web identity."""
    return pod(**{"containers": (container(env={}, mounts={}),), "volumes": (), **fields})


def webhook(**fields: Any) -> Webhook:
    """The webhook of EKS."""
    made = Webhook(
        "pod-identity-webhook",
        "iam-for-pods.amazonaws.com",
        url="https://127.0.0.1:23443/mutate",
        failure_policy="Ignore",
        object_selector=(Requirement("eks.amazonaws.com/skip-pod-identity-webhook", "DoesNotExist"),),
        created=NOW - timedelta(days=300),
    )
    return replace(made, **fields)


def account(**fields: Any) -> ServiceAccount:
    """An annotated ServiceAccount."""
    made = ServiceAccount(
        "backend",
        "reader",
        annotations={ROLE_ARN: ROLE},
        created=NOW - timedelta(hours=2),
        annotated=NOW - timedelta(hours=2),
    )
    return replace(made, **fields)


def annotated(**annotations: str) -> ServiceAccount:
    """A ServiceAccount with these annotations below `eks.amazonaws.com/`, `_` for `-`."""
    return account(
        annotations={f"eks.amazonaws.com/{key.replace('_', '-')}": text for key, text in annotations.items()}
    )


def role(
    arn: str = ROLE,
    trust: Document = TRUST,
    *,
    policies: Mapping[str, Document] = {"read": READ_S3},
    tags: Mapping[str, str] | None = None,
    boundary: str = "",
    boundary_policy: Document | Unreadable | None = None,
    created: datetime = NOW - timedelta(days=10),
) -> Role:
    """A role that admits the ServiceAccount."""
    state = RoleState(path_of(arn), trust, permissions_boundary=boundary, tags={**(tags or {})})
    documents = {} if boundary_policy is None else {boundary: boundary_policy}
    return Role(arn, state, inline=policies, created=created, documents=documents)


def listed(arn: str, trust: Document) -> Role:
    """A role as a list shows it."""
    return Role(arn, RoleState(path_of(arn), trust), left_out=LISTED)


def working() -> Facts:
    """Everything as it should be, and everything readable."""
    subject = Subject(
        "backend",
        "reader",
        namespace_labels={"kubernetes.io/metadata.name": "backend"},
        account=account(),
        role=role(),
        candidates=(),
        provider=ProviderState(ISSUER, ["sts.amazonaws.com"]),
        pods=(pod(),),
        nodes={NODE: NodeMetadata(1)},
        probe=pod(name="irsa-doctor-1", owner="", node=""),
        events=(TrailEvent(NOW - timedelta(minutes=30), ROLE),),
    )
    return Facts(
        cluster=CLUSTER,
        now=NOW,
        reach=Reach("-c demo"),
        eks=EksFacts("1.36", vpc="vpc-1"),
        provider=ProviderState(ISSUER, ["sts.amazonaws.com"]),
        providers=(PROVIDER,),
        quotas={"AssumeRolePolicySizeQuota": 2048},
        sts_endpoints=(VpcEndpoint("vpce-1", ALLOW_ALL),),
        published_keys=frozenset({"k1", "k2"}),
        cluster_keys=frozenset({"k1"}),
        accounts=(account(),),
        webhooks=(webhook(),),
        subject=subject,
    )


Change = Callable[[Facts], Facts]


def around(**fields: Any) -> Change:
    """A change of the ServiceAccount or what is around it."""
    return lambda facts: replace(facts, subject=replace(facts.named, **fields))


def of_cluster(**fields: Any) -> Change:
    """A change of the cluster."""
    return lambda facts: replace(facts, **fields)


def both(*changes: Change) -> Change:
    """Several changes."""

    def change(facts: Facts) -> Facts:
        for item in changes:
            facts = item(facts)
        return facts

    return change


def trusting(document: Document) -> Change:
    """A role with another trust policy."""
    return around(role=role(trust=document))


def statement(**elements: Any) -> Document:
    """The right trust policy with elements of its statement replaced; None takes one away."""
    (good,) = TRUST["Statement"]
    made = {**good, **elements}
    return {**TRUST, "Statement": [{key: value for key, value in made.items() if value is not None}]}


def condition(**operators: Any) -> Document:
    """The right trust policy with another condition; keys `sub` and `aud` get the issuer's prefix."""
    named = {
        operator: {f"{PREFIX}:{key}" if key in ("sub", "aud") else key: value for key, value in keys.items()}
        for operator, keys in operators.items()
    }
    return statement(Condition=named)


CHINESE_ROLE = ROLE.replace("aws", "aws-cn", 1)


def china(variables: Mapping[str, str | None]) -> Change:
    """Everything in China, and a container with these variables."""
    issuer = f"{PREFIX.replace('.com', '.com.cn')}"
    cluster = replace(CLUSTER, partition="aws-cn", region="cn-north-1", issuer=f"https://{issuer}")
    trust = statement(
        Principal={"Federated": f"arn:aws-cn:iam::{ACCOUNT}:oidc-provider/{issuer}"},
        Condition={"StringEquals": {f"{issuer}:sub": SUBJECT, f"{issuer}:aud": "sts.amazonaws.com"}},
    )
    there = around(
        account=annotated(role_arn=CHINESE_ROLE),
        role=role(arn=CHINESE_ROLE, trust=trust),
        pods=(pod(containers=(container(env=variables),)),),
    )
    return both(of_cluster(cluster=cluster), there)


NO_REGION = {key: value for key, value in env(CHINESE_ROLE).items() if not key.endswith("REGION")}
