"""Many clusters in files: which documents are of one cluster, in which account, in which shard."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import BindingEntry, Config, Selection
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.shards import Shard
from irsa_cli.core.values.shards import parse as parse_shard
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.command.parallel import Pace
from irsa_cli.usecases.files.fleet import canary_first
from irsa_cli.usecases.files.targets import Place, places

ONE, TWO = "111122223333", "222222222222"
ROLE = f"arn:aws:iam::{TWO}:role/fleet"
HEAD = "apiVersion: irsa/v1\nkind: Bindings\n"


def config(name: str, account: str = "", *bindings: str, region: str = "eu-west-1", **more: Any) -> Config:
    items = tuple(BindingEntry("ns", item, cluster=name, region=region, account=account) for item in bindings)
    return Config(f"{name}.yaml:1", name, region, bindings=items, account=account, **more)


def found(*configs: Config, target: Target | None = None, shard: Shard | None = None) -> list[Place]:
    return places(configs, target or Target("", "eu-west-1"), Selection(shard=shard))


def test_the_account_and_the_role_of_a_cluster() -> None:
    for more, account, role in (
        ("", "", ""),
        (f', account: "{ONE}"', ONE, ""),
        (f", assumeRole: {ROLE}", TWO, ROLE),
        (f', account: "{TWO}", assumeRole: {ROLE}', TWO, ROLE),
    ):
        entry = "serviceAccounts: [{metadata: {name: x}}]"
        (read,) = parse(f"{HEAD}metadata: {{name: a{more}}}\n{entry}\n", "f")
        assert (read.account, read.assume_role, read.bindings[0].account) == (account, role, account)


def test_the_rules_of_the_flags_are_those_of_the_fields() -> None:
    eksctl = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n"
    for head, metadata, words in (
        (HEAD, f'account: "{ONE}", assumeRole: {ROLE}', f"this role is in account {TWO}"),
        (HEAD, "account: 111122223333", "quote it"),
        (HEAD, 'account: "1"', "12 digits"),
        (HEAD, "assumeRole: fleet", "fleet"),
        (HEAD, "assumeRole: null", "this is empty"),
        (eksctl, f"assumeRole: {ROLE}", "a field of irsa/v1 Bindings"),
    ):
        with pytest.raises(InvalidInput, match=words):
            parse(f"{head}metadata: {{name: a, {metadata}}}\n", "f")


def test_documents_of_one_cluster_are_one_place_whoever_names_the_account() -> None:
    (place,) = found(config("a", "", "x"), config("a", ONE, "y"))
    assert place.target.expect_account == ONE
    assert place.names == {"ns/x", "ns/y"}
    assert place.target.expected_by == "a.yaml:1"


def test_one_name_in_two_accounts_is_two_clusters() -> None:
    one, two = found(config("a", ONE, "x"), config("a", TWO, "y", assume_role=ROLE))
    assert [one.names, two.names] == [{"ns/x"}, {"ns/y"}]
    assert two.target.assume_role == ROLE


def test_what_may_be_of_the_same_cluster_is_not_pruned_there() -> None:
    """The caller's own account may be that of the role: who prunes one keeps what the other asks for."""
    one, two = found(config("a", "", "x"), config("a", TWO, "y", assume_role=ROLE))
    assert one.names == two.names == {"ns/x", "ns/y"}


def test_contradictions_are_refused() -> None:
    with pytest.raises(InvalidInput, match=f"in account {TWO}"):
        found(config("a", ONE), config("a", TWO))
    with pytest.raises(InvalidInput, match="--assume-role says"):
        found(config("a", TWO, assume_role=ROLE), target=Target("", "eu-west-1", assume_role=f"{ROLE}2"))
    with pytest.raises(InvalidInput, match="--expect-account says"):
        found(config("a", TWO), target=Target("", "eu-west-1", expect_account=ONE))


name = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
names = st.lists(st.tuples(st.sampled_from([ONE, TWO]), name), unique=True)


@given(names, st.integers(1, 9))
def test_each_cluster_is_in_one_shard_and_others_do_not_move_it(
    clusters: list[tuple[str, str]], total: int
) -> None:
    configs = [config(name, account, "x") for account, name in clusters]
    shards = [{place.key for place in found(*configs, shard=Shard(index, total))} for index in range(total)]
    assert sum(map(len, shards)) == len(clusters)
    assert set().union(*shards) == {place.key for place in found(*configs)}
    for index in range(total):
        fewer = {place.key for place in found(*configs[1:], shard=Shard(index, total))}
        assert fewer <= shards[index]


def test_a_shard_knows_what_is_in_other_documents_of_its_cluster() -> None:
    configs = (config("a", ONE, "x"), config("a", "", "y"))
    kept = [place for index in range(2) for place in found(*configs, shard=Shard(index, 2))]
    assert [place.names for place in kept] == [{"ns/x", "ns/y"}]


NO_SHARDS = "4/4 1 1/ /2 -1/2 0/0 01/2 1/10000 a/b \u0660/\u0664"


def test_what_is_no_shard() -> None:
    for text in ("1 /2", *NO_SHARDS.split()):
        with pytest.raises(InvalidInput, match="counted from 0"):
            parse_shard(text)


def test_the_canary_is_one_cluster() -> None:
    where = found(config("a", ONE, "x"), config("a", TWO, "y", assume_role=ROLE), config("b", ONE, "z"))
    with pytest.raises(InvalidInput, match="2 clusters"):
        canary_first(where, "a")
    first, others = canary_first(where, f"arn:aws:eks:eu-west-1:{TWO}:cluster/a")
    assert [place.key for place in first] == [(TWO, "eu-west-1", "a")]
    assert len(others) == 2
    assert canary_first(where, "") == [where]
    with pytest.raises(InvalidInput, match="no file"):
        canary_first(where, "c")


def test_an_account_that_is_throttled_slows_down_no_other() -> None:
    from irsa_cli.aws.session import WireCall
    from irsa_cli.core.results.result import Ended, Result

    whole = Pace(8, 2)
    one, other = Pace(8, of=whole), Pace(8, of=whole)
    one.heard(WireCall("iam", "CreateRole", 400, 0.1, "Throttling"))
    assert (one.limit, other.limit) == (4, 8)
    for pace in (one, other):
        pace.ended(Result(Ended.FAILED))
    assert whole.is_over
    assert one.is_over
