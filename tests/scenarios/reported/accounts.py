"""Reported failures in ServiceAccounts, the webhook and which pods use what."""

from __future__ import annotations

from tests.scenarios.breaking import AUDIENCE, NAME
from tests.scenarios.breaks import (
    NO_ANSWER,
    anew,
    annotated,
    next_second,
    no_provider,
    no_webhook,
    pod,
    provider,
    values,
    webhook,
)
from tests.scenarios.breaks import service_account_in_another_namespace as in_another_namespace
from tests.scenarios.reported import trusts as trusts  # Their cases come first.
from tests.scenarios.reported.cases import HINT, UNTOLD, reported
from tests.scenarios.reported.words import beside, each, instead, other, replaced
from tests.scenarios.reported.world import World
from tests.scenarios.uncreating import no_pod

BY_THE_NODE = "the node's role is not authorized, or no credentials are found"
OF_A_DEPLOYMENT = {
    "labels": "app=doctor-reader,pod-template-hash=6b69456585",
    "owner": "ReplicaSet/doctor-reader-6b69456585",
}
SPARK = "spark-app-selector=spark-1,app.kubernetes.io/instance=etl,spark-role="
EXECUTOR = {"labels": f"{SPARK}executor"}
NODE = "doctor-reader-node"
OF_A_DRIVER = {
    "labels": "app=doctor-reader-node,app.kubernetes.io/name=doctor-reader",
    "owner": f"DaemonSet/{NODE}",
}
ASKED_FOR = each(no_provider, provider("https://$prefix", "example.com"))
PREVIOUS = each(anew("$role-old"), annotated("$role"))
MISSED = each(no_pod, next_second, World.new_pod_unseen)


def some_pods_of_several(world: World) -> None:
    world.next_second()
    world.unseen(f"{NAME}-1")


reported(
    "https://gitlab.com/gitlab-org/charts/gitlab/-/issues/2710",
    BY_THE_NODE,
    "the chart writes the annotation on the pods",
    "annotation-place",
    each(annotated(None), pod('{"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "$role"}}}')),
)
reported(
    "pachyderm/pachyderm/issues/6418",
    BY_THE_NODE,
    "the annotation is on the pod and not on the ServiceAccount that it runs as",
    "annotation-place",
    each(
        annotated(None),
        no_pod,
        beside("doctor-reader-6b69456585-x", annotation="eks.amazonaws.com/role-arn", **OF_A_DEPLOYMENT),
    ),
)
reported(
    "aws-controllers-k8s/community/issues/2567",
    "a new revision of the operator: the new pod has no permissions",
    "the operator's manager removes the annotation with each revision",
    "annotation-missing annotation-removed",
    anew(None),
)
reported(
    "eksctl-io/eksctl/issues/1645",
    "an update of the add-on wipes the annotation; the pods still run",
    "the ServiceAccount was written again without it",
    "annotation-removed",
    annotated(None),
)
reported(
    "aws/aws-application-networking-k8s/issues/71",
    "after deleting and applying the manifest again the controller has no permissions",
    "the manifest's ServiceAccount has no annotation",
    "annotation-missing annotation-removed",
    instead(NAME),
)
reported(
    "eksctl-io/eksctl/issues/2665",
    "the role exists, the pods have no permissions",
    "the tool excluded the ServiceAccount that exists, and did not annotate it",
    "annotation-missing",
    instead(NAME),
)
reported(
    "eksctl-io/eksctl/issues/7887",
    "eksctl creates the role, the ServiceAccount stays unchanged",
    "the ServiceAccount is not annotated",
    "annotation-missing",
    replaced(NAME),
)
reported(
    "aws/containers-roadmap/issues/2248",
    "the driver's node pods may not attach volumes",
    "the add-on annotates the controller's ServiceAccount only",
    "annotation-missing",
    other("doctor-node", "doctor-node-x", owner="DaemonSet/doctor-node"),
)
reported(
    "awsdocs/amazon-eks-user-guide/issues/571",
    "mounting is denied, although the controller has its role",
    "the node's ServiceAccount also needs a role",
    "annotation-missing",
    other(f"{NODE}-sa", f"{NODE}-x", owner=f"DaemonSet/{NODE}"),
)
reported(
    "aws-observability/aws-otel-helm-charts/issues/21",
    BY_THE_NODE,
    "the chart does not render the annotations of its values",
    "annotation-missing",
    anew(None),
)
reported(
    "terraform-aws-modules/terraform-aws-iam/issues/485",
    "the cluster autoscaler crashes without credentials",
    "role and trust are there, the ServiceAccount was never annotated",
    "annotation-missing",
    anew(None),
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/2721",
    "UnauthorizedOperation of the driver's controller",
    "the add-on was never told the role",
    "annotation-missing",
    anew(None),
)
reported(
    "ministryofjustice/cloud-platform-terraform-monitoring/pull/76",
    "uploads to the bucket stopped with a new version of the operator",
    "the new version calls its ServiceAccount otherwise; role and annotation stayed with the old name",
    "annotation-missing",
    instead("doctor-reader-prometheus"),
)
reported(
    "kubeflow/spark-operator/issues/1041",
    "access to the bucket is denied",
    "the role is named in kube2iam's annotation",
    "annotation-key annotation-missing annotation-place",
    each(annotated(None), pod('{"metadata": {"annotations": {"iam.amazonaws.com/role": "$role"}}}')),
)
reported(
    "kubeflow/spark-operator/issues/885",
    "the executors can't read the bucket, the driver can",
    "executors run as the default ServiceAccount",
    "pod-service-account",
    each(
        no_pod,
        beside("etl-driver", labels=f"{SPARK}driver"),
        beside("etl-exec-1", "default", **EXECUTOR),
        beside("etl-exec-2", "default", **EXECUTOR),
    ),
)
reported(
    "kubeflow/spark-operator/issues/1002",
    "403 from the bucket, for driver and executors",
    "the settings that were used don't set the pods' ServiceAccount",
    "pod-service-account",
    each(no_pod, beside(f"{NAME}-driver", "default", labels="app.kubernetes.io/name=doctor-reader")),
)
reported(
    "airbytehq/airbyte/issues/50979",
    "the job pods' log upload is denied, the server works",
    "pods that the application makes run as the default ServiceAccount",
    "pod-service-account",
    each(
        no_pod,
        beside(f"{NAME}-server", labels="app.kubernetes.io/instance=airbyte"),
        beside("source-check-0", "default", labels="app.kubernetes.io/instance=airbyte"),
    ),
    HINT,
)
reported(
    "actions/actions-runner-controller/issues/2992",
    "jobs can't use the role of their runner",
    "the pods of jobs run as the default ServiceAccount",
    "pod-service-account",
    each(
        no_pod,
        beside("runner-abcde", labels="app.kubernetes.io/name=runner"),
        beside("runner-abcde-workflow", "default", owner="Job/runner-abcde-workflow"),
    ),
    HINT,
)
reported(
    "helm/charts/issues/19014",
    "the workers have the permissions of the default ServiceAccount",
    "the executor does not pass the ServiceAccount on",
    "pod-service-account",
    each(
        no_pod,
        beside(f"{NAME}-worker-1", "default", labels="app=doctor-reader"),
        beside(f"{NAME}-worker-2", "default", labels="app=doctor-reader"),
    ),
)
reported(
    "kubernetes-sigs/aws-efs-csi-driver/issues/316",
    "mounting is denied",
    "the DaemonSet's template has no serviceAccountName",
    "pod-service-account",
    each(no_pod, beside(f"{NODE}-x", "default", **OF_A_DRIVER)),
)
reported(
    "aws-samples/aws-cdk-for-emr-on-eks/issues/2",
    "the job's pods have the node's role",
    "the job runs in another namespace than its ServiceAccount",
    "service-account-namespace",
    each(no_pod, in_another_namespace),
)
reported(
    "external-secrets/external-secrets/issues/1251",
    "InvalidIdentityToken: Incorrect token audience, though audience and provider agree",
    "the operator asks for tokens itself, and does not heed the annotated audience",
    "",
    each(no_pod, annotated("example.com", AUDIENCE), ASKED_FOR, values(aud="example.com")),
    UNTOLD,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/68",
    "no pod gets its variables",
    "the webhook's configuration is not there",
    "webhook-missing",
    no_webhook,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/131",
    "failing open: x509: certificate signed by unknown authority",
    "the API server does not reach the webhook, and continues without it",
    "webhook-failing",
    webhook(NO_ANSWER),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/174",
    "the first pods of a new cluster have no variables; deleting them helps",
    "the webhook did not know the ServiceAccount yet",
    "pod-missed pod-older-than-annotation",
    MISSED,
)
reported(
    "external-secrets/kubernetes-external-secrets/issues/419",
    "after an installation or a change of nodes the pod has the node's role; a restart helps",
    "the pod was created without its web identity",
    "pod-missed pod-older-than-annotation",
    MISSED,
)
reported(
    "kubernetes-sigs/aws-ebs-csi-driver/issues/1033",
    "UnauthorizedOperation after the add-on was given its role",
    "the controller was not restarted",
    "pod-older-than-annotation",
    each(anew(None), next_second, annotated("$role")),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/28",
    "the pods keep the previous role",
    "pods are not changed when the annotation is",
    "pod-role-differs",
    PREVIOUS,
)
reported(
    "eksctl-io/eksctl/issues/1497",
    "after role and ServiceAccount were created again, running applications fail",
    "the pods still ask for the deleted role",
    "pod-role-differs",
    PREVIOUS,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/83",
    "only some pods have their variables",
    "ServiceAccount and pods were created at the same time",
    "pod-missed pod-older-than-annotation",
    some_pods_of_several,
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/1083",
    "the autoscaler of the example has no access; no annotated ServiceAccount is seen",
    "the annotated ServiceAccount is not the one of the chart's pods",
    "annotation-missing",
    each(no_pod, other("autoscaler-chart", labels="app.kubernetes.io/name=doctor-reader")),
)
