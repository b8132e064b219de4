"""Working bindings broken in one way each, with the cause that has to be named for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from irsa_cli.core.doctor.facts import EksFacts, OtherAssociation, RoleSummary, VpcEndpoint
from irsa_cli.core.doctor.reported import PodAnswer
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.kinds import Pod, Volume
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.objects.webhooks import Requirement
from irsa_cli.core.objects.workloads import RefusedPod
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    COMMIT_TAG,
    DELETING,
    EXTERNAL_ID_ANNOTATION,
    PENDING,
    SERVICE_ACCOUNT_TAG,
    TARGET_ANNOTATION,
    TRANSACTION_TAG,
    ProviderState,
)
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.chain import POLICY_NAME, Chain
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import (
    ACCOUNT,
    CLUSTER,
    FOLDER,
    HOST,
    ISSUER,
    NO_REGION,
    NODE,
    NOW,
    PREFIX,
    PROVIDER,
    ROLE,
    ROLE_ARN,
    SUBJECT,
    TRUST,
    Change,
    account,
    annotated,
    around,
    bare_pod,
    both,
    china,
    condition,
    container,
    env,
    of_cluster,
    pod,
    role,
    statement,
    trusting,
    webhook,
)

OTHER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}/id/FEDCBA9876543210FEDCBA9876543210"
OTHER_PREFIX = OTHER.partition("oidc-provider/")[2]
STS = "sts.amazonaws.com"
FOREIGN = "arn:aws:iam::444455556666:role/reader"
ADMITTING = (RoleSummary(ROLE, TRUST),)
BARE = around(pods=(bare_pod(),))
UNSHOWN = bare_pod(name="irsa-doctor-1", owner="")


POD_IDENTITY_ENV = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}
POD_IDENTITY = bare_pod(containers=(container(env=POD_IDENTITY_ENV, mounts={}),))


APART: dict[str, Any] = {"name": "web-0", "labels": {}, "owner": "StatefulSet/web"}
"""A pod that bears nothing of the ServiceAccount's name."""


PART_OF_A_VOLUME = container(mounts={"aws-iam-token": f"{FOLDER}/token"}, parts={"aws-iam-token": "token"})
"""A container that has the token's file by subPath."""


def with_env(**variables: str | None) -> Change:
    """A pod that has a web identity and these variables."""
    return around(pods=(pod(containers=(container(env={**env(), **variables}),)),))


def unasked(**variables: str | None) -> Change:
    """The same, and STS was not seen to be asked."""
    return both(around(events=()), with_env(**variables))


def from_config_map(source: str, *keys: str) -> Change:
    """A pod whose environment comes from a ConfigMap with these keys."""
    pods = (pod(containers=(container(sources=(source,)),)),)
    return around(pods=pods, config_keys={"configmap/app": frozenset(keys)})


def behind_proxy(**variables: str) -> Pod:
    """A pod with Pod Identity that has a proxy."""
    there = {**POD_IDENTITY_ENV, "HTTP_PROXY": "http://proxy.example:3128", **variables}
    return replace(POD_IDENTITY, containers=(container(env=there, mounts={}),))


def cli(version: str) -> Pod:
    """A pod with Pod Identity and this AWS CLI."""
    item = replace(POD_IDENTITY.containers[0], image=f"public.ecr.aws/aws-cli/aws-cli:{version}")
    return replace(POD_IDENTITY, containers=(item,))


def inside(verdict: str, identity: str) -> PodAnswer:
    """The answer of a new pod."""
    return PodAnswer(verdict, "The pod says something.", identity, {"identity": identity})


def marked(commit: str) -> dict[str, str]:
    """The tags of a role of irsa's that says itself how far it is."""
    tags = {CLUSTER_TAG: CLUSTER.arn, SERVICE_ACCOUNT_TAG: "backend/reader", TRANSACTION_TAG: "t"}
    return {**tags, COMMIT_TAG: commit}


FOR_ANOTHER = condition(StringEquals={"sub": "system:serviceaccount:front:web", "aud": STS})


def for_service(*actions: str) -> Document:
    """A trust policy for EKS Pod Identity."""
    return statement(Principal={"Service": "pods.eks.amazonaws.com"}, Action=list(actions), Condition=None)


ASSUMING = ("sts:AssumeRole", "sts:TagSession")


def asking(**keys: str) -> Document:
    """A trust policy for EKS Pod Identity on conditions."""
    equal = {"StringEquals": keys}
    principal = {"Service": "pods.eks.amazonaws.com"}
    return statement(Principal=principal, Action=list(ASSUMING), Condition=equal)


def for_role(*actions: str, external: str = "") -> Document:
    """A trust policy for the association's role."""
    condition = {"StringEquals": {"sts:ExternalId": external}} if external else None
    return statement(Principal={"AWS": ROLE}, Action=list(actions), Condition=condition)


def targeting(target: Role | None, external: str = "") -> Change:
    """A Pod Identity association with a target role."""
    association = Association("a-1", ROLE, NOW - timedelta(days=1), FOREIGN, external)
    return pod_identity(association=association, target_role=target)


SKIPPING = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
AGENTS_DOWN: tuple[dict[str, Any], ...] = (
    {"waiting": "CrashLoopBackOff", "ready": False},
    {"ready": False},
    {"phase": "Failed"},
    {"phase": "Pending"},
    {"node": "ip-10-0-0-2.eu-west-1.compute.internal", "ready": True},
)


def agent(**fields: Any) -> Pod:
    """A pod of EKS Pod Identity's agent, on the node of the pods."""
    name = "eks-pod-identity-agent"
    made = Pod("kube-system", f"{name}-x", labels={"app.kubernetes.io/name": name}, node=NODE, ready=True)
    return replace(made, **fields)


MISSING = (
    'pods "reader-5f-" is forbidden: error looking up service account backend/{0}: serviceaccount "{0}" not'
    " found"
)
REFUSALS = (
    MISSING.format("reader"),
    f'Pod "reader-1" is invalid: spec.containers[0].volumeMounts[1].mountPath: Invalid value: "{FOLDER}":'
    " must be unique",
    'Pod "reader-1" is invalid: spec.volumes[1].name: Duplicate value: "aws-iam-token"',
    'Internal error occurred: failed calling webhook "mesh.example.com": failed to call webhook: Post "https'
    '://mesh.mesh.svc:443/inject?timeout=10s": context deadline exceeded',
    "Timeout: request did not complete within requested timeout - context deadline exceeded",
    'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/backend/ was blocked',
    'pods "reader-5f-x" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=4, limited:'
    " pods=4",
    'pods "reader-5f-x" is forbidden: failed quota: compute: must specify limits.cpu for: app',
    'pods "reader-5f-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
    'pods "reader-5f-" is forbidden: no PriorityClass with name high was found',
)


def refused(why: str, pods: tuple[Pod, ...] = (), **fields: Any) -> Change:
    """A Deployment without pods, which the API server refuses."""
    made = RefusedPod(
        "backend", "ReplicaSet/reader-5f", why, "Deployment/reader", "reader", last=NOW, pods="0 of 2"
    )
    return around(pods=pods, refused=(replace(made, **fields),))


def other_association(namespace: str, name: str, **fields: Any) -> Change:
    """A ServiceAccount without a role, and an association for one that is not there."""
    found = Association("a-2", ROLE, NOW - timedelta(days=1))
    whole = role(trust=for_service("sts:AssumeRole", "sts:TagSession"))
    other = OtherAssociation(namespace, name, found, whole)
    without = {"account": annotated(), "role": Unreadable("names no role"), "pods": (bare_pod(),)}
    return around(**{**without, "other_associations": (other,), **fields})


def pod_identity(**fields: object) -> Change:
    """A ServiceAccount without annotation that has a working Pod Identity association, then changed."""
    working = {
        "account": annotated(),
        "role": Unreadable("names no role"),
        "association": Association("a-1", ROLE, NOW - timedelta(days=1)),
        "association_role": role(trust=for_service("sts:AssumeRole", "sts:TagSession")),
        "agent": True,
        "pods": (POD_IDENTITY,),
        "probe": POD_IDENTITY,
    }
    return around(**{**working, **fields})


def own_token(named: str | None = ROLE, audience: str = STS, **fields: object) -> Change:
    """A ServiceAccount without annotation whose pod brings a role and a token of its own."""
    variables = {
        **env(named or f"{ROLE}-gone"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/own/token",
    }
    mounted = container(env=variables, mounts={"own": "/var/run/secrets/own"})
    return around(
        account=annotated(),
        role=Unreadable("names no role"),
        pods=(pod(containers=(mounted,), volumes=(Volume("own", audience),)),),
        own_roles={ROLE: role(**fields)} if named else {f"{ROLE}-gone": None},
    )


def old_cluster(provider: ProviderState | None) -> Change:
    equal = {f"{OTHER_PREFIX}:sub": SUBJECT, f"{OTHER_PREFIX}:aud": STS}
    document = statement(Principal={"Federated": OTHER}, Condition={"StringEquals": equal})
    return around(role=role(trust=document), providers={OTHER: provider})


def keyed(sub: str, aud: str = f"{PREFIX}:aud") -> Document:
    return statement(Condition={"StringEquals": {sub: SUBJECT, aud: STS}})


def event(error: str, seconds: int | None = None) -> Change:
    return around(
        events=(TrailEvent(NOW, ROLE, error, seconds=seconds), TrailEvent(NOW - timedelta(hours=1), ROLE))
    )


def endpoint(**elements: object) -> Change:
    document = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", **elements}]}
    return of_cluster(sts_endpoints=(VpcEndpoint("vpce-1", document),))


def full_trust() -> Document:
    """A policy that admits others, and has no room for one more."""
    condition = {"StringEquals": {f"{PREFIX}:sub": [f"system:serviceaccount:a:{n:040}" for n in range(24)]}}
    return statement(Condition=condition)


def released(trusted: str, name: str) -> Change:
    """A role that admits a ServiceAccount of one name, and one of another name that uses it."""
    document = condition(StringEquals={"sub": f"system:serviceaccount:backend:{trusted}", "aud": STS})
    return around(name=name, account=account(name=name), role=role(trust=document), pods=())


PROVIDERS = tuple(f"{OTHER[:-3]}{number:03}" for number in range(100))
"""As many OIDC providers as an account may have."""


def going_on(
    trust: Document | None, *, permission: Document | None = None, external: str = "", config: str = ""
) -> Change:
    """A ServiceAccount whose role goes on to a target role, which has this trust policy; None: it is gone."""
    chain = Chain(ROLE, FOREIGN, external)
    marks = {ROLE_ARN: ROLE, TARGET_ANNOTATION: FOREIGN}
    marks |= {EXTERNAL_ID_ANNOTATION: external} if external else {}
    return around(
        account=account(annotations=marks),
        role=role(policies={POLICY_NAME: permission or chain.permission}),
        chain_target=None if trust is None else role(arn=FOREIGN, trust=trust),
        aws_config=config or None,
    )


CHAINED = {"Version": "2012-10-17", "Statement": [Chain(ROLE, FOREIGN).statement]}
NAMED = {"Version": "2012-10-17", "Statement": [Chain(ROLE, FOREIGN, "theirs").statement]}
GONE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "AROAEXAMPLEEXAMPLE123"}, "Action": "sts:AssumeRole"}
    ],
}
S3_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
CASES: list[tuple[str, Change]] = [
    ("chain-permission", going_on(CHAINED, permission=S3_ONLY)),
    ("chain-external-id", going_on(NAMED)),
    ("chain-external-id", going_on(NAMED, external="mine")),
    ("chain-trust", going_on(None)),
    ("chain-trust", going_on(GONE)),
    ("chain-session", going_on(CHAINED, config="[profile target]\nduration_seconds = 7200\n")),
    ("cluster-unsupported", of_cluster(eks=EksFacts("1.36", on_outposts=True))),
    ("provider-missing", of_cluster(provider=None, providers=(OTHER,))),
    ("provider-missing", of_cluster(provider=None, providers=())),
    (
        "provider-url",
        of_cluster(
            provider=None, providers=(PROVIDER.replace("amazonaws.com", "api.aws").replace("oidc.", "oidc-"),)
        ),
    ),
    ("provider-url", of_cluster(provider=None, providers=(f"{PROVIDER}/",))),
    ("provider-url", of_cluster(provider=None, providers=(PROVIDER.replace("ABCDEF", "abcdef"),))),
    ("provider-audience", of_cluster(provider=ProviderState(ISSUER, []))),
    ("provider-audience", of_cluster(provider=ProviderState(ISSUER, ["sts.amazonaws.com "]))),
    ("provider-audience", of_cluster(provider=ProviderState(ISSUER, ["sts.amazon.com"]))),
    (
        "provider-account",
        both(
            around(
                account=annotated(role_arn=FOREIGN),
                provider=None,
                role=role(
                    arn=FOREIGN,
                    trust=statement(Principal={"Federated": PROVIDER.replace(ACCOUNT, "444455556666")}),
                ),
                pods=(pod(containers=(container(env=env(FOREIGN)),)),),
            )
        ),
    ),
    ("issuer-documents", of_cluster(published_keys=Unreadable("returns HTTP 403", answered=True))),
    ("issuer-keys", of_cluster(cluster_keys=frozenset({"k3"}))),
    ("issuer-keys", of_cluster(published_keys=frozenset())),
    ("sts-endpoint-policy", endpoint(Principal={"AWS": ACCOUNT})),
    ("sts-endpoint-policy", endpoint(Action="sts:GetCallerIdentity")),
    ("sts-endpoint-policy", endpoint(Effect="Deny")),
    ("service-account-missing", around(account=None, role=Unreadable("no"), pods=())),
    (
        "service-account-namespace",
        both(
            around(account=None, role=Unreadable("no"), pods=()),
            of_cluster(accounts=(account(namespace="front"),)),
        ),
    ),
    (
        "annotation-missing",
        around(account=annotated(), role=Unreadable("no"), pods=(bare_pod(),), candidates=ADMITTING),
    ),
    ("annotation-missing", around(account=annotated(), role=Unreadable("no"), pods=())),
    ("annotation-key", around(account=annotated(role_anr=ROLE), role=Unreadable("no"), pods=(bare_pod(),))),
    (
        "annotation-key",
        around(account=account(annotations={"eks.amazonaws.com/role_arn": ROLE}), role=Unreadable("no")),
    ),
    (
        "annotation-key",
        around(account=account(annotations={"eks.amazon.com/role-arn": ROLE}), role=Unreadable("no")),
    ),
    *(
        (
            "annotation-missing",
            around(account=account(annotations={key: ROLE}), role=Unreadable("no"), pods=()),
        )
        for key in (
            *("iam.amazonaws.com/role", "eks.amazonaws.com/ecr-role-arn", "irsa/target-role-arn"),
            *("iam.gke.io/gcp-service-account", "azure.workload.identity/client-id", "irsa/audience"),
        )
    ),
    (
        "annotation-removed",
        around(account=account(annotations={"irsa/role-arn": ROLE}), role=Unreadable("no"), pods=()),
    ),
    (
        "annotation-place",
        around(account=annotated(), role=Unreadable("no"), pods=(bare_pod(annotations={ROLE_ARN: ROLE}),)),
    ),
    ("annotation-removed", around(account=annotated(), role=Unreadable("no"))),
    ("annotation-whitespace", around(account=annotated(role_arn=f"{ROLE} "), pods=())),
    ("annotation-whitespace", around(account=annotated(role_arn=f"{ROLE}\n"), pods=())),
    ("annotation-whitespace", around(account=annotated(role_arn=f"\u200b{ROLE}"), pods=())),
    ("annotation-whitespace", around(account=annotated(role_arn=f'"{ROLE}"'), pods=())),
    ("annotation-arn", around(account=annotated(role_arn="arn:aws:iam::::role/reader"), pods=())),
    ("annotation-arn", around(account=annotated(role_arn="reader"), pods=())),
    ("annotation-arn", around(account=annotated(role_arn="arn:aws:iam::1111222233:role/reader"), pods=())),
    ("annotation-arn", around(account=annotated(role_arn="arn:aws:iam::<ACCOUNT>:role/reader"), pods=())),
    ("annotation-arn", around(account=annotated(role_arn=""), pods=())),
    (
        "annotation-partition",
        around(
            account=annotated(role_arn=ROLE.replace("aws", "aws-cn", 1)), role=None, pods=(), candidates=()
        ),
    ),
    ("annotation-partition", around(account=annotated(role_arn=ROLE.replace("aws", "aws-cn", 1)), pods=())),
    (
        "annotation-account",
        around(
            account=annotated(role_arn=ROLE.replace(ACCOUNT, "111122223330")),
            role=Unreadable("other account"),
            provider=Unreadable("other account"),
            candidates=ADMITTING,
            pods=(),
        ),
    ),
    (
        "annotation-path",
        both(around(account=annotated(role_arn=f"arn:aws:iam::{ACCOUNT}:role/reader"), pods=())),
    ),
    ("annotation-path", around(account=annotated(role_arn=ROLE.replace("reader", "Reader")), pods=())),
    (
        "annotation-other-role",
        both(trusting(FOR_ANOTHER), around(candidates=(RoleSummary(f"{ROLE}-2", TRUST),))),
    ),
    ("role-missing", around(role=None)),
    ("role-missing", around(role=None, candidates=ADMITTING)),
    ("annotation-audience", around(account=annotated(role_arn=ROLE, audience="other"), pods=())),
    (
        "provider-audience",
        both(
            around(
                account=annotated(role_arn=ROLE, audience="other"),
                pods=(),
                role=role(trust=condition(StringEquals={"sub": SUBJECT, "aud": "other"})),
            )
        ),
    ),
    (
        "trust-audience",
        both(
            around(account=annotated(role_arn=ROLE, audience="other"), pods=()),
            of_cluster(provider=ProviderState(ISSUER, [STS, "other"])),
        ),
    ),
    (
        "trust-principal",
        trusting(
            statement(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole", Condition=None)
        ),
    ),
    ("trust-principal", trusting({"Version": "2012-10-17", "Statement": []})),
    ("trust-old-cluster", old_cluster(None)),
    (
        "trust-old-cluster",
        old_cluster(ProviderState("https://x", [STS], tags={"alpha.eksctl.io/cluster-name": "demo"})),
    ),
    ("trust-other-cluster", old_cluster(ProviderState("https://x", [STS]))),
    (
        "trust-provider-arn",
        trusting(
            statement(Principal={"Federated": PROVIDER.replace("oidc-provider/", "oidc-provider/https://")})
        ),
    ),
    (
        "trust-provider-arn",
        trusting(statement(Principal={"Federated": PROVIDER.replace(ACCOUNT, "444455556666")})),
    ),
    ("trust-provider-arn", trusting(statement(Principal={"Federated": PROVIDER.lower()}))),
    (
        "trust-provider-arn",
        trusting(statement(Principal={"Federated": PROVIDER.replace("eu-west-1", "eu-west-2")})),
    ),
    ("trust-action", trusting(statement(Action="sts:AssumeRole"))),
    ("trust-action", trusting(statement(Action=["sts:AssumeRole", "sts:TagSession"]))),
    ("trust-key-https", trusting(keyed(f"{ISSUER}:sub"))),
    ("trust-key-https", trusting(keyed(f"{ISSUER}:sub", f"{ISSUER}:aud"))),
    ("trust-key", trusting(keyed(f"{PROVIDER}:sub"))),
    ("trust-key", trusting(keyed(f"{PREFIX}/:sub"))),
    ("trust-key", trusting(keyed(f"{OTHER_PREFIX}:sub", f"{OTHER_PREFIX}:aud"))),
    ("trust-key", trusting(condition(StringEquals={"aud": SUBJECT}))),
    ("trust-key", trusting(condition(StringEquals={"sub": STS, "aud": STS}))),
    (
        "trust-wildcard",
        trusting(condition(StringEquals={"sub": "system:serviceaccount:backend:*", "aud": STS})),
    ),
    (
        "trust-wildcard",
        trusting(condition(StringEquals={"sub": "system:serviceaccount:backend:reade?", "aud": STS})),
    ),
    ("trust-whitespace", trusting(condition(StringEquals={"sub": f"{SUBJECT}\n", "aud": STS}))),
    (
        "trust-whitespace",
        trusting(condition(StringEquals={"sub": SUBJECT.replace("backend", " backend"), "aud": STS})),
    ),
    ("trust-whitespace", trusting(condition(StringEquals={"sub": SUBJECT, "aud": f" {STS}"}))),
    (
        "trust-subject",
        trusting(condition(StringEquals={"sub": "system:serviceaccount:backend:raeder", "aud": STS})),
    ),
    (
        "trust-subject",
        trusting(condition(StringLike={"sub": "system:serviceaccount:front:*"}, StringEquals={"aud": STS})),
    ),
    ("trust-subject", trusting(condition(StringNotEquals={"sub": SUBJECT}))),
    ("trust-audience", trusting(condition(StringEquals={"sub": SUBJECT, "aud": "sts.amazon.com"}))),
    (
        "trust-condition",
        trusting(condition(StringEquals={"sub": SUBJECT, "aud": STS, "sts:ExternalId": "x"})),
    ),
    ("trust-condition", trusting(condition(StringEquals={"sub": SUBJECT, "aud": STS, f"{PREFIX}:amr": "x"}))),
    (
        "trust-deny",
        trusting(
            {
                **TRUST,
                "Statement": [*TRUST["Statement"], {"Effect": "Deny", "Principal": "*", "Action": ACTION}],
            }
        ),
    ),
    ("trust-generated-name", released("app-7f8d9c5b6", "app-5c4b1d2e3")),
    ("pod-china-region", china(NO_REGION)),
    ("session-duration", event("ValidationError", 7200)),
    ("sts-region", event("RegionDisabledException")),
    ("token-expired", event("ExpiredTokenException")),
    ("sts-throttled", event("IDPCommunicationError")),
    ("webhook-missing", both(of_cluster(webhooks=()), around(probe=UNSHOWN))),
    ("webhook-missing", both(of_cluster(webhooks=()), around(probe=Unreadable("no")), BARE)),
    (
        "webhook-namespace",
        both(
            of_cluster(
                webhooks=(
                    webhook(namespace_selector=(webhook().object_selector[0], *webhook().object_selector)),
                )
            ),
            around(namespace_labels={"eks.amazonaws.com/skip-pod-identity-webhook": "1"}, probe=UNSHOWN),
            BARE,
        ),
    ),
    ("webhook-failing", both(around(probe=UNSHOWN), BARE)),
    (
        "webhook-failing",
        around(
            probe=Unreadable('Internal error: failed calling webhook "iam-for-pods.amazonaws.com": refused')
        ),
    ),
    (
        "webhook-failing",
        both(
            of_cluster(webhooks=(webhook(ca_ends=NOW - timedelta(days=1)),)),
            around(probe=Unreadable("not permitted")),
        ),
    ),
    ("webhook-failing", both(around(probe=UNSHOWN, pods=()))),
    ("webhook-failing", pod_identity(probe=UNSHOWN, pods=())),
    (
        "webhook-prefix",
        both(
            of_cluster(webhook_arguments=("/webhook", "--annotation-prefix=example.com")),
            around(probe=UNSHOWN),
            BARE,
        ),
    ),
    (
        "webhook-objects",
        both(
            of_cluster(
                webhooks=(
                    webhook(
                        object_selector=(replace(webhook().object_selector[0], key="app"),),
                    ),
                )
            ),
            BARE,
        ),
    ),
    (
        "webhook-objects",
        both(
            of_cluster(webhooks=(webhook(object_selector=(Requirement("irsa", "In", ("on",)),)),)),
            around(probe=UNSHOWN),
            BARE,
        ),
    ),
    (
        "pod-identity-association",
        around(association=Association("a-1", FOREIGN), pods=(POD_IDENTITY,), probe=POD_IDENTITY),
    ),
    ("pod-identity-gone", around(pods=(POD_IDENTITY,))),
    ("pod-own-token", own_token(trust=FOR_ANOTHER)),
    ("pod-own-token", own_token(arn=f"{ROLE}-2")),
    ("pod-own-token", own_token(None)),
    ("pod-own-token", own_token("reader")),
    ("pod-own-token", own_token(audience="other")),
    ("pod-identity-trust", pod_identity(association_role=role())),
    ("pod-identity-trust", pod_identity(association_role=role(trust=for_service("sts:AssumeRole")))),
    ("pod-identity-trust", pod_identity(association_role=None)),
    ("pod-identity-proxy", pod_identity(pods=(behind_proxy(),))),
    ("pod-identity-proxy", pod_identity(pods=(behind_proxy(NO_PROXY="10.0.0.0/8,.cluster.local"),))),
    ("pod-identity-sdk", pod_identity(pods=(cli("1.29.0"),))),
    ("pod-identity-sdk", pod_identity(pods=(cli("2.14.9"),))),
    ("pod-endpoint", with_env(AWS_ENDPOINT_URL="http://minio.storage:9000")),
    ("pod-endpoint", with_env(AWS_ENDPOINT_URL="https://s3.eu-west-1.amazonaws.com")),
    ("pod-token-volume", around(pods=(pod(volumes=(Volume("aws-iam-token", STS, "other"),)),))),
    (
        "pod-static-credentials",
        around(pods=(pod(containers=(container(env=env(AWS_ACCESS_KEY_ID="x")), container(name="proxy"))),)),
    ),
    ("pod-static-credentials", from_config_map("configmap/app", "AWS_ACCESS_KEY_ID")),
    ("pod-static-credentials", from_config_map("configmap/app (prefix AWS_)", "ACCESS_KEY_ID", "X")),
    ("pod-setting", unasked(AWS_REGION="eu-wset-1")),
    ("pod-setting", unasked(AWS_REGION="EU-WEST-1")),
    ("pod-setting", unasked(AWS_REGION="us-gov-west-1")),
    ("pod-setting", unasked(AWS_REGION="eu-west-1a", AWS_DEFAULT_REGION="eu-west-1a")),
    ("pod-setting", unasked(AWS_USE_FIPS_ENDPOINT="true")),
    ("pod-setting", unasked(AWS_USE_FIPS_ENDPOINT="True", AWS_REGION="ca-central-1")),
    ("pod-setting", unasked(AWS_ROLE_SESSION_NAME="a b")),
    ("pod-setting", unasked(AWS_ROLE_SESSION_NAME="x")),
    ("pod-setting", unasked(AWS_ROLE_SESSION_NAME="x" * 65)),
    (
        "pod-env-partial",
        around(
            pods=(pod(containers=(container(), container(name="i", init=True, env={"AWS_ROLE_ARN": ROLE}))),)
        ),
    ),
    *(
        ("pod-identity-trust", pod_identity(association_role=role(trust=asking(**{key: value}))))
        for key, value in (
            ("aws:SourceAccount", "444455556666"),
            ("aws:SourceArn", f"{CLUSTER.arn}-2"),
            ("aws:RequestTag/kubernetes-namespace", "front"),
            ("aws:RequestTag/kubernetes-service-account", "raeder"),
            ("aws:RequestTag/team", "x"),
        )
    ),
    ("pod-identity-target", targeting(None)),
    ("pod-identity-target", targeting(role(arn=FOREIGN))),
    ("pod-identity-target", targeting(role(arn=FOREIGN, trust=for_role("sts:AssumeRole")))),
    ("pod-identity-target", targeting(role(arn=FOREIGN, trust=for_role(*ASSUMING, external="x")))),
    ("pod-identity-agent", pod_identity(agent=False)),
    *(("pod-identity-agent-down", pod_identity(agents=(agent(**down),))) for down in AGENTS_DOWN),
    ("pod-identity-missed", pod_identity(pods=(bare_pod(),))),
    ("pod-identity-missed", pod_identity(pods=(POD_IDENTITY, bare_pod(name="reader-2")))),
    ("webhook-failing", pod_identity(pods=(bare_pod(),), probe=bare_pod(name="irsa-doctor-1"))),
    ("pod-identity-missed", pod_identity(pods=(bare_pod(labels=SKIPPING),))),
    ("pod-identity-other-name", other_association("backend", "reader-sa")),
    ("pod-identity-other-name", other_association("front", "reader")),
    *(("pod-not-created", refused(why)) for why in REFUSALS),
    ("pod-not-created", refused(MISSING.format("raeder-sa"), service_account="raeder-sa")),
    ("pod-not-created", refused(MISSING.format("reader-sa"), service_account=None, hidden="not permitted")),
    (
        "pod-identity-platform",
        pod_identity(pods=(replace(POD_IDENTITY, labels={"eks.amazonaws.com/fargate-profile": "fp"}),)),
    ),
    ("pod-identity-platform", pod_identity(pods=(replace(POD_IDENTITY, os="windows"),))),
    ("pod-older-than-association", pod_identity(pods=(bare_pod(created=NOW - timedelta(days=3)),))),
    ("pod-older-than-annotation", around(pods=(bare_pod(created=NOW - timedelta(days=3)),))),
    ("pod-older-than-annotation", around(pods=(bare_pod(),), account=account(annotated=None))),
    (
        "pod-older-than-webhook",
        both(BARE, around(account=account(annotated=None)), of_cluster(webhooks=(webhook(created=NOW),))),
    ),
    ("pod-older-than-webhook", both(BARE, of_cluster(webhooks=(webhook(created=NOW),)))),
    ("pod-missed", BARE),
    (
        "pod-opted-out",
        around(pods=(bare_pod(labels={"eks.amazonaws.com/skip-pod-identity-webhook": "true"}),)),
    ),
    ("pod-opted-out", around(pods=(bare_pod(annotations={"eks.amazonaws.com/skip-containers": "app"}),))),
    ("pod-service-account", around(pods=(bare_pod(service_account="default"),))),
    ("pod-service-account", around(pods=(bare_pod(**APART, service_account="reader-sa"),))),
    ("pod-service-account", around(pods=(bare_pod(**APART, service_account="raeder"),))),
    ("pod-service-account", around(pods=(), elsewhere=(bare_pod(namespace="front"),))),
    (
        "pod-service-account",
        around(pods=(pod(), bare_pod(**{**APART, "owner": f"Pod/{pod().name}"}, service_account="default"))),
    ),
    (
        "pod-service-account",
        around(
            pods=(
                pod(labels={"spark-app-selector": "s-1"}),
                bare_pod(**{**APART, "labels": {"spark-app-selector": "s-1"}}, service_account="default"),
            )
        ),
    ),
    (
        "service-account-renamed",
        around(
            account=annotated(),
            role=Unreadable("no"),
            pods=(bare_pod(),),
            renamed=((ADMITTING[0], "reader-sa"),),
        ),
    ),
    ("pod-role-differs", around(pods=(pod(containers=(container(env=env(FOREIGN)),)),))),
    ("pod-audience-differs", around(pods=(pod(volumes=(Volume("aws-iam-token", "other"),)),))),
    ("pod-token-kept", around(pods=(pod(containers=(PART_OF_A_VOLUME,)),))),
    ("pod-env-partial", around(pods=(pod(containers=(container(env={"AWS_ROLE_ARN": ROLE}),)),))),
    ("pod-token-volume", around(pods=(pod(volumes=(Volume("aws-iam-token"),)),))),
    ("pod-token-volume", around(pods=(pod(containers=(container(mounts={}),)),))),
    ("pod-static-credentials", around(pods=(pod(containers=(container(env=env(AWS_ACCESS_KEY_ID=None)),)),))),
    (
        "pod-sts-endpoint",
        around(
            pods=(pod(containers=(container(env=env(AWS_ENDPOINT_URL_STS="https://sts.amazonaws.com")),)),)
        ),
    ),
    ("pod-windows", around(pods=(pod(os="windows"),))),
    ("pod-token-unreadable", both(of_cluster(eks=EksFacts("1.18")), around(pods=(pod(user=1000),)))),
    ("sdk-too-old", around(pods=(pod(containers=(container(image="amazon/aws-cli:1.16.100"),)),))),
    *(("role-incomplete", around(role=role(tags=marked(commit)))) for commit in (PENDING, DELETING, "else")),
    (
        "permissions-boundary",
        around(
            role=role(
                boundary="arn:aws:iam::aws:policy/b",
                boundary_policy={"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]},
            )
        ),
    ),
    ("pod-inside", around(inside=inside("wrong", ""))),
    ("pod-inside", around(inside=inside("unknown", f"arn:aws:sts::{ACCOUNT}:assumed-role/other/s"))),
]
BESIDE: list[tuple[tuple[str, ...], Change]] = [
    (("provider-missing", "provider-quota"), of_cluster(provider=None, providers=PROVIDERS)),
    (("trust-subject", "trust-quota"), trusting(full_trust())),
]
"""Two causes at once: the second one keeps the first from being put right."""
