"""Every command's help has examples, and each of them runs in the sandbox; its cluster stands for `prod`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from irsa_cli.cli.help import helping
from irsa_cli.cli.main import irsa
from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.docs import staging
from tests.docs.console import Shell
from tests.scenarios.auditing import write_files
from tests.support.eks_states import add_addon

S3 = "--attach-policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
PROVIDER = "irsa associate-oidc -c demo -q"
READER = f"irsa create-sa s3-reader -n backend -c demo {S3} --label tier=web -q"
APP = f"irsa create-sa app -c demo {S3} --annotation example.com/note=x -q"
WORKER = "irsa create-sa worker -c demo --inline-policy queue.json --tags owner=a -q"
BOUND = (PROVIDER, READER)
SHARDS = tuple(
    f"irsa apply -f cluster.yaml --shard {number}/2 --json-file shard-{number}.json -q" for number in range(2)
)
PLANNED = (PROVIDER, "irsa apply -f cluster.yaml --dry-run --out plan.json -q")
BEFORE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("irsa create-sa", "irsa diff", "irsa disassociate-oidc"), (PROVIDER,)),
    **dict.fromkeys(("irsa apply", "irsa show"), PLANNED),
    **dict.fromkeys(("irsa report", "irsa report merge"), (PROVIDER, *SHARDS)),
    **dict.fromkeys(
        (
            *("irsa get-sa", "irsa init", "irsa describe-sa", "irsa migrate", "irsa verify", "irsa doctor"),
            *("irsa audit", "irsa who-can", "irsa exec", "irsa token", "irsa history"),
            "irsa export",
        ),
        BOUND,
    ),
    "irsa delete": (PROVIDER, "irsa apply -f cluster.yaml -q"),
    "irsa release": BOUND,
    "irsa delete-sa": (*BOUND, APP),
    "irsa repoint": (PROVIDER.replace("demo", "blue"), READER.replace("demo", "blue")),
    "irsa update-sa": (*BOUND, APP, WORKER),
    "irsa credentials": (*BOUND, APP),
    "irsa recover": (PROVIDER, f"! {READER}"),
}
PROVIDER_ARN = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
CODES = {
    "--forward": (0, 4),  # The example before it has rolled it back.
    "--unlock 2": (0, 4),  # Nobody holds a lock.
    "irsa retire old-": (4,),  # Nothing is left of it.
    "irsa diff": (0, 6),  # 6: there is something to do.
    "irsa preflight(?!.*--(manifest|self))": (5,),  # The administrator's keys, and not a role of a pod.
    "doctor pod/": (4,),  # There is no such pod.
    "doctor(?!.*--explain)": (0, 1),  # 1: no pod of the ServiceAccount is running.
    "get-sa -A -l": (7,),
    "audit.*-c staging": (4,),
    "": (0,),
}
"""The exit codes with which an example may end, by what is in its line."""
ENDLESS = ("sandbox up",)
FILES = {
    "queue.json": '{"Version": "2012-10-17", "Statement":'
    ' {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}',
    "cluster.yaml": """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: demo, region: eu-west-1}
iam:
  serviceAccounts:
  - metadata: {name: reader, namespace: backend}
    attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
""",
    "account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s3-reader}\n",
    "values.yaml": "serviceAccount:\n  annotations: {}\n",
    "app.py": "print('app')\n",
    "trust-policy.json": json.dumps(staging.trust_of(PROVIDER_ARN, "backend", "s3-reader")),
    "plan.json": '{"format_version": "1.2", "terraform_version": "1.9.8"}',
    "baseline.json": '{"kind": "RiskList", "items": []}',
}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command, groups included, by how it is called."""

    def below(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
        yield context.command_path, command
        for name in command.list_commands(context) if isinstance(command, click.Group) else ():
            found = command.get_command(context, name)  # type: ignore[attr-defined]
            if found is not None and not found.hidden:
                yield from below(found, click.Context(found, info_name=name, parent=context))

    return below(irsa, click.Context(irsa, info_name="irsa"))


def examples(command: click.Command) -> list[str]:
    """The command lines of a help's examples, each whole; notes are left out."""
    text = "\n".join(helping.examples(command)).replace(" \\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    found = examples(COMMANDS[name])
    assert found
    assert all("irsa " in line for line in found)


def prepared(name: str, sandbox: Sandbox, folder: Path) -> Shell:
    """A shell in which the examples of a command have what they are about."""
    if name == "irsa create-sa":
        staging.shared_role(sandbox)
    if name == "irsa adopt":
        provider = staging.associate(sandbox)
        trust = staging.trust_of(provider, "backend", "s3-reader")
        staging.iam(sandbox).create_role(
            RoleName="teams-s3-reader", AssumeRolePolicyDocument=json.dumps(trust)
        )
        staging.account(sandbox, "backend", "s3-reader", "arn:aws:iam::111122223333:role/teams-s3-reader")
    if name == "irsa repoint":
        for cluster in ("blue", "green"):
            sandbox.add_cluster(ClusterSpec(cluster))
    if name == "irsa recover":
        for operation in ("AttachRolePolicy", "DeleteRole"):
            message = f"not authorized to perform: iam:{operation}"
            sandbox.faults.add(Fault("iam", operation, "error", "demo-backend-s3-reader-", message=message))
    env = sandbox.env()
    shell = Shell.make(folder, {**env, "AWS_CONFIG_FILE": str(folder / "aws"), "SHELL": "/bin/sh"})
    keys = (f"{key} = {env[key.upper()]}" for key in ("aws_access_key_id", "aws_secret_access_key"))
    (folder / "aws").write_text("\n".join(["[profile admin]", *keys]), "utf-8")
    stub = folder / "bin" / "aws"
    stub.write_text("#!/bin/sh\n", "utf-8")
    stub.chmod(0o755)
    for file, text in FILES.items():
        (shell.folder / file).write_text(text, "utf-8")
    for name_of_folder in ("bindings", "manifests", "cdk.out"):
        (shell.folder / name_of_folder).mkdir()
        (shell.folder / name_of_folder / "a.yaml").write_text(FILES["cluster.yaml"], "utf-8")
    (shell.folder / "deploy.sh").write_text("#!/bin/sh\n", "utf-8")
    (shell.folder / "deploy.sh").chmod(0o700)
    for line in BEFORE.get(name, ()):
        said, code = shell.run(line.removeprefix("! "))
        assert code == (3 if line.startswith("! ") else 0), f"{line}\n{said}"
    if name in ("irsa audit", "irsa who-can"):
        (shell.folder / "account").mkdir()
        write_files(sandbox, shell.folder / "account")
    return shell


def runnable(shell: Shell, line: str) -> str:
    """An example as it is typed here: the sandbox's cluster, and an id that there is."""
    line = re.sub(r"\bprod\b", "demo", line).removeprefix("credential_process = ")
    # No pod runs here: it is waited for in vain.
    line = line.replace("sha256:DIGEST", f"sha256:{'0' * 64} --wait 5s")
    if re.search(r"recover \d{8}T", line):
        newest = shell.run("irsa history -o name")[0].split()[-1]
        line = re.sub(r"\d{8}T\w+-\w+", newest, line)
    return line


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_run(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    shell = prepared(name, sandbox, tmp_path)
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    for example in examples(COMMANDS[name]):
        line = runnable(shell, example)
        if any(mark in line for mark in ENDLESS):
            assert_goes_on(shell, line)
            continue
        said, code = shell.run(line)
        allowed = next(codes for mark, codes in CODES.items() if re.search(mark, line))
        assert code in allowed, f"{line}\nended with {code}\n{said}"
        assert "Traceback" not in said


def assert_goes_on(shell: Shell, line: str) -> None:
    """A command that ends by a signal only: it says something, goes on, and ends by it in good order."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line.partition(' >')[0]}"],
        cwd=shell.folder,
        env=dict(shell.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode in (0, 143)
