"""The options of `irsa verify`: what contradicts is refused before any call, with exit code 2."""

from __future__ import annotations

import pytest

from irsa_cli.cli.main import run


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), "-A"),
        (("app", "-A"), "-A"),
        (("-A", "--pod", "web-0"), "--pod"),
        (("app", "--resource", "arn:aws:s3:::b"), "--action"),
        (("app", "--action", ""), "--action"),
        (("app", "--action", "s3:GetObject", "--action", ","), "--action"),
        (("app", "--action", "s3"), "SERVICE:ACTION"),
        (("app", "--action", "s3:*"), "SERVICE:ACTION"),
        (("app", "--action", "s3:GetObject", "--resource", "bucket"), "ARN"),
        (("app", "--call", "s3 delete-bucket --bucket b"), "only read operations are tried"),
        (("app", "--call", "s3 ls"), "ls"),
        (("app", "--call", "s3 list-buckets --endpoint-url http://x"), "--endpoint-url"),
        (("app", "--chain", "role"), "--chain"),
        (("app", "--iam-assume-role", "role"), "--iam-assume-role"),
        (("App",), "not a valid ServiceAccount name"),
        (("app", "-n", "A"), "not a valid namespace"),
        (("app", "-o", "xml"), "--output"),
        (("app", "-q", "-v"), "--quiet"),
        (("app", "--issuer-url", "https://issuer.example", "--account", "111122223333"), "--kubeconfig"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = () if "--issuer-url" in arguments else ("-c", "demo")
    assert run(["verify", *arguments, *cluster]) == 2
    assert names in capsys.readouterr().err
