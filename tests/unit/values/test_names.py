"""Names: each rule against an oracle that is written in another way than the rule."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput
from tests.unit.plan import strategies as some

LOWER = set(string.ascii_lowercase + string.digits)
LETTERS = set(string.ascii_letters + string.digits)
IAM = LETTERS | set("_+=,.@-")
VISIBLE = set(map(chr, range(0x21, 0x7F)))


def is_label(text: str, limit: int = 63) -> bool:
    inner = all(char in LOWER or char == "-" for char in text)
    return 0 < len(text) <= limit and inner and text[0] != "-" and text[-1] != "-"


def is_subdomain(text: str) -> bool:
    return len(text) <= 253 and all(is_label(part, 253) for part in text.split("."))


def is_qualified_name(text: str) -> bool:
    inner = all(char in LETTERS or char in "-_." for char in text)
    return 0 < len(text) <= 63 and inner and text[0] in LETTERS and text[-1] in LETTERS


def is_cluster(text: str) -> bool:
    return 0 < len(text) <= 100 and text[0] in LETTERS and set(text) <= LETTERS | {"-", "_"}


def is_path(text: str) -> bool:
    inner = text.strip("/")
    closed = text[:1] == "/" and text[-1:] == "/" and set(text) <= VISIBLE and len(text) <= 512
    return closed and "//" not in text and (bool(inner) or text == "/")


def is_thumbprint(text: str) -> bool:
    return len(text) == 40 and set(text) <= set(string.hexdigits)


def is_pattern(text: str) -> bool:
    return len(text) <= 253 and set(text) <= LOWER | set(".*?-")


RULES: dict[str, tuple[Callable[[str], str], Callable[[str], bool]]] = {
    "namespace": (names.namespace, is_label),
    "service account": (names.service_account, is_subdomain),
    "cluster": (names.cluster, is_cluster),
    "role": (names.role, lambda text: 0 < len(text) <= 64 and set(text) <= IAM),
    "inline policy": (names.inline_policy, lambda text: 0 < len(text) <= 128 and set(text) <= IAM),
    "role path": (names.role_path, is_path),
    "audience": (names.audience, lambda text: 0 < len(text) <= 255 and set(text) <= VISIBLE),
    "thumbprint": (names.thumbprint, is_thumbprint),
    "subject pattern": (names.subject_pattern, is_pattern),
}
LENGTHS = [
    0,
    1,
    39,
    40,
    41,
    62,
    63,
    64,
    65,
    99,
    100,
    101,
    127,
    128,
    129,
    252,
    253,
    254,
    255,
    256,
    511,
    512,
    513,
]
near_misses = st.text("aZ0-_.*?/:@ \n\u00e9\u0661", max_size=6)


def accepts(check: Callable[[str], str], text: str) -> bool:
    try:
        assert check(text) == text
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("rule", RULES)
@given(text=near_misses | st.text(max_size=4) | some.subdomains | some.role_names | some.paths)
@example(text="a\n")
@example(text="a..b")
@example(text="/a//b/")
@example(text="//")
@example(text="\u0661")
def test_a_name_is_taken_exactly_when_the_rule_says_so(rule: str, text: str) -> None:
    check, oracle = RULES[rule]
    assert accepts(check, text) == oracle(text)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_at_the_limits(rule: str, length: int) -> None:
    check, oracle = RULES[rule]
    for text in ("a" * length, ("a" * 63 + ".") * 3 + "a" * (length - 192), f"/{'a' * (length - 2)}/"):
        assert accepts(check, text) == oracle(text)


@given(cluster=some.cluster_names, arn=some.cluster_arns, namespace=some.long_labels, name=some.subdomains)
def test_the_default_role_name_is_one_that_iam_takes(
    cluster: str, arn: str, namespace: str, name: str
) -> None:
    role = names.default_role_name(cluster, arn, namespace, name)
    assert names.role(role) == role
    assert names.default_role_name(cluster, arn, namespace, name) == role
    assert role.startswith(cluster[:40].rstrip("-."))
    assert names.role_path(names.default_role_path(cluster)) == f"/irsa/{cluster}/"


@given(
    cluster=some.cluster_names,
    one=st.tuples(some.cluster_arns, some.long_labels, some.subdomains),
    other=st.tuples(some.cluster_arns, some.long_labels, some.subdomains),
)
def test_two_service_accounts_never_share_a_role_name(
    cluster: str, one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    same = names.default_role_name(cluster, *one) == names.default_role_name(cluster, *other)
    assert same == (one == other)


def test_names_that_read_the_same_are_kept_apart() -> None:
    arn = "arn:aws:eks:eu-west-1:111122223333:cluster/c"
    elsewhere = arn.replace("eu-west-1", "us-east-1")
    roles = [
        names.default_role_name("c", arn, "a-b", "c"),
        names.default_role_name("c", arn, "a", "b-c"),
        names.default_role_name("c", elsewhere, "a", "b-c"),
        names.default_role_name("c", arn, "a" * 63, "x" * 200 + "1"),
        names.default_role_name("c", arn, "a" * 63, "x" * 200 + "2"),
    ]
    assert len(set(roles)) == len(roles)
    assert max(map(len, roles)) == 64


@given(st.characters())
def test_a_tag_takes_letters_spaces_digits_and_a_few_signs(char: str) -> None:
    allowed = unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@"
    for tags in ({f"k{char}": "v"}, {"k": f"v{char}"}):
        try:
            assert names.tags(tags) == tags
            assert allowed
        except InvalidInput:
            assert not allowed


@pytest.mark.parametrize("prefix", ["aws:", "AWS:", "Aws:x", "irsa/", "IRSA/cluster"])
def test_reserved_prefixes_of_tags(prefix: str) -> None:
    with pytest.raises(InvalidInput):
        names.tags({prefix: "v"})
    names.tags({f"x{prefix}": "v"})


@given(st.text(string.ascii_letters, min_size=1, max_size=8))
def test_tag_keys_ignore_case(key: str) -> None:
    if key != key.swapcase():
        with pytest.raises(InvalidInput):
            names.tags({key: "1", key.swapcase(): "2"})
    names.tags({key: "1", key + "x": "2"})


def test_limits_of_tags() -> None:
    names.tags({"k" * 128: "v" * 256})
    names.tags({f"k{number}": "" for number in range(45)})
    for refused in ({"": "v"}, {"k" * 129: "v"}, {"k": "v" * 257}, {f"k{n}": "" for n in range(46)}):
        with pytest.raises(InvalidInput):
            names.tags(refused)


@given(
    prefix=st.none() | near_misses | some.subdomains,
    name=near_misses | st.text("aZ0-_.", max_size=4),
    value=near_misses,
)
def test_labels_and_annotations_follow_kubernetes(prefix: str | None, name: str, value: str) -> None:
    key = name if prefix is None else f"{prefix}/{name}"
    parts = key.rpartition("/")
    valid_key = is_qualified_name(parts[2]) and (not parts[1] or is_subdomain(parts[0]))
    for check, valid in (
        (names.labels, valid_key and (value == "" or is_qualified_name(value))),
        (names.service_account_annotations, valid_key),
    ):
        try:
            assert check({key: value}) == {key: value}
            assert valid
        except InvalidInput:
            assert not valid


@pytest.mark.parametrize("length", [62, 63, 64])
def test_label_names_and_values_have_63_characters(length: int) -> None:
    for pairs in ({"a" * length: "v"}, {"k": "a" * length}, {"example.com/" + "a" * length: "v"}):
        try:
            names.labels(pairs)
            assert length <= 63
        except InvalidInput:
            assert length > 63


@pytest.mark.parametrize("key", ["eks.amazonaws.com/role-arn", "eks.amazonaws.com/x", "irsa/transaction"])
def test_annotations_that_irsa_sets_itself(key: str) -> None:
    with pytest.raises(InvalidInput):
        names.service_account_annotations({key: "v"})


def test_annotations_may_not_fill_the_object() -> None:
    names.service_account_annotations({"k": "v" * 200_000})
    with pytest.raises(InvalidInput):
        names.service_account_annotations({"k": "é" * 150_000})


@given(st.characters())
def test_a_description_takes_latin_1(char: str) -> None:
    point = ord(char)
    allowed = char in "\t\n\r" or 0x20 <= point <= 0x7E or 0xA1 <= point <= 0xFF
    try:
        assert names.description(char) == char
        assert allowed
    except InvalidInput:
        assert not allowed


@pytest.mark.parametrize(
    ("check", "lowest", "highest"),
    [(names.session_duration, 3600, 43200), (names.token_expiration, 600, 86400)],
)
def test_durations_at_their_limits(check: Callable[[int], int], lowest: int, highest: int) -> None:
    assert [check(lowest), check(highest)] == [lowest, highest]
    for seconds in (lowest - 1, highest + 1, 0, -1):
        with pytest.raises(InvalidInput):
            check(seconds)


def test_a_description_has_1000_characters() -> None:
    names.description("x" * 1000)
    with pytest.raises(InvalidInput):
        names.description("x" * 1001)


@given(some.labels, some.subdomains)
def test_the_subject_is_what_the_token_says(namespace: str, name: str) -> None:
    assert names.subject(namespace, name).split(":", 3) == ["system", "serviceaccount", namespace, name]
