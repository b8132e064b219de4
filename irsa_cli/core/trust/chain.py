"""The link from a ServiceAccount's role to a target role, mostly of another account; pure.

Two policies decide: the role's own has to allow `sts:AssumeRole` on the target (irsa writes one of a fixed
name), and the target's trust policy has to allow the role. SDKs take both steps by an AWS configuration. How
irsa's statement gets into the target's trust policy is planned in `irsa_cli.core.planning.chaining`.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import check, noted
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.statements import Policies, Statement, allowed, principals
from irsa_cli.core.policies.web_identity import UNKNOWN
from irsa_cli.core.trust.assuming import (
    ASSUME,
    IS_NAMED,
    TAG,
    Decision,
    Names,
    Naming,
    context_of_session,
    decide,
    names_role,
)
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import Arn, is_target
from irsa_cli.core.values.errors import InvalidInput

POLICY_NAME = "irsa-assume-target-role"
"""The inline policy by which a role may assume its target; what has this name is irsa's."""
_OF_TAGS = ("aws:requesttag/", "aws:tagkeys", "sts:transitivetagkeys")
"""The condition keys of the tags that an application gives to a session that it may tag."""


@dataclass(frozen=True)
class Chain:
    """A role that assumes a target role. `role_id` is the role's unique id, '' if it is not known.

    Whatever it is read from, its texts are as the flags take them; raises `InvalidInput` for others: they go
    into policies, and into the configuration of SDKs.
    """

    role_arn: checked.TargetArn
    target_arn: checked.TargetArn
    external_id: checked.ExternalId = ""
    tag_session: bool = False
    role_id: checked.RoleId = ""

    def __post_init__(self) -> None:
        check(self)

    @property
    def key(self) -> tuple[str, str]:
        """The identity of the target's trust in the role: both ARNs."""
        return self.target_arn, self.role_arn

    @property
    def account(self) -> str:
        return self.target_arn.split(":")[4]

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that both sides must allow."""
        return (ASSUME, TAG) if self.tag_session else (ASSUME,)

    @property
    def permission(self) -> Document:
        """The policy of the role: exactly that, on exactly the target."""
        return permission(self.target_arn, tag_session=self.tag_session)

    @property
    def statement(self) -> Document:
        """The statement by which the target's trust policy allows the role, with irsa's mark.

        The account with a condition, and not the role itself as the principal: IAM takes a role as one only
        once it knows it everywhere, and keeps its unique id, which a recreated role does not have.
        """
        source = Arn.parse(self.role_arn)
        condition: dict[str, Any] = {"ArnEquals": {"aws:PrincipalArn": self.role_arn}}
        if self.external_id:
            condition["StringEquals"] = {"sts:ExternalId": self.external_id}
        return {
            "Sid": mark(self.role_arn),
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{source.partition}:iam::{source.account}:root"},
            "Action": list(self.actions) if self.tag_session else ASSUME,
            "Condition": condition,
        }

    def judge(self, trust: Mapping[str, Any]) -> tuple[Decision, ...]:
        """Whether the target's trust policy allows the role, action by action."""
        names = self._names()
        context = context_of_session(self.role_arn)
        if self.tag_session:
            context |= dict.fromkeys(_OF_TAGS, UNKNOWN)
        if self.external_id:
            context["sts:externalid"] = (self.external_id,)
        return tuple(decide(dict(trust), names, context, action) for action in self.actions)

    def allowed(
        self, policies: Policies, *, boundary: Any = None, has_boundary: bool = False
    ) -> tuple[Decision, ...]:
        """Whether the role's own policies allow it, by action; the boundary as in `permissions.allowed`."""
        answers = []
        target = self.target_arn
        for action in self.actions:
            permission = allowed(policies, action, target, boundary=boundary, has_boundary=has_boundary)
            if permission is None:
                why = "no policy of the role allows it"
                if allowed(policies, action, target) is not None:
                    why = "the permissions boundary does not allow it"
                answers.append(Decision(action, Answer.NO, f"{action} on {target}: {why}"))
            elif permission.conditions:
                why = f"{action} is allowed if {'; '.join(permission.conditions)}"
                answers.append(Decision(action, Answer.UNKNOWN, why))
            else:
                answers.append(Decision(action, Answer.YES, f"{action} is allowed by {permission.by}"))
        return tuple(answers)

    def _names(self) -> Names:
        source = Arn.parse(self.role_arn)
        plain = names_role(source, self.role_arn)
        session = f"arn:{source.partition}:sts::{source.account}:assumed-role/{source.name}/"

        def names(statement: Statement) -> Naming:
            trusted = principals(statement, "AWS")
            if self.role_id and self.role_id in trusted:
                return IS_NAMED
            # A session of the role that has one name: the pods' SDKs choose theirs.
            if any(name.startswith(session) for name in trusted) and not plain(statement).truth:
                return Naming(None, "it trusts a session name that the application chooses")
            return plain(statement)

        return names


def chain_of_policies(role_arn: str, inline: Mapping[str, Document]) -> Chain | None:
    """The chain in the inline policies of a role, None if they have none."""
    target, tags = target_of(inline.get(POLICY_NAME, {}))
    if not target:
        return None
    return Chain(role_arn, target, tag_session=tags)


def chain_of_notes(role_arn: str, noted_texts: Mapping[str, str]) -> Chain | None:
    """The chain that the annotations of a ServiceAccount tell of, None for none; raises `UnreadableNote`."""
    target = noted(noted_texts, states.TARGET_ANNOTATION)
    if not target:
        return None
    return Chain(role_arn, target, noted(noted_texts, states.EXTERNAL_ID_ANNOTATION))


def noted_chain(role_arn: str, annotations: Mapping[str, str]) -> Chain | None:
    """The chain that the ServiceAccount notes: a run changes it last, and anybody may have edited it."""
    target = annotations.get(states.TARGET_ANNOTATION, "")
    return Chain(role_arn, target) if is_target(target) else None


def permission(target_arn: str, *, tag_session: bool = False) -> Document:
    """The policy that allows a role to assume the target."""
    actions = [ASSUME, TAG] if tag_session else ASSUME
    statement = {"Effect": "Allow", "Action": actions, "Resource": target_arn}
    return {"Version": "2012-10-17", "Statement": [statement]}


def chain_annotations(target: str, external_id: str, config_map: str) -> dict[str, str | None]:
    """The annotations of a ServiceAccount for its chain, if it has one."""
    pairs = zip(states.CHAIN_ANNOTATIONS, (target, external_id, config_map), strict=True)
    return {key: value for key, value in pairs if value}


def answer_of(decisions: tuple[Decision, ...]) -> Answer:
    """Whether everything is allowed."""
    answers = {decision.answer for decision in decisions}
    if Answer.NO in answers:
        return Answer.NO
    if Answer.UNKNOWN in answers:
        return Answer.UNKNOWN
    return Answer.YES


def mark(role_arn: str) -> str:
    """The Sid of irsa's statement for a role: what has it was added by irsa."""
    return "Irsa" + hashlib.sha256(role_arn.encode()).hexdigest()[:16]


def marked(trust: Mapping[str, Any], role_arn: str) -> Document | None:
    """The statement that irsa has added for the role, None without one."""
    sid = mark(role_arn)
    for statement in as_list(trust.get("Statement", [])):
        if isinstance(statement, dict) and statement.get("Sid") == sid:
            return statement
    return None


def target_of(document: Mapping[str, Any]) -> tuple[str, bool]:
    """The target that irsa's policy of a role names, and whether it may tag; '' for a policy of others."""
    for statement in as_list(document.get("Statement", [])):
        if isinstance(statement, dict) and is_target(statement.get("Resource")):
            tags = TAG in as_list(statement.get("Action", []))
            if dict(document) == permission(statement["Resource"], tag_session=tags):
                return statement["Resource"], tags
    return "", False


@dataclass(frozen=True)
class FoundConfigMap:
    """A ConfigMap that is there; `service_account` (`namespace/name`) and `transaction` are irsa's marks."""

    data: Mapping[str, str]
    service_account: str = ""
    transaction: str = ""
    uid: str = ""

    def is_for(self, full_name: str) -> bool:
        """Whether irsa created it for this ServiceAccount."""
        return bool(self.transaction) and self.service_account == full_name


TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"  # noqa: S105 - a path, not a token
"""Where the pod identity webhook puts the token."""
KEY = "config"
"""The key of the ConfigMap, and so the file's name in the mount."""
PROFILE = "target"
SOURCE = "source"
_WORD = re.compile(r"[\x21-\x7e]*")


def aws_config(chain: Chain, region: str) -> str:
    """The configuration file, with the profile `target`; raises `InvalidInput` for more than one word."""
    for value in (chain.target_arn, chain.role_arn, chain.external_id, region):
        if not _WORD.fullmatch(value):
            raise InvalidInput(
                f"'{value}' can't be used in an AWS configuration", reason="it must be one word"
            )
    target = [
        f"[profile {PROFILE}]",
        f"role_arn = {chain.target_arn}",
        f"source_profile = {SOURCE}",
    ]
    if chain.external_id:
        target.append(f"external_id = {chain.external_id}")
    lines = [
        *target,
        f"region = {region}",
        "",
        f"[profile {SOURCE}]",
        f"role_arn = {chain.role_arn}",
        f"web_identity_token_file = {TOKEN_FILE}",
        f"region = {region}",
    ]
    return "\n".join(lines) + "\n"


def role_of(data: Mapping[str, str]) -> str:
    """The name of the role that the data of a ConfigMap begin with, '' if they are something else."""
    return role_of_profile(data, SOURCE).rpartition("/")[2]


def role_of_profile(data: Mapping[str, str], name: str) -> str:
    _, _, settings = data.get(KEY, "").partition(f"[profile {name}]")
    for line in settings.splitlines():
        if line.startswith("role_arn = "):
            return line.removeprefix("role_arn = ").strip()
    return ""


def usage(name: str) -> str:
    """How pods use the ConfigMap.

    Some SDKs take the token that AWS_WEB_IDENTITY_TOKEN_FILE names before any profile. The webhook sets none
    where the container has one, also an empty one; the token is mounted all the same.
    """
    return (
        f"mount the ConfigMap {name}, set AWS_CONFIG_FILE to its file '{KEY}', AWS_PROFILE to {PROFILE};"
        " and AWS_WEB_IDENTITY_TOKEN_FILE to '', because some SDKs prefer the token to the profile"
    )
