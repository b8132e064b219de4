"""STS: AssumeRole with its tags and durations, who a caller is, and web identities."""

import json
from typing import Any

from tests.aws_facts import tokens
from tests.aws_facts.fact import (
    PROVIDER,
    Call,
    Fact,
    Refusal,
    Success,
    iam,
    policy,
    provider,
    role,
    sts,
    tags,
    trust,
)
from tests.aws_facts.sources import STS, STS_OLD, STS_ROLE, STS_TAGS, guide, issue, model

_CART = "arn:aws:iam::<account>:role/cart"
_MY = "arn:aws:iam::<account>:root"
_OPEN = trust({"AWS": "<account>"}, ["sts:AssumeRole", "sts:TagSession"])
_SELF = policy(["sts:AssumeRole", "sts:TagSession"])
_TOO_LONG = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
_CONFLICT = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
    "from the calling session."
)


def _assume(name: str = "cart", save: str = "", caller: str = "", **parameters: Any) -> Call:
    arn = f"arn:aws:iam::<account>:role/{name}"
    return sts("AssumeRole", save, caller, **{"RoleArn": arn, "RoleSessionName": "me", **parameters})


def _may_assume(name: str) -> Call:
    return iam("PutRolePolicy", RoleName=name, PolicyName="assume", PolicyDocument=_SELF)


def _web(save: str = "", token: Any = None, **parameters: Any) -> Call:
    whole = {"RoleArn": _CART, "RoleSessionName": "pod", "WebIdentityToken": "<token>", **parameters}
    return Call("sts", "AssumeRoleWithWebIdentity", whole, save, token=token or {})


_TRUSTED = {"Federated": PROVIDER}
_SUBJECT = {"<host>:sub": "system:serviceaccount:shop:cart", "<host>:aud": "sts.amazonaws.com"}
_POD = role(document=trust(_TRUSTED, "sts:AssumeRoleWithWebIdentity", Condition={"StringEquals": _SUBJECT}))
_ISSUER = provider("<issuer>", ClientIDList=["sts.amazonaws.com"])
_DENIED = Refusal("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
_WEB = "STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html"
_CHAINED = (
    role(document=_OPEN),
    _may_assume("cart"),
    role("other", _OPEN, save="other"),
)


def _web_fact(name: str, says: str, token: Any, answer: Any, source: str = "", **parameters: Any) -> Fact:
    calls = (_ISSUER, _POD, _web(token=token, **parameters))
    return Fact(f"web-{name}", says, source or guide(_WEB), calls, answer)


FACTS = (
    Fact(
        "assume",
        "AssumeRole answers with credentials, and with the session's ARN and id.",
        STS_ROLE,
        (role(document=_OPEN), _assume()),
        Success(
            {
                "keys of ": ("AssumedRoleUser", "Credentials"),
                "AssumedRoleUser.Arn": "arn:aws:sts::<account>:assumed-role/cart/me",
                "AssumedRoleUser.AssumedRoleId": "<role.Role.RoleId>:me",
                "keys of Credentials": ("AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken"),
                "Credentials.AccessKeyId": "~ASIA[A-Z0-9]{16}",
            }
        ),
    ),
    Fact(
        "assume-path",
        "A session's ARN is without the role's path.",
        guide("IAM/latest/UserGuide/reference_identifiers.html"),
        (role(document=_OPEN, Path="/shop/"), _assume("shop/cart")),
        Success({"AssumedRoleUser.Arn": "arn:aws:sts::<account>:assumed-role/cart/me"}),
    ),
    Fact(
        "assume-policy-size",
        "With a session policy the answer tells how much of the room for it is used.",
        STS,
        (role(document=_OPEN), _assume(Policy=policy())),
        Success({"PackedPolicySize": "~[0-9]+"}),
        not_simulated="how AWS packs policies is not documented",
    ),
    *(
        Fact(
            f"assume-arn-{name}",
            f"AssumeRole of {arn}.",
            STS_OLD,
            (_assume(RoleArn=arn),),
            Refusal("ValidationError", 400, f"{arn} is invalid"),
        )
        for name, arn in (
            ("malformed", "nothing-valid-in-here"),
            ("no-partition", "arn::b:::something/test-role"),
            ("no-service", "arn:a::::something/test-role"),
            ("few-colons", "arn:a:::something/test-role"),
            ("no-resource", "arn:a:a::aaaaaaaaaa:"),
        )
    ),
    Fact(
        "assume-none",
        "A missing role is refused like one that does not trust the caller.",
        issue("aws-actions/configure-aws-credentials#1810"),
        (_assume("nobody"),),
        Refusal(
            "AccessDenied", 403, "~User: .+ is not authorized to perform: sts:AssumeRole on resource: .+"
        ),
    ),
    Fact(
        "assume-not-admitted",
        "A role that does not trust the caller.",
        issue("aws-actions/configure-aws-credentials#1810"),
        (role(), _assume()),
        Refusal(
            "AccessDenied", 403, "~User: .+ is not authorized to perform: sts:AssumeRole on resource: .+"
        ),
    ),
    Fact(
        "assume-external-id",
        "An external id that the trust policy asks for has to be given.",
        guide("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"),
        (
            role(document=trust({"AWS": _MY}, Condition={"StringEquals": {"sts:ExternalId": "right"}})),
            _assume(ExternalId="wrong"),
        ),
        Refusal("AccessDenied", 403),
    ),
    Fact(
        "assume-external-id-given",
        "With the external id it is allowed.",
        guide("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"),
        (
            role(document=trust({"AWS": _MY}, Condition={"StringEquals": {"sts:ExternalId": "right"}})),
            _assume(ExternalId="right"),
        ),
        Success(),
    ),
    Fact(
        "assume-long",
        "A session longer than the role's longest.",
        issue("kreuzwerker/awsu#27"),
        (role(document=_OPEN), _assume(DurationSeconds=3601)),
        Refusal("ValidationError", 400, _TOO_LONG),
    ),
    Fact(
        "assume-chained-long",
        "A chained session longer than an hour, though the role allows it.",
        issue("99designs/aws-vault README"),
        (
            role(document=_OPEN),
            _may_assume("cart"),
            role("other", _OPEN, MaxSessionDuration=43200),
            _assume(save="first"),
            _assume("other", caller="first", DurationSeconds=3601),
        ),
        Refusal(
            "ValidationError",
            400,
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
            "chaining",
        ),
    ),
    Fact(
        "assume-chained",
        "A role's session can assume another role, if its own policy and the other's trust allow it.",
        guide("IAM/latest/UserGuide/id_roles.html"),
        (*_CHAINED, _assume(save="first"), _assume("other", caller="first")),
        Success({"AssumedRoleUser.AssumedRoleId": "<other.Role.RoleId>:me"}),
    ),
    Fact(
        "assume-chained-denied",
        "Without a policy of its own, a session can't assume a role that trusts the account.",
        guide("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
        (
            role(document=_OPEN),
            role("other", _OPEN),
            _assume(save="first"),
            _assume("other", caller="first"),
        ),
        Refusal("AccessDenied", 403),
    ),
    Fact(
        "assume-again-principal",
        "A role made again does not get in where the deleted one was the principal.",
        issue("Hacking-the-Cloud/hackingthe.cloud PR 462"),
        (
            role(document=_OPEN),
            role("other", trust({"AWS": _CART})),
            iam("DeleteRole", RoleName="cart"),
            role(document=_OPEN),
            _may_assume("cart"),
            _assume(save="first"),
            _assume("other", caller="first"),
        ),
        Refusal("AccessDenied", 403),
    ),
    Fact(
        "session-of-deleted-role",
        "The credentials of a deleted role are no longer good.",
        guide("IAM/latest/UserGuide/id_roles_manage_delete.html"),
        (
            role(document=_OPEN),
            _assume(save="first"),
            iam("DeleteRole", RoleName="cart"),
            sts("GetCallerIdentity", caller="first"),
        ),
        Refusal("InvalidClientTokenId", 403, "The security token included in the request is invalid."),
    ),
    Fact(
        "tags-transitive-absent",
        "A transitive key has to be among the tags.",
        STS_TAGS,
        (role(document=_OPEN), _assume(Tags=tags(a="1"), TransitiveTagKeys=["b"])),
        Refusal(
            "InvalidParameterValue",
            400,
            "The specified transitive tag key must be included in the requested tags.",
        ),
    ),
    Fact(
        "tags-twice-case",
        "Keys of session tags are the same without regard to case.",
        STS_TAGS,
        (role(document=_OPEN), _assume(Tags=tags(a="1", A="2"))),
        Refusal(
            "InvalidParameterValue",
            400,
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
    ),
    *(
        Fact(
            f"tags-transitive-{name}",
            f"A chained session can't set a transitive tag{more}.",
            STS_TAGS,
            (
                *_CHAINED,
                _assume(save="first", Tags=tags(team="1"), TransitiveTagKeys=["team"]),
                _assume("other", caller="first", Tags=[{"Key": key, "Value": "2"}]),
            ),
            Refusal("InvalidParameterValue", 400, _CONFLICT),
        )
        for name, key, more in (("again", "team", ""), ("case", "TEAM", ", in another case either"))
    ),
    Fact(
        "tags-not-transitive",
        "A tag that is not transitive is not handed on, and can be set.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        (
            *_CHAINED,
            _assume(save="first", Tags=tags(team="1")),
            _assume("other", caller="first", Tags=tags(team="2")),
        ),
        Success(),
    ),
    Fact(
        "tags-permission",
        "Session tags need sts:TagSession in the trust policy.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        (role(document=trust({"AWS": _MY})), _assume(Tags=tags(a="1"))),
        Refusal("AccessDenied", 403),
    ),
    Fact(
        "tags-request-key",
        "A trust policy can ask for a tag's value.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        (
            role(
                document=trust(
                    {"AWS": _MY},
                    ["sts:AssumeRole", "sts:TagSession"],
                    Condition={"StringEquals": {"aws:RequestTag/team": "shop"}},
                )
            ),
            _assume(Tags=tags(team="shop")),
        ),
        Success(),
    ),
    Fact(
        "tags-principal",
        "A session's tags are those of the principal.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        (
            role(document=_OPEN),
            iam(
                "PutRolePolicy",
                RoleName="cart",
                PolicyName="in",
                PolicyDocument=policy(
                    "iam:GetRole", Condition={"StringEquals": {"aws:PrincipalTag/team": "shop"}}
                ),
            ),
            _assume(save="first", Tags=tags(team="shop")),
            iam("GetRole", caller="first", RoleName="cart"),
        ),
        Success(),
    ),
    Fact(
        "identity-session",
        "GetCallerIdentity of a session: the role's unique id and the session's name.",
        STS,
        (role(document=_OPEN), _assume(save="first"), sts("GetCallerIdentity", caller="first")),
        Success(
            {
                "Account": "<account>",
                "Arn": "arn:aws:sts::<account>:assumed-role/cart/me",
                "UserId": "<role.Role.RoleId>:me",
            }
        ),
    ),
    Fact(
        "identity-user",
        "GetCallerIdentity of a user.",
        STS,
        (sts("GetCallerIdentity"),),
        Success({"Account": "<account>", "Arn": "~arn:aws:iam::<account>:user/.+", "UserId": "~AIDA.+"}),
    ),
    _web_fact(
        "works",
        "AssumeRoleWithWebIdentity answers with the token's subject and audience, and the provider.",
        {},
        Success(
            {
                "SubjectFromWebIdentityToken": "system:serviceaccount:shop:cart",
                "Audience": "sts.amazonaws.com",
                "Provider": PROVIDER,
                "AssumedRoleUser.Arn": "arn:aws:sts::<account>:assumed-role/cart/pod",
            }
        ),
    ),
    *(
        _web_fact(
            f"algorithm-{algorithm.lower()}",
            f"A token that is signed with {algorithm} is taken.",
            {"algorithm": algorithm},
            Success(),
            model("sts", "AssumeRoleWithWebIdentity, WebIdentityToken"),
        )
        for algorithm in tokens.ALGORITHMS
    ),
    _web_fact(
        "rotated",
        "An issuer can have several keys, and a token of an older one is good as long as it is published.",
        {"key": "old"},
        Success(),
        guide("eks/latest/userguide/irsa-fetch-keys.html") + ", hashicorp/vault-plugin-auth-jwt#181",
    ),
    _web_fact(
        "subject",
        "A token of another ServiceAccount.",
        {"sub": "system:serviceaccount:shop:other"},
        _DENIED,
        issue("https://repost.aws/knowledge-center/eks-troubleshoot-irsa-errors"),
    ),
    _web_fact(
        "audience",
        "A token for an audience that the provider has not.",
        {"aud": ["other"]},
        Refusal("InvalidIdentityToken", 400, "Incorrect token audience"),
        issue("https://repost.aws/knowledge-center/eks-troubleshoot-irsa-errors"),
    ),
    _web_fact("expired", "An expired token.", {"seconds": -10}, Refusal("ExpiredTokenException", 400)),
    _web_fact(
        "signature",
        "A token whose signature is not good.",
        {"broken": True},
        Refusal("InvalidIdentityToken", 400),
        model("sts", "AssumeRoleWithWebIdentity, InvalidIdentityToken"),
    ),
    _web_fact(
        "garbage",
        "What is no token.",
        {"garbage": True},
        Refusal("InvalidIdentityToken", 400),
        model("sts", "AssumeRoleWithWebIdentity, InvalidIdentityToken"),
    ),
    _web_fact(
        "no-subject",
        "A token without a subject.",
        {"sub": None},
        Refusal("InvalidIdentityToken", 400),
        model("sts", "AssumeRoleWithWebIdentity, InvalidIdentityToken"),
    ),
    _web_fact(
        "long",
        "A session longer than the role's longest.",
        {},
        Refusal("ValidationError", 400, _TOO_LONG),
        issue("kreuzwerker/awsu#27"),
        DurationSeconds=7200,
    ),
    Fact(
        "web-no-role",
        "A missing role is refused like one that does not trust the caller.",
        issue("https://repost.aws/knowledge-center/eks-troubleshoot-irsa-errors"),
        (_ISSUER, _web()),
        _DENIED,
    ),
    Fact(
        "web-no-provider",
        "A role's account without the provider.",
        issue("aws/amazon-eks-pod-identity-webhook#264"),
        (_POD, _web()),
        Refusal("InvalidIdentityToken", 400, "No OpenIDConnect provider found in your account for <issuer>"),
    ),
    Fact(
        "web-issuer-unreachable",
        "A provider whose issuer can't be asked for keys.",
        model("sts", "AssumeRoleWithWebIdentity, IDPCommunicationError"),
        (
            provider("https://nowhere.example.org", ClientIDList=["sts.amazonaws.com"]),
            _POD,
            _web(token={"iss": "https://nowhere.example.org"}),
        ),
        Refusal("IDPCommunicationError", 400),
    ),
    Fact(
        "web-provider-deleted",
        "With the provider deleted, tokens are no longer good.",
        model("iam", "DeleteOpenIDConnectProvider"),
        (
            _ISSUER,
            _POD,
            iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER),
            _web(),
        ),
        Refusal("InvalidIdentityToken", 400),
    ),
    Fact(
        "web-wildcard",
        "StringLike allows all ServiceAccounts of a namespace.",
        guide("eks/latest/userguide/associate-service-account-role.html"),
        (
            _ISSUER,
            role(
                document=trust(
                    _TRUSTED,
                    "sts:AssumeRoleWithWebIdentity",
                    Condition={"StringLike": {"<host>:sub": "system:serviceaccount:shop:*"}},
                )
            ),
            _web(token={"sub": "system:serviceaccount:shop:any"}),
        ),
        Success(),
    ),
    Fact(
        "web-equals-star",
        "StringEquals takes a star for a star.",
        guide("IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"),
        (
            _ISSUER,
            role(
                document=trust(
                    _TRUSTED,
                    "sts:AssumeRoleWithWebIdentity",
                    Condition={"StringEquals": {"<host>:sub": "system:serviceaccount:shop:*"}},
                )
            ),
            _web(),
        ),
        _DENIED,
    ),
    Fact(
        "web-deny",
        "A Deny in the trust policy is stronger than an Allow.",
        guide("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
        (
            _ISSUER,
            role(
                document=json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": effect,
                                "Principal": _TRUSTED,
                                "Action": "sts:AssumeRoleWithWebIdentity",
                            }
                            for effect in ("Allow", "Deny")
                        ],
                    }
                )
            ),
            _web(),
        ),
        _DENIED,
    ),
    Fact(
        "web-not-assume",
        "sts:AssumeRole in a trust policy does not allow a web identity.",
        guide("IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"),
        (_ISSUER, role(document=trust(_TRUSTED, "sts:AssumeRole")), _web()),
        _DENIED,
    ),
    Fact(
        "web-identity",
        "GetCallerIdentity with a web identity's credentials.",
        guide("IAM/latest/UserGuide/reference_identifiers.html"),
        (_ISSUER, _POD, _web("first"), sts("GetCallerIdentity", caller="first")),
        Success({"Arn": "arn:aws:sts::<account>:assumed-role/cart/pod", "UserId": "<role.Role.RoleId>:pod"}),
    ),
    Fact(
        "web-no-permission",
        "A role without policies may do nothing in IAM.",
        guide("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
        (_ISSUER, _POD, _web("first"), iam("GetRole", caller="first", RoleName="cart")),
        Refusal("AccessDenied", 403),
    ),
    Fact(
        "old-credentials",
        "Credentials of a role that was detached from a policy may use it for seconds more.",
        issue("https://ferkakta.dev/iam-eventual-consistency-is-four-seconds"),
        (
            role(document=_OPEN),
            iam("PutRolePolicy", RoleName="cart", PolicyName="in", PolicyDocument=policy("iam:GetRole")),
            _assume(save="first"),
            iam("DeleteRolePolicy", RoleName="cart", PolicyName="in"),
            iam("GetRole", caller="first", RoleName="cart"),
        ),
        Success(),
        not_simulated="only if the sandbox is set to be late (`replicas`): here it answers at once",
    ),
)
