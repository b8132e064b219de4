"""STS: AssumeRole with its tags and durations, who a caller is, and web identities."""

from typing import Any

from tests.aws_facts import tokens
from tests.aws_facts.fact import (
    PROVIDER,
    Call,
    Fact,
    Refusal,
    Success,
    fact,
    iam,
    policy,
    provider,
    role,
    sts,
    tags,
    trust,
)
from tests.aws_facts.sources import STS, STS_OLD, STS_ROLE, STS_TAGS, guide, issue, model, pasted

_CART = "arn:aws:iam::<account>:role/cart"
_OPEN = trust({"AWS": "<account>"}, ["sts:AssumeRole", "sts:TagSession"])
_SELF = policy(["sts:AssumeRole", "sts:TagSession"])
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
    fact(
        "assume",
        "AssumeRole answers with credentials, and with the session's ARN and id.",
        STS_ROLE,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
        - answers: {'keys of ': [AssumedRoleUser, Credentials], AssumedRoleUser.Arn:
            'arn:aws:sts::<account>:assumed-role/cart/me',
            AssumedRoleUser.AssumedRoleId: '<role.Role.RoleId>:me', keys of Credentials: [AccessKeyId,
            Expiration, SecretAccessKey, SessionToken], Credentials.AccessKeyId: '~ASIA[A-Z0-9]{16}'}""",
    ),
    fact(
        "assume-path",
        "A session's ARN is without the role's path.",
        guide("IAM/latest/UserGuide/reference_identifiers.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}, Path: /shop/}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/shop/cart', RoleSessionName: me}
        - answers: {AssumedRoleUser.Arn: 'arn:aws:sts::<account>:assumed-role/cart/me'}""",
    ),
    fact(
        "assume-policy-size",
        "With a session policy the answer tells how much of the room for it is used.",
        STS,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Policy: $READS}
        - answers: {PackedPolicySize: '~[0-9]+'}""",
    ),
    fact(
        "assume-arn-malformed",
        "AssumeRole of nothing-valid-in-here.",
        STS_OLD,
        """
        - sts AssumeRole: {RoleArn: nothing-valid-in-here, RoleSessionName: me}
        - refuses: ValidationError 400 nothing-valid-in-here is invalid""",
    ),
    fact(
        "assume-arn-no-partition",
        "AssumeRole of arn::b:::something/test-role.",
        STS_OLD,
        """
        - sts AssumeRole: {RoleArn: 'arn::b:::something/test-role', RoleSessionName: me}
        - refuses: ValidationError 400 arn::b:::something/test-role is invalid""",
    ),
    fact(
        "assume-arn-no-service",
        "AssumeRole of arn:a::::something/test-role.",
        STS_OLD,
        """
        - sts AssumeRole: {RoleArn: 'arn:a::::something/test-role', RoleSessionName: me}
        - refuses: ValidationError 400 arn:a::::something/test-role is invalid""",
    ),
    fact(
        "assume-arn-few-colons",
        "AssumeRole of arn:a:::something/test-role.",
        STS_OLD,
        """
        - sts AssumeRole: {RoleArn: 'arn:a:::something/test-role', RoleSessionName: me}
        - refuses: ValidationError 400 arn:a:::something/test-role is invalid""",
    ),
    fact(
        "assume-arn-no-resource",
        "AssumeRole of arn:a:a::aaaaaaaaaa:.",
        STS_OLD,
        """
        - sts AssumeRole: {RoleArn: 'arn:a:a::aaaaaaaaaa:', RoleSessionName: me}
        - refuses: 'ValidationError 400 arn:a:a::aaaaaaaaaa: is invalid'""",
    ),
    fact(
        "assume-none",
        "A missing role is refused like one that does not trust the caller.",
        issue("aws-actions/configure-aws-credentials#1810"),
        """
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/nobody', RoleSessionName: me}
        - refuses: 'AccessDenied 403 ~User: .+ is not authorized to perform: sts:AssumeRole on resource:
            .+'""",
    ),
    fact(
        "assume-not-admitted",
        "A role that does not trust the caller.",
        issue("aws-actions/configure-aws-credentials#1810"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
        - refuses: 'AccessDenied 403 ~User: .+ is not authorized to perform: sts:AssumeRole on resource:
            .+'""",
    ),
    fact(
        "assume-external-id",
        "An external id that the trust policy asks for has to be given.",
        guide("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: 'arn:aws:iam::<account>:root'}, Action: 'sts:AssumeRole', Condition: {
            StringEquals: {'sts:ExternalId': right}}}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, ExternalId:
            wrong}
        - refuses: AccessDenied 403""",
    ),
    fact(
        "assume-external-id-given",
        "With the external id it is allowed.",
        guide("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: 'arn:aws:iam::<account>:root'}, Action: 'sts:AssumeRole', Condition: {
            StringEquals: {'sts:ExternalId': right}}}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, ExternalId:
            right}
        - answers: {}""",
    ),
    fact(
        "assume-long",
        "A session longer than the role's longest.",
        issue("kreuzwerker/awsu#27"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me,
            DurationSeconds: 3601}
        - refuses: ValidationError 400 The requested DurationSeconds exceeds the MaxSessionDuration set for
            this
            role.""",
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
    fact(
        "assume-chained",
        "A role's session can assume another role, if its own policy and the other's trust allow it.",
        guide("IAM/latest/UserGuide/id_roles.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: assume, PolicyDocument: {Version: '2012-10-17',
            Statement: [
            {Effect: Allow, Action: ['sts:AssumeRole', 'sts:TagSession'], Resource: '*'}]}}
        - iam CreateRole: {RoleName: other, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: other
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
          save: first
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/other', RoleSessionName: me}
          caller: first
        - answers: {AssumedRoleUser.AssumedRoleId: '<other.Role.RoleId>:me'}""",
    ),
    fact(
        "assume-chained-denied",
        "Without a policy of its own, a session can't assume a role that trusts the account.",
        guide("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - iam CreateRole: {RoleName: other, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
          save: first
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/other', RoleSessionName: me}
          caller: first
        - refuses: AccessDenied 403""",
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
    fact(
        "session-of-deleted-role",
        "The credentials of a deleted role are no longer good.",
        guide("IAM/latest/UserGuide/id_roles_manage_delete.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
          save: first
        - iam DeleteRole: {RoleName: cart}
        - sts GetCallerIdentity: {}
          caller: first
        - refuses: InvalidClientTokenId 403 The security token included in the request is invalid.""",
    ),
    fact(
        "tags-transitive-absent",
        "A transitive key has to be among the tags.",
        STS_TAGS,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Tags: [{Key:
            a, Value: '1'}],
            TransitiveTagKeys: [b]}
        - refuses: InvalidParameterValue 400 The specified transitive tag key must be included in the
            requested
            tags.""",
    ),
    fact(
        "tags-twice-case",
        "Keys of session tags are the same without regard to case.",
        STS_TAGS,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Tags: [{Key:
            a, Value: '1'},
            {Key: A, Value: '2'}]}
        - refuses: InvalidParameterValue 400 Duplicate tag keys found. Please note that Tag keys are case
            insensitive.""",
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
    fact(
        "tags-not-transitive",
        "A tag that is not transitive is not handed on, and can be set.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: assume, PolicyDocument: {Version: '2012-10-17',
            Statement: [
            {Effect: Allow, Action: ['sts:AssumeRole', 'sts:TagSession'], Resource: '*'}]}}
        - iam CreateRole: {RoleName: other, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: other
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Tags: [{Key:
            team, Value: '1'}]}
          save: first
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/other', RoleSessionName: me, Tags: [{Key:
            team, Value: '2'}]}
          caller: first
        - answers: {}""",
    ),
    fact(
        "tags-permission",
        "Session tags need sts:TagSession in the trust policy.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: 'arn:aws:iam::<account>:root'}, Action: 'sts:AssumeRole'}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Tags: [{Key:
            a, Value: '1'}]}
        - refuses: AccessDenied 403""",
    ),
    fact(
        "tags-request-key",
        "A trust policy can ask for a tag's value.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: 'arn:aws:iam::<account>:root'}, Action: ['sts:AssumeRole', 'sts:TagSession'],
            Condition: {StringEquals: {'aws:RequestTag/team': shop}}}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Tags: [{Key:
            team, Value: shop}]}
        - answers: {}""",
    ),
    fact(
        "tags-principal",
        "A session's tags are those of the principal.",
        guide("IAM/latest/UserGuide/id_session-tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: {Version: '2012-10-17',
            Statement: [{Effect: Allow,
            Action: 'iam:GetRole', Resource: '*', Condition: {StringEquals: {'aws:PrincipalTag/team':
            shop}}}]}}
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me, Tags: [{Key:
            team, Value: shop}]}
          save: first
        - iam GetRole: {RoleName: cart}
          caller: first
        - answers: {}""",
    ),
    fact(
        "identity-session",
        "GetCallerIdentity of a session: the role's unique id and the session's name.",
        STS,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
          save: first
        - sts GetCallerIdentity: {}
          caller: first
        - answers: {Account: <account>, Arn: 'arn:aws:sts::<account>:assumed-role/cart/me', UserId:
            '<role.Role.RoleId>:me'}""",
    ),
    fact(
        "identity-user",
        "GetCallerIdentity of a user.",
        STS,
        """
        - sts GetCallerIdentity: {}
        - answers: {Account: <account>, Arn: '~arn:aws:iam::<account>:user/.+', UserId: ~AIDA.+}""",
    ),
    fact(
        "web-works",
        "AssumeRoleWithWebIdentity answers with the token's subject and audience, and the provider.",
        "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html (2026-11-28)",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - answers: {SubjectFromWebIdentityToken: 'system:serviceaccount:shop:cart', Audience:
            sts.amazonaws.com,
            Provider: 'arn:aws:iam::<account>:oidc-provider/<host>', AssumedRoleUser.Arn:
            'arn:aws:sts::<account>:assumed-role/cart/pod'}""",
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
    fact(
        "web-rotated",
        "An issuer can have several keys, and a token of an older one is good as long as it is published.",
        "https://docs.aws.amazon.com/eks/latest/userguide/irsa-fetch-keys.html (2026-11-28), "
        "hashicorp/vault-plugin-auth-jwt#181",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {key: old}
        - answers: {}""",
    ),
    fact(
        "web-subject",
        "A token of another ServiceAccount.",
        "quoted in https://repost.aws/knowledge-center/eks-troubleshoot-irsa-errors",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {sub: 'system:serviceaccount:shop:other'}
        - refuses: AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity""",
    ),
    fact(
        "web-audience",
        "A token for an audience that the provider has not.",
        "quoted in https://repost.aws/knowledge-center/eks-troubleshoot-irsa-errors",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {aud: [other]}
        - refuses: InvalidIdentityToken 400 Incorrect token audience""",
    ),
    fact(
        "web-expired",
        "An expired token.",
        pasted("parseablehq/parseable#604", "2024-01-08"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {seconds: -10}
        - refuses: 'ExpiredTokenException 400 ~Token expired: current date/time [0-9]+ must be before the
            expiration date/time [0-9]+'""",
    ),
    fact(
        "web-signature",
        "A token whose signature is not good.",
        "botocore 1.44.8, model of sts: AssumeRoleWithWebIdentity, InvalidIdentityToken",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {broken: true}
        - refuses: InvalidIdentityToken 400""",
    ),
    fact(
        "web-garbage",
        "What is no token.",
        "botocore 1.44.8, model of sts: AssumeRoleWithWebIdentity, InvalidIdentityToken",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {garbage: true}
        - refuses: InvalidIdentityToken 400""",
    ),
    fact(
        "web-no-subject",
        "A token without a subject.",
        pasted("aws/aws-sdk-ruby#2698 (of another claim)", "2022-05-16"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {sub: null}
        - refuses: 'InvalidIdentityToken 400 Missing a required claim: sub'""",
    ),
    fact(
        "web-long",
        "A session longer than the role's longest.",
        "quoted in kreuzwerker/awsu#27",
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>,
            DurationSeconds: 7200}
        - refuses: ValidationError 400 The requested DurationSeconds exceeds the MaxSessionDuration set for
            this
            role.""",
    ),
    fact(
        "web-no-role",
        "A missing role is refused like one that does not trust the caller.",
        issue("https://repost.aws/knowledge-center/eks-troubleshoot-irsa-errors"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - refuses: AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity""",
    ),
    fact(
        "web-no-provider",
        "A role's account without the provider.",
        issue("aws/amazon-eks-pod-identity-webhook#264"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - refuses: InvalidIdentityToken 400 No OpenIDConnect provider found in your account for <issuer>""",
    ),
    fact(
        "web-issuer-unreachable",
        "A provider whose issuer can't be asked for keys.",
        "quoted in GitLab's documentation (doc/ci/cloud_services/aws), openshift/cloud-credential-operator",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://nowhere.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {iss: 'https://nowhere.example.org'}
        - refuses: 'InvalidIdentityToken 400 Couldn''t retrieve verification key from your
            identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements'""",
    ),
    fact(
        "web-provider-deleted",
        "With the provider deleted, tokens are no longer good.",
        model("iam", "DeleteOpenIDConnectProvider"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - iam DeleteOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/<host>'}
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - refuses: InvalidIdentityToken 400""",
    ),
    fact(
        "web-wildcard",
        "StringLike allows all ServiceAccounts of a namespace.",
        guide("eks/latest/userguide/associate-service-account-role.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringLike: {'<host>:sub': 'system:serviceaccount:shop:*'}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          token: {sub: 'system:serviceaccount:shop:any'}
        - answers: {}""",
    ),
    fact(
        "web-equals-star",
        "StringEquals takes a star for a star.",
        guide("IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:*'}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - refuses: AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity""",
    ),
    fact(
        "web-deny",
        "A Deny in the trust policy is stronger than an Allow.",
        guide("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity'},
            {Effect: Deny, Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'},
            Action: 'sts:AssumeRoleWithWebIdentity'}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - refuses: AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity""",
    ),
    fact(
        "web-not-assume",
        "sts:AssumeRole in a trust policy does not allow a web identity.",
        guide("IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRole'}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
        - refuses: AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity""",
    ),
    fact(
        "web-identity",
        "GetCallerIdentity with a web identity's credentials.",
        guide("IAM/latest/UserGuide/reference_identifiers.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          save: first
        - sts GetCallerIdentity: {}
          caller: first
        - answers: {Arn: 'arn:aws:sts::<account>:assumed-role/cart/pod', UserId:
            '<role.Role.RoleId>:pod'}""",
    ),
    fact(
        "web-no-permission",
        "A role without policies may do nothing in IAM.",
        guide("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: <issuer>, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            sts.amazonaws.com]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/<host>'}, Action:
            'sts:AssumeRoleWithWebIdentity',
            Condition: {StringEquals: {'<host>:sub': 'system:serviceaccount:shop:cart', '<host>:aud':
            sts.amazonaws.com}}}]}}
          save: role
        - sts AssumeRoleWithWebIdentity: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName:
            pod, WebIdentityToken: <token>}
          save: first
        - iam GetRole: {RoleName: cart}
          caller: first
        - refuses: AccessDenied 403""",
    ),
    fact(
        "old-credentials",
        "Credentials of a role that was detached from a policy may use it for seconds more.",
        issue("https://ferkakta.dev/iam-eventual-consistency-is-four-seconds"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: {Version: '2012-10-17',
            Statement: [{Effect: Allow,
            Action: 'iam:GetRole', Resource: '*'}]}}
        - sts AssumeRole: {RoleArn: 'arn:aws:iam::<account>:role/cart', RoleSessionName: me}
          save: first
        - iam DeleteRolePolicy: {RoleName: cart, PolicyName: in}
        - iam GetRole: {RoleName: cart}
          caller: first
        - answers: {}""",
        not_simulated="only if the sandbox is set to be late (`replicas`): here it answers at once",
    ),
)
