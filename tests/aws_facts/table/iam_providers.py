"""OIDC providers: making, reading, changing and deleting them, their audiences and tags."""

from typing import Any

from tests.aws_facts.fact import (
    ABSENT,
    Call,
    Fact,
    Refusal,
    Success,
    iam,
    many_tags,
    provider,
    role,
    tags,
    trust,
)
from tests.aws_facts.sources import PROVIDERS, PROVIDERS_LATER, guide, issue, model

_ARN = "arn:aws:iam::<account>:oidc-provider/login.example.org"
_NONE = "arn:aws:iam::<account>:oidc-provider/nowhere.example.org"
_NOT_FOUND = Refusal("NoSuchEntity", 404, f"OpenIDConnect Provider not found for arn {_NONE}")
_GET = iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=_ARN)
_BAD_URL = Refusal("ValidationError", 400, "Invalid Open ID Connect Provider URL")
_URL_RULES = model("iam", "CreateOpenIDConnectProvider, Url")
_LENGTHS = (
    "Member must satisfy constraint: [Member must have length less than or equal to {0}, "
    "Member must have length greater than or equal to {1}]"
)
_AT = "Value at '{0}' failed to satisfy constraint: {1}"
_LONG_URL = _AT.format("url", "Member must have length less than or equal to 255")
_LONG_CLIENT = _AT.format("clientIDList", _LENGTHS.format(255, 1))
_LONG_THUMBPRINT = _AT.format("thumbprintList", _LENGTHS.format(40, 40))
_SET = ("ClientIDList", "CreateDate", "Tags", "ThumbprintList", "Url")


def _about(operation: str, arn: str = _ARN, **parameters: Any) -> Call:
    return iam(operation, OpenIDConnectProviderArn=arn, **parameters)


def _with(member: str, value: Any) -> Call:
    return provider(**{member: value})


FACTS = (
    Fact(
        "provider-create",
        "CreateOpenIDConnectProvider answers with the ARN, which has the URL without https://.",
        PROVIDERS,
        (provider(),),
        Success({"keys of ": ("OpenIDConnectProviderArn",), "OpenIDConnectProviderArn": _ARN}),
    ),
    Fact(
        "provider-create-path",
        "The URL may have a path, which is a part of the ARN.",
        PROVIDERS,
        (provider("https://login.example.org/id/1"),),
        Success({"OpenIDConnectProviderArn": f"{_ARN}/id/1"}),
    ),
    Fact(
        "provider-create-tags",
        "Tags in the call are answered.",
        model("iam", "CreateOpenIDConnectProviderResponse, Tags"),
        (provider(Tags=tags(a="1")), _GET),
        Success({"Tags": tags(a="1")}),
    ),
    Fact(
        "provider-twice",
        "A second provider of one URL.",
        PROVIDERS,
        (provider(), provider()),
        Refusal("EntityAlreadyExists", 409, "Provider with url https://login.example.org already exists."),
    ),
    Fact(
        "provider-6-thumbprints",
        "At most five thumbprints, and the message says fewer than 5.",
        PROVIDERS,
        (provider(ThumbprintList=[letter * 40 for letter in "abcdef"]),),
        Refusal("InvalidInput", 400, "Thumbprint list must contain fewer than 5 entries."),
    ),
    Fact(
        "provider-5-thumbprints",
        "Five thumbprints are fine.",
        model("iam", "CreateOpenIDConnectProvider, ThumbprintList"),
        (provider(ThumbprintList=[letter * 40 for letter in "abcde"]), _GET),
        Success({"count of ThumbprintList": 5}),
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
    Fact(
        "provider-thumbprint-39",
        "A thumbprint of 39 characters.",
        model("iam", "CreateOpenIDConnectProvider, ThumbprintList"),
        (provider(ThumbprintList=["b" * 39]),),
        Refusal("ValidationError", 400, f"1 validation error detected: {_LONG_THUMBPRINT}"),
    ),
    Fact(
        "provider-client-empty",
        "An empty audience.",
        model("iam", "CreateOpenIDConnectProvider, ClientIDList"),
        (provider(ClientIDList=[""]),),
        Refusal("ValidationError", 400, f"1 validation error detected: {_LONG_CLIENT}"),
    ),
    Fact(
        "provider-url-long",
        "A URL of 256 characters.",
        model("iam", "CreateOpenIDConnectProvider, Url"),
        (provider("https://" + "b" * 248),),
        Refusal("ValidationError", 400, f"1 validation error detected: {_LONG_URL}"),
    ),
    *(
        Fact(f"provider-url-{what}", f"A URL {says}.", source, (provider(url),), _BAD_URL)
        for what, says, url, source in (
            ("no-scheme", "without https://", "example.org", PROVIDERS_LATER),
            ("http", "with http://", "http://login.example.org", _URL_RULES),
            ("query", "with query parameters", "https://login.example.org?a=b", _URL_RULES),
            ("no-host", "without a host", "https:///path", _URL_RULES),
        )
    ),
    Fact(
        "provider-get",
        "GetOpenIDConnectProvider: the URL is without https://, and tags are there, though empty.",
        PROVIDERS,
        (provider(), _GET),
        Success(
            {
                "keys of ": _SET,
                "Url": "login.example.org",
                "ClientIDList": ["one"],
                "ThumbprintList": ["a" * 40],
                "Tags": [],
            }
        ),
    ),
    Fact(
        "provider-get-no-clients",
        "A provider without audiences is fine, and the list is empty.",
        PROVIDERS,
        (provider(ClientIDList=[]), _GET),
        Success({"ClientIDList": []}),
    ),
    Fact(
        "provider-get-none",
        "GetOpenIDConnectProvider of none.",
        PROVIDERS_LATER,
        (_about("GetOpenIDConnectProvider", _NONE),),
        _NOT_FOUND,
    ),
    Fact(
        "provider-get-no-arn",
        "What is no ARN of a provider is invalid input.",
        model("iam", "GetOpenIDConnectProvider, InvalidInput"),
        (_about("GetOpenIDConnectProvider", "arn:aws:iam::<account>:role/cart"),),
        Refusal("InvalidInput", 400),
    ),
    Fact(
        "provider-get-tags-sorted",
        "The tags are sorted by key.",
        model("iam", "GetOpenIDConnectProviderResponse, Tags"),
        (provider(Tags=tags(z="1", b="2", m="3")), _GET),
        Success({"Tags": tags(b="2", m="3", z="1")}),
    ),
    Fact(
        "provider-thumbprint-filled",
        "Without thumbprints IAM fills in that of the issuer's top intermediate CA.",
        model("iam", "CreateOpenIDConnectProvider, ThumbprintList")
        + ", hashicorp/terraform-provider-aws#37255",
        (provider(ThumbprintList=[]), _GET),
        Success({"count of ThumbprintList": 1, "ThumbprintList.0": "~[0-9a-f]{40}"}),
    ),
    Fact(
        "provider-unreachable",
        "Without thumbprints and with an issuer that IAM can't reach, it is refused.",
        model("iam", "CreateOpenIDConnectProvider, OpenIdIdpCommunicationError"),
        (provider("https://unreachable.invalid", ThumbprintList=[]),),
        Refusal("OpenIdIdpCommunicationError", 400),
        not_simulated="the sandbox reaches no host, so it can't tell which of them would answer",
    ),
    Fact(
        "provider-list",
        "ListOpenIDConnectProviders has ARNs and nothing else.",
        PROVIDERS,
        (provider(Tags=tags(a="1")), iam("ListOpenIDConnectProviders")),
        Success({"count of OpenIDConnectProviderList": 1, "OpenIDConnectProviderList.0": {"Arn": _ARN}}),
    ),
    Fact(
        "provider-delete",
        "DeleteOpenIDConnectProvider answers with nothing.",
        PROVIDERS_LATER,
        (provider(), _about("DeleteOpenIDConnectProvider")),
        Success({"keys of ": ()}),
    ),
    Fact(
        "provider-delete-none",
        "Deleting a provider that isn't there is refused, in other words than reading it.",
        PROVIDERS_LATER,
        (_about("DeleteOpenIDConnectProvider", _NONE),),
        Refusal("NoSuchEntity", 404, f"OpenId connect Provider {_NONE} cannot be found."),
    ),
    Fact(
        "provider-delete-twice",
        "So is deleting it twice.",
        PROVIDERS_LATER,
        (provider(), _about("DeleteOpenIDConnectProvider"), _about("DeleteOpenIDConnectProvider")),
        Refusal("NoSuchEntity", 404, f"OpenId connect Provider {_ARN} cannot be found."),
    ),
    Fact(
        "provider-delete-in-use",
        "A provider that roles trust can be deleted; their trust policies stay as they are.",
        model("iam", "DeleteOpenIDConnectProvider"),
        (
            provider(),
            role("cart", trust({"Federated": _ARN}, "sts:AssumeRoleWithWebIdentity")),
            _about("DeleteOpenIDConnectProvider"),
            iam("GetRole", RoleName="cart"),
        ),
        Success({"Role.AssumeRolePolicyDocument.Statement.0.Principal.Federated": _ARN}),
    ),
    Fact(
        "provider-thumbprints-replaced",
        "UpdateOpenIDConnectProviderThumbprint replaces the whole list.",
        PROVIDERS,
        (
            provider(),
            _about("UpdateOpenIDConnectProviderThumbprint", ThumbprintList=["c" * 40, "d" * 40]),
            _GET,
        ),
        Success({"ThumbprintList": ["c" * 40, "d" * 40]}),
    ),
    Fact(
        "provider-thumbprints-none",
        "UpdateOpenIDConnectProviderThumbprint of none.",
        model("iam", "UpdateOpenIDConnectProviderThumbprint, NoSuchEntity"),
        (_about("UpdateOpenIDConnectProviderThumbprint", _NONE, ThumbprintList=["c" * 40]),),
        Refusal("NoSuchEntity", 404),
    ),
    Fact(
        "provider-client-add",
        "AddClientIDToOpenIDConnectProvider adds an audience.",
        model("iam", "AddClientIDToOpenIDConnectProvider"),
        (provider(), _about("AddClientIDToOpenIDConnectProvider", ClientID="two"), _GET),
        Success({"ClientIDList": ["one", "two"]}),
    ),
    Fact(
        "provider-client-add-twice",
        "Adding an audience that is there is no error.",
        model("iam", "AddClientIDToOpenIDConnectProvider"),
        (provider(), _about("AddClientIDToOpenIDConnectProvider", ClientID="one"), _GET),
        Success({"ClientIDList": ["one"]}),
    ),
    Fact(
        "provider-client-add-none",
        "Adding an audience to none.",
        model("iam", "AddClientIDToOpenIDConnectProvider, NoSuchEntity"),
        (_about("AddClientIDToOpenIDConnectProvider", _NONE, ClientID="one"),),
        Refusal("NoSuchEntity", 404),
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
    Fact(
        "provider-client-remove",
        "RemoveClientIDFromOpenIDConnectProvider removes an audience.",
        model("iam", "RemoveClientIDFromOpenIDConnectProvider"),
        (provider(), _about("RemoveClientIDFromOpenIDConnectProvider", ClientID="one"), _GET),
        Success({"ClientIDList": []}),
    ),
    Fact(
        "provider-client-remove-absent",
        "Removing an audience that isn't there is no error.",
        model("iam", "RemoveClientIDFromOpenIDConnectProvider"),
        (provider(), _about("RemoveClientIDFromOpenIDConnectProvider", ClientID="two"), _GET),
        Success({"ClientIDList": ["one"]}),
    ),
    Fact(
        "provider-tag",
        "TagOpenIDConnectProvider adds tags.",
        PROVIDERS,
        (provider(), _about("TagOpenIDConnectProvider", Tags=tags(k1="v1", k2="v2")), _GET),
        Success({"Tags": tags(k1="v1", k2="v2")}),
    ),
    Fact(
        "provider-untag",
        "UntagOpenIDConnectProvider removes one.",
        PROVIDERS,
        (
            provider(Tags=tags(k1="v1", k2="v2")),
            _about("UntagOpenIDConnectProvider", TagKeys=["k2"]),
            _GET,
        ),
        Success({"Tags": tags(k1="v1")}),
    ),
    Fact(
        "provider-list-tags",
        "ListOpenIDConnectProviderTags has them by key.",
        PROVIDERS,
        (provider(Tags=tags(k2="v2", k1="v1")), _about("ListOpenIDConnectProviderTags")),
        Success({"Tags": tags(k1="v1", k2="v2"), "IsTruncated": False}),
    ),
    Fact(
        "provider-list-tags-page",
        "MaxItems makes pages of tags.",
        PROVIDERS,
        (provider(Tags=many_tags(10)), _about("ListOpenIDConnectProviderTags", MaxItems=4)),
        Success({"count of Tags": 4, "IsTruncated": True, "Marker": "~.+"}),
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
    Fact(
        "provider-tag-case",
        "Keys of a provider's tags differ by case.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        (provider(Tags=tags(A="1", a="2")), _about("ListOpenIDConnectProviderTags")),
        Success({"Tags": tags(A="1", a="2")}),
    ),
    Fact(
        "provider-tag-none",
        "TagOpenIDConnectProvider of none.",
        model("iam", "TagOpenIDConnectProvider, NoSuchEntity"),
        (_about("TagOpenIDConnectProvider", _NONE, Tags=tags(a="1")),),
        Refusal("NoSuchEntity", 404),
    ),
    Fact(
        "provider-in-trust-none",
        "A trust policy may name a provider that does not exist.",
        issue("model of iam, DeleteOpenIDConnectProvider: roles keep it"),
        (role("cart", trust({"Federated": _NONE}, "sts:AssumeRoleWithWebIdentity")),),
        Success({"Role.RoleName": "cart", "Role.Description": ABSENT}),
    ),
    *(
        Fact(
            f"provider-{name}",
            says,
            model("iam", f"CreateOpenIDConnectProvider, {member}"),
            (_with(member, value), _GET),
            Success({member: value}),
            not_simulated="moto does not keep it, and irsa neither writes nor needs it",
        )
        for name, says, member, value in (
            (
                "context",
                "A provider can have a ContextProvider.",
                "ContextProvider",
                {"SubjectSourceKey": "sub"},
            ),
            (
                "identity-center",
                "A provider can belong to an instance of IAM Identity Center.",
                "IdentityCenterInstanceArn",
                "arn:aws:sso:::instance/ssoins-0123456789abcdef",
            ),
        )
    ),
)
