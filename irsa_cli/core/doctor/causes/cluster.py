"""Causes in the cluster: its kind, its issuer's documents and OIDC provider, and the network to STS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from itertools import chain

from irsa_cli.core.doctor import subjects
from irsa_cli.core.doctor.commands import decide, in_account, proposed
from irsa_cli.core.doctor.facts import Facts, known, there
from irsa_cli.core.doctor.finding import Group, Judgement, check_of, hint, ok, problem, some, unknown
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.webhooks import NetworkPolicy, selects
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import does, principals, statements
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.errors import CannotTell, Unreadable, have
from irsa_cli.core.values.shown import shown, unspaced


@check_of("cluster-unsupported", Group.CLUSTER, weight=99, of_cluster=True)
def _unsupported(facts: Facts) -> Judgement:
    cluster = facts.cluster
    if not have(facts.eks).on_outposts:
        return ok("this kind of cluster supports IRSA")
    command = f"eks describe-cluster --name {shlex.quote(cluster.name)} --query cluster.outpostConfig"
    fix = facts.reach.aws(command, cluster.region)
    return problem("local clusters on AWS Outposts do not support IRSA", fix=fix, cluster=cluster.arn)


@check_of("issuer-documents", Group.CLUSTER, weight=71, of_cluster=True)
def _documents(facts: Facts) -> Judgement:
    published = facts.published_keys
    issuer = facts.cluster.issuer
    if not isinstance(published, Unreadable):
        return ok("the issuer's discovery document and keys are public", issuer=issuer)
    if not published.answered:
        raise CannotTell(
            f"{published.why}; the cause may be this machine's network: in a VPC with an EKS endpoint, the"
            " issuer's name does not resolve, but STS still reaches it"
        )
    fix = f"curl -i {shlex.quote(issuer.rstrip('/'))}/.well-known/openid-configuration"
    return problem("STS needs them to verify tokens and gets the same answer", fix=fix, answer=published.why)


@check_of("issuer-keys", Group.CLUSTER, weight=70, of_cluster=True)
def _keys(facts: Facts) -> Judgement:
    published = have(facts.published_keys)
    own = have(facts.cluster_keys)
    if own <= published:
        return ok("the issuer publishes every key of the cluster", keys=subjects.listed(sorted(own)))
    look = facts.reach.kubectl("get --raw /openid/v1/jwks")
    return problem(
        "STS cannot find a key that signs the cluster's tokens",
        fix=f"{look} # publish this as the jwks_uri of {facts.cluster.issuer}",
        cluster=subjects.listed(sorted(own)),
        published=subjects.listed(sorted(published)) or "none",
    )


@check_of("sts-endpoint-policy", Group.CLUSTER, weight=55, of_cluster=True)
def _endpoint_policy(facts: Facts) -> Judgement:
    endpoints = some(have(facts.sts_endpoints), "the VPC has no STS endpoint")
    verdicts = [(endpoint.id, _lets_through(endpoint.policy)) for endpoint in endpoints]
    refusing = [name for name, verdict in verdicts if verdict is False]
    undecided = [name for name, verdict in verdicts if verdict is None]
    if refusing:
        look = f"ec2 describe-vpc-endpoints --vpc-endpoint-ids {shlex.quote(refusing[0])}"
        return problem(
            "the endpoint policy does not allow the unsigned call",
            fix=facts.reach.aws(look, facts.cluster.region),
            endpoint=subjects.listed(refusing),
            needed=f"Allow, Principal *, Action {ACTION}",
        )
    if undecided:
        text = "the endpoint policy has conditions that irsa cannot evaluate"
        return unknown(text, endpoint=subjects.listed(undecided))
    return ok(
        "the endpoint policy allows the call", endpoint=subjects.listed(endpoint.id for endpoint in endpoints)
    )


def _lets_through(document: Document) -> bool | None:
    """Whether an endpoint's policy allows the unsigned call; None if conditions decide."""
    denying: list[bool] = []
    allowing: list[bool] = []
    for statement in statements(document):
        is_everybody = statement.get("Principal", "*") == "*" or "*" in principals(statement, "AWS")
        if not is_everybody or not does(statement, ACTION):
            continue
        has_condition = bool(statement.get("Condition"))
        if statement.get("Effect") == "Deny":
            denying.append(has_condition)
        elif statement.get("Effect") == "Allow":
            allowing.append(has_condition)
    if not allowing or not all(denying):
        return False
    if denying or all(allowing):
        return None
    return True


_PROXIES = frozenset({"istio-proxy", "linkerd-proxy", "envoy"})
_HOLDS = re.compile(r"holdApplicationUntilProxyStarts[\"']?\s*:\s*[\"']?true")


@check_of("pod-host-network", Group.PODS, weight=15)
def _host_network(facts: Facts) -> Judgement:
    pods = some([pod for pod in facts.named.users() if pod.host_network], "no pod uses hostNetwork")
    return unknown("pods with hostNetwork can use the node's credentials", pods=subjects.pod_names(pods))


@check_of("node-hop-limit", Group.PODS, weight=14)
def _hop_limit(facts: Facts) -> Judgement:
    names = some(node_names(facts.named.users()), "no pod runs on an EC2 instance")
    nodes = have(facts.named.nodes)
    # Pods with a network of their own are one hop away.
    known_nodes = {name: nodes[name] for name in names if name in nodes}
    reached = {name: node for name, node in known_nodes.items() if node.enabled and node.hop_limit > 1}
    if reached:
        limits = sorted({str(node.hop_limit) for node in reached.values()})
        text = "an SDK without a web identity uses the node's role and reports no error"
        return unknown(text, nodes=subjects.listed(reached), hop_limit=subjects.listed(limits))
    unknown_names = [name for name in names if name not in nodes]
    some(unknown_names, "the nodes' metadata service does not answer pods", nodes=subjects.listed(names))
    return unknown("EC2 has no instances with the names of these nodes", nodes=subjects.listed(unknown_names))


def node_names(pods: Iterable[Pod]) -> list[str]:
    """The nodes of pods, without those that are no EC2 instances (Fargate)."""
    return sorted({pod.node for pod in pods if pod.node and not pod.node.startswith("fargate-")})


@check_of("pod-mesh", Group.PODS, weight=25)
def _mesh(facts: Facts) -> Judgement:
    users = facts.named.users()
    meshed = [pod for pod in users if not _PROXIES.isdisjoint(container.name for container in pod.containers)]
    pods = some(meshed, "no pod has a known sidecar")
    late = [pod for pod in pods if not _waits(pod)]
    text = "irsa cannot see which calls the sidecar allows"
    if not late or subjects.is_admitted(facts, late):
        return unknown(text, pods=subjects.pod_names(pods))
    return hint(f"{text}, or if the application waits for it", pods=subjects.pod_names(late))


def _waits(pod: Pod) -> bool:
    if any(container.init and container.name in _PROXIES for container in pod.containers):
        return True
    settings = pod.annotations.get("proxy.istio.io/config", "")
    linkerd = pod.annotations.get("config.linkerd.io/proxy-await", "")
    return linkerd == "enabled" or bool(_HOLDS.search(settings))


@check_of("pod-network-policy", Group.PODS, weight=26)
def _network_policy(facts: Facts) -> Judgement:
    pods = facts.named.users()
    policies = have(facts.named.network_policies)

    def is_about_pods(policy: NetworkPolicy) -> bool:
        return any(selects(policy.pods, pod.labels) for pod in pods)

    own = list(filter(is_about_pods, policies))
    rules = list(chain.from_iterable(policy.ports for policy in own))
    if not own or any(https and to_all for https, to_all in rules):
        return ok("no NetworkPolicy blocks calls to STS")
    names = subjects.listed(policy.name for policy in own)
    if subjects.is_admitted(facts, pods):
        return ok("STS accepted the pods' tokens, so no NetworkPolicy blocks them", policies=names)
    text = "a NetworkPolicy allows no HTTPS, and irsa cannot tell if the cluster enforces it"
    if any(https for https, _ in rules):
        text = "a NetworkPolicy allows HTTPS to some addresses only; irsa cannot tell if STS is one of them"
    return hint(text, policies=names)


_DUAL_STACK = ".api.aws"
_ROLE = re.compile(r"\s*arn:[\w-]+:iam::(\d{12}):role/.*", re.ASCII | re.DOTALL)
_UNNEEDED = "no checked ServiceAccount needs a provider in the cluster's account"


def _provider(facts: Facts) -> ProviderState:
    missing = "the cluster's issuer has no OIDC provider in the role's account"
    return there(subjects.provider_there(facts), missing)


def _found_at_home(facts: Facts) -> bool:
    """Whether the cluster's account has the provider; raises `CannotTell` if the role is elsewhere."""
    account = subjects.role_account(facts)
    if account != facts.cluster.home:
        raise CannotTell(f"the role is in account {account}; see provider-account")
    return have(facts.provider) is not None


def _lookalikes(facts: Facts) -> list[str]:
    """Providers that were meant for this issuer and bear another URL: alias, case, trailing slash, port."""
    issuer = host_path(facts.cluster.issuer)
    number = issuer.rsplit("/", 1)[-1].lower()
    urls = {arn: arn.partition(":oidc-provider/")[2] for arn in have(facts.providers)}
    return [arn for arn, url in urls.items() if url != issuer and number and number in url.lower()]


def _at_home(facts: Facts) -> list[ServiceAccount]:
    """The listed ServiceAccounts whose roles are, or may be, in the cluster's account."""
    at_home: list[ServiceAccount] = []
    for account in known(facts.accounts):
        value = account.annotations.get(ROLE_ARN_ANNOTATION)
        role = _ROLE.fullmatch(value or "")
        if value and (role is None or role[1] == facts.cluster.home):
            at_home.append(account)
    return at_home


def _is_needed(facts: Facts) -> bool:
    """Whether a ServiceAccount may need the provider in the cluster's account: Pod Identity does not."""
    subject = facts.subject
    if subject is None:
        return not isinstance(facts.accounts, tuple) or bool(_at_home(facts))
    if isinstance(subject.account, Unreadable) or subject.association is None:
        return True
    # A pod may bring a token of its own, besides.
    pods = (pod for pod in known(subject.pods) if pod.service_account == subject.name)
    if ROLE_ARN_ANNOTATION in subjects.annotations_of(subject) or any(map(subjects.is_injected, pods)):
        return True
    # An association needs no provider.
    return have(subject.association) is None


def _associate(facts: Facts) -> str:
    """The command that creates the provider; a decision if the account can have no more of them."""
    command = facts.reach.for_irsa("associate-oidc")
    if isinstance(facts.providers, tuple) and len(facts.providers) >= _provider_quota(facts):
        return _make_room(facts, "then create the provider:", command)
    return command


def _make_room(facts: Facts, *then: str) -> str:
    look = facts.reach.aws("iam list-open-id-connect-providers")
    return decide(
        look, "- delete the providers of clusters that are gone", "- or request a higher quota", *then
    )


def _provider_quota(facts: Facts) -> int:
    # GetAccountSummary does not document this one; the default is 100.
    return subjects.quota_of(facts, "OpenIDConnectProvidersQuota", 100)


@check_of("provider-missing", Group.CLUSTER, weight=96, of_cluster=True)
def _missing(facts: Facts) -> Judgement:
    issuer = facts.cluster.issuer
    if _found_at_home(facts):
        return ok("the issuer has an OIDC provider in IAM", issuer=issuer)
    if not _is_needed(facts):
        return ok(_UNNEEDED)
    if not isinstance(facts.providers, tuple):
        others = "irsa could not list the account's other providers"
    elif _lookalikes(facts):
        raise CannotTell("a provider with another URL exists; see provider-url")
    else:
        others = subjects.listed(arn.partition(":oidc-provider/")[2] for arn in facts.providers) or "none"
    fix = _associate(facts)
    expected = subjects.home_provider(facts)
    text = "IAM does not trust the issuer of the cluster's tokens"
    return problem(text, fix=fix, issuer=issuer, expected=expected, existing_providers=others)


@check_of("provider-account", Group.CLUSTER, weight=96)
def _other_account(facts: Facts) -> Judgement:
    arn = facts.named.role_arn()
    home = facts.cluster.home
    if arn.account == home:
        return ok("the role and the provider are in the cluster's account", account=arn.account)
    if have(facts.named.provider) is not None:
        return ok("the issuer has an OIDC provider in the role's account", account=arn.account)
    command = f"iam create-open-id-connect-provider --url {shlex.quote(facts.cluster.issuer)}"
    command += f" --client-id-list {shlex.quote(subjects.audience_of(facts, facts.subject))}"
    why = "the administrators of its account decide if it trusts this cluster"
    fix = proposed(why, str(arn), in_account(facts, arn.account, command))
    text = "STS looks for the provider in the role's account"
    return problem(text, fix=fix, role=f"account {arn.account}", cluster=f"account {home}")


@check_of("provider-url", Group.CLUSTER, weight=95, of_cluster=True)
def _url(facts: Facts) -> Judgement:
    if _found_at_home(facts):
        return ok("a provider has exactly this URL")
    similar = there(_lookalikes(facts), "no provider has a similar URL; see provider-missing")
    text = "a provider has a similar URL, but IAM compares the whole URL"
    if any(_DUAL_STACK in arn for arn in similar):
        text += "; tokens never use the dual-stack alias"
    fix = _associate(facts)
    return problem(text, fix=fix, issuer=facts.cluster.issuer, provider=subjects.listed(similar))


@check_of("provider-audience", Group.CLUSTER, weight=93, of_cluster=True)
def _audience(facts: Facts) -> Judgement:
    if not _is_needed(facts):
        return ok(_UNNEEDED)
    accepted = _provider(facts).audiences
    audience = subjects.audience_of(facts, facts.subject)
    if facts.subject is None:
        audiences = {account.annotations.get(AUDIENCE_ANNOTATION, audience) for account in _at_home(facts)}
        if audiences and audience not in audiences and audiences <= set(accepted):
            text = "the provider accepts the audiences of all ServiceAccounts"
            return ok(text, audiences=subjects.listed(audiences))
    if audience in accepted:
        return ok("the provider accepts the audience", audience=audience)
    trust = getattr(facts.subject and facts.subject.role, "trust", "")
    annotated = AUDIENCE_ANNOTATION in subjects.annotations_of(facts.subject)
    if audience != DEFAULT_AUDIENCE and annotated and audience not in str(trust):
        raise CannotTell("the annotation asks for another audience; see annotation-audience")
    text = "the provider does not have the tokens' audience"
    if audience.lower() in [unspaced(accepted_audience).lower() for accepted_audience in accepted]:
        text += " (the spelling differs)"
    fix = _add_audience(facts, audience, annotated=annotated)
    return problem(
        text, fix=fix, tokens=shown(audience), provider=subjects.listed(map(shown, accepted)) or "none"
    )


def _add_audience(facts: Facts, audience: str, *, annotated: bool) -> str:
    arn = subjects.provider_of(facts, facts.subject)
    if audience == DEFAULT_AUDIENCE and arn == subjects.home_provider(facts):
        return facts.reach.for_irsa("associate-oidc")
    command = "iam add-client-id-to-open-id-connect-provider"
    command += f" --open-id-connect-provider-arn {shlex.quote(arn)} --client-id {shlex.quote(audience)}"
    line = in_account(facts, subjects.role_account(facts), command)
    # The annotation's writer chose the audience: AWS would also accept other tokens with it.
    why = "AWS would then accept tokens that were issued for other services" if annotated else ""
    return proposed(why, audience, line)


@check_of("provider-quota", Group.CLUSTER, weight=60, of_cluster=True)
def _quota(facts: Facts) -> Judgement:
    if _found_at_home(facts):
        return ok("the provider exists")
    count = len(have(facts.providers))
    quota = _provider_quota(facts)
    evidence = {"providers": str(count), "quota": str(quota)}
    if count < quota:
        return ok("the quota allows another provider", **evidence)
    text = "the provider is missing, and the quota does not allow another one"
    return problem(text, fix=_make_room(facts), **evidence)


@check_of("provider-thumbprint", Group.CLUSTER, weight=20, of_cluster=True)
def _thumbprint(facts: Facts) -> Judgement:
    provider = _provider(facts)
    if host_path(facts.cluster.issuer).startswith("oidc.eks."):
        return ok("IAM does not check the thumbprint of an EKS issuer")
    some(provider.thumbprints, "the provider has no thumbprint: IAM uses its own certificate authorities")
    raise CannotTell(
        "IAM checks the thumbprint only for some certificate authorities; irsa cannot see which certificate"
        " IAM receives"
    )
