"""The common parts of the kinds of change: settling lost answers, waiting out IAM's propagation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from botocore import xform_name

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.aws.iam import EXISTS
from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import TRANSACTION_TAG, State
from irsa_cli.core.plan.traits import Service
from irsa_cli.core.values import limits, patience
from irsa_cli.core.values.errors import Conflict, Gone, Outcome, ServiceError
from irsa_cli.core.values.patience import give_up
from irsa_cli.transaction.protocol import Applied, Claim, Handler, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


S = TypeVar("S")
Asked = Mapping[str, Any]
"""The parameters of a call."""


class Unclaimed:
    """For most kinds: the object doesn't show whether somebody else relies on it."""

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        return ""

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """See `Handler.recall`. Kubernetes shows what was written at once."""

    def confirm(self, changes: Sequence[Change], run: Run, written: float) -> str:
        """See `Handler.confirm`. Most objects have one writer, or a server that compares."""
        return ""


class Settled(Unclaimed):
    """A change by one call: if nobody knows whether it happened, reading the object decides."""

    repeats_deletions = False
    """Whether a rollback repeats a deletion that nobody answered: a late read may show no object yet."""

    @abstractmethod
    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """See `Handler.apply`: one attempt."""

    @abstractmethod
    def _found(self, change: Change, transaction: str) -> Applied | None:
        """The state after the change, if it is there; `changed` if the transaction may have written it."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        if self.repeats_deletions and claim is not None and change.after is None:
            return self._write(change, run, claim)
        return settle(lambda: self._write(change, run, claim), lambda: self._found(change, run.transaction))

    def look(self, change: Change, transaction: str) -> bool:
        applied = self._found(change, transaction)
        return applied is not None and applied.changed


class OnIam(Settled):
    """A change of IAM's, of which one call brings about each state."""

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    @abstractmethod
    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        """The operation, and its parameters, that brings about the state before or after a change."""

    def _send(self, change: Change, transaction: str) -> Any:
        """Send the call for the state after the change."""
        operation, parameters = self._call_for(change, change.after, transaction)
        return call(getattr(self._iam, xform_name(operation)), **parameters)

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """See `Handler.recall`: what an earlier process wrote counts as this one's."""
        for state in (change.before, change.after):
            operation, parameters = self._call_for(change, state, claim.transaction)
            recent_writes(self._iam).note(operation, parameters, {"Role": claim.identity}, ago=ago)


def tag_call(role: str, key: str, value: str | None) -> tuple[str, Asked]:
    """The call that gives a role one tag, or removes it: None."""
    if value is None:
        return "UntagRole", {"RoleName": role, "TagKeys": [key]}
    return "TagRole", {"RoleName": role, "Tags": [{"Key": key, "Value": value}]}


def expect(kind: type[S], state: object) -> S:
    """The state as its type; a change of another kind here is a bug."""
    if not isinstance(state, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(state).__name__}")
    return state


def settle(write: Callable[[], Applied], look: Callable[[], Applied | None]) -> Applied:
    """Do a write; when nobody knows whether it happened, look: what is found there decides."""
    try:
        return write()
    except ServiceError as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        try:
            settled = look()
        except ServiceError:
            settled = None  # The outage that ate the answer continues: the first error says more.
        if settled is None:
            raise
        return settled


def found_if(is_there: bool) -> Applied | None:
    """The state after a change, if it is there."""
    return Applied(changed=True) if is_there else None


def delete_once(delete: Callable[[], object], missing: str = reading.NOT_THERE) -> Applied:
    """Delete; an object that does not exist was deleted by this run if an earlier answer was lost."""
    try:
        delete()
    except ServiceError as error:
        if error.code != missing:
            raise
        return Applied(changed=error.outcome is Outcome.UNKNOWN)
    return Applied(changed=True)


def check_role_is_there(iam: IAMClient, change: Change, run: Run, claim: Claim | None) -> None:
    """Raise `Gone` if something must be restored on a role that no longer exists."""
    role = change.target[0]
    if claim is not None and not run.has_made(Kind.ROLE, role) and reading.read_role(iam, role) is None:
        raise Gone(f"{change.kind.value} {change.name} is not restored", reason=f"role {role} is gone")


@contextmanager
def telling(outcome: Outcome) -> Iterator[None]:
    """A reading that fails in here tells nothing of the write it is about: of that, `outcome` is known."""
    try:
        yield
    except ServiceError as error:
        raise error.knowing(outcome=outcome) from error


def read_until(read: Callable[[], S], fits: Callable[[S], bool], run: Run, seconds: float = 0.0) -> S:
    """Read until it fits, or the same other answer came several times in a row; raises as `Run.pause`.

    `seconds`: for how long another answer is not believed however often it comes.
    """
    answer = read()
    same = 1
    wait = limits.PROPAGATION_SECONDS / 60
    waited = 0.0
    while not fits(answer) and (same < limits.SAME_ANSWERS or waited < seconds) and wait:
        if seconds:
            patience.waiting("IAM to return its latest state", waited, seconds)
        run.pause(wait)
        again = read()
        same = same + 1 if again == answer else 1
        answer = again
        waited += wait
        wait = min(wait * 2, 2.0)
    return answer


def while_spreading(run: Run) -> Iterator[bool]:
    """Pause, longer each time, for as long as IAM may not show yet what it has confirmed."""
    waited = 0.0
    wait = 0.25
    while waited < limits.PROPAGATION_SECONDS:
        patience.waiting("IAM to return what was written", waited, limits.PROPAGATION_SECONDS)
        run.pause(wait)
        waited += wait
        wait = min(wait * 2, 4.0)
        yield True


def create_once(
    create: Callable[[], Applied],
    read: Callable[[], S | None],
    own: Callable[[S], Applied | None],
    run: Run,
    taken: Conflict,
    exists: str = EXISTS,
) -> Applied:
    """Create what IAM makes once; where something is there by then, `own` says what it is to this run.

    When IAM says that it exists and shows nothing, it is asked again until it shows: that may be what an
    attempt without an answer made. Raises `taken` when it is somebody else's, or nobody can see it.
    """
    lost = False
    pauses = while_spreading(run)
    while True:
        try:
            return create()
        except ServiceError as error:
            lost = lost or error.outcome is Outcome.UNKNOWN
            failure = error.knowing(outcome=Outcome.UNKNOWN if lost else error.outcome)
            if error.code != exists:
                raise failure from error
        with telling(failure.outcome):
            present = read()
        if present is not None:
            applied = own(present)
            if applied is None:
                raise taken from failure
            return applied
        if lost:
            give_up()  # A caller that is stopped in the pause has to check for it.
        if not next(pauses, False):
            raise (failure if lost else taken) from failure


def conflict(change: Change, present: str) -> Conflict:
    """Neither `before` nor `after` is there."""
    return Conflict(f"{change.kind.value} {change.name} has changed since irsa read it", reason=present)


def not_ours(change: Change, claim: Claim, present: str) -> Conflict:
    """The object was not written by the run of the rollback."""
    return Conflict(
        f"{change.kind.value} {change.name} was left alone",
        reason=f"it differs from what transaction {claim.transaction} wrote: {present}",
    )


def check_tag(change: Change, tags: Mapping[str, str], claim: Claim) -> None:
    """Raise unless these tags of an object in AWS have the mark of the claim's run."""
    owner = tags.get(TRANSACTION_TAG, "none")
    if owner != claim.transaction:
        raise not_ours(change, claim, f"tag {TRANSACTION_TAG}={owner}")


def check_object_claim(change: Change, metadata: Mapping[str, Any], claim: Claim) -> None:
    """Raise unless this object of Kubernetes is the one that the claim is about, and bears its run's mark."""
    owner = metadata.get("annotations", {}).get(TRANSACTION_TAG, "none")
    if claim.identity.get("uid", metadata["uid"]) != metadata["uid"] or owner != claim.transaction:
        raise not_ours(change, claim, f"uid {metadata['uid']}, annotation {TRANSACTION_TAG}={owner}")


class VanishedHandler(Unclaimed):
    """Finds nothing there, whatever a change is about."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        if change.after is not None:
            raise Gone(f"{change.kind.value} {change.name} is gone with its cluster")
        return Applied(changed=False)

    def look(self, change: Change, transaction: str) -> bool:
        return change.after is None


def vanished() -> Mapping[Kind, Handler]:
    """The handlers of all kinds of change that are inside of a cluster."""
    return {kind: VanishedHandler() for kind in Kind if kind.traits.service is Service.KUBERNETES}
