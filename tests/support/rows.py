"""One way to run a command, and rows of them: what is typed, how it ends, what it says, and what is changed.

    stage.run("create-sa app -n $ns --attach-policy-arn $S3", changes="+ sa web/app ...")

`$NAME` is a word of the stage (`words`). The cluster's option is added where a command has none. A row is
such a run with a sentence and with what was there before, as lines of commands or as a function.
"""

import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any, Protocol

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.exchange import Label
from tests.support import own_clock
from tests.support.ran import Ran
from tests.support.worlds import difference_of_lines, lines_of, tidy

WORDS = {
    "S3": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "SQS": "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",
    "SNS": "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess",
    "ADMIN": "arn:aws:iam::aws:policy/AdministratorAccess",
}
"""What every stage calls by a short name."""
_WITHOUT_CLUSTER = {
    *("lint", "config", "completion", "version", "history", "sandbox", "preflight", "apply"),
    *("repoint", "retire", "show"),
}
"""Commands that have no cluster's option, or take it from their file."""
Texts = str | Sequence[str]


class Stage(Protocol):
    """What commands are run on."""

    words: dict[str, str]
    cluster: str
    sandbox: Sandbox

    def irsa(self, *arguments: str, **options: Any) -> Ran:
        """Run irsa."""

    def world(self) -> Any:
        """All that it could leave behind."""


_LIMIT, _LEFT = 90.0, 2.0
"""The time limit in seconds, and what is left of it when it is almost over."""


class _TimeSkipper:
    """Lets time pass at the first call of that name."""

    def __init__(self, call: str) -> None:
        self._call = call
        self._began = time.monotonic()

    def __call__(self, label: Label) -> None:
        if f"{label.service} {label.operation}" == self._call:
            self._call = ""
            own_clock.skip(max(0.0, _LIMIT - _LEFT - (time.monotonic() - self._began)))


class Running:
    """The one way to run a command that is typed in one line."""

    words: dict[str, str]
    cluster: str
    sandbox: Sandbox

    def run(
        self: Stage,
        line: str,
        *,
        code: int | tuple[int, ...] = 0,
        says: Texts = (),
        silent: Texts = (),
        changes: Texts | None = None,
        time_ends_at: str = "",
        **options: Any,
    ) -> Ran:
        """Run a command and fail unless it ends so.

        `says` are texts that are printed, `silent` some that are not. `changes` are the lines of
        `worlds.difference`; None: anything. `time_ends_at`: a call at which the time limit is almost over,
        however long the run took until then; such a run takes no locks, which would be over, too.
        """
        if time_ends_at:
            line, options = f"{line} --timeout {_LIMIT:.0f}s", {**options, "IRSA_LOCK": "0"}
            self.sandbox.listen(_TimeSkipper(time_ends_at))
        # As lines at once: what a world is made of may change in place.
        before = None if changes is None else lines_of(self.world())
        ran = self.irsa(*arguments_of(self, line), **options)
        printed = f"{ran.err}\n{ran.out}"
        codes = code if isinstance(code, tuple) else (code,)
        assert ran.code in codes, f"{line}\nexit code {ran.code}, not {code}\n{printed}"
        for text in [says] if isinstance(says, str) else says:
            assert in_words(self, text) in printed, f"{line}\nis not said: {text}\n{printed}"
        for text in [silent] if isinstance(silent, str) else silent:
            assert in_words(self, text) not in printed, f"{line}\nis said: {text}\n{printed}"
        if before is not None:
            expected = tidy(
                in_words(self, "\n".join([changes] if isinstance(changes, str) else changes or ()))
            )
            changed = difference_of_lines(before, lines_of(self.world()))
            assert tidy(changed) == expected, f"{line}\n{printed}"
        return ran


def in_words(stage: Stage, text: str) -> str:
    """A text with the words of a stage in place of `$NAME`."""
    return Template(text).safe_substitute({**WORDS, "cluster": stage.cluster, **stage.words})


def arguments_of(stage: Stage, line: str) -> list[str]:
    """The words of a command line, with the cluster's option where it has none."""
    words = [in_words(stage, word) for word in shlex.split(line)]
    named = {"-c", "--cluster", "--issuer-url", "--all-clusters", "-f", "--file", "--help"}
    if words[0] in _WITHOUT_CLUSTER or any(word.partition("=")[0] in named for word in words):
        return words
    return [*words, "-c", stage.cluster]


@dataclass(frozen=True)
class Row:
    """A command: what is typed, how it ends, and what it says and changes (None: anything).

    `given` is what was there before: lines of commands, or a function of the stage. `document` are values in
    the JSON that is printed, by their path (`items.0.changes.0.kind`).
    """

    sentence: str
    line: str
    code: int = 0
    says: Texts = ()
    changes: Texts | None = ""
    silent: Texts = ()
    given: str | Callable[[Any], object] = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def play(self, stage: Any) -> Ran:
        """Make what was there before, and run the command."""
        prepare(stage, self.given)
        ran: Ran = stage.run(
            self.line,
            code=self.code,
            says=self.says,
            silent=self.silent,
            changes=self.changes,
            **self.options,
        )
        for path, value in self.document.items():
            assert at(ran.json, path) == value, path
        return ran


def play_all(stage: Any, played: Iterable[Row]) -> None:
    """Play rows one after the other in one world: for rows that change nothing."""
    for row in played:
        row.play(stage)


def prepare(stage: Any, given: str | Callable[[Any], object]) -> None:
    """Run lines of commands, each of which has to work, or call a function of the stage."""
    if not isinstance(given, str):
        given(stage)
        return
    for line in filter(None, map(str.strip, given.splitlines())):
        stage.run(line)


def at(document: Any, path: str) -> Any:
    """What is in a document under a path: keys and positions, with dots between them."""
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def rows(*played: Row) -> pytest.MarkDecorator:
    """Play each row as a case of its own: the test takes `row`, and calls `row.play(stage)`."""
    return pytest.mark.parametrize("row", played, ids=[row.sentence for row in played])
