"""ARNs: what is read, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.values.arn import Arn, check_account, iam_arn, policy_arn, role_arn
from irsa_cli.core.values.errors import InvalidInput
from tests.unit.plan import strategies as some

NAME = string.ascii_letters + string.digits + "_+=,.@-"
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


@given(some.partitions, some.accounts, some.role_names, some.paths)
def test_a_role_arn_is_read_and_written_back(partition: str, account: str, name: str, path: str) -> None:
    text = iam_arn(partition, account, f"role{path}{name}")
    arn = role_arn(text)
    assert str(arn) == text
    assert (arn.partition, arn.account, arn.name) == (partition, account, name)


@given(some.partitions, some.accounts | st.just("aws"), st.text(NAME, min_size=1, max_size=128), some.paths)
def test_a_policy_arn_is_read_and_written_back(partition: str, account: str, name: str, path: str) -> None:
    text = iam_arn(partition, account, f"policy{path}{name}")
    assert str(policy_arn(text)) == text
    assert policy_arn(text).name == name


@given(
    st.lists(st.sampled_from(["arn", "aws", "iam", "", "111122223333", "role/x", "\n"]), max_size=8).map(
        ":".join
    )
)
def test_a_text_is_either_an_arn_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert str(Arn.parse(text)) == text


@given(st.sampled_from(["role", "policy"]), st.characters(codec="utf-8"))
def test_a_name_takes_iams_characters_and_no_others(kind: str, char: str) -> None:
    check = role_arn if kind == "role" else policy_arn
    text = f"arn:aws:iam::111122223333:{kind}/a{char}b"
    allowed = char in NAME or char == "/"
    if allowed:
        assert str(check(text)) == text
    else:
        with pytest.raises(InvalidInput):
            check(text)


@pytest.mark.parametrize(("check", "kind", "limit"), [(role_arn, "role", 64), (policy_arn, "policy", 128)])
def test_a_name_may_be_as_long_as_iam_takes(check: type, kind: str, limit: int) -> None:
    check(f"arn:aws:iam::111122223333:{kind}/{'n' * limit}")
    with pytest.raises(InvalidInput):
        check(f"arn:aws:iam::111122223333:{kind}/{'n' * (limit + 1)}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "role/name",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role//name",
        "arn:aws:iam::111122223333:role/name/",
        "arn:aws:iam::111122223333:user/name",
        "arn:aws:iam::111122223333:policy/name",
        "arn:aws:iam::11112222333:role/name",
        "arn:aws:iam::1111222233334:role/name",
        "arn:aws:iam::aws:role/name",
        "arn:aws:iam:::role/name",
        "arn:aws:iam::::111122223333:role/name",
        "arn:aws:iam:eu-west-1:111122223333:role/name",
        "arn:aws:sts::111122223333:assumed-role/name/session",
        "arn:gcp:iam::111122223333:role/name",
        "arn:AWS:iam::111122223333:role/name",
        " arn:aws:iam::111122223333:role/name",
        "arn:aws:iam::111122223333:role/name\n",
        "arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/name",
    ],
)
def test_what_is_not_a_role(text: str) -> None:
    with pytest.raises(InvalidInput):
        role_arn(text)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::aws:role/name",
        "arn:aws:iam:::policy/name",
        "arn:aws:iam::aws:policy/",
        "arn:aws:s3:::policy/name",
        "AmazonS3ReadOnlyAccess",
        "arn:aws:iam::aws:policy/Amazon S3",
    ],
)
def test_what_is_not_a_policy(text: str) -> None:
    with pytest.raises(InvalidInput):
        policy_arn(text)


@given(st.text("0123456789a", max_size=14))
def test_an_account_has_twelve_digits(text: str) -> None:
    if len(text) == 12 and all(char in string.digits for char in text):
        assert check_account(text) == text
    else:
        with pytest.raises(InvalidInput):
            check_account(text)
