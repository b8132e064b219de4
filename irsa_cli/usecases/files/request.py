"""What the user asked of `irsa apply` and `irsa diff`, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.config.model import Binding, Config, Selection
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.command.parallel import PARALLEL


@dataclass(frozen=True)
class Request:
    """What the user asked for. `target.cluster` is '' where the files name it."""

    configs: tuple[Config, ...]
    target: Target
    selection: Selection = field(default_factory=Selection)
    parallel: int = PARALLEL
    atomic: bool = False
    override: bool = False
    update_trust: bool = False
    update_target_trust: bool = False
    force: bool = False
    allow_wide_trust: bool = False
    verify: bool = False
    prune: bool = False
    """Whether bindings that irsa made here and no file lists are deleted."""
    changed_by: bool = False
    """Whether it is asked who has changed what differs."""
    max_failures: int | None = None
    """After so many failures nothing more is begun; None: however many."""
    boundary: str = ""
    """The permissions boundary of all roles, whatever the files say; '' leaves it to them."""
    boundaries: BoundaryRules = field(default_factory=BoundaryRules)

    def bounded(self) -> Request:
        """The request with the boundary that the user named in all entries that make a role."""
        configs = tuple(
            replace(config, bindings=tuple(self._bounded(item) for item in config.bindings))
            for config in self.configs
        )
        return replace(self, configs=configs)

    def _bounded(self, binding: Binding) -> Binding:
        if binding.attach_role_arn or not self.boundary:
            return binding
        return replace(binding, permissions_boundary=self.boundary)
