"""What `exec` says when it can't keep the token; lines that are not clear: test_refused_lines.py."""

from types import SimpleNamespace
from typing import cast

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.trust.jwt import Lifetime
from irsa_cli.usecases.exec.run import Ready
from irsa_cli.usecases.read.identity import NamedServiceAccount, Token


def test_a_disk_that_is_full_is_told_and_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    account = SimpleNamespace(label="default/reader@demo")
    ready = Ready(cast(NamedServiceAccount, account), Injection(), Token("secret", Lifetime(0, 1)))
    monkeypatch.setattr(Ready, "make", lambda account: ready)
    monkeypatch.setattr("irsa_cli.cli.commands.exec_.account_of", lambda options, speaking: account)
    monkeypatch.setattr("tempfile.mkdtemp", full)
    assert run(["exec", "reader", "-c", "demo", "--", "true"]) == 1
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "TMPDIR" in told
