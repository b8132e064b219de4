"""Commands that causes propose: each reaches the examined cluster, and every name is quoted.

Only IAM can justify a role for a ServiceAccount: its trust policy, tags and policies, which only IAM's
administrators write. A broad role is never proposed. An annotation or a variable alone justifies nothing. The
intended role is one whose trust policy has exactly this subject; one that trusts it by a pattern is evidence.

Only some controllers recreate a deleted pod; others lose its work. A command is proposed only if it loses no
work and has an effect; the rest are comments.
https://kubernetes.io/docs/concepts/workloads/controllers/
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from irsa_cli.core.binding.role_only import HandOver, annotation_line, hand_over, options_of_export
from irsa_cli.core.doctor import subjects
from irsa_cli.core.doctor.facts import Facts, Subject, known
from irsa_cli.core.doctor.finding import Judgement, Proposal, comment, kind_of, problem, unknown
from irsa_cli.core.doctor.reported import Maker
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.makers import EKSCTL_ACCOUNT_TAG, EKSCTL_TAGS
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.workloads import ROLLED, ROLLOUT, owner_of
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.policy import Document, as_list, dump
from irsa_cli.core.policies.statements import allowing, tests_of_key
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.trust_policy import trusts_service
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, host_path
from irsa_cli.core.values.cluster import Reach
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.names import subject as subject_claim
from irsa_cli.core.values.shown import shown, unspaced

Makers = Mapping[str, Maker]
"""The workloads of a namespace that were read, by `Kind/name`."""
_REPLACED = ("ReplicaSet", "ReplicationController")
"""The kinds that recreate a deleted pod but do not roll out changes."""
_MOST = 5
"""The most workloads in one fix."""


def makers_of(pods: Iterable[Pod], read: Callable[[str], tuple[Maker, ...] | Unreadable]) -> Makers:
    kinds = sorted({owner_of(pod)[0] for pod in pods} & {*ROLLED, "Job"})
    makers = chain.from_iterable(known(read(kind)) for kind in kinds)
    return {f"{maker.kind}/{maker.name}": maker for maker in makers}


def restart(facts: Facts, pods: Iterable[Pod]) -> str:
    """The commands that have pods created again, one for each workload, at most five."""
    return restarts(facts.reach, pods, facts.makers)


def restarts(reach: Reach, pods: Iterable[Pod], makers: Makers) -> str:
    """The same by what was read of workloads."""
    commands = dict.fromkeys(_restart(reach, pod, makers) for pod in pods)
    return "\n".join(list(commands)[:_MOST])


def _restart(reach: Reach, pod: Pod, makers: Makers) -> str:
    kind, name = owner_of(pod)
    delete = reach.kubectl(f"delete pod {shlex.quote(pod.name)}", pod.namespace)
    if kind in ROLLED:
        again = reach.kubectl(f"rollout restart {shlex.quote(f'{kind.lower()}/{name}')}", pod.namespace)
        held = _held(makers, kind, name)
        if not held:
            return again
        after = again if kind == "Deployment" else delete
        return "\n".join((comment(f"{held} Then:"), comment(after)))
    if kind == ROLLOUT:
        return reach.plugin(f"argo rollouts restart {shlex.quote(name)}", pod.namespace)
    if kind in _REPLACED and pod.controlled:
        return delete
    return "\n".join(map(comment, (_lost(pod), delete)))


def _held(makers: Makers, kind: str, name: str) -> str:
    """Why a change of its template replaces no pods, and the next step; '' if it does."""
    maker = makers.get(f"{kind}/{name}")
    if maker is None or not maker.held:
        return ""
    return f"{kind} {name} {maker.held}"


def _lost(pod: Pod) -> str:
    kind, _, name = pod.owner.partition("/")
    if kind == "Node":
        return f"pod {pod.name} is a static pod of node {name}: its manifest is on the node"
    if not (kind and pod.controlled):
        return f"pod {pod.name} has no controller to recreate it: save its manifest first"
    return (
        f"deleting pod {pod.name} stops its work: {kind} {name} may not run it again."
        " Let it finish, the next run gets the new settings. To stop it now:"
    )


def edit(facts: Facts, pod: Pod) -> str:
    kind, name = owner_of(pod)
    if not kind:
        text = f"a running pod cannot be changed: fix the manifest of pod {pod.name} and recreate the pod"
        show = facts.reach.kubectl(f"get pod {shlex.quote(pod.name)} -o yaml", pod.namespace)
        return "\n".join((comment(text), comment(show)))
    lines = [template(facts.reach, pod.namespace, kind, name, facts.makers)]
    held = _held(facts.makers, kind, name)
    if held:
        lines.append(comment(held))
    if kind in _REPLACED:
        lines.append(comment(restart(facts, [pod])))
    return "\n".join(lines)


def by_template(
    facts: Facts, users: Sequence[tuple[Pod, Container]], text: str, /, **evidence: str
) -> Judgement:
    """A problem of containers that a change of the first one's template solves."""
    return problem(text, fix=edit(facts, users[0][0]), containers=subjects.where(users), **evidence)


def by_restart(facts: Facts, pods: Sequence[Pod], text: str, /, **evidence: str) -> Judgement:
    """A problem of pods that new ones do not have; others of the ServiceAccount may be right."""
    others = [pod for pod in facts.named.known_users() if pod not in pods and subjects.has_identity(pod)]
    if others:
        evidence["not_affected"] = subjects.workloads(others)
    return problem(
        text,
        fix=restart(facts, pods),
        pods=subjects.pod_names(pods),
        workloads=subjects.workloads(pods),
        **evidence,
    )


def by_mark(facts: Facts, pods: Sequence[Pod], *, on_purpose: bool) -> Judgement:
    """Judge pods that opt out of the webhook: on purpose if other pods don't."""
    if on_purpose:  # They are there to look at something, as a rule.
        return unknown(
            "pods that run next to the application's opt out on purpose", pods=subjects.pod_names(pods)
        )
    pod = pods[0]
    key = subjects.SKIP_LABEL if subjects.SKIP_LABEL in pod.labels else subjects.SKIP_CONTAINERS
    mark = f"{key}={pod.labels.get(key) or pod.annotations.get(key, '')}"
    text = "their label or annotation opts out"
    return problem(text, fix=edit(facts, pod), pods=subjects.pod_names(pods), found=mark)


def by_annotation(facts: Facts, role: str, text: str, /, **evidence: str) -> Judgement:
    """A problem that another role in the annotation solves."""
    return problem(text, fix=annotate_and_restart(facts, role), **evidence)


def template(reach: Reach, namespace: str, kind: str, name: str, makers: Makers) -> str:
    maker = makers.get(f"{kind}/{name}")
    if maker is not None and maker.owner and maker.owner != f"{kind}/{name}" and kind == "Job":
        kind, _, name = maker.owner.partition("/")
    workload = f"{shlex.quote(kind.lower())} {shlex.quote(name)}"
    if kind in (*ROLLED, *_REPLACED, ROLLOUT, "CronJob"):
        return reach.kubectl(f"edit {workload}", namespace)
    text = f"the template of {kind} {name} cannot be changed: fix its source and recreate it"
    return "\n".join((comment(text), comment(reach.kubectl(f"get {workload} -o yaml", namespace))))


def proposed(why: str, value: str, command: str) -> str:
    """The command; with a doubt (`why`), a question and comments only."""
    if not why:
        return command
    question = f"check first who owns {shown(value)}: {why}"
    return commented((question, "if it is the right one:", *command.splitlines()))


def commented(lines: Iterable[str]) -> str:
    """Lines of which a person has to choose: pasted, none of them does anything."""
    return "\n".join(line if line.startswith("#") else comment(line) for line in lines)


def followed(first: str, more: str) -> str:
    """Commands, and those that make sense after them only: after a decision, these are comments as well."""
    if kind_of(first) in (Proposal.CHOICE, Proposal.LOOK):
        return commented((*first.splitlines(), *more.splitlines()))
    return "\n".join(filter(None, (first, more)))


def decide(look: str, *choices: str) -> str:
    """A decision, as comments: the command that shows the problem, and the choices."""
    return commented(("to see it:", look, "then decide:", *choices))


def question(condition: str, *lines: str) -> str:
    """Lines that are right on a condition only; its owner knows."""
    return commented((comment(f"only if {condition}, ask its owner:"), *lines))


def of_role(facts: Facts, subject: Subject, arn: str, *, audience: str = DEFAULT_AUDIENCE) -> str:
    """Why a role is not proposed for the ServiceAccount, '' if it is. `audience` is the new statement's."""
    role = next((role for role in _described_roles(subject) if role.arn == arn), None)
    if role is None:
        return "its permissions are unknown"
    marked = lifecycle.was_bound(subjects.annotations_of(subject), role.arn)
    life = lifecycle.of(role.tags, named=False, marked=marked)
    if role.is_for(facts.cluster, subject.full_name) and not life.is_over:
        return f"it is {life.stage.value}: {life.why}"
    if not _is_meant(facts, subject, role):
        return f"nothing in IAM says that it is for {subject.full_name}"
    if audience != DEFAULT_AUDIENCE and audience not in _texts(role.trust):
        return f"its trust policy does not name the audience {shown(audience)}"
    return of_power(role)


def _described_roles(subject: Subject) -> Iterator[Role]:
    for role in (subject.role, subject.association_role, *subject.own_roles.values()):
        if isinstance(role, Role):
            yield role
    yield from (candidate for candidate in known(subject.candidates) if candidate.is_described)


def of_power(role: Role) -> str:
    """The broad permissions of a role, or why irsa cannot tell."""
    if isinstance(role.policy_documents, Unreadable):
        return f"its permissions can't be read: {role.policy_documents.why}"
    if isinstance(role.boundary_policy, Unreadable):
        return f"its permissions boundary can't be read: {role.boundary_policy.why}"
    much = power(role.policy_documents, role.policy_documents, role.boundary, role.boundary_policy)
    if much:
        return f"it has broad permissions: {much}"
    if role.unread_documents:
        return f"its permissions can't be read: {role.unread_documents}"
    return ""


def _is_meant(facts: Facts, subject: Subject, role: Role) -> bool:
    """Whether tags, or a statement for this cluster, name the ServiceAccount."""
    cluster = facts.cluster
    tags = role.tags
    if role.is_for(cluster, subject.full_name):
        return True
    if tags.get(EKSCTL_ACCOUNT_TAG) == subject.full_name:
        return cluster.name in {tags.get(key) for key in EKSCTL_TAGS}
    issuer = host_path(cluster.issuer).lower()
    subject_text = subject_claim(subject.namespace, subject.name)
    in_namespace = subject_text.removesuffix(subject.name)
    for _, statement in allowing(role.trust):
        if issuer not in dump(statement).lower():
            continue
        for text in map(unspaced, _texts(statement.get("Condition"))):
            if text.startswith(in_namespace) and like(subject_text, text):
                return True
    return False


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        return [str(value)]
    return list(chain.from_iterable(map(_texts, value)))


def webhook_shown(facts: Facts, configuration: str) -> str:
    name = shlex.quote(configuration)
    return facts.reach.kubectl(f"get mutatingwebhookconfiguration {name} -o yaml")


def annotate(facts: Facts, value: str, key: str = ROLE_ARN_ANNOTATION) -> str:
    """The command that sets an annotation to a role's ARN, which has no space or invisible character."""
    pair = shlex.quote(f"{key}={unspaced(value)}")
    return _annotation(facts, f"--overwrite {pair}")


def unannotate(facts: Facts, key: str) -> str:
    return _annotation(facts, shlex.quote(f"{key}-"))


def _annotation(facts: Facts, arguments: str) -> str:
    name = shlex.quote(facts.named.name)
    return facts.reach.kubectl(f"annotate serviceaccount {name} {arguments}", facts.named.namespace)


def annotate_and_restart(facts: Facts, value: str, key: str = ROLE_ARN_ANNOTATION, *, more: str = "") -> str:
    """The same, with the commands that restart pods without this role; `more` extends the first command.

    Of a role whose annotation belongs into Git, the line there.
    """
    role = _for_git(facts, unspaced(value)) if key == ROLE_ARN_ANNOTATION else None
    if role is not None:
        return _annotate_in_git(facts, role)
    restarting = _restart_without(facts, unspaced(value))
    lines = "\n".join(filter(None, (annotate(facts, value, key) + more, restarting)))
    return proposed(of_role(facts, facts.named, unspaced(value)), value, lines)


def _restart_without(facts: Facts, arn: str) -> str:
    """The commands that restart the pods that were started without a role."""
    return restart(facts, [pod for pod in facts.named.known_users() if not asks_for(pod, arn)])


def asks_for(pod: Pod, role: str) -> bool:
    return any(container.env.get(subjects.ROLE_ENV) == role for container in pod.containers)


def of_account(facts: Facts, command: str, subject: Subject, more: str = "") -> str:
    """An irsa command about a ServiceAccount; `more` are arguments that follow."""
    name = shlex.quote(subject.name)
    namespace = shlex.quote(subject.namespace)
    return facts.reach.for_irsa(f"{command} {name} -n {namespace}", more)


def admit(facts: Facts, subject: Subject, role: str) -> str:
    """The command that adds the statement which the role's trust policy lacks, and annotates."""
    return attach(facts, subject, role, more=" --update-trust")


def attach(facts: Facts, subject: Subject, role: str, *, more: str = "") -> str:
    """The command that binds the ServiceAccount to a role that is there; it makes what is missing.

    Of a role whose annotation belongs into Git, the line there.
    """
    for_git = None if more else _for_git(facts, role)
    if for_git is not None:
        return _annotate_in_git(facts, for_git)
    audience = subjects.audience_of(facts, subject)
    flags = f"--attach-role-arn {shlex.quote(role)}{more}"
    if audience != DEFAULT_AUDIENCE:
        flags += f" --audience {shlex.quote(audience)}"
    line = of_account(facts, "create-sa", subject, flags)
    return proposed(of_role(facts, subject, role, audience=audience), role, line)


def create(facts: Facts) -> str:
    """The commands that create the ServiceAccount alone, and its namespace if it does not exist."""
    subject = facts.named
    kubectl = facts.reach.kubectl
    line = kubectl(f"create serviceaccount {shlex.quote(subject.name)}", subject.namespace)
    if subject.namespace_labels is None:
        return "\n".join((kubectl(f"create namespace {shlex.quote(subject.namespace)}"), line))
    return line


def make(facts: Facts, subject: Subject) -> str:
    """The command that creates a new role for the ServiceAccount."""
    return of_account(facts, "create-sa", subject, "--attach-policy-arn ARN")


def rewrite_trust(facts: Facts, role: Role, document: Document, why: str) -> str:
    """The command that writes a role's trust policy, in the role's own account; `why` is a doubt about it."""
    name = shlex.quote(role.name)
    text = shlex.quote(dump(document))
    command = f"iam update-assume-role-policy --role-name {name} --policy-document {text}"
    return proposed(why, role.arn, in_account(facts, role.account, command))


def in_account(facts: Facts, account: str, command: str) -> str:
    """An AWS CLI command; a comment for another account, which needs other credentials."""
    if account == facts.cluster.account:
        return facts.reach.aws(command)
    return comment(f"aws {command} # in account {account}")


def eks(facts: Facts, command: str, more: str = "") -> str:
    """A command of EKS about the cluster; `more` are options that follow."""
    cluster = facts.cluster
    line = f"eks {command} --cluster-name {shlex.quote(cluster.name)} {more}"
    return facts.reach.aws(line.rstrip(), cluster.region)


_MARKS = ("*", "?", "${")
_COMPARING = ("stringequals", "stringlike")


def naming(facts: Facts) -> tuple[Role, ...]:
    """The roles whose trust policy allows the ServiceAccount and names exactly this subject."""
    identity = subjects.home_identity(facts, facts.named)
    candidates = known(facts.named.candidates)
    return tuple(role for role in candidates if names_exactly(role.trust, identity, facts.now))


def names_exactly(document: Mapping[str, Any], identity: WebIdentity, now: datetime | None = None) -> bool:
    """Whether each statement that allows the token has its subject without a pattern."""
    allowed = explain(document, identity, now=now).allowed_by
    statements = as_list(document.get("Statement", []))
    key = f"{host_path(identity.issuer).rstrip('/')}:sub"

    def is_exact(statement: Mapping[str, Any]) -> bool:
        for operator, values in tests_of_key([statement], key):
            compares = operator.lower().rpartition(":")[2].removesuffix("ifexists") in _COMPARING
            if compares and identity.subject in values and not any(map(_is_pattern, values)):
                return True
        return False

    return bool(allowed) and all(is_exact(statements[index]) for index in allowed)


def _is_pattern(value: str) -> bool:
    return any(mark in value for mark in _MARKS)


def evidence(facts: Facts) -> dict[str, str]:
    """The roles that trust the ServiceAccount: by name with their policies, and by a pattern."""
    candidates = facts.named.candidates
    trusting = naming(facts)
    roles = []
    for role in trusting:
        text = role.arn
        if role.is_described and not role.unread:
            names = subjects.listed(name.rsplit("/", 1)[-1] for name in sorted(role.policies))
            text += f" (policies: {names or 'none'})"
        roles.append(text)
    none = "not known" if isinstance(candidates, Unreadable) else "none"
    shown_roles = {"roles_that_trust_it": subjects.listed(roles) or none}
    by_pattern = [role.arn for role in known(candidates) if role not in trusting]
    if by_pattern:
        shown_roles["roles_that_trust_it_by_a_pattern"] = subjects.listed(by_pattern)
    return shown_roles


def choose(facts: Facts, otherwise: str) -> str:
    """The command that annotates with the intended role, `otherwise` without one; several are comments."""
    own = _own_for_git(facts)
    if own is not None:
        return _annotate_in_git(facts, own)
    pulls_by = subjects.annotations_of(facts.named).get(subjects.PULL_ROLE)
    trusting = [role for role in naming(facts) if role.arn != pulls_by]
    if len(trusting) == 1:
        return annotate_and_restart(facts, trusting[0].arn)
    if not trusting:
        return otherwise
    return commented(_annotate_by_owner(facts, role) for role in trusting[:5])


def _annotate_by_owner(facts: Facts, role: Role) -> str:
    """The command that annotates, or the line for Git."""
    return annotate(facts, role.arn) if _awaited(facts, role) is None else _annotate_in_git(facts, role)


def _awaited(facts: Facts, role: Role) -> HandOver | None:
    """How far the ServiceAccount has come if somebody else annotates it; None if irsa does."""
    if role.owner != facts.cluster.arn:
        return None
    account = facts.named.account
    return hand_over(
        role, account if isinstance(account, Unreadable) else subjects.annotations_of(facts.named)
    )


def _for_git(facts: Facts, arn: str) -> Role | None:
    """The role of this ARN, if its annotation belongs into Git."""
    for role in (facts.named.role, *known(facts.named.candidates), *facts.named.own_roles.values()):
        if isinstance(role, Role) and role.arn == arn and _awaited(facts, role) is not None:
            return role
    return None


def is_role_only(facts: Facts, role: Role, life: lifecycle.Lifecycle) -> bool:
    """Whether the run that creates a role writes no ServiceAccount: then that can't tell that it is over."""
    if life.stage is not lifecycle.Stage.INCOMPLETE or trusts_service(role.trust, SERVICE):
        return False
    annotations = subjects.annotations_of(facts.named)
    is_bound = annotations.get(ROLE_ARN_ANNOTATION) == role.arn or lifecycle.was_bound(annotations, role.arn)
    return lifecycle.tells_itself(role.tags) and not is_bound


def _own_for_git(facts: Facts) -> Role | None:
    """The role-only role of the ServiceAccount; None without one, and if there are several."""
    subject = facts.named
    roles = [role for role in known(subject.candidates) if role.is_for(facts.cluster, subject.full_name)]
    for_git = [role for role in roles if _awaited(facts, role) is not None]
    return for_git[0] if len(for_git) == 1 else None


def waits_for_git(facts: Facts) -> bool:
    """Whether the ServiceAccount's own role lacks only the annotation in Git."""
    own = _own_for_git(facts)
    return own is not None and _awaited(facts, own) is HandOver.WAITS


def _annotate_in_git(facts: Facts, role: Role) -> str:
    """The annotation for a repository, as comments: irsa does not write what a repository owns."""
    waits = _awaited(facts, role) is HandOver.WAITS
    act = "add to its annotations there" if waits else "change its annotation there"
    lines = [
        f"the role was created for a ServiceAccount in Git (--role-only): {act}:",
        f"  {annotation_line(role.arn)}",
    ]
    if waits and role.is_for(facts.cluster, facts.named.full_name):
        command = of_account(facts, "export", facts.named, options_of_export(facts.cluster, role))
        lines.append(f"{command}  # prints the manifest")
    restarting = _restart_without(facts, role.arn)
    if restarting:
        lines += ["then, restart its pods:", *restarting.splitlines()]
    return commented(lines)


def make_or_attach(facts: Facts) -> str:
    """The command that creates the ServiceAccount with the role that trusts it, else with a new one."""
    own = _own_for_git(facts)
    if own is not None:
        return _annotate_in_git(facts, own)
    trusting = naming(facts)
    commands = [attach(facts, facts.named, role.arn) for role in trusting]
    if not commands:
        return make(facts, facts.named)
    if len(commands) == 1:
        return commands[0]
    return commented(commands[:5])
