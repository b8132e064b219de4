"""Set-ups in which nothing is wrong: usual ones, and unusual ones that somebody wants as they are."""

from __future__ import annotations

import json

from tests.scenarios.breaking import AUDIENCE, NAME
from tests.scenarios.breaks import (
    BY_POD_IDENTITY,
    SERVICE,
    anew,
    annotated,
    associate,
    condition,
    env,
    pod,
    trust,
    values,
)
from tests.scenarios.doctoring import move_role_to, provide
from tests.scenarios.reported.cases import healthy
from tests.scenarios.reported.pods import MESH
from tests.scenarios.reported.words import (
    SA,
    account,
    asked,
    beside,
    by_pods,
    each,
    elsewhere,
    endpoint,
    exchange,
    for_hours,
    image,
    refused,
    variables,
)
from tests.scenarios.reported.world import OLD_ID, SKIPPED, World
from tests.scenarios.uncreating import no_pod
from tests.support.documents import doc, policy
from tests.support.stage import ROLE_ARN, made

DEPLOYED = {
    "labels": "app=doctor-reader,pod-template-hash=6b69456585",
    "owner": "ReplicaSet/doctor-reader-6b69456585",
}
SECOND = each(account("second", "$role"), beside("second-0", "second"))
TWO = f'{{"StringEquals": {{"sub": ["{SA}$ns:second", "$subject"], "aud": "sts.amazonaws.com"}}}}'
STATEMENT = (
    '{"Effect": "EFFECT", "Principal": {"Federated": "$providers/$prefix"},'
    ' "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals":'
    ' {"$prefix:sub": "system:serviceaccount:$ns:NAME", "$prefix:aud": "sts.amazonaws.com"}}}'
)
ITSELF = '{"Effect": "Allow", "Principal": {"AWS": "$role"}, "Action": "sts:AssumeRole"}'
EC2 = '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
PROXY = '{"containers": [{"name": "app", "image": "app:1"}, {"name": "proxy", "image": "proxy:1"}]'
WITH_KEYS = (
    '{"containers": [{"name": "app", "image": "app:1"}, {"name": "backup", "image": "backup:1", "env":'
    ' [{"name": "AWS_ACCESS_KEY_ID", "value": "minio"}, {"name": "AWS_SECRET_ACCESS_KEY", "value": "minio"},'
    ' {"name": "AWS_ENDPOINT_URL", "value": "minio"}]}]}'
)
TAGS = doc("""{"StringEquals": {"aws:RequestTag/eks-cluster-arn":
    "arn:aws:eks:eu-west-1:111122223333:cluster/demo", "aws:RequestTag/kubernetes-namespace": "back",
    "aws:RequestTag/kubernetes-service-account": "doctor-reader", "aws:SourceAccount": "111122223333"}}""")
HOLD = """, "metadata": {"annotations":
    {"proxy.istio.io/config": "{\\"holdApplicationUntilProxyStarts\\": true}"}}}"""
SIDECAR = """{"initContainers":
    [{"name": "istio-proxy", "image": "istio/proxyv2:1.24.2", "restartPolicy": "Always"}]}"""
RELEASE = "app.kubernetes.io/instance=shop"
NEIGHBOUR = {"labels": "app.kubernetes.io/name=doctor-reader,app.kubernetes.io/instance=doctor-reader"}


def elsewhere_and_read(world: World) -> str:
    reader = move_role_to(world)
    provide(world)
    return f"{NAME} --iam-assume-role {reader}"


def provided_elsewhere(world: World) -> None:
    provide(world)


def of_several_clusters(world: World) -> None:
    world.make_provider(world.other_issuer)
    world.write_trust(world.role, world.of_issuer(OLD_ID), world.of_issuer(OLD_ID[::-1]), world.statement)


def vault(world: World) -> None:
    world.accept("vault")


def own_audience(world: World) -> None:
    world.accept("example.com")


def old_thumbprint(world: World) -> None:
    world.iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=world.provider, ThumbprintList=["0" * 40]
    )


def old_pod_ends(world: World) -> None:
    world.pod(f"{NAME}-old", labels=SKIPPED, nodeName="ip-10-0-0-1.ec2.internal")
    world.forget_skipping(f"{NAME}-old")
    world.end(f"{NAME}-old")


def whole_template(world: World) -> None:
    world.new_pod(**world.injected_by_hand(volume="aws-iam-token"))


def by_hand(world: World) -> None:
    world.new_pod(**world.injected_by_hand())


def role_from_elsewhere(world: World) -> None:
    spec = world.injected_by_hand()
    role = {"configMapKeyRef": {"name": "app", "key": "role"}}
    spec["container"]["env"][0] = {"name": "AWS_ROLE_ARN", "valueFrom": role}
    world.new_pod(**spec)


def associated_with_it(world: World) -> None:
    associate(world, role=world.role_arn)


def scaled_to_none(world: World) -> None:
    spec = doc("""{"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": {"metadata":
        {"labels": {"app": "a"}}, "spec": {"serviceAccountName": "doctor-reader", "containers": []}}}""")
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments"
    made(world.stage.kube.create(path, {"metadata": {"name": NAME}, "spec": spec}))


def to_its_account(world: World) -> None:
    world.endpoint(
        doc('{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Resource": "*"}]}')
    )


def bounded(world: World) -> None:
    document = json.dumps(policy("Allow s3:*,sqs:* on *"))
    arn = world.iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    world.iam.put_role_permissions_boundary(RoleName=world.role, PermissionsBoundary=arn)


def without_policies(world: World) -> None:
    world.iam.detach_role_policy(
        RoleName=world.role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )


def same_name_elsewhere(world: World) -> None:
    world.stage.make_namespace("other")
    role = world.make_role("other", world.trusting(f"{SA}other:{NAME}"))
    world.stage.make_account("other", NAME, annotations={ROLE_ARN: role})


healthy(
    "a role for one ServiceAccount, and a pod that uses it",
    exchange,
)
healthy(
    "several pods of a Deployment",
    each(beside(f"{NAME}-6b69456585-a", **DEPLOYED), beside(f"{NAME}-6b69456585-b", **DEPLOYED)),
)
healthy(
    "one role for two ServiceAccounts, in one statement",
    each(condition(TWO), SECOND),
)
healthy(
    "one role for two ServiceAccounts, in a statement each",
    each(trust("{}", STATEMENT.replace("EFFECT", "Allow").replace("NAME", "second")), SECOND),
)
healthy(
    "one role for three clusters; ours is the last statement",
    of_several_clusters,
)
healthy(
    "a role for all ServiceAccounts of the namespace",
    condition(f'{{"StringLike": {{"sub": "{SA}$ns:*"}}, "StringEquals": {{"aud": "sts.amazonaws.com"}}}}'),
)
healthy(
    "a role for a name in every namespace",
    condition(f'{{"StringLike": {{"sub": "{SA}*:{NAME}"}}, "StringEquals": {{"aud": "sts.amazonaws.com"}}}}'),
)
healthy(
    "a role for names with a prefix, as generated names need it",
    condition(f'{{"StringLike": {{"sub": "{SA}$ns:doctor-*", "aud": "sts.amazonaws.com"}}}}'),
)
healthy(
    "a trust policy that asks for the subject only",
    condition('{"StringEquals": {"sub": "$subject"}}'),
)
healthy(
    "a role that EC2 can also assume",
    trust("{}", EC2),
)
healthy(
    "a trust policy that denies another ServiceAccount",
    trust("{}", STATEMENT.replace("EFFECT", "Deny").replace("NAME", "other")),
)
healthy(
    "a role that may assume itself, and settings that name it",
    each(trust("{}", ITSELF), env("ASSUME", "$role")),
)
healthy(
    "a role in another account, which can be read",
    elsewhere_and_read,
)
healthy(
    "a role in another account, which can't be read",
    each(elsewhere, provided_elsewhere),
    exit_code=1,
)
healthy(
    "an audience of its own, on all sides",
    each(own_audience, values(aud="example.com"), anew("example.com", AUDIENCE)),
)
healthy(
    "a provider with more audiences than it needs",
    vault,
)
healthy(
    "a provider with an old thumbprint",
    old_thumbprint,
)
healthy(
    "a debug pod that opts out, next to one that does not",
    beside("debug", labels=SKIPPED),
)
healthy(
    "a container that is skipped on purpose",
    pod(PROXY + ', "metadata": {"annotations": {"eks.amazonaws.com/skip-containers": "proxy"}}}'),
)
healthy(
    "a Job that ended before the annotation, next to a pod that runs",
    each(
        beside("a", labels=SKIPPED, phase="Succeeded", owner="Job/a"),
        beside("b", labels=SKIPPED, phase="Failed", owner="Job/b"),
    ),
)
healthy(
    "a pod without an identity that is being deleted, after a restart",
    old_pod_ends,
)
healthy(
    "a sidecar with keys of its own, for storage that is not AWS's",
    pod(WITH_KEYS),
)
healthy(
    "variables, volume and mount by the template, with the annotation",
    whole_template,
)
healthy(
    "a token that is projected by hand, without the annotation",
    each(annotated(None), by_hand),
)
healthy(
    "EKS Pod Identity only",
    BY_POD_IDENTITY,
)
healthy(
    "EKS Pod Identity, whose trust policy names cluster, namespace and ServiceAccount",
    by_pods(condition=TAGS),
)
healthy(
    "a migration: association and annotation with the same role, pods by Pod Identity",
    each(trust("{}", SERVICE), associated_with_it, pod()),
)
healthy(
    "what kube2iam needed is still on the pods",
    pod('{"metadata": {"annotations": {"iam.amazonaws.com/role": "$name"}}}'),
)
healthy(
    "no pod yet",
    no_pod,
    exit_code=1,
)
healthy(
    "a Deployment that is scaled to none",
    each(no_pod, scaled_to_none),
    exit_code=1,
)
healthy(
    "Windows pods with their node selector",
    pod('{"os": {"name": "windows"}, "nodeSelector": {"kubernetes.io/os": "windows"}}'),
)
healthy(
    "a pod on Fargate",
    pod('{"metadata": {"labels": {"eks.amazonaws.com/fargate-profile": "apps"}}}'),
)
healthy(
    "a pod in the host's network",
    pod('{"hostNetwork": true}'),
)
healthy(
    "init containers that also get their variables",
    pod('{"initContainers": [{"name": "fetch", "image": "public.ecr.aws/aws-cli/aws-cli:2.17.0"}]}'),
)
healthy(
    "the global endpoint of STS by annotation, in a VPC with a way out",
    anew("false", "eks.amazonaws.com/sts-regional-endpoints"),
)
healthy(
    "an endpoint for STS in the VPC",
    endpoint,
)
healthy(
    "an endpoint for STS whose policy allows the account",
    to_its_account,
)
healthy(
    "a permissions boundary that leaves what the policies allow",
    bounded,
)
healthy(
    "a token that expires after an hour by annotation",
    anew("3600", "eks.amazonaws.com/token-expiration"),
)
healthy(
    "a neighbour of the same release with a ServiceAccount of its own",
    each(account(f"{NAME}-webhook"), beside(f"{NAME}-webhook-0", f"{NAME}-webhook", **NEIGHBOUR)),
)
healthy(
    "pods of other applications that run as default",
    beside("cache-0", "default", labels="app=cache"),
)
healthy(
    "a mesh's sidecar that lets the application wait",
    pod(MESH[:-1] + HOLD),
)
healthy(
    "a user who is not root",
    pod('{"securityContext": {"runAsUser": 1000, "runAsNonRoot": true}}'),
)
healthy(
    "a role without any policy, for what a resource's policy grants",
    without_policies,
)
healthy(
    "an environment from a Secret that has no keys of AWS",
    pod('{"container": {"envFrom": [{"secretRef": {"name": "app"}}]}}'),
)
healthy(
    "a DaemonSet's pods",
    each(
        no_pod,
        beside(f"{NAME}-1", owner=f"DaemonSet/{NAME}"),
        beside(f"{NAME}-2", owner=f"DaemonSet/{NAME}"),
    ),
)
healthy(
    "the same name in another namespace, with a role of its own",
    same_name_elsewhere,
)
healthy(
    "an application that has its role, and has needed nothing of AWS for hours",
    for_hours,
    exit_code=1,
)
healthy(
    "an application that has asked STS when it began, hours ago",
    each(exchange, for_hours),
)
healthy(
    "a role that was created too late for the first exchange, but not for the next",
    each(refused("AccessDenied"), exchange),
)
healthy(
    "an endpoint for STS in the VPC, and an SDK that asks it",
    each(endpoint, image("app:1"), exchange, for_hours),
)
healthy(
    "a profile that takes the web identity, as STS has seen",
    each(variables(AWS_PROFILE="app", AWS_CONFIG_FILE="/etc/aws/config"), exchange),
)
healthy(
    "no credentials file, by a name of nothing",
    variables(AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_CONFIG_FILE="/dev/null"),
)
healthy(
    "a token that is projected by hand, its role from a ConfigMap",
    each(annotated(None), role_from_elsewhere),
    exit_code=1,
)
healthy(
    "other workloads, a test of Helm and a Job of the release that run as default",
    each(
        pod('{"metadata": {"labels": {"app.kubernetes.io/instance": "shop"}}}'),
        beside("cache-0", "default", labels=RELEASE, owner="StatefulSet/cache"),
        beside("migrate-0", "default", labels=RELEASE, owner="Job/migrate"),
        beside("shop-test", "default", labels=RELEASE, hook="test"),
    ),
)
healthy(
    "a sidecar that begins the pod",
    pod(SIDECAR),
)
healthy(
    "all ServiceAccounts of a namespace, without naming one",
    each(beside("cache-0", "default", labels="app=cache"), asked("")),
)
