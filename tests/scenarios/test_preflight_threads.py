"""Preflight in pods that came up without their identity, as people reported it, and in healthy ones.

Each thread is played as the pod's container: the variables and mounts that the API server admitted, the token
that the kubelet asks for, and the sandbox's STS, an agent, IMDS, or nothing behind an endpoint.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.breaking import AUDIENCE, FOREIGN, NAME, STS
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.preflight_pods import AGENT, CLOSED, THREADS, Scene, scene_of, silent, thread, with_tls
from tests.scenarios.preflighting import NOBODY, LocalAws, local_aws, one_file, preflight
from tests.scenarios.reported.trusts import GITHUB
from tests.scenarios.reported.world import TOKEN_FILE

NAMESPACE = "back"
ROOT_USER = os.getuid() == 0
NOT_INJECTED = "neither the variables of IRSA nor those of EKS Pod Identity"
NODE = f"node's role node.*{NOT_INJECTED}"
TRUST = "trust policy does not allow"
NO_PROVIDER = "no OIDC provider for"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture
def scene(sandbox: Sandbox, aws: LocalAws, tmp_path: Path) -> Iterator[Scene]:
    with scene_of(sandbox_stage(sandbox, "demo", tmp_path), NAMESPACE, aws) as made:
        yield made


# The webhook added nothing.


@thread(
    f"{GITHUB}/KeeperHub/keeperhub/pull/1597",
    "the upgrade succeeded, and the pods had no AWS access",
    "the role annotation of the ServiceAccount is empty",
    NODE,
)
def annotation_is_empty(scene: Scene) -> None:
    scene.world.annotate("")
    scene.world.new_pod()
    scene.start()


@thread(
    f"{GITHUB}/aws/amazon-eks-pod-identity-webhook/issues/174",
    "pods of the first deployment have neither variables nor mounts, and new ones of the same template do",
    "the pods were created before the webhook could see them",
    f"{NODE}.*restart",
)
def pod_is_older_than_its_identity(scene: Scene) -> None:
    scene.world.new_pod_unseen()
    scene.start()


@thread(
    f"{GITHUB}/aws/eks-pod-identity-agent/issues/153",
    "now and then new pods have no variables of Pod Identity, and call AWS as the node",
    "the webhook timed out, and its failure policy ignores that",
    NODE,
)
def pod_identity_is_missed_now_and_then(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.world.new_pod_unseen()
    scene.start()


@thread(
    f"{GITHUB}/kkb0318/irsa-manager/issues/11",
    "no token is mounted in pods of annotated ServiceAccounts",
    "the API server can't reach the webhook",
    NOT_INJECTED,
)
def webhook_is_unreachable(scene: Scene) -> None:
    scene.world.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    scene.world.new_pod()
    scene.start()


@thread(
    f"{GITHUB}/aws/amazon-eks-pod-identity-webhook/issues/200",
    "the variables are missing, depending on how the ServiceAccount was annotated",
    "the key of the annotation is misspelled",
    NOT_INJECTED,
)
def annotation_is_misspelled(scene: Scene) -> None:
    role = scene.world.role_arn
    scene.world.annotate(None)
    scene.world.annotate(role, "eks.amazon.com/role-arn")
    scene.world.new_pod()
    scene.start()


@thread(
    f"{GITHUB}/bjw-s-labs/helm-charts/issues/359",
    "after an upgrade of the chart the pods lack what their ServiceAccount is allowed",
    "the pods run as the ServiceAccount default",
    NOT_INJECTED,
)
def pod_runs_as_default(scene: Scene) -> None:
    scene.world.pod("web", "default")
    scene.pod = "web"
    scene.start()


@thread(
    f"{GITHUB}/aws/karpenter-provider-aws/issues/5310",
    "on new nodes the CLI finds no credentials at all",
    "the pod has no identity, and IMDS does not answer pods on these nodes",
    f"no AWS identity.*{NOT_INJECTED}",
)
def nodes_hide_their_role(scene: Scene) -> None:
    scene.world.annotate(None)
    scene.world.new_pod()
    scene.imds = CLOSED
    scene.start()


@thread(
    f"{GITHUB}/aws-observability/helm-charts/issues/75",
    "an agent without a role of its own can't authenticate",
    "the hop limit of IMDS is 1, so that the answer does not arrive",
    f"no AWS identity.*{NOT_INJECTED}",
)
def hop_limit_is_one(scene: Scene) -> None:
    scene.world.annotate(None)
    scene.world.new_pod()
    scene.imds = scene.opened.enter_context(silent())
    scene.flags = ["--timeout", "0.3s"]
    scene.start()


# The template is in the way.


@thread(
    f"{GITHUB}/aws/aws-app-mesh-roadmap/issues/464",
    "the proxy has no credentials though the pod names a role",
    "the template sets AWS_ROLE_ARN, so that the webhook adds no token file",
    "only AWS_ROLE_ARN is set",
)
def role_in_the_template(scene: Scene) -> None:
    scene.world.with_env(AWS_ROLE_ARN=scene.world.role_arn)
    scene.start()


@thread(
    f"{GITHUB}/aws-controllers-k8s/community/issues/1756",
    "templates that set the webhook's variables themselves also need its mount",
    "both variables are in the template, and the volume is not",
    "does not exist: the volume is not mounted",
)
def variables_without_the_volume(scene: Scene) -> None:
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), scene.world.stage.region)
    identity = {"AWS_ROLE_ARN": scene.world.role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE}
    scene.world.with_env(**identity, **region, AWS_STS_REGIONAL_ENDPOINTS="regional")
    scene.start()


@thread(
    f"{GITHUB}/camunda/camunda-docs/pull/9134",
    "the document store acts as an IAM user, and the annotation has no effect",
    "the chart sets static keys, which come before the web identity",
    "role none instead of .*static keys",
)
def keys_of_the_chart(scene: Scene) -> None:
    user = scene.world.stage.env()
    scene.world.with_env(
        AWS_ACCESS_KEY_ID=user["AWS_ACCESS_KEY_ID"], AWS_SECRET_ACCESS_KEY=user["AWS_SECRET_ACCESS_KEY"]
    )
    scene.start()


@thread(
    f"{GITHUB}/mongodb-industry-solutions/multiagent-predictive-maintenance/pull/44",
    "the client looks for a configuration file that the image does not have",
    "the values set AWS_PROFILE=default",
    "AWS_PROFILE is 'default', and no file has",
)
def profile_of_the_values(scene: Scene) -> None:
    scene.world.with_env(AWS_PROFILE="default")
    scene.flags = ["--sdk", "python"]
    scene.start()


@thread(
    f"{GITHUB}/aws/amazon-eks-pod-identity-webhook/pull/196",
    "after a change to Pod Identity STS says InvalidIdentityToken",
    "a profile still leads to the token file, whose audience is another one now",
    "audience .*pods.eks.amazonaws.com",
)
def profile_with_a_token_of_pod_identity(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.start()
    token = scene.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    text = f"[default]\nrole_arn = {scene.world.role_arn}\nweb_identity_token_file = {token}\n"
    scene.env["AWS_CONFIG_FILE"] = scene.config(text)


# The token.


@thread(
    f"{GITHUB}/rancher/fleet/issues/790",
    "permission denied for the token file, and none as root",
    "the file belongs to root, and the pod has no fsGroup",
    "not readable by uid .*fsGroup",
)
def token_is_for_root(scene: Scene) -> None:
    scene.start()
    scene.token_file.chmod(0o600 if ROOT_USER else 0)
    scene.user = NOBODY if ROOT_USER else None


@thread(
    f"{GITHUB}/aws/amazon-eks-pod-identity-webhook/issues/232",
    "STS refuses the token of some pods",
    "the token file has a log line in it",
    "holds no JWT",
)
def token_is_mangled(scene: Scene) -> None:
    scene.start()
    scene.token_file.write_text("<token> 11:11:49.782386 v3.go:79] EOF\n")


@thread(
    f"{GITHUB}/parseablehq/parseable/issues/604",
    "after two days all calls fail with ExpiredTokenException",
    "the token in use is not renewed",
    "expired 15296. s ago",
)
def token_has_expired(scene: Scene) -> None:
    scene.start()
    scene.token_file.write_text(_changed(scene.token_file.read_text(), exp=int(time.time()) - 152961))


@thread(
    f"{GITHUB}/aws/containers-roadmap/issues/2419",
    "the cluster's tokens live for an hour, the mounted one is thought to live for a day",
    "the token expired before the kubelet renewed it",
    "expired .* s ago: the kubelet does not renew",
)
def token_lives_shorter_than_its_volume_says(scene: Scene) -> None:
    scene.start()
    scene.token_file.write_text(_changed(scene.token_file.read_text(), exp=int(time.time()) - 60))


@thread(
    f"{GITHUB}/aws/aws-sdk-ruby/issues/2698",
    "STS misses the claim aud",
    "the file is a ServiceAccount's token of an older kind, without an audience",
    "audience None",
)
def token_without_an_audience(scene: Scene) -> None:
    scene.start()
    scene.token_file.write_text(_changed(scene.token_file.read_text(), aud=None))


# The trust policy and the provider.


@thread(
    f"{GITHUB}/crossplane/crossplane/issues/5578",
    "AccessDenied, though the trust policy has the ServiceAccount's name with a star",
    "StringEquals compares the star literally",
    TRUST,
)
def star_in_string_equals(scene: Scene) -> None:
    scene.world.values(sub=f"system:serviceaccount:{NAMESPACE}:{NAME}-*")
    scene.start()


@thread(
    f"{GITHUB}/cert-manager/aws-privateca-issuer/issues/277",
    "GetCallerIdentity fails in a pod with a web identity",
    "the trust policy has another namespace and another name than the pod",
    f"{TRUST} system:serviceaccount:{NAMESPACE}:{NAME}",
)
def namespace_and_name_are_mixed_up(scene: Scene) -> None:
    scene.world.values(sub=f"system:serviceaccount:{NAME}:{NAMESPACE}")
    scene.start()


@thread(
    f"{GITHUB}/aws-ia/terraform-aws-eks-blueprints-addons/issues/267",
    "the role can't be assumed by the chart's pods",
    "the chart names its ServiceAccount by the release, and the trust policy does not",
    TRUST,
)
def chart_renames_the_account(scene: Scene) -> None:
    scene.world.account_named("release-reader", **scene.world.annotated())
    scene.world.pod("web", "release-reader")
    scene.pod = "web"
    scene.start()


@thread(
    f"{GITHUB}/aws/amazon-eks-pod-identity-webhook/issues/30",
    "AccessDenied, though the conditions are right",
    "the provider's ARN in the trust policy is misspelled",
    TRUST,
)
def provider_in_the_trust_policy_is_misspelled(scene: Scene) -> None:
    provider = scene.world.provider.replace("oidc.eks.eu-west-1", "oidc.eu-west-1.eks")
    scene.world.trust(Principal={"Federated": provider})
    scene.start()


@thread(
    f"{GITHUB}/crossplane-contrib/provider-jet-aws/issues/207",
    "AccessDenied for the role of the provider's configuration",
    "the role is for another principal than the token",
    TRUST,
)
def role_is_for_a_service(scene: Scene) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    scene.world.stage.iam().update_assume_role_policy(RoleName=scene.world.role, PolicyDocument=document)
    scene.start()


@thread(
    f"{GITHUB}/namespacelabs/foundation/issues/801",
    "three attempts, then InvalidIdentityToken",
    "nobody has created the provider of the cluster",
    f"account 111122223333 has {NO_PROVIDER}",
)
def provider_is_missing(scene: Scene) -> None:
    scene.world.no_provider()
    scene.start()


@thread(
    f"{GITHUB}/kubernetes/kops/issues/15429",
    "no provider found for the issuer, after the webhook was installed",
    "the provider in IAM is that of another issuer",
    NO_PROVIDER,
)
def provider_is_of_another_issuer(scene: Scene) -> None:
    scene.world.no_provider()
    scene.world.make_provider(scene.world.prefix[:-4] + "0000")
    scene.start()


@thread(
    f"{GITHUB}/awslabs/mountpoint-s3-csi-driver/issues/276",
    "no signing credentials",
    "the provider's client IDs lack sts.amazonaws.com",
    "and the audience .*sts.amazonaws.com.*Incorrect token audience",
)
def provider_has_another_audience(scene: Scene) -> None:
    scene.world.no_provider()
    scene.world.make_provider("", "amazonaws.com")
    scene.start()


@thread(
    f"{GITHUB}/awslabs/amazon-eks-irsa-cfn/pull/18",
    "Incorrect token audience in each pod",
    "the template registers sts.amazon.com",
    "Incorrect token audience",
)
def audience_is_misspelled(scene: Scene) -> None:
    scene.world.no_provider()
    scene.world.make_provider("", "sts.amazon.com")
    scene.start()


@thread(
    f"{GITHUB}/crossplane-contrib/provider-aws/pull/1331",
    "the role of the target account can't be assumed",
    "the account of the role does not have the provider",
    f"account {FOREIGN} has {NO_PROVIDER}",
)
def role_of_another_account(scene: Scene) -> None:
    scene.world.role_elsewhere()
    scene.start()


# The network.


@thread(
    f"{GITHUB}/ministryofjustice/cloud-platform-environments/pull/44439",
    "requests end at the gateway's time limit, since botocore waits for STS",
    "the NetworkPolicy has no range of STS",
    "no answer from .* in time.*NetworkPolicy",
    exit_code=1,
)
def network_policy_without_sts(scene: Scene) -> None:
    scene.start(AWS_ENDPOINT_URL_STS=scene.opened.enter_context(silent()))
    scene.flags = ["--timeout", "0.3s"]


@thread(
    f"{GITHUB}/kubernetes-sigs/aws-load-balancer-controller/issues/2477",
    "i/o timeout at the regional endpoint of STS",
    "the subnet has no way to it",
    "no answer from .* in time.*VPC endpoint",
    exit_code=1,
)
def subnet_without_a_way_to_sts(scene: Scene) -> None:
    scene.start()
    sandbox = scene.world.stage.sandbox
    sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "hang", seconds=5.0))
    scene.flags = ["--timeout", "0.3s"]


@thread(
    f"{GITHUB}/external-secrets/external-secrets/issues/651",
    "the pod asks sts.amazonaws.com, which is not reachable from the VPC",
    "the SDK uses the global endpoint",
    "sts.amazonaws.com",
    exit_code=1,
)
def global_endpoint_in_a_private_network(scene: Scene) -> None:
    # A proxy that refuses stands for the network: no packet leaves this machine.
    scene.start(AWS_STS_REGIONAL_ENDPOINTS="legacy", HTTPS_PROXY=CLOSED)
    del scene.env["AWS_ENDPOINT_URL_STS"]


@thread(
    f"{GITHUB}/kubernetes/autoscaler/issues/5487",
    "STS times out in a network that has a proxy",
    "the container lacks the proxy's variables",
    "no answer from .* in time",
    exit_code=1,
)
def proxy_is_not_configured(scene: Scene) -> None:
    scene.start(AWS_ENDPOINT_URL_STS=scene.opened.enter_context(silent()))
    scene.flags = ["--timeout", "0.3s"]


@thread(
    f"{GITHUB}/cert-manager/cert-manager/issues/5480",
    "the certificate of sts.amazonaws.com is not trusted",
    "something between the pod and STS has a CA of its own",
    "certificate of .* is not trusted.*AWS_CA_BUNDLE",
    exit_code=1,
)
def certificate_of_a_company(scene: Scene) -> None:
    scene.start(AWS_ENDPOINT_URL_STS=scene.opened.enter_context(with_tls(scene.world.stage.sandbox)))


# EKS Pod Identity.


@thread(
    f"{GITHUB}/aws/eks-pod-identity-agent/issues/26",
    "pods get no credentials, and the agent's pods restart",
    "the agent on the node is down",
    "refuses connections.*eks-pod-identity-agent",
    exit_code=1,
)
def agent_is_down(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.agent = f"{CLOSED}/v1/credentials"
    scene.start()


@thread(
    f"{GITHUB}/aws-samples/containers-blog-maelstrom/issues/123",
    "connect timeout at 169.254.170.23",
    "iptables of the node drop the packets",
    "no answer from .* in time",
    exit_code=1,
)
def node_drops_packets_to_the_agent(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.agent = f"{scene.opened.enter_context(silent())}/v1/credentials"
    scene.flags = ["--timeout", "0.3s"]
    scene.start()


@thread(
    f"{GITHUB}/Smana/runlore/pull/57",
    "the application hangs when it asks for credentials",
    "a NetworkPolicy drops what goes to the node's own address",
    "no answer from .* in time",
    exit_code=1,
)
def network_policy_without_the_agent(scene: Scene) -> None:
    node_drops_packets_to_the_agent(scene)


@thread(
    f"{GITHUB}/awsdocs/amazon-eks-user-guide/pull/878",
    "pods behind a proxy get no credentials",
    "NO_PROXY lacks the agent's addresses",
    "proxy 127.0.0.1.*169.254.170.23.* NO_PROXY",
    exit_code=1,
)
def agent_behind_a_proxy(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.agent = AGENT
    scene.start(HTTP_PROXY=CLOSED, HTTPS_PROXY=CLOSED, NO_PROXY="127.0.0.1,.svc")
    scene.flags = ["--sdk", "go"]


@thread(
    f"{GITHUB}/aws/eks-pod-identity-agent/issues/139",
    "on the node's network the agent answers that EKS may not assume the role",
    "the agent refuses the pod",
    "Unauthorized Exception",
)
def agent_refuses(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.aws.refusal = (400, "Unauthorized Exception! EKS does not have permissions to assume the role")
    scene.start()


@thread(
    f"{GITHUB}/boto/botocore/issues/3117",
    "some time after the start the agent answers ExpiredTokenException",
    "the application sends an old token",
    "ExpiredTokenException",
)
def agent_gets_an_old_token(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.aws.refusal = (400, "(ExpiredTokenException): The token included in the request is expired")
    scene.start()


@thread(
    f"{GITHUB}/hashicorp/vault-k8s/pull/793",
    "an injected container has the wrong mount of the two",
    "the container has the agent's variables without the token's volume",
    "eks-pod-identity-token is not readable",
)
def agent_s_token_is_not_mounted(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.start()
    Path(scene.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).unlink()


def _changed(token: str, **claims: object) -> str:
    """A token with other claims; None takes one away. The signature is that of the former."""
    head, body, signature = token.split(".")
    found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    found = {key: value for key, value in {**found, **claims}.items() if value is not None}
    return ".".join(
        (head, base64.urlsafe_b64encode(json.dumps(found).encode()).decode().rstrip("="), signature)
    )


@pytest.mark.parametrize("name", THREADS)
def test_preflight_names_the_cause_of_a_thread(name: str, scene: Scene) -> None:
    case = THREADS[name]
    case.make(scene)
    program = one_file(scene.folder) if scene.user is not None else ()
    code, item = preflight(scene.env, *scene.flags, user=scene.user, program=program)
    said = " ".join([item["sentence"], item["cause"] or "", item["evidence"]["sts"], *item["next"]])
    assert re.search(case.named, said), item
    assert (code, item["verdict"]) == (case.exit_code, {5: "wrong", 1: "unknown"}[case.exit_code]), item


def test_each_thread_has_a_source_of_its_own() -> None:
    sources = [case.source for case in THREADS.values()]
    assert len(set(sources)) == len(sources) >= 18
    assert all(source.startswith("https://") for source in sources)


# Nothing is wrong.

HEALTHY: dict[str, Callable[[Scene], None]] = {}


def healthy(make: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """Register a set-up in which the pod is its role."""
    HEALTHY[make.__name__] = make
    return make


@healthy
def as_the_webhook_makes_it(scene: Scene) -> None:
    scene.start()
    scene.flags = ["--expect-role", scene.world.role_arn, "--expect-account", "111122223333"]


@healthy
def an_init_container(scene: Scene) -> None:
    scene.world.new_pod(initContainers=[{"name": "irsa-preflight", "image": "irsa"}])
    scene.container = "irsa-preflight"
    scene.start()


@healthy
def a_user_without_rights(scene: Scene) -> None:
    scene.world.new_pod(securityContext={"runAsUser": NOBODY, "fsGroup": NOBODY})
    scene.start()
    scene.user = NOBODY if ROOT_USER else None


@healthy
def nodes_that_hide_their_role(scene: Scene) -> None:
    scene.imds = CLOSED
    scene.start()


@healthy
def a_star_in_string_like(scene: Scene) -> None:
    scene.world.conditions(
        StringLike={"sub": f"system:serviceaccount:{NAMESPACE}:*"}, StringEquals={"aud": STS}
    )
    scene.start()


@healthy
def an_audience_of_its_own(scene: Scene) -> None:
    scene.world.annotate("ours", AUDIENCE)
    scene.world.new_pod()
    scene.world.no_provider()
    scene.world.make_provider("", "ours")
    scene.world.values(aud="ours")
    scene.start()


@healthy
def a_token_for_ten_minutes(scene: Scene) -> None:
    scene.world.annotate("600", "eks.amazonaws.com/token-expiration")
    scene.world.new_pod()
    scene.start()


@healthy
def a_role_of_another_account_with_the_provider(scene: Scene) -> None:
    scene.world.role_elsewhere()
    scene.world.make_provider(account=FOREIGN)
    scene.start()
    scene.flags = ["--expect-account", FOREIGN]


@healthy
def empty_keys_of_a_chart(scene: Scene) -> None:
    scene.world.with_env(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_SESSION_TOKEN="")
    scene.start()


@healthy
def a_configuration_without_credentials(scene: Scene) -> None:
    path = scene.config(
        "[default]\nregion = eu-west-1\noutput = json\n\n[profile other]\nregion = us-east-1\n"
    )
    scene.start(AWS_CONFIG_FILE=path)


@healthy
def a_session_name(scene: Scene) -> None:
    scene.world.conditions(
        StringEquals={"sub": scene.world.subject, "aud": STS}, StringLike={"sts:RoleSessionName": "web-*"}
    )
    scene.start(AWS_ROLE_SESSION_NAME="web-1")


@healthy
def a_proxy_that_is_not_for_sts(scene: Scene) -> None:
    scene.start(HTTP_PROXY=CLOSED, HTTPS_PROXY=CLOSED, NO_PROXY="10.0.0.0/8, 127.0.0.1,.svc")


@healthy
def a_proxy_for_sts(scene: Scene) -> None:
    # The name can't be resolved here: only the proxy answers for it.
    scene.start(AWS_ENDPOINT_URL_STS="http://sts.eu-west-1.invalid", http_proxy=scene.aws.url)


@healthy
def an_endpoint_with_a_ca_of_its_own(scene: Scene) -> None:
    bundle = scene.folder / "ca.pem"
    bundle.write_text(scene.world.stage.sandbox.ca_pem)
    scene.start(
        AWS_ENDPOINT_URL_STS=scene.opened.enter_context(with_tls(scene.world.stage.sandbox)),
        AWS_CA_BUNDLE=str(bundle),
    )


@healthy
def pod_identity(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.start(AWS_ENDPOINT_URL_STS=scene.aws.url)
    scene.flags = ["--expect-role", "arn:aws:iam::111122223333:role/team/associated"]


@healthy
def pod_identity_of_an_sdk_that_needs_no_exception_of_the_proxy(scene: Scene) -> None:
    scene.world.by_pod_identity()
    sts = scene.aws.url.replace("127.0.0.1", "localhost")
    scene.start(AWS_ENDPOINT_URL_STS=sts, HTTP_PROXY=CLOSED, NO_PROXY="localhost")
    scene.flags = ["--sdk", "python", "--expect-role", "associated"]


@healthy
def both_an_annotation_and_an_association(scene: Scene) -> None:
    scene.world.by_pod_identity()
    scene.world.annotate(scene.world.role_arn)
    scene.world.new_pod()
    scene.start(AWS_ENDPOINT_URL_STS=scene.aws.url)
    scene.flags = ["--expect-role", "associated"]


@healthy
def web_identity_of_a_profile(scene: Scene) -> None:
    scene.start()
    role, path = scene.env.pop("AWS_ROLE_ARN"), scene.env.pop("AWS_WEB_IDENTITY_TOKEN_FILE")
    text = f"[profile app]\nrole_arn = {role}\nweb_identity_token_file = {path}\n"
    scene.env |= {"AWS_CONFIG_FILE": scene.config(text), "AWS_PROFILE": "app"}
    scene.flags = ["--expect-role", role]


@pytest.mark.parametrize("name", HEALTHY)
def test_preflight_raises_no_alarm_in_a_healthy_pod(name: str, scene: Scene) -> None:
    HEALTHY[name](scene)
    program = one_file(scene.folder) if scene.user is not None else ()
    code, item = preflight(scene.env, *scene.flags, user=scene.user, program=program)
    assert (code, item["verdict"], item["next"], item["notReached"]) == (0, "expected", [], []), item


def test_enough_set_ups_are_healthy() -> None:
    assert len(HEALTHY) >= 10
