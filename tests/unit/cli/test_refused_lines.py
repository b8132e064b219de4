"""Command lines that contradict themselves or are not clear: refused before any call, with exit code 2."""

from __future__ import annotations

import shlex

import pytest

from irsa_cli.cli.main import run

ISSUER = "--issuer-url https://issuer.example --account 111122223333"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("get-sa -A -n backend", "--all-namespaces"),
        ("get-sa App", "not a valid ServiceAccount name"),
        ("get-sa -n A", "not a valid namespace"),
        ("get-sa -o xml", "--output"),
        ("get-sa -o jsonpath={.kind}", "--output"),
        ("get-sa app -l a=b", "--selector"),
        ("get-sa -l ''", "--selector"),
        ("get-sa -l a=b=c", "--selector"),
        ("get-sa app --name other", "--name"),
        ("get-sa -q -v", "--quiet"),
        ("get-sa --iam-assume-role role", "--iam-assume-role"),
        (f"get-sa {ISSUER}", "--kubeconfig"),
        ("describe-sa", "NAME"),
        ("describe-sa App", "not a valid ServiceAccount name"),
        ("describe-sa app -n A", "not a valid namespace"),
        ("describe-sa app -o junit", "--output"),
        (f"describe-sa app {ISSUER}", "--kubeconfig"),
        ("doctor -A -n backend", "--all-namespaces"),
        ("doctor app -A", "--all-namespaces"),
        ("doctor app -l a=b", "--selector"),
        ("doctor pod/app --name app", "--name"),
        ("adopt -A -n backend", "--all-namespaces"),
        ("verify", "-A"),
        ("verify app -A", "-A"),
        ("verify -A -n backend", "--all-namespaces"),
        ("verify app -l a=b", "--selector"),
        ("verify -A --pod web-0", "--pod"),
        ("verify app --resource arn:aws:s3:::b", "--action"),
        ("verify app --action ''", "--action"),
        ("verify app --action s3:GetObject --action ,", "--action"),
        ("verify app --action s3", "SERVICE:ACTION"),
        ("verify app --action s3:*", "SERVICE:ACTION"),
        ("verify app --action s3:GetObject --resource bucket", "ARN"),
        ("verify app --call 's3 delete-bucket --bucket b'", "only read operations are tried"),
        ("verify app --call 's3 ls'", "ls"),
        ("verify app --call 's3 list-buckets --endpoint-url http://x'", "--endpoint-url"),
        ("verify app --chain role", "--chain"),
        ("verify app --iam-assume-role role", "--iam-assume-role"),
        ("verify App", "not a valid ServiceAccount name"),
        ("verify app -n A", "not a valid namespace"),
        ("verify app -o xml", "--output"),
        ("verify app -q -v", "--quiet"),
        (f"verify app {ISSUER}", "--kubeconfig"),
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
        ("policies show x", "no well-known policy 'x'"),
        ("policies show velero --param bucket=b", "no parameter 'bucket'"),
        ("policies show velero --param buckets", "expected PARAMETER=VALUE"),
        ("policies show velero --param buckets=a-b --param buckets=c-d", "given twice"),
        ("policies show velero --partition eu", "not a partition"),
        ("policies show velero -o table", "--output"),
        ("create-sa app --well-known-policy velero", "--well-known-policy"),
        ("create-sa app --well-known-policy Velero:buckets=a", "--well-known-policy"),
        ("create-sa app --well-known-policy externalDNS:hostedZones=x", "--well-known-policy"),
        ("create-sa app --well-known-policy autoScaler:a", "--well-known-policy"),
    ],
)
def test_a_line_that_is_not_clear_is_refused(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = shlex.split(line)
    where = [] if command == "policies" or "--issuer-url" in rest else ["-c", "demo"]
    assert run([command, *where, *rest]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


def test_the_options_of_the_command_of_exec_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exec", "--help", "--", "--nonsense"]) == 0
    assert "-- COMMAND..." in capsys.readouterr().out
