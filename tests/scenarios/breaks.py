"""The ways to break a binding, each with the cause that `irsa doctor` has to name, and what is done to it."""

from __future__ import annotations

import json
from collections.abc import Callable

from irsa_cli.sandbox import Fault
from tests.scenarios.breaking import AUDIENCE, NAME, STS, Binding, Break
from tests.scenarios.uncreating import mounted_twice, no_pod, uncreated
from tests.support.eks_states import add_addon, add_sts_endpoint, describe_cluster_as, note_exchange
from tests.support.stage import ROLE_ARN, made

ACTION = "sts:AssumeRoleWithWebIdentity"
BREAKS: dict[str, tuple[str, Break]] = {}
"""By what is done: the cause, and how it is done."""
ELSEWHERE = (
    *("provider-account", "trust-generated-name", "issuer-keys", "pod-missed", "pod-china-region"),
    *("provider-quota", "trust-quota", "pod-identity-agent-down"),
    *("chain-permission", "chain-external-id", "chain-trust", "chain-session", "chain-pod"),
    "pod-inside",
)
"""Causes that have a test of their own: they need more than the binding."""
OLD = "0123456789ABCDEF0123456789ABCDEF"
POD_IDENTITY = ("sts:AssumeRole", "sts:TagSession")


def breaks(cause: str) -> Callable[[Break], Break]:
    """Register a way to break a binding; its name says what is done."""

    def register(function: Break) -> Break:
        BREAKS[function.__name__] = (cause, function)
        return function

    return register


def _old_provider(binding: Binding) -> str:
    return f"{binding.provider[:-32]}{OLD}"


@breaks("provider-missing")
def no_provider(binding: Binding) -> None:
    binding.aws("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=binding.provider)


@breaks("provider-url")
def provider_of_the_dual_stack_alias(binding: Binding) -> None:
    no_provider(binding)
    url = "https://" + binding.prefix.replace("oidc.", "oidc-", 1).replace(".amazonaws.com/", ".api.aws/")
    binding.aws("iam").create_open_id_connect_provider(Url=url, ClientIDList=[STS])


@breaks("provider-audience")
def provider_with_another_audience(binding: Binding) -> None:
    no_provider(binding)
    url = f"https://{binding.prefix}"
    binding.aws("iam").create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazon.com"])


@breaks("cluster-unsupported")
def local_cluster_on_outposts(binding: Binding) -> None:
    outpost = {"outpostArns": ["arn:aws:outposts:eu-west-1:111122223333:outpost/op-1"]}
    describe_cluster_as(binding.stage.sandbox, binding.stage.cluster, outpostConfig=outpost)


@breaks("issuer-documents")
def issuer_that_refuses_everybody(binding: Binding) -> None:
    binding.stage.sandbox.faults.add(Fault("issuer", "*", "error", status=403, times=None))


@breaks("sts-endpoint-policy")
def sts_endpoint_for_one_account_only(binding: Binding) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:*", "Resource": "*"}
    add_sts_endpoint(binding.stage.sandbox, binding.stage.cluster, {"Statement": [statement]})


@breaks("service-account-missing")
def no_service_account(binding: Binding) -> None:
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}")


@breaks("service-account-namespace")
def service_account_in_another_namespace(binding: Binding) -> None:
    no_service_account(binding)
    binding.stage.make_namespace(f"{binding.namespace}-2")
    binding.stage.make_account(f"{binding.namespace}-2", NAME, annotations={ROLE_ARN: binding.role_arn})


@breaks("annotation-missing")
def no_annotation(binding: Binding) -> None:
    binding.annotate(None)
    binding.new_pod()


@breaks("annotation-removed")
def annotation_taken_away_from_a_running_pod(binding: Binding) -> None:
    binding.annotate(None)


@breaks("annotation-key")
def annotation_with_an_underscore(binding: Binding) -> None:
    binding.annotate(binding.role_arn, "eks.amazonaws.com/role_arn")
    no_annotation(binding)


@breaks("annotation-missing")
def annotation_of_another_tool(binding: Binding) -> None:
    binding.annotate(binding.role_arn, "iam.amazonaws.com/role")
    no_annotation(binding)


@breaks("annotation-missing")
def annotation_for_image_pulls(binding: Binding) -> None:
    binding.annotate(f"{binding.role_arn}-pull", "eks.amazonaws.com/ecr-role-arn")
    no_annotation(binding)


@breaks("annotation-place")
def annotation_on_the_pod(binding: Binding) -> None:
    binding.annotate(None)
    binding.new_pod(metadata={"annotations": {ROLE_ARN: binding.role_arn}})


def _annotate_anew(binding: Binding, value: str) -> None:
    binding.annotate(value)
    binding.new_pod()


@breaks("annotation-whitespace")
def annotation_with_a_line_end(binding: Binding) -> None:
    _annotate_anew(binding, f"{binding.role_arn}\n")


@breaks("annotation-arn")
def annotation_with_a_placeholder(binding: Binding) -> None:
    _annotate_anew(binding, binding.role_arn.replace("111122223333", "<ACCOUNT_ID>"))


@breaks("annotation-arn")
def annotation_with_an_account_of_eleven_digits(binding: Binding) -> None:
    _annotate_anew(binding, binding.role_arn.replace("111122223333", "11112222333"))


@breaks("annotation-partition")
def annotation_of_another_partition(binding: Binding) -> None:
    _annotate_anew(binding, binding.role_arn.replace("arn:aws:", "arn:aws-us-gov:"))


@breaks("annotation-account")
def annotation_with_a_wrong_digit(binding: Binding) -> None:
    _annotate_anew(binding, binding.role_arn.replace("111122223333", "111122223330"))


@breaks("annotation-path")
def annotation_without_the_path(binding: Binding) -> None:
    _annotate_anew(binding, binding.role_arn.replace("/own/", "/"))


@breaks("annotation-other-role")
def annotation_of_another_role(binding: Binding) -> None:
    binding.make_role("second", binding.statement)
    binding.values(sub="system:serviceaccount:front:web")


@breaks("role-missing")
def no_role(binding: Binding) -> None:
    _annotate_anew(binding, f"{binding.role_arn}-gone")


@breaks("annotation-audience")
def annotation_of_an_audience(binding: Binding) -> None:
    binding.annotate("example.com", AUDIENCE)
    binding.new_pod()


@breaks("trust-principal")
def role_for_ec2(binding: Binding) -> None:
    binding.trust(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole", Condition=None)


@breaks("trust-old-cluster")
def role_of_a_cluster_that_is_gone(binding: Binding) -> None:
    document = json.dumps(binding.statement).replace(binding.prefix[-32:], OLD)
    binding.trust(**json.loads(document))


@breaks("trust-other-cluster")
def role_of_another_cluster(binding: Binding) -> None:
    url = f"https://{binding.prefix[:-32]}{OLD}"
    binding.aws("iam").create_open_id_connect_provider(Url=url, ClientIDList=[STS])
    role_of_a_cluster_that_is_gone(binding)


@breaks("trust-provider-arn")
def https_in_the_principal(binding: Binding) -> None:
    arn = binding.provider.replace("oidc-provider/", "oidc-provider/https://")
    binding.trust(Principal={"Federated": arn})


@breaks("trust-provider-arn")
def another_account_in_the_principal(binding: Binding) -> None:
    binding.trust(Principal={"Federated": binding.provider.replace("111122223333", "444455556666")})


@breaks("trust-action")
def another_action(binding: Binding) -> None:
    binding.trust(Action="sts:AssumeRole")


def _keys(binding: Binding, prefix: str) -> None:
    binding.trust(Condition={"StringEquals": {f"{prefix}:sub": binding.subject, f"{prefix}:aud": STS}})


@breaks("trust-key")
def keys_of_another_issuer(binding: Binding) -> None:
    _keys(binding, f"{binding.prefix[:-32]}{OLD}")


@breaks("trust-key")
def subject_under_the_key_of_the_audience(binding: Binding) -> None:
    binding.conditions(StringEquals={"aud": binding.subject})


@breaks("trust-wildcard")
def wildcard_under_string_equals(binding: Binding) -> None:
    binding.values(sub=f"system:serviceaccount:{binding.namespace}:*")


@breaks("trust-whitespace")
def line_end_in_the_subject(binding: Binding) -> None:
    binding.values(sub=f"{binding.subject}\n")


@breaks("trust-subject")
def another_service_account(binding: Binding) -> None:
    binding.values(sub=f"system:serviceaccount:{binding.namespace}:raeder")


@breaks("trust-subject")
def another_namespace(binding: Binding) -> None:
    binding.conditions(StringLike={"sub": "system:serviceaccount:front:*"}, StringEquals={"aud": STS})


@breaks("trust-audience")
def another_audience(binding: Binding) -> None:
    binding.values(aud="sts.amazon.com")


@breaks("trust-condition")
def condition_that_no_token_meets(binding: Binding) -> None:
    binding.conditions(StringEquals={"sub": binding.subject, "aud": STS, "sts:ExternalId": "x"})


@breaks("trust-deny")
def deny(binding: Binding) -> None:
    binding.trust({"Effect": "Deny", "Principal": {"Federated": binding.provider}, "Action": ACTION})


@breaks("permissions-boundary")
def boundary_that_leaves_nothing(binding: Binding) -> None:
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = binding.aws("iam")
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=policy)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=binding.role, PermissionsBoundary=arn)


@breaks("webhook-missing")
def no_webhook(binding: Binding) -> None:
    binding.take_webhook_away()
    binding.new_pod()


@breaks("webhook-namespace")
def webhook_for_other_namespaces(binding: Binding) -> None:
    wanted = {"matchLabels": {"irsa": "on"}}
    binding.change_webhook(namespaceSelector=wanted)
    binding.new_pod()


@breaks("webhook-objects")
def webhook_for_other_pods(binding: Binding) -> None:
    binding.change_webhook(objectSelector={"matchLabels": {"irsa": "on"}})
    binding.new_pod()


@breaks("webhook-failing")
def webhook_that_does_not_answer(binding: Binding) -> None:
    binding.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    binding.new_pod()


@breaks("webhook-failing")
def webhook_that_keeps_pods_from_being_created(binding: Binding) -> None:
    binding.refuse_pods(clientConfig={"url": "https://127.0.0.1:1/mutate"}, failurePolicy="Fail")


@breaks("webhook-prefix")
def webhook_with_another_prefix(binding: Binding) -> None:
    service = {"namespace": binding.namespace, "name": "webhook", "path": "/mutate"}
    binding.change_webhook(clientConfig={"service": service})
    container = {
        "name": "webhook",
        "image": "amazon/amazon-eks-pod-identity-webhook:v0.6.0",
        "command": ["/webhook", "--in-cluster=false", "--annotation-prefix=example.com"],
    }
    path = f"/api/v1/namespaces/{binding.namespace}/pods"
    spec = {"serviceAccountName": NAME, "automountServiceAccountToken": False, "containers": [container]}
    binding.new_pod()
    made(binding.stage.kube.create(path, {"metadata": {"name": "webhook"}, "spec": spec}))


@breaks("pod-identity-association")
def pod_identity_association(binding: Binding) -> None:
    associate(binding)
    binding.new_pod()


def associate(
    binding: Binding, *, actions: tuple[str, ...] = POD_IDENTITY, agent: bool = True, name: str = NAME
) -> None:
    """An EKS Pod Identity association with a role that trusts it, in a cluster with its agent."""
    principal = {"Service": "pods.eks.amazonaws.com"}
    role = binding.make_role("pi", {"Effect": "Allow", "Principal": principal, "Action": list(actions)})
    binding.aws("eks").create_pod_identity_association(
        clusterName=binding.stage.cluster,
        namespace=binding.namespace,
        serviceAccount=name,
        roleArn=role,
    )
    if agent:
        add_addon(binding.stage.sandbox, binding.stage.cluster, "eks-pod-identity-agent")


@breaks("pod-identity-trust")
def pod_identity_role_without_session_tags(binding: Binding) -> None:
    binding.annotate(None)
    associate(binding, actions=("sts:AssumeRole",))
    binding.new_pod()


@breaks("pod-identity-agent")
def no_agent_of_pod_identity(binding: Binding) -> None:
    binding.annotate(None)
    associate(binding, agent=False)
    binding.new_pod()


@breaks("pod-identity-platform")
def pod_identity_on_fargate(binding: Binding) -> None:
    binding.annotate(None)
    associate(binding)
    binding.new_pod(metadata={"labels": {"eks.amazonaws.com/fargate-profile": "fp"}})


@breaks("pod-older-than-association")
def pod_started_before_the_association(binding: Binding) -> None:
    binding.annotate(None)
    binding.new_pod()
    binding.next_second()
    associate(binding)


@breaks("pod-identity-missed")
def pod_that_pod_identity_missed(binding: Binding) -> None:
    binding.annotate(None)
    associate(binding)
    binding.next_second()
    binding.new_pod_unseen()


@breaks("pod-identity-other-name")
def association_for_another_name(binding: Binding) -> None:
    associate(binding, name=f"{NAME}-sa")
    binding.values(sub="system:serviceaccount:front:web")
    no_annotation(binding)


@breaks("pod-not-created")
def template_that_mounts_a_token_where_the_webhook_does(binding: Binding) -> None:
    no_pod(binding)
    uncreated(binding, "web", **mounted_twice())


@breaks("pod-identity-gone")
def association_that_is_gone(binding: Binding) -> None:
    associate(binding)
    binding.new_pod()
    eks, cluster = binding.aws("eks"), binding.stage.cluster
    for item in eks.list_pod_identity_associations(clusterName=cluster)["associations"]:
        if item["namespace"] == binding.namespace:
            number = item["associationId"]
            eks.delete_pod_identity_association(clusterName=cluster, associationId=number)


@breaks("pod-own-token")
def token_of_the_pod_s_own_that_the_role_does_not_admit(binding: Binding) -> None:
    another_service_account(binding)
    bring_token(binding, binding.role_arn)


def bring_token(binding: Binding, role: str, audience: str = STS) -> None:
    """A pod that brings a role and a token of its own, where the webhook would have put its own."""
    binding.annotate(None)
    folder = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    env = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token"}
    container = {
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "volumeMounts": [{"name": "own", "mountPath": folder}],
    }
    token = {"audience": audience, "expirationSeconds": 3600, "path": "token"}
    volume = {"name": "own", "projected": {"sources": [{"serviceAccountToken": token}]}}
    binding.new_pod(container=container, volumes=[volume])


@breaks("pod-older-than-annotation")
def pod_started_before_the_annotation(binding: Binding) -> None:
    binding.annotate(None)
    binding.new_pod()
    binding.annotate(binding.role_arn)


@breaks("pod-older-than-webhook")
def pod_started_before_the_webhook(binding: Binding) -> None:
    webhook = binding.take_webhook_away()
    binding.next_second()
    binding.new_pod()
    binding.next_second()
    binding.bring_webhook_back(webhook)


@breaks("pod-opted-out")
def label_that_skips_the_pod(binding: Binding) -> None:
    binding.new_pod(metadata={"labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}})


@breaks("pod-opted-out")
def annotation_that_skips_the_container(binding: Binding) -> None:
    binding.new_pod(metadata={"annotations": {"eks.amazonaws.com/skip-containers": "app"}})


@breaks("pod-service-account")
def pod_of_another_service_account(binding: Binding) -> None:
    binding.stage.make_account(binding.namespace, "other")
    binding.new_pod(serviceAccountName="other")


@breaks("pod-role-differs")
def pod_of_the_previous_role(binding: Binding) -> None:
    binding.annotate(f"{binding.role_arn}-old")
    binding.new_pod()
    binding.annotate(binding.role_arn)


@breaks("pod-audience-differs")
def pod_of_the_previous_audience(binding: Binding) -> None:
    annotation_of_an_audience(binding)
    binding.annotate(None, AUDIENCE)


def _with_env(binding: Binding, name: str, value: str) -> None:
    binding.new_pod(container={"env": [{"name": name, "value": value}]})


@breaks("pod-env-partial")
def one_variable_set_by_hand(binding: Binding) -> None:
    _with_env(binding, "AWS_ROLE_ARN", binding.role_arn)


@breaks("pod-setting")
def region_that_is_none(binding: Binding) -> None:
    _with_env(binding, "AWS_REGION", "eu-wset-1")


@breaks("pod-setting")
def fips_where_sts_has_none(binding: Binding) -> None:
    _with_env(binding, "AWS_USE_FIPS_ENDPOINT", "true")


@breaks("pod-setting")
def session_that_sts_refuses(binding: Binding) -> None:
    _with_env(binding, "AWS_ROLE_SESSION_NAME", "a reader")


@breaks("pod-static-credentials")
def static_keys_of_a_config_map(binding: Binding) -> None:
    path = f"/api/v1/namespaces/{binding.namespace}/configmaps"
    made(binding.stage.kube.create(path, {"metadata": {"name": "app"}, "data": {"AWS_ACCESS_KEY_ID": "x"}}))
    binding.new_pod(container={"envFrom": [{"configMapRef": {"name": "app"}}]})


@breaks("pod-token-volume")
def volume_of_the_same_name(binding: Binding) -> None:
    binding.new_pod(volumes=[{"name": "aws-iam-token", "emptyDir": {}}])


@breaks("pod-token-kept")
def token_by_sub_path(binding: Binding) -> None:
    file = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
    mount = {"name": "aws-iam-token", "mountPath": file, "subPath": "token"}
    binding.new_pod(container={"volumeMounts": [mount]})


@breaks("pod-static-credentials")
def static_keys(binding: Binding) -> None:
    _with_env(binding, "AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")


@breaks("pod-sts-endpoint")
def global_endpoint_by_hand(binding: Binding) -> None:
    _with_env(binding, "AWS_ENDPOINT_URL_STS", "https://sts.amazonaws.com")


@breaks("pod-windows")
def windows_without_node_selector(binding: Binding) -> None:
    binding.new_pod(os={"name": "windows"})


@breaks("pod-token-unreadable")
def old_cluster_and_a_user_who_is_not_root(binding: Binding) -> None:
    describe_cluster_as(binding.stage.sandbox, binding.stage.cluster, version="1.18")
    binding.new_pod(securityContext={"runAsUser": 1000})


@breaks("sdk-too-old")
def old_aws_cli(binding: Binding) -> None:
    binding.new_pod(container={"image": "amazon/aws-cli:1.16.100"})


@breaks("session-duration")
def session_that_is_too_long(binding: Binding) -> None:
    binding.exchange(DurationSeconds=7200)


def _seen(binding: Binding, code: str) -> None:
    note_exchange(binding.stage.sandbox, binding.stage.cluster, binding.subject, binding.role_arn, code)


@breaks("sts-region")
def region_where_sts_is_not_active(binding: Binding) -> None:
    _seen(binding, "RegionDisabledException")


@breaks("token-expired")
def token_that_the_application_keeps(binding: Binding) -> None:
    _seen(binding, "ExpiredTokenException")


@breaks("sts-throttled")
def sts_that_does_not_reach_the_issuer_in_time(binding: Binding) -> None:
    _seen(binding, "IDPCommunicationError")


@breaks("role-incomplete")
def run_that_was_interrupted(binding: Binding) -> None:
    """As create-sa leaves it that is killed, where the ServiceAccount named the role before."""
    _interrupted(binding, "pending")


@breaks("role-incomplete")
def deletion_that_was_interrupted(binding: Binding) -> None:
    """As delete-sa leaves it that is killed before the annotation goes."""
    _interrupted(binding, "deleting")


def _interrupted(binding: Binding, commit: str) -> None:
    marks = {
        "irsa/cluster": f"arn:aws:eks:{binding.stage.region}:{binding.stage.account_id}:cluster/demo",
        "irsa/service-account": f"{binding.namespace}/{NAME}",
        "irsa/transaction": "20260601T120000000Z-0a1b2c3d",
        "irsa/commit": commit,
    }
    tags = [{"Key": key, "Value": value} for key, value in marks.items()]
    binding.stage.iam().tag_role(RoleName=binding.role, Tags=tags)
