"""The Job that `irsa preflight --manifest` prints."""

from __future__ import annotations

import re

import pytest
import yaml

from irsa_cli.preflight.manifests import manifest

IMAGE = f"registry.example.com/irsa@sha256:{'0' * 64}"


def name_of(account: str) -> str:
    given = {"manifest": "job", "image": IMAGE, "service_account": account, "wait": 0, "namespace": ""}
    return str(yaml.safe_load(manifest(given))["metadata"]["name"])


@pytest.mark.parametrize("length", [40, 48, 49, 60, 253])
def test_each_service_account_has_a_job_of_its_own(length: int) -> None:
    names = {name_of(f"{'a' * (length - 1)}{last}") for last in "abc"} | {name_of("a" * (length - 2) + ".b")}
    assert len(names) == 4
    for name in names:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", name)


def test_a_short_name_stays_as_it_is() -> None:
    assert name_of("s3-reader") == "irsa-preflight-s3-reader"
    assert name_of("a" * 48) == f"irsa-preflight-{'a' * 48}"
