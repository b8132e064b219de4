"""One run of a schedule that ended, and what its exit code says; what it is worth is judged elsewhere."""

from dataclasses import dataclass
from enum import Enum

from tests.faults.desired_states import DesiredState
from tests.faults.judge import INCOMPLETE, Ending

TAKEN_BACK = (1, 4, 5, 130, 143)


class Fate(Enum):
    """How a run ended, as far as its exit code tells."""

    WON = "won"
    CLEAN = "clean"
    """A failure that says that all was taken back."""
    NAMED = "named"
    """Exit 3: something is left, and named."""
    CUT = "cut off"
    """Killed by us."""
    STUCK = "stuck"
    SENSELESS = "senseless"
    """A bug, an exit code that promises nothing, or leftovers without the command that repairs them."""


@dataclass(frozen=True)
class Ran:
    """One run that ended. `struck`: a fault that was meant for it, or a signal, hit it.

    `marks` are the ids of its transactions as far as they are known, `caller` its access key.
    """

    desired: DesiredState
    ending: Ending
    struck: bool = False
    killed: bool = False
    marks: frozenset[str] = frozenset()
    caller: str = ""
    began: float = 0.0
    """When its first call began, as `Call` tells time."""
    ended: float = float("inf")
    waited: float | None = None
    """For how many seconds it says to have waited in vain for another run's lock."""
    met_the_end: bool = False
    """Whether it says that its namespace is being deleted: a real one ends some time after it was told to."""

    @property
    def fate(self) -> Fate:
        """How it ended."""
        code = self.ending.code
        if code is None:
            return Fate.STUCK
        if self.killed and code < 0:
            return Fate.CUT
        if self.ending.crashed:
            return Fate.SENSELESS
        if code == 0:
            return Fate.WON
        if code in TAKEN_BACK or (self.struck and code in (-2, -15)):
            return Fate.CLEAN
        named = len(self.ending.left) == len(self.ending.repairs) > 0 and all(self.ending.repairs)
        return Fate.NAMED if code == INCOMPLETE and named else Fate.SENSELESS
