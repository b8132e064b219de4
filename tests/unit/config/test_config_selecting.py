"""`--include` and `--exclude`, and ServiceAccounts that stand in two places."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.config.model import Binding, Config, Selection, distinct
from irsa_cli.core.values.errors import InvalidInput

NAMES = ("shop/orders", "shop/orders-2", "kube-system/aws-node", "default/app.v1")
name = st.from_regex(r"[a-z]{1,5}/[a-z.-]{1,5}", fullmatch=True)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ((), (), NAMES),
        (("shop/orders",), (), NAMES[:1]),
        (("shop/*",), (), NAMES[:2]),
        (("*",), (), NAMES),
        (("*orders*",), ("*-2",), NAMES[:1]),
        ((), ("kube-*/*",), (NAMES[0], NAMES[1], NAMES[3])),
        (("s?op/order[a-z]",), (), NAMES[:1]),
        (("shop/orders-[!1]",), (), NAMES[1:2]),
        (("{shop,default}/{orders,app.v1}",), (), (NAMES[0], NAMES[3])),
        (("default/app\\.v1",), (), NAMES[3:]),
        (("default/appxv1", "*"), (), NAMES),
        (("shop/*",), ("shop/*",), ()),
    ],
)
def test_selection(include: tuple[str, ...], exclude: tuple[str, ...], expected: tuple[str, ...]) -> None:
    selection = Selection(include, exclude)
    assert tuple(item for item in NAMES if selection.admits(item)) == expected
    bindings = [Binding(space, short) for space, _, short in (item.partition("/") for item in NAMES)]
    assert tuple(map(str, selection.of(bindings))) == expected


@pytest.mark.parametrize("glob", ["[", "[a", "a]", "{a", "a}", "\\", "{a,{b}"])
def test_what_is_no_glob(glob: str) -> None:
    with pytest.raises(InvalidInput, match="not a valid glob"):
        Selection(exclude=("a", glob))


def test_an_include_that_matches_nothing_is_a_slip() -> None:
    with pytest.raises(InvalidInput, match="matches no ServiceAccount") as caught:
        Selection(("shop/order",)).check([Binding("shop", "orders")])
    assert caught.value.details == ("shop/orders",)
    Selection(("shop/order", "shop/*")).check([Binding("shop", "orders")])
    Selection(exclude=("shop/*",)).check([Binding("shop", "orders")])


@given(st.lists(name, unique=True), st.lists(name), st.lists(name))
def test_names_mean_themselves(names: list[str], include: list[str], exclude: list[str]) -> None:
    selection = Selection(tuple(include), tuple(exclude))
    for item in names:
        assert selection.admits(item) == ((not include or item in include) and item not in exclude)


ONE = Binding("shop", "orders", where="a.yaml:3", cluster="prod", region="eu-west-1")


@pytest.mark.parametrize(
    ("other", "twice"),
    [
        (ONE, True),
        (replace(ONE, cluster=""), True),
        (replace(ONE, region=""), True),
        (replace(ONE, cluster="", region="us-east-1"), False),
        (replace(ONE, cluster="blue"), False),
        (replace(ONE, region="us-east-1"), False),
        (replace(ONE, namespace="default"), False),
        (replace(ONE, name="order"), False),
    ],
)
def test_a_service_account_stands_in_one_place(other: Binding, twice: bool) -> None:
    other = replace(other, where="b.yaml:7")
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


@pytest.mark.parametrize(
    ("role", "cluster", "clash"),
    [
        ("shop", "prod", True),
        ("Shop", "prod", True),
        ("shop", "", True),
        ("shop", "blue", False),
        ("other", "prod", False),
        ("", "prod", False),
    ],
)
def test_a_role_is_named_in_one_entry(role: str, cluster: str, clash: bool) -> None:
    one = replace(ONE, role_name="shop")
    other = replace(ONE, name="stock", where="b.yaml:7", role_name=role, cluster=cluster)
    configs = [Config("a.yaml:1", bindings=(one,)), Config("b.yaml:1", bindings=(other,))]
    if not clash:
        distinct(configs)
        return
    with pytest.raises(InvalidInput, match=r"^b\.yaml:7: shop/stock .* of shop/orders \(a\.yaml:3\);"):
        distinct(configs)


def test_a_config_map_is_named_in_one_entry_of_a_namespace() -> None:
    one = replace(ONE, aws_config_map="aws")
    other = replace(one, name="stock", where="b.yaml:7")
    with pytest.raises(InvalidInput, match=r"^b\.yaml:7: shop/stock has the awsConfigMap aws of shop/orders"):
        distinct([Config("a.yaml:1", bindings=(one, other))])
    for apart in (replace(other, namespace="web"), replace(other, aws_config_map="other")):
        distinct([Config("a.yaml:1", bindings=(one, apart))])
