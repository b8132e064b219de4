"""Whether a role exists that an annotation in a file names, as far as the files are meant to define it.

A role can be defined elsewhere. So only three things show that it does not exist:

- a plan deletes it;
- a role of its name, which may trust the ServiceAccount, has another path or spelling in the files (a name is
  unique in an account, in upper and lower case);
- the files have roles for exactly this ServiceAccount, with other names, and no other ServiceAccount of its
  name, which would be the one of another cluster.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from irsa_cli.core.lint.found import LintedAccount, LintedDeletion, LintedTrust, has_gap, is_known
from irsa_cli.core.lint.judging import refuses
from irsa_cli.core.policies.statements import allowing, comparing, is_positive, tests_of
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT
from irsa_cli.core.values.arn import check_role
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.placeholders import placeholder


@dataclass(frozen=True)
class RolesOfFiles:
    """The trust policies in the files, and the roles that a plan deletes."""

    trusts: Sequence[LintedTrust]
    deletions: Sequence[LintedDeletion]
    accounts: Sequence[LintedAccount]

    def why_gone(self, account: LintedAccount) -> str:
        """How the files show that the role does not exist; '' if they do not."""
        arn = str(account.role)
        if not _is_role(arn) or any(arn in trust.known_as for trust in self.trusts):
            return ""
        for deletion in self.deletions:
            if deletion.role == arn:
                return f"which the plan deletes ({deletion.placed.place()})"
        full_name = account.namespace + account.name
        if not (account.namespace and account.name) or placeholder(full_name) or has_gap(full_name):
            return ""
        subject = f"{SERVICE_ACCOUNT}{account.namespace}:{account.name}"
        for trust in self.trusts:
            if _has_name(trust, arn) and not refuses(trust, subject):
                return _other_form(trust, arn)
        return self._other_name(account, subject)

    def _other_name(self, account: LintedAccount, subject: str) -> str:
        """The other roles for the ServiceAccount, if none of the files can be the one of the annotation."""
        meant = [trust for trust in self.trusts if subject in _subjects(trust)]
        if not meant or not all(_name_of(trust) for trust in meant):
            return ""
        nameless = [trust for trust in self.trusts if trust.known_as and not _name_of(trust)]
        if not all(refuses(trust, subject) for trust in nameless):
            return ""
        for other in self.accounts:
            same = (other.namespace, other.name) == (account.namespace, account.name)
            if same and any(str(other.role).endswith(f"/{_name_of(trust)}") for trust in meant):
                return ""
        first = meant[0]
        named = f"{_name_of(first)} ({first.placed.place()})"
        return f"which is in no file; the role there that trusts it is {named}"


def _is_role(arn: str) -> bool:
    try:
        check_role(arn)
    except InvalidInput:
        return False
    return is_known(arn) and not placeholder(arn)


def _has_name(trust: LintedTrust, arn: str) -> bool:
    """Whether a role of the files has the name of the ARN, whatever its path and spelling."""
    arns = [name for name in trust.known_as if name.startswith("arn:")]
    if arns and _account_of(arns[0]) != _account_of(arn):
        return False
    return _name_of(trust).lower() == arn.rpartition("/")[2].lower()


def _account_of(arn: str) -> str:
    return ":".join(arn.split(":")[:5])


def _name_of(trust: LintedTrust) -> str:
    """The name of a role in the files; '' if it is not known."""
    for known_as in trust.known_as:
        name = known_as.rpartition("/")[2] if known_as.startswith("arn:") else known_as
        if not has_gap(name) and " " not in name:
            return name
    return ""


def _other_form(trust: LintedTrust, arn: str) -> str:
    """How the role of this name differs in the files; '' if it does not, or its path is not known."""
    place = trust.placed.place()
    path, _, name = f"/{arn.partition(':role/')[2]}".rpartition("/")
    if _name_of(trust) != name:
        return f"whose name is {_name_of(trust)} in the files ({place})"
    if trust.path is not None and trust.path != f"{path}/":
        return f"whose path is {trust.path} in the files ({place})"
    return ""


def _subjects(trust: LintedTrust) -> Iterator[str]:
    """The subjects that Allow statements list in full."""
    if not isinstance(trust.document, dict):
        return
    for _, statement in allowing(trust.document):
        for operator, key, values in tests_of(statement):
            if key.lower().endswith(":sub") and is_positive(operator) and comparing(operator) is not None:
                yield from values
