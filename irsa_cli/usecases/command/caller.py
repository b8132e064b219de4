"""The caller and the target cluster, and the options that name them in proposed commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from irsa_cli.aws.session import AwsSession, WireLog
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import ProjectExpectations, Reach
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, ServiceError


@contextmanager
def naming_caller(caller: Callable[[str], str]) -> Iterator[None]:
    """Add the caller's identity to errors about missing permissions; `caller` knows it by account."""
    try:
        yield
    except ServiceError as error:
        named = _named(error, caller)
        if named is error:
            raise
        raise named from error


def with_caller(error: Exception | None, caller: Callable[[str], str]) -> Exception | None:
    """The error; one of AWS that says that a permission is missing, with the caller's identity."""
    return _named(error, caller) if isinstance(error, ServiceError) else error


def _named(error: ServiceError, caller: Callable[[str], str]) -> ServiceError:
    if error.status != 403 or error.service == "kubernetes":
        return error
    identity = caller(error.account)
    if not identity or f"caller: {identity}" in error.details:
        return error
    return error.but(details=(*error.details, f"caller: {identity}"))


def check_partitions(arns: Iterable[str], aws: AwsSession) -> None:
    """Raise `InvalidInput` for an ARN of another partition: the region tells it before any call."""
    for text in arns:
        if text and Arn.parse(text).partition != aws.partition:
            same = ":".join(("arn", aws.partition, *text.split(":")[2:]))
            raise InvalidInput(
                f"{text} is in another partition than region {aws.region}", next_steps=(f"use {same}",)
            )


@dataclass(frozen=True)
class AccountAccess:
    """Access to another account; `flag` is the first word of its options.

    A role is assumed with the profile's credentials. Without `account`, it is that of the credentials.
    """

    flag: str
    account: str
    assume_role: str = ""
    profile: str = ""

    @property
    def options(self) -> str:
        """The options that name it, to be pasted."""
        return _given(
            {f"--{self.flag}-assume-role": self.assume_role, f"--{self.flag}-profile": self.profile}
        )

    def check(self, aws: AwsSession) -> None:
        """Raise `InvalidInput` for what can't be that account's, as far as that is known before any call."""
        check_partitions([self.assume_role], aws)
        account = Arn.parse(self.assume_role).account if self.assume_role else self.account
        if account != self.account:
            raise InvalidInput(
                f"--{self.flag}-assume-role names a role of account {account}",
                reason=f"expected account {self.account}",
            )

    def open(self, aws: AwsSession, profile: str | None, log: WireLog) -> AwsSession:
        """The session; raises if it is of another account. `aws` and `profile` are the cluster's."""
        try:
            session = AwsSession(
                profile=self.profile or profile, region=aws.region, log=log, account=self.account
            )
            named = session.configured_region if self.profile else ""
            if named and session.partition_of(named) != aws.partition:
                raise InvalidInput(
                    f"profile {self.profile} belongs to another partition than the cluster",
                    reason=f"it names region {named}, and the cluster is in partition {aws.partition}",
                )
            if self.assume_role:
                session.become(self.assume_role)
            identity = session.identity()
        except IrsaError as error:
            access = f"credentials for account {self.account}: {self.options or 'those of this run'}"
            access = access if self.account else f"credentials: {self.options}"
            raise error.but(details=(*error.details, access)) from error
        found = Arn.parse(identity).account
        session.account = self.account or found
        if self.account not in ("", found):
            raise Refused(
                f"the credentials for account {self.account} belong to account {found}",
                reason=identity,
                next_steps=(
                    f"add --{self.flag}-profile PROFILE, or"
                    f" --{self.flag}-assume-role arn:{aws.partition}:iam::{self.account}:role/ROLE",
                ),
            )
        return session


EXPECT_ACCOUNT = "--expect-account"


@dataclass(frozen=True)
class Target:
    """Which cluster, as whom. `issuer_url` and `account` stand for a cluster that isn't EKS."""

    cluster: checked.ClusterNameIfAny
    region: checked.Region | None = None
    profile: checked.Profile | None = None
    assume_role: checked.RoleArn | None = None
    kubeconfig: str | None = None
    context: str | None = None
    issuer_url: checked.IssuerUrl | None = None
    account: checked.AccountId | None = None
    role_account: checked.AccountId | None = None
    """The account of roles and OIDC provider, if it is not the cluster's; access to it:"""
    role_assume_role: checked.RoleArn | None = None
    role_profile: checked.Profile | None = None
    target_account: checked.AccountId | None = None
    """The account of the role that a ServiceAccount's role may assume; how its trust policy is reached:"""
    target_assume_role: checked.RoleArn | None = None
    target_profile: checked.Profile | None = None
    expect_account: checked.AccountId = field(default="", compare=False)
    """The account that the cluster has to be in; '' for any."""
    expected_by: str = field(default=EXPECT_ACCOUNT, compare=False)
    """The flag that expects it, or the place of the document."""
    expect_clusters: tuple[checked.ClusterArn, ...] = field(default=(), compare=False)
    """The ARNs of the clusters of which it has to be one; none for any."""
    expect_project: Callable[[], ProjectExpectations] = field(
        default=ProjectExpectations, compare=False, repr=False
    )
    """Reads what the project expects; see `irsa_cli.usecases.command.project_settings`."""
    tell_region: Callable[[str], None] | None = field(default=None, compare=False, repr=False)
    """Receives the other region of the cluster; None if irsa does not search other regions."""
    yields: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Attributes that no flag gave: what files name goes before them."""
    asks_caller: bool = field(default=False, compare=False, repr=False)
    """Whether AWS is asked who the caller is, for the head, while it is asked for the cluster."""
    meant: tuple[str, str] = field(default=("", ""), compare=False, repr=False)
    """ARN and server of a cluster that a kubeconfig context names; '' if unknown."""

    @property
    def role_way(self) -> AccountAccess | None:
        """Access to the account of the roles, if it is not the cluster's."""
        if not self.role_account and not self.role_profile:
            return None
        assumed = self.role_assume_role or ""
        profile = self.role_profile or ""
        return AccountAccess("role", self.role_account or "", assumed, profile)

    @property
    def target_way(self) -> AccountAccess | None:
        """Access to the account of the target role, if irsa needs it."""
        role = self.target_assume_role or ""
        profile = self.target_profile or ""
        account = self.target_account or (Arn.parse(role).account if role else "")
        return AccountAccess("target", account, role, profile) if role or profile else None


TARGET_KEYS = tuple(item.name for item in fields(Target) if item.compare)
"""The attributes of a target in a journal: these names are in files and stay."""


def written_target(target: Target) -> dict[str, str | None]:
    """A target in the form of a journal."""
    return {key: getattr(target, key) for key in TARGET_KEYS}


_SHORT = {"cluster": "-c", "region": "-r", "profile": "-p"}
_PASTED = {
    name: _SHORT.get(name, f"--{name.replace('_', '-')}")
    for name in (
        *(*_SHORT, "assume_role", "issuer_url", "account", "role_account", "role_assume_role"),
        *("role_profile", "target_assume_role", "target_profile", "kubeconfig", "context"),
    )
}


def pasted_options(target: Target) -> str:
    """The options by which the user named the cluster, to be pasted."""
    unnamed = "cluster" if target.issuer_url else ""
    return _given({flag: getattr(target, name) for name, flag in _PASTED.items() if name != unnamed})


def reach_of(target: Target) -> Reach:
    """The same for each tool that irsa proposes commands of, as far as it has such options."""
    return Reach(
        pasted_options(target),
        kubectl_options=_given({"--kubeconfig": target.kubeconfig, "--context": target.context}),
        aws_options=_given({"--profile": target.profile}),
        assumed=target.assume_role or "",
    )


def _given(flags: Mapping[str, str | None]) -> str:
    return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in flags.items() if value)
