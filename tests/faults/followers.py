"""Another command after a broken run, without a fault: what it is, and what must be true when it has ended.

Three things hold for each of them, whatever the broken run was, and whatever it left:

- What is foreign stays as it is (`Foreign.harmed`; the bench asks).
- No lie: a command that only reads changes nothing, and calls no binding good that is not; one that writes
  and ends with 0 has done what it says; one that refuses or fails has changed nothing, says why, and ends
  with a code that means so; one that ends with 3 says what is left, and how to repair it. What was there
  before the broken run, and neither command was to delete, is there.
- Afterwards the broken command, run again, ends as desired; or, where the other one has taken away what it
  only changes, nothing of irsa's is left of that.

The functions are pure, over the JSON of `FaultStage.world()`. Which follows which case is drawn in `cases`,
how they are run is in `aftermath`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.sandbox.enforce import Who, admits
from tests.faults.commands import NAMESPACE, Command
from tests.faults.desired_states import AUDIENCE, ISSUER, PROVIDER, roles_of
from tests.faults.judge import COMMIT, INCOMPLETE, Ending, Json, differences, essence
from tests.faults.stages import FaultStage
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN

APP = f"{NAMESPACE}/app"
PLACE = ("app", "-n", NAMESPACE)
TAG = "after"
REFUSED = (1, 4, 5)


@dataclass(frozen=True)
class Scene:
    """What is judged: the worlds before the broken run, before and after the other command, and its end."""

    command: Command
    origin: Json
    desired: Json
    """In the form of `essence`."""
    before: Json
    after: Json
    ending: Ending
    output: Mapping[str, Any]

    @property
    def changed(self) -> list[tuple[str, str]]:
        """What the other command has changed."""
        return differences(self.before, self.after)


@dataclass(frozen=True)
class Follower:
    """A command, and what it must not get wrong when it ends with 0."""

    name: str
    words: Callable[[FaultStage, Command], tuple[str, ...]]
    lies: Callable[[Scene], Iterator[str]]
    reads: bool = False
    """Whether it changes nothing, and what it says is judged whatever its exit code."""
    deletes: bool = False
    """Whether what the broken run is about may be gone after it."""
    taken_back: tuple[str, ...] = ()
    """What takes back what it did beyond the broken command's wish, when it has ended with 0."""


def problems(follower: Follower, scene: Scene) -> list[str]:
    """What is wrong with how the other command ended."""
    return [*_senseless(follower, scene), *_lies(follower, scene), *_missing(follower, scene)]


def _senseless(follower: Follower, scene: Scene) -> Iterator[str]:
    code = scene.ending.code
    said = scene.output.get("metadata", {}).get("exitCode")
    if code is None or code < 0 or said != code:
        yield f"{follower.name} ended with {code}, and said {said}"
        return
    errors = scene.output.get("errors", [])
    yield from (f"{follower.name}: a bug: {error}" for error in errors if error["code"] == "InternalError")
    if code not in (0, INCOMPLETE, *REFUSED):
        yield f"{follower.name} ended with {code}"
    reasons = [*errors, *scene.output["metadata"].get("skipped", [])]
    if code in REFUSED and not follower.reads and not reasons:
        yield f"{follower.name} ended with {code} and says no reason"


def _lies(follower: Follower, scene: Scene) -> Iterator[str]:
    code = scene.ending.code
    if scene.changed and (follower.reads or code in REFUSED):
        yield f"{follower.name} ended with {code} and changed {scene.changed}"
    if code == INCOMPLETE and not follower.reads:
        named = len(scene.ending.left) == len(scene.ending.repairs) > 0 and all(scene.ending.repairs)
        if not named:
            yield f"{follower.name} ended with 3 and names nothing, or nothing that repairs it"
    if follower.reads or code == 0:
        yield from follower.lies(scene)


def _missing(follower: Follower, scene: Scene) -> Iterator[str]:
    """What was there before both commands, and is not any more, though neither was to take it away."""
    if follower.deletes:
        return
    worlds = (scene.desired, scene.before, scene.after)
    wanted, there, now = (dict(_things(world)) for world in worlds)
    for kind, names in _things(scene.origin):
        for name in sorted((names & wanted[kind] & there[kind]) - now[kind]):
            yield f"{kind} {name} was there before, and is gone"


def _things(world: Json) -> Iterator[tuple[str, set[str]]]:
    kubernetes = world["kubernetes"]
    yield "Role", {*world["roles"]}
    yield "OIDCProvider", {*world["oidc_providers"]}
    yield "Namespace", {*kubernetes["namespaces"]}
    yield "ServiceAccount", {*kubernetes["serviceaccounts"]}


def whole(world: Json) -> list[str]:
    """Why the binding of apps/app is not complete; nothing of a command's words is believed here."""
    account = world["kubernetes"]["serviceaccounts"].get(APP)
    if account is None:
        return ["there is no ServiceAccount"]
    given = [item for name, item in world.get("associations", {}).items() if name.endswith(APP)]
    # With an association, the annotation does not count.
    arn = given[0]["roleArn"] if given else account["annotations"].get(ROLE_ARN)
    role = next((role for role in world["roles"].values() if role["arn"] == arn), None)
    if role is None:
        return [f"its role is {arn}"]
    if given:
        trusted = "pods.eks.amazonaws.com" in json.dumps(role["trust"])
        return [] if trusted else ["the role does not trust EKS Pod Identity"]
    provider = PROVIDER.replace(ACCOUNT, role["arn"].split(":")[4])  # In the account of the role.
    found = []
    context = {
        f"{ISSUER}:sub".lower(): [f"system:serviceaccount:{NAMESPACE}:app"],
        f"{ISSUER}:aud".lower(): [AUDIENCE],
    }
    if not admits(
        json.dumps(role["trust"]), "sts:AssumeRoleWithWebIdentity", Who(federated=provider), context
    ):
        found.append("the role does not admit it")
    if AUDIENCE not in world["oidc_providers"].get(provider, {"audiences": []})["audiences"]:
        found.append("the provider is not there")
    if role["tags"].get(COMMIT) in ("pending", "deleting"):
        found.append(f"the role is {role['tags'][COMMIT]}")
    return found


def leftovers(world: Json, origin: Json) -> list[str]:
    """What there is of irsa's for apps/app; what was there before and is not irsa's has to be as it was."""
    found = [f"role {name}" for name in roles_of(APP, world)]
    accounts, old = (item["kubernetes"]["serviceaccounts"].get(APP) for item in (world, origin))
    if accounts and "irsa/transaction" in accounts["annotations"]:
        found.append("the ServiceAccount")
    theirs = old and "irsa/transaction" not in old["annotations"]
    if theirs and (accounts is None or accounts["uid"] != old["uid"]):
        found.append("no ServiceAccount of theirs any more")
    return found


def _lists_ok(scene: Scene) -> Iterator[str]:
    for item in scene.output.get("items", []):
        named = item["serviceAccount"]
        if f"{named['namespace']}/{named['name']}" == APP and item["status"] == "ok":
            yield from (f"get-sa says ok: {why}" for why in whole(scene.before))


def _describes_ok(scene: Scene) -> Iterator[str]:
    if any(item["status"] == "ok" for item in scene.output.get("items", [])):
        yield from (f"describe-sa says ok: {why}" for why in whole(scene.before))


def _proves(scene: Scene) -> Iterator[str]:
    """`verify` proves that a token is accepted: a role that is being deleted may still accept it."""
    if scene.ending.code == 0:
        yield from (f"verify ends with 0: {why}" for why in whole(scene.before) if "the role is" not in why)


def _finds_nothing(scene: Scene) -> Iterator[str]:
    if scene.ending.code == 0:
        yield from (f"doctor ends with 0: {why}" for why in whole(scene.before) if "the role is" not in why)


def _is_true(scene: Scene) -> Iterator[str]:
    if essence(scene.after, scene.origin) != scene.desired:
        yield "apply ends with 0, and the world is not as desired"


def _is_tagged(scene: Scene) -> Iterator[str]:
    tagged = [role for role in scene.after["roles"].values() if role["tags"].get(TAG) == "cut"]
    if len(tagged) != 1:
        yield f"update-sa ends with 0, and {len(tagged)} roles have the tag"
    yield from (f"update-sa ends with 0: {why}" for why in whole(scene.after))


def _is_adopted(scene: Scene) -> Iterator[str]:
    if len(roles_of(APP, scene.after)) != 1:
        yield f"adopt ends with 0, and the roles are {roles_of(APP, scene.after)}"
    yield from (f"adopt ends with 0: {why}" for why in whole(scene.after))


def _is_gone(scene: Scene) -> Iterator[str]:
    yield from (
        f"delete-sa ends with 0, and there is {what}" for what in leftovers(scene.after, scene.origin)
    )
    was, old, now = (
        item["kubernetes"]["serviceaccounts"].get(APP, {"annotations": {}})["annotations"].get(ROLE_ARN)
        for item in (scene.before, scene.origin, scene.after)
    )
    if was and was == old != now and not roles_of(APP, scene.origin) and not scene.command.deletes:
        yield f"delete-sa took the annotation of others off: {was}"


def _is_bound(scene: Scene) -> Iterator[str]:
    yield from (f"create-sa ends with 0: {why}" for why in whole(scene.after))


def _is_recovered(scene: Scene) -> Iterator[str]:
    """What was complete has to stay so."""
    if not whole(scene.before):
        yield from (f"recover took it away: {why}" for why in whole(scene.after))


def _file(stage: FaultStage) -> tuple[str, ...]:
    """What `create-sa` with one policy wishes, as a configuration file."""
    account = {"metadata": {"name": "app", "namespace": NAMESPACE}, "attachPolicyARNs": [READ_ONLY]}
    document = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": stage.cluster},
        "iam": {"serviceAccounts": [account]},
    }
    (stage.folder / "after.json").write_text(json.dumps(document))
    return ("-f", "after.json")


def _cluster(*words: str) -> Callable[[FaultStage, Command], tuple[str, ...]]:
    """A command about the cluster, which reaches other accounts as the broken one did, where it can."""

    def line(stage: FaultStage, command: Command) -> tuple[str, ...]:
        knows = command.way[:1] == ("--role-account",) or words[0] not in ("get-sa", "adopt")
        return (*words, "-c", stage.cluster, *(command.way if knows else ()))

    return line


FOLLOWERS = {
    follower.name: follower
    for follower in (
        Follower("get-sa", _cluster("get-sa", "-A"), _lists_ok, reads=True),
        Follower("describe-sa", _cluster("describe-sa", *PLACE), _describes_ok, reads=True),
        Follower("verify", _cluster("verify", *PLACE), _proves, reads=True),
        Follower("doctor", _cluster("doctor", *PLACE), _finds_nothing, reads=True),
        Follower(
            "delete-sa",
            _cluster("delete-sa", *PLACE, "--ignore-not-found", "--force"),
            _is_gone,
            deletes=True,
        ),
        Follower(
            "update-sa",
            _cluster("update-sa", *PLACE, "--tags", f"{TAG}=cut"),
            _is_tagged,
            taken_back=("update-sa", *PLACE, "--remove-tag", TAG),
        ),
        Follower("adopt", _cluster("adopt", *PLACE), _is_adopted),
        Follower(
            "apply",
            lambda stage, command: ("apply", *_file(stage)),
            _is_true,
        ),
        Follower(
            "create-sa",
            lambda stage, command: ("create-sa", *PLACE, *command.binding, "-c", stage.cluster),
            _is_bound,
        ),
        Follower(
            "recover-all",
            _cluster("recover", "--all", "--min-age", "0s"),
            _is_recovered,
        ),
    )
}
