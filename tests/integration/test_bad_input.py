"""What bad input gets: exit code 2 before the first call, and one message with the flag and the rule."""

import json
import shlex
from pathlib import Path

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Sandbox
from tests.support.stage import READ_ONLY

LONG_POLICY = json.dumps(
    {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::" + "x" * 10_300}]}
)
POLICIES = {
    "broken.json": '{"Version": "2012-10-17",\n  "Statement": [}',
    "list.json": "[]",
    "twice.json": '{"Statement": [], "Statement": []}',
    "empty.json": '{"Version": "2012-10-17", "Statement": []}',
    "version.json": '{"Version": "2020-01-01", "Statement": {"Effect": "Deny", "Action": "*"}}',
    "trust.json": '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}',
    "effect.json": '{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}',
    "resource.json": '{"Statement": {"Effect": "Allow", "Action": "*"}}',
    "typo.json": '{"Statement": {"Effect": "Allow", "Actions": "*", "Resource": "*"}}',
    "large.json": LONG_POLICY,
}

CASES = (
    ("Reader", "Did you mean", "ServiceAccount name"),
    ("a_b", "Did you mean", "ServiceAccount name"),
    ("-n My.Namespace reader", "Did you mean", "lower-case"),
    ("-n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx reader", "--namespace", "63"),
    ("", "NAME", "Missing"),
    ("reader --name other", "--name", "twice"),
    ("reader -n one -n two", "--namespace", "more than once"),
    ("reader --attach-policy-arn 'a b'", "--attach-policy-arn", "ARN or the name"),
    ("reader --attach-policy-arn arn:aws:iam::123:policy/x", "--attach-policy-arn", "ARN"),
    ("reader --attach-policy-arn arn:aws:iam::aws:role/x", "--attach-role-arn", "managed policy"),
    ("reader --attach-policy-arn arn:aws-cn:iam::aws:policy/x", "arn:aws-cn:iam::aws:policy/x", "partition"),
    ("reader --attach-role-arn arn:aws:iam::111122223333:user/x", "--attach-role-arn", "role"),
    ("reader --attach-role-arn arn:aws:iam::111122223333:role/x --tags a=b", "--tags", "contradict"),
    ("reader --update-trust", "--update-trust", "--attach-role-arn"),
    (
        "reader --role-name xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "--role-name",
        "64",
    ),
    ("reader --role-name 'a b'", "--role-name", "role name"),
    ("reader --role-path teams", "--role-path", "/"),
    ("reader --role-path /a//b/", "--role-path", "empty"),
    ("reader --tags aws:x=y", "aws:x", "reserved"),
    ("reader --tags irsa/x=y", "irsa/x", "reserved"),
    ("reader --tags a=b,A=c", "A", "the same"),
    ("reader --tags a", "--tags", "KEY=VALUE"),
    ("reader --tags a=1 --tags a=2", "--tags", "twice"),
    ("reader --label 'a=not valid'", "label", "not valid"),
    ("reader --label -a=b", "label", "label key"),
    ("reader --annotation eks.amazonaws.com/role-arn=x", "eks.amazonaws.com/role-arn", "flag"),
    ("reader --max-session-duration 60", "--max-session-duration", "1h"),
    ("reader --token-expiration 60", "--token-expiration", "10m"),
    ("reader --description '☃'", "--description", "Latin-1"),
    ("reader --subject-pattern a:b", "subject pattern", "wildcards"),
    ("reader --permissions-boundary x", "--permissions-boundary", "ARN"),
    ("reader --timeout soon", "--timeout", "duration"),
    ("reader --role-only --verify", "--verify", "--role-only"),
    ("reader --detailed-exitcode", "--detailed-exitcode", "--dry-run"),
    ("reader -q -v", "--quiet", "contradict"),
    ("reader -f cluster.yaml", "-f", "irsa apply -f cluster.yaml -c demo"),
    ("reader --account 111122223333", "--account", "--issuer-url"),
    ("reader --issuer-url http://x.example.com", "--issuer-url", "https"),
    ("reader --inline-policy missing.json", "--inline-policy", "does not exist"),
    ("reader --inline-policy broken.json", "--inline-policy", "line 2, column 17"),
    ("reader --inline-policy list.json", "--inline-policy", "object"),
    ("reader --inline-policy twice.json", "--inline-policy", "twice"),
    ("reader --inline-policy empty.json", "--inline-policy", "no Statement"),
    ("reader --inline-policy version.json", "--inline-policy", "2012-10-17"),
    ("reader --inline-policy trust.json", "--inline-policy", "Principal"),
    ("reader --inline-policy effect.json", "--inline-policy", "Allow or Deny"),
    ("reader --inline-policy resource.json", "--inline-policy", "Resource"),
    ("reader --inline-policy typo.json", "--inline-policy", "Actions"),
    ("reader --inline-policy large.json", "--inline-policy", "10240"),
    ("x" * 254, "NAME", "253"),
    ("reader --tags " + ",".join(f"k{i}=v" for i in range(48)), "48", "50"),
    (
        "reader" + "".join(f" --attach-policy-arn $S3{number}" for number in range(21)),
        "--attach-policy-arn",
        "20",
    ),
)


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox's environment, and a folder with policy files."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    for name, text in POLICIES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return sandbox


OIDC = (
    ("--thumbprint xyz", "--thumbprint"),
    ("--audience 'two words'", "--audience"),
    ("--tags a", "--tags"),
    ("--issuer-url https://example.com:8443/x --account 111122223333", "--issuer-url"),
    ("--issuer-url https://example.com/x", "--account"),
    ("--issuer-url https://example.com/x --account 1", "--account"),
    ("--region a --region b", "--region"),
    ("--cluster 'a b'", "--cluster"),
)


def test_bad_input_ends_before_the_first_call(here: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    oidc = [(f"associate-oidc {line}", names, "") for line, names in OIDC]
    for line, names, rule in (*((f"create-sa {line}", *said) for line, *said in CASES), *oidc):
        cluster = "" if "--cluster" in line else "-c demo"
        assert run(shlex.split(f"{line} {cluster}".replace("$S3", READ_ONLY))) == 2, line
        shown = capsys.readouterr()
        assert names in shown.err, line
        assert rule in " ".join(shown.err.split()), line
    assert list(here.calls) == []
