"""Reported failures in and around pods that were collected after the causes were written."""

from __future__ import annotations

from tests.scenarios.breaking import NAME
from tests.scenarios.reported.accounts import BY_THE_NODE
from tests.scenarios.reported.cases import HINT, OUTSIDE, UNTOLD, reported
from tests.scenarios.reported.pods import BY_NODE, TIMEOUT, TWICE, UNREADABLE
from tests.scenarios.reported.world import OLD_ID, SKIP, World
from tests.scenarios.uncreating import make_workload, tell
from tests.support.eks_states import add_node, note_exchange
from tests.support.stage import Json, made

REFUSED = "Error creating: pods NAME is forbidden"
FORBIDDEN = f'pods "{NAME}-" is forbidden'
VOLUME = "spec.volumes[0]"


def refused_as_told(world: World, message: str, kind: str = "ReplicaSet") -> None:
    """What makes pods of the ServiceAccount, with the event of a refusal that no cluster of today gives."""
    template = {
        "metadata": {"labels": {"app": NAME}},
        "spec": {"serviceAccountName": NAME, "containers": [{"name": "app", "image": "app:1"}]},
    }
    tell(world, kind, make_workload(world, kind, NAME, template), message)


def workload(world: World, kind: str, name: str, account: str, replicas: int = 1) -> None:
    """What makes pods: a Deployment, a StatefulSet, a DaemonSet."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]},
    }
    spec: Json = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    path = f"/apis/apps/v1/namespaces/{world.namespace}/{kind.lower()}s"
    made(world.stage.kube.create(path, {"metadata": {"name": name}, "spec": spec}))


def let_in_late(world: World, name: str, image: str) -> None:
    """A pod with a container that another webhook added after the one of EKS: it has no variables."""
    spec = world.injected_by_hand(volume="aws-iam-token")
    app = {"name": "app", "image": "app:1", **spec.pop("container")}
    late = {"name": name, "image": image}
    world.new_pod(metadata={"labels": SKIP}, containers=[app, late], **spec)
    path = f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-0"
    world.stage.kube.patch(path, {"metadata": {"labels": dict.fromkeys(SKIP)}})


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/91",
    "the injected agent has no variables; the main container has them",
    "another webhook added the container after the one of EKS",
    "pod-container-missed",
    score=HINT,
)
def agent_injected_after_the_webhook(world: World) -> None:
    let_in_late(world, "vault-agent", "hashicorp/vault:1.15.2")


@reported(
    "helm/charts/pull/20891",
    f"{REFUSED}: unable to validate against any pod security policy: projected volumes are not allowed",
    "a policy of the cluster refuses the injected volume, so that no new pod comes up",
    "pod-not-created",
)
def policy_refuses_the_volume_of_a_deployment(world: World) -> None:
    world.no_pod()
    why = f'{VOLUME}: Invalid value: "projected": projected volumes are not allowed to be used]'
    refused_as_told(world, f"{FORBIDDEN}: unable to validate against any pod security policy: [{why}")


@reported(
    "grafana/loki/pull/8747",
    f"{REFUSED}: projected volumes are not allowed",
    "the chart's policy refuses the injected volume",
    "pod-not-created",
)
def policy_refuses_the_volume_of_a_stateful_set(world: World) -> None:
    world.no_pod()
    why = f'[{VOLUME}: Invalid value: "projected": projected volumes are not allowed to be used]'
    told = f"{FORBIDDEN}: PodSecurityPolicy: unable to admit pod: {why}"
    refused_as_told(world, f"create Pod {NAME}-0 in StatefulSet {NAME} failed error: {told}", "StatefulSet")


@reported(
    "kubernetes/kops/issues/16802",
    "readinessProbe: Forbidden: may not be set for init containers without restartPolicy",
    "the old webhook drops a field that it does not know, so that no pod with a sidecar is created",
    "pod-not-created",
)
def old_webhook_drops_a_field(world: World) -> None:
    world.no_pod()
    why = "may not be set for init containers without restartPolicy=Always"
    field = "spec.initContainers[0].readinessProbe"
    refused_as_told(world, f'Error creating: Pod "{NAME}-5d4f7c-x2x9k" is invalid: {field}: Forbidden: {why}')


@reported(
    "external-secrets/kubernetes-external-secrets/pull/169",
    f"{REFUSED}: error looking up service account: not found",
    "the chart's pods name a ServiceAccount that nobody made, and not the one that was set",
    "pod-service-account",
    "service-account-missing",
    score=HINT,
)
def chart_that_names_an_account_that_is_not_there(world: World) -> None:
    world.no_pod()
    workload(world, "Deployment", "secrets", "um-kubernetes-external-secrets")


@reported(
    "aws/containers-roadmap/issues/2874",
    "new pods have no variables and the node's role, after the cluster's CA was rotated",
    "the webhook's configuration still trusts the old CA, and fails open",
    "webhook-failing",
)
def webhook_that_trusts_the_old_ca(world: World) -> None:
    client = {"url": "https://127.0.0.1:23443/mutate", "caBundle": "b2xk"}
    world.change_webhook(clientConfig=client)
    world.new_pod()


@reported(
    "kkb0318/irsa-manager/issues/11",
    "failed to call webhook, failing open: context deadline exceeded",
    "the API server asks the webhook's Service through the proxy",
    "webhook-failing",
)
def webhook_behind_a_proxy(world: World) -> None:
    service = {"namespace": "kube-system", "name": "pod-identity-webhook", "path": "/mutate"}
    world.change_webhook(clientConfig={"service": service})
    world.new_pod()


@reported(
    "kubernetes/kops/issues/13459",
    "no pod is scheduled any more: failed calling webhook",
    "the webhook's pod never started, and its configuration fails closed",
    "webhook-failing",
)
def webhook_that_never_started(world: World) -> None:
    world.no_pod()
    service = {"namespace": "kube-system", "name": "pod-identity-webhook", "path": "/mutate"}
    world.refuse_pods(clientConfig={"service": service}, failurePolicy="Fail")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/67",
    "the agent can't read a token's file",
    "automountServiceAccountToken is off: it is the token for Kubernetes that is missing",
    score=OUTSIDE,
    outside=True,
)
def no_token_for_kubernetes(world: World) -> None:
    world.new_pod(automountServiceAccountToken=False)
    world.exchange()


@reported(
    "actions/actions-runner-controller/issues/16",
    "the runner's pod is created and deleted again and again",
    "the controller takes what the webhook injects for drift",
    score=UNTOLD,
)
def controller_that_ends_injected_pods(world: World) -> None:
    world.new_pod(nodeName="ip-10-0-0-1.ec2.internal")
    world.stage.kube.delete(f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-0")


@reported(
    "ForgeRock/secret-agent/issues/264",
    BY_NODE,
    "the operator does not know web identities until a newer version",
    "sts-never-asked",
    score=HINT,
)
def operator_before_web_identities(world: World) -> None:
    world.new_pod(image="gcr.io/forgerock-io/secret-agent:v1.1.6")


@reported(
    "GoogleContainerTools/kaniko/issues/889",
    BY_NODE,
    "the credential helper in the image has an old SDK",
    "sts-never-asked",
    "sdk-too-old",
    score=HINT,
)
def credential_helper_with_an_old_sdk(world: World) -> None:
    container = {"image": "gcr.io/kaniko-project/executor:v0.14.0", "args": ["--destination=registry/app"]}
    world.new_pod(container=container)


@reported(
    "helm/charts/issues/22670",
    "the backup is denied",
    "the backup's tool has an old SDK",
    "sts-never-asked",
    "sdk-too-old",
    score=HINT,
)
def backup_tool_with_an_old_sdk(world: World) -> None:
    world.new_pod(image="nuvo/kube-tasks:0.1.2")


@reported(
    "hashicorp/vault/issues/9415",
    BY_NODE,
    "the application asks for a web identity only where AWS_ROLE_SESSION_NAME is set",
    "sts-never-asked",
    score=HINT,
)
def application_that_wants_a_session_name(world: World) -> None:
    world.new_pod(image="hashicorp/vault:1.4.3", securityContext={"fsGroup": 1000})


@reported(
    "hashicorp/vault/issues/22075",
    BY_NODE,
    "one version of the application left web identities out",
    "sts-never-asked",
    score=HINT,
)
def version_that_left_web_identities_out(world: World) -> None:
    world.new_pod(image="hashicorp/vault:1.14.0", securityContext={"fsGroup": 1000})


@reported(
    "kubeflow/pipelines/issues/14097",
    "the pod crashes: it finds no credentials for the bucket",
    "the library's provider for IAM does not know web identities",
    "sts-never-asked",
    score=HINT,
)
def library_of_another_maker(world: World) -> None:
    variables = {"OBJECTSTORECONFIG_HOST": "s3.amazonaws.com", "OBJECTSTORECONFIG_SECURE": "true"}
    world.with_env(**variables, OBJECTSTORECONFIG_ACCESSKEY="", OBJECTSTORECONFIG_SECRETACCESSKEY="")


@reported(
    "fluent/fluent-bit-docs/pull/573",
    BY_NODE,
    "EKS_POD_EXECUTION_ROLE turns the application's web identity off",
    "sts-never-asked",
    score=HINT,
)
def variable_that_turns_web_identities_off(world: World) -> None:
    role = "arn:aws:iam::111122223333:role/fargate-pod-execution"
    world.with_env(EKS_POD_EXECUTION_ROLE=role)


@reported(
    "zipline-ai/chronon/pull/1928",
    BY_NODE,
    "the chain of that filesystem takes the node's role before the web identity",
    "sts-never-asked",
    score=HINT,
)
def filesystem_that_takes_the_node_first(world: World) -> None:
    world.new_pod(image="ziplineai/spark:nightly", hostNetwork=False)


@reported(
    "concourse/concourse/issues/9365",
    "the pipelines' containers have the node's role",
    "the worker runs containers of its own, into which nothing is injected",
    "sts-never-asked",
    score=HINT,
)
def containers_within_the_container(world: World) -> None:
    world.new_pod(container={"image": "concourse/concourse:7.14", "securityContext": {"privileged": True}})


@reported(
    "kedacore/keda/issues/837",
    UNREADABLE,
    "the operator's image is not root, in a cluster older than 1.19",
    "pod-token-unreadable",
    score=HINT,
)
def operator_that_is_not_root(world: World) -> None:
    world.version("1.16")
    world.new_pod(image="docker.io/kedacore/keda:1.4.1")


@reported(
    "fluxcd/source-controller/issues/284",
    UNREADABLE,
    "the container's securityContext is not root; the pod sets no fsGroup",
    "pod-token-unreadable",
)
def container_that_is_not_root(world: World) -> None:
    world.version("1.18")
    world.new_pod(container={"securityContext": {"runAsUser": 100, "runAsNonRoot": True}})


@reported(
    "jenkinsci/helm-charts/pull/61",
    UNREADABLE,
    "the backup's pod has another securityContext than the application's: none with an fsGroup",
    "pod-token-unreadable",
)
def backup_without_an_fs_group(world: World) -> None:
    world.version("1.17")
    world.new_pod(securityContext={"runAsUser": 1000, "fsGroup": 1000})
    world.pod(f"{NAME}-backup", securityContext={"runAsUser": 1000}, owner=("Job", f"{NAME}-backup"))


@reported(
    "kubernetes-sigs/external-dns/issues/1470",
    TIMEOUT,
    "the SDK asks the global endpoint; the VPC has an endpoint and no way out",
    "sts-global-endpoint",
    score=HINT,
)
def global_endpoint_in_a_private_vpc(world: World) -> None:
    world.endpoint()
    container = {"image": "registry.opensource.zalan.do/teapot/external-dns:v0.6.0"}
    env = [{"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "legacy"}]
    world.new_pod(container={**container, "env": env})


@reported(
    "aws/aws-sdk/issues/277",
    "a profile's role can't be assumed from the web identity",
    "no credential_source of a profile means the variables of the web identity",
    "pod-profile",
    score=HINT,
)
def profile_of_a_mounted_config(world: World) -> None:
    env = [
        {"name": "AWS_CONFIG_FILE", "value": "/aws/config"},
        {"name": "AWS_PROFILE", "value": "other"},
        {"name": "AWS_SDK_LOAD_CONFIG", "value": "1"},
    ]
    mount = {"name": "aws", "mountPath": "/aws"}
    volume = {"name": "aws", "configMap": {"name": "aws-config"}}
    world.new_pod(container={"env": env, "volumeMounts": [mount]}, volumes=[volume])


@reported(
    "crossplane-contrib/provider-jet-aws/issues/207",
    "AccessDenied for the role of the custom resource",
    "the custom resource names another role, which does not trust the application's",
    score=UNTOLD,
    outside=True,
)
def assumed_role_in_a_custom_resource(world: World) -> None:
    world.exchange()
    other = "arn:aws:iam::111122223333:role/other"
    note_exchange(world.stage.sandbox, world.stage.cluster, world.subject, other, "AccessDenied")


@reported(
    "external-secrets/kubernetes-external-secrets/issues/791",
    TWICE,
    "a variable names the role for the application, which assumes it once more",
    "pod-role-twice",
    score=HINT,
)
def role_in_a_variable_of_the_application(world: World) -> None:
    world.with_env(DEFAULT_ROLE_ARN=world.role_arn)
    world.exchange()


@reported(
    "defenseunicorns/uds-core/issues/343",
    "the bucket is denied; the values name the role",
    "the values' key is not the chart's, and the keys of the default values are in the environment",
    "annotation-missing",
)
def wrong_key_of_the_values_and_default_keys(world: World) -> None:
    world.annotate(None)
    world.with_env(AWS_ACCESS_KEY_ID="uds", AWS_SECRET_ACCESS_KEY="uds")


@reported(
    "kubernetes/autoscaler/issues/3454",
    "the autoscaler finds no credentials",
    "the older chart calls the values' key otherwise, so that the ServiceAccount has no annotation",
    "annotation-missing",
)
def older_chart_ignores_the_values(world: World) -> None:
    world.replaced_by(NAME)
    labels = {"app": NAME, "pod-template-hash": "5d4f7c9b8"}
    world.pod(f"{NAME}-5d4f7c9b8-x", labels=labels, owner=("ReplicaSet", f"{NAME}-5d4f7c9b8"))


@reported(
    "nebari-dev/nebari/pull/3213",
    "no EC2 IMDS role found; the controller crashes",
    "the add-on was created without the role that exists for it",
    "annotation-missing",
)
def crashing_controller_without_its_role(world: World) -> None:
    world.without_annotation()
    status = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "app",
                "image": "app",
                "imageID": "",
                "ready": False,
                "restartCount": 9,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            }
        ],
    }
    path = f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-0/status"
    assert world.stage.kube.patch(path, {"status": status}).status == 200


@reported(
    "cookpad/terraform-aws-eks/pull/217",
    BY_THE_NODE,
    "a change to the manifest took the annotation of one of the driver's ServiceAccounts",
    "annotation-removed",
    "annotation-missing",
)
def annotation_lost_in_one_of_several(world: World) -> str:
    name = "doctor-snapshot-controller"
    world.conditions(StringEquals={"sub": [world.subject, world.subject_of(name)]})
    world.neighbour(name)
    return ""


@reported(
    "jenkinsci/helm-charts/issues/60",
    BY_THE_NODE,
    "the chart can't annotate the ServiceAccount of the backup's CronJob",
    "annotation-missing",
)
def account_of_a_cron_job(world: World) -> str:
    name = f"{NAME}-backup"
    world.account_named(name)
    world.pod(f"{name}-28000000-x", name, phase="Failed", owner=("Job", f"{name}-28000000"))
    return name


@reported(
    "crossplane-contrib/provider-aws/issues/402",
    "unable to read web identity token file: open : no such file or directory",
    "the package manager created its own ServiceAccount for the pods, without the annotation",
    "annotation-missing",
)
def account_of_a_package_manager(world: World) -> str:
    name = "provider-aws-3a1f4b5c6d7e"
    world.account_named(name)
    world.no_pod()
    world.pod(f"{name}-x", name, labels={"pkg.crossplane.io/provider": "provider-aws"})
    return name


@reported(
    "aws/network-flow-monitor-agent/issues/7",
    "403 after the add-on's update",
    "the new version calls its ServiceAccount otherwise; the role still trusts the old name",
    "service-account-renamed",
    "annotation-missing",
)
def addon_renamed_its_account(world: World) -> str:
    name = "aws-network-flow-monitor-agent-service-account"
    world.values(sub=world.subject_of("aws-network-flow-monitoring-agent-service-account"))
    world.replaced_by(name)
    world.pod("agent-x", name, owner=("DaemonSet", "agent"))
    return name


@reported(
    "defenseunicorns/uds-core/pull/2599",
    "writing to the bucket is denied, reading works",
    "the new chart gives one of the components a ServiceAccount of its own",
    "annotation-missing",
    "service-account-renamed",
)
def one_component_with_a_new_account(world: World) -> str:
    name = f"{NAME}-write"
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "write"}
    world.neighbour(name, labels=labels)
    return name


@reported(
    "argoproj/argo-rollouts/issues/2254",
    "the pods of the Rollout use the default ServiceAccount",
    "the controller created the pods without the ServiceAccount",
    "pod-service-account",
    score=HINT,
)
def rollout_on_default(world: World) -> None:
    world.no_pod()
    labels = {"app": "planit", "rollouts-pod-template-hash": "6b69456585"}
    world.pod("planit-6b69456585-x", "default", labels=labels, owner=("ReplicaSet", "planit-6b69456585"))


@reported(
    "kestra-io/plugin-kubernetes/issues/136",
    "tasks have no permissions",
    "the pods of tasks run as the default ServiceAccount",
    "pod-service-account",
    score=HINT,
)
def tasks_on_default(world: World) -> None:
    world.no_pod()
    labels = {"flow.kestra.io/id": "etl", "task.kestra.io/id": "load"}
    world.pod("company-team-etl-load-1", "default", labels=labels)


@reported(
    "loft-sh/vcluster/issues/370",
    "the pods of a virtual cluster have no variables",
    "they run as the virtual cluster's own ServiceAccount, not as the annotated one",
    "pod-service-account",
)
def pods_of_a_virtual_cluster(world: World) -> None:
    world.no_pod()
    world.account_named("vc-workload-vc")
    labels = {"vcluster.loft.sh/managed-by": "vc", "app": NAME}
    world.pod(f"{NAME}-0-x-apps-x-vc", "vc-workload-vc", labels=labels)


@reported(
    "strimzi/strimzi-kafka-operator/issues/3300",
    BY_THE_NODE,
    "the operator writes its ServiceAccounts again, without the annotations of others",
    "annotation-removed",
)
def operator_that_writes_its_accounts_anew(world: World) -> None:
    world.annotate(None)
    world.pod("connect-1", labels={"strimzi.io/kind": "KafkaConnect"})


@reported(
    "strimzi/strimzi-kafka-operator/issues/11654",
    "the image can't be pushed",
    "the pod that builds it has a ServiceAccount of its own, without annotation",
    "annotation-missing",
)
def account_of_a_build(world: World) -> str:
    name = f"{NAME}-connect-build"
    world.account_named(name)
    world.pod(name, name, labels={"strimzi.io/kind": "KafkaConnect", "strimzi.io/cluster": NAME})
    return name


@reported(
    "eksctl-io/eksctl/issues/4941",
    "new pods are not created; the old ones run",
    "the ServiceAccount was deleted, and the tool does not create it again",
    "service-account-missing",
)
def account_deleted_under_running_pods(world: World) -> None:
    world.no_account()


@reported(
    "eksctl-io/eksctl/issues/5368",
    BY_THE_NODE,
    "another tool wrote the ServiceAccount without the annotation; nobody knows which one it is",
    "annotation-missing",
    "annotation-removed",
)
def annotation_overwritten_somewhere(world: World) -> str:
    world.without_annotation()
    world.neighbour("other")
    return ""


@reported(
    "eksctl-io/eksctl/issues/5836",
    "the ServiceAccount is not in the new cluster of the old name",
    "the stack of the old cluster is still there, so that the tool makes nothing",
    "service-account-missing",
)
def account_of_the_cluster_before(world: World) -> None:
    world.no_pod()
    world.no_account()
    world.trust(**world.of_issuer(OLD_ID))


@reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1289",
    UNREADABLE,
    "the image of another maker is user 1001, which its chart sets for the container",
    "pod-token-unreadable",
)
def image_of_another_maker(world: World) -> None:
    world.version("1.16")
    security = {"runAsUser": 1001, "runAsNonRoot": True, "readOnlyRootFilesystem": True}
    world.new_pod(container={"image": "bitnami/external-dns:0.7.1", "securityContext": security})


@reported(
    "aws/amazon-cloudwatch-agent-operator/issues/119",
    "the agent reads a credentials file that is not there",
    "without the node's metadata the agent takes itself for one outside of AWS",
    "sts-never-asked",
    score=HINT,
)
def agent_that_wants_the_metadata(world: World) -> None:
    node = "ip-10-0-0-1.ec2.internal"
    add_node(world.stage.sandbox, world.stage.cluster, node, hop_limit=1)
    world.new_pod(nodeName=node, container={"image": "cloudwatch-agent:1.300035"})


@reported(
    "delta-io/delta/issues/2389",
    "NoAuthWithAWSException of the sink; the source of the same job works",
    "the sink has a configuration of its own, to which the provider was not given",
    score=OUTSIDE,
    outside=True,
)
def sink_with_its_own_configuration(world: World) -> None:
    world.exchange()


@reported(
    "bitnami/charts/pull/4682",
    UNREADABLE,
    "runAsUser is in the pod's securityContext, fsGroup is not",
    "pod-token-unreadable",
)
def chart_without_an_fs_group(world: World) -> None:
    world.version("1.17")
    world.new_pod(securityContext={"runAsUser": 1001, "runAsNonRoot": True})
