"""What one of several concurrent runs wishes: its command line, and what has to be true once it ended with 0.

Pure: worlds are the JSON of `FaultStage.world()`, read here with no help from irsa's own code. What a whole
schedule is worth is decided in `schedule_judge`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from irsa_cli.sandbox.enforce import Who, admits
from tests.faults.commands import DOCUMENT
from tests.faults.judge import TRANSACTION, Json, Object, differences
from tests.support.stage import ACCOUNT, ROLE_ARN

ISSUER = "ISSUER"
"""What `FaultStage.neutral` puts in the place of the issuer's name."""
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
SUBJECT = f"{ISSUER}:sub"
AUDIENCE = "sts.amazonaws.com"
SHARED = "shared"
"""A role that is there before, and stays somebody else's."""
SHARED_ARN = f"arn:aws:iam::{ACCOUNT}:role/{SHARED}"
ROLE_MARK = "irsa/role-arn"
OWNER_TAG = "irsa/service-account"
LABELS = {"app.kubernetes.io/managed-by": "irsa"}


@dataclass(frozen=True)
class DesiredState:
    """What `irsa create-sa` is asked for; `account` is `namespace/name`, `inline` names files."""

    account: str
    policies: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    shared: bool = False
    """Whether the shared role is used instead of one of its own."""
    override: bool = False
    role_only: bool = False
    associate: bool = False
    verify: bool = False

    @property
    def namespace(self) -> str:
        """The account's namespace."""
        return self.account.partition("/")[0]

    @property
    def subject(self) -> str:
        """The `sub` of the account's tokens."""
        return f"system:serviceaccount:{self.account.replace('/', ':')}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line, without cluster, time limits and form of output."""
        namespace, _, name = self.account.partition("/")
        shared = ("--attach-role-arn", SHARED_ARN, "--update-trust")
        switches = {
            "--override-existing-serviceaccounts": self.override,
            "--role-only": self.role_only,
            "--associate-oidc": self.associate,
            "--verify": self.verify,
        }
        return (
            *("create-sa", name, "-n", namespace),
            *(word for arn in self.policies for word in ("--attach-policy-arn", arn)),
            *(word for name in self.inline for word in ("--inline-policy", f"{name}.json")),
            *(word for key, value in self.annotations for word in ("--annotation", f"{key}={value}")),
            *(shared if self.shared else ()),
            *(name for name, on in switches.items() if on),
        )


def differ(one: DesiredState, other: DesiredState) -> bool:
    """Whether they are different wishes for one ServiceAccount, so that one may be refused."""
    contents = [
        (desired.shared, {*desired.policies}, {*desired.inline}, {*desired.annotations})
        for desired in (one, other)
    ]
    return one.account == other.account and contents[0] != contents[1]


def rivals(one: DesiredState, other: DesiredState) -> bool:
    """Whether the two can't both be true."""
    if one.account != other.account:
        return False
    roles = not one.shared and not other.shared
    if roles and ({*one.policies}, {*one.inline}) != ({*other.policies}, {*other.inline}):
        return True
    if one.role_only or other.role_only:
        return False
    values = dict(one.annotations)
    return one.shared != other.shared or any(
        values.get(key, value) != value for key, value in other.annotations
    )


def missing(
    desired: DesiredState,
    before: Json,
    world: Json,
    besides: Sequence[DesiredState] = (),
    *,
    account: bool = True,
) -> list[str]:
    """What is not as the wish has it; `account` False leaves out what the ServiceAccount says.

    `besides` are other wishes that are true of the same ServiceAccount, or were: it may say what they say.
    """
    found = list(_provider_problems(world))
    if desired.shared:
        role = world["roles"].get(SHARED)
        if role is None or not _admitted(desired, role):
            found.append(not_admitted(desired))
    else:
        found += _role_problems(desired, world)
    if not desired.role_only and account:
        found += _account_problems(desired, before["kubernetes"], world, besides)
    return found


def not_admitted(desired: DesiredState) -> str:
    """The problem of a wish whose statement is not on the shared role."""
    return f"role {SHARED} does not admit {desired.account}"


def roles_of(account: str, world: Json) -> list[str]:
    """The roles that were made for a ServiceAccount."""
    return [name for name, role in world["roles"].items() if role["tags"].get(OWNER_TAG) == account]


def _provider_problems(world: Json) -> Iterator[str]:
    provider = world["oidc_providers"].get(PROVIDER)
    if provider is None or AUDIENCE not in provider["audiences"]:
        yield "the provider is not there"


def _role_problems(desired: DesiredState, world: Json) -> Iterator[str]:
    names = roles_of(desired.account, world)
    if len(names) != 1:
        yield f"{desired.account} has {len(names)} roles"
        return
    role = world["roles"][names[0]]
    if role["attached"] != sorted(desired.policies):
        yield f"attached to {names[0]}: {role['attached']}"
    if role["inline"] != dict.fromkeys(desired.inline, DOCUMENT):
        yield f"inline policies of {names[0]}: {list(role['inline'])}"
    if len(_statements(role)) != 1 or not _admitted(desired, role):
        yield f"role {names[0]} does not admit {desired.account} and nobody else"
    if TRANSACTION not in role["tags"]:
        yield f"role {names[0]} has no mark"


def _admitted(desired: DesiredState, role: Json) -> bool:
    context = {SUBJECT.lower(): [desired.subject], f"{ISSUER}:aud".lower(): [AUDIENCE]}
    trust = json.dumps(role["trust"])
    return admits(trust, "sts:AssumeRoleWithWebIdentity", Who(federated=PROVIDER), context)


def _account_problems(
    desired: DesiredState, before: Json, world: Json, besides: Sequence[DesiredState]
) -> Iterator[str]:
    accounts = world["kubernetes"]["serviceaccounts"]
    if desired.account not in accounts:
        yield f"{desired.account} is not there"
        return
    old, new = before["serviceaccounts"].get(desired.account), accounts[desired.account]
    arn, there = _arn(desired, world), old["annotations"] if old else {}
    mark = {ROLE_MARK: arn} if there.get(ROLE_ARN) != arn else {}
    wanted = {**there, ROLE_ARN: arn, **mark, **dict(desired.annotations)}
    said = {item for item in new["annotations"].items() if item[0] != TRANSACTION}
    allowed = {item for other in besides if other.account == desired.account for item in other.annotations}
    if not wanted.items() <= said or not said <= wanted.items() | allowed:
        yield f"annotations of {desired.account}: {new['annotations']}"
    if new["labels"] != (old["labels"] if old else LABELS):
        yield f"labels of {desired.account}: {new['labels']}"
    if old and old["uid"] != new["uid"]:
        yield f"{desired.account} was deleted and made again"


def _arn(desired: DesiredState, world: Json) -> str:
    names = roles_of(desired.account, world)
    if desired.shared or not names:
        return SHARED_ARN if desired.shared else "none"
    arn: str = world["roles"][names[0]]["arn"]
    return arn


def _statements(role: Mapping[str, Any]) -> list[Json]:
    found = role["trust"].get("Statement", [])
    return found if isinstance(found, list) else [found]


def changes(before: Json, world: Json) -> list[Object]:
    """`judge.differences`, each subject of a trust policy a piece of its own, named as irsa does."""
    found: list[Object] = []
    for kind, name in differences(before, world):
        if kind == "TrustStatement":
            found += _statement_changes(name, before["roles"][name], world["roles"][name])
        else:
            found.append((kind, name))
    return found


def _statement_changes(name: str, old: Json, new: Json) -> list[Object]:
    one, other = (
        Counter(json.dumps(item, sort_keys=True) for whole in _statements(role) for item in _apart(whole))
        for role in (old, new)
    )
    changed = (one - other) + (other - one)
    subjects = sorted({_subject(json.loads(text)) for text in changed})
    if {**old["trust"], "Statement": 0} != {**new["trust"], "Statement": 0}:
        subjects.append("the document")
    return [("TrustStatement", f"{name}/{subject}") for subject in subjects]


def _apart(statement: Json) -> Iterator[Json]:
    """A statement that admits several subjects as one for each of them: they are alternatives."""
    condition = statement.get("Condition", {})
    subjects = condition.get("StringEquals", {}).get(SUBJECT)
    if not isinstance(subjects, list):
        yield statement
        return
    for subject in subjects:
        equals = {**condition["StringEquals"], SUBJECT: subject}
        yield {**statement, "Condition": {**condition, "StringEquals": equals}}


def _subject(statement: Json) -> str:
    return str(statement.get("Condition", {}).get("StringEquals", {}).get(SUBJECT, "somebody"))


def belongs(piece: Object, desired: DesiredState, worlds: Sequence[Json]) -> bool:
    """Whether a piece is one that the wish is about; roles are known by their tags in one of the `worlds`."""
    kind, name = piece
    if kind == "Namespace":
        return name == desired.namespace and not desired.role_only
    if kind == "ServiceAccount":
        return name == desired.account and not desired.role_only
    if kind == "OIDCProvider":
        return name == PROVIDER
    if kind == "TrustStatement":
        return desired.shared and name == f"{SHARED}/{desired.subject}"
    role = name.partition("/")[0]
    return not desired.shared and any(role in roles_of(desired.account, world) for world in worlds)
