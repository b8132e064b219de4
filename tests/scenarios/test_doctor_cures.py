"""`irsa doctor` names exactly the cause of each break, and what it says is to be done cures it."""

from __future__ import annotations

import pytest

from tests.scenarios.alone import stage_alone as stage_alone
from tests.scenarios.breaking import Binding
from tests.scenarios.breaks import BREAKS
from tests.scenarios.curing import admitted, answered, cure, is_by_hand, prove
from tests.scenarios.doctoring import diagnose

BY_HAND = {
    "run_that_was_interrupted",
    "deletion_that_was_interrupted",
    "no_webhook",
    "service_account_in_another_namespace",
    "sts_endpoint_for_one_account_only",
    "boundary_that_leaves_nothing",
    "webhook_for_other_namespaces",
    "webhook_for_other_pods",
    "webhook_that_does_not_answer",
    "label_that_skips_the_pod",
    "annotation_that_skips_the_container",
    "pod_of_another_service_account",
    "one_variable_set_by_hand",
    "volume_of_the_same_name",
    "token_by_sub_path",
    "static_keys",
    "static_keys_of_a_config_map",
    "region_that_is_none",
    "fips_where_sts_has_none",
    "session_that_sts_refuses",
    "session_of_a_config_map",
    "global_endpoint_by_hand",
    "windows_without_node_selector",
    "old_aws_cli",
    "issuer_that_refuses_everybody",
    "local_cluster_on_outposts",
    "old_cluster_and_a_user_who_is_not_root",
    "sts_that_does_not_reach_the_issuer_in_time",
    "webhook_that_keeps_pods_from_being_created",
    "condition_that_no_token_meets",
    "template_that_mounts_a_token_where_the_webhook_does",
}
"""Breaks whose fix needs an editor or a decision."""
BEYOND = {
    "no_agent_of_pod_identity",
    "pod_identity_on_fargate",
    "region_where_sts_is_not_active",
    "token_that_the_application_keeps",
}
"""Breaks whose fix can be pasted, and has no effect on the stage: it has neither add-ons nor applications."""
QUESTIONS = {
    "role_for_ec2",
    "role_of_a_cluster_that_is_gone",
    "role_of_another_cluster",
    "another_service_account",
    "another_namespace",
    "deny",
    "token_of_the_pod_s_own_that_the_role_does_not_admit",
}
"""Breaks of which IAM does not say that the role is meant for the ServiceAccount: that is asked first."""
UNPROVEN = {"webhook_with_another_prefix"}
"""Breaks after whose cure no token can be exchanged: the stage's webhook knows no other prefix."""
ROUNDS = 3
"""An annotation that is put right still needs new pods."""


@pytest.mark.parametrize(
    ("in_aws", "in_pods"),
    [
        ("no_provider", "pod_started_before_the_annotation"),
        ("wildcard_under_string_equals", "pod_of_the_previous_role"),
    ],
)
def test_of_two_faults_aws_is_mended_before_pods_are_restarted(
    in_aws: str, in_pods: str, binding: Binding
) -> None:
    for what in (in_pods, in_aws):
        BREAKS[what][1](binding)
    for expected in ([in_aws, in_pods], [in_pods], []):
        diagnosis = diagnose(binding)
        assert diagnosis.problems == [BREAKS[what][0] for what in expected]
        cure(binding, diagnosis.fix if expected else "")
    assert prove(binding)


@pytest.mark.parametrize("what", BREAKS)
def test_exactly_the_cause_is_named_and_its_commands_cure(what: str, binding: Binding) -> None:
    cause, break_it = BREAKS[what]
    break_it(binding)
    before = admitted(binding)
    diagnosis = diagnose(binding)
    assert (diagnosis.problems, diagnosis.code) == ([cause], 5)
    assert is_by_hand(diagnosis.fix) or what not in BY_HAND
    if what in BY_HAND | BEYOND:
        return
    for _ in range(ROUNDS):
        if diagnosis.problems:
            cure(binding, answered(diagnosis.fix) if what in QUESTIONS else diagnosis.fix)
            diagnosis = diagnose(binding)
    assert diagnosis.problems == []
    assert what in UNPROVEN or prove(binding)
    assert admitted(binding) <= before
