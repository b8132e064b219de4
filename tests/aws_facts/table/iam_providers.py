"""OIDC providers: making, reading, changing and deleting them, their audiences and tags."""

from typing import Any

from tests.aws_facts.fact import Call, Fact, Refusal, fact, iam, many_tags, provider, tags
from tests.aws_facts.sources import PROVIDERS, PROVIDERS_LATER, guide, issue, model

_ARN = "arn:aws:iam::<account>:oidc-provider/login.example.org"
_LENGTHS = (
    "Member must satisfy constraint: [Member must have length less than or equal to {0}, "
    "Member must have length greater than or equal to {1}]"
)
_AT = "Value at '{0}' failed to satisfy constraint: {1}"
_LONG_URL = _AT.format("url", "Member must have length less than or equal to 255")
_LONG_CLIENT = _AT.format("clientIDList", _LENGTHS.format(255, 1))
_LONG_THUMBPRINT = _AT.format("thumbprintList", _LENGTHS.format(40, 40))


def _about(operation: str, arn: str = _ARN, **parameters: Any) -> Call:
    return iam(operation, OpenIDConnectProviderArn=arn, **parameters)


FACTS = (
    fact(
        "provider-create",
        "CreateOpenIDConnectProvider answers with the ARN, which has the URL without https://.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - answers: {'keys of ': [OpenIDConnectProviderArn], OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}""",
    ),
    fact(
        "provider-create-path",
        "The URL may have a path, which is a part of the ARN.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org/id/1', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - answers: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org/id/1'}""",
    ),
    fact(
        "provider-create-tags",
        "Tags in the call are answered.",
        model("iam", "CreateOpenIDConnectProviderResponse, Tags"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: a, Value: '1'}]}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {Tags: [{Key: a, Value: '1'}]}""",
    ),
    fact(
        "provider-twice",
        "A second provider of one URL.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - refuses: EntityAlreadyExists 409 Provider with url https://login.example.org already exists.""",
    ),
    fact(
        "provider-6-thumbprints",
        "At most five thumbprints, and the message says fewer than 5.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, cccccccccccccccccccccccccccccccccccccccc,
            dddddddddddddddddddddddddddddddddddddddd,
            eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee, ffffffffffffffffffffffffffffffffffffffff],
            ClientIDList: [
            one]}
          save: provider
        - refuses: InvalidInput 400 Thumbprint list must contain fewer than 5 entries.""",
    ),
    fact(
        "provider-5-thumbprints",
        "Five thumbprints are fine.",
        model("iam", "CreateOpenIDConnectProvider, ThumbprintList"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, cccccccccccccccccccccccccccccccccccccccc,
            dddddddddddddddddddddddddddddddddddddddd,
            eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee], ClientIDList: [one]}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {count of ThumbprintList: 5}""",
    ),
    Fact(
        "provider-101-clients",
        "The 101st audience is over the quota.",
        PROVIDERS,
        (provider(ClientIDList=[f"client-{number}" for number in range(101)]),),
        Refusal("LimitExceeded", 409, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"),
    ),
    Fact(
        "provider-three-errors",
        "All parameters that are out of their rules are named in one message.",
        PROVIDERS,
        (provider("b" * 256, ClientIDList=["b" * 256], ThumbprintList=["b" * 41]),),
        Refusal(
            "ValidationError",
            400,
            f"3 validation errors detected: {_LONG_CLIENT}; {_LONG_THUMBPRINT}; {_LONG_URL}",
        ),
    ),
    fact(
        "provider-thumbprint-39",
        "A thumbprint of 39 characters.",
        model("iam", "CreateOpenIDConnectProvider, ThumbprintList"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb],
            ClientIDList: [one]}
          save: provider
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''thumbprintList'' failed to
            satisfy
            constraint: Member must satisfy constraint: [Member must have length less than or equal
            to 40, Member must have length greater than or equal to 40]'""",
    ),
    fact(
        "provider-client-empty",
        "An empty audience.",
        model("iam", "CreateOpenIDConnectProvider, ClientIDList"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: ['']}
          save: provider
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''clientIDList'' failed to
            satisfy
            constraint: Member must satisfy constraint: [Member must have length less than or equal
            to 255, Member must have length greater than or equal to 1]'""",
    ),
    fact(
        "provider-url-long",
        "A URL of 256 characters.",
        model("iam", "CreateOpenIDConnectProvider, Url"),
        """
        - iam CreateOpenIDConnectProvider: {Url:
            'https://bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
            ThumbprintList: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [one]}
          save: provider
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''url'' failed to satisfy
            constraint:
            Member must have length less than or equal to 255'""",
    ),
    fact(
        "provider-url-no-scheme",
        "A URL without https://.",
        "recorded on AWS 2026-02-18 (localstack/localstack, "
        "tests/aws/services/iam/test_iam_oidc.snapshot.json)",
        """
        - iam CreateOpenIDConnectProvider: {Url: example.org, ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            one]}
          save: provider
        - refuses: ValidationError 400 Invalid Open ID Connect Provider URL""",
    ),
    fact(
        "provider-url-http",
        "A URL with http://.",
        "botocore 1.44.8, model of iam: CreateOpenIDConnectProvider, Url",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'http://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - refuses: ValidationError 400 Invalid Open ID Connect Provider URL""",
    ),
    fact(
        "provider-url-query",
        "A URL with query parameters.",
        "botocore 1.44.8, model of iam: CreateOpenIDConnectProvider, Url",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org?a=b', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - refuses: ValidationError 400 Invalid Open ID Connect Provider URL""",
    ),
    fact(
        "provider-url-no-host",
        "A URL without a host.",
        "botocore 1.44.8, model of iam: CreateOpenIDConnectProvider, Url",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https:///path', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], ClientIDList: [
            one]}
          save: provider
        - refuses: ValidationError 400 Invalid Open ID Connect Provider URL""",
    ),
    fact(
        "provider-get",
        "GetOpenIDConnectProvider: the URL is without https://, and tags are there, though empty.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {'keys of ': [ClientIDList, CreateDate, Tags, ThumbprintList, Url], Url:
            login.example.org,
            ClientIDList: [one], ThumbprintList: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], Tags: []}""",
    ),
    fact(
        "provider-get-no-clients",
        "A provider without audiences is fine, and the list is empty.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: []}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ClientIDList: []}""",
    ),
    fact(
        "provider-get-none",
        "GetOpenIDConnectProvider of none.",
        PROVIDERS_LATER,
        """
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/nowhere.example.org'}
        - refuses: NoSuchEntity 404 OpenIDConnect Provider not found for arn
            arn:aws:iam::<account>:oidc-provider/nowhere.example.org""",
    ),
    fact(
        "provider-get-no-arn",
        "What is no ARN of a provider is invalid input.",
        model("iam", "GetOpenIDConnectProvider, InvalidInput"),
        """
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: InvalidInput 400""",
    ),
    fact(
        "provider-get-tags-sorted",
        "The tags are sorted by key.",
        model("iam", "GetOpenIDConnectProviderResponse, Tags"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: z, Value: '1'}, {Key: b, Value: '2'}, {Key: m, Value: '3'}]}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {Tags: [{Key: b, Value: '2'}, {Key: m, Value: '3'}, {Key: z, Value: '1'}]}""",
    ),
    fact(
        "provider-thumbprint-filled",
        "Without thumbprints IAM fills in that of the issuer's top intermediate CA.",
        model("iam", "CreateOpenIDConnectProvider, ThumbprintList")
        + ", hashicorp/terraform-provider-aws#37255",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList: [],
            ClientIDList: [one]}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {count of ThumbprintList: 1, ThumbprintList.0: '~[0-9a-f]{40}'}""",
    ),
    fact(
        "provider-unreachable",
        "Without thumbprints and with an issuer that IAM can't reach, it is refused.",
        model("iam", "CreateOpenIDConnectProvider, OpenIdIdpCommunicationError"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://unreachable.invalid', ThumbprintList: [],
            ClientIDList: [one]}
          save: provider
        - refuses: OpenIdIdpCommunicationError 400""",
        not_simulated="the sandbox reaches no host, so it can't tell which of them would answer",
    ),
    fact(
        "provider-list",
        "ListOpenIDConnectProviders has ARNs and nothing else.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: a, Value: '1'}]}
          save: provider
        - iam ListOpenIDConnectProviders: {}
        - answers: {count of OpenIDConnectProviderList: 1, OpenIDConnectProviderList.0: {Arn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}}""",
    ),
    fact(
        "provider-delete",
        "DeleteOpenIDConnectProvider answers with nothing.",
        PROVIDERS_LATER,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam DeleteOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {'keys of ': []}""",
    ),
    fact(
        "provider-delete-none",
        "Deleting a provider that isn't there is refused, in other words than reading it.",
        PROVIDERS_LATER,
        """
        - iam DeleteOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/nowhere.example.org'}
        - refuses: NoSuchEntity 404 OpenId connect Provider
            arn:aws:iam::<account>:oidc-provider/nowhere.example.org
            cannot be found.""",
    ),
    fact(
        "provider-delete-twice",
        "So is deleting it twice.",
        PROVIDERS_LATER,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam DeleteOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - iam DeleteOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - refuses: NoSuchEntity 404 OpenId connect Provider
            arn:aws:iam::<account>:oidc-provider/login.example.org
            cannot be found.""",
    ),
    fact(
        "provider-delete-in-use",
        "A provider that roles trust can be deleted; their trust policies stay as they are.",
        model("iam", "DeleteOpenIDConnectProvider"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/login.example.org'},
            Action: 'sts:AssumeRoleWithWebIdentity'}]}}
          save: role
        - iam DeleteOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - iam GetRole: {RoleName: cart}
        - answers: {Role.AssumeRolePolicyDocument.Statement.0.Principal.Federated:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}""",
    ),
    fact(
        "provider-thumbprints-replaced",
        "UpdateOpenIDConnectProviderThumbprint replaces the whole list.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam UpdateOpenIDConnectProviderThumbprint: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', ThumbprintList: [
            cccccccccccccccccccccccccccccccccccccccc, dddddddddddddddddddddddddddddddddddddddd]}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ThumbprintList: [cccccccccccccccccccccccccccccccccccccccc,
            dddddddddddddddddddddddddddddddddddddddd]}""",
    ),
    fact(
        "provider-thumbprints-none",
        "UpdateOpenIDConnectProviderThumbprint of none.",
        model("iam", "UpdateOpenIDConnectProviderThumbprint, NoSuchEntity"),
        """
        - iam UpdateOpenIDConnectProviderThumbprint: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/nowhere.example.org', ThumbprintList: [
            cccccccccccccccccccccccccccccccccccccccc]}
        - refuses: NoSuchEntity 404""",
    ),
    fact(
        "provider-client-add",
        "AddClientIDToOpenIDConnectProvider adds an audience.",
        model("iam", "AddClientIDToOpenIDConnectProvider"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam AddClientIDToOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', ClientID: two}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ClientIDList: [one, two]}""",
    ),
    fact(
        "provider-client-add-twice",
        "Adding an audience that is there is no error.",
        model("iam", "AddClientIDToOpenIDConnectProvider"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam AddClientIDToOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', ClientID: one}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ClientIDList: [one]}""",
    ),
    fact(
        "provider-client-add-none",
        "Adding an audience to none.",
        model("iam", "AddClientIDToOpenIDConnectProvider, NoSuchEntity"),
        """
        - iam AddClientIDToOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/nowhere.example.org', ClientID: one}
        - refuses: NoSuchEntity 404""",
    ),
    Fact(
        "provider-client-add-101",
        "Adding the 101st audience is over the quota.",
        model("iam", "AddClientIDToOpenIDConnectProvider, LimitExceeded"),
        (
            provider(ClientIDList=[f"client-{number}" for number in range(100)]),
            _about("AddClientIDToOpenIDConnectProvider", ClientID="one"),
        ),
        Refusal("LimitExceeded", 409, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"),
    ),
    fact(
        "provider-client-remove",
        "RemoveClientIDFromOpenIDConnectProvider removes an audience.",
        model("iam", "RemoveClientIDFromOpenIDConnectProvider"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam RemoveClientIDFromOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', ClientID: one}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ClientIDList: []}""",
    ),
    fact(
        "provider-client-remove-absent",
        "Removing an audience that isn't there is no error.",
        model("iam", "RemoveClientIDFromOpenIDConnectProvider"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam RemoveClientIDFromOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', ClientID: two}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ClientIDList: [one]}""",
    ),
    fact(
        "provider-tag",
        "TagOpenIDConnectProvider adds tags.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one]}
          save: provider
        - iam TagOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', Tags: [
            {Key: k1, Value: v1}, {Key: k2, Value: v2}]}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {Tags: [{Key: k1, Value: v1}, {Key: k2, Value: v2}]}""",
    ),
    fact(
        "provider-untag",
        "UntagOpenIDConnectProvider removes one.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: k1, Value: v1}, {Key: k2, Value: v2}]}
          save: provider
        - iam UntagOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', TagKeys: [
            k2]}
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {Tags: [{Key: k1, Value: v1}]}""",
    ),
    fact(
        "provider-list-tags",
        "ListOpenIDConnectProviderTags has them by key.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: k2, Value: v2}, {Key: k1, Value: v1}]}
          save: provider
        - iam ListOpenIDConnectProviderTags: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {Tags: [{Key: k1, Value: v1}, {Key: k2, Value: v2}], IsTruncated: false}""",
    ),
    fact(
        "provider-list-tags-page",
        "MaxItems makes pages of tags.",
        PROVIDERS,
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: k000, Value: '0'}, {Key: k001, Value: '1'}, {Key: k002,
            Value: '2'}, {Key: k003, Value: '3'}, {Key: k004, Value: '4'}, {Key: k005, Value: '5'},
            {Key: k006, Value: '6'}, {Key: k007, Value: '7'}, {Key: k008, Value: '8'}, {Key: k009,
            Value: '9'}]}
          save: provider
        - iam ListOpenIDConnectProviderTags: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org', MaxItems: 4}
        - answers: {count of Tags: 4, IsTruncated: true, Marker: ~.+}""",
    ),
    Fact(
        "provider-tag-51st",
        "The 51st tag of a provider.",
        PROVIDERS_LATER,
        (provider(Tags=many_tags(50)), _about("TagOpenIDConnectProvider", Tags=tags(one="more"))),
        Refusal("LimitExceeded", 409, "The number of tags has reached the maximum limit."),
    ),
    Fact(
        "provider-tag-51",
        "51 tags in one call.",
        model("iam", "TagOpenIDConnectProvider, Tags"),
        (provider(Tags=many_tags(51)),),
        Refusal("ValidationError", 400),
    ),
    fact(
        "provider-tag-case",
        "Keys of a provider's tags differ by case.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], Tags: [{Key: A, Value: '1'}, {Key: a, Value: '2'}]}
          save: provider
        - iam ListOpenIDConnectProviderTags: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {Tags: [{Key: A, Value: '1'}, {Key: a, Value: '2'}]}""",
    ),
    fact(
        "provider-tag-none",
        "TagOpenIDConnectProvider of none.",
        model("iam", "TagOpenIDConnectProvider, NoSuchEntity"),
        """
        - iam TagOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/nowhere.example.org', Tags: [
            {Key: a, Value: '1'}]}
        - refuses: NoSuchEntity 404""",
    ),
    fact(
        "provider-in-trust-none",
        "A trust policy may name a provider that does not exist.",
        issue("model of iam, DeleteOpenIDConnectProvider: roles keep it"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Federated: 'arn:aws:iam::<account>:oidc-provider/nowhere.example.org'},
            Action: 'sts:AssumeRoleWithWebIdentity'}]}}
          save: role
        - answers: {Role.RoleName: cart, Role.Description: (absent)}""",
    ),
    fact(
        "provider-context",
        "A provider can have a ContextProvider.",
        "botocore 1.44.8, model of iam: CreateOpenIDConnectProvider, ContextProvider",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], ContextProvider: {SubjectSourceKey: sub}}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {ContextProvider: {SubjectSourceKey: sub}}""",
        not_simulated="moto does not keep it, and irsa neither writes nor needs it",
    ),
    fact(
        "provider-identity-center",
        "A provider can belong to an instance of IAM Identity Center.",
        "botocore 1.44.8, model of iam: CreateOpenIDConnectProvider, IdentityCenterInstanceArn",
        """
        - iam CreateOpenIDConnectProvider: {Url: 'https://login.example.org', ThumbprintList:
            [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa],
            ClientIDList: [one], IdentityCenterInstanceArn: 'arn:aws:sso:::instance/ssoins-0123456789abcdef'}
          save: provider
        - iam GetOpenIDConnectProvider: {OpenIDConnectProviderArn:
            'arn:aws:iam::<account>:oidc-provider/login.example.org'}
        - answers: {IdentityCenterInstanceArn: 'arn:aws:sso:::instance/ssoins-0123456789abcdef'}""",
        not_simulated="moto does not keep it, and irsa neither writes nor needs it",
    ),
)
