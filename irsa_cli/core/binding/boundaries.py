"""Rules for permissions boundaries: the default boundary of a role, and whether a role needs one.

Pure. Where the demands are written is in `irsa_cli.usecases.command.project_settings`; their order is flag,
entry, file, environment, `.irsa.yaml`. A default is only for a role without a boundary: it never replaces
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from irsa_cli.core.binding.spec import BindingSpec
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import BoundaryState
from irsa_cli.core.values.errors import Refused

Spec = TypeVar("Spec", bound=BindingSpec)
ALLOW_REMOVAL = "--allow-boundary-removal"


class BoundaryRequired(Refused):
    """Every role has to have a boundary, and one would have none: so it is wherever this is demanded."""


@dataclass(frozen=True)
class BoundaryRules:
    """The demands on one run.

    `default` is the boundary of roles for which none is named, '' for none; `required_by` says who demands
    that every role has one, '' where nobody does; `may_remove` is the user's word that one may go.
    """

    default: str = ""
    required_by: str = ""
    may_remove: bool = False

    def bound(self, spec: Spec) -> Spec:
        """The spec, with the default boundary if it has none; raises `Refused` if one is required."""
        if spec.attach_role_arn:
            return spec
        self.check_all_made([] if spec.permissions_boundary or self.default else [str(spec)])
        return replace(spec, permissions_boundary=spec.permissions_boundary or self.default)

    def check_all_made(self, without: Sequence[str]) -> None:
        """Raise `Refused` when there are any for which no boundary is named, and there must be one."""
        if not (self.required_by and without):
            return
        one = len(without) == 1
        raise BoundaryRequired(
            f"{without[0] if one else f'{len(without)} entries'}: no permissions boundary is set",
            reason=f"{self.required_by} requires one for every role",
            details=() if one else without,
            next_steps=(
                "set it with --permissions-boundary, permissionsBoundary in the file,"
                " IRSA_PERMISSIONS_BOUNDARY or .irsa.yaml",
            ),
        )

    def check_plan(self, plan: Plan, *, named: bool) -> None:
        """Refuse to remove a boundary without a flag, or to replace it by a default (unless `named`)."""
        going = [
            change
            for change in plan
            if change.kind is Kind.BOUNDARY
            and change.before is not None
            and (change.after is None or not named)
        ]
        required = self.required_by and any(change.after is None for change in going)
        if not going or (self.may_remove and not required):
            return
        what = f"role {going[0].target[0]} would lose its permissions boundary"
        details = [_line(change) for change in going]
        if required:
            reason = f"{self.required_by} requires one for every role"
            raise BoundaryRequired(what, reason=reason, details=details)
        raise Refused(
            what,
            reason="irsa removes a permissions boundary only with a flag",
            details=details,
            next_steps=(
                "to keep it, set it (--permissions-boundary, or permissionsBoundary in the entry)",
                f"to remove it, run this again with {ALLOW_REMOVAL}",
            ),
        )


def _line(change: Change) -> str:
    before, after = (
        state.arn if isinstance(state, BoundaryState) else "" for state in (change.before, change.after)
    )
    mark, arrow = ("~", f" -> {after}") if after else ("-", "")
    return f"{mark} {change.kind.value} {change.target[0]}: {before}{arrow}"
