"""`--include` and `--exclude`, and ServiceAccounts that stand in two places."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.config.model import BindingEntry, Config, Selection, distinct
from irsa_cli.core.values.errors import InvalidInput
from tests.support.documents import Json

NAMES = ("shop/orders", "shop/orders-2", "kube-system/aws-node", "default/app.v1")
SELECTIONS = [
    # Globs to include, globs to exclude, and which of the names are left.
    ("", "", "0 1 2 3"),
    ("shop/orders", "", "0"),
    ("shop/*", "", "0 1"),
    ("*", "", "0 1 2 3"),
    ("*orders*", "*-2", "0"),
    ("", "kube-*/*", "0 1 3"),
    ("s?op/order[a-z]", "", "0"),
    ("shop/orders-[!1]", "", "1"),
    ("{shop,default}/{orders,app.v1}", "", "0 3"),
    ("default/app\\.v1", "", "3"),
    ("default/appxv1 *", "", "0 1 2 3"),
    ("shop/*", "shop/*", ""),
]
name = st.from_regex(r"[a-z]{1,5}/[a-z.-]{1,5}", fullmatch=True)


def test_selection() -> None:
    bindings = [BindingEntry(space, short) for space, _, short in (item.partition("/") for item in NAMES)]
    for include, exclude, places in SELECTIONS:
        selection = Selection(tuple(include.split()), tuple(exclude.split()))
        expected = [NAMES[int(place)] for place in places.split()]
        assert [item for item in NAMES if selection.admits(item)] == expected, include
        assert list(map(str, selection.of(bindings))) == expected, include


def test_what_is_no_glob() -> None:
    for glob in ("[", "[a", "a]", "{a", "a}", "\\", "{a,{b}"):
        with pytest.raises(InvalidInput, match="not a valid glob"):
            Selection(exclude=("a", glob))


def test_an_include_that_matches_nothing_is_a_slip() -> None:
    with pytest.raises(InvalidInput, match="matches no ServiceAccount") as caught:
        Selection(("shop/order",)).check([BindingEntry("shop", "orders")])
    assert caught.value.details == ("shop/orders",)
    Selection(("shop/order", "shop/*")).check([BindingEntry("shop", "orders")])
    Selection(exclude=("shop/*",)).check([BindingEntry("shop", "orders")])


@given(st.lists(name, unique=True), st.lists(name), st.lists(name))
def test_names_mean_themselves(names: list[str], include: list[str], exclude: list[str]) -> None:
    selection = Selection(tuple(include), tuple(exclude))
    for item in names:
        assert selection.admits(item) == ((not include or item in include) and item not in exclude)


ONE = BindingEntry("shop", "orders", where="a.yaml:3", cluster="prod", region="eu-west-1")


@pytest.mark.parametrize(
    ("fields", "twice"),
    [
        ({}, True),
        ({"cluster": ""}, True),
        ({"region": ""}, True),
        ({"cluster": "", "region": "us-east-1"}, False),
        ({"cluster": "blue"}, False),
        ({"region": "us-east-1"}, False),
        ({"namespace": "default"}, False),
        ({"name": "order"}, False),
    ],
)
def test_a_service_account_stands_in_one_place(fields: Json, twice: bool) -> None:
    other = replace(ONE, where="b.yaml:7", **fields)
    configs = [Config("a.yaml:1", bindings=(ONE,)), Config("b.yaml:1", bindings=(other,))]
    if not twice:
        distinct(configs)
        return
    with pytest.raises(InvalidInput) as caught:
        distinct(configs)
    assert str(caught.value) == "b.yaml:7: shop/orders is also defined in a.yaml:3"
    with pytest.raises(InvalidInput) as caught:
        distinct([*configs, *configs])
    assert len(caught.value.details) == 3


def test_a_role_is_named_in_one_entry() -> None:
    one = Config("a.yaml:1", bindings=(replace(ONE, role_name="shop"),))
    other = replace(ONE, name="stock", where="b.yaml:7")
    for role, cluster in (("shop", "prod"), ("Shop", "prod"), ("shop", "")):
        clashing = replace(other, role_name=role, cluster=cluster)
        with pytest.raises(InvalidInput, match=r"^b\.yaml:7: shop/stock .* of shop/orders \(a\.yaml:3\);"):
            distinct([one, Config("b.yaml:1", bindings=(clashing,))])
    for role, cluster in (("shop", "blue"), ("other", "prod"), ("", "prod")):
        distinct([one, Config("b.yaml:1", bindings=(replace(other, role_name=role, cluster=cluster),))])


def test_a_config_map_is_named_in_one_entry_of_a_namespace() -> None:
    one = replace(ONE, aws_config_map="aws")
    other = replace(one, name="stock", where="b.yaml:7")
    with pytest.raises(InvalidInput, match=r"^b\.yaml:7: shop/stock has the awsConfigMap aws of shop/orders"):
        distinct([Config("a.yaml:1", bindings=(one, other))])
    for apart in (replace(other, namespace="web"), replace(other, aws_config_map="other")):
        distinct([Config("a.yaml:1", bindings=(one, apart))])
