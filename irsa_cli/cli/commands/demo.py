"""`irsa sandbox demo` (and `make demo`): the main job from end to end, each step asserted.

It runs `irsa` as a user would, uses the token as the SDK in a pod would, then breaks a run on purpose and
compares the state before and after.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


class DemoError(Exception):
    """A step of the demo failed."""


def main() -> int:
    """Run the demo; returns the exit code, not 0 when a step failed."""
    try:
        from irsa_cli.sandbox import Sandbox

        started = time.monotonic()
        with Sandbox() as sandbox, tempfile.TemporaryDirectory() as state:
            env = {**os.environ, **sandbox.env(), "IRSA_STATE_DIR": state}
            _Demo(sandbox, env).run()
        click.echo(f"\nThe demo passed in {time.monotonic() - started:.1f} s.")
    except DemoError as error:
        click.echo(f"\nThe demo failed: {error}", err=True)
        return 1
    return 0


class _Demo:
    def __init__(self, sandbox: Any, env: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._env = env

    def run(self) -> None:
        click.echo("A sandbox: AWS and an EKS cluster named demo, on this machine only.\n")
        click.echo("== Create the OIDC provider, and a role for a ServiceAccount")
        self._irsa(0, "associate-oidc", "--cluster", "demo")
        place = ("-n", "backend", "-c", "demo")
        self._irsa(0, "create-sa", "s3-reader", *place, "--attach-policy-arn", READ_ONLY)
        self._six_steps(self._check_world())
        self._break_one()

    def _check_world(self) -> str:
        world = self._sandbox.world()
        account = world["kubernetes"]["demo"]["serviceaccounts"]["backend/s3-reader"]
        role_arn: str = account["annotations"]["eks.amazonaws.com/role-arn"]
        role = world["roles"][role_arn.rsplit("/", 1)[-1]]
        _expect(role["arn"] == role_arn, "the annotation has the role's ARN")
        _expect(role["attached"] == [READ_ONLY], "the policy is attached")
        condition = role["trust"]["Statement"][0]["Condition"]["StringEquals"]
        _expect("system:serviceaccount:backend:s3-reader" in condition.values(), "the trust policy is scoped")
        _expect(len(world["oidc_providers"]) == 1, "the issuer is an OIDC provider of IAM")
        return role_arn

    def _six_steps(self, role_arn: str) -> None:
        """Do the steps of a pod of this ServiceAccount, except those of the kubelet."""
        import boto3
        import botocore
        from botocore.config import Config

        from irsa_cli.usecases.command.connect import Target, connect

        click.echo("\n== Use the role as a pod of backend/s3-reader does")
        os.environ.update(self._env)
        self._connection = connect(Target("demo"), kube=True, log=lambda call: None, check=lambda aws: None)
        token = self._token()
        url, region = self._env["AWS_ENDPOINT_URL"], self._env["AWS_REGION"]
        unsigned = Config(signature_version=botocore.UNSIGNED)
        sts = boto3.client("sts", region_name=region, endpoint_url=url, config=unsigned)
        sent = "the pod's token and the role's ARN"
        click.echo(f"  (1) the SDK sends {sent} to STS (AssumeRoleWithWebIdentity)")
        answer = sts.assume_role_with_web_identity(
            RoleArn=role_arn, RoleSessionName="pod", WebIdentityToken=token
        )
        subject = answer["SubjectFromWebIdentityToken"]
        provider = answer["Provider"].rsplit("/", 1)[-1]
        click.echo(f"  (2) STS asks IAM for the provider of the issuer: {provider}")
        claims = f"signature, issuer, audience {answer['Audience']} and subject {subject}"
        click.echo(f"  (3) {claims} match the trust policy")
        _expect(subject == "system:serviceaccount:backend:s3-reader", "the subject is the ServiceAccount's")
        credentials = answer["Credentials"]
        click.echo("  (4) IAM allows it")
        click.echo(f"  (5) STS returns credentials that expire at {credentials['Expiration']:%H:%M:%S} UTC")
        s3 = boto3.client(
            "s3",
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        self._use(s3)
        self._wrong_account(sts, role_arn)

    def _use(self, s3: Any) -> None:
        """Check that AWS allows only the actions in the role's policy."""
        names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        click.echo(f"  (6) the pod lists its S3 buckets: {', '.join(names)}")
        _expect(len(names) > 0, "there are buckets")
        _denied(lambda: s3.delete_bucket(Bucket=names[0]), "deleting a bucket")
        click.echo("     and AWS denies s3:DeleteBucket, which the policy does not allow: AccessDenied")

    def _wrong_account(self, sts: Any, role_arn: str) -> None:
        """Check that the token of another ServiceAccount cannot assume the role."""
        other = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other"}}
        self._connection.kube.create("serviceaccounts", "backend", other)
        asked = {"RoleArn": role_arn, "RoleSessionName": "other", "WebIdentityToken": self._token("other")}
        _denied(lambda: sts.assume_role_with_web_identity(**asked), "the token of another ServiceAccount")
        click.echo("     and the token of another ServiceAccount cannot assume the role: AccessDenied")

    def _token(self, name: str = "s3-reader") -> str:
        """A token from the cluster's API, as the kubelet requests it."""
        return self._connection.kube.token("backend", name, DEFAULT_AUDIENCE)

    def _break_one(self) -> None:
        from irsa_cli.sandbox import Fault

        click.echo("\n== Let AttachRolePolicy fail: irsa rolls everything back")
        before = self._sandbox.world()
        self._sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
        self._irsa(1, "create-sa", "worker", "-n", "jobs", "-c", "demo", "--attach-policy-arn", READ_ONLY)
        self._sandbox.faults.clear()
        _expect(
            self._sandbox.world() == before,
            "roles, policies, providers, namespaces and ServiceAccounts are as before",
        )
        click.echo("Roles, policies, providers, namespaces and ServiceAccounts are exactly as before.")

    def _irsa(self, expected: int, *arguments: str) -> None:
        click.echo(f"\n$ irsa {' '.join(arguments)}")
        sys.stdout.flush()
        command = [sys.executable, "-m", "irsa_cli", *arguments]
        ended = subprocess.run(command, env=dict(self._env), check=False)  # noqa: S603 - our own program
        _expect(ended.returncode == expected, f"irsa ended with {ended.returncode}, expected {expected}")


def _denied(call: Callable[[], object], what: str) -> None:
    import botocore.exceptions

    try:
        call()
    except botocore.exceptions.ClientError as error:
        _expect(error.response["Error"]["Code"] == "AccessDenied", f"{what} is denied")
    else:
        raise DemoError(f"{what} was allowed")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise DemoError(what)
