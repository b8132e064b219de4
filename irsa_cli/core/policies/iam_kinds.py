"""The kind of IAM resource that an action is about: a rule by the action's name.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from __future__ import annotations

import re
from functools import lru_cache

_WITHOUT_RESOURCE = re.compile(
    r"List(Roles|Users|Groups|Policies|InstanceProfiles|OpenIDConnectProviders|SAMLProviders"
    r"|ServerCertificates|AccountAliases|VirtualMFADevices)|GetAccount.*|Simulate.*|.*Organization.*"
    r"|.*CredentialReport|.*ServiceLastAccessed.*|.*MFADevice.*",
    re.IGNORECASE,
)
_KINDS = (
    ("oidc-provider", r".*OpenIDConnectProvider.*"),
    ("saml-provider", r".*SAMLProvider.*"),
    ("server-certificate", r".*ServerCertificate.*"),
    ("instance-profile", r".*InstanceProfile(Tags)?"),
    ("user", r".*ForUser|.*(AccessKey|LoginProfile|ServiceSpecificCredential|SigningCert|SSHPublicKey).*"),
    ("group", r"(AddUserTo|RemoveUserFrom)Group"),
    ("policy", r".*PolicyVersions?|ListEntitiesForPolicy|(Create|Delete|Get|Tag|Untag)Policy|ListPolicyTags"),
    ("role", r".*Role.*"),
    ("user", r".*User.*"),
    ("group", r".*Group.*"),
)
"""The kinds with the names of their actions; the first one that matches counts."""


@lru_cache(maxsize=4096)
def iam_kind(action: str) -> str:
    """The kind of an action's resources (`role`, `user` …), '' for other actions and those without one.

    A resource's ARN is `arn:PARTITION:iam::ACCOUNT:KIND/NAME`.
    """
    service, _, name = action.partition(":")
    if service.lower() == "sts":
        return (
            "role"
            if re.fullmatch(r"AssumeRole(WithSAML|WithWebIdentity)?|TagSession", name, re.IGNORECASE)
            else ""
        )
    if service.lower() != "iam" or _WITHOUT_RESOURCE.fullmatch(name):
        return ""
    for kind, names in _KINDS:
        if re.fullmatch(names, name, re.IGNORECASE):
            return kind
    return ""
