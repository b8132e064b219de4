"""Causes in the cluster: its kind, its issuer's documents and OIDC provider, and the network to STS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from irsa_cli.core.doctor.clues.injection import is_injected
from irsa_cli.core.doctor.commands import in_account, proposed
from irsa_cli.core.doctor.facts import Facts, known
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, unknown
from irsa_cli.core.doctor.subjects import (
    annotations_of,
    audience_of,
    is_admitted,
    listed,
    pod_names,
    provider_of,
    provider_there,
    quota_of,
    role_account,
)
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.objects.webhooks import selects
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import Statement, does, principals, statements
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.shown import shown, unspaced


@check_of("cluster-unsupported")
def _unsupported(facts: Facts) -> Judgement:
    if have(facts.eks).on_outposts:
        return problem(
            "local clusters on AWS Outposts do not support IRSA",
            fix=facts.reach.aws(
                f"eks describe-cluster --name {shlex.quote(facts.cluster.name)}"
                " --query cluster.outpostConfig",
                facts.cluster.region,
            ),
            cluster=facts.cluster.arn,
        )
    return ok("this kind of cluster supports IRSA")


@check_of("issuer-documents")
def _documents(facts: Facts) -> Judgement:
    published = facts.published_keys
    if not isinstance(published, Unreadable):
        return ok("the issuer's discovery document and keys are public", issuer=facts.cluster.issuer)
    if not published.answered:
        raise CannotTell(
            f"{published.why}; the cause may be this machine's network: in a VPC with an EKS endpoint, the"
            " issuer's name does not resolve, but STS still reaches it"
        )
    return problem(
        "STS needs them to verify tokens and gets the same answer",
        fix=f"curl -i {shlex.quote(facts.cluster.issuer.rstrip('/'))}/.well-known/openid-configuration",
        answer=published.why,
    )


@check_of("issuer-keys")
def _keys(facts: Facts) -> Judgement:
    published, own = have(facts.published_keys), have(facts.cluster_keys)
    if own <= published:
        return ok("the issuer publishes every key of the cluster", keys=listed(sorted(own)))
    return problem(
        "STS cannot find a key that signs the cluster's tokens",
        fix=facts.reach.kubectl("get --raw /openid/v1/jwks")
        + f" # publish this as the jwks_uri of {facts.cluster.issuer}",
        cluster=listed(sorted(own)),
        published=listed(sorted(published)) or "none",
    )


@check_of("sts-endpoint-policy")
def _endpoint_policy(facts: Facts) -> Judgement:
    endpoints = have(facts.sts_endpoints)
    if not endpoints:
        return ok("the VPC has no STS endpoint")
    verdicts = [(endpoint.id, _lets_through(endpoint.policy)) for endpoint in endpoints]
    refusing = [name for name, verdict in verdicts if verdict is False]
    undecided = [name for name, verdict in verdicts if verdict is None]
    if refusing:
        return problem(
            "the endpoint policy does not allow the unsigned call",
            fix=facts.reach.aws(
                f"ec2 describe-vpc-endpoints --vpc-endpoint-ids {shlex.quote(refusing[0])}",
                facts.cluster.region,
            ),
            endpoint=listed(refusing),
            needed=f"Allow, Principal *, Action {ACTION}",
        )
    if undecided:
        return unknown(
            "the endpoint policy has conditions that irsa cannot evaluate",
            endpoint=listed(undecided),
        )
    return ok("the endpoint policy allows the call", endpoint=listed(item.id for item in endpoints))


def _lets_through(document: Document) -> bool | None:
    fitting = [item for item in statements(document) if does(item, ACTION) and _is_for_everybody(item)]
    denying = [item for item in fitting if item.get("Effect") == "Deny"]
    allowing = [item for item in fitting if item.get("Effect") == "Allow"]
    if any(not item.get("Condition") for item in denying) or not allowing:
        return False
    return None if denying or all(item.get("Condition") for item in allowing) else True


def _is_for_everybody(item: Statement) -> bool:
    return item.get("Principal", "*") == "*" or "*" in principals(item, "AWS")


_PROXIES = frozenset({"istio-proxy", "linkerd-proxy", "envoy"})
_HOLDS = re.compile(r"holdApplicationUntilProxyStarts[\"']?\s*:\s*[\"']?true")


@check_of("pod-host-network")
def _host_network(facts: Facts) -> Judgement:
    found = [pod for pod in facts.named.users() if pod.host_network]
    if not found:
        return ok("no pod uses hostNetwork")
    return unknown("pods with hostNetwork can use the node's credentials", pods=pod_names(found))


@check_of("node-hop-limit")
def _hop_limit(facts: Facts) -> Judgement:
    names = node_names(facts.named.users())
    if not names:
        return ok("no pod runs on an EC2 instance")
    nodes = have(facts.named.nodes)
    found = [name for name in names if name in nodes and nodes[name].answers_pods]
    if found:
        limits = sorted({str(nodes[name].hop_limit) for name in found})
        return unknown(
            "an SDK without a web identity uses the node's role and reports no error",
            nodes=listed(found),
            hop_limit=listed(limits),
        )
    strange = [name for name in names if name not in nodes]
    if strange:
        return unknown("EC2 has no instances with the names of these nodes", nodes=listed(strange))
    return ok("the nodes' metadata service does not answer pods", nodes=listed(names))


def node_names(pods: Iterable[Pod]) -> list[str]:
    """The nodes of pods, without those that are no EC2 instances (Fargate)."""
    return sorted({pod.node for pod in pods if pod.node and not pod.node.startswith("fargate-")})


@check_of("pod-mesh")
def _mesh(facts: Facts) -> Judgement:
    users = facts.named.users()
    found = [pod for pod in users if any(item.name in _PROXIES for item in pod.containers)]
    if not found:
        return ok("no pod has a known sidecar")
    late = [pod for pod in found if not _waits(pod)]
    if not late or is_admitted(facts, late):
        return unknown("irsa cannot see which calls the sidecar allows", pods=pod_names(found))
    return hint(
        "irsa cannot see which calls the sidecar allows, or if the application waits for it",
        pods=pod_names(late),
    )


def _waits(pod: Pod) -> bool:
    if any(item.init and item.name in _PROXIES for item in pod.containers):
        return True
    settings = pod.annotations.get("proxy.istio.io/config", "")
    linkerd = pod.annotations.get("config.linkerd.io/proxy-await", "")
    return linkerd == "enabled" or bool(_HOLDS.search(settings))


@check_of("pod-network-policy")
def _network_policy(facts: Facts) -> Judgement:
    pods = facts.named.users()
    policies = have(facts.named.network_policies)
    mine = [item for item in policies if any(selects(item.pods, pod.labels) for pod in pods)]
    rules = [rule for item in mine for rule in item.ports]
    if not mine or any(https and to_all for https, to_all in rules):
        return ok("no NetworkPolicy blocks calls to STS")
    names = listed(item.name for item in mine)
    if is_admitted(facts, pods):
        return ok("STS accepted the pods' tokens, so no NetworkPolicy blocks them", policies=names)
    if any(https for https, _ in rules):
        return hint(
            "a NetworkPolicy allows HTTPS to some addresses only; irsa cannot tell if STS is one of them",
            policies=names,
        )
    return hint(
        "a NetworkPolicy allows no HTTPS, and irsa cannot tell if the cluster enforces it",
        policies=names,
    )


_DUAL_STACK = ".api.aws"
_ROLE = re.compile(r"\s*arn:[\w-]+:iam::(\d{12}):role/.*", re.ASCII | re.DOTALL)
_UNNEEDED = "no checked ServiceAccount needs a provider in the cluster's account"


def _own_account(facts: Facts) -> None:
    account = role_account(facts)
    if account != facts.cluster.home:
        raise CannotTell(f"the role is in account {account}; see provider-account")


def _provider(facts: Facts) -> ProviderState:
    found = provider_there(facts)
    if found is None:
        raise CannotTell("the cluster's issuer has no OIDC provider in the role's account")
    return found


def _lookalikes(facts: Facts) -> list[str]:
    """Providers that were meant for this issuer and bear another URL: alias, case, trailing slash, port."""
    issuer = host_path(facts.cluster.issuer)
    number = issuer.rsplit("/", 1)[-1].lower()
    urls = {arn: arn.partition(":oidc-provider/")[2] for arn in have(facts.providers)}
    return [arn for arn, url in urls.items() if url != issuer and number and number in url.lower()]


def _named(facts: Facts) -> tuple[ServiceAccount, ...] | None:
    if not isinstance(facts.accounts, tuple):
        return None
    values = ((item, item.annotations.get(ROLE_ARN_ANNOTATION)) for item in facts.accounts)
    found = [(item, _ROLE.fullmatch(value)) for item, value in values if value]
    return tuple(item for item, role in found if role is None or role[1] == facts.cluster.home)


def _is_needed(facts: Facts) -> bool:
    """Whether a ServiceAccount may need the provider in the cluster's account: Pod Identity does not."""
    subject = facts.subject
    if subject is None:
        return _named(facts) != ()
    if isinstance(subject.account, Unreadable) or subject.association is None:
        return True
    annotations = annotations_of(subject)
    # A pod may bring a token of its own, besides.
    pods = (pod for pod in known(subject.pods) if pod.service_account == subject.name)
    needed = ROLE_ARN_ANNOTATION in annotations or any(map(is_injected, pods))
    # An association needs no provider.
    return needed or have(subject.association) is None


@check_of("provider-missing")
def _missing(facts: Facts) -> Judgement:
    _own_account(facts)
    if have(facts.provider) is not None:
        return ok("the issuer has an OIDC provider in IAM", issuer=facts.cluster.issuer)
    if not _is_needed(facts):
        return ok(_UNNEEDED)
    if not isinstance(facts.providers, tuple):
        others = "irsa could not list the account's other providers"
    elif _lookalikes(facts):
        raise CannotTell("a provider with another URL exists; see provider-url")
    else:
        others = listed(arn.partition(":oidc-provider/")[2] for arn in facts.providers) or "none"
    return problem(
        "IAM does not trust the issuer of the cluster's tokens",
        fix=facts.reach.for_irsa("associate-oidc"),
        issuer=facts.cluster.issuer,
        expected=provider_of(facts, None),
        existing_providers=others,
    )


@check_of("provider-account")
def _other_account(facts: Facts) -> Judgement:
    account = facts.named.role_arn().account
    if account == facts.cluster.home:
        return ok("the role and the provider are in the cluster's account", account=account)
    if have(facts.named.provider) is not None:
        return ok("the issuer has an OIDC provider in the role's account", account=account)
    command = (
        f"iam create-open-id-connect-provider --url {shlex.quote(facts.cluster.issuer)}"
        f" --client-id-list {shlex.quote(audience_of(facts, facts.subject))}"
    )
    why = "the administrators of its account decide if it trusts this cluster"
    role = str(facts.named.role_arn())
    return problem(
        "STS looks for the provider in the role's account",
        fix=proposed(why, role, in_account(facts, account, command)),
        role=f"account {account}",
        cluster=f"account {facts.cluster.home}",
    )


@check_of("provider-url")
def _url(facts: Facts) -> Judgement:
    _own_account(facts)
    if have(facts.provider) is not None:
        return ok("a provider has exactly this URL")
    found = _lookalikes(facts)
    if not found:
        raise CannotTell("no provider has a similar URL; see provider-missing")
    alias = any(_DUAL_STACK in arn for arn in found)
    return problem(
        "a provider has a similar URL, but IAM compares the whole URL"
        + ("; tokens never use the dual-stack alias" if alias else ""),
        fix=facts.reach.for_irsa("associate-oidc"),
        issuer=facts.cluster.issuer,
        provider=listed(found),
    )


@check_of("provider-audience")
def _audience(facts: Facts) -> Judgement:
    if not _is_needed(facts):
        return ok(_UNNEEDED)
    accepted = _provider(facts).audiences
    wanted = audience_of(facts, facts.subject)
    asked = {item.annotations.get(AUDIENCE_ANNOTATION, wanted) for item in _named(facts) or ()}
    if facts.subject is None and asked and wanted not in asked and asked <= set(accepted):
        return ok("the provider accepts the audiences of all ServiceAccounts", audiences=listed(asked))
    if wanted in accepted:
        return ok("the provider accepts the audience", audience=wanted)
    trust = getattr(facts.subject and facts.subject.role, "trust", "")
    if wanted != DEFAULT_AUDIENCE and _is_annotated(facts) and wanted not in str(trust):
        raise CannotTell("the annotation asks for another audience; see annotation-audience")
    near = [item for item in accepted if unspaced(item).lower() == wanted.lower()]
    return problem(
        "the provider does not have the tokens' audience" + (" (the spelling differs)" if near else ""),
        fix=_add_audience(facts, wanted),
        tokens=shown(wanted),
        provider=listed(map(shown, accepted)) or "none",
    )


def _add_audience(facts: Facts, audience: str) -> str:
    arn = provider_of(facts, facts.subject)
    if audience == DEFAULT_AUDIENCE and arn == provider_of(facts, None):
        return facts.reach.for_irsa("associate-oidc")
    what = f"--open-id-connect-provider-arn {shlex.quote(arn)} --client-id {shlex.quote(audience)}"
    line = in_account(facts, role_account(facts), f"iam add-client-id-to-open-id-connect-provider {what}")
    # The annotation's writer chose the audience: AWS would also accept other tokens with it.
    why = "AWS would then accept tokens that were issued for other services" if _is_annotated(facts) else ""
    return proposed(why, audience, line)


def _is_annotated(facts: Facts) -> bool:
    return AUDIENCE_ANNOTATION in annotations_of(facts.subject)


@check_of("provider-quota")
def _quota(facts: Facts) -> Judgement:
    _own_account(facts)
    if have(facts.provider) is not None:
        return ok("the provider exists")
    count = len(have(facts.providers))
    # GetAccountSummary does not document this one; the default is 100.
    quota = quota_of(facts, "OpenIDConnectProvidersQuota", 100)
    if count < quota:
        return ok("the quota allows another provider", providers=str(count), quota=str(quota))
    return problem(
        "the provider is missing, and the quota does not allow another one",
        fix=facts.reach.aws("iam list-open-id-connect-providers"),
        providers=str(count),
        quota=str(quota),
    )


@check_of("provider-thumbprint")
def _thumbprint(facts: Facts) -> Judgement:
    found = _provider(facts)
    if host_path(facts.cluster.issuer).startswith("oidc.eks."):
        return ok("IAM does not check the thumbprint of an EKS issuer")
    if not found.thumbprints:
        return ok("the provider has no thumbprint: IAM uses its own certificate authorities")
    raise CannotTell(
        "IAM checks the thumbprint only for some certificate authorities; irsa cannot see which certificate"
        " IAM receives"
    )
