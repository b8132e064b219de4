"""IAM of one account as values: the operations that irsa calls, with IAM's rules as far as plans need them.

Operations are methods by IAM's own names in snake case; they take the parameters of the call, and return what
botocore would have read from the answer, or raise `Refusal`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from irsa_cli.core.plan.states import ProviderState, RoleState
from tests.unit.world import Role, World

Json = dict[str, Any]
ACCOUNT = "111122223333"
NOT_THERE, EXISTS = "NoSuchEntity", "EntityAlreadyExists"


class Refusal(Exception):
    """An error of the service: its code and HTTP status."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class MemoryIam:
    """The operations on a `World`; what a World does not tell (ids, times) is kept here."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.missing: set[str] = set()
        """ARNs of managed policies that don't exist; all others do."""
        self.ages: dict[str, timedelta] = {}
        """How old roles (by name) and providers (by ARN) are; others are new."""
        self._ids: dict[str, str] = {}
        self._made = 0

    # Roles

    def create_role(self, **asked: Any) -> Json:
        name = asked["RoleName"]
        if any(name.lower() == other.lower() for other in self.world.roles):
            raise Refusal(EXISTS, 409)
        state = RoleState(
            path=asked.get("Path", "/"),
            trust=_document(asked["AssumeRolePolicyDocument"]),
            description=asked.get("Description", ""),
            max_session_duration=asked.get("MaxSessionDuration", 3600),
            permissions_boundary=asked.get("PermissionsBoundary", ""),
            tags=_tags(asked.get("Tags", ())),
        )
        self.world.roles[name] = Role(state)
        self._ids.pop(name, None)
        return {"Role": self._shown(name)}

    def get_role(self, **asked: Any) -> Json:
        self._role(asked)
        return {"Role": self._shown(asked["RoleName"])}

    def delete_role(self, **asked: Any) -> Json:
        role = self._role(asked)
        if role.attached or role.inline:
            raise Refusal("DeleteConflict", 409)
        del self.world.roles[asked["RoleName"]]
        self._ids.pop(asked["RoleName"], None)
        return {}

    def list_roles(self, **asked: Any) -> Json:
        path = asked.get("PathPrefix", "/")
        shown = [
            self._shown(name) for name, role in self.world.roles.items() if role.state.path.startswith(path)
        ]
        hidden = ("Tags", "PermissionsBoundary", "RoleLastUsed")
        bare = [{key: value for key, value in role.items() if key not in hidden} for role in shown]
        return {"Roles": bare, "IsTruncated": False}

    def get_account_authorization_details(self, **asked: Any) -> Json:
        return {"RoleDetailList": [self._detailed(name) for name in self.world.roles], "IsTruncated": False}

    def update_role(self, **asked: Any) -> Json:
        role = self._role(asked)
        role.state = replace(
            role.state,
            description=asked.get("Description", role.state.description),
            max_session_duration=asked.get("MaxSessionDuration", role.state.max_session_duration),
        )
        return {}

    def update_assume_role_policy(self, **asked: Any) -> Json:
        role = self._role(asked)
        document = _document(asked["PolicyDocument"])
        if not document.get("Statement"):
            raise Refusal("MalformedPolicyDocument")
        role.state = replace(role.state, trust=document)
        return {}

    def put_role_permissions_boundary(self, **asked: Any) -> Json:
        role = self._role(asked)
        role.state = replace(role.state, permissions_boundary=asked["PermissionsBoundary"])
        return {}

    def delete_role_permissions_boundary(self, **asked: Any) -> Json:
        role = self._role(asked)
        if not role.state.permissions_boundary:
            raise Refusal(NOT_THERE, 404)
        role.state = replace(role.state, permissions_boundary="")
        return {}

    def tag_role(self, **asked: Any) -> Json:
        role = self._role(asked)
        put = _tags(asked["Tags"])
        replaced = {key.lower() for key in put}
        kept = {key: value for key, value in role.state.tags.items() if key.lower() not in replaced}
        if len(kept) + len(put) > 50:
            raise Refusal("LimitExceeded", 409)
        role.state = replace(role.state, tags={**kept, **put})
        return {}

    def untag_role(self, **asked: Any) -> Json:
        role = self._role(asked)
        gone = {key.lower() for key in asked["TagKeys"]}
        kept = {key: value for key, value in role.state.tags.items() if key.lower() not in gone}
        role.state = replace(role.state, tags=kept)
        return {}

    # Policies of roles

    def attach_role_policy(self, **asked: Any) -> Json:
        role = self._role(asked)
        self.get_policy(**asked)
        role.attached.add(asked["PolicyArn"])
        return {}

    def detach_role_policy(self, **asked: Any) -> Json:
        role = self._role(asked)
        if asked["PolicyArn"] not in role.attached:
            raise Refusal(NOT_THERE, 404)
        role.attached.remove(asked["PolicyArn"])
        return {}

    def list_attached_role_policies(self, **asked: Any) -> Json:
        role = self._role(asked)
        return {"AttachedPolicies": [_attached(arn) for arn in sorted(role.attached)], "IsTruncated": False}

    def put_role_policy(self, **asked: Any) -> Json:
        self._role(asked).inline[asked["PolicyName"]] = _document(asked["PolicyDocument"])
        return {}

    def get_role_policy(self, **asked: Any) -> Json:
        inline = self._role(asked).inline
        if asked["PolicyName"] not in inline:
            raise Refusal(NOT_THERE, 404)
        document = json.dumps(inline[asked["PolicyName"]])
        return {"RoleName": asked["RoleName"], "PolicyName": asked["PolicyName"], "PolicyDocument": document}

    def delete_role_policy(self, **asked: Any) -> Json:
        inline = self._role(asked).inline
        if asked["PolicyName"] not in inline:
            raise Refusal(NOT_THERE, 404)
        del inline[asked["PolicyName"]]
        return {}

    def list_role_policies(self, **asked: Any) -> Json:
        return {"PolicyNames": sorted(self._role(asked).inline), "IsTruncated": False}

    # Managed policies, and what is told of the account

    def get_policy(self, **asked: Any) -> Json:
        arn = asked["PolicyArn"]
        if arn in self.missing:
            raise Refusal(NOT_THERE, 404)
        return {"Policy": {"Arn": arn, "PolicyName": arn.rsplit("/", 1)[-1], "DefaultVersionId": "v1"}}

    def get_policy_version(self, **asked: Any) -> Json:
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return {"PolicyVersion": {"VersionId": asked["VersionId"], "Document": json.dumps(document)}}

    def list_policies(self, **asked: Any) -> Json:
        known = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
        return {"Policies": [{"PolicyName": "AmazonS3ReadOnlyAccess", "Arn": known}], "IsTruncated": False}

    def get_account_summary(self, **asked: Any) -> Json:
        return {"SummaryMap": {"AssumeRolePolicySizeQuota": 2048, "Roles": len(self.world.roles)}}

    # OIDC providers

    def create_open_id_connect_provider(self, **asked: Any) -> Json:
        arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{asked['Url'].removeprefix('https://')}"
        if arn in self.world.providers:
            raise Refusal(EXISTS, 409)
        self.world.providers[arn] = ProviderState(
            url=asked["Url"],
            audiences=list(asked.get("ClientIDList", [])),
            thumbprints=list(asked.get("ThumbprintList", [])),
            tags=_tags(asked.get("Tags", ())),
        )
        return {"OpenIDConnectProviderArn": arn}

    def get_open_id_connect_provider(self, **asked: Any) -> Json:
        arn, state = self._provider(asked)
        return {
            "Url": state.url.removeprefix("https://"),
            "ClientIDList": list(state.audiences),
            "ThumbprintList": list(state.thumbprints),
            "Tags": _listed(state.tags),
            "CreateDate": self._created(arn),
        }

    def list_open_id_connect_providers(self, **asked: Any) -> Json:
        return {"OpenIDConnectProviderList": [{"Arn": arn} for arn in self.world.providers]}

    def delete_open_id_connect_provider(self, **asked: Any) -> Json:
        arn, _ = self._provider(asked)
        del self.world.providers[arn]
        return {}

    def tag_open_id_connect_provider(self, **asked: Any) -> Json:
        arn, state = self._provider(asked)
        self.world.providers[arn] = replace(state, tags={**state.tags, **_tags(asked["Tags"])})
        return {}

    def add_client_id_to_open_id_connect_provider(self, **asked: Any) -> Json:
        arn, state = self._provider(asked)
        kept = [item for item in state.audiences if item != asked["ClientID"]]
        self.world.providers[arn] = replace(state, audiences=[*kept, asked["ClientID"]])
        return {}

    def remove_client_id_from_open_id_connect_provider(self, **asked: Any) -> Json:
        arn, state = self._provider(asked)
        kept = [item for item in state.audiences if item != asked["ClientID"]]
        self.world.providers[arn] = replace(state, audiences=kept)
        return {}

    # What they have in common

    def _role(self, asked: Mapping[str, Any]) -> Role:
        if asked["RoleName"] not in self.world.roles:
            raise Refusal(NOT_THERE, 404)
        return self.world.roles[asked["RoleName"]]

    def _provider(self, asked: Mapping[str, Any]) -> tuple[str, ProviderState]:
        arn = asked["OpenIDConnectProviderArn"]
        if arn not in self.world.providers:
            raise Refusal(NOT_THERE, 404)
        return arn, self.world.providers[arn]

    def _created(self, name: str) -> datetime:
        return datetime.now(timezone.utc) - self.ages.get(name, timedelta())

    def id_of(self, name: str) -> str:
        """The RoleId of a role; another one when it was made again."""
        if name not in self._ids:
            self._made += 1
            self._ids[name] = f"AROA{self._made:017d}"
        return self._ids[name]

    def _shown(self, name: str) -> Json:
        state = self.world.roles[name].state
        boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": state.permissions_boundary}
        return {
            "RoleName": name,
            "RoleId": self.id_of(name),
            "Arn": f"arn:aws:iam::{ACCOUNT}:role{state.path}{name}",
            "Path": state.path,
            "CreateDate": self._created(name),
            "AssumeRolePolicyDocument": json.dumps(state.trust),
            "MaxSessionDuration": state.max_session_duration,
            "Tags": _listed(state.tags),
            "RoleLastUsed": {},
            **({"Description": state.description} if state.description else {}),
            **({"PermissionsBoundary": boundary} if state.permissions_boundary else {}),
        }

    def _detailed(self, name: str) -> Json:
        role = self.world.roles[name]
        inline = [
            {"PolicyName": key, "PolicyDocument": json.dumps(text)} for key, text in role.inline.items()
        ]
        return {
            **self._shown(name),
            "AttachedManagedPolicies": [_attached(arn) for arn in sorted(role.attached)],
            "RolePolicyList": inline,
        }


def _document(text: str) -> Json:
    found: Json = json.loads(text)
    return found


def _tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _attached(arn: str) -> dict[str, str]:
    return {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}
