"""Reading a token without verifying it: what is in it comes out, what is no token leaves no trace."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.trust import jwt
from irsa_cli.core.values.errors import IrsaError
from tests.support.documents import Json

values = st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text()), max_size=5)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(values, values, st.text(alphabet="abcXYZ019-_", max_size=20))
def test_header_and_claims_come_out_as_they_went_in(header: Json, body: Json, signature: str) -> None:
    assert jwt.read(f"{part(header)}.{part(body)}.{signature}") == jwt.Claims(header, body)


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_what_is_no_token_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(IrsaError) as refused:
        jwt.read(text)
    told = [str(refused.value), repr(refused.value)]
    assert len(text) < 12 or not any(text in line for line in told)
    # A traceback would show what caused it, and that may have a piece of the token in it.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"iat": 100, "exp": 700}, 600.0), ({"exp": 700}, None), ({"iat": "x", "exp": 700}, None)],
)
def test_the_lifetime_is_by_the_issuers_clock(body: Json, expected: float | None) -> None:
    assert jwt.Claims({}, body).seconds == expected
