"""The kinds of values of options: what a text becomes, and what is refused before anything is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from irsa_cli.cli.help.helping import DOCUMENT
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.limits import seconds_of

T = TypeVar("T")

if TYPE_CHECKING:
    ValueKind = click.ParamType[T]
    _Path = click.Path[str]
else:  # click's own classes take no type before version 8.4.
    _Path = click.Path

    class ValueKind(click.ParamType, Generic[T]):
        """A kind of value, which becomes a `T`."""


EMPTY = "it is empty (is a variable not set?)"


def check_filled(kind: click.ParamType[Any], value: object, parameter: click.Parameter | None) -> None:
    """Fail for an empty text: it comes from a variable that is not set."""
    if not str(value).strip(" ,"):
        kind.fail(EMPTY, parameter)


class Text(ValueKind[str]):
    """A text that is not empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        check_filled(self, value, param)
        return str(value)


class NewPath(_Path):
    """The name of a file or folder that need not exist, and is not empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        check_filled(self, value, param)
        return path


class PolicyFile(_Path):
    """The name of a file with a policy document, or `-`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse a document."""
        if str(value).lstrip().startswith("{"):
            self.fail(DOCUMENT, param, ctx)
        return super().convert(value, param, ctx)


class Checked(ValueKind[T]):
    """A text that a function of `irsa_cli.core.values` checks and converts."""

    def __init__(self, name: str, check: Callable[[str], T]) -> None:
        self.name = name
        self.check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Check the value; the rule's message becomes click's error."""
        try:
            return self.check(value)
        except InvalidInput as error:
            self.fail(self._message(error, str(value)), param, ctx)

    def _message(self, error: InvalidInput, value: str) -> str:
        """The rule's message, or a better one for a frequent mistake."""
        often_listed = (names.service_account, names.namespace, names.cluster)
        is_name = re.fullmatch(r"[\w+=.@-]+", value)
        if not value.strip():
            return EMPTY
        if self.check in often_listed and re.search(r"[,\s]", value.strip()):
            return f"'{value}' is a list; give one {self.name}"
        if value.startswith(("arn:", "system:")) and self.name == "name":
            return f"'{value}' is not a name; give the name only"
        if self.check in (arn.check_role, arn.check_target) and is_name:
            return f"'{value}' is not an ARN. To find it: aws iam get-role --role-name {value}"
        if self.check == arn.check_policy and is_name:
            return f"'{value}' is not an ARN. For a policy of AWS: arn:aws:iam::aws:policy/{value}"
        return str(error)


class Duration(ValueKind[float]):
    """Seconds, or a duration as Go writes it (`90s`, `25m`, `1h30m`); converted to seconds."""

    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        """`zero` allows 0."""
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        total = _seconds(self, value, param, ctx)
        if not 0 < total <= 86400 and not (self._zero and total == 0):
            self.fail(f"'{value}' is not between 0 and 24 hours", param, ctx)
        return total


class WholeSeconds(ValueKind[int]):
    """A duration of whole seconds, from the shortest to the longest."""

    name = "duration"

    def __init__(self, least: str, most: str) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        total = _seconds(self, value, param, ctx)
        least = seconds_of(self._least) or 0.0
        most = seconds_of(self._most) or 0.0
        if not least <= total <= most or total != int(total):
            self.fail(f"'{value}' is not between {self._least} and {self._most}", param, ctx)
        return int(total)


def _seconds(
    kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> float:
    total = seconds_of(str(value))
    if total is None:
        kind.fail(f"'{value}' is not a duration (examples: 90s, 25m, 1h30m)", param, ctx)
    return total


class Age(ValueKind[float]):
    """A duration of days (`30d`), or one as Go writes it; converted to seconds, at `least` so many."""

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the duration."""
        days = re.fullmatch(r"([0-9]{1,4})d", str(value), re.ASCII)
        total = int(days[1]) * 86400.0 if days else seconds_of(str(value))
        if total is None:
            self.fail(f"'{value}' is not a duration (examples: 30d, 36h, 90m)", param, ctx)
        if total < self._least:
            self.fail(f"'{value}' is less than {self._least / 3600:.0f}h", param, ctx)
        return total


TEXT = Text()
ACCOUNT_ID = Checked("id", arn.check_account)
AUDIENCE = Checked("audience", names.audience)
CLUSTER = Checked("name", names.cluster)
DURATION = Duration()
DURATION_OR_ZERO = Duration(zero=True)
NAMESPACE = Checked("namespace", names.namespace)
POLICY_ARN = Checked("arn", arn.check_policy)
ROLE_ARN = Checked("arn", arn.check_role)
ROLE_NAME = Checked("name", names.role)
SERVICE_ACCOUNT = Checked("name", names.service_account)

FILE: click.ParamType[str] = click.Path(exists=True, dir_okay=False)
FILE_OR_FOLDER: click.ParamType[str] = click.Path(exists=True)
FOLDER: click.ParamType[str] = NewPath(file_okay=False)
NEW_FILE: click.ParamType[str] = NewPath(dir_okay=False)
POLICY_FILE: click.ParamType[str] = PolicyFile(exists=True, dir_okay=False, allow_dash=True)
