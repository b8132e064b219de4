"""Two Jobs of preflight never share a name, however long the names of their ServiceAccounts are."""

import re

import yaml
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.preflight.manifests import manifest

IMAGE = f"example.org/irsa@sha256:{'0' * 64}"
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,120}[a-z0-9])?", fullmatch=True)


def name_of(account: str) -> str:
    given = {"manifest": "job", "image": IMAGE, "service_account": account, "wait": None, "namespace": ""}
    return str(yaml.safe_load(manifest(given))["metadata"]["name"])


@given(st.sampled_from(["", "a" * 47, "a" * 48, "a" * 60, "a-b." * 15]), NAMES, NAMES)
def test_other_accounts_have_other_jobs(same: str, one: str, other: str) -> None:
    first, second = name_of(same + one), name_of(same + other)
    assert (first == second) == (one == other)
    for name in (first, second):
        assert len(name) <= 63
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name)
        assert name.startswith("irsa-preflight-")


def test_a_short_name_is_the_accounts() -> None:
    assert name_of("s3-reader") == "irsa-preflight-s3-reader"
    assert name_of("a" * 48) == f"irsa-preflight-{'a' * 48}"
