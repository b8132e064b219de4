"""Causes in the ServiceAccount's annotations: the role's ARN and the role that it names, and the audience."""

from __future__ import annotations

import re
import shlex

from irsa_cli.core.doctor import commands
from irsa_cli.core.doctor.causes.own_token import hidden_tokens, own_tokens, written_by_hand
from irsa_cli.core.doctor.causes.pod_identity import unused
from irsa_cli.core.doctor.clues.trust_flaws import flaws_of, other_roles, similarity
from irsa_cli.core.doctor.clues.usage import idle, only_pulls_images, reader_of
from irsa_cli.core.doctor.facts import EMPTY, Facts, Subject, known, there
from irsa_cli.core.doctor.finding import Decided, Group, Judgement, check_of, hint, ok, problem, some, suspect
from irsa_cli.core.doctor.subjects import (
    PULL_ROLE,
    ROLE_ENV,
    annotations_of,
    audience_of,
    injected,
    listed,
    pod_names,
    provider_there,
)
from irsa_cli.core.marks.makers import manager_of_account
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    ProviderState,
)
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, Arn, is_role
from irsa_cli.core.values.errors import CannotTell, Unreadable, have
from irsa_cli.core.values.shown import shown, unspaced


def _resembling_keys(account: ServiceAccount) -> list[str]:
    """Keys that were meant to be the role's annotation: misspelt, or with a role's ARN that nobody reads."""
    resembling: list[str] = []
    for key, value in account.annotations.items():
        if key == ROLE_ARN_ANNOTATION or reader_of(key):
            continue
        if _is_near(key) or (":role/" in value and value.strip().startswith("arn:")):
            resembling.append(key)
    return resembling


def _is_near(key: str) -> bool:
    # Longer ones are never near.
    short = len(key) <= 2 * len(ROLE_ARN_ANNOTATION)
    return short and similarity(key.lower().replace("_", "-"), ROLE_ARN_ANNOTATION) >= 0.85


def _unannotated(subject: Subject) -> ServiceAccount:
    """The ServiceAccount; with the annotation, or an association in its place, the check ends."""
    account = subject.existing()
    if ROLE_ARN_ANNOTATION in account.annotations:
        raise Decided(ok("the ServiceAccount has a role annotation"))
    if isinstance(subject.association, Association):
        raise Decided(ok("an EKS Pod Identity association provides its role"))
    return account


@check_of("annotation-key", Group.SERVICE_ACCOUNT, weight=97)
def _key(facts: Facts) -> Judgement:
    account = _unannotated(facts.named)
    keys = there(_resembling_keys(account), "no annotation has a similar key; see annotation-missing")
    first = keys[0]
    # A key that means something else stays.
    removal = f" {shlex.quote(f'{first}-')}" if _is_near(first) else ""
    fix = commands.annotate_and_restart(facts, account.annotations[first], more=removal)
    text = "the pod webhook reads another key"
    return problem(text, fix=fix, key=listed(map(shown, keys)), expected=ROLE_ARN_ANNOTATION)


def _annotated_pods(subject: Subject) -> list[Pod]:
    users = (pod for pod in known(subject.pods) if pod.service_account == subject.name)
    return [pod for pod in users if ROLE_ARN_ANNOTATION in pod.annotations]


@check_of("annotation-place", Group.SERVICE_ACCOUNT, weight=97)
def _place(facts: Facts) -> Judgement:
    subject = facts.named
    _unannotated(subject)
    have(subject.pods)
    pods = there(_annotated_pods(subject), "no pod has the annotation; see annotation-missing")
    text = "the pod webhook reads only the ServiceAccount's annotation"
    return commands.by_annotation(
        facts,
        pods[0].annotations[ROLE_ARN_ANNOTATION],
        text,
        annotated=f"pod {pod_names(pods)}",
        expected=f"ServiceAccount {subject.full_name}",
    )


def _was_annotated(subject: Subject) -> tuple[str, str]:
    """A role that the ServiceAccount once named, and by what that is known; '' when nothing says so."""
    marked = annotations_of(subject).get(ROLE_MARK, "")
    if is_role(marked):
        return marked, f"irsa's mark {ROLE_MARK}"
    for pod in known(subject.pods):
        if pod.service_account != subject.name:
            continue
        by_hand = written_by_hand(pod)  # The annotation had no part in these.
        for container in pod.containers:
            if injected(container) and container.env[ROLE_ENV] and container.name not in by_hand:
                return str(container.env[ROLE_ENV]), f"pod {pod.name} still has it"
    return "", ""


@check_of("annotation-removed", Group.SERVICE_ACCOUNT, weight=97)
def _removed(facts: Facts) -> Judgement:
    subject = facts.named
    account = _unannotated(subject)
    if _resembling_keys(account) or _annotated_pods(subject):
        raise CannotTell("a similar annotation exists; see annotation-key and annotation-place")
    role, origin = _was_annotated(subject)
    if not role:
        raise CannotTell("no sign of an earlier annotation; see annotation-missing")
    earlier = f"{role} ({origin})"
    manager = manager_of_account(account.labels, account.annotations, account.managers)
    if isinstance(subject.association, Unreadable):
        return _may_be_associated(subject.association, earlier=earlier)
    text = "the ServiceAccount has lost its role"
    if manager:
        text += f"; {manager} manages it"
    return commands.by_annotation(facts, role, text, annotation="none", earlier=earlier)


@check_of("annotation-missing", Group.SERVICE_ACCOUNT, weight=97)
def _annotation(facts: Facts) -> Judgement:
    subject = facts.named
    account = _unannotated(subject)
    if _resembling_keys(account) or _annotated_pods(subject) or _was_annotated(subject)[0]:
        raise CannotTell("see annotation-key, annotation-place or annotation-removed")
    if own_tokens(subject):
        return ok("it needs none: its pods set their own role and token")
    if hidden_tokens(facts):
        raise CannotTell("its pods mount their own token, and irsa does not read the source of their role")
    if any(map(written_by_hand, subject.known_users())):
        # The webhook leaves such a variable as it is, whatever is annotated.
        raise CannotTell(f"the pods' template sets {ROLE_ENV}; see pod-token-volume and pod-env-partial")
    _leave_to_others(facts)
    evidence = commands.evidence(facts)
    if isinstance(subject.association, Unreadable):
        return _may_be_associated(subject.association, **evidence)
    if facts.within is not None and known(subject.candidates) and not commands.naming(facts):
        text = "its pods have no role, and a role trusts it by a pattern"
        return hint(text, to_check=commands.of_account(facts, "doctor", subject), **evidence)
    pulls_by = account.annotations.get(PULL_ROLE)
    if only_pulls_images(subject) and all(role.arn == pulls_by for role in known(subject.candidates)):
        text = "it has no role and may need none: irsa sees only image pulls, which use other credentials"
        say = suspect if facts.within is None else hint
        return say(text, if_its_pods_use_AWS=commands.make(facts, subject), **evidence)
    keys = listed(map(_with_reader, sorted(account.annotations))) or "none"
    fix = commands.choose(facts, commands.make(facts, subject))
    text = f"it has no annotation {ROLE_ARN_ANNOTATION}"
    if commands.waits_for_git(facts):
        text += ": its role waits for Git"
    return problem(text, fix=fix, annotations=keys, **evidence)


def _with_reader(key: str) -> str:
    reader = reader_of(key)
    return f"{key} (read by {reader})" if reader else key


def _leave_to_others(facts: Facts) -> None:
    subject = facts.named
    if known(subject.candidates):
        return
    if subject.renamed:
        raise CannotTell("see service-account-renamed")
    if unused(facts):
        raise CannotTell("see pod-identity-other-name")
    if idle(facts):
        raise CannotTell("see pod-service-account")


def _may_be_associated(hidden: Unreadable, **more: str) -> Judgement:
    text = "it has no annotation, and irsa cannot tell if it has an EKS Pod Identity association"
    return suspect(f"{text}: {hidden.why}", **more)


@check_of("annotation-audience", Group.SERVICE_ACCOUNT, weight=90)
def _audience(facts: Facts) -> Judgement:
    subject = facts.named
    annotated = subject.existing().annotations.get(AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE)
    if annotated == DEFAULT_AUDIENCE:
        return ok("tokens have the default audience", audience=audience_of(facts, subject))
    provider = provider_there(facts)
    if not isinstance(provider, ProviderState):
        raise CannotTell("the issuer has no OIDC provider")
    if annotated in provider.audiences or annotated in str(subject.annotated_role().trust):
        return ok("the provider or the role accepts the annotation's audience", audience=annotated)
    again = commands.restart(facts, subject.known_users())
    fix = f"{commands.unannotate(facts, AUDIENCE_ANNOTATION)}\n{again}".rstrip("\n")
    text = "neither the provider nor the trust policy accepts this audience"
    accepted = provider.audiences
    return problem(text, fix=fix, annotation=shown(annotated), provider=listed(accepted) or "none")


@check_of("annotation-whitespace", Group.SERVICE_ACCOUNT, weight=94)
def _whitespace(facts: Facts) -> Judgement:
    value = facts.named.annotation()
    clean = _clean(value)
    if clean == value:
        return ok("the ARN has no stray characters")
    if not is_role(clean):
        raise CannotTell("it is not a role ARN without its stray characters either; see annotation-arn")
    text = "STS uses the value with every character"
    return commands.by_annotation(facts, clean, text, annotation=shown(value), expected=clean)


def _clean(value: str) -> str:
    return unspaced(value).strip("\"'`")


@check_of("annotation-arn", Group.SERVICE_ACCOUNT, weight=94)
def _arn(facts: Facts) -> Judgement:
    value = facts.named.annotation()
    if is_role(value):
        return ok("the annotation is a role ARN")
    clean = _clean(value)
    if is_role(clean):
        raise CannotTell("it is a role ARN with stray characters; see annotation-whitespace")
    evidence = {"annotation": shown(value), **commands.evidence(facts)}
    text = "STS does not accept it as a role ARN" if value else f"{EMPTY}: the pod webhook ignores it"
    new = _new_role(facts, facts.named)
    if _POLICY.fullmatch(clean) and not commands.naming(facts):
        why = "only the annotation says that the ServiceAccount needs it"
        # The annotation has a policy instead of a role.
        line = new.replace("-arn ARN", f"-arn {shlex.quote(clean)}")
        return problem(f"{text}: it is a policy ARN", fix=commands.proposed(why, clean, line), **evidence)
    meant = _guess(facts, clean)
    if not meant:
        return problem(text, fix=commands.choose(facts, new), **evidence)
    return problem(text, fix=commands.annotate_and_restart(facts, meant), **evidence, expected=meant)


_POLICY = re.compile(r"arn:[\w-]+:iam::(?:aws|\d{12}):policy/.+", re.ASCII)
_SESSION = re.compile(r"arn:[\w-]+:sts::.*:assumed-role/(?P<name>[^/]+)(?:/.*)?", re.ASCII)
_ROLE = re.compile(r"(?:(?:.*:)?role/)?(?P<name>[\w+=,.@/-]+?)/*", re.ASCII)


def _guess(facts: Facts, text: str) -> str:
    """The ARN that the text probably stands for, '' if unclear; a role that trusts it comes first."""
    session = _SESSION.fullmatch(text)
    match = session or _ROLE.fullmatch(text)
    name = match["name"] if match else ""
    arns = [role.arn for role in commands.naming(facts)]
    of_name = [arn for arn in arns if name and arn.endswith(f"/{name}")]
    if len(of_name) == 1:
        return of_name[0]
    if len(arns) == 1:
        return arns[0]
    # A session's role has a path that its ARN does not tell.
    if arns or session:
        return ""
    arn = f"arn:{facts.cluster.partition}:iam::{facts.cluster.home}:role/{name}"
    return arn if is_role(arn) else ""


@check_of("annotation-partition", Group.SERVICE_ACCOUNT, weight=94)
def _partition(facts: Facts) -> Judgement:
    subject = facts.named
    partition = facts.cluster.partition
    arn = subject.role_arn()
    if arn.partition == partition:
        return ok("the role is in the cluster's partition", partition=arn.partition)
    role = str(Arn(partition, "iam", "", arn.account, arn.resource))
    trusting = commands.naming(facts)
    if len(trusting) == 1:
        role = trusting[0].arn
    elif isinstance(subject.role, Role):
        role = subject.role.arn
    text = "credentials never work across partitions"
    return commands.by_annotation(facts, role, text, annotation=str(arn), cluster=partition)


@check_of("annotation-account", Group.SERVICE_ACCOUNT, weight=92)
def _account(facts: Facts) -> Judgement:
    subject = facts.named
    arn = subject.role_arn()
    if arn.account == facts.cluster.home:
        return ok("the role is in the cluster's account", account=arn.account)
    if isinstance(subject.role, Role) and isinstance(subject.provider, ProviderState) and not flaws_of(facts):
        return ok("the role is in another account and trusts the ServiceAccount", account=arn.account)
    have(subject.candidates)
    same = [role.arn for role in commands.naming(facts) if role.arn.rsplit("/", 1)[-1] == arn.name]
    if not same:
        have(subject.role)
        have(subject.provider)
        return ok("no role in the cluster's account fits better", account=arn.account)
    text = "a role of this name in the cluster's account trusts the ServiceAccount"
    return commands.by_annotation(facts, same[0], text, annotation=str(arn), role=same[0])


@check_of("role-missing", Group.SERVICE_ACCOUNT, weight=91)
def _role(facts: Facts) -> Judgement:
    subject = facts.named
    arn = _arn_in_partition(facts)
    if have(subject.role) is not None:
        return ok("the role exists")
    new = _new_role(facts, subject)
    similar = subject.similar_roles
    if len(similar) == 1:
        new = commands.commented(
            (*commands.admit(facts, subject, similar[0]).splitlines(), "or, with a new role:", new)
        )
    evidence = {"annotation": str(arn), "role": "not found"}
    if not commands.naming(facts):
        evidence["role"] += f" (its tag {SERVICE_ACCOUNT_TAG} would be {subject.full_name})"
    if similar:
        evidence["similar_roles"] = listed(similar)
    return problem(
        "STS reports AccessDenied for a role that does not exist",
        fix=commands.choose(facts, new),
        **evidence,
        **commands.evidence(facts),
    )


def _arn_in_partition(facts: Facts) -> Arn:
    arn = facts.named.role_arn()
    if arn.partition != facts.cluster.partition:
        raise CannotTell(f"{arn} has another partition; see annotation-partition")
    return arn


def _new_role(facts: Facts, subject: Subject) -> str:
    return f"{commands.make(facts, subject)} --override-existing-serviceaccounts"


@check_of("annotation-path", Group.SERVICE_ACCOUNT, weight=92)
def _path(facts: Facts) -> Judgement:
    subject = facts.named
    arn = _arn_in_partition(facts)
    role = there(subject.role, f"there is no role {arn.name}")
    if role.arn == str(arn):
        return ok("the ARN matches the role's exactly")
    text = "STS compares the whole ARN, including path and case"
    return commands.by_annotation(facts, role.arn, text, annotation=str(arn), role=role.arn)


@check_of("annotation-other-role", Group.SERVICE_ACCOUNT, weight=91)
def _other(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    some(other_roles(facts), "no other role fits better", role=role.arn)
    text = "this role does not trust the ServiceAccount, and another one does"
    return problem(text, fix=commands.choose(facts, ""), annotation=role.arn, **commands.evidence(facts))
