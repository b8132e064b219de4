"""The client's own record of reads that were refused or failed, as a part of every answer.

One rule holds for all commands that read: what was not read, and could change a line of the answer, is said
there, and the answer is not complete. It does not depend on what a command remembers to report. Each call of
AWS and Kubernetes passes one function, which keeps a record (`irsa_cli.core.values.patience`); what is on it
at the end is a gap of the answer, and by default it could change the answer and the exit code. "Not there"
is an answer. A failed read leaves the record if another one gives the same answer (`replaced`, at the place
that asks both). `OPTIONAL` declares the few reads that could change a line, and never a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

from irsa_cli.core.values.errors import IrsaError, ServiceError


@dataclass(frozen=True)
class OptionalRead:
    """A read without which no verdict is wrong; `line` is what it could add to an answer."""

    service: str
    operation: str
    line: str


_RUN = "the hint about a run of irsa that is under way"
OPTIONAL = (
    OptionalRead("cloudtrail", "LookupEvents", "the history of calls to STS, and hints from it"),
    OptionalRead("ec2", "DescribeInstances", "the hint about nodes that answer pods"),
    OptionalRead("kubernetes", "list networkpolicies", "the hint about NetworkPolicies"),
    OptionalRead("kubernetes", "get leases", _RUN),
    OptionalRead("kubernetes", "list leases", _RUN),
    OptionalRead("kubernetes", "get /openid/v1/jwks", "whether the issuer publishes the cluster's own keys"),
)
"""Docs: docs/reference/permissions.md, "What is optional"."""


@dataclass(frozen=True)
class UnreadCall:
    """A read that failed for good: what was asked, why it failed, and `line`, if it is an optional one.

    `operation` is its name in AWS (`GetRole`), or the resource in Kubernetes (`pods`).
    """

    what: str
    why: str = ""
    details: tuple[str, ...] = ()
    operation: str = ""
    line: str = ""

    @classmethod
    def of(cls, error: IrsaError) -> UnreadCall:
        """The call of an error on the record."""
        if not isinstance(error, ServiceError):
            return cls(error.message, error.reason)
        line = ""
        for optional in OPTIONAL:
            if (optional.service, optional.operation) == (error.service, error.operation):
                line = optional.line
        return cls(error.message, error.reason, error.details, error.operation.rpartition(" ")[2], line)

    @property
    def is_optional(self) -> bool:
        return bool(self.line)

    @property
    def text(self) -> str:
        """The read and why it failed, in one line."""
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text} (it could change {self.line})" if self.line else text

    def is_named_in(self, text: str) -> bool:
        """Whether a line of an answer says already that this was not read."""
        if f"{self.what}: {self.why}" in text:
            return True
        # Words of the service that do not say what it refused could be about another call.
        words = [word for word in (self.why, *self.details[:1]) if self.operation and self.operation in word]
        return any(word in text for word in words)
