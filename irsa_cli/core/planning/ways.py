"""A ServiceAccount's two ways to its role, IRSA and EKS Pod Identity, as they are; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.marks import makers
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import NOT_SEEN
from irsa_cli.core.policies.policy import TRUST_LIMIT, Document
from irsa_cli.core.trust import assuming, owned_statements, trust_policy
from irsa_cli.core.trust.assuming import lacking
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.uses.credentials import ways_of
from irsa_cli.core.uses.ways import IdentitySource


@dataclass(frozen=True)
class CurrentIdentity(Pairing):
    """A ServiceAccount with its role and its association, and what only a move between the two ways needs.

    `pods` are its running pods by the way that gave them credentials; those with none of both are left out.
    `trust_quota`: characters that the account allows a trust policy. `disables_tags`: a new association is
    without session tags.
    """

    pods: Mapping[IdentitySource, Sequence[Pod]] = field(default_factory=dict, metadata=NOT_SEEN)
    trust_quota: int = field(default=TRUST_LIMIT, metadata=NOT_SEEN)
    disables_tags: bool = field(default=False, metadata=NOT_SEEN)
    judged: Callable[[], Role] | None = field(default=None, compare=False, repr=False, metadata=NOT_SEEN)
    """Reads the power of the role; None if nobody asks for it."""

    @property
    def is_own_role(self) -> bool:
        """Whether irsa created the role, or took it over, for this ServiceAccount."""
        return self.role is not None and self.role.is_for(self.cluster, self.full_name)

    def subject_statements(self, *, others: bool) -> list[Document]:
        """The statements that trust the cluster's tokens for this ServiceAccount alone.

        Those that irsa wrote: all on its own role, and those with its mark elsewhere. `others`: all.
        """
        identity = self.identity(self.audience)
        marked = owned_statements.marked_for(self.trust, identity)
        plain = trust_policy.statement(identity)
        found = trust_policy.found(self.trust, plain)
        if found is None and trust_policy.contains(self.trust, plain):
            found = plain  # With other subjects in one statement.
        kept = [marked, found if (self.is_own_role or others) and found != marked else None]
        return [item for item in kept if item is not None]

    def in_that_form(self, *, marked: bool) -> list[Document]:
        """The statements in irsa's form for EKS Pod Identity. Without its mark, they can be of others."""
        names = (self.cluster, self.namespace, self.name)
        return owned_statements.for_service(self.trust, *names, marked=marked)

    @property
    def maker(self) -> str:
        """The tool that created the role, by its tags."""
        return makers.maker_of_role(self.role.tags if self.role is not None else {})

    @property
    def trust(self) -> Document:
        return self.role.trust if self.role is not None else {}

    @property
    def statement_target(self) -> tuple[str, str]:
        """The role's name and the subject: what statements of the trust policy are about."""
        return self.role_name, self.identity(self.audience).subject

    @property
    def is_tagged(self) -> bool:
        """Whether EKS adds session tags: by the association that is there, or by a new one."""
        return not (self.disables_tags if self.association is None else self.association.without_tags)

    def answer(self, way: IdentitySource, trust: Document) -> tuple[Answer, tuple[str, ...]]:
        """Whether a trust policy allows new pods this way, and why if that is not a yes."""
        if way is IdentitySource.IRSA:
            found = explain(trust, self.identity(self.audience))
            return found.answer, found.conditions or found.text
        said = assuming.said_to_service(trust, self.cluster, self, tagged=self.is_tagged)
        worst = next((each for each in (Answer.NO, Answer.UNKNOWN) if [*lacking(said, each)]), Answer.YES)
        return worst, tuple(f"{item.action}: {item.why}" for item in lacking(said, worst))

    def has(self, way: IdentitySource) -> bool:
        """Whether new pods can get the role this way, as far as irsa can tell."""
        if way is IdentitySource.POD_IDENTITY:
            ends = self.association is not None and self.association.role_arn == self.role_arn
        else:
            provider = self.provider
            accepted = provider is not None and self.audience in provider.audiences
            ends = self.is_annotated and accepted
        return ends and self.answer(way, self.trust)[0] is not Answer.NO


def by_way(pods: Iterable[Pod]) -> dict[IdentitySource, list[Pod]]:
    """The living pods by the way that gives them credentials; one may have containers of both."""
    alive = [pod for pod in pods if pod.is_alive]
    return {way: [pod for pod in alive if way in ways_of(pod)] for way in IdentitySource}
