"""Types of texts and numbers that somebody else may have written: each has the rule that checks its values.

A field of such a type is checked wherever its value comes from: a flag, a file, a saved plan, an annotation.
`irsa_cli.core.plan.rules` finds the rule in the type of a field, so a field keeps it under every name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from irsa_cli.core.values import arn, names, texts

Namespace = Annotated[str, names.namespace]
NamespacePattern = Annotated[str, names.namespace_pattern]
ServiceAccountName = Annotated[str, names.service_account]
FullName = Annotated[str, names.full_name]
"""A ServiceAccount as NAMESPACE/NAME."""
Subject = Annotated[str, names.subject_of_many]
SubjectPattern = Annotated[str, names.subject_pattern]
ConfigMapName = Annotated[str, names.config_map]
Labels = Annotated[Mapping[str, str], names.labels]
LabelEdits = Annotated[Mapping[str, str | None], names.labels]
Annotations = Annotated[Mapping[str, str], names.service_account_annotations]
AnnotationEdits = Annotated[Mapping[str, str | None], names.service_account_annotations]
"""Of edits, None removes a key."""

ClusterName = Annotated[str, names.cluster]
ClusterNameIfAny = Annotated[str, names.cluster_if_any]
"""'' where files or an issuer tell which cluster."""
ClusterArn = Annotated[str, arn.check_cluster]
ClusterOrIssuer = Annotated[str, arn.check_cluster_or_issuer]
IssuerUrl = Annotated[str, arn.check_issuer]
Region = Annotated[str, names.region]
AccountId = Annotated[str, arn.check_account]
Profile = Annotated[str, names.profile]

RoleName = Annotated[str, names.role]
RolePattern = Annotated[str, names.role_pattern]
RolePath = Annotated[str, names.role_path]
RoleId = Annotated[str, names.role_id]
RoleArn = Annotated[str, arn.check_role]
TargetArn = Annotated[str, arn.check_target]
"""The ARN of one role in a policy, where a wildcard would also match others."""
Description = Annotated[str, names.description]
SessionDuration = Annotated[int, names.session_duration]
ExternalId = Annotated[str, names.external_id]
Tags = Annotated[Mapping[str, str], names.tags]
TagEdits = Annotated[Mapping[str, str | None], names.tags]

Audience = Annotated[str, names.audience]
Thumbprint = Annotated[str, names.thumbprint]
TokenExpiration = Annotated[int, names.token_expiration]

PolicyArn = Annotated[str, arn.check_policy]
PolicyArnOrName = Annotated[str, arn.check_policy_or_name]
WellKnownName = Annotated[str, names.well_known]
Parameters = Annotated[Mapping[str, tuple[str, ...]], texts.parameters]
PolicyDocument = Annotated[Mapping[str, Any], texts.document]
Conditions = Annotated[Mapping[str, Mapping[str, Any]], texts.document]
InlinePolicies = Annotated[Mapping[str, dict[str, Any]], texts.inline_policies]
InlineEdits = Annotated[Mapping[str, dict[str, Any] | None], texts.inline_policies]

Attribute = Annotated[str, names.attribute]
FreeText = Annotated[str, texts.free]
"""A text for people."""
Parallel = Annotated[int, texts.number(1, 64)]
Most = Annotated[int, texts.number(1, 10**9)]
Parts = Annotated[int, texts.number(1, 9_999)]
