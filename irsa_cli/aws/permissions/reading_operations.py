"""Which operations of AWS only read: by their names, but for those whose names don't tell.

What only hands out credentials, tokens or presigned addresses counts as reading: it changes nothing, and irsa
neither shows nor keeps them. Making a call is `irsa_cli.aws.permissions.calls`' business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.model import OperationModel

READING = re.compile(r"(Get|List|Describe|Head)[A-Z0-9]")
"""How the names of operations begin that change nothing."""

_IDENTITY = "it registers an identity"
_KEYS = "it makes a key and a token"
_EXCEPTIONS = {
    ("cognito-identity", "GetId"): _IDENTITY,
    ("cognito-identity", "GetOpenIdTokenForDeveloperIdentity"): _IDENTITY,
    ("cognito-idp", "GetUserAttributeVerificationCode"): "it sends a message to the user",
    ("inspector", "GetAssessmentReport"): "it starts the making of a report",
    ("iot", "DescribeEndpoint"): "it makes the account's endpoint when there is none",
    ("payment-cryptography", "GetParametersForExport"): _KEYS,
    ("payment-cryptography", "GetParametersForImport"): _KEYS,
    ("redshift", "GetClusterCredentials"): "it may make a database user",
    ("sagemaker", "GetScalingConfigurationRecommendation"): "it starts a job",
    ("stepfunctions", "GetActivityTask"): "it takes a task from the workers that wait for one",
    ("taxsettings", "GetTaxRegistrationDocument"): "it writes to a bucket",
    ("xray", "GetSamplingTargets"): "it reports what was sampled",
}
"""Operations that change something by their documentation, each in the API reference of its service."""


def why_not(operation: OperationModel) -> str:
    """Why an operation is not to be called with a role's credentials; '' when there is nothing against it."""
    service = operation.service_model
    if not READING.match(operation.name):
        return "it may change something: its name does not begin with get, list, describe or head"
    if (service.service_name, operation.name) in _EXCEPTIONS:
        return _EXCEPTIONS[service.service_name, operation.name]
    if "none" in (operation.auth_type, service.signature_version) or service.signature_version == "bearer":
        return "it is not authorized by the role's credentials, and proves nothing about them"
    return ""
