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
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import Refused

Spec = TypeVar("Spec", bound=BindingSpec)


class BoundaryRequired(Refused):
    """Every role has to have a boundary, and one would have none: so it is wherever this is demanded."""


@dataclass(frozen=True)
class BoundaryRules:
    """The demands on one run.

    `default` is the boundary of roles for which none is named, '' for none; `required_by` says who demands
    that every role has one, '' where nobody does; `may_remove` is the user's word that one may go.
    """

    default: checked.PolicyArn = ""
    required_by: str = ""
    may_remove: bool = False

    def bound(self, spec: Spec) -> Spec:
        """The spec, with the default boundary if it has none; raises `Refused` if one is required."""
        if spec.attach_role_arn:
            return spec
        self.check_all_made([] if spec.permissions_boundary or self.default else [str(spec)])
        return replace(spec, permissions_boundary=spec.permissions_boundary or self.default)

    def check_all_made(self, without: Sequence[str], *, field: str = "permissionsBoundary") -> None:
        """Raise `Refused` when there are any for which no boundary is named, and there must be one.

        `field`: its name in the file.
        """
        if not (self.required_by and without):
            return
        one = len(without) == 1
        raise BoundaryRequired(
            f"{without[0] if one else f'{len(without)} entries'}: no permissions boundary is set",
            reason=f"{self.required_by} requires one for every role",
            details=() if one else without,
            next_steps=(
                f"set it with --permissions-boundary, {field} in the file,"
                " IRSA_PERMISSIONS_BOUNDARY or .irsa.yaml",
            ),
        )
