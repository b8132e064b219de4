"""Causes without a running pod: none exists, or the API server rejects them (see `doctor.reported`)."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.resources import files

from irsa_cli.core.doctor.clues.injection import goes_by_profile, has_identity
from irsa_cli.core.doctor.clues.usage import has_role, is_near
from irsa_cli.core.doctor.commands import of_account, set_account, template
from irsa_cli.core.doctor.facts import Facts, known
from irsa_cli.core.doctor.finding import Judgement, check_of, comment, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import listed, pod_names
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import ROLLED, RefusedPod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.values.cluster import Reach

_MISSING = re.compile(
    r"service account \S+: serviceaccount \"([a-z0-9.-]+)\" not found"
    r"|service account [a-z0-9.-]+/([a-z0-9.-]+) was not found"
)
_POLICY = re.compile(
    r"\bPodSecurityPolicy: "
    r"|unable to validate against any (?:pod security policy|security context constraint)"
)
_KIND = re.compile(r"\b([A-Za-z0-9]+) volumes are not allowed")
_OPENSHIFT = "security context constraint"
_REASONS: Mapping[str, Mapping[str, str]] = json.loads(
    (files("irsa_cli.core.doctor") / "data" / "refusals.json").read_text(encoding="utf-8")
)
"""The API server's words, their meaning, and the command of kubectl that shows it; without one, irsa proposes
to edit the template. `sidecar`: it has taken the template, so somebody dropped restartPolicy after that."""
_CALLING = re.compile(_REASONS["calling"]["words"])


def can_decide(facts: Facts) -> bool:
    """Whether pods that could not be created decide anything: no pod with this identity is seen to run."""
    subject = facts.named
    if subject.account is None:
        return False  # Another cause reports that.
    if isinstance(subject.pods, Unreadable):
        return True
    return not any(pod.phase == "Running" and has_identity(pod) for pod in subject.known_users())


@check_of("pod-not-created")
def _uncreated(facts: Facts) -> Judgement:
    subject = facts.named
    subject.existing()
    if subject.refused is None:
        return ok("pods with this identity run; irsa did not read the events")
    current = [item for item in have(subject.refused) if not _is_past(facts, item)]
    mine = [item for item in current if _account_wanted(item) == subject.name]
    strays = [] if mine else [item for item in current if _was_meant(facts, item)]
    if mine or strays:
        return _judged(facts, mine or strays)
    hidden = [item for item in current if item.service_account is None]
    if not hidden:
        return ok("no workload that uses it is missing pods")
    evidence = {"workloads": _makers(hidden), "unreadable": hidden[0].hidden}
    text = "pods are not created, and irsa cannot read which ServiceAccount they use"
    near = any(_is_of_name(item, subject.name) for item in hidden)
    return suspect(text, **evidence, **_said(hidden)) if near else unknown(text, **evidence)


def waits_for_pods(facts: Facts) -> bool:
    """Whether something that uses the ServiceAccount is known to lack pods that could not be created."""
    found = (item for item in known(facts.named.refused) if _account_wanted(item) == facts.named.name)
    return any(not _is_past(facts, item) for item in found)


def _is_past(facts: Facts, item: RefusedPod) -> bool:
    made = (pod.created for pod in known(facts.named.pods) if pod.owner == item.maker)
    return item.last is not None and any(time is not None and time > item.last for time in made)


def _account_wanted(item: RefusedPod) -> str | None:
    return item.service_account or missing_account(item.why) or None


def missing_account(why: str) -> str:
    """The missing ServiceAccount that an event reports, '' for another reason."""
    found = _MISSING.search(why)
    return (found[1] or found[2]) if found else ""


def _was_meant(facts: Facts, item: RefusedPod) -> bool:
    """Whether pods were to use the ServiceAccount, which has a role, and ask for one that is not there."""
    subject = facts.named
    wanted = missing_account(item.why)
    with_role = has_role(subject.existing()) or isinstance(subject.association, Association)
    if not wanted or not with_role or subject.known_users() or subject.name == "default":
        return False
    return is_near(wanted, subject.name) or _is_of_name(item, subject.name)


def _is_of_name(item: RefusedPod, name: str) -> bool:
    maker = (item.root or item.maker).partition("/")[2]
    return maker == name or maker.startswith(f"{name}-") or is_near(maker, name)


_Reason = tuple[str, str]
"""Why pods are refused, in a sentence, and the command that shows or mends it."""


def _judged(facts: Facts, found: list[RefusedPod]) -> Judgement:
    item = found[0]
    _leave_to_others(facts, item)
    text, fix = _reason(facts, item)
    evidence = {"expected": facts.named.name} if _account_wanted(item) != facts.named.name else {}
    return problem(text, fix=fix, workloads=_makers(found), **_said(found), **evidence)


def _leave_to_others(facts: Facts, item: RefusedPod) -> None:
    """Raises `CannotTell` where the webhook of the identities itself fails, which is a cause of its own."""
    calling = _CALLING.search(item.why)
    webhooks = known(facts.webhooks)
    probe = facts.named.probe
    if not calling or not isinstance(probe, Unreadable) or calling[0] not in probe.why:
        return
    account = facts.named.account
    annotated = isinstance(account, ServiceAccount) and has_role(account)
    if annotated and any(webhook.name == calling[1] for webhook in webhooks):
        raise CannotTell(f"the API server rejects pods as webhook {calling[1]} fails; see webhook-failing")


def _reason(facts: Facts, item: RefusedPod) -> _Reason:
    subject, why = facts.named, item.why
    wanted = missing_account(why)
    if wanted and wanted != subject.name:
        text = f"they use ServiceAccount {wanted}, which does not exist"
        return text, _set_account(facts, item)
    if wanted:
        text = "the ServiceAccount did not exist at that time; it exists now"
        return text, _restart(facts.reach, item)
    for row in _REASONS.values():
        if found := re.search(row["words"], why):
            names, namespace = map(shlex.quote, found.groups()), shlex.quote(item.namespace)
            shown = facts.reach.kubectl(row.get("command", "").format(*names, namespace=namespace))
            return row["text"].format(*found.groups()), shown if "command" in row else _edit(facts, item)
    if _KIND.search(why) or _POLICY.search(why):
        return _by_policy(facts.reach, why)
    return "see the API server's message", _events(facts.reach, item)


def _by_policy(reach: Reach, why: str) -> _Reason:
    """By PodSecurityPolicies of old clusters, or SecurityContextConstraints of OpenShift."""
    kind = "securitycontextconstraints" if _OPENSHIFT in why else "podsecuritypolicies"
    volumes = _KIND.search(why)
    if volumes and volumes[1] == "projected":
        text = "no pod policy allows projected volumes, which the token needs"
    elif volumes:
        text = f"no pod policy allows {volumes[1]} volumes"
    else:
        text = "no pod policy allows them"
    return text, reach.kubectl(f"get {kind} -o yaml")


def _makers(found: Iterable[RefusedPod]) -> str:
    return listed(item.root if item.root not in ("", item.maker) else item.maker for item in found)


def _said(found: list[RefusedPod]) -> dict[str, str]:
    item = found[0]
    more = {"pods": item.pods} if item.pods else {}
    last = {"last_event": item.last.isoformat()} if item.last else {}
    return {**more, **last, "the_API_server_says": item.why}


def _kind(item: RefusedPod) -> tuple[str, str]:
    kind, _, name = (item.root or item.maker).partition("/")
    return kind, name


def _events(reach: Reach, item: RefusedPod) -> str:
    kind, _, name = item.maker.partition("/")
    selector = f"reason=FailedCreate,involvedObject.kind={kind},involvedObject.name={name}"
    return reach.kubectl(f"get events --field-selector {shlex.quote(selector)}", item.namespace)


def _restart(reach: Reach, item: RefusedPod) -> str:
    kind, name = _kind(item)
    if kind not in ROLLED:
        return _events(reach, item)  # Its controller tries again by itself.
    return reach.kubectl(f"rollout restart {kind.lower()}/{shlex.quote(name)}", item.namespace)


def _set_account(facts: Facts, item: RefusedPod) -> str:
    """A question: that the names are near does not say that the pods are to have the role."""
    kind, name = _kind(item)
    if kind not in ROLLED:
        return _edit(facts, item)
    ask = f"only if {kind} {name} needs the role of {facts.named.name}, ask its owner:"
    return "\n".join(map(comment, (ask, set_account(facts, item.namespace, kind, name))))


def _edit(facts: Facts, item: RefusedPod) -> str:
    kind, name = _kind(item)
    return template(facts.reach, item.namespace, kind, name, facts.makers)


NO_RUNNING_POD = "pod-unseen"


@check_of(NO_RUNNING_POD)
def _seen(facts: Facts) -> Judgement:
    facts.named.existing()
    try:
        pods = facts.named.users()
    except CannotTell as error:
        return _none_running(facts, error.why)
    running = [pod for pod in pods if pod.phase == "Running"]
    if not running:
        phases = Counter(pod.phase or "unknown phase" for pod in pods)
        states = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
        return _none_running(facts, "none of its pods is running", pods=pod_names(pods), phases=states)
    found = [pod for pod in running if has_identity(pod) or goes_by_profile(facts, pod)]
    if not found:
        return _none_running(facts, "none of its running pods has an AWS identity", pods=pod_names(running))
    return ok("a running pod has this identity", pods=pod_names(found))


def _none_running(facts: Facts, text: str, **evidence: str) -> Judgement:
    found = unknown(text, **evidence, to_see=to_see(facts))
    # Another cause explains why they are not created; fix that one first.
    return replace(found, follows=waits_for_pods(facts))


def to_see(facts: Facts) -> str:
    """The command that proves what can be proved without a pod."""
    return of_account(facts, "verify", facts.named)
