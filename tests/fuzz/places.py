"""Every place from which irsa reads a value back, and what puts a hostile one there: past all APIs' rules.

Who writes there is somebody else: whoever may annotate, tag, edit a ConfigMap or hand over a plan file.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from irsa_cli.core.marks.locks import Lock, LockScope, selector
from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.kube.kinds import KINDS
from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.fuzz import hostile
from tests.support.eks_states import describe_cluster_as

OTHER = "222222222222"
MARK = "hst1le"
"""In every hostile text as it is here: what has it, and had not before, was written by irsa."""
TEXTS = (
    "hst1le\ncredential_process = sh -c 'touch pwned'",
    "arn:aws:iam::222222222222:role/hst1le\ncredential_process = touch pwned",
    "hst1le\n[profile target]\nrole_arn = arn:aws:iam::222222222222:role/hst1le",
    "hst1le\r\n::set-env name=PATH::/tmp",
    "hst1le\n::error::all is lost",
    "##vso[task.setvariable variable=x]hst1le",
    "$(touch pwned)hst1le",
    "`touch pwned`hst1le",
    "hst1le; touch pwned #",
    "hst1le' ; touch pwned #",
    'hst1le" ; touch pwned #',
    "hst1le\ntouch pwned\n",
    "--hst1le",
    "--profile=hst1le",
    "../../../hst1le",
    "../hst1le/../secrets/x",
    "hst1le\x00",
    "\x1b[2K\x1b[1Ahst1le",
    "hst1le\u202e\u2066\u200b",
    "hst1le\u0430\u0440\u0440",
    "hst1le\x85\u2028x",
    MARK + "x" * 5000,
    'hst1le", "Action": "*", "x": "',
    '{"hst1le": ["*"]}',
    "hst1le: &a [*a]",
    "hst1le|</td><script>x</script>",
    "[hst1le](javascript:x) <img src=x>",
    "arn:aws:iam::222222222222:role/*hst1le",
    "arn:aws:iam::*:role/hst1le",
    "arn:aws-cn:iam::222222222222:role/hst1le",
    "arn:aws:iam::222222222222:role/../hst1le",
    "arn:aws:iam::222222222222:root hst1le",
    "arn:hst1le:::::",
    "http://169.254.169.254/hst1le",
    "https://169.254.169.254:80@hst1le/",
    "file:///etc/hst1le",
    "system:serviceaccount:kube-system:hst1le*",
    "hst1le.example.com/#",
    "hst1le*",
    "hst1le ",
    " hst1le",
    "hst1le\t",
    "99999999999999999999hst1le",
    "hst1le,hst1le",
    "hst1le/hst1le/hst1le",
    "arn:aws:iam::222222222222:role/hst1le",
    "hst1le/app",
    "hst1le",
)
PLAUSIBLE = frozenset(TEXTS[-3:])
"""What some rule accepts: it may be followed where its place is what decides."""

ANNOTATIONS = [
    "eks.amazonaws.com/role-arn",
    "eks.amazonaws.com/audience",
    "eks.amazonaws.com/sts-regional-endpoints",
    "eks.amazonaws.com/token-expiration",
    "eks.amazonaws.com/skip-containers",
    "irsa/role-arn",
    "irsa/audience",
    "irsa/keys",
    "irsa/transaction",
    "irsa/target-role-arn",
    "irsa/target-external-id",
    "irsa/aws-config-map",
]
TAGS = [
    "irsa/cluster",
    "irsa/service-account",
    "irsa/transaction",
    "irsa/spec-hash",
    "irsa/commit",
    "irsa/trust",
    "irsa/tags",
    "team",
    "aws:cloudformation:stack-name",
    "alpha.eksctl.io/iamserviceaccount-name",
]
Put = Callable[["World", str, random.Random], None]


class World:
    """What is behind the APIs of the sandbox: kept once, put back, and written to without any rule."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self._kube = sandbox._own[sandbox._cluster("demo").arn].api._store
        self._kept: Any = None
        self._files: dict[Path, bytes] = {}

    def keep(self) -> None:
        """Remember all of it."""
        self._kept = self._copied()
        self._files = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def put_back(self) -> None:
        """Have it again as it was kept."""
        now, self._kept = self._kept, None
        self._kube._objects, accounts = now
        for backend, kept in zip(self._iam, accounts, strict=True):
            backend.roles, backend.open_id_providers, backend.managed_policies = kept
        self._kept = self._copied()
        self.sandbox._front.clusters.reset()
        for path in [path for path in self.folder.rglob("*") if path.is_file() and path not in self._files]:
            path.unlink()
        for path, content in self._files.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    @property
    def _iam(self) -> list[Any]:
        return [self.sandbox._front.cloud.iam(account, "aws") for account in ("111122223333", OTHER)]

    def _copied(self) -> Any:
        parts = [(b.roles, b.open_id_providers, b.managed_policies) for b in self._iam]
        objects = {kind: copy.deepcopy(found) for kind, found in self._kube._objects.items()}
        return objects, copy.deepcopy(parts)

    def object(self, resource: str, namespace: str, name: str) -> Any:
        """A Kubernetes object itself."""
        found = next(kind for kind in KINDS.values() if kind.resource == resource)
        return self._kube._objects[found][namespace, name]

    def role(self, *, target: bool = False) -> Any:
        """Moto's own role: the ServiceAccount's, or the one that it goes on to."""
        roles = self._iam[target].roles.values()
        return next(role for role in roles if role.name == "data" or "demo-apps-app" in role.name)

    def provider(self) -> Any:
        """Moto's own OIDC provider."""
        return next(iter(self._iam[0].open_id_providers.values()))

    def all(self) -> Any:
        """All that irsa can change."""
        return [self.sandbox.world(), self.sandbox.world(OTHER)]


def _annotation(key: str) -> Put:
    def put(world: World, text: str, _chance: random.Random) -> None:
        world.object("serviceaccounts", "apps", "app")["metadata"]["annotations"][key] = text

    return put


def _both(world: World, text: str, chance: random.Random) -> None:
    """The role's annotation with irsa's own mark of it: who writes one may write the other."""
    for key in ("eks.amazonaws.com/role-arn", "irsa/role-arn"):
        _annotation(key)(world, text, chance)


def _tag(key: str, *, provider: bool = False) -> Put:
    def put(world: World, text: str, _chance: random.Random) -> None:
        tag = {"Key": key, "Value": text}
        if provider:
            world.provider().tags[key] = tag
        else:
            role = world.role()
            role.tags = [*(item for item in role.tags if item["Key"] != key), tag]

    return put


def leaves(data: Any) -> Iterator[tuple[Any, Any]]:
    """The texts of a document, each by what it is in and its key."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in pairs:
        if isinstance(item, str):
            yield data, key
        else:
            yield from leaves(item)


def _into(document: Any, text: str, chance: random.Random) -> Any:
    """The document with one of its texts replaced (or added to)."""
    parent, key = chance.choice(list(leaves(document)))
    parent[key] = text if chance.random() < 0.7 else f"{parent[key]}{text}"
    return document


def _trust(*, target: bool) -> Put:
    def put(world: World, text: str, chance: random.Random) -> None:
        role = world.role(target=target)
        document = _into(json.loads(role.assume_role_policy_document), text, chance)
        role.assume_role_policy_document = json.dumps(document)

    return put


def _inline(world: World, text: str, chance: random.Random) -> None:
    policies = world.role().policies
    name = chance.choice(sorted(policies))
    policies[name] = json.dumps(_into(json.loads(policies[name]), text, chance))


def _description(world: World, text: str, _chance: random.Random) -> None:
    world.role().description = text


def _boundary(world: World, text: str, _chance: random.Random) -> None:
    world.role().permissions_boundary_arn = text


def _config(world: World, text: str, chance: random.Random) -> None:
    found = world.object("configmaps", "apps", "app-aws")
    lines = found["data"]["config"].splitlines()
    at = chance.randrange(len(lines))
    lines[at] = f"{lines[at].partition('=')[0]}= {text}" if "=" in lines[at] else text
    found["data"]["config"] = "\n".join(lines) if chance.random() < 0.8 else text


def _config_marks(world: World, text: str, chance: random.Random) -> None:
    _into(world.object("configmaps", "apps", "app-aws")["metadata"]["annotations"], text, chance)


def _namespace(world: World, text: str, chance: random.Random) -> None:
    metadata = world.object("namespaces", "", "apps")["metadata"]
    metadata["annotations"] = {**metadata.get("annotations", {}), "irsa/transaction": text}


def _lease(world: World, text: str, chance: random.Random) -> None:
    cluster = world.sandbox._cluster("demo")
    labels = dict(item.split("=") for item in selector(cluster.arn, "demo").split(","))
    lock = Lock(LockScope.BINDING, "apps/app")
    body = hostile.document(
        """
metadata:
  name: <name>
  namespace: default
  uid: "1234"
  resourceVersion: "7"
  labels: <labels>
  annotations: {irsa/command: create-sa, irsa/locked: x, irsa/host: h, irsa/user: u}
  managedFields: [{manager: irsa, time: "2020-01-01T00:00:00Z"}]
spec: {holderIdentity: run_user@host, acquireTime: "2020-01-01T00:00:00.000000Z"}
""",
        name=lock.name,
        labels=labels,
    )
    part = body["spec"] if chance.random() < 0.5 else body["metadata"]["annotations"]
    key = chance.choice(sorted(part))
    if key == "acquireTime":
        text = f"2020-01-01T00:00:00Z{text}"
    part[key] = text
    body["spec"]["leaseDurationSeconds"] = chance.choice((1, 45, 2**31 - 1))
    kind = next(kind for kind in KINDS.values() if kind.resource == "leases")
    world._kube._objects[kind]["default", lock.name] = body


def _described(key: str) -> Put:
    def put(world: World, text: str, chance: random.Random) -> None:
        value: Any = {"oidc": {"issuer": text}} if key == "identity" else text
        if key == "arn" and chance.random() < 0.5:
            value = f"arn:aws:eks:{text}:111122223333:cluster/demo"
        if key == "certificateAuthority":
            value = {"data": text}
        describe_cluster_as(world.sandbox, "demo", **{key: value})

    return put


def _plan(world: World, text: str, chance: random.Random) -> None:
    """Somebody hands over a plan: its digest tells of accidents, and not of whom made it."""
    path = world.folder / "plan.json"
    document = _into(json.loads(path.read_text()), text, chance)
    path.write_text(json.dumps({**document, "digest": digest_of(document)}))


def _journal(world: World, text: str, chance: random.Random) -> None:
    (path,) = (world.folder / "state").glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    at = 0 if chance.random() < 0.7 else chance.randrange(len(lines))
    lines[at] = _into(lines[at], text, chance)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _project(world: World, text: str, chance: random.Random) -> None:
    settings = hostile.document("""
cluster: demo
region: eu-west-1
namespace: apps
lockNamespace: default
expectAccount: "111122223333"
expectClusterARN: arn:aws:eks:eu-west-1:111122223333:cluster/demo
permissionsBoundary: arn:aws:iam::111122223333:policy/b
audit: {ignore: [{rule: no-subject, until: "2026-12-31", reason: y}]}
""")
    (world.folder / ".irsa.yaml").write_text(json.dumps(_into(settings, text, chance)))


def _kubeconfig(world: World, text: str, chance: random.Random) -> None:
    path = world.folder / "kubeconfig"
    path.write_text(json.dumps(_into(json.loads(path.read_text()), text, chance)))


PLACES: dict[str, Put] = {
    **{f"annotation {key}": _annotation(key) for key in ANNOTATIONS},
    "annotation and mark": _both,
    **{f"tag {key}": _tag(key) for key in TAGS},
    "provider's tag irsa/cluster": _tag("irsa/cluster", provider=True),
    "provider's tag irsa/transaction": _tag("irsa/transaction", provider=True),
    "trust policy": _trust(target=False),
    "target's trust policy": _trust(target=True),
    "inline policies": _inline,
    "description": _description,
    "boundary": _boundary,
    "ConfigMap": _config,
    "ConfigMap's annotations": _config_marks,
    "namespace": _namespace,
    "Lease": _lease,
    **{
        f"cluster's {key}": _described(key)
        for key in ("endpoint", "identity", "arn", "certificateAuthority", "version")
    },
    "saved plan": _plan,
    "journal": _journal,
    ".irsa.yaml": _project,
    "kubeconfig": _kubeconfig,
}
DECIDE = ("inline policies", "saved plan", ".irsa.yaml", "kubeconfig", "trust policy")
"""Places of which what is plausible is followed: they are what decides, and no note of it."""
