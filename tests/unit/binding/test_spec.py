"""The desired state of a spec, its digest, and what is rehearsed of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from irsa_cli.core.binding.spec import BindingSpec, DesiredState, Options, desired_state_of, digest
from irsa_cli.core.config.model import BindingEntry
from tests.unit.planning.desired_states import CLUSTER, STRANGER, desired

NOT_IN_DIGEST: dict[str, str] = {
    "cluster": "a tag of the role has it",
    "namespace": "a tag of the role has it",
    "name": "a tag of the role has it",
    "role_arn": "the digest is on this role, and an annotation has the ARN",
    "subject_pattern": "the trust policy has it",
    "chain": "an inline policy and annotations have it",
    "aws_config_map": "an annotation has it",
    "creates_account": "an existing ServiceAccount is not compared",
    "unsaid": "fields without a value create nothing",
    **dict.fromkeys(
        (item.name for item in fields(Options)), "permissions of the run do not change what it creates"
    ),
}
"""The fields of `DesiredState` that are not in the digest, and why."""


class Watched:
    """A desired state that notes which of its fields are read."""

    def __init__(self, of: DesiredState) -> None:
        self.of, self.read = of, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.of, name)


def test_a_field_of_the_desired_state_is_in_the_digest_or_it_is_said_why_not() -> None:
    watched = Watched(desired())
    digest(watched)  # type: ignore[arg-type]
    assert not watched.read & NOT_IN_DIGEST.keys()
    assert watched.read | NOT_IN_DIGEST.keys() == {item.name for item in fields(DesiredState)}


def test_the_digest_of_a_wish_stays_what_it_is() -> None:
    spec = BindingSpec("backend", "reader", policies=("arn:aws:iam::aws:policy/A",), labels={"team": "a"})
    role = desired_state_of(spec, CLUSTER).role
    assert role is not None
    assert role.tags["irsa/spec-hash"] == "32067ab7cd3a084c"


def test_the_session_of_a_target_role_has_tags_if_asked_for_or_if_pod_identity_sends_them() -> None:
    spec = BindingSpec("backend", "reader", target_role=STRANGER)
    by_agent = replace(spec, pod_identity=True)
    for tags, wanted in (
        (False, spec),
        (False, replace(by_agent, disable_session_tags=True)),
        (True, by_agent),
        (True, replace(spec, target_tag_session=True)),
    ):
        chain = desired_state_of(wanted, CLUSTER).chain
        assert chain is not None
        assert chain.tag_session is tags


def test_how_far_a_run_may_go_changes_nothing_of_what_it_makes() -> None:
    spec = BindingSpec("backend", "reader")
    eager = Options(
        create_namespace=False, override=True, update_trust=True, force=True, associate=True, gated=True
    )
    found = desired_state_of(spec, CLUSTER, eager)
    assert found.role == desired_state_of(spec, CLUSTER).role
    assert {item.name: getattr(found, item.name) for item in fields(Options)} == vars(eager)


def test_an_entry_of_a_file_means_what_the_command_line_means() -> None:
    entry = BindingEntry("backend", "reader", where="f.yaml:3", cluster="demo", labels={"team": "a"})
    spec = BindingSpec("backend", "reader", labels={"team": "a"})
    assert desired_state_of(entry, CLUSTER) == desired_state_of(spec, CLUSTER)
