"""Causes in EKS Pod Identity, where an association (for any name) provides the role instead of IRSA."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from irsa_cli.core.binding.pod_identity_support import runs_without
from irsa_cli.core.doctor import commands, subjects
from irsa_cli.core.doctor.clues.usage import has_nothing, has_role, is_near
from irsa_cli.core.doctor.facts import Facts, OtherAssociation, known, there
from irsa_cli.core.doctor.finding import (
    Decided,
    Group,
    Judgement,
    check_of,
    ok,
    problem,
    some,
    suspect,
    unknown,
)
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import AGENT, Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import assuming
from irsa_cli.core.trust.assuming import (
    Decision,
    actions,
    context_of_session,
    decide,
    lacking,
    names_role,
    session_tags,
)
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.trust_policy import with_statement
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import CannotTell, Unreadable, have
from irsa_cli.core.values.names import Namespaced

_TOKEN_VOLUME = "eks-pod-identity-token"  # noqa: S105 - a volume's name
_ADDRESSES = ("http://169.254.170.23/", "http://[fd00:ec2::23]/")


def association_of(facts: Facts) -> Association:
    """The Pod Identity association; without one, the check ends."""
    association = have(facts.named.association)
    if association is None:
        raise Decided(ok("it has no Pod Identity association"))
    return association


@check_of("pod-identity-trust", Group.WEBHOOK, weight=60)
def _trust(facts: Facts) -> Judgement:
    association = association_of(facts)
    role = have(facts.named.association_role)
    if role is None:
        return _no_role(facts, "role", association.role_arn)
    answers = _service_answers(facts, association, role)
    # For this ServiceAccount alone.
    names = (facts.named.namespace, facts.named.name)
    tagged = not association.without_tags
    statement = assuming.statement(facts.cluster, *names, tagged=tagged)
    return _judged(facts, role, answers, statement)


def _no_role(facts: Facts, what: str, arn: str) -> Judgement:
    association = association_of(facts)
    update = f"--association-id {shlex.quote(association.id)}"
    flag = "--target-role-arn" if what == "target role" else "--role-arn"
    fix = commands.decide(
        commands.eks(facts, "describe-pod-identity-association", update),
        "- associate a role that exists:",
        commands.eks(facts, "update-pod-identity-association", f"{update} {flag} ARN"),
        "- or create the role again, with its policies and a trust policy for pods.eks.amazonaws.com",
        "- or delete the association if its pods need no role:",
        commands.eks(facts, "delete-pod-identity-association", update),
    )
    return problem(f"the association's {what} does not exist", fix=fix, role=arn)


def _service_answers(facts: Facts, association: Association, role: Role) -> tuple[Decision, ...]:
    tagged = not association.without_tags
    return assuming.said_to_service(role.trust, facts.cluster, facts.named, tagged=tagged)


def serves_pod_identity(facts: Facts, association: Association, role: Role) -> bool:
    """Whether a role's trust policy is known to allow EKS Pod Identity what it needs for the association."""
    return all(answer.answer is Answer.YES for answer in _service_answers(facts, association, role))


def _judged(facts: Facts, role: Role, answers: tuple[Decision, ...], statement: Document) -> Judgement:
    """Judge a trust policy by its answers; `statement` is the one that it needs."""
    refused = list(lacking(answers, Answer.NO))
    if refused:
        fix = commands.rewrite_trust(
            facts, role, with_statement(role.trust, statement), commands.of_power(role)
        )
        if any(answer.why.startswith("a Deny") for answer in refused):
            look = f"iam get-role --role-name {shlex.quote(role.name)} --query Role.AssumeRolePolicyDocument"
            fix = commands.decide(
                commands.in_account(facts, role.account, look),
                "- if its Deny is not about this ServiceAccount, add an exception to it",
                "- else use another role in the association",
            )
        text = "; ".join(dict.fromkeys(answer.why for answer in refused))
        return problem(
            text, fix=fix, role=role.arn, missing=subjects.listed(answer.action for answer in refused)
        )
    unsure = list(lacking(answers, Answer.UNKNOWN))
    if unsure:
        return unknown("; ".join(dict.fromkeys(answer.why for answer in unsure)), role=role.arn)
    return ok("its trust policy allows the required actions", role=role.arn)


@check_of("pod-identity-target", Group.WEBHOOK, weight=58)
def _target(facts: Facts) -> Judgement:
    association = association_of(facts)
    arn = some(association.target_role_arn, "the association has no target role")
    role = have(facts.named.target_role)
    if role is None:
        return _no_role(facts, "target role", arn)
    tagged = not association.without_tags
    external_id = association.external_id
    statement: Document = {
        "Effect": "Allow",
        "Principal": {"AWS": association.role_arn},
        "Action": list(assuming.actions(tagged=tagged)),
    }
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    of = (facts.cluster, facts.named, association.role_arn, external_id)
    return _judged(facts, role, said_to_role(role.trust, *of, tagged=tagged), statement)


@check_of("pod-identity-agent", Group.WEBHOOK, weight=59)
def _agent(facts: Facts) -> Judgement:
    association_of(facts)
    if have(facts.named.agent):
        return ok("the cluster has the EKS Pod Identity agent")
    return problem(
        "nothing answers the pods' credential requests",
        fix=commands.eks(facts, "create-addon", f"--addon-name {AGENT}"),
        addon=f"{AGENT}: not installed",
    )


@check_of("pod-identity-endpoint", Group.WEBHOOK, weight=24)
def _endpoint(facts: Facts) -> Judgement:
    association_of(facts)
    if have(facts.named.auth_endpoints):
        return ok("the VPC has an endpoint for eks-auth")
    if not have(facts.sts_endpoints):
        return ok("the VPC has no STS endpoint either, so it seems to have internet access")
    return unknown("the VPC has an endpoint for STS but none for eks-auth; it may have internet access")


@check_of("pod-identity-platform", Group.PODS, weight=61)
def _platform(facts: Facts) -> Judgement:
    association = association_of(facts)
    users = facts.named.users()
    pods = some([pod for pod in users if runs_without(pod)], "none of its pods runs on Fargate or Windows")
    # Pods of the same ServiceAccount that run elsewhere have their credentials by the association.
    verb = "delete" if len(pods) == len(users) else "describe"
    fix = commands.eks(
        facts, f"{verb}-pod-identity-association", f"--association-id {shlex.quote(association.id)}"
    )
    if verb == "delete":
        fix = f"{fix}\n{commands.restart(facts, pods)}"
    return problem(
        "the agent does not run on Fargate and Windows",
        fix=fix,
        pods=subjects.pod_names(pods),
        run_on=subjects.listed("Windows" if pod.os == "windows" else "Fargate" for pod in pods),
    )


@check_of("pod-older-than-association", Group.PODS, weight=62)
def _older(facts: Facts) -> Judgement:
    created = _created(association_of(facts))
    users = [pod for pod in facts.named.users() if has_nothing(pod) and not subjects.opted_out(pod)]
    older = [pod for pod in users if pod.created and pod.created < created]
    fine = "no pod without credentials is older than the association"
    pods = some(older, fine, created=created.isoformat())
    text = "they have no credentials; new pods would get the association's role"
    expected = f"created after {created.isoformat()}"
    return commands.by_restart(facts, pods, text, started=subjects.starts(pods), expected=expected)


def _created(association: Association) -> datetime:
    return there(association.created, "EKS did not return when the association was created")


@check_of("pod-identity-gone", Group.PODS, weight=92)
def _gone(facts: Facts) -> Judgement:
    if have(facts.named.association) is not None:
        return ok("its association exists")
    associated = [pod for pod in facts.named.users() if was_associated(pod)]
    pods = some(associated, "no pod uses EKS Pod Identity")
    text = "they were created with the association and keep its variables until they restart"
    return commands.by_restart(facts, pods, text, association="none")


def was_associated(pod: Pod) -> bool:
    """Whether the webhook added the variables of an association; other tools use the same variable."""
    mounted = any(volume.name == _TOKEN_VOLUME for volume in pod.volumes)
    urls = [container.env.get(subjects.POD_IDENTITY_ENV) or "" for container in pod.containers]
    return any(url.startswith(_ADDRESSES) for url in urls) or (mounted and subjects.has_pod_identity(pod))


def is_similar(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether of two ServiceAccounts (namespace, name) one may have been meant by the other's name."""
    namespace, name = first
    other_namespace, other_name = second
    if namespace == other_namespace:
        return is_near(name, other_name)
    return name == other_name and name != "default"


def unused(facts: Facts) -> tuple[OtherAssociation, ...]:
    """Associations for nearly its name of which nobody has anything, while its own pods have nothing."""
    subject = facts.named
    accounts = facts.accounts
    if subject.association is not None or not any(map(has_nothing, subject.known_users())):
        return ()
    names = {account.full_name for account in known(accounts)}
    used = {pod.service_account for pod in subject.living()}

    def is_unused(association: OtherAssociation) -> bool:
        if isinstance(accounts, tuple) and association.full_name not in names:
            return True
        return association.namespace == subject.namespace and association.name not in used

    return tuple(filter(is_unused, known(subject.other_associations)))


@check_of("pod-identity-other-name", Group.SERVICE_ACCOUNT, weight=98)
def _other_name(facts: Facts) -> Judgement:
    subject = facts.named
    account = subject.existing()
    if have(subject.association) is not None or has_role(account):
        return ok("it has a role")
    others = some(have(subject.other_associations), "no association has a similar name")
    lost = unused(facts)
    shown_ones = lost or others
    evidence = {"association_for": subjects.listed(other.full_name for other in shown_ones)}
    associations = [other.association for other in shown_ones]
    read = [association for association in associations if isinstance(association, Association)]
    roles = subjects.listed(association.role_arn for association in read if association.role_arn)
    if roles:
        evidence["its_role"] = roles
    if not lost:
        return unknown("associations exist for a similar name or another namespace", **evidence)
    pods = [pod for pod in subject.users() if has_nothing(pod)]
    return problem(
        "it has no role, and no pod uses the ServiceAccount with the association",
        fix=commands.followed(_associate(facts, lost), commands.restart(facts, pods)),
        **evidence,
        found=subject.full_name,
        pods=subjects.pod_names(pods),
    )


def _associate(facts: Facts, lost: tuple[OtherAssociation, ...]) -> str:
    """The command that associates the role; one to look first, where its trust policy would not do."""
    association = lost[0].association
    role = lost[0].role
    subject = facts.named
    if len(lost) > 1 or not isinstance(association, Association) or not association.role_arn:
        return commands.eks(facts, "list-pod-identity-associations")
    flags = f"--namespace {shlex.quote(subject.namespace)} --service-account {shlex.quote(subject.name)}"
    flags += f" --role-arn {shlex.quote(association.role_arn)}"
    command = commands.eks(facts, "create-pod-identity-association", flags)
    plain = not (association.target_role_arn or association.without_tags)
    desired = replace(facts, subject=replace(subject, association=association))
    if plain and isinstance(role, Role) and serves_pod_identity(desired, association, role):
        return command
    name = shlex.quote(association.role_arn.rsplit("/", 1)[-1])
    look = facts.reach.aws(f"iam get-role --role-name {name}")
    return f"{look} # its trust policy must allow this ServiceAccount\n# {command}"


_AGENTS = f"get pods -o wide --selector app.kubernetes.io/name={AGENT}"
UNTIL_KNOWN = timedelta(minutes=2)
"""How long the webhook may not know a new association: they are eventually consistent."""
TOO_NEW = "the association is new, and the webhook may not know of it yet"


@check_of("pod-identity-agent-down", Group.WEBHOOK, weight=63)
def _agent_down(facts: Facts) -> Judgement:
    subject = facts.named
    association_of(facts)
    if not have(subject.agent):
        raise CannotTell("the cluster has no EKS Pod Identity agent; see pod-identity-agent")
    if subject.agents is None:
        return ok("the agent is built into the nodes")
    agents = have(subject.agents)
    users = [pod for pod in subject.users() if not runs_without(pod)]
    placed = [pod for pod in users if pod.node]
    if not agents:
        text = "the agent is installed, but kube-system has no pods of it"
        if not placed:
            return unknown(text)
        return suspect(text, pods=subjects.pod_names(placed))
    down = [pod for pod in agents if not _is_up(pod)]
    unserved = _unserved(agents, users)
    if unserved:
        return _nothing_answers(facts, unserved, down)
    if down and len(placed) < len(users):
        text = "some pods of the agent do not run, and some pods are not scheduled yet"
        return unknown(text, agent=_states(down))
    return ok("the agent runs on the pods' nodes")


def _unserved(agents: Iterable[Pod], users: list[Pod]) -> list[Pod]:
    """The pods on nodes without a running agent; all pods if no agent runs and none has a node yet."""
    served = {pod.node for pod in agents if _is_up(pod)}
    unserved = [pod for pod in users if pod.node and pod.node not in served]
    if not unserved and not served:
        return users
    return unserved


def _nothing_answers(facts: Facts, pods: list[Pod], down: Iterable[Pod]) -> Judgement:
    nodes = sorted({pod.node for pod in pods if pod.node})
    evidence = {"pods": subjects.pod_names(pods)}
    if nodes:
        evidence["nodes"] = subjects.listed(nodes)
    agents = [pod for pod in down if not nodes or pod.node in nodes]
    return problem(
        "nothing answers credential requests on these nodes",
        fix=commands.decide(
            facts.reach.kubectl(_AGENTS, "kube-system"),
            "- correct what keeps the agent from running there: taints, affinity, its image",
            "- or run the pods on nodes that have the agent",
        ),
        **evidence,
        agent=_states(agents) or "not on these nodes",
    )


def _is_up(pod: Pod) -> bool:
    return pod.phase == "Running" and pod.ready is not False and not pod.waiting


def _states(agents: Iterable[Pod]) -> str:
    return subjects.listed(f"{pod.name}: {_state(pod)}" for pod in agents)


def _state(pod: Pod) -> str:
    if pod.waiting:
        return pod.waiting
    if pod.phase == "Running":
        return "not ready"
    return pod.phase or "unknown phase"


@check_of("pod-identity-missed", Group.PODS, weight=61)
def _missed_association(facts: Facts) -> Judgement:
    association = association_of(facts)
    created = _created(association)
    users = [pod for pod in facts.named.users() if not runs_without(pod)]
    newer = [pod for pod in users if has_nothing(pod) and pod.created and pod.created >= created]
    bare = some(newer, "all pods newer than the association have its variables")
    missed = [pod for pod in bare if not subjects.opted_out(pod)]
    if not missed:
        return commands.by_mark(facts, bare, on_purpose=any(not has_nothing(pod) for pod in users))
    evidence = {"started": subjects.starts(missed), "association": f"created {created.isoformat()}"}
    return _by_probe(facts, created, missed, evidence)


def _by_probe(facts: Facts, created: datetime, pods: list[Pod], evidence: dict[str, str]) -> Judgement:
    """Judge pods without variables by whether a new pod would get them."""
    subject = facts.named
    names = subjects.pod_names(pods)
    configuration, why = _passed_over(facts, pods[0])
    if configuration:
        fix = commands.decide(
            commands.webhook_shown(facts, configuration),
            "- change the labels of the namespace or of the pod template so that its selectors match",
            "- or change the selectors, unless another tool writes them",
            "then restart the pods",
        )
        return problem(why, fix=fix, pods=names, **evidence)
    if isinstance(subject.probe, Unreadable):
        text = "they have no credentials, and irsa cannot tell whether new pods would get them"
        return suspect(text, pods=names, **evidence, the_API_server_says=subject.probe.why)
    if subjects.has_pod_identity(subject.probe):
        text = "the webhook missed them; new pods would get the variables"
        return commands.by_restart(facts, pods, text, **evidence)
    if facts.now - created < UNTIL_KNOWN:
        return suspect(TOO_NEW, pods=names, **evidence)
    raise CannotTell("neither they nor a dry-run pod got the variables; see webhook-failing")


def _passed_over(facts: Facts, pod: Pod) -> tuple[str, str]:
    """The webhook whose selectors exclude the pod, and the reason; empty strings if none does."""
    with suppress(CannotTell):
        configuration, _ = subjects.excluding(facts, facts.named)
        if configuration:
            return configuration, "the namespace's labels do not match the webhook's namespaceSelector"
    if subjects.is_shown(facts, pod):
        return "", ""
    name = subjects.webhooks_of(facts)[0].configuration
    return name, "the pods' labels do not match the webhook's objectSelector"


def said_to_role(
    document: Document,
    cluster: Cluster,
    subject: Namespaced,
    role_arn: str,
    external_id: str,
    *,
    tagged: bool,
) -> tuple[Decision, ...]:
    """How the trust policy of an association's target role answers the association's own role."""
    context = {**context_of_session(role_arn), "aws:requestedregion": (cluster.region,)}
    if tagged:
        context |= session_tags(cluster, subject, "aws:requesttag/")
        context |= session_tags(cluster, subject, "aws:principaltag/")
    if external_id:
        context["sts:externalid"] = (external_id,)
    names = names_role(Arn.parse(role_arn), role_arn)
    return tuple(decide(document, names, context, action) for action in actions(tagged=tagged))
