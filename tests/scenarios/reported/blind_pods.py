"""Reported failures in and around pods that were collected after the causes were written."""

from __future__ import annotations

from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import TRUSTS_OLD, anew, annotated, condition, env, pod, trust, void, webhook
from tests.scenarios.reported.accounts import BY_THE_NODE
from tests.scenarios.reported.cases import HINT, OUTSIDE, UNTOLD, Make, reported
from tests.scenarios.reported.pods import BY_NODE, TIMEOUT, TWICE, UNREADABLE
from tests.scenarios.reported.words import (
    account,
    asked,
    beside,
    each,
    endpoint,
    exchange,
    image,
    instead,
    other,
    refused,
    sub,
    variables,
    version,
)
from tests.scenarios.reported.world import SKIP, World
from tests.scenarios.uncreating import make_workload, no_account, no_pod, tell
from tests.support.documents import doc
from tests.support.eks_states import add_node

FORBIDDEN = 'pods "doctor-reader-" is forbidden'
NOT_ALLOWED = 'spec.volumes[0]: Invalid value: "projected": projected volumes are not allowed to be used]'
FIELD = "spec.initContainers[0].readinessProbe: Forbidden"


def template(name: str, service_account: str) -> dict[str, object]:
    """The template of a workload."""
    text = """{"metadata": {"labels": {"app": "<name>"}},
        "spec": {"serviceAccountName": "<account>", "containers": [{"name": "app", "image": "app:1"}]}}"""
    return doc(text, name=name, account=service_account)


def not_created(message: str, kind: str = "ReplicaSet") -> Make:
    """What makes pods of the ServiceAccount, with the event of a refusal that no cluster of today gives."""

    def do(world: World) -> None:
        no_pod(world)
        tell(world, kind, make_workload(world, kind, NAME, template(NAME, NAME)), message)

    return do


def workload(name: str, service_account: str) -> Make:
    """A Deployment."""
    return lambda world: void(make_workload(world, "Deployment", name, template(name, service_account)))


def late(name: str, image: str) -> Make:
    """A pod with a container that another webhook added after the one of EKS: it has no variables."""

    def do(world: World) -> None:
        spec = world.injected_by_hand(volume="aws-iam-token")
        app = {"name": "app", "image": "app:1", **spec.pop("container")}
        world.new_pod(metadata={"labels": SKIP}, containers=[app, {"name": name, "image": image}], **spec)
        world.forget_skipping(f"{NAME}-0")

    return do


def ending(world: World) -> None:
    """The pod is being deleted."""
    world.new_pod(nodeName="ip-10-0-0-1.ec2.internal")
    world.stage.kube.delete(f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-0")


def crashing(world: World) -> None:
    anew(None)(world)
    world.say_status(
        f"{NAME}-0",
        """{"phase": "Running", "containerStatuses": [{"name": "app", "image": "app", "imageID": "",
        "ready": false, "restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}""",
    )


def on_a_hardened_node(world: World) -> None:
    node = "ip-10-0-0-1.ec2.internal"
    add_node(world.stage.sandbox, world.stage.cluster, node, hop_limit=1)
    world.new_pod(nodeName=node, container={"image": "cloudwatch-agent:1.300035"})


WEBHOOK_OF_A_SERVICE = (
    '{"clientConfig": {"service": {"namespace": "kube-system", "name": "pod-identity-webhook",'
    ' "path": "/mutate"}}}'
)
OLD_CA = '{"clientConfig": {"url": "https://127.0.0.1:23443/mutate", "caBundle": "b2xk"}}'
LEGACY = (
    '{"container": {"image": "registry.opensource.zalan.do/teapot/external-dns:v0.6.0",'
    ' "env": [{"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "legacy"}]}}'
)
MOUNTED_PROFILE = (
    '{"container": {"env": [{"name": "AWS_CONFIG_FILE", "value": "/aws/config"},'
    ' {"name": "AWS_PROFILE", "value": "other"}, {"name": "AWS_SDK_LOAD_CONFIG", "value": "1"}],'
    ' "volumeMounts": [{"name": "aws", "mountPath": "/aws"}]},'
    ' "volumes": [{"name": "aws", "configMap": {"name": "aws-config"}}]}'
)
KANIKO = """{"container":
    {"image": "gcr.io/kaniko-project/executor:v0.14.0", "args": ["--destination=registry/app"]}}"""
BITNAMI = (
    '{"container": {"image": "bitnami/external-dns:0.7.1", "securityContext": {"runAsUser": 1001,'
    ' "runAsNonRoot": true, "readOnlyRootFilesystem": true}}}'
)
PRIVILEGED = '{"container": {"image": "concourse/concourse:7.14", "securityContext": {"privileged": true}}}'
SNAPSHOTS = "doctor-snapshot-controller"
BOTH_SUBJECTS = f'{{"StringEquals": {{"sub": ["$subject", "system:serviceaccount:$ns:{SNAPSHOTS}"]}}}}'
AGENT = "aws-network-flow-monitor-agent-service-account"
PROVIDER_AWS = "provider-aws-3a1f4b5c6d7e"
WRITING = "app.kubernetes.io/name=doctor-reader,app.kubernetes.io/component=write"
ROLLOUT = {
    "labels": "app=planit,rollouts-pod-template-hash=6b69456585",
    "owner": "ReplicaSet/planit-6b69456585",
}
TASK = "flow.kestra.io/id=etl,task.kestra.io/id=load"
SYNCED = "vcluster.loft.sh/managed-by=vc,app=doctor-reader"
BUILD = "strimzi.io/kind=KafkaConnect,strimzi.io/cluster=doctor-reader"
OF_A_DEPLOYMENT = {
    "labels": "app=doctor-reader,pod-template-hash=5d4f7c9b8",
    "owner": "ReplicaSet/doctor-reader-5d4f7c9b8",
}
BACKUP_JOB = {"phase": "Failed", "owner": "Job/doctor-reader-backup-28000000"}


def refuses_pods(world: World) -> None:
    service = doc(WEBHOOK_OF_A_SERVICE)
    world.refuse_pods(**service, failurePolicy="Fail")


reported(
    "aws/amazon-eks-pod-identity-webhook/issues/91",
    "the injected agent has no variables; the main container has them",
    "another webhook added the container after the one of EKS",
    "pod-container-missed",
    late("vault-agent", "hashicorp/vault:1.15.2"),
    HINT,
)
reported(
    "helm/charts/pull/20891",
    (
        "Error creating: pods NAME is forbidden: unable to validate against any pod security policy: "
        "projected volumes are not allowed"
    ),
    "a policy of the cluster refuses the injected volume, so that no new pod comes up",
    "pod-not-created",
    not_created(f"{FORBIDDEN}: unable to validate against any pod security policy: [{NOT_ALLOWED}"),
)
reported(
    "grafana/loki/pull/8747",
    "Error creating: pods NAME is forbidden: projected volumes are not allowed",
    "the chart's policy refuses the injected volume",
    "pod-not-created",
    not_created(
        (
            f"create Pod {NAME}-0 in StatefulSet {NAME} failed error: {FORBIDDEN}: PodSecurityPolicy: "
            f"unable to admit pod: [{NOT_ALLOWED}"
        ),
        "StatefulSet",
    ),
)
reported(
    "kubernetes/kops/issues/16802",
    "readinessProbe: Forbidden: may not be set for init containers without restartPolicy",
    "the old webhook drops a field that it does not know, so that no pod with a sidecar is created",
    "pod-not-created",
    not_created(
        f'Error creating: Pod "{NAME}-5d4f7c-x2x9k" is invalid: {FIELD}:'
        " may not be set for init containers without restartPolicy=Always"
    ),
)
reported(
    "external-secrets/kubernetes-external-secrets/pull/169",
    "Error creating: pods NAME is forbidden: error looking up service account: not found",
    "the chart's pods name a ServiceAccount that nobody made, and not the one that was set",
    "pod-service-account service-account-missing",
    each(no_pod, workload("secrets", "um-kubernetes-external-secrets")),
    HINT,
)
reported(
    "aws/containers-roadmap/issues/2874",
    "new pods have no variables and the node's role, after the cluster's CA was rotated",
    "the webhook's configuration still trusts the old CA, and fails open",
    "webhook-failing",
    webhook(OLD_CA),
)
reported(
    "kkb0318/irsa-manager/issues/11",
    "failed to call webhook, failing open: context deadline exceeded",
    "the API server asks the webhook's Service through the proxy",
    "webhook-failing",
    webhook(WEBHOOK_OF_A_SERVICE),
)
reported(
    "kubernetes/kops/issues/13459",
    "no pod is scheduled any more: failed calling webhook",
    "the webhook's pod never started, and its configuration fails closed",
    "webhook-failing",
    each(no_pod, refuses_pods),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/67",
    "the agent can't read a token's file",
    "automountServiceAccountToken is off: it is the token for Kubernetes that is missing",
    "",
    each(pod('{"automountServiceAccountToken": false}'), exchange),
    OUTSIDE,
)
reported(
    "actions/actions-runner-controller/issues/16",
    "the runner's pod is created and deleted again and again",
    "the controller takes what the webhook injects for drift",
    "",
    ending,
    UNTOLD,
)
reported(
    "ForgeRock/secret-agent/issues/264",
    BY_NODE,
    "the operator does not know web identities until a newer version",
    "sts-never-asked",
    image("gcr.io/forgerock-io/secret-agent:v1.1.6"),
    HINT,
)
reported(
    "GoogleContainerTools/kaniko/issues/889",
    BY_NODE,
    "the credential helper in the image has an old SDK",
    "sts-never-asked sdk-too-old",
    pod(KANIKO),
    HINT,
)
reported(
    "helm/charts/issues/22670",
    "the backup is denied",
    "the backup's tool has an old SDK",
    "sts-never-asked sdk-too-old",
    image("nuvo/kube-tasks:0.1.2"),
    HINT,
)
reported(
    "hashicorp/vault/issues/9415",
    BY_NODE,
    "the application asks for a web identity only where AWS_ROLE_SESSION_NAME is set",
    "sts-never-asked",
    pod('{"container": {"image": "hashicorp/vault:1.4.3"}, "securityContext": {"fsGroup": 1000}}'),
    HINT,
)
reported(
    "hashicorp/vault/issues/22075",
    BY_NODE,
    "one version of the application left web identities out",
    "sts-never-asked",
    pod('{"container": {"image": "hashicorp/vault:1.14.0"}, "securityContext": {"fsGroup": 1000}}'),
    HINT,
)
reported(
    "kubeflow/pipelines/issues/14097",
    "the pod crashes: it finds no credentials for the bucket",
    "the library's provider for IAM does not know web identities",
    "sts-never-asked",
    variables(
        OBJECTSTORECONFIG_HOST="s3.amazonaws.com",
        OBJECTSTORECONFIG_ACCESSKEY="",
        OBJECTSTORECONFIG_SECRETACCESSKEY="",
    ),
    HINT,
)
reported(
    "fluent/fluent-bit-docs/pull/573",
    BY_NODE,
    "EKS_POD_EXECUTION_ROLE turns the application's web identity off",
    "sts-never-asked",
    env("EKS_POD_EXECUTION_ROLE", "arn:aws:iam::111122223333:role/fargate-pod-execution"),
    HINT,
)
reported(
    "zipline-ai/chronon/pull/1928",
    BY_NODE,
    "the chain of that filesystem takes the node's role before the web identity",
    "sts-never-asked",
    pod('{"container": {"image": "ziplineai/spark:nightly"}, "hostNetwork": false}'),
    HINT,
)
reported(
    "concourse/concourse/issues/9365",
    "the pipelines' containers have the node's role",
    "the worker runs containers of its own, into which nothing is injected",
    "sts-never-asked",
    pod(PRIVILEGED),
    HINT,
)
reported(
    "kedacore/keda/issues/837",
    UNREADABLE,
    "the operator's image is not root, in a cluster older than 1.19",
    "pod-token-unreadable",
    each(version("1.16"), image("docker.io/kedacore/keda:1.4.1")),
    HINT,
)
reported(
    "fluxcd/source-controller/issues/284",
    UNREADABLE,
    "the container's securityContext is not root; the pod sets no fsGroup",
    "pod-token-unreadable",
    each(
        version("1.18"), pod('{"container": {"securityContext": {"runAsUser": 100, "runAsNonRoot": true}}}')
    ),
)
reported(
    "jenkinsci/helm-charts/pull/61",
    UNREADABLE,
    "the backup's pod has another securityContext than the application's: none with an fsGroup",
    "pod-token-unreadable",
    each(
        version("1.17"),
        pod('{"securityContext": {"runAsUser": 1000, "fsGroup": 1000}}'),
        beside(f"{NAME}-backup", securityContext={"runAsUser": 1000}, owner=f"Job/{NAME}-backup"),
    ),
)
reported(
    "kubernetes-sigs/external-dns/issues/1470",
    TIMEOUT,
    "the SDK asks the global endpoint; the VPC has an endpoint and no way out",
    "sts-global-endpoint",
    each(endpoint, pod(LEGACY)),
    HINT,
)
reported(
    "aws/aws-sdk/issues/277",
    "a profile's role can't be assumed from the web identity",
    "no credential_source of a profile means the variables of the web identity",
    "pod-profile",
    pod(MOUNTED_PROFILE),
    HINT,
)
reported(
    "crossplane-contrib/provider-jet-aws/issues/207",
    "AccessDenied for the role of the custom resource",
    "the custom resource names another role, which does not trust the application's",
    "",
    each(exchange, refused("AccessDenied", role="arn:aws:iam::111122223333:role/other")),
    UNTOLD,
)
reported(
    "external-secrets/kubernetes-external-secrets/issues/791",
    TWICE,
    "a variable names the role for the application, which assumes it once more",
    "pod-role-twice",
    each(env("DEFAULT_ROLE_ARN", "$role"), exchange),
    HINT,
)
reported(
    "defenseunicorns/uds-core/issues/343",
    "the bucket is denied; the values name the role",
    "the values' key is not the chart's, and the keys of the default values are in the environment",
    "annotation-missing",
    each(annotated(None), variables(AWS_ACCESS_KEY_ID="uds", AWS_SECRET_ACCESS_KEY="uds")),
)
reported(
    "kubernetes/autoscaler/issues/3454",
    "the autoscaler finds no credentials",
    "the older chart calls the values' key otherwise, so that the ServiceAccount has no annotation",
    "annotation-missing",
    instead(NAME, pod=f"{NAME}-5d4f7c9b8-x", **OF_A_DEPLOYMENT),
)
reported(
    "nebari-dev/nebari/pull/3213",
    "no EC2 IMDS role found; the controller crashes",
    "the add-on was created without the role that exists for it",
    "annotation-missing",
    crashing,
)
reported(
    "cookpad/terraform-aws-eks/pull/217",
    BY_THE_NODE,
    "a change to the manifest took the annotation of one of the driver's ServiceAccounts",
    "annotation-removed annotation-missing",
    each(condition(BOTH_SUBJECTS), other(SNAPSHOTS), asked("")),
)
reported(
    "jenkinsci/helm-charts/issues/60",
    BY_THE_NODE,
    "the chart can't annotate the ServiceAccount of the backup's CronJob",
    "annotation-missing",
    other(f"{NAME}-backup", f"{NAME}-backup-28000000-x", **BACKUP_JOB),
)
reported(
    "crossplane-contrib/provider-aws/issues/402",
    "unable to read web identity token file: open : no such file or directory",
    "the package manager created its own ServiceAccount for the pods, without the annotation",
    "annotation-missing",
    each(
        no_pod,
        other(PROVIDER_AWS, f"{PROVIDER_AWS}-x", labels="pkg.crossplane.io/provider=provider-aws"),
    ),
)
reported(
    "aws/network-flow-monitor-agent/issues/7",
    "403 after the add-on's update",
    "the new version calls its ServiceAccount otherwise; the role still trusts the old name",
    "service-account-renamed annotation-missing",
    each(
        sub("$ns:aws-network-flow-monitoring-agent-service-account"),
        instead(AGENT, pod="agent-x", owner="DaemonSet/agent"),
    ),
)
reported(
    "defenseunicorns/uds-core/pull/2599",
    "writing to the bucket is denied, reading works",
    "the new chart gives one of the components a ServiceAccount of its own",
    "annotation-missing service-account-renamed",
    other(f"{NAME}-write", labels=WRITING),
)
reported(
    "argoproj/argo-rollouts/issues/2254",
    "the pods of the Rollout use the default ServiceAccount",
    "the controller created the pods without the ServiceAccount",
    "pod-service-account",
    each(no_pod, beside("planit-6b69456585-x", "default", **ROLLOUT)),
    HINT,
)
reported(
    "kestra-io/plugin-kubernetes/issues/136",
    "tasks have no permissions",
    "the pods of tasks run as the default ServiceAccount",
    "pod-service-account",
    each(no_pod, beside("company-team-etl-load-1", "default", labels=TASK)),
    HINT,
)
reported(
    "loft-sh/vcluster/issues/370",
    "the pods of a virtual cluster have no variables",
    "they run as the virtual cluster's own ServiceAccount, not as the annotated one",
    "pod-service-account",
    each(
        no_pod,
        account("vc-workload-vc"),
        beside(f"{NAME}-0-x-apps-x-vc", "vc-workload-vc", labels=SYNCED),
    ),
)
reported(
    "strimzi/strimzi-kafka-operator/issues/3300",
    BY_THE_NODE,
    "the operator writes its ServiceAccounts again, without the annotations of others",
    "annotation-removed",
    each(annotated(None), beside("connect-1", labels="strimzi.io/kind=KafkaConnect")),
)
reported(
    "strimzi/strimzi-kafka-operator/issues/11654",
    "the image can't be pushed",
    "the pod that builds it has a ServiceAccount of its own, without annotation",
    "annotation-missing",
    other(f"{NAME}-connect-build", f"{NAME}-connect-build", labels=BUILD),
)
reported(
    "eksctl-io/eksctl/issues/4941",
    "new pods are not created; the old ones run",
    "the ServiceAccount was deleted, and the tool does not create it again",
    "service-account-missing",
    no_account,
)
reported(
    "eksctl-io/eksctl/issues/5368",
    BY_THE_NODE,
    "another tool wrote the ServiceAccount without the annotation; nobody knows which one it is",
    "annotation-missing annotation-removed",
    each(anew(None), other("other"), asked("")),
)
reported(
    "eksctl-io/eksctl/issues/5836",
    "the ServiceAccount is not in the new cluster of the old name",
    "the stack of the old cluster is still there, so that the tool makes nothing",
    "service-account-missing",
    each(no_pod, no_account, trust(TRUSTS_OLD)),
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1289",
    UNREADABLE,
    "the image of another maker is user 1001, which its chart sets for the container",
    "pod-token-unreadable",
    each(version("1.16"), pod(BITNAMI)),
)
reported(
    "aws/amazon-cloudwatch-agent-operator/issues/119",
    "the agent reads a credentials file that is not there",
    "without the node's metadata the agent takes itself for one outside of AWS",
    "sts-never-asked",
    on_a_hardened_node,
    HINT,
)
reported(
    "delta-io/delta/issues/2389",
    "NoAuthWithAWSException of the sink; the source of the same job works",
    "the sink has a configuration of its own, to which the provider was not given",
    "",
    exchange,
    OUTSIDE,
)
reported(
    "bitnami/charts/pull/4682",
    UNREADABLE,
    "runAsUser is in the pod's securityContext, fsGroup is not",
    "pod-token-unreadable",
    each(version("1.17"), pod('{"securityContext": {"runAsUser": 1001, "runAsNonRoot": true}}')),
)
