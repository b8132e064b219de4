"""Commands in this process: of many questions, each is answered in a fraction of a second."""

import contextlib
import io
import json
import os
import signal
from dataclasses import dataclass
from unittest import mock

from irsa_cli.cli.main import run
from tests.support.stage import Json, Stage


@dataclass(frozen=True)
class Answer:
    """What a command in this process said."""

    code: int
    document: Json
    text: str


def ask(stage: Stage, line: str, **env: str) -> Answer:
    """Run a command of JSON in this process, and fail for what irsa calls a bug of its own."""
    out, err = io.StringIO(), io.StringIO()
    terminate = signal.getsignal(signal.SIGTERM)
    with (
        mock.patch.dict(os.environ, {**stage.env(), **env}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run([*line.split(), "-o", "json", "-q"])
    signal.signal(signal.SIGTERM, terminate)
    text = out.getvalue() + err.getvalue()
    assert "a bug in irsa" not in text, text[text.index("a bug in irsa") :][:2000]
    return Answer(code, json.loads(out.getvalue()), text)
