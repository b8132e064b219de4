"""What is in an account, as plain values for tests to compare before and after."""

from __future__ import annotations

import json
from typing import Any


def iam_world(iam: Any) -> dict[str, Any]:
    """The roles, own policies and OIDC providers of moto's backend. Taken with `Cloud.lock` held."""
    return {
        "roles": {role.name: _role(role) for role in iam.roles.values()},
        "policies": {p.arn: _policy(p) for p in iam.managed_policies.values() if ":iam::aws:" not in p.arn},
        "oidc_providers": {arn: _provider(provider) for arn, provider in iam.open_id_providers.items()},
    }


def _role(role: Any) -> dict[str, Any]:
    return {
        "arn": role.arn,
        "path": role.path,
        "trust": json.loads(role.assume_role_policy_document),
        "description": role.description or "",
        "max_session_duration": int(role.max_session_duration or 3600),
        "boundary": role.permissions_boundary_arn,
        "tags": _tags(role.tags),
        "attached": sorted(role.managed_policies),
        "inline": {name: json.loads(text) for name, text in sorted(role.policies.items())},
    }


def _policy(policy: Any) -> dict[str, Any]:
    return {
        "name": policy.name,
        "path": policy.path,
        "default_version": policy.default_version_id,
        "versions": {v.version_id: json.loads(v.document) for v in policy.versions},
        "attachments": policy.attachment_count,
        "tags": _tags(policy.get_tags()),
    }


def _provider(provider: Any) -> dict[str, Any]:
    return {
        "url": provider.url,
        "audiences": sorted(provider.client_id_list),
        "thumbprints": list(provider.thumbprint_list or []),
        "tags": _tags(provider.get_tags()),
    }


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in sorted(tags, key=lambda tag: tag["Key"])}
