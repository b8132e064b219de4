"""Issuer URLs: the form in which IAM knows them, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from irsa_cli.core.values.arn import Arn, check_issuer, host_path, provider_arn
from irsa_cli.core.values.errors import InvalidInput
from tests.unit.plan import strategies as some


@given(some.issuers)
def test_an_issuer_is_kept_and_so_is_its_trailing_slash(issuer: str) -> None:
    assert check_issuer(issuer) == issuer
    assert check_issuer(issuer + "/") == issuer + "/"


@given(some.partitions, some.accounts, some.issuers)
def test_the_providers_arn_is_the_issuer_without_its_scheme(
    partition: str, account: str, issuer: str
) -> None:
    arn = Arn.parse(provider_arn(partition, account, issuer))
    assert (arn.partition, arn.service, arn.region, arn.account) == (partition, "iam", "", account)
    assert "https" not in arn.resource
    assert "https://" + arn.resource.removeprefix("oidc-provider/") == issuer
    assert host_path(issuer) == arn.resource.removeprefix("oidc-provider/")
    assert provider_arn(partition, account, issuer + "/") == f"{arn}/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///path",
        "http://issuer.example",
        "ftp://issuer.example",
        "issuer.example",
        "HTTPS://issuer.example",
        "https://issuer.example:443",
        "https://issuer.example:0",
        "https://issuer.example:",
        "https://issuer.example:port",
        "https://user@issuer.example",
        "https://@issuer.example",
        "https://user:word@issuer.example",
        "https://issuer.example/?a=b",
        "https://issuer.example/?",
        "https://issuer.example/#part",
        "https://issuer.example/#",
        "https://issuer.example/with space",
        "https://issuer.example/a\n",
        " https://issuer.example/a",
        "https://issuer.example/\x7f",
        "https://issüer.example",
        "https://[::1",
    ],
)
def test_what_iam_does_not_take_as_an_issuer(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_issuer(url)


def test_an_issuer_may_have_255_characters() -> None:
    url = "https://issuer.example/"
    longest = url + "x" * (255 - len(url))
    assert check_issuer(longest) == longest
    with pytest.raises(InvalidInput):
        check_issuer(longest + "x")


@pytest.mark.parametrize(
    "url", ["https://issuer.example", "https://issuer.example/a/b-c_d~e%20", "https://a.b/id/X"]
)
def test_issuers_that_are_not_of_eks(url: str) -> None:
    assert check_issuer(url) == url
