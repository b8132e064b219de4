"""Hostile files of the other sorts: what linters, audits, plans, settings and kubeconfigs are read from.

Each is a document of its kind in which single places are of another type, or say something odd. The
configuration files of `irsa apply` are the business of `files`.
"""

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from irsa_cli.sandbox import Sandbox
from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.fuzz import answers, files, hostile
from tests.fuzz.runs import Figures, flaws, irsa
from tests.support.stage import READ_ONLY

ACTION, SUBJECT = "sts:AssumeRoleWithWebIdentity", "system:serviceaccount:"
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
_PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
_ROLE = "arn:aws:iam::111122223333:role/x"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "One",
            "Effect": "Allow",
            "Principal": {"Federated": [_PROVIDER]},
            "Action": [ACTION],
            "Condition": {
                "StringLike": {f"{ISSUER}:sub": ["system:serviceaccount:apps:*", "system:*:a"]},
                "ForAllValues:StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
            },
        },
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": "*", "NotAction": "sts:*", "Condition": {"Null": {"a:b": True}}},
    ],
}
_POLICY = {
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a:b": 1}}}]
}
_ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {
        "name": "default",
        "namespace": "apps",
        "annotations": {"eks.amazonaws.com/role-arn": _ROLE, "eks.amazonaws.com/audience": "a"},
    },
}
_RESOURCES = [
    {
        "address": "aws_iam_role.x",
        "mode": "managed",
        "type": "aws_iam_role",
        "values": {
            "name": "x",
            "assume_role_policy": json.dumps(_TRUST),
            "managed_policy_arns": [READ_ONLY],
            "inline_policy": [{"name": "a", "policy": json.dumps(_POLICY)}],
            "permissions_boundary": READ_ONLY,
        },
    },
    {
        "address": "aws_iam_role_policy.x",
        "type": "aws_iam_role_policy",
        "values": {"role": "x", "name": "p", "policy": json.dumps(_POLICY)},
    },
    {
        "address": "kubernetes_service_account.x",
        "type": "kubernetes_service_account",
        "values": {"metadata": [_ACCOUNT["metadata"]]},
    },
]
_TERRAFORM = {
    "format_version": "1.2",
    "terraform_version": "1.9.0",
    "planned_values": {
        "root_module": {
            "resources": _RESOURCES,
            "child_modules": [{"address": "module.a", "resources": copy.deepcopy(_RESOURCES)}],
        }
    },
    "resource_changes": [
        {
            "address": "kubernetes_service_account.x",
            "change": {"after": {}, "after_unknown": {"metadata": [{"annotations": True}]}},
        },
        {
            "address": "data.aws_iam_policy_document.x",
            "type": "aws_iam_policy_document",
            "change": {
                "after": {
                    "statement": [
                        {
                            "sid": "a",
                            "effect": "Allow",
                            "actions": [ACTION],
                            "principals": [{"type": "Federated", "identifiers": [None]}],
                            "condition": [
                                {
                                    "test": "StringLike",
                                    "variable": None,
                                    "values": ["system:serviceaccount:*"],
                                }
                            ],
                        }
                    ]
                },
                "after_unknown": {
                    "statement": [
                        {"principals": [{"identifiers": [True]}], "condition": [{"variable": True}]}
                    ]
                },
            },
        },
    ],
}
_SUB = {"Fn::Sub": ["${A}:sub${!B} ${R.Arn}", {"A": {"Ref": "Issuer"}}]}
_TEMPLATE = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {
        "R": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Federated": {"Fn::GetAtt": ["P", "Arn"]}},
                            "Action": {
                                "Fn::If": ["C", "sts:AssumeRoleWithWebIdentity", {"Ref": "AWS::NoValue"}]
                            },
                            "Condition": {"StringLike": {"Fn::GetAtt": "J.Value"}},
                        },
                        {
                            "Effect": "Allow",
                            "Principal": {
                                "Federated": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}]]}
                            },
                            "Action": {"Fn::Select": [0, {"Fn::Split": [",", "sts:AssumeRole,b"]}]},
                        },
                    ],
                },
                "ManagedPolicyArns": [
                    {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}
                ],
                "Policies": [{"PolicyName": "a", "PolicyDocument": _POLICY}],
                "PermissionsBoundary": READ_ONLY,
            },
        },
        "T": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _SUB}},
        "P": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": "https://a"}},
        "J": {
            "Type": "Custom::AWSCDKCfnJson",
            "Properties": {"Value": {"Fn::Join": ["", ['{"a', ':sub":"b"}']]}},
        },
    },
}
_LIST = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        _ACCOUNT,
        {
            "apiVersion": "iam.services.k8s.aws/v1alpha1",
            "kind": "Role",
            "metadata": {"name": "r"},
            "spec": {"assumeRolePolicyDocument": json.dumps(_TRUST)},
        },
        {
            "apiVersion": "iam.aws.upbound.io/v1beta1",
            "kind": "Role",
            "metadata": {"name": "r"},
            "spec": {"forProvider": {"assumeRolePolicy": json.dumps(_TRUST)}},
        },
    ],
}
_ROLES = {
    "IsTruncated": False,
    "RoleDetailList": [
        {
            "Arn": _ROLE,
            "RoleName": "x",
            "RoleId": "AROAX",
            "CreateDate": "2026-01-01T00:00:00+00:00",
            "AssumeRolePolicyDocument": _TRUST,
            "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": _POLICY}],
            "AttachedManagedPolicies": [{"PolicyName": "a", "PolicyArn": READ_ONLY}],
            "PermissionsBoundary": {"PermissionsBoundaryArn": READ_ONLY},
            "Tags": [{"Key": "a", "Value": "b"}],
            "RoleLastUsed": {"LastUsedDate": "2026-01-01T00:00:00+00:00", "Region": "eu-west-1"},
        }
    ],
    "Policies": [
        {"Arn": READ_ONLY, "PolicyVersionList": [{"IsDefaultVersion": True, "Document": _POLICY}]},
    ],
}
_CLUSTER = {
    "cluster": {
        "name": "demo",
        "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/demo",
        "identity": {"oidc": {"issuer": f"https://{ISSUER}"}},
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
    },
    "clusters": ["demo"],
    "OpenIDConnectProviderList": [{"Arn": _PROVIDER}],
    "ClientIDList": ["sts.amazonaws.com"],
    "Url": ISSUER,
    "associations": [
        {"namespace": "apps", "serviceAccount": "a", "associationId": "a-1", "roleArn": _ROLE},
    ],
    "accessEntries": ["arn:aws:iam::111122223333:role/y"],
    "accessEntry": {
        "principalArn": "arn:aws:iam::111122223333:role/y",
        "kubernetesGroups": ["g"],
        "username": "u",
        "type": "STANDARD",
    },
    "associatedAccessPolicies": [
        {
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy",
            "accessScope": {"type": "namespace", "namespaces": ["apps"]},
        }
    ],
    "principalArn": "arn:aws:iam::111122223333:role/y",
    "data": {"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/y\n  username: u\n  groups: [g]\n"},
}
_RULES = [
    {"apiGroups": ["*"], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": ["a"]}
]
_SUBJECTS = [
    {"kind": "ServiceAccount", "name": "default", "namespace": "apps"},
    {"kind": "Group", "name": "system:authenticated"},
]
_OBJECTS = {
    "kind": "List",
    "items": [
        _ACCOUNT,
        {
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "apps", "ownerReferences": [{"kind": "Job", "name": "j"}]},
            "spec": {"serviceAccountName": "default", "nodeName": "n"},
            "status": {"phase": "Running"},
        },
        {"kind": "Role", "metadata": {"name": "r", "namespace": "apps"}, "rules": _RULES},
        {
            "kind": "ClusterRole",
            "metadata": {"name": "c", "labels": {"a": "b"}},
            "rules": _RULES,
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
        },
        {
            "kind": "RoleBinding",
            "metadata": {"name": "b", "namespace": "apps"},
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": _SUBJECTS,
        },
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "c"},
            "subjects": _SUBJECTS,
        },
    ],
}
_BASELINE = {"kind": "RiskList", "items": [{"fingerprint": "0123456789abcdef"}]}
_PROJECT = {
    "audit": {"ignore": [{"rule": "no-audience", "role": _ROLE, "until": "2026-12-01", "reason": "because"}]},
    "permissionsBoundary": READ_ONLY,
    "requirePermissionsBoundary": True,
    "lock": True,
    "lockTimeout": "10m",
    "lockNamespace": "kube-system",
    "expectAccount": "111122223333",
    "region": "eu-west-1",
    "cluster": "demo",
}
_KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "apps"}}],
    "clusters": [
        {"name": "c", "cluster": {"server": "https://127.0.0.1:9", "certificate-authority-data": "YQ=="}}
    ],
    "users": [
        {
            "name": "u",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1beta1",
                    "command": "/bin/false",
                    "args": ["a"],
                    "env": [{"name": "A", "value": "b"}],
                    "interactiveMode": "Never",
                }
            },
        }
    ],
}
_JSON, _SARIF = ("-o", "json"), ("-o", "sarif")
_LINTS = (
    ("lint", "in", *_JSON),
    ("lint", "in", "-v"),
    ("lint", "in", *_SARIF),
    ("lint", "in", "-o", "github", "--json-file", "out.json"),
    ("lint", "in", "--fail-on", "never", "-o", "junit"),
    ("lint", "in", "-o", "markdown"),
    ("lint", "in", "-o", "csv"),
)
_AUDITS = (
    ("audit", "--from", "export", *_JSON),
    ("audit", "--from", "export", "-v", "--reach"),
    ("audit", "--from", "export", "-o", "html"),
    ("audit", "--from", "export", "--service-account", "apps/default"),
    ("audit", "--from", "export", "--role", _ROLE, *_SARIF),
    ("who-can", "s3:GetObject", "--from", "export"),
)
_APP = ("app", "-n", "apps", "-c", "demo", "--associate-oidc")


@dataclass(frozen=True)
class Kind:
    """A kind of file: its documents, where it stands, what reads it, and what is done to it at last."""

    documents: tuple[Any, ...]
    commands: tuple[tuple[str, ...], ...]
    path: str = "in/one.yaml"
    finished: Callable[[Any], Any] = lambda data: data


def _sealed(data: Any) -> Any:
    """A plan whose digest is that of what it says: anybody can reckon it."""
    try:
        return {**data, "digest": digest_of(data)}
    except (TypeError, ValueError, KeyError, AttributeError):
        return data


def kinds(plan: Any) -> Mapping[str, Kind]:
    """All kinds of files; a saved plan is one that irsa has made."""
    linted = (_TRUST, _ROLES, _TERRAFORM, _TEMPLATE, _LIST, _ACCOUNT, *files.DOCUMENTS)
    return {
        "lint": Kind(linted, _LINTS),
        "roles": Kind((_ROLES,), _AUDITS, "export/roles.json"),
        "cluster": Kind((_CLUSTER,), _AUDITS, "export/demo/cluster.json"),
        "objects": Kind((_OBJECTS,), _AUDITS, "export/demo/objects.json"),
        "baseline": Kind(
            (_BASELINE,),
            (("lint", "in", "--baseline", "base.json"), (*_AUDITS[0], "--baseline", "base.json")),
            "base.json",
        ),
        "project": Kind(
            (_PROJECT,),
            (("lint", "in"), _AUDITS[0], ("create-sa", *_APP, "--no-policy", "--dry-run"), ("config",)),
            ".irsa.yaml",
        ),
        "policy": Kind(
            (_POLICY,),
            (("create-sa", *_APP, "--inline-policy", "policy.json", "--dry-run"),),
            "policy.json",
        ),
        "plan": Kind((plan,), (("show", "plan.json"), ("show", "plan.json", *_JSON)), "plan.json", _sealed),
        "kubeconfig": Kind(
            (_KUBECONFIG,),
            (
                ("get-sa", "-c", "demo", "--kubeconfig", "kube.yaml"),
                ("get-sa", "-c", "demo", "--kubeconfig", "kube.yaml", *_JSON),
                ("create-sa", *_APP, "--kubeconfig", "kube.yaml", "--no-policy", "--dry-run"),
            ),
            "kube.yaml",
        ),
    }


def _text(chance: random.Random, kind: Kind, data: Any) -> bytes:
    """The document as a file: as JSON, or as YAML where that is read, with its short forms of functions."""
    data = kind.finished(data)
    if not kind.path.endswith("json") and chance.random() < 0.5:
        try:
            return _tagged(yaml.safe_dump(data, allow_unicode=True)).encode("utf-8", "surrogatepass")
        except yaml.YAMLError:
            pass
    return json.dumps(data).encode()


def _tagged(text: str) -> str:
    """The same with CloudFormation's short forms for functions that stand alone on a line."""
    return re.sub(r"\n +Fn::(GetAtt|Sub|If|Join|Select|Split):(?= \S)", r" !\1", text)


def _spoilt(chance: random.Random, content: bytes) -> bytes:
    """The file with something in it that is no matter of types."""
    at, how = chance.randrange(len(content) + 1), chance.randrange(16)
    odd = {
        0: content[:at],
        1: content[:at] + bytes(chance.randrange(256) for _ in range(5)) + content[at:],
        2: content[:at] + hostile.text(chance).encode("utf-8", "surrogatepass") + content[at:],
        3: content + b"\n---\n" + content,
        4: b"\xff\xfe" + content.decode("utf-8", "replace").encode("utf-16-le", "surrogatepass"),
        5: b"<<: text\n" + content,
    }
    return odd.get(how, content)


def changed(chance: random.Random, data: Any) -> Any:
    """The document with some things in it changed, also in texts that hold documents of their own."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        nested = [(parent, key) for parent, key in hostile.places(data) if _is_document(parent[key])]
        if nested and chance.random() < 0.4:
            parent, key = chance.choice(nested)
            parent[key] = json.dumps(hostile.mutated(chance, json.loads(parent[key])))
        else:
            data = hostile.mutated(chance, data)
    return data


def _is_document(value: Any) -> bool:
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return False
    try:
        return isinstance(json.loads(value), dict | list)
    except (ValueError, RecursionError):
        return False


_OTHERS: tuple[Any, ...] = (
    *("", "text", 0, -1.5, True, None, "a:b:c"),
    *([], {}, [None], [["x"]], {"x": 1}, [{}]),
)


def everywhere(data: Any) -> Iterator[Any]:
    """The document with each of its places, one at a time, of each other type."""
    for number, _ in enumerate(hostile.places(data)):
        for value in _OTHERS:
            found = copy.deepcopy(data)
            parent, key = list(hostile.places(found))[number]
            parent[key] = value
            yield found


class Bench:
    """A folder with a file of each kind, and the sandbox behind it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.folder, self.env = folder, answers.environment(sandbox, folder)
        self.env["IRSA_RETRY_TIMEOUT"] = "0"
        sandbox.reset()
        for name in ("in", "export/demo"):
            (folder / name).mkdir(parents=True)
        made = irsa(("create-sa", *_APP, "--no-policy", "--dry-run", "--out", "plan.json"), self.env)
        assert made.code == 0, made
        self.kinds = kinds(json.loads((folder / "plan.json").read_text()))
        for kind in self.kinds.values():
            (folder / kind.path).write_text(json.dumps(kind.documents[0]))
        (folder / ".irsa.yaml").unlink()
        (folder / "in" / "good.json").write_text(json.dumps(_TRUST))

    def run(self, figures: Figures, name: str, words: tuple[str, ...], content: bytes) -> None:
        """Run a command on a file of this kind; afterwards the good one is there again."""
        path = self.folder / self.kinds[name].path
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        ran = irsa(words, self.env)
        wrong = list(flaws(ran, (self.env["AWS_SECRET_ACCESS_KEY"],)))
        if {"github", "csv"} & set(words):  # Commands to CI, and \r\n, are what these forms are made of.
            wrong = [what for what in wrong if what != "forged line"]
        if name == "lint" and words[0] == "lint" and not ran.late and "everybody" not in ran.out:
            wrong.append("wrong claim")  # The good file beside it has that risk.
        figures.note(ran, wrong, f"{' '.join(words)} {content[:1500]!r}")
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


def fuzz(sandbox: Sandbox, folder: Path, count: int, seed: int) -> Figures:
    """Read so many files, of each kind in turn, by commands that change nothing."""
    figures, bench = Figures("inputs"), Bench(sandbox, folder)
    names = sorted(bench.kinds)
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        name = names[number % len(names)] if number % 3 else "lint"
        kind = bench.kinds[name]
        data = changed(chance, copy.deepcopy(chance.choice(kind.documents)))
        content = _spoilt(chance, _text(chance, kind, data))
        bench.run(figures, name, chance.choice(kind.commands), content)
    return figures


def each(sandbox: Sandbox, folder: Path, one_in: int) -> Figures:
    """Read each document with each of its places of each other type: one in so many of them."""
    figures, bench, number = Figures("each"), Bench(sandbox, folder), 0
    for name, kind in bench.kinds.items():
        for document in kind.documents:
            for data in everywhere(document):
                number += 1
                if number % one_in == 0:
                    words = kind.commands[number // one_in % len(kind.commands)]
                    bench.run(figures, name, words, json.dumps(kind.finished(data)).encode())
    return figures
