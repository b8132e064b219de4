"""STS by other witnesses than recordings: answers that were pasted into issues, its guide, and its model."""

from __future__ import annotations

import time
from typing import Any

from tests.aws_facts.fact import (
    ABSENT,
    PROVIDER,
    Call,
    Fact,
    Refusal,
    Success,
    iam,
    many_tags,
    policy,
    provider,
    role,
    sts,
    tags,
    trust,
)
from tests.aws_facts.sources import guide, model, pasted

_CART = "arn:aws:iam::<account>:role/cart"
_ALL = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
_OPEN = role(document=trust({"AWS": "<account>"}, _ALL))
_CHAINED = (
    _OPEN,
    iam("PutRolePolicy", RoleName="cart", PolicyName="assume", PolicyDocument=policy(_ALL)),
    role("other", trust({"AWS": "<account>"}, _ALL), save="other"),
)
_TAGS = "IAM/latest/UserGuide/id_session-tags.html"
_SOURCE = "IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html"
_SESSIONS = "IAM/latest/UserGuide/access_policies.html#policies_session"


def _assume(save: str = "", caller: str = "", name: str = "cart", **parameters: Any) -> Call:
    own = {"RoleArn": f"arn:aws:iam::<account>:role/{name}", "RoleSessionName": "me"}
    return sts("AssumeRole", save, caller, **{**own, **parameters})


def _web(token: Any = None, **parameters: Any) -> Call:
    own = {"RoleArn": _CART, "RoleSessionName": "pod", "WebIdentityToken": "<token>"}
    return Call("sts", "AssumeRoleWithWebIdentity", {**own, **parameters}, token=token or {})


_SUBJECT = {"<host>:sub": "system:serviceaccount:shop:cart", "<host>:aud": "sts.amazonaws.com"}
_POD = (
    provider("<issuer>", ClientIDList=["sts.amazonaws.com"]),
    role(
        document=trust(
            {"Federated": PROVIDER},
            "sts:AssumeRoleWithWebIdentity",
            Condition={"StringEquals": _SUBJECT},
        )
    ),
)


def _longer(field: str, value: str, most: int) -> Refusal:
    rule = f"Member must have length less than or equal to {most}"
    words = f"Value '{value}' at '{field}' failed to satisfy constraint: {rule}"
    return Refusal("ValidationError", 400, f"1 validation error detected: {words}")


_WEB_FACTS = (
    Fact(
        "web-no-arn",
        "What is no ARN of a role, as long as one.",
        pasted("physera/onelogin-aws-cli#12 (of AssumeRoleWithSAML)", "2017-10-17"),
        (_web(RoleArn="this-is-not-the-arn-of-a-role", WebIdentityToken="no.token.here"),),
        Refusal("ValidationError", 400, "Request ARN is invalid"),
    ),
    Fact(
        "web-user-arn",
        "The ARN of a user.",
        pasted("physera/onelogin-aws-cli#12 (of AssumeRoleWithSAML)", "2017-10-17"),
        (_web(RoleArn="arn:aws:iam::<account>:user/anna", WebIdentityToken="no.token.here"),),
        Refusal("ValidationError", 400, "Request ARN is invalid"),
    ),
    Fact(
        "web-too-old",
        "A token that was issued days ago, and has not expired.",
        pasted("mozilla-iam/mozilla-aws-cli#146", "2019-12-02"),
        (*_POD, _web({"iat": int(time.time()) - 441398})),
        Refusal("ExpiredTokenException", 400, "~Token too old: [0-9]+"),
    ),
    Fact(
        "web-no-audience",
        "A token without an audience.",
        pasted("aws/aws-sdk-ruby#2698", "2022-05-16"),
        (*_POD, _web({"aud": None})),
        Refusal("InvalidIdentityToken", 400, "Missing a required claim: aud"),
    ),
    Fact(
        "web-provider-id",
        "A ProviderId is not for tokens of OpenID Connect.",
        model("sts", "AssumeRoleWithWebIdentity, ProviderId"),
        (*_POD, _web(ProviderId="www.amazon.com")),
        Refusal(""),
    ),
    Fact(
        "web-token-3",
        "A token of 3 characters.",
        model("sts", "clientTokenType, min"),
        (_web(WebIdentityToken="abc"),),
        Refusal("ValidationError"),
    ),
    Fact(
        "web-provider-answer",
        "The answer names the provider by its ARN.",
        model("sts", "AssumeRoleWithWebIdentityResponse, Provider"),
        (*_POD, _web()),
        Success({"Provider": PROVIDER}),
    ),
    Fact(
        "web-policy-2049",
        "A session policy of 2,049 characters.",
        model("sts", "sessionPolicyDocumentType, max"),
        (*_POD, _web(Policy=policy("s3:GetObject") + " " * 2049)),
        Refusal("ValidationError"),
    ),
)
_SESSION_FACTS = (
    Fact(
        "session-policy-json",
        "A session policy that is no JSON.",
        pasted("ansible-collections/amazon.aws#2778", "2025-12-09"),
        (_OPEN, _assume(Policy="none")),
        Refusal("MalformedPolicyDocument"),
    ),
    Fact(
        "session-policy-arns",
        "Managed policies of the call bound the session.",
        guide(_SESSIONS),
        (
            _OPEN,
            iam("PutRolePolicy", RoleName="cart", PolicyName="in", PolicyDocument=policy("iam:GetRole")),
            _assume("first", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}]),
            iam("GetRole", caller="first", RoleName="cart"),
        ),
        Refusal("AccessDenied", 403),
    ),
    Fact(
        "session-tags-51",
        "51 session tags.",
        model("sts", "tagListType, max"),
        (_OPEN, _assume(Tags=many_tags(51))),
        Refusal("ValidationError"),
    ),
    Fact(
        "session-tags-aws",
        "Keys of session tags that begin with aws: are AWS's.",
        guide(_TAGS),
        (_OPEN, _assume(Tags=tags(**{"aws:team": "x"}))),
        Refusal(""),
    ),
    Fact(
        "session-tags-packed",
        "Session tags that are too large, far below their limits.",
        pasted("aws-actions/configure-aws-credentials#1898", "2026-07-21"),
        (_OPEN, _assume(Tags=tags(**{f"T{number}": "a" * 250 for number in range(1, 10)}))),
        Refusal("PackedPolicyTooLarge", 400, "Packed size of session tags consumes 498% of allotted space."),
    ),
    Fact(
        "session-tags-size",
        "With session tags the answer tells how much of the room for them is used.",
        model("sts", "AssumeRoleResponse, PackedPolicySize"),
        (_OPEN, _assume(Tags=tags(team="shop"))),
        Success({"PackedPolicySize": "~[0-9]+"}),
    ),
    Fact(
        "session-no-size",
        "Without policy and tags it does not.",
        model("sts", "AssumeRoleResponse, PackedPolicySize"),
        (_OPEN, _assume()),
        Success({"PackedPolicySize": ABSENT, "SourceIdentity": ABSENT}),
    ),
    Fact(
        "external-id-1225",
        "ExternalId of 1,225 characters.",
        model("sts", "externalIdType, max"),
        (_OPEN, _assume(ExternalId="e" * 1225)),
        _longer("externalId", "e" * 1225, 1224),
    ),
    Fact(
        "source-identity",
        "The answer repeats the SourceIdentity.",
        model("sts", "AssumeRoleResponse, SourceIdentity"),
        (_OPEN, _assume(SourceIdentity="anna")),
        Success({"SourceIdentity": "anna"}),
    ),
    Fact(
        "source-identity-permission",
        "It needs sts:SetSourceIdentity in the trust policy.",
        pasted("noqdev/iambic#357", "2023-04-25"),
        (role(document=trust({"AWS": "<account>"}, "sts:AssumeRole")), _assume(SourceIdentity="anna")),
        Refusal(
            "AccessDenied",
            403,
            "~User: arn:aws:iam::<account>:user/.+ is not authorized to perform: sts:SetSourceIdentity on "
            "resource: arn:aws:iam::<account>:role/cart",
        ),
    ),
    Fact(
        "source-identity-sticks",
        "A role that is assumed next has to allow it as well.",
        pasted("MaterializeInc/materialize#37427", "2026-07-02"),
        (
            *_CHAINED[:2],
            role("other", trust({"AWS": "<account>"}, "sts:AssumeRole"), save="other"),
            _assume("first", SourceIdentity="anna"),
            _assume(caller="first", name="other"),
        ),
        Refusal(
            "AccessDenied",
            403,
            "User: arn:aws:sts::<account>:assumed-role/cart/me is not authorized to perform: "
            "sts:SetSourceIdentity on resource: arn:aws:iam::<account>:role/other",
        ),
    ),
    Fact(
        "source-identity-inherited",
        "The next session has it.",
        guide(_SOURCE),
        (*_CHAINED, _assume("first", SourceIdentity="anna"), _assume(caller="first", name="other")),
        Success({"SourceIdentity": "anna"}),
    ),
    Fact(
        "source-identity-changed",
        "It can't be changed.",
        guide(_SOURCE),
        (
            *_CHAINED,
            _assume("first", SourceIdentity="anna"),
            _assume(caller="first", name="other", SourceIdentity="bob"),
        ),
        Refusal(""),
    ),
    Fact(
        "source-identity-key",
        "Policies can ask for it.",
        guide(_SOURCE),
        (
            _OPEN,
            iam(
                "PutRolePolicy",
                RoleName="cart",
                PolicyName="in",
                PolicyDocument=policy(
                    "iam:GetRole", Condition={"StringEquals": {"aws:SourceIdentity": "anna"}}
                ),
            ),
            _assume("first", SourceIdentity="anna"),
            iam("GetRole", caller="first", RoleName="cart"),
        ),
        Success({"Role.RoleName": "cart"}),
    ),
    Fact(
        "source-identity-257",
        "A SourceIdentity of 257 characters.",
        model("sts", "sourceIdentityType, max"),
        (_OPEN, _assume(SourceIdentity="s" * 257)),
        _longer("sourceIdentity", "s" * 257, 256),
    ),
    Fact(
        "source-identity-aws",
        "It can't begin with aws:.",
        model("sts", "AssumeRole, SourceIdentity"),
        (_OPEN, _assume(SourceIdentity="aws:anna")),
        Refusal("ValidationError"),
    ),
    Fact(
        "key-info",
        "GetAccessKeyInfo tells the account of a key.",
        model("sts", "GetAccessKeyInfo"),
        (
            _OPEN,
            _assume("first"),
            sts("GetAccessKeyInfo", AccessKeyId="<first.Credentials.AccessKeyId>"),
        ),
        Success({"Account": "<account>"}),
    ),
    Fact(
        "web-identity-token",
        "GetWebIdentityToken is off unless it was turned on.",
        "quoted in Anthropic's documentation (build-with-claude/claude-platform-on-aws), botocore 1.44.8",
        (sts("GetWebIdentityToken", Audience=["https://example.org"], SigningAlgorithm="RS256"),),
        Refusal(
            "OutboundWebIdentityFederationDisabledException",
            403,
            "Outbound web identity federation is disabled for your account",
        ),
    ),
)
FACTS = (*_WEB_FACTS, *_SESSION_FACTS)
