"""How far the run behind a role has come: complete, incomplete, being deleted, or none of irsa's at all.

Also whether somebody has changed it since. Pure, and the only reader of the tags `irsa/commit` and
`irsa/transaction` as an answer to "has that run ended?": every command asks here, so that none deletes what
another one calls ok. The tags themselves are in
`irsa_cli.core.plan.states`; they are planned by `irsa_cli.core.planning.create` and
`irsa_cli.core.planning.delete`, and written in `irsa_cli.changes`. Whether a role is irsa's for *this*
ServiceAccount is `irsa_cli.core.binding.ownership`'s business.

The webhook's annotations have marks of the same value: the mark of `eks.amazonaws.com/role-arn` is
`irsa/role-arn`, written in the same patch. Without it, somebody else has written the annotation (a chart,
eksctl, a hand); if it has another value, somebody else has changed it since. Either way it is theirs. A mark
whose annotation is gone or changed proves that the run came to its last step: somebody undid it later.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    CLUSTER_TAG,
    COMMIT_TAG,
    DELETING,
    DONE,
    MARKS,
    PENDING,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    CommitState,
)
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import is_run_name, parse_full_name

EXPECTED = (PENDING, DONE, DELETING)


class Stage(str, Enum):
    """How far a role has come."""

    COMPLETE = "complete"
    """Its run has marked it as complete, or no run created it (`irsa adopt`)."""
    INCOMPLETE = "incomplete"
    """Its run has not: it is at work, or was interrupted."""
    DELETING = "deleting"
    """A deletion was begun: it is at work, or was interrupted."""
    UNBOUND = "unbound"
    """It was complete, and somebody has since removed or changed the annotation that irsa wrote."""
    FOREIGN = "not irsa's"


@dataclass(frozen=True)
class Lifecycle:
    """The state of a role according to its marks. `transaction` is the run of its tag, '' for none.

    `account` is the role's ServiceAccount, as `namespace/name`. `named`: a ServiceAccount uses the role,
    however far it has come; `recorded`: irsa wrote that. `said`: the role's own tag for its state.
    """

    stage: Stage
    transaction: str = ""
    account: str = ""
    named: bool = False
    said: str | None = None
    recorded: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way: no run that has not ended, and no deletion."""
        return self.stage in (Stage.COMPLETE, Stage.UNBOUND, Stage.FOREIGN)

    @property
    def is_readable(self) -> bool:
        """Whether this version of irsa knows what the role says of itself."""
        return self.said in (None, *EXPECTED)

    @property
    def why(self) -> str:
        """In one sentence what is not over, '' where all is."""
        run = f"run {self.transaction}" if self.transaction else "its run"
        if self.stage is Stage.DELETING:
            return f"{run} started to delete it and has not finished: it is still running or was interrupted"
        if self.stage is not Stage.INCOMPLETE:
            return ""
        if not self.is_readable:
            return f"another version of irsa wrote its tag {COMMIT_TAG}={self.said}"
        if self.said is not None:
            return (
                f"{run} has not marked it as complete: it is still running or was interrupted, and"
                " policies may be missing"
            )
        if self.named:
            return f"irsa did not write the annotation for it: {run} was probably interrupted before that"
        return f"no ServiceAccount uses it: the ServiceAccount was changed later, or {run} was interrupted"

    def check(self, role_arn: str, options: str) -> None:
        """Raise `Refused` if something is under way; `options` as in `next_steps`."""
        if not self.is_over:
            what = f"role {role_arn} is {self.stage.value}"
            raise Refused(what, reason=self.why, next_steps=self.next_steps(options))

    def next_steps(self, options: str, granted: str = "") -> tuple[str, ...]:
        """Two commands, to complete and to delete it, on any machine; `options` identify the cluster.

        `granted`: the options of create-sa that are known to complete it. `irsa recover` is not among them:
        without its journal, a run that has ended looks like one that was interrupted.
        """
        if self.is_over:
            return ()
        again = "run its irsa create-sa command (or irsa apply) again"
        if self.stage is Stage.DELETING:
            return (*self.deletion(options), f"{again} to restore it")
        first = f"{again} to complete it"
        if granted:
            first = f"irsa create-sa {self._where} {options} {granted}  # completes it"
        return (first, *self.deletion(options))

    def rebinding(self, role_arn: str, options: str, annotations: Mapping[str, str]) -> tuple[str, str]:
        """The commands that bind its ServiceAccount to an unbound role again, and that delete the role.

        `annotations` are those of the ServiceAccount.
        """
        binds = f"irsa create-sa {self._where} {options} --attach-role-arn {shlex.quote(role_arn)}"
        deletes = f"irsa delete-sa {self._where} {options}"
        if audience := annotations.get(MARKS[AUDIENCE_ANNOTATION]):
            binds += f" --audience {shlex.quote(audience)}"
        if annotations.get(ROLE_ARN_ANNOTATION):
            binds += " --override-existing-serviceaccounts"
            deletes += f" --role-name {shlex.quote(role_arn.rpartition('/')[2])}"
        return f"{binds}  # binds it again", f"{deletes}  # deletes the role"

    @property
    def _where(self) -> str:
        namespace, _, name = map(shlex.quote, self.account.partition("/"))
        return f"{name} -n {namespace}"

    def deletion(self, options: str) -> tuple[str, ...]:
        """The command that deletes it, where all is not over; see `next_steps`."""
        if self.is_over:
            return ()
        then = "deletes it after the other run has ended"
        if self.stage is Stage.DELETING:
            then = "continues the deletion"
        return (f"irsa delete-sa {self._where} {options}  # {then}",)


def of(
    tags: Mapping[str, str], *, named: bool, recorded: bool | None = None, marked: bool = False
) -> Lifecycle:
    """The lifecycle of a role by its tags; `named`: a ServiceAccount is annotated with its ARN.

    `recorded`: irsa has annotated it so, which is the last step of a run; None if that was not checked.
    `marked`: a ServiceAccount bears irsa's mark of that step (see `was_bound`), also without the annotation.
    It does not matter whose deletion or creation it is: another ServiceAccount may also use the role.
    """
    account = account_of(tags)
    said = tags.get(COMMIT_TAG)
    if not tags.get(CLUSTER_TAG) or not account:
        return Lifecycle(Stage.FOREIGN)
    transaction = tags.get(TRANSACTION_TAG, "")
    recorded = named if recorded is None else recorded
    # Without its own tag, the annotation is the last step of the run that created it.
    stage = Stage.COMPLETE if recorded or marked or not transaction else Stage.INCOMPLETE
    if said is not None:
        stage = {DONE: Stage.COMPLETE, DELETING: Stage.DELETING}.get(said, Stage.INCOMPLETE)
    if stage is Stage.COMPLETE and marked and not named:
        stage = Stage.UNBOUND
    return Lifecycle(stage, transaction, account, named, said, recorded)


def account_of(tags: Mapping[str, str]) -> str:
    """The ServiceAccount (`namespace/name`) in a role's tag, '' for none and for a text that names none.

    It becomes a part of URLs and commands: irsa writes no other text, so such a tag is not irsa's.
    """
    text = tags.get(SERVICE_ACCOUNT_TAG, "")
    return text if parse_full_name(text) is not None else ""


def transaction_of(marks: Mapping[str, str]) -> str:
    """The run in an object's tags or annotations, '' for none and for a text that no run is called."""
    text = marks.get(TRANSACTION_TAG, "")
    return text if is_run_name(text) else ""


def was_bound(annotations: Mapping[str, str], role_arn: str) -> bool:
    """Whether a ServiceAccount bears irsa's mark that it was bound to this role, a run's last step."""
    return annotations.get(ROLE_MARK) == role_arn


def unbinding(full_name: str, annotations: Mapping[str, str], manager: str) -> str:
    """The later change of a binding that irsa completed, in one sentence.

    `manager` is the tool that manages the ServiceAccount, not known to have changed it; '' for none.
    """
    other = annotations.get(ROLE_ARN_ANNOTATION, "")
    done = f"now uses {other}" if other else f"lost its annotation {ROLE_ARN_ANNOTATION}"
    text = f"ServiceAccount {full_name} {done} after irsa had completed the binding (mark {ROLE_MARK})"
    return f"{text}; {manager} manages the ServiceAccount" if manager else text


def tells_itself(tags: Mapping[str, str]) -> bool:
    """Whether the role says how far it is; else its ServiceAccount does."""
    return COMMIT_TAG in tags


def is_recorded_by_account(tags: Mapping[str, str]) -> bool:
    """Whether a run created the role, and only the annotation of its ServiceAccount marks it as complete."""
    return TRANSACTION_TAG in tags and not tells_itself(tags)


def commit_of(tags: Mapping[str, str]) -> CommitState | None:
    """The state of the role in its tag, from which a change of it starts."""
    return CommitState(tags[COMMIT_TAG]) if tells_itself(tags) else None


def with_marks(annotations: Mapping[str, str | None]) -> dict[str, str | None]:
    """Annotations that irsa is about to write, with their marks; one that goes takes its mark with it."""
    marks = {MARKS[key]: value for key, value in annotations.items() if key in MARKS}
    return {**annotations, **marks}


def wrote(annotations: Mapping[str, str], key: str) -> bool:
    """Whether one of the webhook's annotations is there, and has the value that irsa wrote."""
    return key in annotations and annotations.get(MARKS[key]) == annotations[key]
