"""Doing what `irsa doctor` says is to be done: its commands, carried out by AWS's and Kubernetes' own calls.

There is no `kubectl` and no AWS CLI in the tests; what is left to a person (an editor, a look) is not done.
What a cure must do is proven here, too: a pod's token is exchanged, and nobody else is admitted than before.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from typing import Any
from unittest import mock

from botocore import xform_name

from irsa_cli.cli.main import run
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import explain
from tests.scenarios.breaking import NAME, STS, Binding, exchanged
from tests.scenarios.breaking import token_of as token_of
from tests.support.stage import Json

BY_HAND = {
    *("ARN", "edit", "doctor", "get", "get-policy", "get-role", "describe-vpc-endpoints", "describe-cluster"),
    *("describe-pod-identity-association", "curl"),
}
"""Words of commands that need a person."""
IN_ACCOUNT = re.compile(r".* # in account (\d{12})")


def is_by_hand(fix: str) -> bool:
    """Whether a fix can't be pasted as it is."""
    commands = [shlex.split(line, comments=True) for line in fix.splitlines()]
    return not any(commands) or any(word in BY_HAND for command in commands for word in command)


def alternatives(fix: str) -> list[str]:
    """A fix and, where it names another one in its comments, that one."""
    lines = fix.splitlines()
    other = [line.removeprefix("# ") for line in lines if line.startswith(("# kubectl", "# aws", "# irsa"))]
    return ["\n".join(lines), *(["\n".join(other)] if other else [])]


def answered(fix: str) -> str:
    """The command behind a question that has to come first: pasted as it is, nothing happens."""
    assert not any(shlex.split(line, comments=True) for line in fix.splitlines()), fix
    assert "check first who owns" in fix, fix
    return alternatives(fix)[-1]


def cure(binding: Binding, fix: str) -> None:
    """Carry out the commands of a fix."""
    for line in fix.splitlines():
        elsewhere = IN_ACCOUNT.fullmatch(line)  # Done by who has credentials there.
        words = shlex.split(line.removeprefix("# ") if elsewhere else line, comments=True)
        if not words:
            continue
        if words[0] == "aws":
            _aws(binding, words[1:], elsewhere[1] if elsewhere else "")
        else:
            {"irsa": _irsa, "kubectl": _kubectl}[words[0]](binding, words[1:])


def _irsa(binding: Binding, words: list[str]) -> None:
    terminate = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ, binding.stage.env()):
        assert run([*words, "-q"]) == 0, words
    signal.signal(signal.SIGTERM, terminate)


def _kubectl(binding: Binding, words: list[str]) -> None:
    if "annotate" in words:
        assert words[:4] == ["-n", binding.namespace, "annotate", "serviceaccount"]
        for pair in (word for word in words[5:] if not word.startswith("--")):
            key, equals, value = pair.partition("=")
            binding.annotate(
                value if equals else None, key if equals else key.removesuffix("-"), account=words[4]
            )
    elif "create" in words:
        assert words[:4] == ["-n", binding.namespace, "create", "serviceaccount"], words
        binding.stage.make_account(binding.namespace, words[4])
    elif "delete" in words:
        assert words[:4] == ["-n", binding.namespace, "delete", "pod"], words
        binding.remake_pod(words[4])
    else:
        assert words[:4] == ["-n", binding.namespace, "rollout", "restart"], words
        binding.restart(words[4])


def _aws(binding: Binding, words: list[str], account: str) -> None:
    service, operation, *rest = words
    client = binding.aws(service, account)
    name = operation.replace("-", "_")
    members = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[name]
    ).input_shape.members
    flags: dict[str, Any] = {}
    for flag, value in zip(rest[::2], rest[1::2], strict=True):
        for member, shape in members.items():
            if xform_name(member, "-") == flag.removeprefix("--"):
                flags[member] = int(value) if shape.type_name == "integer" else value
    getattr(client, name)(**flags)


def prove(binding: Binding) -> list[str]:
    """Exchange the token of each container of the pod, as its SDK would; returns the roles that they got.

    What has its credentials from EKS Pod Identity must have an association, and gets no further here.
    """
    pod = binding.stage.kube.get(f"/api/v1/namespaces/{binding.namespace}/pods/{NAME}-0").body
    return [_proven(binding, pod, container) for container in pod["spec"]["containers"]]


def _proven(binding: Binding, pod: Json, container: Json) -> str:
    env = {item["name"]: item.get("value", "") for item in container.get("env", [])}
    name = pod["spec"]["serviceAccountName"]
    if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in env:
        (found,) = binding.aws("eks").list_pod_identity_associations(
            clusterName=binding.stage.cluster, namespace=binding.namespace, serviceAccount=name
        )["associations"]
        return str(found["associationId"])
    # A token for the audience of the volume that is mounted where its file is.
    file = env["AWS_WEB_IDENTITY_TOKEN_FILE"]
    (volume,) = (
        mount["name"] for mount in container["volumeMounts"] if file.startswith(f"{mount['mountPath']}/")
    )
    (projected,) = (item["projected"] for item in pod["spec"]["volumes"] if item["name"] == volume)
    (source,) = (item["serviceAccountToken"] for item in projected["sources"])
    return assumed(binding, env["AWS_ROLE_ARN"], token_of(binding, name, source["audience"]))


def assumed(binding: Binding, role: str, token: str) -> str:
    """Exchange a token at STS for a role; returns the role. Raises `ClientError` where STS refuses."""
    found = exchanged(binding, role, token)
    assert f"/{role.rsplit('/', 1)[-1]}/" in found["AssumedRoleUser"]["Arn"]
    return role


def admitted(binding: Binding, *accounts: str) -> set[tuple[str, str]]:
    """Which other ServiceAccounts each role admits, by its trust policy."""
    subjects = (
        "$ns:doctor-reader-2 $ns:default $ns:other $ns:app-0a1b2c3d4e $ns-2:doctor-reader"
        " kube-system:doctor-reader kube-system:default"
    )
    others = [f"system:serviceaccount:{subject}" for subject in binding.text(subjects).split()]
    found = set()
    for account in ("", *accounts):
        for role in binding.aws("iam", account).list_roles()["Roles"]:
            provider = binding.provider.replace(binding.stage.account_id, role["Arn"].split(":")[4])
            for subject in others:
                identity = WebIdentity(provider, f"https://{binding.prefix}", subject, STS)
                if explain(role["AssumeRolePolicyDocument"], identity).admitted:
                    found.add((role["Arn"], subject))
    return found
