"""The cluster of a run as a value. Reading it is in `irsa_cli.usecases.command.connect`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cluster:
    """The cluster as IAM needs to know it. `arn` is the issuer URL for a cluster that isn't EKS.

    `role_account` is the account that a run keeps roles and the OIDC provider in, where that is not the
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
        """How a command is told that the roles are in this account."""
        if account == self.account:
            return "run this again without --role-account: that is the cluster's own"
        return f"run this again with --role-account {account}, and --role-assume-role or --role-profile"
