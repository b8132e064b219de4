"""Whose a role that is there is, by its tags, and why it is not changed. Pure.

Of a role without a tool's mark, names, description, path, Sids and tags let irsa guess the tool behind it. A
guess never decides who owns a role, but a role that another tool may manage is adopted and deleted only by
request. Marks that are certain are in `irsa_cli.core.marks.makers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import Refused


class Belongs(Enum):
    """Whose a role is, seen from one ServiceAccount."""

    OURS = "irsa's, for this ServiceAccount"
    NOBODY = "not irsa's"
    OTHERS = "irsa's, for something else"


def belonging(role: Role, binding: Binding) -> Belongs:
    """Whose the role is that the ServiceAccount names."""
    if role.is_for(binding.cluster, binding.full_name):
        return Belongs.OURS
    is_free = all(role.tags.get(key) in (None, value) for key, value in binding.marks.items())
    return Belongs.NOBODY if is_free else Belongs.OTHERS


def check_account(binding: Binding) -> None:
    """Raise `Refused` for a role of another AWS account."""
    account = role_arn(binding.role_arn).account
    if account != binding.cluster.home:
        raise Refused(
            f"role {binding.role_arn} is in account {account}",
            reason=f"irsa looks for roles in account {binding.cluster.home}",
            next_steps=(binding.cluster.in_account(account),),
            rests_on=(),
        )


def check_there(binding: Binding) -> Role:
    """The role; raises `Refused` when there is no role of that ARN."""
    user = "the association of" if binding.named_role else "ServiceAccount"
    create = _with_its_own_role(binding)
    role = binding.seen_role
    if role is None:
        raise Refused(
            f"role {binding.role_arn} does not exist",
            reason=f"{user} {binding.full_name} refers to it",
            next_steps=(create,),
            rests_on=(binding.role_arn,),
        )
    # IAM finds roles by name alone; STS wants the whole ARN, path included.
    if f"role{role.path}{binding.role_name}" != role_arn(binding.role_arn).resource:
        raise Refused(
            f"role {binding.role_arn} does not exist",
            reason=f"the role {binding.role_name} has the path {role.path}",
            next_steps=(create,),
            rests_on=(binding.role_arn,),
        )
    return role


def _with_its_own_role(binding: Binding) -> str:
    """The command that creates another role for the ServiceAccount."""
    way = "--pod-identity" if binding.named_role else "--override-existing-serviceaccounts"
    return f"{binding.command('create-sa')} {way} --attach-policy-arn ARN"


def check_ours(binding: Binding, sharers: Sequence[str]) -> None:
    """Raise `Refused` unless irsa manages the role for this ServiceAccount alone; `sharers` also use it."""
    check_account(binding)
    role = check_there(binding)
    who = belonging(role, binding)
    if who is Belongs.NOBODY:
        raise Refused(
            f"role {binding.role_arn} is not managed by irsa",
            reason=f"it does not have the tags {CLUSTER_TAG} and {SERVICE_ACCOUNT_TAG}",
            next_steps=(
                f"{binding.command('adopt')}  # adopts it unchanged"
                if trust_policy.admits(role.trust, binding.identity)
                else f"{binding.command('doctor')}  # shows why it can't assume the role",
            ),
        )
    if who is Belongs.OTHERS:
        raise theirs(binding, role)
    check_over(binding, role)
    check_unshared(binding, sharers)


def check_over(binding: Binding, role: Role) -> None:
    """Raise `Refused` for a role of irsa's that a run has not ended making, or has begun to delete."""
    lifecycle.of(role.tags, named=binding.is_annotated).check(binding.role_arn, binding.cluster.options)


def check_unshared(binding: Binding, sharers: Sequence[str]) -> None:
    """Raise `Refused` if other ServiceAccounts also use the role."""
    if sharers:
        raise Refused(
            f"role {binding.role_arn} is also used by other ServiceAccounts: {', '.join(sharers)}",
            reason="a change for one would affect all of them",
            next_steps=(
                f"create a separate role for this one: {_with_its_own_role(binding)}",
                "or change the role with the tool that manages it",
            ),
            rests_on=(binding.role_arn,),
        )


def theirs(binding: Binding, role: Role) -> Refused:
    """The error for a role that irsa manages for another ServiceAccount or cluster."""
    marks = binding.marks
    return Refused(
        f"role {binding.role_arn} is managed by irsa, for another ServiceAccount",
        details=[
            f"tag {key}: {role.tags.get(key, 'missing')}, expected {value}"
            for key, value in marks.items()
            if role.tags.get(key) != value
        ],
        next_steps=(
            "change it through the ServiceAccount that it was created for",
            f"or create a separate role for this one: {binding.command('create-sa')}"
            " --override-existing-serviceaccounts --attach-policy-arn ARN",
        ),
    )


_CLUSTER_TOOL = "a tool that manages clusters (kOps, OpenShift)"
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]{5}"
"""https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go"""
_NAMES = (
    # UTC to four digits of a second, and a counter: terraform-plugin-sdk, helper/id. `name_prefix` ends so.
    (
        r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-6]\d{5}[0-9a-f]{8}$",
        makers.TERRAFORM,
    ),
    (r"^terraform-", makers.TERRAFORM),
    # NAME.NAMESPACE.sa.CLUSTER: https://github.com/kubernetes/kops/tree/master/pkg/model/iam
    (r"^[^.]+\.[^.]+\.sa\.[^.]+", makers.KOPS),
    (r"\.cluster-api-provider-aws\.sigs\.k8s\.io$|-iam-service-role$", makers.CLUSTER_API),
    (r"^eksctl-.+-(addon|cluster|nodegroup|podidentityrole)-", makers.EKSCTL),
    # A construct's path ends in 8 hexadecimal digits, and CloudFormation adds its own suffix.
    (r"[0-9A-F]{8}-([A-Z0-9]{12,13}|[A-Za-z0-9]{12})$", makers.CDK),
    # STACK-RESOURCE-SUFFIX, in capitals or, since 2023, in any letters:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
    (r"-(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{12,13}$", makers.CLOUDFORMATION),
    (r"-(?=\w*\d)(?=\w*[a-z])(?=[a-z\d]*[A-Z])[A-Za-z0-9]{12}$", makers.CLOUDFORMATION),
    # https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming
    (r"-(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{7}$", makers.PULUMI),
    # A claim's composite resource, and what that is composed of.
    (rf"-{_RANDOM}-({_RANDOM}|[0-9a-f]{{12}})$", makers.CROSSPLANE),
)
_SIDS = {"ExplicitSelfRoleAssumption": makers.TERRAFORM}
"""https://github.com/terraform-aws-modules/terraform-aws-iam: modules for ServiceAccounts, version 5."""
_WORDS = {**makers.SAID, "kops": makers.KOPS, "cluster api": makers.CLUSTER_API, "capa": makers.CLUSTER_API}
_TOOL = rf"(?<![a-z])({'|'.join(_WORDS)})(?![a-z])"
_BY = rf"(?:by|with|via|using|from)\s+(?:the\s+)?(?:aws[ -])?{_TOOL}|{_TOOL}[ -](?:managed|created|made)"


@dataclass(frozen=True)
class Guess:
    """A tool that may manage a role, and the evidence for it."""

    maker: str
    why: str

    def __str__(self) -> str:
        return f"may be managed by {self.maker} ({self.why})"


def guess(role: Role) -> Guess | None:
    """The tool that may manage a role of somebody else; None if a mark is certain or evidence is missing."""
    if TRANSACTION_TAG in role.tags or makers.maker_of_role(foreign_tags(role)) != makers.UNKNOWN:
        return None
    return next(_guesses(role), None)


def foreign_tags(role: Role) -> dict[str, str]:
    """The tags that irsa did not write."""
    return {key: value for key, value in role.tags.items() if not key.startswith("irsa/")}


def check(role: Role, *, verb: str) -> None:
    """Raise `Refused` for a role that another tool may manage; `verb` is the requested action."""
    tool = guess(role)
    if tool is not None:
        raise Refused(
            f"role {role.name} {tool}",
            reason=f"{tool.maker} may overwrite, recreate or delete it later",
            next_steps=(
                "find out what manages the role, and change it there",
                f"or, if nothing else manages it, run this again with --ignore-maker to {verb} it",
            ),
        )


def _guesses(role: Role) -> Iterator[Guess]:
    policies = sorted({*role.inline, *role.attached})
    own = [text.rpartition("/")[2] for text in policies if ":aws:policy/" not in text]
    description = role.state.description
    for what, text in (("its name", role.name), *((f"its policy {policy}", policy) for policy in own)):
        yield from (
            Guess(by, f"{what} follows a naming pattern of {by}")
            for form, by in _NAMES
            if re.search(form, text)
        )
    for key, value in foreign_tags(role).items():
        if key.startswith("kubernetes.io/cluster/") and value == "owned":
            yield Guess(_CLUSTER_TOOL, f"its tag {key}=owned")
        yield from _named(key, f"its tag {key}", _TOOL)
        yield from _named(value, f"its tag {key}={value}", r"(?<![a-z])(terraform|opentofu|pulumi)(?![a-z])")
    yield from _named(description, f'its description "{description}"', _BY)
    yield from _named(role.path, f"its path {role.path}", rf"/{_TOOL}/")
    for statement in as_list(role.trust.get("Statement", [])):
        sid = str(statement.get("Sid", "")) if isinstance(statement, dict) else ""
        yield from (Guess(maker, f"its statement {sid}") for text, maker in _SIDS.items() if sid == text)
        yield from _named(sid, f"its statement {sid}", _TOOL)


def _named(text: str, why: str, form: str) -> Iterator[Guess]:
    """A tool that a text names, in a form that says that it is the maker."""
    match = re.search(form, re.sub("(?<=[a-z])(?=[A-Z])", " ", text).lower())
    if match is not None:
        yield Guess(_WORDS[next(filter(None, match.groups()))], why)
