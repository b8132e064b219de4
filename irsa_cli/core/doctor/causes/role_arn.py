"""Causes in the role's ARN that the annotation holds, and in the role that it names."""

from __future__ import annotations

import re
import shlex

from irsa_cli.core.doctor.clues.meant import choose, evidence, naming, only_one
from irsa_cli.core.doctor.clues.trust_flaws import flaws_of, other_roles
from irsa_cli.core.doctor.commands import (
    admit,
    annotate_and_restart,
    by_annotation,
    commented,
    make,
    proposed,
)
from irsa_cli.core.doctor.facts import EMPTY, Facts, Subject
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem
from irsa_cli.core.doctor.subjects import listed
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG, ProviderState
from irsa_cli.core.values.arn import Arn, is_role
from irsa_cli.core.values.shown import shown, unspaced


@check_of("annotation-whitespace")
def _whitespace(facts: Facts) -> Judgement:
    value = facts.named.annotation()
    clean = _clean(value)
    if clean == value:
        return ok("the ARN has no stray characters")
    if not is_role(clean):
        raise CannotTell("it is not a role ARN without its stray characters either; see annotation-arn")
    text = "STS uses the value with every character"
    return by_annotation(facts, clean, text, annotation=shown(value), expected=clean)


def _clean(value: str) -> str:
    return unspaced(value).strip("\"'`")


@check_of("annotation-arn")
def _arn(facts: Facts) -> Judgement:
    value = facts.named.annotation()
    if is_role(value):
        return ok("the annotation is a role ARN")
    clean = _clean(value)
    if is_role(clean):
        raise CannotTell("it is a role ARN with stray characters; see annotation-whitespace")
    said = {"annotation": shown(value), **evidence(facts)}
    text = "STS does not accept it as a role ARN" if value else f"{EMPTY}: the pod webhook ignores it"
    policy = _POLICY.fullmatch(clean)
    meant = _guess(facts, clean)
    if policy is not None and not naming(facts):
        why = "only the annotation says that the ServiceAccount needs it"
        # The annotation has a policy instead of a role.
        line = _new_role(facts, facts.named).replace("-arn ARN", f"-arn {shlex.quote(clean)}")
        return problem(f"{text}: it is a policy ARN", fix=proposed(why, clean, line), **said)
    fix = annotate_and_restart(facts, meant) if meant else choose(facts, _new_role(facts, facts.named))
    return problem(text, fix=fix, **said, **({"expected": meant} if meant else {}))


_POLICY = re.compile(r"arn:[\w-]+:iam::(?:aws|\d{12}):policy/.+", re.ASCII)
_SESSION = re.compile(r"arn:[\w-]+:sts::.*:assumed-role/(?P<name>[^/]+)(?:/.*)?", re.ASCII)
_ROLE = re.compile(r"(?:(?:.*:)?role/)?(?P<name>[\w+=,.@/-]+?)/*", re.ASCII)


def _guess(facts: Facts, text: str) -> str:
    """The ARN that the text probably stands for, '' if unclear; a role that trusts it comes first."""
    session, role = _SESSION.fullmatch(text), _ROLE.fullmatch(text)
    name = session["name"] if session else role["name"] if role else ""
    found = [item.arn for item in naming(facts)]
    near = [arn for arn in found if name and arn.endswith(f"/{name}")]
    if len(near) == 1 or len(found) == 1:
        return near[0] if len(near) == 1 else found[0]
    arn = f"arn:{facts.cluster.partition}:iam::{facts.cluster.home}:role/{name}"
    # A session's role has a path that its ARN does not tell.
    return arn if not found and not session and is_role(arn) else ""


@check_of("annotation-partition")
def _partition(facts: Facts) -> Judgement:
    subject = facts.named
    arn = subject.role_arn()
    if arn.partition == facts.cluster.partition:
        return ok("the role is in the cluster's partition", partition=arn.partition)
    right = Arn(facts.cluster.partition, "iam", "", arn.account, arn.resource)
    there = only_one(facts) or (subject.role if isinstance(subject.role, Role) else None)
    role, text = str(right) if there is None else there.arn, "credentials never work across partitions"
    return by_annotation(facts, role, text, annotation=str(arn), cluster=facts.cluster.partition)


@check_of("annotation-account")
def _account(facts: Facts) -> Judgement:
    subject = facts.named
    arn = subject.role_arn()
    if arn.account == facts.cluster.home:
        return ok("the role is in the cluster's account", account=arn.account)
    if isinstance(subject.role, Role) and isinstance(subject.provider, ProviderState) and not flaws_of(facts):
        return ok("the role is in another account and trusts the ServiceAccount", account=arn.account)
    have(subject.candidates)
    same = [role.arn for role in naming(facts) if role.arn.rsplit("/", 1)[-1] == arn.name]
    if not same:
        have(subject.role)
        have(subject.provider)
        return ok("no role in the cluster's account fits better", account=arn.account)
    text = "a role of this name in the cluster's account trusts the ServiceAccount"
    return by_annotation(facts, same[0], text, annotation=str(arn), role=same[0])


@check_of("role-missing")
def _role(facts: Facts) -> Judgement:
    subject, arn = facts.named, _arn_in_partition(facts)
    if have(subject.role) is not None:
        return ok("the role exists")
    new, similar = _new_role(facts, subject), subject.similar_roles
    if len(similar) == 1:
        new = commented((*admit(facts, subject, similar[0]).splitlines(), "or, with a new role:", new))
    tagged = f" (its tag {SERVICE_ACCOUNT_TAG} would be {subject.full_name})"
    return problem(
        "STS reports AccessDenied for a role that does not exist",
        fix=choose(facts, new),
        annotation=str(arn),
        role=f"not found{'' if naming(facts) else tagged}",
        **({"similar_roles": listed(similar)} if similar else {}),
        **evidence(facts),
    )


def _arn_in_partition(facts: Facts) -> Arn:
    arn = facts.named.role_arn()
    if arn.partition != facts.cluster.partition:
        raise CannotTell(f"{arn} has another partition; see annotation-partition")
    return arn


def _new_role(facts: Facts, subject: Subject) -> str:
    return f"{make(facts, subject)} --override-existing-serviceaccounts"


@check_of("annotation-path")
def _path(facts: Facts) -> Judgement:
    subject, arn = facts.named, _arn_in_partition(facts)
    role = have(subject.role)
    if role is None:
        raise CannotTell(f"there is no role {arn.name}")
    if role.arn == str(arn):
        return ok("the ARN matches the role's exactly")
    text = "STS compares the whole ARN, including path and case"
    return by_annotation(facts, role.arn, text, annotation=str(arn), role=role.arn)


@check_of("annotation-other-role")
def _other(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    found = other_roles(facts)
    if not found:
        return ok("no other role fits better", role=role.arn)
    return problem(
        "this role does not trust the ServiceAccount, and another one does",
        fix=choose(facts, ""),
        annotation=role.arn,
        **evidence(facts),
    )
