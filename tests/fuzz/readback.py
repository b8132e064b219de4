"""Hostile values in all that irsa reads back: what it then writes, says and proposes has nothing of them.

Where they are put is in `places`. A command may refuse, or do its work without the value; what it may not is
to carry it on: into a policy, a ConfigMap, the AWS configuration of pods, a file, or a shell.
"""

import json
import random
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from irsa_cli.sandbox import Sandbox
from tests.fuzz import answers, hostile
from tests.fuzz.places import DECIDE, MARK, OTHER, PLACES, PLAUSIBLE, TEXTS, World, leaves
from tests.fuzz.runs import Figures, Spoken, flaws, irsa, words
from tests.support.sandbox_clients import EC2_TRUST, administrator, trust
from tests.support.stage import EVERYTHING

TARGET, DEPLOYER = (f"arn:aws:iam::{OTHER}:role/{name}" for name in ("data", "deployer"))
KNOWN = {
    "SQS": "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",
    "WAY": f"--target-assume-role {DEPLOYER}",
    "TARGET": TARGET,
}
CONFIG = hostile.document(
    """
apiVersion: irsa/v1
kind: Bindings
metadata: {name: demo, region: eu-west-1}
serviceAccounts:
- metadata:
    name: app
    namespace: apps
    labels: {a: b}
    annotations: {c: d}
  attachPolicyARNs: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess']
  inlinePolicies:
    own:
      Statement:
      - {Effect: Allow, Action: 's3:GetObject', Resource: '*'}
  tags: {team: x}
  targetRole: <target>
  targetAssumeRole: <deployer>
  externalID: tenant-7
  awsConfigMap: app-aws
""",
    target=TARGET,
    deployer=DEPLOYER,
)
COMMANDS = (
    "get-sa -c demo",
    "get-sa -c demo -o wide",
    "get-sa -c demo -o json",
    "describe-sa $APP $WAY",
    "describe-sa $APP $WAY -o json",
    "verify $APP $WAY",
    "verify -A -c demo -o json",
    "verify -A -c demo -o github",
    "doctor $APP $WAY",
    "doctor $APP $WAY -o json",
    "doctor $APP -o markdown",
    "doctor -c demo",
    "audit",
    "audit -o json",
    "audit -o html",
    "audit -o sarif",
    "audit -o github",
    "audit -o markdown",
    "who-can s3:GetObject",
    "update-sa $APP $WAY --description x",
    "update-sa $APP $WAY --target-tag-session -o json",
    "update-sa $APP $WAY --aws-config-map app-aws",
    "update-sa $APP $WAY --aws-config-map other-aws --update-target-trust",
    "update-sa $APP $WAY --target-role $TARGET --update-target-trust",
    "update-sa $APP $WAY --external-id tenant-8 --update-target-trust",
    "update-sa $APP $WAY --remove-target-role",
    "update-sa $APP $WAY --audience other.example.com --associate-oidc",
    "update-sa $APP $WAY --attach-policy-arn $SQS --tags k=v --label x=y",
    "create-sa $APP $WAY --attach-policy-arn $S3 -o json",
    "create-sa $APP --attach-role-arn $TARGET",
    "create-sa b -n apps -c demo --no-policy",
    "apply -f one.json",
    "apply -f one.json --update-target-trust --update-trust --override-existing-serviceaccounts",
    "apply -f ecks.json -o json",
    "apply -f none.json --prune --yes",
    "diff -f one.json",
    "diff -f ecks.json -o json",
    "delete --yes -f one.json",
    "delete-sa $APP $WAY --yes",
    "delete-sa $APP --yes -o json",
    "adopt $APP --yes",
    "adopt --all -c demo --dry-run",
    "recover --cluster demo --dry-run",
    "recover --cluster demo --yes $WAY",
    "recover --all --yes",
    "history",
    "recover --unlock -c demo",
    "recover --unlock -c demo -o json",
    "exec $APP -- /no/such/command",
    "token $APP --decode",
    "credentials $APP",
    "disassociate-oidc -c demo",
    "associate-oidc -c demo",
)
_CREATE = "create-sa $APP $WAY --attach-policy-arn $S3"
_OF_PLACES = {
    "saved plan": ("show plan.json", "apply plan.json", "apply plan.json -o json"),
    "journal": ("recover --all --yes", "history -o json", "recover --all --dry-run", _CREATE),
    "kubeconfig": ("get-sa -c demo --kubeconfig kubeconfig", f"{_CREATE} --kubeconfig kubeconfig"),
    "Lease": ("recover --unlock -c demo", "recover --unlock -c demo -o json", f"{_CREATE} --lock-timeout 0"),
}
_PROPOSED = re.compile(
    r"(?<![\w/.-])(?:irsa (?:(?:create|update|delete|describe)-sa|adopt|apply|recover|doctor|verify"
    r"|exec|(?:dis)?associate-oidc)|kubectl (?:-n|annotate|label|patch|delete|get|rollout|set|create)"
    r"|aws (?:iam|eks)) .*",
    re.S,
)
_PAGE_DATA = re.compile(r"<script[^>]*application/json[^>]*>(.*?)</script>", re.S)
_NOTE = re.compile(r"::(?:error|warning|notice) [^:]*title=irsa[^:]*::[^:]")
_CONFIG_LINE = re.compile(
    r"\[profile (target|source)\]|source_profile = source|region = [a-z]+-[a-z]+-[0-9]"
    r"|role_arn = arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]+|external_id = [\w+=,.@:/-]+"
    r"|web_identity_token_file = /var/run/secrets/eks.amazonaws.com/serviceaccount/token|",
    re.ASCII,
)


class Bench:
    """A ServiceAccount with a role that goes on to another account's, a saved plan, and a run cut off."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.world = World(sandbox, folder / "a" / "b" / "c" / "d")
        self.outside = folder
        self.folder = self.world.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.env = {**answers.environment(sandbox, self.folder), "IRSA_LOCK_DURATION": "2"}
        self.stubs = folder / "stubs"
        self.stubs.mkdir()
        for name in ("irsa", "kubectl", "aws", "jq"):
            (self.stubs / name).symlink_to("/bin/true")

    def prepare(self) -> None:
        """Have all that is to be read back."""
        sandbox = self.world.sandbox
        sandbox.reset()
        self._elsewhere(sandbox)
        write = {
            "one.json": CONFIG,
            "ecks.json": answers.CONFIG,
            "none.json": {**CONFIG, "serviceAccounts": []},
            "two.json": json.loads(json.dumps(CONFIG).replace('"app', '"two')),
            "kubeconfig": self._kubeconfig(sandbox),
        }
        for name, document in write.items():
            (self.folder / name).write_text(json.dumps(document))
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        for line in (
            "associate-oidc -c demo",
            "apply -f one.json --update-target-trust",
            "diff -f two.json --update-target-trust --out plan.json",
        ):
            ran = irsa(words(line), self.env)
            assert ran.code in (0, 6), ran
        *_, last = sorted((self.folder / "state").glob("*.jsonl"))
        for path in (self.folder / "state").glob("*.jsonl"):
            if path != last:
                path.unlink()
        last.write_text("\n".join(last.read_text().splitlines()[:-1]) + "\n")
        self.world.keep()

    @staticmethod
    def _elsewhere(sandbox: Sandbox) -> None:
        iam = administrator(sandbox, "iam", OTHER)
        first = trust({"AWS": "arn:aws:iam::111122223333:root"})
        for name, admits in (("deployer", first), ("data", EC2_TRUST)):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=admits)
        iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))

    @staticmethod
    def _kubeconfig(sandbox: Sandbox) -> Any:
        return hostile.document(
            """
apiVersion: v1
kind: Config
current-context: demo
clusters: [{name: demo, cluster: {server: <server>}}]
contexts: [{name: demo, context: {cluster: demo, user: me}}]
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /bin/false
      args: [x]
      interactiveMode: Never
""",
            server=sandbox._cluster("demo").endpoint,
        )

    def run(self, place: str, line: str, chance: random.Random, figures: Figures) -> None:
        """Put a text to a place, run a command, and look at what there is then."""
        text = chance.choice(TEXTS)
        self.world.put_back()
        PLACES[place](self.world, text, chance)
        before, files = self.world.all(), self._files()
        with _home() as reached:
            ran = irsa(words(line, **KNOWN), self.env)
        gives = line.startswith(("token", "credentials"))
        wrong = list(
            flaws(_without_notes(ran, line), (self.env["AWS_SECRET_ACCESS_KEY"],), gives_secrets=gives)
        )
        after = self.world.all()
        told = f"{place} = {text[:300]!r}; {line}"
        if found := self._landed(before, after, followed=place in DECIDE and text in PLAUSIBLE):
            wrong.append("hostile text written")
            told += f"; written: {found[:3]!r}"
        if found := list(self._configurations(before, after, ran)):
            wrong.append("hostile configuration")
            told += f"; configured: {found[:2]!r}"
        if new := [path for path in self._files() - files if not self._is_own(path)]:
            wrong.append("file elsewhere")
            told += f"; files: {sorted(new)[:3]}"
        if pasted := self._executed(ran):
            wrong.append("executed")
            told += f"; executed: {pasted!r}"
        if reached:
            wrong.append("reached out")
            told += f"; reached: {reached[:3]!r}"
        figures.note(ran, wrong, told)

    def _files(self) -> set[str]:
        return {str(path.relative_to(self.outside)) for path in self.outside.rglob("*")}

    def _is_own(self, path: str) -> bool:
        return MARK not in path and path.startswith(str(Path("a/b/c/d/state")))

    @staticmethod
    def _landed(before: Any, after: Any, *, followed: bool) -> list[str]:
        """The texts of the world that have the mark in them, and have not been there."""
        if followed:
            return []
        found = Counter(_marked(after))
        found.subtract(Counter(_marked(before)))
        return [text for text, number in found.items() if number > 0]

    @staticmethod
    def _configurations(before: Any, after: Any, ran: Spoken) -> Iterator[str]:
        """The AWS configurations that were written or shown, with a line that irsa writes in none."""
        there = list(_configs(before))
        shown = [parent[key] for parent, key in leaves(ran.json) if key == "awsConfig"]
        for text in (*(item for item in _configs(after) if item not in there), *shown):
            if any(not _CONFIG_LINE.fullmatch(line) for line in text.split("\n")):
                yield text

    def _executed(self, ran: Spoken) -> str:
        """A command that was proposed, and does something else than it says where it is pasted."""
        document = _PAGE_DATA.search(ran.out)
        data = json.loads(document[1]) if document else ran.json
        said = [parent[key] for parent, key in leaves(data)]
        for text in said or (ran.out + ran.err).split("\n"):
            found = _PROPOSED.search(text) if "pwned" in text else None
            if found is None:
                continue
            shell = self.outside / "shell"
            shell.mkdir(exist_ok=True)
            subprocess.run(
                ["/bin/bash", "-c", found[0]],
                cwd=shell,
                env={"PATH": f"{self.stubs}:/usr/bin:/bin"},
                capture_output=True,
                timeout=20,
                check=False,
            )
            wrote = list(shell.iterdir())
            shutil.rmtree(shell)
            if wrote:
                return found[0]
        return ""


def _without_notes(ran: Spoken, line: str) -> Spoken:
    """Without the lines that `-o github` is there for: each begins so, and has one title."""
    if not line.endswith("github"):
        return ran
    lines = [line for line in ran.out.split("\n") if not _NOTE.match(line)]
    return replace(ran, out="\n".join(lines))


def _marked(data: Any, path: str = "") -> Iterator[str]:
    """Where the mark is, as a value or in a key."""
    if isinstance(data, str):
        if MARK in data:
            yield f"{path} = {data}"
        return
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in pairs:
        if isinstance(key, str) and MARK in key:
            yield f"{path} has {key}"
        name = key if isinstance(data, dict) else ""
        yield from _marked(item, f"{path}/{name}")


def _configs(world: Any) -> Iterator[str]:
    for found in world[0]["kubernetes"]["demo"]["configmaps"].values():
        yield from found["data"].values()


@contextmanager
def _home() -> Iterator[list[str]]:
    """Nobody is reached but who is on this machine; yields who was looked for besides."""
    reached: list[str] = []
    find = socket.getaddrinfo

    def only_here(host: Any, *rest: Any, **more: Any) -> Any:
        if host in ("127.0.0.1", "localhost", "::1"):
            return find(host, *rest, **more)
        reached.append(str(host))
        raise socket.gaierror(socket.EAI_NONAME, "there is nobody")

    with mock.patch.object(socket, "getaddrinfo", only_here):
        yield reached


def fuzz(sandbox: Sandbox, folder: Path, count: int, seed: int) -> Figures:
    """Run so many commands, each with one hostile text in one place; the places take turns."""
    figures, bench = Figures("readback"), Bench(sandbox, folder)
    with answers.impatient(), mock.patch.dict("os.environ"):
        import os

        os.chdir(bench.folder)
        bench.prepare()
        places = sorted(PLACES)
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            place = places[number % len(places)]
            bench.run(place, chance.choice(_OF_PLACES.get(place, COMMANDS)), chance, figures)
    return figures
