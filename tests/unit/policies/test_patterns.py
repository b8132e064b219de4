"""Patterns with wildcards: what they match, and that none of them takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.config.model import Selection
from irsa_cli.core.doctor.clues.trust_flaws import flaws, similarity
from irsa_cli.core.policies.operators import COMPARISONS, like
from irsa_cli.core.policies.statements import covers
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import explain, takes_audience
from tests.support.trusts import trust_of

P = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{P}"
TOKEN = WebIdentity(PROVIDER, f"https://{P}", f"system:serviceaccount:{'e' * 63}:{'e' * 253}", "sts")
"""A backtracking matcher takes years for these; a linear one a small part of a second."""

texts = st.text("ab?*\n$é", max_size=12)


def _reference(value: str, wanted: str) -> bool:
    signs = {"*": ".*", "?": "."}
    pattern = "".join(signs.get(char) or re.escape(char) for char in wanted)
    return re.fullmatch(pattern, value, re.DOTALL) is not None


@given(texts, texts)
def test_a_pattern_matches_as_a_regular_expression_does(value: str, wanted: str) -> None:
    assert like(value, wanted) == _reference(value, wanted)


@given(texts, texts)
def test_a_variable_is_taken_literally(value: str, wanted: str) -> None:
    compare = COMPARISONS["StringLike"][0]
    context = {"aws:x": (value,)}
    assert compare(f"<{value}>", "<${aws:x}>", context) is True
    assert compare(f"{value}b", "${aws:x}*b", context) is True
    assert compare(wanted, "${aws:x}", context) is (wanted == value)


@given(
    st.text("ab/", max_size=8),
    st.lists(st.sampled_from(["a", "b", "/", "*", "?", "[ab]", "[!a]", "{a,b*}", "\\*"])),
)
def test_a_glob_selects_as_a_regular_expression_does(name: str, parts: list[str]) -> None:
    signs = {"*": ".*", "?": ".", "[!a]": "[^a]", "{a,b*}": "(?:a|b.*)"}
    pattern = "".join(signs.get(part, part) for part in parts)
    expected = not parts or re.fullmatch(pattern, name, re.DOTALL) is not None
    assert Selection(("".join(parts),) if parts else ()).admits(name) == expected


HOSTILE = [
    "*e" * 500 + "*x",
    "*?e" * 300 + "x",
    "?" * 900 + "x*",
    "*" * 1000 + "x",
    "*" + "e" * 900 + "x*",
    "${" * 500 + "*e" * 200,
    "${aws:username" + " " * 900 + ", '" * 100,
    "${aws:username, '" + "*e" * 300 + "'}*x",
    "é*ß?İ" * 100 + "x",
]


OPERATORS = "StringLike StringNotLike ArnLike StringEquals DateLessThan IpAddress"
KEYS = f"{P}:sub aws:SourceArn sts:RoleSessionName"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_pattern_takes_long(text: str) -> None:
    """A backtracking matcher takes years for these."""
    for operator in OPERATORS.split():
        for key in (*KEYS.split(), text):
            document = trust_of(TOKEN)
            condition = {operator: {key: [text] * 20}}
            document["Statement"][0] |= {"Condition": condition, "Action": [text, "sts:*"]}
            explain(document, TOKEN)
            takes_audience(document, PROVIDER, "sts")
    assert not covers((text,), "sts:AssumeRoleWithWebIdentity" + "e" * 2000)
    assert not like("e" * 10_240, text)
    document = trust_of(TOKEN)
    statement = document["Statement"][0]
    statement["Condition"] = {"StringLike": {f"{P}:sub": [text] * 5, f"https://{P}:aud": text}}
    statement["Principal"] = {"Federated": [f"arn:aws:iam::1:oidc-provider/{text}"] * 5}
    document["Statement"] = [statement] * 5
    assert flaws(document, TOKEN)


def test_no_glob_and_no_comparison_of_long_texts_takes_long() -> None:
    for glob in ("*e" * 200 + "x", "{*e,*ee}" * 100 + "x", "{" * 100 + "*e" + "}" * 100 + "x"):
        assert not Selection((glob,)).admits("e" * 300)
    for one, other in (("ab", "ba"), ("e", "e"), ("abcdefgh", "hgfedcba")):
        assert 0 <= similarity(one * 2000, other * 2000) <= 1


ODD = """nan inf -inf 1e999999 0x10 1_000 ١٢٣ - . 99999-01-01 0000-01-01 2020-02-31 2020-01-01T25:00Z
2020-01-01T00:00:00+99:99 fe80::1%eth0 1.2.3.4/33 ::/999999 1.2.3.4/255.255.0.0 300.1.1.1 ${ ${} ${,} ${*
${aws:CurrentTime}"""
LONG = ("9" * 5000, "0" * 5000, "1" * 5000, ":" * 3000, "arn:" + ":" * 2000)


@pytest.mark.parametrize("operator", COMPARISONS)
def test_no_value_breaks_a_comparison(operator: str) -> None:
    compare = COMPARISONS[operator][0]
    for text in (*ODD.split(), *LONG, "", " ", "${, ''}", "\x00", "\ud800"):
        for own in ("1", "2020-01-01", "10.0.0.1", "true", "arn:aws:iam::1:role/x", text):
            for context in (None, {}, {"": (text,)}):
                assert compare(own, text, context) in (True, False, None), text[:40]
