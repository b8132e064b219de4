"""The ways to break a binding, each with the cause that `irsa doctor` has to name, and what is done to it."""

from __future__ import annotations

import json
from collections.abc import Callable

from irsa_cli.sandbox import Fault
from tests.scenarios.breaking import AUDIENCE, NAME, STS, Binding, Break
from tests.scenarios.uncreating import mounted_twice, no_account, no_pod, uncreated
from tests.support.eks_states import add_addon, add_sts_endpoint, describe_cluster_as, note_exchange
from tests.support.stage import ROLE_ARN, Json, made

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
POD_IDENTITY = ("sts:AssumeRole", "sts:TagSession")
SKIP = '{"metadata": {"labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}}}'
NO_ANSWER = '{"clientConfig": {"url": "https://127.0.0.1:1/mutate"}}'
SERVICE = (
    '{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},'
    ' "Action": ["sts:AssumeRole", "sts:TagSession"]}'
)
"""The statement for EKS Pod Identity."""


def breaks(cause: str) -> Callable[[Break], Break]:
    """Register a way to break a binding; its name says what is done."""

    def register(function: Break) -> Break:
        BREAKS[function.__name__] = (cause, function)
        return function

    return register


# Parts of which breaks are made. Texts are JSON, with the binding's words in place of `$NAME`.


def each(*parts: Break) -> Break:
    """One after another."""

    def do(binding: Binding) -> None:
        for part in parts:
            part(binding)

    return do


def pod(text: str = "{}") -> Break:
    """Make the pod anew: of its spec, its `metadata` and its `container`, what is not as usual."""
    return lambda binding: void(binding.new_pod(**binding.json(text)))


def void(_: object) -> None:
    """A break returns nothing."""


def env(name: str, value: str) -> Break:
    """Make the pod anew, with a variable."""
    return pod(json.dumps({"container": {"env": [{"name": name, "value": value}]}}))


def annotated(value: str | None, key: str = ROLE_ARN) -> Break:
    """Write an annotation, or take it away; pods stay as they are."""
    return lambda binding: binding.annotate(value and binding.text(value), key)


def anew(value: str | None, key: str = ROLE_ARN) -> Break:
    """Write an annotation, or take it away, and make the pod anew."""
    return each(annotated(value, key), pod())


def role_of(old: str, new: str) -> Break:
    """Annotate the role's ARN with a part of it replaced, and make the pod anew."""
    return lambda binding: anew(binding.role_arn.replace(old, new))(binding)


def trust(text: str, more: str = "") -> Break:
    """Write the trust policy with elements of the statement replaced, and perhaps one more statement."""
    return lambda binding: binding.trust(*([binding.json(more)] if more else []), **binding.json(text))


def condition(text: str) -> Break:
    """Write the trust policy with another condition."""
    return lambda binding: binding.conditions(**binding.json(text))


def values(sub: str = "$subject", aud: str = STS) -> Break:
    """Write the trust policy with other values."""
    return lambda binding: binding.values(binding.text(sub), aud)


def provider(url: str, audience: str = STS) -> Break:
    """Make a provider in IAM."""

    def make(binding: Binding) -> None:
        iam = binding.aws("iam")
        iam.create_open_id_connect_provider(Url=binding.text(url), ClientIDList=[audience])

    return make


def webhook(text: str) -> Break:
    """Change the webhook so that it does not inject, and make the pod anew."""
    return each(lambda binding: void(binding.change_webhook(**json.loads(text))), pod())


def refusing(binding: Binding) -> None:
    """The webhook does not answer, and is not to be passed over."""
    binding.refuse_pods(**json.loads(NO_ANSWER), failurePolicy="Fail")


def seen(code: str) -> Break:
    """CloudTrail has a refusal of STS."""
    return lambda binding: note_exchange(
        binding.stage.sandbox, binding.stage.cluster, binding.subject, binding.role_arn, code
    )


def next_second(binding: Binding) -> None:
    """Wait for another second: Kubernetes' times are no finer."""
    binding.next_second()


def associated(binding: Binding) -> None:
    """Make an association with a role of its own."""
    associate(binding)


OLD = "$issuers/0123456789ABCDEF0123456789ABCDEF"
TRUSTS_OLD = (
    f'{{"Principal": {{"Federated": "$providers/{OLD}"}}, "Condition": {{"StringEquals":'
    f' {{"{OLD}:sub": "$subject", "{OLD}:aud": "sts.amazonaws.com"}}}}}}'
)
IN_FRONT = "system:serviceaccount:front:web"
BY_POD_IDENTITY = each(annotated(None), associated, pod())
"""The association gives the role, and nothing else does."""


@breaks("provider-missing")
def no_provider(binding: Binding) -> None:
    binding.aws("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=binding.provider)


@breaks("provider-url")
def provider_of_the_dual_stack_alias(binding: Binding) -> None:
    alias = binding.prefix.replace("oidc.", "oidc-", 1).replace(".amazonaws.com/", ".api.aws/")
    each(no_provider, provider(f"https://{alias}"))(binding)


@breaks("cluster-unsupported")
def local_cluster_on_outposts(binding: Binding) -> None:
    outpost = {"outpostArns": ["arn:aws:outposts:eu-west-1:111122223333:outpost/op-1"]}
    describe_cluster_as(binding.stage.sandbox, binding.stage.cluster, outpostConfig=outpost)


@breaks("issuer-documents")
def issuer_that_refuses_everybody(binding: Binding) -> None:
    binding.stage.sandbox.faults.add(Fault("issuer", "*", "error", status=403, times=None))


@breaks("sts-endpoint-policy")
def sts_endpoint_for_one_account_only(binding: Binding) -> None:
    allow = '{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:*", "Resource": "*"}'
    add_sts_endpoint(binding.stage.sandbox, binding.stage.cluster, {"Statement": [json.loads(allow)]})


@breaks("service-account-namespace")
def service_account_in_another_namespace(binding: Binding) -> None:
    no_account(binding)
    binding.stage.make_namespace(f"{binding.namespace}-2")
    binding.stage.make_account(f"{binding.namespace}-2", NAME, annotations={ROLE_ARN: binding.role_arn})


@breaks("annotation-other-role")
def annotation_of_another_role(binding: Binding) -> None:
    binding.make_role("second", binding.statement)
    binding.values(sub=IN_FRONT)


@breaks("permissions-boundary")
def boundary_that_leaves_nothing(binding: Binding) -> None:
    document = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}'
    )
    iam = binding.aws("iam")
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=binding.role, PermissionsBoundary=arn)


@breaks("webhook-missing")
def no_webhook(binding: Binding) -> None:
    binding.take_webhook_away()
    binding.new_pod()


@breaks("webhook-prefix")
def webhook_with_another_prefix(binding: Binding) -> None:
    service = {"namespace": binding.namespace, "name": "webhook", "path": "/mutate"}
    webhook(json.dumps({"clientConfig": {"service": service}}))(binding)
    path = f"/api/v1/namespaces/{binding.namespace}/pods"
    body = binding.json(
        '{"metadata": {"name": "webhook"}, "spec": {"serviceAccountName": "doctor-reader",'
        ' "automountServiceAccountToken": false, "containers": [{"name": "webhook", "image":'
        ' "amazon/amazon-eks-pod-identity-webhook:v0.6.0", "command": ["/webhook", "--in-cluster=false",'
        ' "--annotation-prefix=example.com"]}]}}'
    )
    made(binding.stage.kube.create(path, body))


def associate(
    binding: Binding,
    *,
    actions: tuple[str, ...] = POD_IDENTITY,
    condition: Json | None = None,
    agent: bool = True,
    name: str = NAME,
    namespace: str = "",
    role: str = "",
) -> str:
    """An EKS Pod Identity association with a role that trusts it, in a cluster with its agent; its id."""
    statement = {**json.loads(SERVICE), "Action": list(actions)}
    if condition:
        statement["Condition"] = condition
    answer = binding.aws("eks").create_pod_identity_association(
        clusterName=binding.stage.cluster,
        namespace=namespace or binding.namespace,
        serviceAccount=name,
        roleArn=role or binding.make_role("pi", statement),
    )
    if agent:
        add_addon(binding.stage.sandbox, binding.stage.cluster, "eks-pod-identity-agent")
    return str(answer["association"]["associationId"])


def disassociate(binding: Binding) -> None:
    """Delete the associations of the namespace."""
    eks, cluster = binding.aws("eks"), binding.stage.cluster
    listed = eks.list_pod_identity_associations(clusterName=cluster, namespace=binding.namespace)
    for item in listed["associations"]:
        eks.delete_pod_identity_association(clusterName=cluster, associationId=item["associationId"])


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


@breaks("pod-identity-missed")
def pod_that_pod_identity_missed(binding: Binding) -> None:
    each(annotated(None), associated, next_second)(binding)
    binding.new_pod_unseen()


@breaks("pod-identity-other-name")
def association_for_another_name(binding: Binding) -> None:
    associate(binding, name=f"{NAME}-sa")
    each(values(IN_FRONT), anew(None))(binding)


@breaks("pod-not-created")
def template_that_mounts_a_token_where_the_webhook_does(binding: Binding) -> None:
    no_pod(binding)
    uncreated(binding, "web", **mounted_twice())


def bring_token(binding: Binding, role: str, audience: str = STS) -> None:
    """A pod that brings a role and a token of its own, where the webhook would have put its own."""
    binding.annotate(None)
    text = BROUGHT.replace("$role", role).replace('"sts.amazonaws.com"', json.dumps(audience))
    binding.new_pod(**json.loads(text))


FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
BROUGHT = (
    f'{{"container": {{"env": [{{"name": "AWS_ROLE_ARN", "value": "$role"}}, {{"name":'
    f' "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "{FOLDER}/token"}}],'
    f' "volumeMounts": [{{"name": "own", "mountPath": "{FOLDER}"}}]}},'
    ' "volumes": [{"name": "own", "projected": {"sources": [{"serviceAccountToken":'
    ' {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}}]}}]}'
)


@breaks("pod-older-than-webhook")
def pod_started_before_the_webhook(binding: Binding) -> None:
    body = binding.take_webhook_away()
    each(next_second, pod(), next_second)(binding)
    binding.bring_webhook_back(body)


@breaks("pod-service-account")
def pod_of_another_service_account(binding: Binding) -> None:
    binding.stage.make_account(binding.namespace, "other")
    binding.new_pod(serviceAccountName="other")


@breaks("pod-static-credentials")
def static_keys_of_a_config_map(binding: Binding) -> None:
    path = f"/api/v1/namespaces/{binding.namespace}/configmaps"
    made(binding.stage.kube.create(path, {"metadata": {"name": "app"}, "data": {"AWS_ACCESS_KEY_ID": "x"}}))
    pod('{"container": {"envFrom": [{"configMapRef": {"name": "app"}}]}}')(binding)


@breaks("pod-setting")
def session_of_a_config_map(binding: Binding) -> None:
    path = f"/api/v1/namespaces/{binding.namespace}/configmaps"
    made(binding.stage.kube.create(path, {"metadata": {"name": "app"}, "data": {"session": "web app"}}))
    pod(
        '{"container": {"env": [{"name": "AWS_ROLE_SESSION_NAME", "valueFrom":'
        ' {"configMapKeyRef": {"name": "app", "key": "session"}}}]}}'
    )(binding)


@breaks("pod-token-unreadable")
def old_cluster_and_a_user_who_is_not_root(binding: Binding) -> None:
    describe_cluster_as(binding.stage.sandbox, binding.stage.cluster, version="1.18")
    binding.new_pod(securityContext={"runAsUser": 1000})


@breaks("session-duration")
def session_that_is_too_long(binding: Binding) -> None:
    binding.exchange(DurationSeconds=7200)


def interrupted(commit: str) -> Break:
    """As irsa leaves a role that is killed, where the ServiceAccount names it."""

    def mark(binding: Binding) -> None:
        marks = binding.json(
            f'{{"irsa/cluster": "arn:aws:eks:$region:$account:cluster/demo", "irsa/commit": "{commit}",'
            ' "irsa/service-account": "$ns/doctor-reader",'
            ' "irsa/transaction": "20260601T120000000Z-0a1b2c3d"}'
        )
        tags = [{"Key": key, "Value": value} for key, value in marks.items()]
        binding.stage.iam().tag_role(RoleName=binding.role, Tags=tags)

    return mark


MOUNT = '{"container": {"volumeMounts": [{"name": "aws-iam-token", "subPath": "token", "mountPath": "%s"}]}}'
BREAKS |= {
    "provider_with_another_audience": (
        "provider-audience",
        each(no_provider, provider("https://$prefix", "sts.amazon.com")),
    ),
    "no_service_account": ("service-account-missing", no_account),
    "no_annotation": ("annotation-missing", anew(None)),
    "annotation_taken_away_from_a_running_pod": ("annotation-removed", annotated(None)),
    "annotation_with_an_underscore": (
        "annotation-key",
        each(annotated("$role", "eks.amazonaws.com/role_arn"), anew(None)),
    ),
    "annotation_of_another_tool": (
        "annotation-missing",
        each(annotated("$role", "iam.amazonaws.com/role"), anew(None)),
    ),
    "annotation_for_image_pulls": (
        "annotation-missing",
        each(annotated("$role-pull", "eks.amazonaws.com/ecr-role-arn"), anew(None)),
    ),
    "annotation_on_the_pod": (
        "annotation-place",
        each(annotated(None), pod('{"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "$role"}}}')),
    ),
    "annotation_with_a_line_end": ("annotation-whitespace", anew("$role\n")),
    "annotation_with_a_placeholder": ("annotation-arn", role_of("111122223333", "<ACCOUNT_ID>")),
    "annotation_with_an_account_of_eleven_digits": ("annotation-arn", role_of("111122223333", "11112222333")),
    "annotation_of_another_partition": ("annotation-partition", role_of("arn:aws:", "arn:aws-us-gov:")),
    "annotation_with_a_wrong_digit": ("annotation-account", role_of("111122223333", "111122223330")),
    "annotation_without_the_path": ("annotation-path", role_of("/own/", "/")),
    "no_role": ("role-missing", anew("$role-gone")),
    "annotation_of_an_audience": ("annotation-audience", anew("example.com", AUDIENCE)),
    "role_for_ec2": (
        "trust-principal",
        trust(
            '{"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole", "Condition": null}'
        ),
    ),
    "role_of_a_cluster_that_is_gone": ("trust-old-cluster", trust(TRUSTS_OLD)),
    "role_of_another_cluster": (
        "trust-other-cluster",
        each(provider(f"https://{OLD}"), trust(TRUSTS_OLD)),
    ),
    "https_in_the_principal": (
        "trust-provider-arn",
        trust('{"Principal": {"Federated": "$providers/https://$prefix"}}'),
    ),
    "another_account_in_the_principal": (
        "trust-provider-arn",
        trust('{"Principal": {"Federated": "arn:aws:iam::444455556666:oidc-provider/$prefix"}}'),
    ),
    "another_action": ("trust-action", trust('{"Action": "sts:AssumeRole"}')),
    "keys_of_another_issuer": (
        "trust-key",
        condition(f'{{"StringEquals": {{"{OLD}:sub": "$subject", "{OLD}:aud": "sts.amazonaws.com"}}}}'),
    ),
    "subject_under_the_key_of_the_audience": (
        "trust-key",
        condition('{"StringEquals": {"aud": "$subject"}}'),
    ),
    "wildcard_under_string_equals": ("trust-wildcard", values("system:serviceaccount:$ns:*")),
    "line_end_in_the_subject": ("trust-whitespace", values("$subject\n")),
    "another_service_account": ("trust-subject", values("system:serviceaccount:$ns:raeder")),
    "another_namespace": (
        "trust-subject",
        condition(
            '{"StringLike": {"sub": "system:serviceaccount:front:*"},'
            ' "StringEquals": {"aud": "sts.amazonaws.com"}}'
        ),
    ),
    "another_audience": ("trust-audience", values(aud="sts.amazon.com")),
    "condition_that_no_token_meets": (
        "trust-condition",
        condition('{"StringEquals": {"sub": "$subject", "aud": "sts.amazonaws.com", "sts:ExternalId": "x"}}'),
    ),
    "deny": (
        "trust-deny",
        trust(
            "{}",
            '{"Effect": "Deny", "Principal": {"Federated": "$providers/$prefix"},'
            ' "Action": "sts:AssumeRoleWithWebIdentity"}',
        ),
    ),
    "webhook_for_other_namespaces": (
        "webhook-namespace",
        webhook('{"namespaceSelector": {"matchLabels": {"irsa": "on"}}}'),
    ),
    "webhook_for_other_pods": (
        "webhook-objects",
        webhook('{"objectSelector": {"matchLabels": {"irsa": "on"}}}'),
    ),
    "webhook_that_does_not_answer": ("webhook-failing", webhook(NO_ANSWER)),
    "webhook_that_keeps_pods_from_being_created": ("webhook-failing", refusing),
    "pod_identity_association": ("pod-identity-association", each(associated, pod())),
    "pod_identity_on_fargate": (
        "pod-identity-platform",
        each(
            annotated(None),
            associated,
            pod('{"metadata": {"labels": {"eks.amazonaws.com/fargate-profile": "fp"}}}'),
        ),
    ),
    "pod_started_before_the_association": (
        "pod-older-than-association",
        each(anew(None), next_second, associated),
    ),
    "association_that_is_gone": ("pod-identity-gone", each(associated, pod(), disassociate)),
    "token_of_the_pod_s_own_that_the_role_does_not_admit": (
        "pod-own-token",
        each(values("system:serviceaccount:$ns:raeder"), annotated(None), pod(BROUGHT)),
    ),
    "pod_started_before_the_annotation": ("pod-older-than-annotation", each(anew(None), annotated("$role"))),
    "label_that_skips_the_pod": ("pod-opted-out", pod(SKIP)),
    "annotation_that_skips_the_container": (
        "pod-opted-out",
        pod('{"metadata": {"annotations": {"eks.amazonaws.com/skip-containers": "app"}}}'),
    ),
    "pod_of_the_previous_role": ("pod-role-differs", each(anew("$role-old"), annotated("$role"))),
    "pod_of_the_previous_audience": (
        "pod-audience-differs",
        each(anew("example.com", AUDIENCE), annotated(None, AUDIENCE)),
    ),
    "one_variable_set_by_hand": ("pod-env-partial", env("AWS_ROLE_ARN", "$role")),
    "region_that_is_none": ("pod-setting", env("AWS_REGION", "eu-wset-1")),
    "fips_where_sts_has_none": ("pod-setting", env("AWS_USE_FIPS_ENDPOINT", "true")),
    "session_that_sts_refuses": ("pod-setting", env("AWS_ROLE_SESSION_NAME", "a reader")),
    "volume_of_the_same_name": (
        "pod-token-volume",
        pod('{"volumes": [{"name": "aws-iam-token", "emptyDir": {}}]}'),
    ),
    "token_by_sub_path": ("pod-token-kept", pod(MOUNT % f"{FOLDER}/token")),
    "static_keys": ("pod-static-credentials", env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")),
    "global_endpoint_by_hand": ("pod-sts-endpoint", env("AWS_ENDPOINT_URL_STS", "https://sts.amazonaws.com")),
    "windows_without_node_selector": ("pod-windows", pod('{"os": {"name": "windows"}}')),
    "old_aws_cli": ("sdk-too-old", pod('{"container": {"image": "amazon/aws-cli:1.16.100"}}')),
    "region_where_sts_is_not_active": ("sts-region", seen("RegionDisabledException")),
    "token_that_the_application_keeps": ("token-expired", seen("ExpiredTokenException")),
    "sts_that_does_not_reach_the_issuer_in_time": ("sts-throttled", seen("IDPCommunicationError")),
    "run_that_was_interrupted": ("role-incomplete", interrupted("pending")),
    "deletion_that_was_interrupted": ("role-incomplete", interrupted("deleting")),
}
