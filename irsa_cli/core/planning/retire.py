"""Plans that remove the remains of deleted clusters from IAM. Pure.

A role is deleted only if everything shows that nobody needs it; else it is kept, with the reason.
`irsa_cli.usecases.write.retire` reads the account.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from irsa_cli.core.binding import ownership
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.marks import makers
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.planning.delete import Deletion, delete_role
from irsa_cli.core.planning.deletion_checks import check_known, other_principals
from irsa_cli.core.planning.repoint import trust_changes
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import PROVIDER, principals, statements, trusted_providers
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.chain import chain_of_policies
from irsa_cli.core.values.arn import Arn, check_cluster, issuer_of
from irsa_cli.core.values.cluster import PLAIN, Cluster, Reach
from irsa_cli.core.values.errors import InvalidInput, Refused
from irsa_cli.core.values.names import parse_full_name
from irsa_cli.core.values.shown import plural

EKS = re.compile(r"oidc[.-]eks\.(?P<region>[a-z0-9-]+)\.[a-z.]+/id/(?P<id>[0-9A-Fa-f]+)")
"""An issuer of EKS, without `https://`; of others, irsa can't know whether they still exist."""


def issuer_key(issuer: str) -> tuple[str, str]:
    """The region and the id of an issuer of EKS: its host has two names. Others are compared as they are."""
    found = EKS.fullmatch(issuer)
    return (found["region"], found["id"].upper()) if found else ("", issuer)


UNMARKED = "it has no tag of irsa, so it can be of a cluster in another account"
SHOWN = 5
"""How many roles are named at most."""


def service_account_of(role: Role) -> tuple[str, str]:
    """Namespace and name of the ServiceAccount that a role's tag names; '' if it names none."""
    return parse_full_name(role.tags.get(states.SERVICE_ACCOUNT_TAG, "")) or ("", "")


def recent_use(role: Role, now: datetime, seconds: float) -> str:
    """The last use of a role, or its creation, if that is not so long ago; '' if it is."""
    limit = now - timedelta(seconds=seconds)
    if role.last_used is not None and role.last_used > limit:
        return f"it was used on {role.last_used:%Y-%m-%d}"
    if role.created is not None and role.is_younger(limit):
        return f"it was created on {role.created:%Y-%m-%d}, so its use is unknown"
    return ""


@dataclass(frozen=True)
class ReadAccount:
    """An account: `living` are the issuers (without `https://`) of its clusters by their ARNs.

    `regions` are those whose clusters were read, `unread` the others and why. A provider that can't be read
    is None.
    """

    number: str
    partition: str
    now: datetime
    living: Mapping[str, str] = field(default_factory=dict)
    regions: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    providers: Mapping[str, states.ProviderState | None] = field(default_factory=dict)
    roles: tuple[Role, ...] = ()

    def owner(self, provider: str) -> str:
        """The cluster that irsa created a provider for, by its tag; '' if nothing tells it."""
        state = self.providers.get(provider)
        return state.tags.get(states.CLUSTER_TAG, "") if state is not None else ""

    def is_living(self, provider: str) -> bool:
        """Whether a cluster of the account has the issuer of a provider, which need not exist."""
        return issuer_key(issuer_of(provider)) in self._living

    @cached_property
    def _living(self) -> frozenset[tuple[str, str]]:
        return frozenset(map(issuer_key, self.living.values()))

    def why_absent_counts(self, provider: str) -> str:
        """Why a provider that does not exist can be somebody's: he may create it again. '' if it can't."""
        issuer = EKS.fullmatch(issuer_of(provider))
        if issuer is None:
            return "it does not exist, but its issuer is not one of EKS, so who uses it is not known"
        if self.is_living(provider):
            return "it does not exist, but a cluster of this account has its issuer"
        if provider.split(":")[4] != self.number:
            return "it is in another account"
        region = issuer["region"]
        return "" if region in self.regions else f"the clusters of {region} were not read"

    def doubt(self, arn: str) -> str:
        """Why it is not known whether a cluster exists; '' if it is."""
        if not is_cluster(arn):
            return f"its tag names {arn}, which is not a cluster of EKS"
        found = Arn.parse(arn)
        if found.account != self.number:
            return f"its cluster was in account {found.account}, whose clusters irsa did not read"
        return "" if found.region in self.regions else f"the clusters of {found.region} were not read"


@dataclass(frozen=True)
class DeadCluster:
    """A cluster that is gone, and what it left: `arn` is '' if no tag tells it; `doubt`: why it may exist."""

    arn: str
    providers: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    doubt: str = ""

    @property
    def issuers(self) -> tuple[str, ...]:
        """Its issuers, without `https://`."""
        return tuple(map(issuer_of, self.providers))

    @property
    def name(self) -> str:
        """The cluster's name, or its issuer's id."""
        return self.arn.rpartition("/")[2] or self.issuers[0].rpartition("/")[2]

    def of(self, account: ReadAccount) -> Cluster:
        """The cluster as other commands know it; without an ARN, as one that its issuer identifies."""
        issuer = f"https://{self.issuers[0]}" if self.providers else ""
        match = EKS.match(self.issuers[0]) if self.providers else None
        region = self.arn.split(":")[3] if self.arn else match["region"] if match else ""
        return Cluster(self.name, self.arn or issuer, region, account.partition, account.number, issuer)


def is_cluster(text: str) -> bool:
    """Whether a text, such as a tag's, is the ARN of a cluster of EKS."""
    try:
        return bool(check_cluster(text))
    except InvalidInput:
        return False


def find(account: ReadAccount) -> list[DeadCluster]:
    """The clusters that left something in IAM and are not among the account's clusters.

    Only the tag of a provider tells whose issuer it is: roles of one cluster can also trust others.
    """
    groups: dict[str, tuple[set[str], dict[str, Role]]] = {}
    trusting: dict[str, list[Role]] = {arn: [] for arn in account.providers}
    for role in account.roles:
        if is_cluster(role.owner) and role.owner not in account.living:
            groups.setdefault(role.owner, (set(), {}))[1][role.arn] = role
        for provider in trusted_providers(role.trust):
            trusting.setdefault(provider, []).append(role)
    for provider, roles in trusting.items():
        if EKS.fullmatch(issuer_of(provider)) is None or account.is_living(provider):
            continue
        owner = account.owner(provider)
        if provider not in account.providers:
            # Nobody can use it; the tags of irsa's roles tell whose they are.
            roles = [role for role in roles if not role.owner]
        key = owner if is_cluster(owner) and owner not in account.living else provider
        if roles or provider in account.providers:
            group = groups.setdefault(key, (set(), {}))
            group[0].add(provider)
            group[1].update((role.arn, role) for role in roles)
    return [_dead(account, key, *group) for key, group in sorted(groups.items())]


def _dead(
    account: ReadAccount, key: str, providers: Collection[str], roles: Mapping[str, Role]
) -> DeadCluster:
    # If a cluster of the tag's name exists, this issuer was of another one before it.
    former = all(account.owner(arn) in account.living for arn in providers)
    doubt = account.doubt(key) if ":cluster/" in key else "" if former else UNMARKED
    ordered = sorted(roles.values(), key=lambda role: role.name)
    return DeadCluster(key if ":cluster/" in key else "", tuple(sorted(providers)), tuple(ordered), doubt)


def chosen(
    found: Sequence[DeadCluster], names: Iterable[str], account: ReadAccount, reach: Reach = PLAIN
) -> list[DeadCluster]:
    """The deleted clusters of these names, each once; `reach` is for the commands that errors propose.

    Raises `Refused` for a name of none, of several, or of one that may exist.
    """
    picked: dict[int, DeadCluster] = {}
    for name in names:
        those = {
            number: item
            for number, item in enumerate(found)
            if name in (item.name, *item.providers) or _is(name, item.arn, *item.issuers)
        }
        if len(those) != 1:
            raise _not_one(name, those.values(), account, reach)
        picked |= those
    for item in picked.values():
        if item.doubt:
            raise Refused(
                f"it is not certain that {item.name} is gone",
                reason=item.doubt,
                next_steps=(
                    reach.for_irsa("retire --list"),
                    "or remove its roles with the tool that manages them",
                ),
            )
    return list(picked.values())


def _not_one(name: str, those: Collection[DeadCluster], account: ReadAccount, reach: Reach) -> Refused:
    if those:
        return Refused(
            f"{len(those)} deleted clusters are called {name}",
            next_steps=[reach.for_irsa(f"retire {item.arn or item.issuers[0]}") for item in those],
        )
    shown = f"{reach.for_irsa('retire --list')}  # shows deleted clusters"
    alive = next((arn for arn, issuer in account.living.items() if _is(name, arn, issuer)), "")
    if alive:
        return Refused(f"cluster {alive} exists", next_steps=(shown,))
    why = "no role and no OIDC provider refers to it"
    return Refused(f"nothing is left of {name} in account {account.number}", reason=why, next_steps=(shown,))


def _is(name: str, arn: str, *issuers: str) -> bool:
    """Whether a name, an ARN, an issuer or an issuer's id is that of a cluster."""
    plain = name.removeprefix("https://").rstrip("/")
    ids = [issuer.rpartition("/")[2].upper() for issuer in issuers]
    return plain in (arn, arn.rpartition("/")[2], *issuers) or plain.upper() in ids


@dataclass(frozen=True)
class Retiring:
    """The wanted removal: of roles unused for so many seconds; with `unmarked` also if no tool owns them.

    `found` are all deleted clusters of the account. `unclear` are providers that do not exist, each with the
    reason why a cluster of another account may have its issuer.
    """

    account: ReadAccount
    found: Sequence[DeadCluster]
    unused_for: float
    unmarked: bool = False
    unclear: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def dead(self) -> frozenset[str]:
        """The providers whose clusters are certainly gone."""
        return frozenset(arn for item in self.found if not item.doubt for arn in item.providers)

    @property
    def gone(self) -> frozenset[str]:
        """The issuers (without `https://`) of the clusters that are certainly gone."""
        return frozenset(map(issuer_of, self.dead))

    def is_nobody(self, principal: str) -> bool:
        """Whether a principal is a provider whose cluster is gone."""
        return principal in self.dead or (self._is_absent(principal) and not self._why_counts(principal))

    def _is_absent(self, principal: str) -> bool:
        return PROVIDER.fullmatch(principal) is not None and principal not in self.account.providers

    def _why_counts(self, absent: str) -> str:
        return self.account.why_absent_counts(absent) or self.unclear.get(absent, "")

    def _named(self, kind_and_name: str) -> str:
        """A principal for people; a provider that does not exist with why it counts."""
        absent = kind_and_name.partition(" ")[2]
        return f"{kind_and_name} ({self._why_counts(absent)})" if self._is_absent(absent) else kind_and_name

    def why_kept(self, role: Role, dead: DeadCluster) -> str:
        """Why a role is not deleted; '' if nobody needs it."""
        (namespace, name), cluster = service_account_of(role), dead.of(self.account)
        others = [*other_principals(Binding(cluster, namespace, name), role, self.is_nobody)]
        chain = chain_of_policies(role.arn, role.inline)
        recent = recent_use(role, self.account.now, self.unused_for)
        if theirs := self._theirs(role):
            return theirs
        if others:
            return f"its trust policy also allows {', '.join(map(self._named, dict.fromkeys(others)))}"
        if role.profiles:
            return f"instance profile {role.profiles[0]} has it"
        if chain is not None:
            delete = (
                f". To delete both: irsa delete-sa {name} -n {namespace} {cluster.options}" if name else ""
            )
            return f"{chain.target_arn} may have a statement of irsa for it{delete}"
        return f"{recent} (--unused-for)" if recent else _lost(role)

    def _theirs(self, role: Role) -> str:
        """Why a role is somebody else's; '' for irsa's, and with `unmarked` for nobody's."""
        doubt = self.account.doubt(role.owner) if role.owner else ""
        if doubt or role.owner in self.account.living:
            return f"its cluster is {role.owner}: {doubt or 'it exists'}"
        if role.owner and states.TRANSACTION_TAG in role.tags:
            return ""
        maker = makers.maker_of_role(ownership.foreign_tags(role))
        if maker != makers.UNKNOWN:
            return f"{maker} created it: delete it there"
        if guess := ownership.guess(role):
            return str(guess)
        return "" if role.owner or self.unmarked else "irsa did not create it (--include-unmarked)"

    def statements(self, role: Role, dead: DeadCluster) -> list[Document]:
        """The statements of a kept role that only clusters that are gone can use, and irsa may remove.

        On roles of others these are irsa's own, by their Sid.
        """
        free = not self._theirs(role)
        found: list[Document] = []
        for item in statements(role.trust):
            named = principals(item, "Federated")
            marked = trust_policy.read_statement(item)
            ours = free or (marked is not None and bool(marked.sid))
            alone = isinstance(item.get("Principal"), dict) and [*item["Principal"]] == ["Federated"]
            pods = str(item.get("Sid", "")).startswith(trust_policy.MARK) and bool(dead.arn)
            condition = item.get("Condition")
            source = condition.get("ArnEquals", {}) if isinstance(condition, dict) else {}
            if (ours and alone and named and self.dead.issuperset(named)) or (
                pods and source.get("aws:SourceArn") == dead.arn
            ):
                found.append(dict(item))
        return found


def deletion(role: Role) -> Deletion:
    found = Deletion()
    delete_role(role, found)
    return found


def _lost(role: Role) -> str:
    """The settings that a rollback could not restore, as the reason to keep a role; '' for none."""
    try:
        check_known(deletion(role).plan)
    except Refused as error:
        return f"{error.message}: a rollback could not restore them"
    return ""


def removals(role: Role, unwanted: Sequence[Document]) -> tuple[Plan, str]:
    """The plan that removes statements, and why there is none; IAM refuses a policy without statements."""
    rest: Document = dict(role.trust)
    for item in unwanted:
        rest = trust_policy.without_statement(rest, item)
    if unwanted and not as_list(rest.get("Statement", [])):
        return Plan(()), "its trust policy has no other statement, and IAM requires one"
    return Plan.of(*trust_changes(role.name, [(item, None) for item in unwanted])), ""


def provider_kept(provider: states.ProviderState | None, trusting: Sequence[str], *, unmarked: bool) -> str:
    """Why an OIDC provider is not deleted; '' if it is. `trusting` are the roles that still trust it."""
    if provider is None:
        return "it can't be read"
    maker = makers.maker_of_role(provider.tags)
    if maker not in (makers.IRSA, makers.UNKNOWN):
        return f"{maker} created it: delete it there"
    if maker == makers.UNKNOWN and not unmarked:
        return "irsa did not create it (--include-unmarked)"
    if trusting:
        more = ["…"] if trusting[SHOWN:] else []
        verb = "trusts" if len(trusting) == 1 else "trust"
        return f"{plural(len(trusting), 'role')} {verb} it: {', '.join([*trusting[:SHOWN], *more])}"
    return f"irsa could not restore {', '.join(provider.unknown)}" if provider.unknown else ""
