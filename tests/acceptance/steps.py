"""The steps: what irsa is asked to do, and whether the account and the cluster are then as they should be."""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.place import MARK, ROLE_ARN, Failed, Json, LeftOut, Place
from tests.acceptance.program import Ran, irsa

SUBJECT = "irsa/service-account"
SEVERAL = ("one", "two", "three")


@dataclass
class Trial:
    """What the steps share."""

    place: Place
    exit_codes: list[int] = field(default_factory=list)
    """Of the step that is being done."""
    role: str = ""

    @property
    def verifying(self) -> tuple[str, ...]:
        """--verify, if tokens are to be exchanged."""
        return () if self.place.args.no_exchange else ("--verify",)

    def irsa(self, *words: str, strike: int = 0, ends: tuple[int, ...] = (0,)) -> Ran:
        """Run irsa, which has to end with one of these exit codes."""
        ran = irsa(self.place, *words, strike=strike)
        self.exit_codes.append(ran.code)
        if ran.code not in ends:
            print(ran.err)
            codes = f" ({', '.join(ran.codes)})" if ran.codes else ""
            raise Failed(f"irsa {words[0]} ended with {ran.code}{codes}")
        return ran

    def create(
        self,
        name: str,
        *more: str,
        namespace: str = "",
        policy: str = "",
        strike: int = 0,
        ends: tuple[int, ...] = (0,),
    ) -> Ran:
        """irsa create-sa, in the run's namespace unless another one is named."""
        place = self.place
        own = ("-n", namespace or place.name, "--role-path", place.path, "--tags", f"{MARK}={place.id}")
        policies = ("--attach-policy-arn", policy or place.policy(0))
        words = ("create-sa", name, *own, "--no-create-namespace", *policies, *more)
        return self.irsa(*words, strike=strike, ends=ends)

    def account(self, name: str, namespace: str = "") -> Any:
        """A ServiceAccount, None if there is none."""
        namespace = namespace or self.place.name
        return self.place.try_kube("read_namespaced_service_account", name, namespace)

    def roles_of(self, name: str, namespace: str = "") -> list[str]:
        """The roles in the run's path that are tagged with a ServiceAccount."""
        place, subject = self.place, f"{namespace or self.place.name}/{name}"
        names = [role["RoleName"] for role in place.roles(place.path)]
        return [role for role in names if place.tags(role).get(SUBJECT) == subject]

    def check_bound(self, name: str, *policies: str, namespace: str = "") -> str:
        """The ServiceAccount has a role that allows it alone and has these policies; its name."""
        place = self.place
        account = self.account(name, namespace)
        arn = (account.metadata.annotations or {}).get(ROLE_ARN, "") if account else ""
        if not arn.startswith(f"arn:{place.partition}:iam::{place.account}:role{place.path}"):
            raise Failed("the ServiceAccount does not have a role of the run's path")
        role: str = arn.rpartition("/")[2]
        subject = f"system:serviceaccount:{namespace or place.name}:{name}"

        def is_right() -> bool:
            found = place.try_iam("get_role", RoleName=role)
            if not found:
                return False
            (statement,) = found["Role"]["AssumeRolePolicyDocument"]["Statement"]
            allowed = statement["Condition"]["StringEquals"]
            trusted = statement["Principal"]["Federated"] == place.provider and subject in allowed.values()
            return trusted and place.attached(role) == set(policies)

        if not place.settled(is_right):
            raise Failed("the role's trust policy or its policies are not as they should be")
        return role

    def check_gone(self, *names: str, namespace: str = "") -> None:
        """Neither the ServiceAccounts nor their roles are there."""
        for name in names:
            if self.account(name, namespace) is not None:
                raise Failed("a ServiceAccount was left")
            if not self.place.settled(lambda name=name: not self.roles_of(name, namespace)):  # type: ignore[misc]
                raise Failed("a role was left")

    def state(self) -> Json:
        """Everything that another run of the same command must leave as it is."""
        place = self.place
        listed = place.try_kube("list_namespaced_service_account", place.name)
        accounts = {item.metadata.name: item.metadata.resource_version for item in listed.items}
        roles = {
            role["RoleName"]: (role["RoleId"], place.tags(role["RoleName"]), place.attached(role["RoleName"]))
            for role in place.roles(place.path)
        }
        return {"accounts": accounts, "roles": roles}

    def unchanged(self, again: Callable[[], Ran]) -> None:
        """Do something again, which must change nothing."""
        before = self.state()
        again()
        if not self.place.settled(lambda: self.state() == before):
            raise Failed("the same command again changed something")


def provider(trial: Trial) -> None:
    place = trial.place
    if place.provider_state() is None:
        trial.irsa("associate-oidc", "--tags", f"{MARK}={place.id}")
        if not place.settled(lambda: place.provider_state() is not None):
            raise Failed("the provider was not created")


def namespaces(trial: Trial) -> None:
    place = trial.place
    for name in (place.name, place.vanishing):
        place.make_namespace(name)
    if trial.irsa("get-sa", "-n", place.name, "--allow-empty").result.get("items") != []:
        raise Failed("irsa get-sa lists ServiceAccounts of an empty namespace")


def create(trial: Trial) -> None:
    trial.create("main", *trial.verifying)
    trial.role = trial.check_bound("main", trial.place.policy(0))


def six_steps(trial: Trial) -> None:
    place = trial.place
    if place.args.no_exchange:
        raise LeftOut
    words = ("verify", "main", "-n", place.name, "--call", "sts get-caller-identity")
    ran = trial.irsa(*words)
    if f":assumed-role/{trial.role}/" not in json.dumps(ran.result):
        raise Failed("AWS did not name the role as the caller")


def create_again(trial: Trial) -> None:
    trial.unchanged(lambda: trial.create("main"))


def update(trial: Trial) -> None:
    place = trial.place
    words = ("update-sa", "main", "-n", place.name, *trial.verifying)
    trial.irsa(*words, "--attach-policy-arn", place.policy(1))
    trial.check_bound("main", place.policy(0), place.policy(1))
    trial.irsa(*words, "--detach-policy-arn", place.policy(0))
    trial.check_bound("main", place.policy(1))


def missing_policy(trial: Trial) -> None:
    trial.create("none", policy=trial.place.missing_policy, ends=(1, 2, 4))
    trial.check_gone("none")


def _struck(trial: Trial, name: str, strike: int, end: int) -> None:
    """Send a signal to a create-sa; again if it has ended before."""
    for _ in range(4):
        if trial.create(name, "--verify", strike=strike, ends=(end, 0)).code == end:
            return
        trial.irsa("delete-sa", name, "-n", trial.place.name, "--yes")
    raise Failed("irsa always ended before the signal")


def interrupted(trial: Trial) -> None:
    _struck(trial, "stopped", signal.SIGINT, 128 + signal.SIGINT)
    trial.check_gone("stopped")


def killed(trial: Trial) -> None:
    _struck(trial, "killed", signal.SIGKILL, -signal.SIGKILL)
    trial.irsa("recover", "--all", "--yes")
    trial.check_gone("killed")


def vanished_namespace(trial: Trial) -> None:
    place = trial.place
    trial.create("gone", namespace=place.vanishing)
    trial.check_bound("gone", place.policy(0), namespace=place.vanishing)
    place.try_kube("delete_namespace", place.vanishing)
    until = time.monotonic() + 2 * place.args.settle
    while place.try_kube("read_namespace", place.vanishing) and time.monotonic() < until:
        time.sleep(0.5)
    trial.irsa("delete-sa", "gone", "-n", place.vanishing, "--yes")
    trial.check_gone("gone", namespace=place.vanishing)


def files(trial: Trial) -> None:
    place = trial.place
    entry = {
        "attachPolicyARNs": [place.policy(0)],
        "rolePath": place.path,
        "tags": {MARK: place.id},
    }
    document = {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": place.args.cluster, "region": place.region},
        "serviceAccounts": [
            {"metadata": {"name": name, "namespace": place.name}, **entry} for name in SEVERAL
        ],
    }
    file = place.folder / "bindings.yaml"
    file.write_text(json.dumps(document))
    trial.irsa("apply", "-f", str(file))
    for name in SEVERAL:
        trial.check_bound(name, place.policy(0))
    trial.unchanged(lambda: trial.irsa("apply", "-f", str(file)))
    trial.irsa("delete", "-f", str(file), "--yes")
    trial.check_gone(*SEVERAL)


def delete(trial: Trial) -> None:
    trial.irsa("delete-sa", "main", "-n", trial.place.name, "--yes")
    trial.check_gone("main")
    if not trial.place.settled(lambda: not trial.place.roles(trial.place.path)):
        raise Failed("a role was left")


STEPS: dict[str, Callable[[Trial], None]] = {
    "OIDC provider": provider,
    "namespaces and get-sa": namespaces,
    "create-sa --verify": create,
    "verify, all six steps": six_steps,
    "create-sa again": create_again,
    "update-sa --verify, twice": update,
    "create-sa with a policy that does not exist": missing_policy,
    "create-sa, interrupted": interrupted,
    "create-sa, killed; recover": killed,
    "delete-sa after its namespace was deleted": vanished_namespace,
    "apply, apply again, delete": files,
    "delete-sa": delete,
}
