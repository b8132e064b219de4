"""Working bindings broken in one way each, with the cause that has to be named for it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import timedelta
from typing import Any

from irsa_cli.core.doctor.diagnosis import judge
from irsa_cli.core.doctor.facts import EksFacts, OtherAssociation, VpcEndpoint
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.reported import PodAnswer
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod, Volume
from irsa_cli.core.objects.role import Role
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
from tests.support.documents import Json, doc, policy
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
    listed,
    of_cluster,
    pod,
    role,
    statement,
    trusting,
    webhook,
    working,
)

OTHER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}/id/FEDCBA9876543210FEDCBA9876543210"
OTHER_PREFIX = OTHER.partition("oidc-provider/")[2]
STS = "sts.amazonaws.com"
FOREIGN = "arn:aws:iam::444455556666:role/reader"
ADMITTING = (listed(ROLE, TRUST),)
UNSHOWN = bare_pod(name="irsa-doctor-1", owner="")


POD_IDENTITY_ENV = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}
POD_IDENTITY = bare_pod(containers=(container(env=POD_IDENTITY_ENV, mounts={}),))


APART: Json = {"name": "web-0", "labels": {}, "owner": "StatefulSet/web"}
"""A pod that bears nothing of the ServiceAccount's name."""


PART_OF_A_VOLUME = container(mounts={"aws-iam-token": f"{FOLDER}/token"}, parts={"aws-iam-token": "token"})
"""A container that has the token's file by subPath."""


def words(text: str) -> dict[str, str | None]:
    """Variables as a shell has them: `NAME=value`, or `NAME` for one whose value is not known."""
    pairs = (word.partition("=") for word in shlex.split(text))
    return {name: value if sign else None for name, sign, value in pairs}


def with_env(text: str) -> Change:
    """A pod that has a web identity and these variables."""
    return with_container(env={**env(), **words(text)})


def with_container(**fields: Any) -> Change:
    """A pod with a web identity, and this container."""
    return around(pods=(pod(containers=(container(**fields),)),))


def with_pod(**fields: Any) -> Change:
    """A pod with a web identity."""
    return around(pods=(pod(**fields),))


def with_bare(**fields: Any) -> Change:
    """A pod without a web identity."""
    return around(pods=(bare_pod(**fields),))


def unasked(text: str) -> Change:
    """The same, and STS was not seen to be asked."""
    return both(around(events=()), with_env(text))


def from_config_map(source: str, *keys: str) -> Change:
    """A pod whose environment comes from a ConfigMap with these keys."""
    return both(with_container(sources=(source,)), around(config_keys={"configmap/app": frozenset(keys)}))


def behind_proxy(text: str = "") -> Pod:
    """A pod with Pod Identity that has a proxy."""
    there = {**POD_IDENTITY_ENV, **words(f"HTTP_PROXY=http://proxy.example:3128 {text}")}
    return replace(POD_IDENTITY, containers=(container(env=there, mounts={}),))


def cli(version: str) -> Pod:
    """A pod with Pod Identity and this AWS CLI."""
    item = replace(POD_IDENTITY.containers[0], image=f"public.ecr.aws/aws-cli/aws-cli:{version}")
    return replace(POD_IDENTITY, containers=(item,))


def verdicts(change: Change) -> dict[str, Verdict]:
    """What each cause says of the broken binding."""
    return {item.cause.id: item.verdict for item in judge(change(working()))}


def problems(change: Change) -> list[str]:
    """The causes that are found, in their order."""
    return [cause for cause, verdict in verdicts(change).items() if verdict is Verdict.PROBLEM]


def finding(change: Change, identifier: str) -> Finding:
    """What that cause says."""
    return next(item for item in judge(change(working())) if item.cause.id == identifier)


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


def agent(**fields: Any) -> Pod:
    """A pod of EKS Pod Identity's agent, on the node of the pods."""
    name = "eks-pod-identity-agent"
    made = Pod("kube-system", f"{name}-x", labels={"app.kubernetes.io/name": name}, node=NODE, ready=True)
    return replace(made, **fields)


AGENTS_DOWN = (
    agent(waiting="CrashLoopBackOff", ready=False),
    agent(ready=False),
    agent(phase="Failed"),
    agent(phase="Pending"),
    agent(node="ip-10-0-0-2.eu-west-1.compute.internal"),
)


MISSING = (
    'pods "reader-5f-" is forbidden: error looking up service account backend/{0}: serviceaccount "{0}" not'
    " found"
)
REFUSALS = f"""{MISSING.format("reader")}
Pod "reader-1" is invalid: spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/var": must be unique
Pod "reader-1" is invalid: spec.volumes[1].name: Duplicate value: "aws-iam-token"
Internal error occurred: failed calling webhook "mesh.example.com": failed to call webhook: Post "https://mesh"
Timeout: request did not complete within requested timeout - context deadline exceeded
admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/backend/ was blocked
pods "reader-5f-x" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4
pods "reader-5f-x" is forbidden: failed quota: compute: must specify limits.cpu for: app
pods "reader-5f-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true
pods "reader-5f-" is forbidden: no PriorityClass with name high was found"""


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


def own_token(
    named: str | None = ROLE, audience: str = STS, *, arn: str = ROLE, trust: Document = TRUST
) -> Change:
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
        own_roles={ROLE: role(arn, trust)} if named else {f"{ROLE}-gone": None},
    )


def old_cluster(provider: ProviderState | None) -> Change:
    return both(trust(json.dumps(OF_OTHER)), around(providers={OTHER: provider}))


def conditional(text: str) -> Change:
    """The right trust policy with this condition: JSON, in which `sub` and `aud` have the issuer's prefix."""
    return trusting(condition(**doc(text, SUB=SUBJECT, STS=STS)))


def trust(text: str) -> Change:
    """The right trust policy with these elements."""
    return trusting(
        statement(**doc(text, SUB=SUBJECT, STS=STS, P=PREFIX, OTHER=OTHER_PREFIX, ACCOUNT=ACCOUNT))
    )


OF_OTHER = {
    "Principal": {"Federated": OTHER},
    "Condition": {"StringEquals": {f"{OTHER_PREFIX}:sub": SUBJECT, f"{OTHER_PREFIX}:aud": STS}},
}


def federated(provider: str) -> Change:
    return trusting(statement(Principal={"Federated": provider}))


def noted(arn: str) -> Change:
    """An annotation with this text, and no pods yet."""
    return around(account=annotated(role_arn=arn), pods=())


def marked_as(key: str, *pods: Pod) -> Change:
    """An annotation of another name."""
    return nameless(*pods, account=account(annotations={key: ROLE}))


def nameless(*pods: Pod, **fields: Any) -> Change:
    """A ServiceAccount that names no role, and these pods."""
    return around(**{"account": annotated(), "role": Unreadable("no"), "pods": pods, **fields})


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
    *trusted: Any, permission: Document | None = None, external: str = "", config: str = ""
) -> Change:
    """A ServiceAccount whose role goes on to a target role with this statement; None: it is gone."""
    chain = Chain(ROLE, FOREIGN, external)
    marks = {ROLE_ARN: ROLE, TARGET_ANNOTATION: FOREIGN}
    marks |= {EXTERNAL_ID_ANNOTATION: external} if external else {}
    target = role(arn=FOREIGN, trust={"Version": "2012-10-17", "Statement": list(trusted)})
    return around(
        account=account(annotations=marks),
        role=role(policies={POLICY_NAME: permission or chain.permission}),
        chain_target=target if trusted else None,
        aws_config=config or None,
    )


CHAINED, NAMED = Chain(ROLE, FOREIGN).statement, Chain(ROLE, FOREIGN, "theirs").statement


def absent(provider: str) -> Change:
    """Another provider in place of the cluster's."""
    return of_cluster(provider=None, providers=(provider,))


def accepting(audiences: list[str]) -> Change:
    return of_cluster(provider=ProviderState(ISSUER, audiences))


def selecting(**fields: Any) -> Change:
    """Another webhook."""
    return of_cluster(webhooks=(webhook(**fields),))


def trusted(document: Document) -> Change:
    """A role of an association with this trust policy."""
    return pod_identity(association_role=role(trust=document))


def proxied(text: str) -> Change:
    return pod_identity(pods=(behind_proxy(text),))


CHINESE = ROLE.replace("aws", "aws-cn", 1)
OTHER_AUDIENCE = around(account=annotated(role_arn=ROLE, audience="other"), pods=())
SPARK = {"labels": {"spark-app-selector": "s-1"}}
WAYS: dict[str, list[Change]] = {
    "chain-permission": [going_on(CHAINED, permission=policy("Allow s3:* on *"))],
    "chain-external-id": [going_on(NAMED), going_on(NAMED, external="mine")],
    "chain-trust": [going_on(), going_on({**CHAINED, "Principal": {"AWS": "AROAEXAMPLEEXAMPLE123"}})],
    "chain-session": [going_on(CHAINED, config="[profile target]\nduration_seconds = 7200\n")],
    "cluster-unsupported": [of_cluster(eks=EksFacts("1.36", on_outposts=True))],
    "provider-missing": [absent(OTHER), of_cluster(provider=None, providers=())],
    "provider-url": [
        *map(
            absent,
            (
                PROVIDER.replace("amazonaws.com", "api.aws").replace("oidc.", "oidc-"),
                f"{PROVIDER}/",
                PROVIDER.replace("ABCDEF", "abcdef"),
            ),
        )
    ],
    "provider-audience": [
        *map(
            accepting,
            (
                [],
                ["sts.amazonaws.com "],
                ["sts.amazon.com"],
            ),
        ),
        both(OTHER_AUDIENCE, conditional('{"StringEquals": {"sub": "<SUB>", "aud": "other"}}')),
    ],
    "provider-account": [
        around(
            account=annotated(role_arn=FOREIGN),
            provider=None,
            role=role(
                arn=FOREIGN,
                trust=statement(Principal={"Federated": PROVIDER.replace(ACCOUNT, "444455556666")}),
            ),
            pods=(pod(containers=(container(env=env(FOREIGN)),)),),
        )
    ],
    "issuer-documents": [of_cluster(published_keys=Unreadable("returns HTTP 403", answered=True))],
    "issuer-keys": [of_cluster(cluster_keys=frozenset({"k3"})), of_cluster(published_keys=frozenset())],
    "sts-endpoint-policy": [
        endpoint(Principal={"AWS": ACCOUNT}),
        endpoint(Action="sts:GetCallerIdentity"),
        endpoint(Effect="Deny"),
    ],
    "service-account-missing": [nameless(account=None)],
    "service-account-namespace": [
        both(nameless(account=None), of_cluster(accounts=(account(namespace="front"),)))
    ],
    "annotation-missing": [
        nameless(bare_pod(), candidates=ADMITTING),
        nameless(),
        *map(
            marked_as,
            (
                *("iam.amazonaws.com/role", "irsa/target-role-arn"),
                *("iam.gke.io/gcp-service-account", "azure.workload.identity/client-id", "irsa/audience"),
            ),
        ),
    ],
    "annotation-key": [
        nameless(bare_pod(), account=annotated(role_anr=ROLE)),
        marked_as("eks.amazonaws.com/role_arn", pod()),
        marked_as("eks.amazon.com/role-arn", pod()),
    ],
    "annotation-removed": [marked_as("irsa/role-arn"), nameless(pod())],
    "annotation-place": [nameless(bare_pod(annotations={ROLE_ARN: ROLE}))],
    "annotation-whitespace": [
        *map(
            noted,
            (
                f"{ROLE} ",
                f"{ROLE}\n",
                f"\u200b{ROLE}",
                f'"{ROLE}"',
            ),
        )
    ],
    "annotation-arn": [
        *map(
            noted,
            (
                *("arn:aws:iam::::role/reader", "reader", "arn:aws:iam::1111222233:role/reader"),
                *("arn:aws:iam::<ACCOUNT>:role/reader", ""),
            ),
        )
    ],
    "annotation-partition": [both(noted(CHINESE), around(role=None, candidates=())), noted(CHINESE)],
    "annotation-account": [
        both(
            noted(ROLE.replace(ACCOUNT, "111122223330")),
            around(role=Unreadable("other"), provider=Unreadable("other"), candidates=ADMITTING),
        )
    ],
    "annotation-path": [
        *map(
            noted,
            (
                f"arn:aws:iam::{ACCOUNT}:role/reader",
                ROLE.replace("reader", "Reader"),
            ),
        )
    ],
    "annotation-other-role": [both(trusting(FOR_ANOTHER), around(candidates=(listed(f"{ROLE}-2", TRUST),)))],
    "role-missing": [around(role=None), around(role=None, candidates=ADMITTING)],
    "annotation-audience": [OTHER_AUDIENCE],
    "trust-audience": [
        both(OTHER_AUDIENCE, accepting([STS, "other"])),
        conditional('{"StringEquals": {"sub": "<SUB>", "aud": "sts.amazon.com"}}'),
    ],
    "trust-principal": [
        trust(
            '{"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole", "Condition": null}'
        ),
        trusting({"Version": "2012-10-17", "Statement": []}),
    ],
    "trust-old-cluster": [
        old_cluster(None),
        old_cluster(ProviderState("https://x", [STS], tags={"alpha.eksctl.io/cluster-name": "demo"})),
    ],
    "trust-other-cluster": [old_cluster(ProviderState("https://x", [STS]))],
    "trust-provider-arn": [
        *map(
            federated,
            (
                PROVIDER.replace("oidc-provider/", "oidc-provider/https://"),
                PROVIDER.replace(ACCOUNT, "444455556666"),
                PROVIDER.lower(),
                PROVIDER.replace("eu-west-1", "eu-west-2"),
            ),
        )
    ],
    "trust-action": [
        *map(
            trust,
            (
                '{"Action": "sts:AssumeRole"}',
                '{"Action": ["sts:AssumeRole", "sts:TagSession"]}',
            ),
        )
    ],
    "trust-key-https": [
        *map(
            trust,
            (
                '{"Condition": {"StringEquals": {"https://<P>:sub": "<SUB>", "<P>:aud": "<STS>"}}}',
                '{"Condition": {"StringEquals": {"https://<P>:sub": "<SUB>", "https://<P>:aud": "<STS>"}}}',
            ),
        )
    ],
    "trust-key": [
        *map(
            trust,
            (
                '{"Condition": {"StringEquals": {"arn:aws:iam::<ACCOUNT>:oidc-provider/<P>:sub": "<SUB>",'
                ' "<P>:aud": "<STS>"}}}',
                '{"Condition": {"StringEquals": {"<P>/:sub": "<SUB>", "<P>:aud": "<STS>"}}}',
                '{"Condition": {"StringEquals": {"<OTHER>:sub": "<SUB>", "<OTHER>:aud": "<STS>"}}}',
            ),
        ),
        *map(
            conditional,
            (
                '{"StringEquals": {"aud": "<SUB>"}}',
                '{"StringEquals": {"sub": "<STS>", "aud": "<STS>"}}',
            ),
        ),
    ],
    "trust-wildcard": [
        *map(
            conditional,
            (
                '{"StringEquals": {"sub": "system:serviceaccount:backend:*", "aud": "<STS>"}}',
                '{"StringEquals": {"sub": "system:serviceaccount:backend:reade?", "aud": "<STS>"}}',
            ),
        )
    ],
    "trust-whitespace": [
        *map(
            conditional,
            (
                r'{"StringEquals": {"sub": "<SUB>\n", "aud": "<STS>"}}',
                '{"StringEquals": {"sub": "system:serviceaccount: backend:reader", "aud": "<STS>"}}',
                '{"StringEquals": {"sub": "<SUB>", "aud": " <STS>"}}',
            ),
        )
    ],
    "trust-subject": [
        *map(
            conditional,
            (
                '{"StringEquals": {"sub": "system:serviceaccount:backend:raeder", "aud": "<STS>"}}',
                '{"StringLike": {"sub": "system:serviceaccount:front:*"}, "StringEquals": {"aud": "<STS>"}}',
                '{"StringNotEquals": {"sub": "<SUB>"}}',
            ),
        )
    ],
    "trust-condition": [
        *map(
            trust,
            (
                '{"Condition": {"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "<STS>",'
                ' "sts:ExternalId": "x"}}}',
                '{"Condition": {"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "<STS>", "<P>:amr": "x"}}}',
            ),
        )
    ],
    "trust-deny": [
        trusting({"Statement": [*TRUST["Statement"], {"Effect": "Deny", "Principal": "*", "Action": ACTION}]})
    ],
    "trust-generated-name": [released("app-7f8d9c5b6", "app-5c4b1d2e3")],
    "pod-china-region": [china(NO_REGION)],
    "session-duration": [event("ValidationError", 7200)],
    "sts-region": [event("RegionDisabledException")],
    "token-expired": [event("ExpiredTokenException")],
    "sts-throttled": [event("IDPCommunicationError")],
    "webhook-missing": [
        both(of_cluster(webhooks=()), around(probe=UNSHOWN)),
        both(of_cluster(webhooks=()), around(probe=Unreadable("no")), with_bare()),
    ],
    "webhook-namespace": [
        both(
            selecting(namespace_selector=(*webhook().object_selector, *webhook().object_selector)),
            around(namespace_labels={"eks.amazonaws.com/skip-pod-identity-webhook": "1"}, probe=UNSHOWN),
            with_bare(),
        )
    ],
    "webhook-failing": [
        both(around(probe=UNSHOWN), with_bare()),
        around(
            probe=Unreadable('Internal error: failed calling webhook "iam-for-pods.amazonaws.com": refused')
        ),
        both(selecting(ca_ends=NOW - timedelta(days=1)), around(probe=Unreadable("not permitted"))),
        around(probe=UNSHOWN, pods=()),
        pod_identity(probe=UNSHOWN, pods=()),
        pod_identity(pods=(bare_pod(),), probe=UNSHOWN),
    ],
    "webhook-prefix": [
        both(
            of_cluster(webhook_arguments=("/webhook", "--annotation-prefix=example.com")),
            around(probe=UNSHOWN),
            with_bare(),
        )
    ],
    "webhook-objects": [
        both(selecting(object_selector=(replace(webhook().object_selector[0], key="app"),)), with_bare()),
        both(
            selecting(object_selector=(Requirement("irsa", "In", ("on",)),)),
            around(probe=UNSHOWN),
            with_bare(),
        ),
    ],
    "pod-identity-association": [
        around(association=Association("a-1", FOREIGN), pods=(POD_IDENTITY,), probe=POD_IDENTITY)
    ],
    "pod-identity-gone": [around(pods=(POD_IDENTITY,))],
    "pod-own-token": [
        own_token(trust=FOR_ANOTHER),
        own_token(arn=f"{ROLE}-2"),
        own_token(None),
        own_token("reader"),
        own_token(audience="other"),
    ],
    "pod-identity-trust": [
        *map(
            trusted,
            (
                TRUST,
                for_service("sts:AssumeRole"),
            ),
        ),
        pod_identity(association_role=None),
        *map(
            trusted,
            (
                asking(**{"aws:SourceAccount": "444455556666"}),
                asking(**{"aws:SourceArn": f"{CLUSTER.arn}-2"}),
                asking(**{"aws:RequestTag/kubernetes-namespace": "front"}),
                asking(**{"aws:RequestTag/kubernetes-service-account": "raeder"}),
                asking(**{"aws:RequestTag/team": "x"}),
            ),
        ),
    ],
    "pod-identity-proxy": [
        *map(
            proxied,
            (
                "",
                "NO_PROXY=10.0.0.0/8,.cluster.local",
            ),
        )
    ],
    "pod-identity-sdk": [pod_identity(pods=(cli("1.29.0"),)), pod_identity(pods=(cli("2.14.9"),))],
    "pod-endpoint": [
        *map(
            with_env,
            (
                "AWS_ENDPOINT_URL=http://minio.storage:9000",
                "AWS_ENDPOINT_URL=https://s3.eu-west-1.amazonaws.com",
            ),
        )
    ],
    "pod-token-volume": [
        with_pod(volumes=(Volume("aws-iam-token", STS, "other"),)),
        with_pod(volumes=(Volume("aws-iam-token"),)),
        with_container(mounts={}),
    ],
    "pod-static-credentials": [
        with_pod(containers=(container(env=env(AWS_ACCESS_KEY_ID="x")), container(name="proxy"))),
        from_config_map("configmap/app", "AWS_ACCESS_KEY_ID"),
        from_config_map("configmap/app (prefix AWS_)", "ACCESS_KEY_ID", "X"),
        with_env("AWS_ACCESS_KEY_ID"),
    ],
    "pod-setting": [
        *map(
            unasked,
            (
                "AWS_REGION=eu-wset-1",
                "AWS_REGION=EU-WEST-1",
                "AWS_REGION=us-gov-west-1",
                "AWS_REGION=eu-west-1a AWS_DEFAULT_REGION=eu-west-1a",
                "AWS_USE_FIPS_ENDPOINT=true",
                "AWS_USE_FIPS_ENDPOINT=True AWS_REGION=ca-central-1",
                "AWS_ROLE_SESSION_NAME='a b'",
                "AWS_ROLE_SESSION_NAME=x",
                f"AWS_ROLE_SESSION_NAME={'x' * 65}",
            ),
        )
    ],
    "pod-env-partial": [
        with_pod(containers=(container(), container(name="i", init=True, env={"AWS_ROLE_ARN": ROLE}))),
        with_container(env={"AWS_ROLE_ARN": ROLE}),
    ],
    "pod-identity-target": [
        targeting(None),
        targeting(role(arn=FOREIGN)),
        targeting(role(arn=FOREIGN, trust=for_role("sts:AssumeRole"))),
        targeting(role(arn=FOREIGN, trust=for_role(*ASSUMING, external="x"))),
    ],
    "pod-identity-agent": [pod_identity(agent=False)],
    "pod-identity-agent-down": [*(pod_identity(agents=(down,)) for down in AGENTS_DOWN)],
    "pod-identity-missed": [
        pod_identity(pods=(bare_pod(),)),
        pod_identity(pods=(POD_IDENTITY, bare_pod(name="reader-2"))),
        pod_identity(pods=(bare_pod(labels=SKIPPING),)),
    ],
    "pod-identity-other-name": [
        other_association("backend", "reader-sa"),
        other_association("front", "reader"),
    ],
    "pod-not-created": [
        *map(refused, (*REFUSALS.splitlines(),)),
        refused(MISSING.format("raeder-sa"), service_account="raeder-sa"),
        refused(MISSING.format("reader-sa"), service_account=None, hidden="not permitted"),
    ],
    "pod-identity-platform": [
        pod_identity(pods=(replace(POD_IDENTITY, labels={"eks.amazonaws.com/fargate-profile": "fp"}),)),
        pod_identity(pods=(replace(POD_IDENTITY, os="windows"),)),
    ],
    "pod-older-than-association": [pod_identity(pods=(bare_pod(created=NOW - timedelta(days=3)),))],
    "pod-older-than-annotation": [
        with_bare(created=NOW - timedelta(days=3)),
        around(pods=(bare_pod(),), account=account(annotated=None)),
    ],
    "pod-older-than-webhook": [
        both(with_bare(), around(account=account(annotated=None)), selecting(created=NOW)),
        both(with_bare(), selecting(created=NOW)),
    ],
    "pod-missed": [with_bare()],
    "pod-opted-out": [
        with_bare(labels=SKIPPING),
        with_bare(annotations={"eks.amazonaws.com/skip-containers": "app"}),
    ],
    "pod-service-account": [
        with_bare(service_account="default"),
        with_bare(**APART, service_account="reader-sa"),
        with_bare(**APART, service_account="raeder"),
        around(pods=(), elsewhere=(bare_pod(namespace="front"),)),
        around(pods=(pod(), bare_pod(**{**APART, "owner": f"Pod/{pod().name}"}, service_account="default"))),
        around(pods=(pod(**SPARK), bare_pod(**{**APART, **SPARK}, service_account="default"))),
    ],
    "service-account-renamed": [nameless(bare_pod(), renamed=((ADMITTING[0], "reader-sa"),))],
    "pod-role-differs": [with_container(env=env(FOREIGN))],
    "pod-audience-differs": [with_pod(volumes=(Volume("aws-iam-token", "other"),))],
    "pod-token-kept": [with_pod(containers=(PART_OF_A_VOLUME,))],
    "pod-sts-endpoint": [with_env("AWS_ENDPOINT_URL_STS=https://sts.amazonaws.com")],
    "pod-windows": [with_pod(os="windows")],
    "pod-token-unreadable": [both(of_cluster(eks=EksFacts("1.18")), with_pod(user=1000))],
    "sdk-too-old": [with_container(image="amazon/aws-cli:1.16.100")],
    "role-incomplete": [*(around(role=role(tags=marked(commit))) for commit in (PENDING, DELETING, "else"))],
    "permissions-boundary": [
        around(role=role(boundary="arn:aws:iam::aws:policy/b", boundary_policy=policy("Allow sqs:* on *")))
    ],
    "pod-inside": [
        around(inside=inside("wrong", "")),
        around(inside=inside("unknown", f"arn:aws:sts::{ACCOUNT}:assumed-role/other/s")),
    ],
}
"""By cause: a new one needs one here, and is then in `CASES`."""
CASES = [(cause, change) for cause, changes in WAYS.items() for change in changes]
BESIDE: list[tuple[tuple[str, ...], Change]] = [
    (("provider-missing", "provider-quota"), of_cluster(provider=None, providers=PROVIDERS)),
    (("trust-subject", "trust-quota"), trusting(full_trust())),
]
"""Two causes at once: the second one keeps the first from being put right."""
