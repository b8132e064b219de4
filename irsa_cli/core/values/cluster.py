"""The cluster of a run as a value, and how commands that are proposed reach it: by the options given."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import datetime

from irsa_cli.core.values.errors import UnexpectedCluster
from irsa_cli.core.values.shown import caller_name, head


@dataclass(frozen=True)
class Cluster:
    """The cluster as IAM needs to know it. `arn` is the issuer URL for a cluster that isn't EKS.

    `role_account` is the account for a run's roles and OIDC provider, if that is not the
    cluster's own; `role_way` are the options by which the run reaches it, to be pasted.
    """

    name: str
    arn: str
    region: str
    partition: str
    account: str
    issuer: str
    role_account: str = ""
    role_way: str = field(default="", compare=False)
    caller: str = field(default="", compare=False)
    """The caller's ARN, if known; `role_caller` is that in `role_account`."""
    role_caller: str = field(default="", compare=False)
    seen: datetime | None = field(default=None, compare=False)
    """When the run reached the cluster (UTC)."""

    @property
    def full_name(self) -> str:
        """The name that tells it, and the account of its roles, from others."""
        roles = f"roles in {self.home}" if self.home != self.account else ""
        unreached = "" if self.arn else "not reached"
        return f"{self.name} ({', '.join(filter(None, (self.region, self.account, roles, unreached)))})"

    @property
    def place(self) -> str:
        """The cluster with its region and account, for questions."""
        other = f" as {caller_name(self.role_caller)}" if self.role_caller not in ("", self.caller) else ""
        roles = f"roles in account {self.home}{other}" if self.home != self.account else ""
        return head(self.name, self.region, f"account {self.account}", roles)

    @property
    def head(self) -> str:
        return head(self.place, caller=self.caller, at=self.seen)

    @property
    def home(self) -> str:
        """The account of the roles and the OIDC provider: what is IAM's of a run is there."""
        return self.role_account or self.account

    @property
    def home_option(self) -> str:
        """The options that name its account and reach it, with a space before them, to be pasted; or ''."""
        if self.home == self.account:
            return ""
        return f" --role-account {self.home} {self.role_way}".rstrip()

    @property
    def options(self) -> str:
        """The options that name it, for commands to paste."""
        return f"-c {self.name} -r {self.region}{self.home_option}"

    def in_account(self, account: str) -> str:
        """How to run a command for roles in this account."""
        if account == self.account:
            return "run this again without --role-account: the role is in the cluster's account"
        return f"run this again with --role-account {account}, and --role-assume-role or --role-profile"


@dataclass(frozen=True)
class Reach:
    """The options that commands to paste need, ready for a shell; '' where the tool's own defaults do.

    `irsa`, `kubectl` and `aws` are those of each tool. `assumed` is the role of --assume-role:
    the AWS CLI has no option for that, so it is added as a comment.
    """

    irsa: str = ""
    kubectl_options: str = ""
    aws_options: str = ""
    assumed: str = ""

    def for_irsa(self, command: str, more: str = "") -> str:
        """An irsa command about the same cluster; `more` are arguments that follow the options."""
        return _joined("irsa", command, self.irsa, more)

    def kubectl(self, command: str, namespace: str = "") -> str:
        """A kubectl command for the same cluster, in a namespace if one is given."""
        where = f"-n {shlex.quote(namespace)}" if namespace else ""
        return _joined("kubectl", self.kubectl_options, where, command)

    def plugin(self, command: str, namespace: str) -> str:
        """A command of a plugin of kubectl, which takes kubectl's options after its own name."""
        return _joined("kubectl", command, f"-n {shlex.quote(namespace)}", self.kubectl_options)

    def aws(self, command: str, region: str = "") -> str:
        """A command of the AWS CLI as the same caller, in a region if one is given."""
        where = f"--region {shlex.quote(region)}" if region else ""
        by = f" # as {shlex.quote(self.assumed)}" if self.assumed else ""
        return _joined("aws", command, where, self.aws_options) + by


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


PLAIN = Reach()
"""By what each tool does without options."""


@dataclass(frozen=True)
class ProjectExpectations:
    """The account and the cluster's ARN that a project expects, '' for any; `places` are in `.irsa.yaml`."""

    account: str = ""
    cluster_arn: str = ""
    places: tuple[str, str] = ("", "")

    def check(self, cluster: Cluster, *, account: bool, arn: bool) -> None:
        """Raise `UnexpectedCluster` for a cluster that the project does not expect; flags override it."""
        for name, place, wanted, got, counts in (
            ("expectAccount", self.places[0], self.account, cluster.account, account),
            ("expectClusterARN", self.places[1], self.cluster_arn, cluster.arn, arn),
        ):
            if counts and wanted and wanted != got:
                raise UnexpectedCluster(
                    f"cluster {cluster.name} is not the expected one",
                    reason=f"it is {got}, and {name} in {place} says {wanted}",
                    next_steps=("check the cluster's name, the credentials, the profile and the region",),
                )
