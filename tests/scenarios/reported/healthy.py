"""Set-ups in which nothing is wrong: usual ones, and unusual ones that somebody wants as they are."""

from __future__ import annotations

import json

from tests.scenarios.breaking import AUDIENCE, FOREIGN, NAME, STS
from tests.scenarios.reported.cases import healthy
from tests.scenarios.reported.world import OLD_ID, SKIP, World
from tests.support.stage import ROLE_ARN, made


@healthy("a role for one ServiceAccount, and a pod that uses it")
def one_of_each(world: World) -> None:
    world.exchange()


@healthy("several pods of a Deployment")
def several_pods(world: World) -> None:
    labels = {"app": NAME, "pod-template-hash": "6b69456585"}
    for name in ("a", "b"):
        owner = ("ReplicaSet", f"{NAME}-6b69456585")
        world.pod(f"{NAME}-6b69456585-{name}", labels=labels, owner=owner)


@healthy("one role for two ServiceAccounts, in one statement")
def role_shared_in_one_statement(world: World) -> None:
    world.account_named("second", **world.annotated())
    world.conditions(StringEquals={"sub": [world.subject_of("second"), world.subject], "aud": STS})
    world.pod("second-0", "second")


@healthy("one role for two ServiceAccounts, in a statement each")
def role_shared_in_two_statements(world: World) -> None:
    world.account_named("second", **world.annotated())
    world.trust(world.trusting(world.subject_of("second")))
    world.pod("second-0", "second")


@healthy("one role for three clusters; ours is the last statement")
def role_of_several_clusters(world: World) -> None:
    world.make_provider(world.other_issuer)
    others = [world.of_issuer(OLD_ID), world.of_issuer(OLD_ID[::-1])]
    document = {"Version": "2012-10-17", "Statement": [*others, world.statement]}
    world.iam.update_assume_role_policy(RoleName=world.role, PolicyDocument=json.dumps(document))


@healthy("a role for all ServiceAccounts of the namespace")
def role_of_a_namespace(world: World) -> None:
    world.conditions(StringLike={"sub": world.subject_of("*")}, StringEquals={"aud": STS})


@healthy("a role for a name in every namespace")
def role_of_a_name(world: World) -> None:
    world.conditions(StringLike={"sub": f"system:serviceaccount:*:{NAME}"}, StringEquals={"aud": STS})


@healthy("a role for names with a prefix, as generated names need it")
def role_of_a_prefix(world: World) -> None:
    world.conditions(StringLike={"sub": world.subject_of("doctor-*"), "aud": STS})


@healthy("a trust policy that asks for the subject only")
def trust_without_an_audience(world: World) -> None:
    world.conditions(StringEquals={"sub": world.subject})


@healthy("a role that EC2 can also assume")
def role_of_instances_too(world: World) -> None:
    world.trust(
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )


@healthy("a trust policy that denies another ServiceAccount")
def deny_of_another(world: World) -> None:
    world.trust({**world.trusting(world.subject_of("other")), "Effect": "Deny"})


@healthy("a role that may assume itself, and settings that name it")
def role_that_trusts_itself(world: World) -> None:
    itself = {"Effect": "Allow", "Principal": {"AWS": world.role_arn}, "Action": "sts:AssumeRole"}
    world.trust(itself)
    world.with_env(ASSUME=world.role_arn)


@healthy("a role in another account, which can be read")
def role_elsewhere(world: World) -> str:
    reader = world.role_elsewhere()
    world.make_provider(account=FOREIGN)
    return f"{NAME} --iam-assume-role {reader}"


@healthy("a role in another account, which can't be read", exit_code=1)
def role_elsewhere_unread(world: World) -> None:
    world.role_elsewhere()
    world.make_provider(account=FOREIGN)


@healthy("an audience of its own, on all sides")
def audience_of_its_own(world: World) -> None:
    world.annotate("example.com", AUDIENCE)
    world.accept("example.com")
    world.values(aud="example.com")
    world.new_pod()


@healthy("a provider with more audiences than it needs")
def provider_of_several_audiences(world: World) -> None:
    world.accept("vault")


@healthy("a provider with an old thumbprint")
def old_thumbprint(world: World) -> None:
    world.iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=world.provider, ThumbprintList=["0" * 40]
    )


@healthy("a debug pod that opts out, next to one that does not")
def debug_pod_that_opts_out(world: World) -> None:
    world.pod("debug", labels=SKIP)


@healthy("a container that is skipped on purpose")
def container_passed_over(world: World) -> None:
    containers = [{"name": "app", "image": "app:1"}, {"name": "proxy", "image": "proxy:1"}]
    world.new_pod(
        metadata={"annotations": {"eks.amazonaws.com/skip-containers": "proxy"}}, containers=containers
    )


@healthy("a Job that ended before the annotation, next to a pod that runs")
def job_that_ended(world: World) -> None:
    for phase in ("Succeeded", "Failed"):
        name = f"{NAME}-{phase.lower()}"
        world.pod(name, labels=SKIP, phase=phase, owner=("Job", name))


@healthy("a pod without an identity that is being deleted, after a restart")
def old_pod_ends(world: World) -> None:
    world.pod(f"{NAME}-old", labels=SKIP, nodeName="ip-10-0-0-1.ec2.internal")
    path = f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-old"
    world.stage.kube.patch(path, {"metadata": {"labels": dict.fromkeys(SKIP)}})
    world.stage.kube.delete(path)


@healthy("a sidecar with keys of its own, for storage that is not AWS's")
def sidecar_with_keys(world: World) -> None:
    keys = [
        {"name": name, "value": "minio"}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    ]
    containers = [
        {"name": "app", "image": "app:1"},
        {"name": "backup", "image": "backup:1", "env": keys},
    ]
    world.new_pod(containers=containers)


@healthy("variables, volume and mount by the template, with the annotation")
def template_with_everything(world: World) -> None:
    world.new_pod(**world.injected_by_hand(volume="aws-iam-token"))


@healthy("a token that is projected by hand, without the annotation")
def token_by_hand(world: World) -> None:
    world.annotate(None)
    world.new_pod(**world.injected_by_hand())


@healthy("EKS Pod Identity only")
def pod_identity_only(world: World) -> None:
    world.by_pod_identity()


@healthy("EKS Pod Identity, whose trust policy names cluster, namespace and ServiceAccount")
def pod_identity_that_is_tight(world: World) -> None:
    stage = world.stage
    cluster = f"arn:aws:eks:{stage.region}:{stage.account_id}:cluster/{stage.cluster}"
    tags = {
        "aws:RequestTag/eks-cluster-arn": cluster,
        "aws:RequestTag/kubernetes-namespace": world.namespace,
        "aws:RequestTag/kubernetes-service-account": NAME,
    }
    world.by_pod_identity({"StringEquals": {**tags, "aws:SourceAccount": stage.account_id}})


@healthy("a migration: association and annotation with the same role, pods by Pod Identity")
def migration_to_pod_identity(world: World) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}}
    world.trust({**statement, "Action": ["sts:AssumeRole", "sts:TagSession"]})
    world.associate(world.role_arn)
    world.new_pod()


@healthy("what kube2iam needed is still on the pods")
def leftovers_of_kube2iam(world: World) -> None:
    world.new_pod(metadata={"annotations": {"iam.amazonaws.com/role": world.role}})


@healthy("no pod yet", exit_code=1)
def no_pod_yet(world: World) -> None:
    world.no_pod()


@healthy("a Deployment that is scaled to none", exit_code=1)
def scaled_to_none(world: World) -> None:
    world.no_pod()
    template = {"metadata": {"labels": {"app": NAME}}, "spec": {"serviceAccountName": NAME, "containers": []}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": NAME}}, "template": template}
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments"
    made(world.stage.kube.create(path, {"metadata": {"name": NAME}, "spec": spec}))


@healthy("Windows pods with their node selector")
def windows(world: World) -> None:
    world.new_pod(os={"name": "windows"}, nodeSelector={"kubernetes.io/os": "windows"})


@healthy("a pod on Fargate")
def fargate(world: World) -> None:
    world.new_pod(metadata={"labels": {"eks.amazonaws.com/fargate-profile": "apps"}})


@healthy("a pod in the host's network")
def host_network(world: World) -> None:
    world.new_pod(hostNetwork=True)


@healthy("init containers that also get their variables")
def init_containers(world: World) -> None:
    world.new_pod(initContainers=[{"name": "fetch", "image": "public.ecr.aws/aws-cli/aws-cli:2.17.0"}])


@healthy("the global endpoint of STS by annotation, in a VPC with a way out")
def global_endpoint(world: World) -> None:
    world.annotate("false", "eks.amazonaws.com/sts-regional-endpoints")
    world.new_pod()


@healthy("an endpoint for STS in the VPC")
def endpoint_of_the_vpc(world: World) -> None:
    world.endpoint()


@healthy("an endpoint for STS whose policy allows the account")
def endpoint_with_a_policy(world: World) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Resource": "*"}
    world.endpoint({"Statement": [statement]})


@healthy("a permissions boundary that leaves what the policies allow")
def boundary(world: World) -> None:
    statement = {"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = world.iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    world.iam.put_role_permissions_boundary(RoleName=world.role, PermissionsBoundary=arn)


@healthy("a token that expires after an hour by annotation")
def short_token(world: World) -> None:
    world.annotate("3600", "eks.amazonaws.com/token-expiration")
    world.new_pod()


@healthy("a neighbour of the same release with a ServiceAccount of its own")
def neighbour_of_the_release(world: World) -> None:
    world.account_named(f"{NAME}-webhook")
    release = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}
    world.pod(f"{NAME}-webhook-0", f"{NAME}-webhook", labels=release)


@healthy("pods of other applications that run as default")
def strangers_on_default(world: World) -> None:
    world.pod("cache-0", "default", labels={"app": "cache"})


@healthy("a mesh's sidecar that lets the application wait")
def sidecar_of_a_mesh(world: World) -> None:
    hold = {"proxy.istio.io/config": '{"holdApplicationUntilProxyStarts": true}'}
    containers = [{"name": "app", "image": "app:1"}, {"name": "istio-proxy", "image": "istio/proxyv2:1.24.2"}]
    world.new_pod(metadata={"annotations": hold}, containers=containers)


@healthy("a user who is not root")
def user_who_is_not_root(world: World) -> None:
    world.new_pod(securityContext={"runAsUser": 1000, "runAsNonRoot": True})


@healthy("a role without any policy, for what a resource's policy grants")
def role_without_policies(world: World) -> None:
    world.iam.detach_role_policy(
        RoleName=world.role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )


@healthy("an environment from a Secret that has no keys of AWS")
def environment_of_a_secret(world: World) -> None:
    world.new_pod(container={"envFrom": [{"secretRef": {"name": "app"}}]})


@healthy("a DaemonSet's pods")
def daemonset(world: World) -> None:
    world.no_pod()
    for number in (1, 2):
        world.pod(f"{NAME}-{number}", owner=("DaemonSet", NAME))


@healthy("the same name in another namespace, with a role of its own")
def same_name_elsewhere(world: World) -> None:
    world.stage.make_namespace("other")
    role = world.make_role("other", world.trusting(f"system:serviceaccount:other:{NAME}"))
    world.stage.make_account("other", NAME, annotations={ROLE_ARN: role})


@healthy("an application that has its role, and has needed nothing of AWS for hours", exit_code=1)
def idle_application(world: World) -> None:
    world.for_hours()


@healthy("an application that has asked STS when it began, hours ago")
def application_that_runs_for_hours(world: World) -> None:
    world.exchange()
    world.for_hours()


@healthy("a role that was created too late for the first exchange, but not for the next")
def refused_once(world: World) -> None:
    world.refused("AccessDenied")
    world.exchange()


@healthy("an endpoint for STS in the VPC, and an SDK that asks it")
def endpoint_that_is_used(world: World) -> None:
    world.endpoint()
    world.new_pod(image="app:1")
    world.exchange()
    world.for_hours()


@healthy("a profile that takes the web identity, as STS has seen")
def profile_of_the_web_identity(world: World) -> None:
    world.with_env(AWS_PROFILE="app", AWS_CONFIG_FILE="/etc/aws/config")
    world.exchange()


@healthy("no credentials file, by a name of nothing")
def credentials_file_of_nothing(world: World) -> None:
    world.with_env(AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_CONFIG_FILE="/dev/null")


@healthy("a token that is projected by hand, its role from a ConfigMap", exit_code=1)
def token_by_hand_and_role_from_elsewhere(world: World) -> None:
    world.annotate(None)
    spec = world.injected_by_hand()
    role = {"configMapKeyRef": {"name": "app", "key": "role"}}
    spec["container"]["env"][0] = {"name": "AWS_ROLE_ARN", "valueFrom": role}
    world.new_pod(**spec)


@healthy("other workloads, a test of Helm and a Job of the release that run as default")
def release_on_default(world: World) -> None:
    labels = {"app.kubernetes.io/instance": "shop"}
    world.new_pod(metadata={"labels": labels})
    for kind, name in (("StatefulSet", "cache"), ("Job", "migrate")):
        world.pod(f"{name}-0", "default", labels=labels, owner=(kind, name))
    world.pod("shop-test", "default", labels=labels, annotations={"helm.sh/hook": "test"})


@healthy("a sidecar that begins the pod")
def sidecar_that_begins_the_pod(world: World) -> None:
    sidecar = {"name": "istio-proxy", "image": "istio/proxyv2:1.24.2", "restartPolicy": "Always"}
    world.new_pod(initContainers=[sidecar])


@healthy("all ServiceAccounts of a namespace, without naming one")
def whole_namespace(world: World) -> str:
    world.pod("cache-0", "default", labels={"app": "cache"})
    return ""
