"""Hostile files: configurations, and what linters, audits, plans, settings and kubeconfigs are read from.

Each is a document of its kind in which single places are of another type, or say something odd.
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
from tests.fuzz import answers, hostile
from tests.fuzz.runs import Figures, flaws, irsa, words

ACTION, SUBJECT = "sts:AssumeRoleWithWebIdentity", "system:serviceaccount:"
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
_PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
_ROLE = "arn:aws:iam::111122223333:role/x"
_ENTRY = hostile.document("""
metadata:
  name: app
  namespace: apps
  labels: {a: b}
  annotations: {c: d}
attachPolicyARNs: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess']
wellKnownPolicies: {externalDNS: true}
attachPolicy:
  Statement:
  - Effect: Allow
    Action: ['s3:GetObject']
    Resource: '*'
permissionsBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
roleName: named
tags: {team: a}
""")
_CONFIGS = hostile.document(
    """
- apiVersion: eksctl.io/v1alpha5
  kind: ClusterConfig
  metadata: {name: demo, region: eu-west-1, version: '1.33'}
  iam:
    withOIDC: true
    serviceRoleARN: arn:aws:iam::111122223333:role/x
    serviceAccounts:
    - <entry>
    - metadata: {name: b}
      attachRoleARN: arn:aws:iam::111122223333:role/x
  nodeGroups:
  - {name: ng, minSize: 1}
- apiVersion: irsa/v1
  kind: Bindings
  metadata: {name: demo, region: eu-west-1}
  withOIDC: true
  serviceAccounts:
  - metadata: {name: worker, namespace: batch}
    rolePath: /teams/batch/
    description: Works through the queue
    maxSessionDuration: 7200
    inlinePolicies:
      queue: {file: queue.json}
      b:
        Statement:
        - Effect: Allow
          Action: ['s3:GetObject']
          Resource: '*'
    subjects:
    - {namespace: batch, name: other}
""",
    entry=_ENTRY,
)
_TRUST = hostile.document(
    """
Version: '2012-10-17'
Statement:
- Sid: One
  Effect: Allow
  Principal:
    Federated: ['arn:aws:iam::111122223333:oidc-provider/<issuer>']
  Action: ['sts:AssumeRoleWithWebIdentity']
  Condition:
    StringLike:
      <issuer>:sub: ['system:serviceaccount:apps:*', 'system:*:a']
    ForAllValues:StringEquals: {'<issuer>:aud': sts.amazonaws.com}
- Effect: Allow
  Principal: {AWS: '*'}
  Action: sts:AssumeRole
- Effect: Deny
  Principal: '*'
  NotAction: sts:*
  Condition:
    'Null': {'a:b': true}
""",
    issuer=ISSUER,
)
_POLICY = hostile.document("""
Statement:
- Effect: Allow
  Action: '*'
  Resource: '*'
  Condition:
    Bool: {'a:b': 1}
""")
_ACCOUNT = hostile.document("""
apiVersion: v1
kind: ServiceAccount
metadata:
  name: default
  namespace: apps
  annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/x', eks.amazonaws.com/audience: a}
""")
_RESOURCES = hostile.document(
    """
- address: aws_iam_role.x
  mode: managed
  type: aws_iam_role
  values:
    name: x
    assume_role_policy: <trust as text>
    managed_policy_arns: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess']
    inline_policy:
    - {name: a, policy: <policy as text>}
    permissions_boundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
- address: aws_iam_role_policy.x
  type: aws_iam_role_policy
  values: {role: x, name: p, policy: <policy as text>}
- address: kubernetes_service_account.x
  type: kubernetes_service_account
  values:
    metadata:
    - name: default
      namespace: apps
      annotations:
        {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/x', eks.amazonaws.com/audience: a}
""",
    trust=_TRUST,
    policy=_POLICY,
)
_TERRAFORM = hostile.document(
    """
format_version: '1.2'
terraform_version: 1.9.0
planned_values:
  root_module:
    resources: <resources>
    child_modules:
    - {address: module.a, resources: <resources>}
resource_changes:
- address: kubernetes_service_account.x
  change:
    after: {}
    after_unknown:
      metadata:
      - {annotations: true}
- address: data.aws_iam_policy_document.x
  type: aws_iam_policy_document
  change:
    after:
      statement:
      - sid: a
        effect: Allow
        actions: ['sts:AssumeRoleWithWebIdentity']
        principals:
        - type: Federated
          identifiers: [null]
        condition:
        - test: StringLike
          variable: null
          values: ['system:serviceaccount:*']
    after_unknown:
      statement:
      - principals:
        - identifiers: [true]
        condition:
        - {variable: true}
""",
    resources=_RESOURCES,
)
_SUB = {"Fn::Sub": ["${A}:sub${!B} ${R.Arn}", {"A": {"Ref": "Issuer"}}]}
_TEMPLATE = hostile.document(
    """
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
        - Effect: Allow
          Principal:
            Federated:
              Fn::GetAtt: [P, Arn]
          Action:
            Fn::If:
            - C
            - sts:AssumeRoleWithWebIdentity
            - {Ref: 'AWS::NoValue'}
          Condition:
            StringLike: {'Fn::GetAtt': J.Value}
        - Effect: Allow
          Principal:
            Federated:
              Fn::Join:
              - ''
              - - 'arn:'
                - {Ref: 'AWS::Partition'}
          Action:
            Fn::Select:
            - 0
            - Fn::Split: [',', 'sts:AssumeRole,b']
      ManagedPolicyArns:
      - {'Fn::Sub': 'arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess'}
      Policies:
      - {PolicyName: a, PolicyDocument: <policy>}
      PermissionsBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
  T:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: <sub>}
  P:
    Type: AWS::IAM::OIDCProvider
    Properties: {Url: 'https://a'}
  J:
    Type: Custom::AWSCDKCfnJson
    Properties:
      Value:
        Fn::Join:
        - ''
        - ['{"a', ':sub":"b"}']
""",
    policy=_POLICY,
    sub=_SUB,
)
_LIST = hostile.document(
    """
apiVersion: v1
kind: List
items:
- <account>
- apiVersion: iam.services.k8s.aws/v1alpha1
  kind: Role
  metadata: {name: r}
  spec: {assumeRolePolicyDocument: <trust as text>}
- apiVersion: iam.aws.upbound.io/v1beta1
  kind: Role
  metadata: {name: r}
  spec:
    forProvider: {assumeRolePolicy: <trust as text>}
""",
    trust=_TRUST,
    account=_ACCOUNT,
)
_ROLES = hostile.document(
    """
IsTruncated: false
RoleDetailList:
- Arn: arn:aws:iam::111122223333:role/x
  RoleName: x
  RoleId: AROAX
  CreateDate: '2026-01-01T00:00:00+00:00'
  AssumeRolePolicyDocument: <trust>
  RolePolicyList:
  - {PolicyName: p, PolicyDocument: <policy>}
  AttachedManagedPolicies:
  - {PolicyName: a, PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'}
  PermissionsBoundary: {PermissionsBoundaryArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'}
  Tags:
  - {Key: a, Value: b}
  RoleLastUsed: {LastUsedDate: '2026-01-01T00:00:00+00:00', Region: eu-west-1}
Policies:
- Arn: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
  PolicyVersionList:
  - {IsDefaultVersion: true, Document: <policy>}
""",
    trust=_TRUST,
    policy=_POLICY,
)
_CLUSTER = hostile.document(
    r"""
cluster:
  name: demo
  arn: arn:aws:eks:eu-west-1:111122223333:cluster/demo
  identity:
    oidc: {issuer: 'https://<issuer>'}
  accessConfig: {authenticationMode: API_AND_CONFIG_MAP}
clusters: [demo]
OpenIDConnectProviderList:
- {Arn: 'arn:aws:iam::111122223333:oidc-provider/<issuer>'}
ClientIDList: [sts.amazonaws.com]
Url: <issuer>
associations:
- {namespace: apps, serviceAccount: a, associationId: a-1, roleArn: 'arn:aws:iam::111122223333:role/x'}
accessEntries: ['arn:aws:iam::111122223333:role/y']
accessEntry:
  principalArn: arn:aws:iam::111122223333:role/y
  kubernetesGroups: [g]
  username: u
  type: STANDARD
associatedAccessPolicies:
- policyArn: arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy
  accessScope:
    type: namespace
    namespaces: [apps]
principalArn: arn:aws:iam::111122223333:role/y
data: {mapRoles: "- rolearn: arn:aws:iam::111122223333:role/y\n  username: u\n  groups: [g]\n"}
""",
    issuer=ISSUER,
)
_RULES = [
    {"apiGroups": ["*"], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": ["a"]}
]
_SUBJECTS = [
    {"kind": "ServiceAccount", "name": "default", "namespace": "apps"},
    {"kind": "Group", "name": "system:authenticated"},
]
_OBJECTS = hostile.document(
    """
kind: List
items:
- <account>
- kind: Pod
  metadata:
    name: p
    namespace: apps
    ownerReferences:
    - {kind: Job, name: j}
  spec: {serviceAccountName: default, nodeName: n}
  status: {phase: Running}
- kind: Role
  metadata: {name: r, namespace: apps}
  rules:
  - apiGroups: ['*']
    resources: [serviceaccounts/token]
    verbs: [create]
    resourceNames: [a]
- kind: ClusterRole
  metadata:
    name: c
    labels: {a: b}
  rules:
  - apiGroups: ['*']
    resources: [serviceaccounts/token]
    verbs: [create]
    resourceNames: [a]
  aggregationRule:
    clusterRoleSelectors:
    - matchLabels: {a: b}
- kind: RoleBinding
  metadata: {name: b, namespace: apps}
  roleRef: {kind: Role, name: r}
  subjects:
  - {kind: ServiceAccount, name: default, namespace: apps}
  - {kind: Group, name: 'system:authenticated'}
- kind: ClusterRoleBinding
  metadata: {name: b}
  roleRef: {kind: ClusterRole, name: c}
  subjects:
  - {kind: ServiceAccount, name: default, namespace: apps}
  - {kind: Group, name: 'system:authenticated'}
""",
    account=_ACCOUNT,
)
_BASELINE = {"kind": "RiskList", "items": [{"fingerprint": "0123456789abcdef"}]}
_PROJECT = hostile.document("""
audit:
  ignore:
  - {rule: no-audience, role: 'arn:aws:iam::111122223333:role/x', until: '2026-12-01', reason: because}
permissionsBoundary: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
requirePermissionsBoundary: true
lock: true
lockTimeout: 10m
lockNamespace: kube-system
expectAccount: '111122223333'
region: eu-west-1
cluster: demo
""")
_KUBECONFIG = hostile.document("""
apiVersion: v1
kind: Config
current-context: here
contexts:
- name: here
  context: {cluster: c, user: u, namespace: apps}
clusters:
- name: c
  cluster: {server: 'https://127.0.0.1:9', certificate-authority-data: YQ==}
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: /bin/false
      args: [a]
      env:
      - {name: A, value: b}
      interactiveMode: Never
""")
_LINTS = (
    "lint in -o json",
    "lint in -v",
    "lint in -o sarif",
    "lint in -o github --json-file out.json",
    "lint in --fail-on never -o junit",
    "lint in -o markdown",
    "lint in -o csv",
)
_AUDITS = (
    "audit --from export -o json",
    "audit --from export -v --reach",
    "audit --from export -o html",
    "audit --from export --service-account apps/default",
    "audit --from export --role arn:aws:iam::111122223333:role/x -o sarif",
    "who-can s3:GetObject --from export",
)
_NEW = "create-sa $APP --associate-oidc --dry-run"


@dataclass(frozen=True)
class Kind:
    """A kind of file: its documents, where it stands, what reads it, and what is done to it at last."""

    documents: tuple[Any, ...]
    commands: tuple[str, ...]
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
    linted = (_TRUST, _ROLES, _TERRAFORM, _TEMPLATE, _LIST, _ACCOUNT, *_CONFIGS)
    baseline = ("lint in --baseline base.json", f"{_AUDITS[0]} --baseline base.json")
    project = ("lint in", _AUDITS[0], f"{_NEW} --no-policy", "config")
    files_read = ("show plan.json", "show plan.json -o json")
    by_kubeconfig = (
        "get-sa -c demo --kubeconfig kube.yaml",
        "get-sa -c demo --kubeconfig kube.yaml -o json",
        f"{_NEW} --no-policy --kubeconfig kube.yaml",
    )
    config = (
        "diff -f one.yaml",
        "apply -f one.yaml --dry-run",
        "delete --yes -f one.yaml --dry-run -o json",
        "diff -f one.yaml --include */app -o json",
    )
    return {
        "config": Kind(tuple(_CONFIGS), config, "one.yaml"),
        "lint": Kind(linted, _LINTS),
        "roles": Kind((_ROLES,), _AUDITS, "export/roles.json"),
        "cluster": Kind((_CLUSTER,), _AUDITS, "export/demo/cluster.json"),
        "objects": Kind((_OBJECTS,), _AUDITS, "export/demo/objects.json"),
        "baseline": Kind((_BASELINE,), baseline, "base.json"),
        "project": Kind((_PROJECT,), project, ".irsa.yaml"),
        "policy": Kind((_POLICY,), (f"{_NEW} --inline-policy policy.json",), "policy.json"),
        "plan": Kind((plan,), files_read, "plan.json", _sealed),
        "kubeconfig": Kind((_KUBECONFIG,), by_kubeconfig, "kube.yaml"),
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
        self.sandbox, self._before = sandbox, sandbox.world()
        (folder / "queue.json").write_text(json.dumps(_POLICY))
        for name in ("in", "export/demo"):
            (folder / name).mkdir(parents=True)
        made = irsa(words(f"{_NEW} --no-policy --out plan.json"), self.env)
        assert made.code == 0, made
        self.kinds = kinds(json.loads((folder / "plan.json").read_text()))
        for kind in self.kinds.values():
            (folder / kind.path).write_text(json.dumps(kind.documents[0]))
        (folder / ".irsa.yaml").unlink()
        (folder / "in" / "good.json").write_text(json.dumps(_TRUST))

    def run(self, figures: Figures, name: str, line: str, content: bytes) -> None:
        """Run a command on a file of this kind; afterwards the good one is there again."""
        path = self.folder / self.kinds[name].path
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        ran = irsa(words(line), self.env)
        wrong = list(flaws(ran, (self.env["AWS_SECRET_ACCESS_KEY"],)))
        if {"github", "csv"} & set(
            line.split()
        ):  # Commands to CI, and \r\n, are what these forms are made of.
            wrong = [what for what in wrong if what != "forged line"]
        if name == "lint" and line.startswith("lint ") and not ran.late and "everybody" not in ran.out:
            wrong.append("wrong claim")  # The good file beside it has that risk.
        if self.sandbox.world() != self._before:
            wrong.append("wrong claim")
        figures.note(ran, wrong, f"{line} {content[:1500]!r}")
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
        name = names[number % len(names)] if number % 3 else ("lint", "config")[number % 2]
        kind = bench.kinds[name]
        data = changed(chance, copy.deepcopy(chance.choice(kind.documents)))
        content = hostile.spoilt(chance, _text(chance, kind, data))
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
                    line = kind.commands[number // one_in % len(kind.commands)]
                    bench.run(figures, name, line, json.dumps(kind.finished(data)).encode())
    return figures
