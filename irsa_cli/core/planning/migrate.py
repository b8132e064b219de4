"""The plans that move a ServiceAccount between IRSA and EKS Pod Identity; pure.

`addition` adds the new way next to one that works, and removes nothing: whom the role's trust policy does not
allow the one way gets no other. `retirement` removes the old way of this cluster, and nothing of other
clusters, other ServiceAccounts or other tools.
`irsa_cli.usecases.write.migrate` reads the current state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import account_changes
from irsa_cli.core.binding.field_owner import Override
from irsa_cli.core.marks.lifecycle import wrote
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.workloads import ROLLED, owner_of
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.planning.association import check_owner
from irsa_cli.core.planning.consent import NOTHING, Permitted, check_consent, check_statement
from irsa_cli.core.planning.create import check_provider
from irsa_cli.core.planning.ways import Ways
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import assuming, trust_policy
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import Refused, Unreadable
from irsa_cli.core.values.shown import listed, plural

THEIRS = "others"
"""The tag's value of an association whose ServiceAccount had an annotation that irsa did not write."""


def addition(to: IdentitySource, ways: Ways, allowed: Permitted = NOTHING) -> Plan:
    """The changes after which pods get the role both ways; empty if they do already. Raises `Refused`."""
    plan = _missing(to, ways, allowed)
    if len(plan):
        check_consent(to, ways)
    for change in plan:
        if change.kind is Kind.TRUST_STATEMENT and isinstance(change.after, states.DocumentState):
            check_statement(to, ways, change.after.document, allowed)
    return plan


def _missing(to: IdentitySource, ways: Ways, allowed: Permitted = NOTHING) -> Plan:
    """The changes after which pods get the role both ways, whoever may have it. Raises `Refused`."""
    association = ways.association
    binding = ways.binding
    if association is not None and association.role_arn != binding.role_arn:
        raise Refused(
            f"{binding.full_name} has an association with another role",
            reason=f"{association.id} gives {association.role_arn}, the annotation {binding.role_arn}",
            next_steps=(f"{binding.command('describe-sa')}  # shows both",),
            rests_on=(),
        )
    if association is not None:
        check_owner(association, binding)
    if to is IdentitySource.POD_IDENTITY:
        return _add_association(ways)
    return _add_annotation(ways, allowed)


def _statement(to: IdentitySource, ways: Ways, statement: Document, *, force: bool = False) -> list[Change]:
    """The statement that the role's trust policy lacks; raises `Refused` if it would not be enough.

    The same statement of somebody else is enough, and stays when irsa's goes. One that IRSA's tokens may
    match has conditions that another statement would bypass: it is added only with `force`.
    """
    binding = ways.binding
    answer = ways.answer(to, binding.trust)[0]
    lacks = answer is Answer.NO or (answer is Answer.UNKNOWN and force)
    if answer is Answer.UNKNOWN and to is IdentitySource.POD_IDENTITY:
        lacks = not (ways.in_that_form(marked=False) or ways.in_that_form(marked=True))
    after = trust_policy.with_statement(binding.trust, statement) if lacks else binding.trust
    answer_after, why = ways.answer(to, after)
    if answer_after is Answer.NO:
        raise Refused(
            f"the trust policy of {binding.role_arn} does not allow {to.title}, also with irsa's statement",
            details=why,
            next_steps=(f"aws iam get-role --role-name {binding.role_name}  # shows it",),
            rests_on=(binding.role_arn,),
        )
    if not lacks:
        return []
    trust_policy.check_size(binding.role_arn, after, ways.trust_quota)
    return [Change(Kind.TRUST_STATEMENT, ways.statement_target, None, states.DocumentState(statement))]


def check_account(binding: Binding) -> None:
    """Raise `Refused` for a role that EKS can't assume, as it is in another account than the cluster."""
    account = binding.cluster.account
    if role_arn(binding.role_arn).account != account:
        raise Refused(
            f"role {binding.role_arn} is not in the cluster's account {account}",
            reason="EKS Pod Identity assumes only roles of that account",
            next_steps=(f"{binding.command('create-sa')} --pod-identity --target-role {binding.role_arn}",),
            rests_on=(),
        )


def _add_association(ways: Ways) -> Plan:
    binding = ways.binding
    check_account(binding)
    annotations = binding.annotations
    if states.TARGET_ANNOTATION in annotations:
        raise Refused(
            f"pods of {binding.full_name} assume the target role {annotations[states.TARGET_ANNOTATION]}",
            reason="they do so with the token of IRSA, which pods with Pod Identity do not get",
            next_steps=(f"{binding.command('update-sa')} --remove-target-role",),
            rests_on=(),
        )
    if ways.disables_tags and ways.is_tagged:
        raise Refused(
            f"the association of {binding.full_name} has session tags, which irsa does not change",
            reason="the trust policy compares them",
            next_steps=without_tags(ways),
            rests_on=(),
        )
    form = assuming.statement if binding.is_own_role else assuming.marked_statement
    statement = form(binding.cluster, binding.namespace, binding.name, tagged=ways.is_tagged)
    first = _statement(IdentitySource.POD_IDENTITY, ways, statement)
    if ways.association is not None:
        return Plan.of(first)
    marks = binding.marks
    if states.ROLE_ARN_ANNOTATION in annotations and not wrote(annotations, states.ROLE_ARN_ANNOTATION):
        marks[states.THEIRS_TAG] = THEIRS
    state = states.AssociationState(binding.role_arn, without_session_tags=not ways.is_tagged, tags=marks)
    return Plan.of(first, [Change(Kind.ASSOCIATION, binding.association_target, None, state)])


def without_tags(ways: Ways) -> tuple[str, ...]:
    """The commands that move to an association without session tags."""
    migrate = ways.binding.command("migrate")
    moves = f"{migrate} --to pod-identity --disable-session-tags"
    if ways.association is None:
        return (f"{moves}  # the role then trusts the cluster, not one ServiceAccount",)
    return (f"{migrate} --to irsa --finish --restart  # deletes the association", moves)


def _add_annotation(ways: Ways, allowed: Permitted) -> Plan:
    association = ways.association
    binding = ways.binding
    if association is not None and (association.session_policy or association.target_role_arn):
        what = "a target role" if association.target_role_arn else "a session policy"
        raise Refused(
            f"the association {association.id} of {binding.full_name} has {what}",
            reason="IRSA has no such setting: pods would get other permissions",
            next_steps=(f"{binding.command('describe-sa')}  # shows it",),
            rests_on=(),
        )
    check_provider(binding.cluster, binding.audience, binding.known_provider, associates=False)
    is_theirs = association is not None and association.tags.get(states.THEIRS_TAG) == THEIRS
    form = trust_policy.statement if binding.is_own_role or is_theirs else trust_policy.marked_statement
    statement = form(binding.identity)
    # One that is there names this role.
    annotations = {states.ROLE_ARN_ANNOTATION: binding.role_arn}
    account = account_changes(
        binding,
        binding.existing,
        annotations,
        {},
        own=not is_theirs,
        override=Override(allowed.others, "--include-managed"),
    )
    return Plan.of(_statement(IdentitySource.IRSA, ways, statement, force=allowed.force), account)


def retirement(to: IdentitySource, ways: Ways, *, others: bool = False, restarts: bool = False) -> Plan:
    """The changes that remove the old way. Raises `Refused`.

    `others`: also what irsa did not write goes. `restarts`: the same run restarts the pods, for Pod Identity
    before it, for IRSA after it: new pods get Pod Identity as long as there is an association.
    """
    check_has(to, ways)
    if not restarts:
        check_unused(to, ways)
    elif to is IdentitySource.IRSA:
        _check_goes(ways, others=others)
    if _why_kept(to, ways, others=others):
        return Plan(())
    unwanted = map(states.DocumentState, _old_statements(to, ways, others=others))
    statements = [Change(Kind.TRUST_STATEMENT, ways.statement_target, state, None) for state in unwanted]
    if to is IdentitySource.POD_IDENTITY:
        return Plan.of(_commit(ways, states.DONE), _without_annotation(ways), statements)
    # irsa's annotation says by now that the role is complete.
    is_marked = wrote(ways.binding.annotations, states.ROLE_ARN_ANNOTATION)
    commit = _commit(ways, None) if is_marked else []
    return Plan.of(_without_association(ways), [*statements, *commit])


def check_unused(to: IdentitySource, ways: Ways) -> None:
    """Raise `Refused` if running pods use the old way."""
    pods = ways.pods.get(to.other, ())
    if pods:
        restart = "--restart" if to is IdentitySource.POD_IDENTITY else "--finish --restart"
        raise Refused(
            f"{ways.binding.full_name} has {plural(len(pods), f'running pod with {to.other.title}')}",
            details=listed(pod.name for pod in pods),
            next_steps=(f"{ways.binding.command('migrate')} --to {to.value} {restart}",),
            rests_on=(),
        )


Workload = tuple[str, str]
"""Kind and name of what creates pods, or of a pod that nothing has created."""


def workloads_of(pods: Iterable[Pod]) -> list[Workload]:
    """The workloads of pods, each once."""
    return [*dict.fromkeys(owner_of(pod) if pod.owner else ("Pod", pod.name) for pod in pods)]


def with_restart(to: IdentitySource, ways: Ways, plan: Plan, *, first: bool) -> Plan:
    """The plan with the restart of the pods that use the old way; `first`: before the other changes.

    More pods may start until then, so the restart is a part of each plan that changes something.
    """
    old = ways.pods.get(to.other, ())
    if not (old or len(plan)):
        return plan
    rolled = sorted(f"{kind}/{name}" for kind, name in workloads_of(old) if kind in ROLLED)
    before, after = (states.RestartState(way.value, rolled) for way in (to.other, to))
    change = Change(Kind.RESTART, ways.binding.key, before, after)
    stages = [*map(list, plan.stages)]
    return Plan.of([change], *stages) if first else Plan.of(*stages, [change])


def notes_of_restart(to: IdentitySource, ways: Ways) -> list[str]:
    """A note about pods that use the old way and that irsa can't restart."""
    workloads = workloads_of(ways.pods.get(to.other, ()))
    names = listed(f"{kind} {name}" for kind, name in workloads if kind not in ROLLED)
    return [f"irsa does not restart {', '.join(names)}: restart or delete them yourself"] if names else []


def check_has(to: IdentitySource, ways: Ways) -> None:
    """Raise `Refused` unless new pods can get the role this way: nothing is left to add."""
    if len(_missing(to, ways)):
        what = f"{ways.binding.full_name} does not get its role by {to.title} yet"
        raise Refused(what, next_steps=(ways.binding.command(f"migrate --to {to.value}"),))


def _why_kept(to: IdentitySource, ways: Ways, *, others: bool) -> str:
    """Why the old way stays as it is; '' if it goes."""
    binding = ways.binding
    association = ways.association
    if others:
        return ""
    if to is IdentitySource.POD_IDENTITY:
        is_theirs = states.ROLE_ARN_ANNOTATION in binding.annotations and not wrote(
            binding.annotations, states.ROLE_ARN_ANNOTATION
        )
        stays = "the annotation and its trust statement stay: irsa did not write them (--include-managed)"
        return stays if is_theirs else ""
    if association is None or binding.own_association is not None:
        return ""
    return f"the association {association.id} stays: irsa did not create it (--include-managed)"


def _old_statements(to: IdentitySource, ways: Ways, *, others: bool) -> list[Document]:
    """The statements of the trust policy that go with the old way."""
    if to is IdentitySource.POD_IDENTITY:
        return ways.subject_statements(others=others)
    written = ways.in_that_form(marked=True)
    return written + (ways.in_that_form(marked=False) if ways.binding.is_own_role else [])


def notes_of_retirement(to: IdentitySource, ways: Ways, *, others: bool = False) -> list[str]:
    """Notes on the parts of the old way that stay, and why."""
    why_kept = _why_kept(to, ways, others=others)
    if why_kept:
        return [why_kept]
    notes = []
    if to is IdentitySource.IRSA and ways.association is not None and ways.association.without_tags:
        notes.append("--to pod-identity would create the association again with session tags")
    if not _old_statements(to, ways, others=others):
        role, subject = ways.statement_target
        notes.append(f"the trust policy of {role} stays: it has no statement of irsa for {subject} alone")
    return notes


def _without_annotation(ways: Ways) -> list[Change]:
    """Only the role's annotation goes: without it, the webhook's others say nothing."""
    binding = ways.binding
    keys = (states.ROLE_ARN_ANNOTATION, states.ROLE_MARK)
    if states.ROLE_ARN_ANNOTATION not in binding.annotations:
        return []
    gone: dict[str, str | None] = {key: None for key in keys if key in binding.annotations}
    return account_changes(binding, binding.existing, gone, {})


def _commit(ways: Ways, after: str | None) -> list[Change]:
    """A role that no annotation of irsa's names says itself that it is complete."""
    role = ways.binding.seen_role
    if role is None or not ways.binding.is_own_role:
        return []
    before = role.tags.get(states.COMMIT_TAG)
    if states.TRANSACTION_TAG not in role.tags or before == after:
        return []
    first, second = (states.TagsState({states.COMMIT_TAG: text}) for text in (before, after))
    return [Change(Kind.ROLE_TAGS, (role.name,), first, second)]


def _without_association(ways: Ways) -> list[Change]:
    association = ways.association
    binding = ways.binding
    if association is None:
        return []
    state = replace(association.state, tags=dict(association.tags))
    return [Change(Kind.ASSOCIATION, binding.association_target, state, None)]


def _check_goes(ways: Ways, *, others: bool) -> None:
    """Raise `Refused` if an association stays that new pods would use after a restart."""
    association = ways.association
    binding = ways.binding
    if association is None or not _why_kept(IdentitySource.IRSA, ways, others=others):
        return
    raise Refused(
        f"the association {association.id} of {binding.full_name} stays: irsa did not create it",
        reason="pods get Pod Identity as long as it is there, also after a restart",
        next_steps=(
            "delete it with the tool that created it, then run this again",
            f"or let irsa delete it: {binding.command('migrate --to irsa')} --finish --restart"
            " --include-managed",
        ),
        rests_on=(),
    )


_SESSION_NAME = ("aws:userid", "sts:rolesessionname")
_SESSION_TAGS = tuple(
    f"aws:principaltag/{key}"
    for key in (
        "eks-cluster-arn",
        "eks-cluster-name",
        "kubernetes-namespace",
        "kubernetes-pod-name",
        "kubernetes-pod-uid",
        "kubernetes-service-account",
    )
)
_DRIVERS = {
    "secrets-store.csi.k8s.io": "set usePodIdentity in its SecretProviderClass",
    "s3.csi.aws.com": "its authenticationSource: pod needs a version of the driver that knows Pod Identity",
}
"""CSI drivers that get credentials in place of the pods that mount their volumes."""


def warnings(
    to: IdentitySource,
    ways: Ways,
    policies: Mapping[str, Document] | Unreadable,
    drivers: Iterable[str],
) -> list[str]:
    """Differences that pods may notice; raises `Refused` if they would lose permissions.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    binding = ways.binding
    warnings = []
    if isinstance(policies, Unreadable):
        warnings.append(f"irsa did not check the role's policies: {policies.why}")
        policies = {}
    documents = {**policies, "the trust policy": binding.trust}
    texts = {name: json.dumps(document).lower() for name, document in documents.items()}
    tagged = [name for name in policies if any(key in texts[name] for key in _SESSION_TAGS)]
    if to is IdentitySource.IRSA and tagged:
        raise Refused(
            f"{', '.join(tagged)} of {binding.role_arn} compares session tags",
            reason="only EKS Pod Identity sets them: with IRSA such a condition does not hold",
            next_steps=(f"compare aws:PrincipalTag with tags of the role: {binding.command('update-sa')}"
                        " --tags K=V",), rests_on=(binding.role_arn,),)  # fmt: skip
    warnings += [
        f"{name} compares the session's name ({key}), which differs with {to.title}"
        for name, text in texts.items()
        for key in _SESSION_NAME
        if key in text
    ]
    answer, why = ways.answer(to, binding.trust)
    if answer is Answer.UNKNOWN:
        warnings.append(f"irsa can't tell whether the trust policy allows {to.title}: {'; '.join(why)}")
    if to is IdentitySource.POD_IDENTITY:
        warnings += [
            f"pods mount volumes of {driver}: {_DRIVERS[driver]}"
            for driver in sorted({*drivers} & {*_DRIVERS})
        ]
    return warnings
