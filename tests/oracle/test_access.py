"""What a plan says of access is exactly what changes: judged by @cloud-copilot/iam-simulate, not by irsa.

Roles of others with trust policies at random (several issuers, wildcards, Deny, services), on the cloud in
memory. Each command is carried out; the admitted sets before and after it are asked of the other evaluator.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from irsa_cli.core.policies.policy import as_list
from tests.oracle.oracle import ALLOWED, verdicts
from tests.support.memory.cloud import CLUSTER, ISSUER
from tests.support.memory.iam import ACCOUNT
from tests.support.memory.playing import Play, playing
from tests.unit.usecases.commands import READER, ROLE_ARN, SHARED

WORLDS = 60
SEED = 40
HOST = ISSUER.removeprefix("https://")
GREEN = "oidc.eks.eu-west-1.amazonaws.com/id/FEDCBA9876543210FEDCBA9876543210"
GITHUB = "token.actions.githubusercontent.com"
NAMES = ("reader", "writer", "reader-2")
NAMESPACES = ("backend", "frontend")
SERVICES = ("ec2.amazonaws.com", "lambda.amazonaws.com")
WEB = "sts:AssumeRoleWithWebIdentity"
Json = dict[str, Any]


def provider(host: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"


def statement(some: Random) -> Json:
    """A statement of one of many makers."""
    what = some.randrange(10)
    if what < 2:
        return {
            "Effect": "Allow",
            "Principal": {"Service": some.choice(SERVICES)},
            "Action": "sts:AssumeRole",
        }
    if what == 2:
        return {
            "Effect": "Allow",
            "Principal": {"Federated": provider(GITHUB)},
            "Action": WEB,
            "Condition": {
                "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
                "StringLike": {f"{GITHUB}:sub": some.choice(("repo:x/y:*", "repo:x/y:ref:main"))},
            },
        }
    host = some.choice((HOST, HOST, HOST, GREEN))
    wild = some.random() < 0.4
    subject = (
        f"system:serviceaccount:{some.choice(NAMESPACES)}:{some.choice((*NAMES, '*') if wild else NAMES)}"
    )
    like = some.choice(("StringEquals", "StringLike")) if "*" not in subject else "StringLike"
    found: Json = {
        "Effect": "Allow" if what < 8 else "Deny",
        "Principal": {"Federated": provider(host)},
        "Action": some.choice((WEB, [WEB, "sts:TagSession"])),
        "Condition": {like: {f"{host}:sub": subject}},
    }
    if what < 8:
        found["Condition"].setdefault("StringEquals", {})[f"{host}:aud"] = "sts.amazonaws.com"
    elif some.random() < 0.3:
        found["Principal"] = "*"
    if some.random() < 0.2 and what < 8:
        found["Sid"] = f"Theirs{some.randrange(10**6)}"
    return found


def trust(some: Random) -> Json:
    items = [statement(some) for _ in range(some.randint(1, 5))]
    if all(item["Effect"] == "Deny" for item in items):
        items.append({"Effect": "Allow", "Principal": {"Service": SERVICES[0]}, "Action": "sts:AssumeRole"})
    sids = [item.get("Sid") for item in items if item.get("Sid")]
    assert len(sids) == len(set(sids))
    return {"Version": "2012-10-17", "Statement": items}


Who = tuple[str, str, str]
"""Kind, place and name, as `-o json` has them."""


def probes() -> list[Who]:
    accounts = [f"{namespace}/{name}" for namespace in NAMESPACES for name in NAMES]
    tokens = [f"system:serviceaccount:{account.replace('/', ':')}" for account in accounts]
    return [
        *(("ServiceAccount", CLUSTER.arn, account) for account in accounts),
        *(("Token", GREEN, token) for token in tokens),
        *(("Token", GITHUB, f"repo:x/y:{end}") for end in ("ref:main", "ref:other")),
        *(("Principal", "Service", service) for service in SERVICES),
    ]


@dataclass
class Step:
    """One command: what it said, and the requests whose verdicts are the admitted sets around it."""

    arguments: tuple[str, ...]
    access: Json
    sides: tuple[Json, Json]
    """The trust policy of the role, and who has an association with it."""
    asked: list[tuple[int, Who, Json]] = field(default_factory=list)


def requests(side: Json, who: Who) -> Iterator[Json]:
    """What somebody may ask STS for: one that is allowed is enough."""
    kind, place, name = who
    resource = {"resource": SHARED, "accountId": ACCOUNT}
    if kind == "Principal":
        yield {"principal": name, "action": "sts:AssumeRole", "resource": resource, "context": {}}
        return
    host = HOST if kind == "ServiceAccount" else place
    subject = f"system:serviceaccount:{name.replace('/', ':')}" if kind == "ServiceAccount" else name
    context = {f"{host}:sub": subject, f"{host}:aud": "sts.amazonaws.com", "sts:RoleSessionName": "pod"}
    yield {"principal": provider(host), "action": WEB, "resource": resource, "context": context}
    if kind == "ServiceAccount" and name in side["associated"]:
        namespace, _, account = name.partition("/")
        context = {
            "aws:SourceAccount": ACCOUNT,
            "aws:SourceArn": CLUSTER.arn,
            "aws:RequestTag/eks-cluster-arn": CLUSTER.arn,
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": account,
        }
        principal = "pods.eks.amazonaws.com"
        yield {"principal": principal, "action": "sts:AssumeRole", "resource": resource, "context": context}


def side_of(play: Play) -> Json:
    role = play.cloud.world.roles.get("shared")
    given = play.cloud.world.associations
    return {
        "trust": None if role is None else role.state.trust,
        "associated": ["/".join(key) for key in given],
    }


COMMANDS = (
    ("create-sa", *READER, "--attach-role-arn", SHARED, "--update-trust", "--force", "--allow-wide-trust"),
    ("migrate", *READER, "--to", "pod-identity"),
    ("migrate", *READER, "--to", "pod-identity", "--finish"),
    ("migrate", *READER, "--to", "irsa"),
    ("delete-sa", *READER, "--force"),
)


def steps_of(folder: Path, seed: int) -> Iterator[Step]:
    some = Random(seed)
    with playing(folder) as play:
        play.irsa("associate-oidc", "-c", "demo")
        document = json.dumps(trust(some))
        play.cloud.iam.create_role(RoleName="shared", AssumeRolePolicyDocument=document)
        play.cloud.kube.put("namespaces", "", "backend")
        notes = {ROLE_ARN: SHARED} if some.random() < 0.3 else {}
        play.cloud.kube.put("serviceaccounts", "backend", "reader", annotations=notes)
        for arguments in COMMANDS:
            before = side_of(play)
            ran = play.irsa(*arguments, "--allow-access-change", "-o", "json", code=None)
            items = json.loads(ran.out)["items"]
            if ran.code == 0 and items and items[0]["access"] is not None:
                yield Step(arguments, items[0]["access"], (before, side_of(play)))


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Step, dict[Who, tuple[bool, bool]]]]:
    """Each step, and who was admitted before and after it."""
    folder, steps, asked = tmp_path_factory.mktemp("worlds"), list[Step](), list[Json]()
    places: list[tuple[int, int, Who]] = []
    for number in range(WORLDS):
        (folder / str(number)).mkdir()
        for step in steps_of(folder / str(number), SEED + number):
            steps.append(step)
            for side, state in enumerate(step.sides):
                for who in probes():
                    for request in requests(state, who):
                        places.append((len(steps) - 1, side, who))
                        asked.append({**request, "trust": state["trust"]})
    found: dict[tuple[int, int, Who], bool] = {}
    for place, verdict in zip(places, verdicts(asked), strict=True):
        found[place] = found.get(place, False) or verdict == ALLOWED
    return [
        (step, {who: (found[number, 0, who], found[number, 1, who]) for who in probes()})
        for number, step in enumerate(steps)
    ]


def _said(step: Step, side: str) -> set[Who]:
    return {
        (one["who"]["kind"], one["who"]["place"], one["who"]["name"])
        for one in step.access[side]
        if not one["podsOnly"] and not one["who"]["pattern"]
    }


def _covered(step: Step, side: str, who: Who) -> bool:
    """Whether a pattern that is said to gain, or to lose, stands for somebody."""
    from fnmatch import fnmatchcase

    patterns = [one["who"] for one in step.access[side] if one["who"]["pattern"] and not one["podsOnly"]]
    return any(
        (one["kind"], one["place"]) == who[:2] and fnmatchcase(who[2], one["name"]) for one in patterns
    )


def test_the_difference_is_what_the_plan_said(
    judged: list[tuple[Step, dict[Who, tuple[bool, bool]]]],
) -> None:
    wrong: list[Any] = []
    for step, admitted in judged:
        for side, (was, becomes) in (("gains", (False, True)), ("losses", (True, False))):
            said = _said(step, side)
            for who, (before, after) in admitted.items():
                changed = (before, after) == (was, becomes)
                is_said = who in said or _covered(step, side, who)
                if changed != is_said and not (is_said and not changed and who not in said):
                    wrong.append((step.arguments[0], side, who, before, after, step.sides[0]["trust"]))
    assert wrong == []


def test_the_comparison_is_worth_something(
    judged: list[tuple[Step, dict[Who, tuple[bool, bool]]]],
) -> None:
    counted = Counter(step.arguments[0] for step, _ in judged)
    assert counted["create-sa"] > WORLDS / 3
    assert counted["delete-sa"] > WORLDS / 4
    assert counted["migrate"] > WORLDS / 4
    assert sum(bool(_said(step, "gains")) for step, _ in judged) > WORLDS / 6
    assert sum(bool(_said(step, "losses")) for step, _ in judged) > WORLDS / 8
    assert any(before for _, admitted in judged for before, _ in admitted.values())
    assert all(as_list(step.sides[0]["trust"]["Statement"]) for step, _ in judged)


def test_nobody_else_is_said(judged: list[tuple[Step, dict[Who, tuple[bool, bool]]]]) -> None:
    """Whoever is named by a plan is one of those that were asked about."""
    known = set(probes())
    for step, _ in judged:
        assert _said(step, "gains") | _said(step, "losses") <= known
