"""Causes in the role's ARN that the annotation holds, and in the role that it names."""

from __future__ import annotations

import re
import shlex

from irsa_cli.core.doctor.clues.meant import choose, evidence, naming, only_one
from irsa_cli.core.doctor.clues.trust_flaws import flaws_of, other_roles
from irsa_cli.core.doctor.commands import annotate_anew, make, proposed
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import (
    ASSOCIATE_ROLE,
    EKS_GUIDE,
    IAM_GUIDE,
    Group,
    Judgement,
    cause,
    ok,
    problem,
)
from irsa_cli.core.doctor.subjects import EMPTY, annotation_of, role_arn_of, role_of
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG, ProviderState
from irsa_cli.core.values.arn import Arn, is_role
from irsa_cli.core.values.shown import shown, unspaced

ACCOUNT = Group.SERVICE_ACCOUNT


@cause(
    "annotation-whitespace",
    ACCOUNT,
    94,
    title="There are spaces, quotes or invisible characters in the role's ARN.",
    symptom="ValidationError: Request ARN is invalid",
    looks_at="the ServiceAccount's annotation, character by character",
    remedy="Write the ARN without them.",
    source=f"{IAM_GUIDE}/reference-arns.html",
)
def _whitespace(facts: Facts) -> Judgement:
    value = annotation_of(facts.named)
    clean = _clean(value)
    if clean == value:
        return ok("the ARN has no stray characters")
    if not is_role(clean):
        raise CannotTell("without its stray characters it is no ARN either; see annotation-arn")
    return problem(
        "the ARN is taken with every character",
        fix=annotate_anew(facts, clean),
        annotation=shown(value),
        expected=clean,
    )


def _clean(value: str) -> str:
    return unspaced(value).strip("\"'`")


@cause(
    "annotation-arn",
    ACCOUNT,
    94,
    title="The annotation is not the ARN of a role.",
    symptom="ValidationError: Request ARN is invalid",
    looks_at="the ServiceAccount's annotation",
    remedy="The form is arn:PARTITION:iam::ACCOUNT:role/PATH/NAME, with an account of twelve digits.",
    source=f"{IAM_GUIDE}/reference-arns.html",
)
def _arn(facts: Facts) -> Judgement:
    value = annotation_of(facts.named)
    if is_role(value):
        return ok("the annotation is the ARN of a role")
    clean = _clean(value)
    if is_role(clean):
        raise CannotTell("it is, but for stray characters; see annotation-whitespace")
    said = {"annotation": shown(value), **evidence(facts)}
    text = "STS does not take it for a role" if value else f"{EMPTY}: the pod webhook injects nothing by it"
    policy = _POLICY.fullmatch(clean)
    meant = _guess(facts, clean)
    if policy is not None and not naming(facts):
        why = "nothing but the annotation says that the ServiceAccount is to have it"
        return problem(
            f"{text}: it is a policy", fix=proposed(why, clean, _with_policy(facts, clean)), **said
        )
    fix = annotate_anew(facts, meant) if meant else choose(facts, _anew(facts, facts.named))
    return problem(text, fix=fix, **said, **({"expected": meant} if meant else {}))


_POLICY = re.compile(r"arn:[\w-]+:iam::(?:aws|\d{12}):policy/.+", re.ASCII)
_SESSION = re.compile(r"arn:[\w-]+:sts::.*:assumed-role/(?P<name>[^/]+)(?:/.*)?", re.ASCII)
_ROLE = re.compile(r"(?:(?:.*:)?role/)?(?P<name>[\w+=,.@/-]+?)/*", re.ASCII)


def _guess(facts: Facts, text: str) -> str:
    """The ARN that was probably meant; '' where several may be, or nothing tells of a role.

    A role that names the ServiceAccount goes before a name that was made of the text: that role exists.
    """
    session, role = _SESSION.fullmatch(text), _ROLE.fullmatch(text)
    name = session["name"] if session else role["name"] if role else ""
    found = [item.arn for item in naming(facts)]
    near = [arn for arn in found if name and arn.endswith(f"/{name}")]
    if len(near) == 1 or len(found) == 1:
        return near[0] if len(near) == 1 else found[0]
    arn = f"arn:{facts.cluster.partition}:iam::{facts.cluster.home}:role/{name}"
    # A session's role has a path that its ARN does not tell.
    return arn if not found and not session and is_role(arn) else ""


def _with_policy(facts: Facts, policy: str) -> str:
    """The command that makes a role with the policy that the annotation names in place of a role."""
    return _anew(facts, facts.named).replace(
        "--attach-policy-arn ARN", f"--attach-policy-arn {shlex.quote(policy)}"
    )


@cause(
    "annotation-partition",
    ACCOUNT,
    94,
    title="The role's ARN is of another partition than the cluster.",
    symptom="ValidationError, or InvalidIdentityToken",
    looks_at="the ServiceAccount's annotation, the cluster's ARN",
    remedy="Roles in China begin with arn:aws-cn, in GovCloud with arn:aws-us-gov.",
    source=f"{IAM_GUIDE}/reference-arns.html",
)
def _partition(facts: Facts) -> Judgement:
    subject = facts.named
    arn = role_arn_of(subject)
    if arn.partition == facts.cluster.partition:
        return ok("the role is of the cluster's partition", partition=arn.partition)
    right = Arn(facts.cluster.partition, "iam", "", arn.account, arn.resource)
    there = only_one(facts) or (subject.role if isinstance(subject.role, Role) else None)
    return problem(
        "credentials never cross partitions",
        fix=annotate_anew(facts, str(right) if there is None else there.arn),
        annotation=str(arn),
        cluster=facts.cluster.partition,
    )


@cause(
    "annotation-account",
    ACCOUNT,
    92,
    title="The annotation names the wrong account.",
    symptom="AccessDenied, or No OpenIDConnect provider found in your account",
    looks_at="the ServiceAccount's annotation, trust policies of the roles in the cluster's account",
    remedy="Annotate with the ARN that IAM gives. A role in another account needs an OIDC provider there.",
    source=f"{EKS_GUIDE}/cross-account-access.html",
)
def _account(facts: Facts) -> Judgement:
    subject = facts.named
    arn = role_arn_of(subject)
    if arn.account == facts.cluster.home:
        return ok("the role is in the cluster's account", account=arn.account)
    if isinstance(subject.role, Role) and isinstance(subject.provider, ProviderState) and not flaws_of(facts):
        return ok("the role is in another account, and admits the ServiceAccount", account=arn.account)
    have(subject.candidates)
    same = [role.arn for role in naming(facts) if role.arn.rsplit("/", 1)[-1] == arn.name]
    if not same:
        have(subject.role)
        have(subject.provider)
        return ok("nothing says that a role of the cluster's account is meant", account=arn.account)
    return problem(
        "a role of this name that admits the ServiceAccount is in the cluster's account",
        fix=annotate_anew(facts, same[0]),
        annotation=str(arn),
        role=same[0],
    )


@cause(
    "role-missing",
    ACCOUNT,
    91,
    title="The role that the annotation names does not exist.",
    symptom="AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
    looks_at="iam GetRole, trust policies of the account's roles",
    remedy="Annotate with the ARN of a role that is there, or make one: irsa create-sa.",
    source=ASSOCIATE_ROLE,
)
def _role(facts: Facts) -> Judgement:
    subject, arn = facts.named, _arn_in_partition(facts)
    if have(subject.role) is not None:
        return ok("the role exists")
    tagged = f"; its tag {SERVICE_ACCOUNT_TAG} would be {subject.full_name}"
    return problem(
        "STS does not say that a role is missing: it denies access",
        fix=choose(facts, _anew(facts, subject)),
        annotation=str(arn),
        role=f"none of this name{'' if naming(facts) else tagged}",
        **evidence(facts),
    )


def _arn_in_partition(facts: Facts) -> Arn:
    arn = role_arn_of(facts.named)
    if arn.partition != facts.cluster.partition:
        raise CannotTell(f"{arn} is of another partition; see annotation-partition")
    return arn


def _anew(facts: Facts, subject: Subject) -> str:
    return f"{make(facts, subject)} --override-existing-serviceaccounts"


@cause(
    "annotation-path",
    ACCOUNT,
    92,
    title="The ARN in the annotation lacks the role's path, or differs in case.",
    symptom="AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
    looks_at="iam GetRole (its ARN), the ServiceAccount's annotation",
    remedy="Annotate with the ARN as GetRole gives it.",
    source=f"{IAM_GUIDE}/reference_identifiers.html",
)
def _path(facts: Facts) -> Judgement:
    subject, arn = facts.named, _arn_in_partition(facts)
    role = have(subject.role)
    if role is None:
        raise CannotTell(f"there is no role {arn.name}")
    if role.arn == str(arn):
        return ok("the ARN is the role's, letter by letter")
    return problem(
        "IAM finds roles by name alone, STS by the whole ARN",
        fix=annotate_anew(facts, role.arn),
        annotation=str(arn),
        role=role.arn,
    )


@cause(
    "annotation-other-role",
    ACCOUNT,
    91,
    title="The annotation names another role than the one that was made for the ServiceAccount.",
    symptom="AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
    looks_at="trust policies of the annotation's role and of the account's other roles, tags of the first",
    remedy="Annotate with the ARN of the role whose trust policy admits the ServiceAccount.",
    source=ASSOCIATE_ROLE,
)
def _other(facts: Facts) -> Judgement:
    role = role_of(facts.named)
    found = other_roles(facts)
    if not found:
        return ok("there is no other role that was rather meant", role=role.arn)
    return problem(
        "this role does not admit the ServiceAccount, and another one does",
        fix=choose(facts, ""),
        annotation=role.arn,
        **evidence(facts),
    )
