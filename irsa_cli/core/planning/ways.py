"""A ServiceAccount's two ways to its role, IRSA and EKS Pod Identity, as they are; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import TRUST_LIMIT, Document
from irsa_cli.core.trust import assuming, owned_statements, trust_policy
from irsa_cli.core.trust.assuming import lacking
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.uses.credentials import ways_of
from irsa_cli.core.uses.ways import IdentitySource


@dataclass(frozen=True)
class Ways:
    """A binding's two ways to its role, with what only a move between them needs.

    `pods` are its running pods by the way that gave them credentials; those with none of both are left out.
    `trust_quota`: characters that the account allows a trust policy. `disables_tags`: a new association is
    without session tags.
    """

    binding: Binding
    pods: Mapping[IdentitySource, Sequence[Pod]] = field(default_factory=dict)
    trust_quota: int = TRUST_LIMIT
    disables_tags: bool = False
    judged: Callable[[], Role] | None = field(default=None, compare=False, repr=False)
    """Reads the power of the role; None if nobody asks for it."""

    @property
    def association(self) -> Association | None:
        return self.binding.known_association

    def subject_statements(self, *, others: bool) -> list[Document]:
        """The statements that trust the cluster's tokens for this ServiceAccount alone.

        Those that irsa wrote: all on its own role, and those with its mark elsewhere. `others`: all.
        """
        binding = self.binding
        statements = list[Document]()
        marked = owned_statements.marked_for(binding.trust, binding.identity)
        if marked is not None:
            statements.append(marked)
        if not (binding.is_own_role or others):
            return statements
        plain = trust_policy.statement(binding.identity)
        unmarked = trust_policy.found(binding.trust, plain)
        if unmarked is None and trust_policy.contains(binding.trust, plain):
            unmarked = plain  # With other subjects in one statement.
        if unmarked is not None and unmarked != marked:
            statements.append(unmarked)
        return statements

    def in_that_form(self, *, marked: bool) -> list[Document]:
        """The statements in irsa's form for EKS Pod Identity. Without its mark, they can be of others."""
        names = (self.binding.cluster, self.binding.namespace, self.binding.name)
        return owned_statements.for_service(self.binding.trust, *names, marked=marked)

    @property
    def statement_target(self) -> tuple[str, str]:
        """The role's name and the subject: what statements of the trust policy are about."""
        return self.binding.role_name, self.binding.identity.subject

    @property
    def is_tagged(self) -> bool:
        """Whether EKS adds session tags: by the association that is there, or by a new one."""
        return not (self.disables_tags if self.association is None else self.association.without_tags)

    def answer(self, way: IdentitySource, trust: Document) -> tuple[Answer, tuple[str, ...]]:
        """Whether a trust policy allows new pods this way, and why if that is not a yes."""
        binding = self.binding
        if way is IdentitySource.IRSA:
            explanation = explain(trust, binding.identity)
            return explanation.answer, explanation.conditions or explanation.text
        answers = assuming.said_to_service(trust, binding.cluster, binding, tagged=self.is_tagged)
        for answer in (Answer.NO, Answer.UNKNOWN):
            lacks = tuple(f"{verdict.action}: {verdict.why}" for verdict in lacking(answers, answer))
            if lacks:
                return answer, lacks
        return Answer.YES, ()

    def has(self, way: IdentitySource) -> bool:
        """Whether new pods can get the role this way, as far as irsa can tell."""
        binding = self.binding
        if way is IdentitySource.POD_IDENTITY:
            ends = self.association is not None and self.association.role_arn == binding.role_arn
        else:
            provider = binding.known_provider
            ends = binding.is_annotated and provider is not None and binding.audience in provider.audiences
        return ends and self.answer(way, binding.trust)[0] is not Answer.NO


def by_way(pods: Iterable[Pod]) -> dict[IdentitySource, list[Pod]]:
    """The living pods by the way that gives them credentials; one may have containers of both."""
    alive = [pod for pod in pods if pod.is_alive]
    return {way: [pod for pod in alive if way in ways_of(pod)] for way in IdentitySource}
