"""The command lines of `exec`, `token` and `credentials`: what is not clear is refused before any call."""

from types import SimpleNamespace
from typing import cast

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.trust.jwt import Lifetime
from irsa_cli.usecases.exec.run import Ready
from irsa_cli.usecases.read.identity import NamedServiceAccount, Token


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exec reader --", "COMMAND"),
        ("exec reader", "COMMAND"),
        ("exec reader true", "put --"),
        ("exec reader true -- false", "put --"),
        ("exec -- true", "NAME"),
        ("exec Reader -- true", "ServiceAccount name"),
        ("exec reader -q -v -- true", "contradict"),
        ("exec reader --decode -- true", "--decode"),
        ("exec reader --pass-env AWS_SECRET_ACCESS_KEY -- true", "would replace"),
        ("exec reader --pass-env aws_profile -- true", "would replace"),
        ("exec reader --pass-env AWS_ROLE_ARN -- true", "would replace"),
        ("exec reader --pass-env A=B -- true", "not the name"),
        ("token", "NAME"),
        ("token reader --duration 9m", "--duration"),
        ("token reader --duration 25h", "--duration"),
        ("token reader --audience a --audience b", "more than once"),
        ("credentials reader --duration 14m", "--duration"),
        ("credentials reader --duration 13h", "--duration"),
        ("credentials reader --output xml", "--output"),
    ],
)
def test_a_line_that_is_not_clear_is_refused(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = line.split()
    assert run([command, "-c", "demo", *rest]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


def test_the_options_of_the_command_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exec", "--help", "--", "--nonsense"]) == 0
    assert "-- COMMAND..." in capsys.readouterr().out


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
