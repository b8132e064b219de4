"""Reported failures in ServiceAccounts, the webhook and which pods use what."""

from __future__ import annotations

from tests.scenarios.breaking import AUDIENCE, NAME
from tests.scenarios.reported import trusts as trusts  # Their cases come first.
from tests.scenarios.reported.cases import HINT, UNTOLD, reported
from tests.scenarios.reported.world import World
from tests.support.stage import ROLE_ARN

BY_THE_NODE = "the node's role is not authorized, or no credentials are found"


def _without_annotation(world: World) -> None:
    world.without_annotation()


@reported(
    "https://gitlab.com/gitlab-org/charts/gitlab/-/issues/2710",
    BY_THE_NODE,
    "the chart writes the annotation on the pods",
    "annotation-place",
)
def annotation_on_the_pods(world: World) -> None:
    world.annotate(None)
    world.new_pod(metadata={"annotations": world.annotated()})


@reported(
    "pachyderm/pachyderm/issues/6418",
    BY_THE_NODE,
    "the annotation is on the pod and not on the ServiceAccount that it runs as",
    "annotation-place",
)
def annotation_on_a_pod_of_a_deployment(world: World) -> None:
    world.annotate(None)
    world.no_pod()
    labels = {"app": NAME, "pod-template-hash": "6b69456585"}
    owner = ("ReplicaSet", f"{NAME}-6b69456585")
    world.pod(f"{NAME}-6b69456585-x", labels=labels, owner=owner, annotations=world.annotated())


@reported(
    "aws-controllers-k8s/community/issues/2567",
    "a new revision of the operator: the new pod has no permissions",
    "the operator's manager removes the annotation with each revision",
    "annotation-missing",
    "annotation-removed",
)
def annotation_lost_with_a_revision(world: World) -> None:
    _without_annotation(world)


@reported(
    "eksctl-io/eksctl/issues/1645",
    "an update of the add-on wipes the annotation; the pods still run",
    "the ServiceAccount was written again without it",
    "annotation-removed",
)
def annotation_wiped_under_running_pods(world: World) -> None:
    world.annotate(None)


@reported(
    "aws/aws-application-networking-k8s/issues/71",
    "after deleting and applying the manifest again the controller has no permissions",
    "the manifest's ServiceAccount has no annotation",
    "annotation-missing",
    "annotation-removed",
)
def manifest_applied_again(world: World) -> None:
    world.replaced_by(NAME)
    world.pod(f"{NAME}-0")


@reported(
    "eksctl-io/eksctl/issues/2665",
    "the role exists, the pods have no permissions",
    "the tool excluded the ServiceAccount that exists, and did not annotate it",
    "annotation-missing",
)
def existing_account_not_annotated(world: World) -> None:
    world.replaced_by(NAME)
    world.pod(f"{NAME}-0")


@reported(
    "eksctl-io/eksctl/issues/7887",
    "eksctl creates the role, the ServiceAccount stays unchanged",
    "the ServiceAccount is not annotated",
    "annotation-missing",
)
def role_without_its_annotation_and_no_pod(world: World) -> None:
    world.replaced_by(NAME)


@reported(
    "aws/containers-roadmap/issues/2248",
    "the driver's node pods may not attach volumes",
    "the add-on annotates the controller's ServiceAccount only",
    "annotation-missing",
)
def node_account_of_a_driver(world: World) -> str:
    world.account_named("doctor-node")
    world.pod("doctor-node-x", "doctor-node", owner=("DaemonSet", "doctor-node"))
    return "doctor-node"


@reported(
    "awsdocs/amazon-eks-user-guide/issues/571",
    "mounting is denied, although the controller has its role",
    "the node's ServiceAccount also needs a role",
    "annotation-missing",
)
def mounting_by_the_node_account(world: World) -> str:
    world.account_named("doctor-reader-node-sa")
    world.pod("doctor-reader-node-x", "doctor-reader-node-sa", owner=("DaemonSet", "doctor-reader-node"))
    return "doctor-reader-node-sa"


@reported(
    "aws-observability/aws-otel-helm-charts/issues/21",
    BY_THE_NODE,
    "the chart does not render the annotations of its values",
    "annotation-missing",
)
def chart_that_drops_its_values(world: World) -> None:
    _without_annotation(world)


@reported(
    "terraform-aws-modules/terraform-aws-iam/issues/485",
    "the cluster autoscaler crashes without credentials",
    "role and trust are there, the ServiceAccount was never annotated",
    "annotation-missing",
)
def module_that_annotates_nothing(world: World) -> None:
    _without_annotation(world)


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/2721",
    "UnauthorizedOperation of the driver's controller",
    "the add-on was never told the role",
    "annotation-missing",
)
def addon_without_its_role(world: World) -> None:
    _without_annotation(world)


@reported(
    "ministryofjustice/cloud-platform-terraform-monitoring/pull/76",
    "uploads to the bucket stopped with a new version of the operator",
    "the new version calls its ServiceAccount otherwise; role and annotation stayed with the old name",
    "annotation-missing",
)
def account_renamed_by_a_new_version(world: World) -> str:
    world.replaced_by("doctor-reader-prometheus")
    world.pod("doctor-reader-prometheus-0", "doctor-reader-prometheus")
    return "doctor-reader-prometheus"


@reported(
    "kubeflow/spark-operator/issues/1041",
    "access to the bucket is denied",
    "the role is named in kube2iam's annotation",
    "annotation-key",
    "annotation-missing",
    "annotation-place",
)
def annotation_of_kube2iam(world: World) -> None:
    world.annotate(None)
    world.new_pod(metadata={"annotations": {"iam.amazonaws.com/role": world.role_arn}})


@reported(
    "kubeflow/spark-operator/issues/885",
    "the executors can't read the bucket, the driver can",
    "executors run as the default ServiceAccount",
    "pod-service-account",
)
def executors_on_default(world: World) -> None:
    world.no_pod()
    labels = {"spark-app-selector": "spark-1", "app.kubernetes.io/instance": "etl"}
    world.pod("etl-driver", labels={**labels, "spark-role": "driver"})
    for number in (1, 2):
        world.pod(f"etl-exec-{number}", "default", labels={**labels, "spark-role": "executor"})


@reported(
    "kubeflow/spark-operator/issues/1002",
    "403 from the bucket, for driver and executors",
    "the settings that were used don't set the pods' ServiceAccount",
    "pod-service-account",
)
def settings_that_set_no_account(world: World) -> None:
    world.no_pod()
    world.pod(f"{NAME}-driver", "default", labels={"app.kubernetes.io/name": NAME})


@reported(
    "airbytehq/airbyte/issues/50979",
    "the job pods' log upload is denied, the server works",
    "pods that the application makes run as the default ServiceAccount",
    "pod-service-account",
    score=HINT,
)
def jobs_of_the_application_on_default(world: World) -> None:
    world.no_pod()
    world.pod(f"{NAME}-server", labels={"app.kubernetes.io/instance": "airbyte"})
    world.pod("source-check-0", "default", labels={"app.kubernetes.io/instance": "airbyte"})


@reported(
    "actions/actions-runner-controller/issues/2992",
    "jobs can't use the role of their runner",
    "the pods of jobs run as the default ServiceAccount",
    "pod-service-account",
    score=HINT,
)
def jobs_of_a_runner_on_default(world: World) -> None:
    world.no_pod()
    world.pod("runner-abcde", labels={"app.kubernetes.io/name": "runner"})
    world.pod("runner-abcde-workflow", "default", owner=("Job", "runner-abcde-workflow"))


@reported(
    "helm/charts/issues/19014",
    "the workers have the permissions of the default ServiceAccount",
    "the executor does not pass the ServiceAccount on",
    "pod-service-account",
)
def workers_of_an_executor_on_default(world: World) -> None:
    world.no_pod()
    for number in (1, 2):
        world.pod(f"{NAME}-worker-{number}", "default", labels={"app": NAME})


@reported(
    "kubernetes-sigs/aws-efs-csi-driver/issues/316",
    "mounting is denied",
    "the DaemonSet's template has no serviceAccountName",
    "pod-service-account",
)
def daemonset_without_an_account(world: World) -> None:
    world.no_pod()
    labels = {"app": "doctor-reader-node", "app.kubernetes.io/name": "doctor-reader"}
    world.pod("doctor-reader-node-x", "default", labels=labels, owner=("DaemonSet", "doctor-reader-node"))


@reported(
    "aws-samples/aws-cdk-for-emr-on-eks/issues/2",
    "the job's pods have the node's role",
    "the job runs in another namespace than its ServiceAccount",
    "service-account-namespace",
)
def account_in_another_namespace(world: World) -> None:
    world.no_pod()
    world.no_account()
    world.stage.make_namespace("spark")
    world.stage.make_account("spark", NAME, annotations={ROLE_ARN: world.role_arn})


@reported(
    "external-secrets/external-secrets/issues/1251",
    "InvalidIdentityToken: Incorrect token audience, though audience and provider agree",
    "the operator asks for tokens itself, and does not heed the annotated audience",
    score=UNTOLD,
)
def operator_that_asks_for_its_own_tokens(world: World) -> None:
    world.no_pod()
    world.annotate("example.com", AUDIENCE)
    world.no_provider()
    world.make_provider("", "example.com")
    world.values(aud="example.com")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/68",
    "no pod gets its variables",
    "the webhook's configuration is not there",
    "webhook-missing",
)
def webhook_gone(world: World) -> None:
    world.take_webhook_away()
    world.new_pod()


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/131",
    "failing open: x509: certificate signed by unknown authority",
    "the API server does not reach the webhook, and continues without it",
    "webhook-failing",
)
def webhook_that_fails_open(world: World) -> None:
    world.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    world.new_pod()


def _missed(world: World) -> None:
    """A pod that the webhook missed once: it is as it should be for the next."""
    world.no_pod()
    world.next_second()
    labels = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
    world.new_pod(metadata={"labels": labels})
    path = f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-0"
    answer = world.stage.kube.patch(path, {"metadata": {"labels": dict.fromkeys(labels)}})
    assert answer.status == 200, answer.text


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/174",
    "the first pods of a new cluster have no variables; deleting them helps",
    "the webhook did not know the ServiceAccount yet",
    "pod-missed",
    "pod-older-than-annotation",
)
def first_pods_of_a_new_cluster(world: World) -> None:
    _missed(world)


@reported(
    "external-secrets/kubernetes-external-secrets/issues/419",
    "after an installation or a change of nodes the pod has the node's role; a restart helps",
    "the pod was created without its web identity",
    "pod-missed",
    "pod-older-than-annotation",
)
def pod_that_needs_a_restart(world: World) -> None:
    _missed(world)


@reported(
    "kubernetes-sigs/aws-ebs-csi-driver/issues/1033",
    "UnauthorizedOperation after the add-on was given its role",
    "the controller was not restarted",
    "pod-older-than-annotation",
)
def controller_not_restarted(world: World) -> None:
    world.without_annotation()
    world.next_second()
    world.annotate(world.role_arn)


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/28",
    "the pods keep the previous role",
    "pods are not changed when the annotation is",
    "pod-role-differs",
)
def pods_with_the_previous_role(world: World) -> None:
    world.annotate(f"{world.role_arn}-old")
    world.new_pod()
    world.annotate(world.role_arn)


@reported(
    "eksctl-io/eksctl/issues/1497",
    "after role and ServiceAccount were created again, running applications fail",
    "the pods still ask for the deleted role",
    "pod-role-differs",
)
def pods_of_a_deleted_role(world: World) -> None:
    pods_with_the_previous_role(world)


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/83",
    "only some pods have their variables",
    "ServiceAccount and pods were created at the same time",
    "pod-missed",
    "pod-older-than-annotation",
)
def some_pods_of_several(world: World) -> None:
    labels = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
    world.next_second()
    world.pod(f"{NAME}-1", labels=labels)
    path = f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-1"
    world.stage.kube.patch(path, {"metadata": {"labels": dict.fromkeys(labels)}})


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/1083",
    "the autoscaler of the example has no access; no annotated ServiceAccount is seen",
    "the annotated ServiceAccount is not the one of the chart's pods",
    "annotation-missing",
)
def chart_that_uses_its_own_account(world: World) -> str:
    world.account_named("autoscaler-chart")
    world.no_pod()
    world.pod("autoscaler-chart-0", "autoscaler-chart", labels={"app.kubernetes.io/name": NAME})
    return "autoscaler-chart"
