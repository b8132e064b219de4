"""Healthy set-ups that look odd, collected after the causes were written: what people have told in public."""

from __future__ import annotations

from tests.scenarios.breaking import AUDIENCE, FOREIGN, NAME
from tests.scenarios.breaks import (
    BY_POD_IDENTITY,
    OLD,
    SERVICE,
    anew,
    annotated,
    associate,
    associated,
    condition,
    no_provider,
    pod,
    provider,
    trust,
    values,
)
from tests.scenarios.doctoring import move_role_to, provide
from tests.scenarios.reported.blind_pods import late, workload
from tests.scenarios.reported.cases import healthy
from tests.scenarios.reported.words import (
    SA,
    account,
    asked,
    beside,
    each,
    exchange,
    instead,
    other,
    sub,
    variables,
)
from tests.scenarios.reported.world import AGENT, OLD_ID, SKIPPED, World
from tests.scenarios.uncreating import no_pod
from tests.support.documents import doc
from tests.support.eks_states import add_addon, add_node
from tests.support.stage import made

THREE = [f"{NAME}-server", f"{NAME}-applicationset"]
ITSELF = '{"Effect": "Allow", "Principal": {"AWS": "$role"}, "Action": "sts:AssumeRole"}'
OF_THREE = (
    f'{{"Condition": {{"StringEquals": {{"$prefix:sub": ["$subject",'
    f' "{SA}$ns:{THREE[0]}", "{SA}$ns:{THREE[1]}"],'
    ' "$prefix:aud": "sts.amazonaws.com"}}}'
)
FOR_ALL = (
    '{"Condition": {"ForAllValues:StringEquals": {"$prefix:aud": "sts.amazonaws.com",'
    ' "$prefix:iss": "https://$prefix"}, "StringLike": {"$prefix:sub": "$subject"}}}'
)
OTHERS_ARE_DENIED = (
    '{"Effect": "Deny", "Principal": {"Federated": "$providers/$prefix"},'
    ' "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringNotEquals":'
    ' {"$prefix:sub": ["$subject", "system:serviceaccount:$ns:b"]}}}'
)
FROM_VPC = '{"StringEquals": {"sub": "$subject", "aws:SourceVpc": "vpc-0123456789abcdef0"}}'
PROFILES = (
    '{"container": {"env": [{"name": "AWS_CONFIG_FILE", "value": "/aws/config"},'
    ' {"name": "AWS_PROFILE", "value": "env"}], "volumeMounts": [{"name": "aws", "mountPath": "/aws"}]},'
    ' "volumes": [{"name": "aws", "configMap": {"name": "aws-config"}}]}'
)
VAULT = (
    '{"container": {"volumeMounts": [{"name": "vault-token", "mountPath": "/var/run/secrets/vault"}]},'
    ' "volumes": [{"name": "vault-token", "projected": {"sources": [{"serviceAccountToken":'
    ' {"audience": "vault", "path": "token", "expirationSeconds": 3600}}]}}]}'
)
SESSION = (
    '{"container": {"env": [{"name": "AWS_ROLE_SESSION_NAME", "value": "vault"}]},'
    ' "securityContext": {"runAsUser": 100, "fsGroup": 1000}}'
)
GENERATED = "provider-aws-3a1f4b5c6d7e"
HTTPS_PROXY = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "169.254.169.254,10.0.0.0/8"}
NODE = "ip-10-0-0-1.ec2.internal"
AGENT_POD = (
    f'{{"container": {{"env": [{{"name": "RUN_WITH_IRSA", "value": "True"}}]}}, "hostNetwork": true,'
    f' "nodeName": "{NODE}"}}'
)
CACHE = beside("cache-0", "default", labels="app=cache")
WITHOUT_IRSA = each(BY_POD_IDENTITY, no_provider)


def elsewhere_without_an_audience(world: World) -> str:
    reader = move_role_to(world)
    provide(world)
    federated = {"Federated": world.provider.replace("111122223333", FOREIGN)}
    condition = {"StringEquals": {f"{world.prefix}:sub": world.subject}}
    statement = {**world.statement, "Principal": federated, "Condition": condition}
    world.write_trust("app", statement, account=FOREIGN)
    return f"{NAME} --iam-assume-role {reader}"


def hardened(world: World) -> None:
    add_node(world.stage.sandbox, world.stage.cluster, NODE, hop_limit=1)


def default_has_the_role(world: World) -> None:
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts"
    annotated = {"metadata": {"annotations": world.annotated()}}
    if world.stage.kube.patch(f"{path}/default", annotated).status != 200:
        made(world.stage.kube.create(path, {"metadata": {"name": "default", **annotated["metadata"]}}))


def under_a_path(world: World) -> None:
    role = world.make_role("k8s-app", world.statement, "/irsa/projects/")
    world.iam.attach_role_policy(
        RoleName=role.rpartition("/")[2], PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )
    anew(role)(world)


def old_pod_ends(world: World) -> None:
    world.pod(f"{NAME}-old", nodeName=NODE)
    world.end(f"{NAME}-old")


def with_a_target(world: World) -> None:
    world.annotate(None)
    primary = world.make_role("primary", doc(SERVICE))
    target = f"arn:aws:iam::{FOREIGN}:role/target"
    world.aws("eks").create_pod_identity_association(
        clusterName=world.stage.cluster,
        namespace=world.namespace,
        serviceAccount=NAME,
        roleArn=primary,
        targetRoleArn=target,
    )
    add_addon(world.stage.sandbox, world.stage.cluster, AGENT)
    world.new_pod()


def modern(world: World) -> None:
    associate(world, name="modern")


def standby(world: World) -> None:
    world.trust(
        world.of_issuer(OLD_ID[::-1]),
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"},
    )


def all_elsewhere(world: World) -> str:
    reader = move_role_to(world)
    provide(world)
    no_provider(world)
    return f"--iam-assume-role {reader}"


def issuers_of_others(world: World) -> None:
    pipelines = "token.actions.githubusercontent.com"
    world.make_provider(pipelines)
    arn = world.provider.replace(world.prefix, pipelines)
    first = {**world.statement, "Principal": {"Federated": arn}}
    first["Condition"] = {"StringLike": {f"{pipelines}:sub": "repo:org/repository:*"}}
    second = {**world.statement, "Principal": {"Federated": "cognito-identity.amazonaws.com"}}
    second["Condition"] = {"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"}}
    world.write_trust(world.role, first, second, world.statement)


# https://github.com/argoproj/argo-cd/pull/20503
healthy(
    "three ServiceAccounts of one application with one role, that may also assume itself",
    each(
        trust(OF_THREE, ITSELF),
        *(each(account(name, "$role"), beside(f"{name}-0", name)) for name in THREE),
        asked(""),
    ),
)
# https://github.com/aws-actions/configure-aws-credentials/issues/690
healthy(
    "a condition on audience and issuer under ForAllValues, next to the subject",
    trust(FOR_ALL),
)
# https://github.com/awsdocs/amazon-eks-user-guide/issues/73
healthy(
    "a role in another account whose trust policy asks for the subject only",
    elsewhere_without_an_audience,
)
# https://github.com/crossplane-contrib/provider-aws/issues/1172
healthy(
    "a wildcard for the names that a package manager generates",
    each(
        condition(f'{{"StringLike": {{"sub": "{SA}$ns:provider-aws-*"}}}}'),
        instead(GENERATED, "$role", f"{GENERATED}-x", labels="pkg.crossplane.io/provider=provider-aws"),
    ),
)
# https://github.com/loft-sh/vcluster/issues/862
healthy(
    "a ServiceAccount that a virtual cluster wrote, and a role that trusts it by that name",
    each(
        sub("$ns:app-x-default-x-vc"),
        no_pod,
        account("app-x-default-x-vc", "$role"),
        beside("web-0-x-default-x-vc", "app-x-default-x-vc", labels="vcluster.loft.sh/managed-by=vc"),
        asked("app-x-default-x-vc"),
    ),
)
# https://github.com/aws-observability/helm-charts/issues/75
healthy(
    "an agent in the host's network that is configured to use its web identity, nodes with a hop limit of 1",
    each(hardened, pod(AGENT_POD)),
)
# https://github.com/hashicorp/vault/issues/8926
healthy(
    "a session's name of one's own, and an fsGroup",
    pod(SESSION),
)
# https://github.com/aws-controllers-k8s/community/pull/782
healthy(
    "an application that assumes another role, which a variable of its own names",
    each(variables(ACK_ROLE_ARN="arn:aws:iam::444455556666:role/ack-target"), exchange),
)
# https://github.com/aws/amazon-eks-pod-identity-webhook/issues/83
healthy(
    "a mesh's proxy without variables, which was injected after the web identity",
    late("istio-proxy", "istio/proxyv2:1.24.2"),
)
# https://github.com/aws/amazon-eks-pod-identity-webhook/issues/91
healthy(
    "an agent without variables, which was injected after the web identity and calls nothing of AWS",
    late("vault-agent", "hashicorp/vault:1.15.2"),
)
# https://github.com/kestra-io/plugin-kubernetes/issues/136
healthy(
    "the default ServiceAccount has the role, and pods that name none use it",
    each(default_has_the_role, sub("$ns:default"), no_pod, beside("job-0", "default"), asked("default")),
)
# https://github.com/aws/karpenter-provider-aws/issues/1313
healthy(
    "one statement for the providers of two clusters, with the keys of ours only",
    each(
        provider(f"https://{OLD}"),
        trust(f'{{"Principal": {{"Federated": ["$providers/{OLD}", "$providers/$prefix"]}}}}'),
    ),
)
# https://github.com/terraform-aws-modules/terraform-aws-iam/pull/475
healthy(
    "a trust policy that also allows session tags",
    trust('{"Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]}'),
)
# https://github.com/hashicorp/terraform-provider-aws/issues/6566
healthy(
    "a statement that denies everybody else by StringNotEquals",
    trust("{}", OTHERS_ARE_DENIED),
)
# https://github.com/hashicorp/vault/issues/28844
healthy(
    "a role with a path, as platforms create them",
    under_a_path,
)
# https://github.com/solo-io/envoy-gloo/pull/267
healthy(
    "another region than the cluster's in the application's environment",
    each(variables(AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1"), exchange),
)
# https://github.com/kkb0318/irsa-manager/issues/11
healthy(
    "the node's metadata turned off for the SDK, and a proxy with a way to STS",
    each(variables(AWS_EC2_METADATA_DISABLED="true", **HTTPS_PROXY), exchange),
)
# https://github.com/jenkinsci/helm-charts/issues/60
healthy(
    "a CronJob between two runs: the last pod ended well",
    each(no_pod, beside(f"{NAME}-28000000-x", phase="Succeeded", owner=f"Job/{NAME}-28000000")),
    exit_code=1,
)
# https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1717
healthy(
    "a rollout: the old pod ends, a new one waits for a node, another one runs",
    each(workload(NAME, NAME), beside(f"{NAME}-new", phase="Pending"), old_pod_ends),
)
# https://github.com/aws/aws-cli/issues/3875
healthy(
    "profiles in a mounted configuration that begin with the web identity",
    pod(PROFILES),
    exit_code=1,
)
# https://github.com/eksctl-io/eksctl/pull/8425
healthy(
    "EKS Pod Identity with a target role in another account, which can't be read",
    with_a_target,
    exit_code=1,
)
# https://github.com/awslabs/ai-on-eks/issues/121
healthy(
    "EKS Pod Identity for one ServiceAccount and the annotation for its neighbour, in one namespace",
    each(account("modern"), modern, beside("modern-0", "modern"), asked("")),
)
# https://blog.alekc.org/posts/2021/how-to-fix-access-denied-assumerolewithwebidentity/
healthy(
    "a debugging pod of the ServiceAccount that ended with an error, next to one that runs",
    beside("debug", labels=f"{SKIPPED},run=debug", phase="Failed"),
)
# https://github.com/kedacore/charts/pull/119
healthy(
    "a ServiceAccount for Kubernetes' own API, without any role",
    each(other("metrics", labels="app=metrics"), asked("")),
)
# https://github.com/kedacore/keda/issues/6706
healthy(
    (
        "a role for the same ServiceAccount of a standby cluster, next to ours, in the account of "
        "another cluster"
    ),
    standby,
)
# https://github.com/argoproj/argo-cd/issues/17064
healthy(
    "a cluster that has EKS Pod Identity only, and no OIDC provider",
    each(WITHOUT_IRSA, asked("")),
)
# https://github.com/terraform-aws-modules/terraform-aws-eks-pod-identity/issues/11
healthy(
    "one ServiceAccount of a cluster that has EKS Pod Identity only, and no OIDC provider",
    WITHOUT_IRSA,
)
# https://github.com/eksctl-io/eksctl/issues/4613
healthy(
    "a cluster without any role yet, and without an OIDC provider",
    each(no_pod, annotated(None), World.no_role, no_provider, CACHE, asked("")),
)
# https://github.com/kubernetes-sigs/external-dns/issues/1608
healthy(
    "all roles in another account, and the OIDC provider only there",
    all_elsewhere,
)
# https://github.com/external-secrets/external-secrets/issues/1251
healthy(
    "a provider for the audience of its own that all ServiceAccounts with a role ask for",
    each(
        no_provider,
        provider("https://$prefix", "example.com"),
        values(aud="example.com"),
        anew("example.com", AUDIENCE),
        asked(""),
    ),
)
# https://github.com/kubernetes/autoscaler/issues/4933
healthy(
    "a ServiceAccount whose chart writes an empty annotation, since it is given no role",
    each(account("chart", ""), beside("chart-0", "chart"), asked("")),
)
# https://github.com/awslabs/ai-on-eks/issues/121
healthy(
    "EKS Pod Identity, and the empty annotation of a chart that is given no role",
    each(associated, anew("")),
)
# https://github.com/terraform-aws-modules/terraform-aws-iam/pull/541
healthy(
    "a condition on the VPC that the call has to come from, which can't be seen",
    condition(FROM_VPC),
    exit_code=1,
)
# https://github.com/terraform-aws-modules/terraform-aws-iam/issues/280
healthy(
    "statements for a pipeline's issuer and for a user pool, before ours",
    issuers_of_others,
)
# https://github.com/hashicorp/vault-helm/issues/751
healthy(
    "a token for another audience in a volume of its own, for something that is not AWS",
    pod(VAULT),
)
# https://github.com/flmu/mlflow-tracking-server/pull/20
healthy(
    "keys and a profile that the chart sets empty",
    variables(AWS_PROFILE="", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""),
)
