"""Causes in the ServiceAccount itself and its pods: whether they exist, and why pods are not created."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from irsa_cli.core.doctor import finding
from irsa_cli.core.doctor.clues.refusals import CALLING, REFUSALS
from irsa_cli.core.doctor.clues.usage import (
    WAITS_FOR_IMAGE,
    has_role,
    idle,
    is_meant,
    is_near,
    is_of_app,
    made_by_it,
    neighbours,
    released,
    strays,
)
from irsa_cli.core.doctor.commands import (
    admit,
    commented,
    create,
    edit,
    evidence,
    followed,
    make,
    make_or_attach,
    of_account,
    question,
    restart,
    template,
    waits_for_git,
)
from irsa_cli.core.doctor.facts import Facts, Subject, known, there
from irsa_cli.core.doctor.subjects import goes_by_profile, has_identity, is_bare, listed, pod_names
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.workloads import ROLLED, RefusedPod, owner_of
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values import names
from irsa_cli.core.values.cluster import Reach
from irsa_cli.core.values.errors import CannotTell, Unreadable, have


@finding.check_of("service-account-missing", finding.Group.SERVICE_ACCOUNT, weight=98)
def _missing(facts: Facts) -> finding.Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return finding.ok("the ServiceAccount exists")
    accounts = known(facts.accounts)
    waits = waits_for_git(facts)
    if not waits and _elsewhere(accounts, subject):
        raise CannotTell("another namespace has it; see service-account-namespace")
    in_namespace = [account.name for account in accounts if account.namespace == subject.namespace]
    near = names.near(subject.name, in_namespace)
    association = subject.association
    fix = make_or_attach(facts)
    reason = evidence(facts)
    if isinstance(association, Association):
        fix = create(facts)
        reason = {"association": f"{association.id} {association.role_arn}".rstrip()}
    if near and fix == make(facts, subject):
        meant = of_account(facts, "doctor", replace(subject, name=near[0]))
        fix = f"{meant}\n{finding.comment('or, to create it:')}\n{finding.comment(fix)}"
    text = f"ServiceAccount {subject.full_name} does not exist"
    if subject.namespace_labels is None:
        text += ", and neither does its namespace"
    if waits:
        text += ": its role waits for Git"
    return finding.problem(
        text, fix=fix, expected=subject.full_name, similar=listed(near) or "none", **reason
    )


def _elsewhere(accounts: tuple[ServiceAccount, ...], subject: Subject) -> list[ServiceAccount]:
    same_name = [
        account
        for account in accounts
        if account.name == subject.name and account.namespace != subject.namespace
    ]
    # The name `default` is in every namespace.
    return [account for account in same_name if ROLE_ARN_ANNOTATION in account.annotations]


@finding.check_of("service-account-namespace", finding.Group.SERVICE_ACCOUNT, weight=98)
def _namespace(facts: Facts) -> finding.Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return finding.ok("the ServiceAccount is in this namespace")
    if waits_for_git(facts):
        raise CannotTell("irsa's role for it tells that this namespace is right; see service-account-missing")
    missing = "no other namespace has it; see service-account-missing"
    others = there(_elsewhere(have(facts.accounts), subject), missing)
    return finding.problem(
        "another namespace has a ServiceAccount of this name with a role",
        fix=of_account(facts, "doctor", replace(subject, namespace=others[0].namespace)),
        expected=subject.full_name,
        found=listed(account.full_name for account in others),
    )


@finding.check_of("service-account-renamed", finding.Group.SERVICE_ACCOUNT, weight=97)
def _renamed(facts: Facts) -> finding.Judgement:
    subject = facts.named
    subject.existing()
    renamed = finding.some(subject.renamed, "no role trusts a deleted ServiceAccount with a similar name")
    pods = finding.some([pod for pod in subject.users() if is_bare(pod)], "its pods have an identity")
    role, name = renamed[0]
    commands = [admit(facts, subject, role.arn) for role, _ in renamed]
    # Of several a person has to choose: pasted, nothing happens.
    fix = commented(commands) if len(commands) > 1 else followed(commands[0], restart(facts, pods))
    return finding.problem(
        "it has no role, and the ServiceAccount that the role trusts does not exist",
        fix=fix,
        role=role.arn,
        role_trusts=f"{subject.namespace}/{name}",
        found=subject.full_name,
        pods=pod_names(pods),
    )


@finding.check_of("pod-service-account", finding.Group.PODS, weight=93)
def _service_account(facts: Facts) -> finding.Judgement:
    subject = facts.named
    with_role = has_role(subject.existing())
    elsewhere = _pods_elsewhere(facts) if with_role else _account_elsewhere(facts)
    if elsewhere is not None:
        return elsewhere
    pods = [pod for pod in have(subject.pods) if pod.is_alive]
    if any(pod.service_account == subject.name for pod in pods):
        if not with_role:
            return finding.ok("pods use the ServiceAccount")
        return _created_pods(facts)
    in_use = {"in_use": listed(sorted({pod.service_account for pod in pods})) or "none"}
    near = neighbours(facts)
    if near:
        in_use["similar_pods"] = f"{pod_names(near)}, with their own ServiceAccount"
    return finding.unknown(f"no pod uses ServiceAccount {subject.full_name}", **in_use)


def _pods_elsewhere(facts: Facts) -> finding.Judgement | None:
    """The problem that pods which were to use the ServiceAccount use another one, if there are any."""
    stray = strays(facts)
    if stray:
        return _stray(facts, stray)
    mates = released(facts)
    if not mates:
        return None
    return finding.suspect(
        "no pod uses it, and the pods of its release use a ServiceAccount without a role",
        pods=pod_names(mates),
        pods_use=listed(sorted({pod.service_account for pod in mates})),
        to_change_it=_use(facts, mates[0]),
    )


def _created_pods(facts: Facts) -> finding.Judgement:
    """Judge pods that the ServiceAccount's pods have created, which may be missing it."""
    surely, perhaps = made_by_it(facts)
    created = finding.some(surely or perhaps, "pods use the ServiceAccount")
    text = "pods of the same application use the ServiceAccount default, which has no role"
    say = finding.suspect if surely else finding.hint
    return say(text, pods=pod_names(created), pods_use="default", expected=facts.named.name)


def _account_elsewhere(facts: Facts) -> finding.Judgement | None:
    """The problem that the pods were to use another ServiceAccount, which has a role, if there is one."""
    idles = idle(facts)
    if not idles:
        return None
    subject = facts.named
    pods = [pod for pod in subject.users() if is_bare(pod)]
    other = replace(facts, subject=replace(subject, name=idles[0].name, account=idles[0]))
    return finding.problem(
        "it has no role, and no pod uses its release's ServiceAccount with a role",
        fix=commented(_use(other, pods[0]).splitlines()),
        pods=pod_names(pods),
        pods_use=subject.name,
        with_role=listed(account.name for account in idles),
    )


def _stray(facts: Facts, pods: tuple[Pod, ...]) -> finding.Judgement:
    subject = facts.named
    here = [pod for pod in pods if pod.namespace == subject.namespace]
    expected = subject.name
    if any(pod.service_account == subject.name and pod.is_alive for pod in have(subject.pods)):
        text = "pods created by its pods use a ServiceAccount without a role"
    elif here:
        text = "no pod uses it, and pods with its name use a ServiceAccount without a role"
    else:
        text = "no pod uses it; pods use a ServiceAccount of this name without a role in another namespace"
        expected = subject.full_name
    used = {pod.service_account if pod in here else f"{pod.namespace}/{pod.service_account}" for pod in pods}
    first = pods[0]
    if first in here and (first.service_account == "default" or is_of_app(first, subject.name)):
        fix = _use(facts, first)
    else:  # They share a name only: how the ServiceAccount that they use gets the role.
        other = replace(subject, namespace=first.namespace, name=first.service_account, account=None)
        command = admit(facts, other, subject.annotation())
        lines = [*command.splitlines(), *restart(facts, [first]).splitlines()]
        fix = question(f"{other.full_name} needs the role", *lines)
    return finding.problem(
        text, fix=fix, pods=pod_names(pods), pods_use=listed(sorted(used)), expected=expected
    )


def _use(facts: Facts, pod: Pod) -> str:
    """The command that has the pods use the ServiceAccount; a question, unless its own release says so."""
    kind, owner = owner_of(pod)
    if kind not in ROLLED:
        return edit(facts, pod)
    held = facts.makers.get(f"{kind}/{owner}")
    certain = is_meant(facts.named.existing(), pod) and not (held and held.held)
    return _set_account(facts, pod.namespace, kind, owner, certain=certain)


def _set_account(facts: Facts, namespace: str, kind: str, name: str, *, certain: bool = False) -> str:
    """The command, as a question unless it is certain: names that are near do not say who needs the role."""
    arguments = f"{kind.lower()} {shlex.quote(name)} {shlex.quote(facts.named.name)}"
    command = facts.reach.kubectl(f"set serviceaccount {arguments}", namespace)
    if certain:
        return command
    return question(f"{kind} {name} needs the role of {facts.named.name}", command)


@finding.check_of("run-at-work", finding.Group.SERVICE_ACCOUNT, weight=25)
def _at_work(facts: Facts) -> finding.Judgement:
    lock = have(facts.named.lock)
    if lock is None or not lock.state.holder:
        return finding.ok("no run holds the lock")
    holder = {"holder": lock.holder, "command": lock.doing, "since": lock.since, "lock": lock.until}
    text = "an irsa run is changing it now: results may change"
    if lock.ended is None:
        text = "a run holds its lock, and irsa cannot tell if that run is still active"
    elif lock.ended:
        text = "a run was interrupted: its lock expired and was not released"
        holder["to_roll_back"] = facts.reach.for_irsa("recover")
    return finding.hint(text, **holder)


_MISSING = re.compile(
    r"service account \S+: serviceaccount \"([a-z0-9.-]+)\" not found"
    r"|service account [a-z0-9.-]+/([a-z0-9.-]+) was not found"
)


def can_decide(facts: Facts) -> bool:
    """Whether pods that could not be created decide anything: no pod with this identity is seen to run."""
    subject = facts.named
    if subject.account is None:
        return False  # Another cause reports that.
    if isinstance(subject.pods, Unreadable):
        return True
    return not any(pod.phase == "Running" and has_identity(pod) for pod in subject.known_users())


@finding.check_of("pod-not-created", finding.Group.PODS, weight=95)
def _uncreated(facts: Facts) -> finding.Judgement:
    subject = facts.named
    subject.existing()
    if subject.refused is None:
        return finding.ok("pods with this identity run; irsa did not read the events")
    current = [pod for pod in have(subject.refused) if not _is_past(facts, pod)]
    own = [pod for pod in current if _expected_account(pod) == subject.name]
    own = own or [pod for pod in current if _was_meant(facts, pod)]
    if own:
        return _refused(facts, own)
    hidden = [pod for pod in current if pod.service_account is None]
    if not hidden:
        return finding.ok("no workload that uses it is missing pods")
    events = {"workloads": _makers(hidden), "unreadable": hidden[0].hidden, **_last_event(hidden)}
    text = "pods are not created, and irsa cannot read which ServiceAccount they use"
    if any(_is_of_name(pod, subject.name) for pod in hidden):
        return finding.suspect(text, **events)
    return finding.unknown(text, **events)


def _refused(facts: Facts, pods: list[RefusedPod]) -> finding.Judgement:
    first = pods[0]
    name = facts.named.name
    _leave_to_others(facts, first)
    text, fix = _reason(facts, first)
    event = _last_event(pods)
    if _expected_account(first) != name:
        event["expected"] = name
    return finding.problem(text, fix=fix, workloads=_makers(pods), **event)


def _is_past(facts: Facts, refused: RefusedPod) -> bool:
    created = (pod.created for pod in known(facts.named.pods) if pod.owner == refused.maker)
    return refused.last is not None and any(time is not None and time > refused.last for time in created)


def _expected_account(refused: RefusedPod) -> str | None:
    return refused.service_account or missing_account(refused.why) or None


def missing_account(why: str) -> str:
    """The missing ServiceAccount that an event reports, '' for another reason."""
    match = _MISSING.search(why)
    if match is None:
        return ""
    return match[1] or match[2]


def _was_meant(facts: Facts, refused: RefusedPod) -> bool:
    """Whether pods were to use the ServiceAccount, which has a role, and ask for one that is not there."""
    subject = facts.named
    missing = missing_account(refused.why)
    with_role = has_role(subject.existing()) or isinstance(subject.association, Association)
    if not missing or not with_role or subject.known_users() or subject.name == "default":
        return False
    return is_near(missing, subject.name) or _is_of_name(refused, subject.name)


def _is_of_name(refused: RefusedPod, name: str) -> bool:
    maker = (refused.root or refused.maker).partition("/")[2]
    return maker == name or maker.startswith(f"{name}-") or is_near(maker, name)


def _leave_to_others(facts: Facts, refused: RefusedPod) -> None:
    """Raises `CannotTell` where the webhook of the identities itself fails, which is a cause of its own."""
    calling = CALLING.search(refused.why)
    probe = facts.named.probe
    account = facts.named.account
    if not calling or not isinstance(probe, Unreadable) or calling[0] not in probe.why:
        return
    ours = any(webhook.name == calling[1] for webhook in known(facts.webhooks))
    if ours and isinstance(account, ServiceAccount) and has_role(account):
        raise CannotTell(f"the API server rejects pods as webhook {calling[1]} fails; see webhook-failing")


def _reason(facts: Facts, refused: RefusedPod) -> tuple[str, str]:
    """Why pods are refused, in a sentence, and the command that shows or mends it."""
    reach = facts.reach
    why = refused.why
    kind, _, name = (refused.root or refused.maker).partition("/")
    missing = missing_account(why)
    change = template(reach, refused.namespace, kind, name, facts.makers)
    if missing and missing != facts.named.name:
        text = f"they use ServiceAccount {missing}, which does not exist"
        if kind in ROLLED:
            return text, _set_account(facts, refused.namespace, kind, name)
        return text, change
    if missing:
        text = "the ServiceAccount did not exist at that time; it exists now"
        if kind in ROLLED:
            again = f"rollout restart {kind.lower()}/{shlex.quote(name)}"
            return text, reach.kubectl(again, refused.namespace)
        # The controllers of other kinds try again by themselves.
        return text, _events(reach, refused)
    for refusal in REFUSALS:
        message = refusal.words.search(why)
        if message is not None:
            command = refusal.command(message, refused.namespace)
            return refusal.meaning.format(*message.groups()), reach.kubectl(command) if command else change
    return "see the API server's message", _events(reach, refused)


def _makers(refused: Iterable[RefusedPod]) -> str:
    return listed(pod.root if pod.root not in ("", pod.maker) else pod.maker for pod in refused)


def _last_event(refused: list[RefusedPod]) -> dict[str, str]:
    first = refused[0]
    event: dict[str, str] = {}
    if first.pods:
        event["pods"] = first.pods
    if first.last:
        event["last_event"] = first.last.isoformat()
    event["the_API_server_says"] = first.why
    return event


def _events(reach: Reach, refused: RefusedPod) -> str:
    kind, _, name = refused.maker.partition("/")
    selector = f"reason=FailedCreate,involvedObject.kind={kind},involvedObject.name={name}"
    return reach.kubectl(f"get events --field-selector {shlex.quote(selector)}", refused.namespace)


NO_RUNNING_POD = "pod-unseen"


@finding.check_of(NO_RUNNING_POD, finding.Group.PODS, weight=34)
def _seen(facts: Facts) -> finding.Judgement:
    facts.named.existing()
    try:
        pods = facts.named.users()
    except CannotTell as error:
        return _none_running(facts, error.why)
    running = [pod for pod in pods if pod.phase == "Running"]
    if not running:
        return _waiting(facts, pods)
    users = [pod for pod in running if has_identity(pod) or goes_by_profile(facts, pod)]
    if not users:
        return _none_running(facts, "none of its running pods has an AWS identity", pods=pod_names(running))
    return finding.ok("a running pod has this identity", pods=pod_names(users))


def _waiting(facts: Facts, pods: tuple[Pod, ...]) -> finding.Judgement:
    phases = Counter(pod.phase or "unknown phase" for pod in pods)
    states = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
    text = "none of its pods is running"
    if any(pod.waiting in WAITS_FOR_IMAGE for pod in pods):
        text += ": they wait for an image, which kubelet pulls with the node's role or imagePullSecrets"
    return _none_running(facts, text, pods=pod_names(pods), phases=states)


def _none_running(facts: Facts, text: str, **evidence: str) -> finding.Judgement:
    subject = facts.named
    judgement = finding.unknown(text, **evidence, to_see=of_account(facts, "verify", subject))
    # Another cause explains why they are not created; fix that one first.
    lacking = (pod for pod in known(subject.refused) if _expected_account(pod) == subject.name)
    return replace(judgement, follows=any(not _is_past(facts, pod) for pod in lacking))
