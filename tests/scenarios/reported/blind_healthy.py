"""Healthy set-ups that look odd, collected after the causes were written: what people have told in public."""

from __future__ import annotations

import json

from tests.scenarios.breaking import AUDIENCE, FOREIGN, NAME, STS
from tests.scenarios.reported.blind_pods import let_in_late, workload
from tests.scenarios.reported.cases import healthy
from tests.scenarios.reported.world import OLD_ID, SKIP, World
from tests.support.eks_states import add_addon, add_node
from tests.support.stage import ROLE_ARN, made


@healthy("three ServiceAccounts of one application with one role, that may also assume itself")
def application_of_three_accounts(world: World) -> str:
    # https://github.com/argoproj/argo-cd/pull/20503
    names = [f"{NAME}-server", f"{NAME}-applicationset"]
    subjects = [world.subject, *(world.subject_of(name) for name in names)]
    world.conditions(StringEquals={"sub": subjects, "aud": STS})
    itself = {"Effect": "Allow", "Principal": {"AWS": world.role_arn}, "Action": "sts:AssumeRole"}
    document = world.iam.get_role(RoleName=world.role)["Role"]["AssumeRolePolicyDocument"]
    document["Statement"].append(itself)
    world.iam.update_assume_role_policy(RoleName=world.role, PolicyDocument=json.dumps(document))
    for name in names:
        world.account_named(name, **world.annotated())
        world.pod(f"{name}-0", name)
    return ""


@healthy("a condition on audience and issuer under ForAllValues, next to the subject")
def for_all_values(world: World) -> None:
    # https://github.com/aws-actions/configure-aws-credentials/issues/690
    keys = {f"{world.prefix}:aud": STS, f"{world.prefix}:iss": f"https://{world.prefix}"}
    subject = {f"{world.prefix}:sub": world.subject}
    world.trust(Condition={"ForAllValues:StringEquals": keys, "StringLike": subject})


@healthy("a role in another account whose trust policy asks for the subject only")
def role_elsewhere_without_an_audience(world: World) -> str:
    # https://github.com/awsdocs/amazon-eks-user-guide/issues/73
    reader = world.role_elsewhere()
    world.make_provider(account=FOREIGN)
    federated = world.provider.replace("111122223333", FOREIGN)
    condition = {"StringEquals": {f"{world.prefix}:sub": world.subject}}
    statement = {**world.statement, "Principal": {"Federated": federated}, "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.aws("iam", FOREIGN).update_assume_role_policy(RoleName="app", PolicyDocument=document)
    return f"{NAME} --iam-assume-role {reader}"


@healthy("a wildcard for the names that a package manager generates")
def account_with_a_generated_name(world: World) -> str:
    # https://github.com/crossplane-contrib/provider-aws/issues/1172
    name = "provider-aws-3a1f4b5c6d7e"
    world.conditions(StringLike={"sub": world.subject_of("provider-aws-*")})
    world.replaced_by(name, **world.annotated())
    world.pod(f"{name}-x", name, labels={"pkg.crossplane.io/provider": "provider-aws"})
    return name


@healthy("a ServiceAccount that a virtual cluster wrote, and a role that trusts it by that name")
def account_of_a_virtual_cluster(world: World) -> str:
    # https://github.com/loft-sh/vcluster/issues/862
    name = "app-x-default-x-vc"
    world.values(sub=world.subject_of(name))
    world.account_named(name, **world.annotated())
    world.no_pod()
    world.pod("web-0-x-default-x-vc", name, labels={"vcluster.loft.sh/managed-by": "vc"})
    return name


@healthy(
    "an agent in the host's network that is configured to use its web identity, nodes with a hop limit of 1"
)
def agent_on_hardened_nodes(world: World) -> None:
    # https://github.com/aws-observability/helm-charts/issues/75
    node = "ip-10-0-0-1.ec2.internal"
    add_node(world.stage.sandbox, world.stage.cluster, node, hop_limit=1)
    env = [{"name": "RUN_WITH_IRSA", "value": "True"}]
    world.new_pod(container={"env": env}, hostNetwork=True, nodeName=node)


@healthy("a session's name of one's own, and an fsGroup")
def session_name(world: World) -> None:
    # https://github.com/hashicorp/vault/issues/8926
    env = [{"name": "AWS_ROLE_SESSION_NAME", "value": "vault"}]
    world.new_pod(container={"env": env}, securityContext={"runAsUser": 100, "fsGroup": 1000})


@healthy("an application that assumes another role, which a variable of its own names")
def another_role_in_a_variable(world: World) -> None:
    # https://github.com/aws-controllers-k8s/community/pull/782
    world.with_env(ACK_ROLE_ARN="arn:aws:iam::444455556666:role/ack-target")
    world.exchange()


@healthy("a mesh's proxy without variables, which was injected after the web identity")
def proxy_injected_late(world: World) -> None:
    # https://github.com/aws/amazon-eks-pod-identity-webhook/issues/83
    let_in_late(world, "istio-proxy", "istio/proxyv2:1.24.2")


@healthy("an agent without variables, which was injected after the web identity and calls nothing of AWS")
def agent_injected_late(world: World) -> None:
    # https://github.com/aws/amazon-eks-pod-identity-webhook/issues/91
    let_in_late(world, "vault-agent", "hashicorp/vault:1.15.2")


@healthy("the default ServiceAccount has the role, and pods that name none use it")
def role_for_default(world: World) -> str:
    # https://github.com/kestra-io/plugin-kubernetes/issues/136
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts"
    found = world.stage.kube.get(f"{path}/default")
    annotated = {"metadata": {"annotations": world.annotated()}}
    if found.status == 200:
        world.stage.kube.patch(f"{path}/default", annotated)
    else:
        made(world.stage.kube.create(path, {"metadata": {"name": "default", **annotated["metadata"]}}))
    world.values(sub=world.subject_of("default"))
    world.no_pod()
    world.pod("job-0", "default")
    return "default"


@healthy("one statement for the providers of two clusters, with the keys of ours only")
def two_providers_in_one_statement(world: World) -> None:
    # https://github.com/aws/karpenter-provider-aws/issues/1313
    other = f"{world.provider[:-32]}{OLD_ID}"
    world.make_provider(world.other_issuer)
    world.trust(Principal={"Federated": [other, world.provider]})


@healthy("a trust policy that also allows session tags")
def trust_with_session_tags(world: World) -> None:
    # https://github.com/terraform-aws-modules/terraform-aws-iam/pull/475
    world.trust(Action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"])


@healthy("a statement that denies everybody else by StringNotEquals")
def deny_of_everybody_else(world: World) -> None:
    # https://github.com/hashicorp/terraform-provider-aws/issues/6566
    deny = {**world.statement, "Effect": "Deny"}
    deny["Condition"] = {"StringNotEquals": {f"{world.prefix}:sub": [world.subject, world.subject_of("b")]}}
    world.trust(deny)


@healthy("a role with a path, as platforms create them")
def role_under_a_path(world: World) -> None:
    # https://github.com/hashicorp/vault/issues/28844
    document = json.dumps({"Version": "2012-10-17", "Statement": [world.statement]})
    role = world.iam.create_role(
        Path="/irsa/projects/", RoleName="k8s-app", AssumeRolePolicyDocument=document
    )
    world.iam.attach_role_policy(
        RoleName="k8s-app", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )
    world.annotate(role["Role"]["Arn"])
    world.new_pod()


@healthy("another region than the cluster's in the application's environment")
def another_region(world: World) -> None:
    # https://github.com/solo-io/envoy-gloo/pull/267
    world.with_env(AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1")
    world.exchange()


@healthy("the node's metadata turned off for the SDK, and a proxy with a way to STS")
def metadata_off_and_a_proxy(world: World) -> None:
    # https://github.com/kkb0318/irsa-manager/issues/11
    proxy = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "169.254.169.254,10.0.0.0/8"}
    world.with_env(AWS_EC2_METADATA_DISABLED="true", **proxy)
    world.exchange()


@healthy("a CronJob between two runs: the last pod ended well", exit_code=1)
def cron_job_between_runs(world: World) -> None:
    # https://github.com/jenkinsci/helm-charts/issues/60
    world.no_pod()
    world.pod(f"{NAME}-28000000-x", phase="Succeeded", owner=("Job", f"{NAME}-28000000"))


@healthy("a rollout: the old pod ends, a new one waits for a node, another one runs")
def rollout_in_progress(world: World) -> None:
    # https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1717
    workload(world, "Deployment", NAME, NAME, 2)
    world.pod(f"{NAME}-new", phase="Pending")
    world.pod(f"{NAME}-old", nodeName="ip-10-0-0-1.ec2.internal")
    world.stage.kube.delete(f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-old")


@healthy("profiles in a mounted configuration that begin with the web identity", exit_code=1)
def profiles_that_begin_with_the_web_identity(world: World) -> None:
    # https://github.com/aws/aws-cli/issues/3875
    env = [{"name": "AWS_CONFIG_FILE", "value": "/aws/config"}, {"name": "AWS_PROFILE", "value": "env"}]
    mount = {"name": "aws", "mountPath": "/aws"}
    volume = {"name": "aws", "configMap": {"name": "aws-config"}}
    world.new_pod(container={"env": env, "volumeMounts": [mount]}, volumes=[volume])


@healthy("EKS Pod Identity with a target role in another account, which can't be read", exit_code=1)
def pod_identity_with_a_target(world: World) -> None:
    # https://github.com/eksctl-io/eksctl/pull/8425
    world.annotate(None)
    primary = world.role_of_pods("primary")
    actions = ["sts:AssumeRole", "sts:TagSession"]
    admit = {"Effect": "Allow", "Principal": {"AWS": primary}, "Action": actions}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [admit]})
    target = world.aws("iam", FOREIGN).create_role(RoleName="target", AssumeRolePolicyDocument=trust)
    world.aws("eks").create_pod_identity_association(
        clusterName=world.stage.cluster,
        namespace=world.namespace,
        serviceAccount=NAME,
        roleArn=primary,
        targetRoleArn=target["Role"]["Arn"],
    )
    add_addon(world.stage.sandbox, world.stage.cluster, "eks-pod-identity-agent")
    world.new_pod()


@healthy("EKS Pod Identity for one ServiceAccount and the annotation for its neighbour, in one namespace")
def both_ways_in_one_namespace(world: World) -> str:
    # https://github.com/awslabs/ai-on-eks/issues/121
    world.account_named("modern")
    world.associate(world.role_of_pods("modern"), "modern")
    world.pod("modern-0", "modern")
    return ""


@healthy("a debugging pod of the ServiceAccount that ended with an error, next to one that runs")
def debugging_pod_that_failed(world: World) -> None:
    # https://blog.alekc.org/posts/2021/how-to-fix-access-denied-assumerolewithwebidentity/
    world.pod("debug", labels={**SKIP, "run": "debug"}, phase="Failed")


@healthy("a ServiceAccount for Kubernetes' own API, without any role")
def account_without_a_role_in_a_namespace_with_roles(world: World) -> str:
    # https://github.com/kedacore/charts/pull/119
    world.neighbour("metrics", labels={"app": "metrics"})
    return ""


@healthy(
    "a role for the same ServiceAccount of a standby cluster, next to ours, in the account of another cluster"
)
def standby_cluster(world: World) -> None:
    # https://github.com/kedacore/keda/issues/6706
    standby = world.of_issuer(OLD_ID[::-1])
    world.trust(
        standby, {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    )
    assert world.account["metadata"]["annotations"][ROLE_ARN] == world.role_arn


def _without_irsa(world: World) -> None:
    world.by_pod_identity()
    world.no_provider()


@healthy("a cluster that has EKS Pod Identity only, and no OIDC provider")
def no_provider_for_pod_identity(world: World) -> str:
    # https://github.com/argoproj/argo-cd/issues/17064
    _without_irsa(world)
    return ""


@healthy("one ServiceAccount of a cluster that has EKS Pod Identity only, and no OIDC provider")
def no_provider_for_one_with_pod_identity(world: World) -> None:
    # https://github.com/terraform-aws-modules/terraform-aws-eks-pod-identity/issues/11
    _without_irsa(world)


@healthy("a cluster without any role yet, and without an OIDC provider")
def no_provider_and_no_role(world: World) -> str:
    # https://github.com/eksctl-io/eksctl/issues/4613
    world.no_pod()
    world.annotate(None)
    world.no_role()
    world.no_provider()
    world.pod("cache-0", "default", labels={"app": "cache"})
    return ""


@healthy("all roles in another account, and the OIDC provider only there")
def all_roles_elsewhere(world: World) -> str:
    # https://github.com/kubernetes-sigs/external-dns/issues/1608
    reader = world.role_elsewhere()
    world.make_provider(account=FOREIGN)
    world.no_provider()
    return f"--iam-assume-role {reader}"


@healthy("a provider for the audience of its own that all ServiceAccounts with a role ask for")
def audience_of_its_own_everywhere(world: World) -> str:
    # https://github.com/external-secrets/external-secrets/issues/1251
    world.no_provider()
    world.make_provider("", "example.com")
    world.annotate("example.com", AUDIENCE)
    world.values(aud="example.com")
    world.new_pod()
    return ""


@healthy("a ServiceAccount whose chart writes an empty annotation, since it is given no role")
def empty_annotation_of_a_chart(world: World) -> str:
    # https://github.com/kubernetes/autoscaler/issues/4933
    world.account_named("chart", **{ROLE_ARN: ""})
    world.pod("chart-0", "chart")
    return ""


@healthy("EKS Pod Identity, and the empty annotation of a chart that is given no role")
def empty_annotation_beside_an_association(world: World) -> None:
    # https://github.com/awslabs/ai-on-eks/issues/121
    world.associate(world.role_of_pods())
    world.annotate("")
    world.new_pod()


@healthy("a condition on the VPC that the call has to come from, which can't be seen", exit_code=1)
def condition_on_the_vpc(world: World) -> None:
    # https://github.com/terraform-aws-modules/terraform-aws-iam/pull/541
    equal = {f"{world.prefix}:sub": world.subject, "aws:SourceVpc": "vpc-0123456789abcdef0"}
    world.trust(Condition={"StringEquals": equal})


@healthy("statements for a pipeline's issuer and for a user pool, before ours")
def issuers_of_others(world: World) -> None:
    # https://github.com/terraform-aws-modules/terraform-aws-iam/issues/280
    pipelines = "token.actions.githubusercontent.com"
    world.make_provider(pipelines)
    arn = world.provider.replace(world.prefix, pipelines)
    first = {**world.statement, "Principal": {"Federated": arn}}
    first["Condition"] = {"StringLike": {f"{pipelines}:sub": "repo:org/repository:*"}}
    second = {**world.statement, "Principal": {"Federated": "cognito-identity.amazonaws.com"}}
    second["Condition"] = {"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"}}
    document = {"Version": "2012-10-17", "Statement": [first, second, world.statement]}
    world.iam.update_assume_role_policy(RoleName=world.role, PolicyDocument=json.dumps(document))


@healthy("a token for another audience in a volume of its own, for something that is not AWS")
def token_for_something_else(world: World) -> None:
    # https://github.com/hashicorp/vault-helm/issues/751
    token = {"serviceAccountToken": {"audience": "vault", "path": "token", "expirationSeconds": 3600}}
    mount = {"name": "vault-token", "mountPath": "/var/run/secrets/vault"}
    volume = {"name": "vault-token", "projected": {"sources": [token]}}
    world.new_pod(container={"volumeMounts": [mount]}, volumes=[volume])


@healthy("keys and a profile that the chart sets empty")
def empty_keys_of_a_chart(world: World) -> None:
    # https://github.com/flmu/mlflow-tracking-server/pull/20
    world.with_env(AWS_PROFILE="", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
