"""How commands that are proposed reach what was looked at: with the options of the command that was run.

Which options a user gave is `irsa_cli.usecases.command.pasting`'s business.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """The options that commands to paste need, ready for a shell; '' where the tool's own defaults do.

    `irsa`, `kubectl` and `aws` are those of each tool. `assumed` is the role that irsa was told to assume:
    the AWS CLI has no option for that, so it is said beside the command.
    """

    irsa: str = ""
    kubectl_options: str = ""
    aws_options: str = ""
    assumed: str = ""

    def for_irsa(self, command: str, more: str = "") -> str:
        """An irsa command about the same cluster; `more` are arguments that follow the options."""
        return _joined("irsa", command, self.irsa, more)

    def kubectl(self, command: str, namespace: str = "") -> str:
        """A kubectl command for the same cluster, in a namespace where one is given."""
        where = f"-n {shlex.quote(namespace)}" if namespace else ""
        return _joined("kubectl", self.kubectl_options, where, command)

    def plugin(self, command: str, namespace: str) -> str:
        """A command of a plugin of kubectl, which takes kubectl's options after its own name."""
        return _joined("kubectl", command, f"-n {shlex.quote(namespace)}", self.kubectl_options)

    def aws(self, command: str, region: str = "") -> str:
        """A command of the AWS CLI as the same caller, in a region where one is given."""
        where = f"--region {shlex.quote(region)}" if region else ""
        by = f" # as {shlex.quote(self.assumed)}" if self.assumed else ""
        return _joined("aws", command, where, self.aws_options) + by


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


PLAIN = Reach()
"""By what each tool does without options."""
