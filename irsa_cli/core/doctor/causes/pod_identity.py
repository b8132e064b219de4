"""Causes in EKS Pod Identity, where an association (for any name) provides the role instead of IRSA."""

from __future__ import annotations

import shlex
from dataclasses import replace

from irsa_cli.core.doctor.clues.injection import POD_IDENTITY_ENV, has_pod_identity, opted_out
from irsa_cli.core.doctor.clues.usage import has_nothing, has_role, is_near
from irsa_cli.core.doctor.commands import by_restart, eks, in_account, of_power, restart, rewrite_trust
from irsa_cli.core.doctor.facts import Facts, OtherAssociation, known
from irsa_cli.core.doctor.finding import Decided, Judgement, check_of, ok, problem, unknown
from irsa_cli.core.doctor.subjects import listed, pod_names, starts
from irsa_cli.core.objects.agent_access import runs_without
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import pod_identity
from irsa_cli.core.trust.assuming import Said, lacking
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.trust_policy import with_statement

_TOKEN_VOLUME = "eks-pod-identity-token"  # noqa: S105 - a volume's name
_ADDRESSES = ("http://169.254.170.23/", "http://[fd00:ec2::23]/")


def association_of(facts: Facts) -> Association:
    """The Pod Identity association; without one, the check ends."""
    association = have(facts.named.association)
    if association is None:
        raise Decided(ok("it has no Pod Identity association"))
    return association


@check_of("pod-identity-trust")
def _trust(facts: Facts) -> Judgement:
    association = association_of(facts)
    role = have(facts.named.association_role)
    if role is None:
        return problem(
            "the association's role does not exist",
            fix=eks(facts, "list-pod-identity-associations"),
            role=association.role_arn,
        )
    said = _said_to_service(facts, association, role)
    return _judged(facts, role, said, _admit(facts, association, role))


def _said_to_service(facts: Facts, association: Association, role: Role) -> tuple[Said, ...]:
    tagged = not association.without_tags
    return pod_identity.said_to_service(role.trust, facts.cluster, facts.named, tagged=tagged)


def serves_pod_identity(facts: Facts, association: Association, role: Role) -> bool:
    """Whether a role's trust policy is known to allow EKS Pod Identity what it needs for the association."""
    return all(item.answer is Answer.YES for item in _said_to_service(facts, association, role))


def _judged(facts: Facts, role: Role, said: tuple[Said, ...], fix: str) -> Judgement:
    refused = list(lacking(said, Answer.NO))
    if refused:
        denied = any(item.why.startswith("a Deny") for item in refused)
        look = f"iam get-role --role-name {shlex.quote(role.name)} # see its Deny"
        return problem(
            "; ".join(dict.fromkeys(item.why for item in refused)),
            fix=in_account(facts, role.account, look) if denied else fix,
            role=role.arn,
            missing=listed(item.action for item in refused),
        )
    unsure = list(lacking(said, Answer.UNKNOWN))
    if unsure:
        return unknown("; ".join(dict.fromkeys(item.why for item in unsure)), role=role.arn)
    return ok("its trust policy allows the required actions", role=role.arn)


def _admit(facts: Facts, association: Association, role: Role) -> str:
    """The command that adds the statement that EKS Pod Identity needs, for this ServiceAccount alone."""
    names, tagged = (facts.named.namespace, facts.named.name), not association.without_tags
    wanted = pod_identity.statement(facts.cluster, *names, tagged=tagged)
    return rewrite_trust(facts, role, with_statement(role.trust, wanted), of_power(role))


@check_of("pod-identity-target")
def _target(facts: Facts) -> Judgement:
    association = association_of(facts)
    if not association.target_role_arn:
        return ok("the association has no target role")
    role = have(facts.named.target_role)
    if role is None:
        return problem(
            "the association's target role does not exist",
            fix=eks(facts, "list-pod-identity-associations"),
            role=association.target_role_arn,
        )
    tagged, external_id = not association.without_tags, association.external_id
    wanted: Document = {
        "Effect": "Allow",
        "Principal": {"AWS": association.role_arn},
        "Action": list(pod_identity.actions(tagged=tagged)),
    }
    if external_id:
        wanted["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    of = (facts.cluster, facts.named, association.role_arn, external_id)
    said = pod_identity.said_to_role(role.trust, *of, tagged=tagged)
    fix = rewrite_trust(facts, role, with_statement(role.trust, wanted), of_power(role))
    return _judged(facts, role, said, fix)


@check_of("pod-identity-agent")
def _agent(facts: Facts) -> Judgement:
    association_of(facts)
    if have(facts.named.agent):
        return ok("the cluster has the EKS Pod Identity agent")
    return problem(
        "nothing answers the pods' credential requests",
        fix=eks(facts, "create-addon", f"--addon-name {AGENT}"),
        addon=f"{AGENT}: not installed",
    )


@check_of("pod-identity-endpoint")
def _endpoint(facts: Facts) -> Judgement:
    association_of(facts)
    if have(facts.named.auth_endpoints):
        return ok("the VPC has an endpoint for eks-auth")
    if not have(facts.sts_endpoints):
        return ok("the VPC has no STS endpoint either, so it seems to have internet access")
    return unknown("the VPC has an endpoint for STS but none for eks-auth; it may have internet access")


@check_of("pod-identity-platform")
def _platform(facts: Facts) -> Judgement:
    association = association_of(facts)
    users = facts.named.users()
    found = [pod for pod in users if runs_without(pod)]
    if not found:
        return ok("none of its pods runs on Fargate or Windows")
    # Pods of the same ServiceAccount that run elsewhere have their credentials by the association.
    verb = "delete" if len(found) == len(users) else "describe"
    commands = [
        eks(facts, f"{verb}-pod-identity-association", f"--association-id {shlex.quote(association.id)}"),
        *(restart(facts, found).splitlines() if verb == "delete" else ()),
    ]
    return problem(
        "the EKS Pod Identity agent does not run on Fargate and Windows",
        fix="\n".join(commands),
        pods=pod_names(found),
        run_on=listed("Windows" if pod.os == "windows" else "Fargate" for pod in found),
    )


@check_of("pod-older-than-association")
def _older(facts: Facts) -> Judgement:
    association = association_of(facts)
    made = association.created
    if made is None:
        raise CannotTell("EKS did not return when the association was created")
    users = [pod for pod in facts.named.users() if has_nothing(pod) and not opted_out(pod)]
    found = [pod for pod in users if pod.created and pod.created < made]
    if not found:
        return ok("no pod without credentials is older than the association", created=made.isoformat())
    text = "they have no credentials; new pods would get the association's role"
    expected = f"created after {made.isoformat()}"
    return by_restart(facts, found, text, started=starts(found), expected=expected)


@check_of("pod-identity-gone")
def _gone(facts: Facts) -> Judgement:
    if have(facts.named.association) is not None:
        return ok("its association exists")
    found = [pod for pod in facts.named.users() if was_associated(pod)]
    if not found:
        return ok("no pod uses EKS Pod Identity")
    text = "they were created with the association and keep its variables until they restart"
    return by_restart(facts, found, text, association="none")


def was_associated(pod: Pod) -> bool:
    """Whether the webhook added the variables of an association; other tools use the same variable."""
    mounted = any(volume.name == _TOKEN_VOLUME for volume in pod.volumes)
    urls = [item.env.get(POD_IDENTITY_ENV) or "" for item in pod.containers]
    return any(url.startswith(_ADDRESSES) for url in urls) or (mounted and has_pod_identity(pod))


LOST = "pod-identity-other-name"


def is_similar(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether of two ServiceAccounts (namespace, name) one may have been meant by the other's name."""
    if one[0] == other[0]:
        return is_near(one[1], other[1])
    return one[1] == other[1] != "default"


def unused(facts: Facts) -> tuple[OtherAssociation, ...]:
    """Associations for nearly its name of which nobody has anything, while its own pods have nothing."""
    subject = facts.named
    if subject.association is not None or not any(map(has_nothing, subject.known_users())):
        return ()
    return tuple(item for item in known(subject.other_associations) if _is_unused(facts, item))


def _is_unused(facts: Facts, other: OtherAssociation) -> bool:
    accounts = facts.accounts if isinstance(facts.accounts, tuple) else None
    if accounts is not None and all(item.full_name != other.full_name for item in accounts):
        return True
    used = {pod.service_account for pod in known(facts.named.pods) if pod.is_alive}
    return other.namespace == facts.named.namespace and other.name not in used


@check_of(LOST)
def _other_name(facts: Facts) -> Judgement:
    subject = facts.named
    account = subject.existing()
    if have(subject.association) is not None or has_role(account):
        return ok("it has a role")
    others = have(subject.other_associations)
    if not others:
        return ok("no association has a similar name")
    lost = unused(facts)
    if not lost:
        return unknown("associations exist for a similar name or another namespace", **_of(others))
    pods = [pod for pod in subject.users() if has_nothing(pod)]
    return problem(
        "it has no role, and no pod uses the ServiceAccount with the association",
        fix=f"{_associate(facts, lost)}\n{restart(facts, pods)}".rstrip(),
        **_of(lost),
        found=subject.full_name,
        pods=pod_names(pods),
    )


def _of(others: tuple[OtherAssociation, ...]) -> dict[str, str]:
    roles = (item.association for item in others)
    named = [item.role_arn for item in roles if isinstance(item, Association) and item.role_arn]
    found = {"association_for": listed(item.full_name for item in others)}
    return {**found, "its_role": listed(named)} if named else found


def _associate(facts: Facts, lost: tuple[OtherAssociation, ...]) -> str:
    """The command that associates the role; one to look first, where its trust policy would not do."""
    other, subject = lost[0], facts.named
    if len(lost) > 1 or not isinstance(other.association, Association) or not other.association.role_arn:
        return eks(facts, "list-pod-identity-associations")
    command = eks(
        facts,
        "create-pod-identity-association",
        f"--namespace {shlex.quote(subject.namespace)} --service-account {shlex.quote(subject.name)}"
        f" --role-arn {shlex.quote(other.association.role_arn)}",
    )
    if _would_serve(facts, other):
        return command
    name = shlex.quote(other.association.role_arn.rsplit("/", 1)[-1])
    look = facts.reach.aws(f"iam get-role --role-name {name}")
    return f"{look} # its trust policy must allow this ServiceAccount\n# {command}"


def _would_serve(facts: Facts, other: OtherAssociation) -> bool:
    association = other.association
    if not isinstance(association, Association) or association.target_role_arn or association.without_tags:
        return False
    desired = replace(facts, subject=replace(facts.named, association=association))
    return isinstance(other.role, Role) and serves_pod_identity(desired, association, other.role)
