"""`irsa doctor` where nothing is wrong; the breaks are in `test_doctor_cures`."""

from __future__ import annotations

from tests.scenarios.breaking import Binding
from tests.scenarios.breaks import BY_POD_IDENTITY
from tests.scenarios.doctoring import diagnose
from tests.support.eks_states import add_sts_endpoint


def test_nothing_is_wrong_with_a_working_binding(binding: Binding) -> None:
    binding.exchange()
    diagnosis = diagnose(binding)
    assert (diagnosis.problems, diagnosis.code) == ([], 0)


def test_nothing_is_wrong_with_a_working_pod_identity(binding: Binding) -> None:
    BY_POD_IDENTITY(binding)
    for endpoint in (False, True):
        diagnosis = diagnose(binding)
        assert (diagnosis.problems, "pod-identity-endpoint" in diagnosis.untold) == ([], endpoint)
        add_sts_endpoint(binding.stage.sandbox, binding.stage.cluster)


def test_a_pod_that_the_webhook_missed(binding: Binding) -> None:
    binding.next_second()
    before = binding.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    binding.new_pod()
    binding.restore_webhook(before)
    binding.wait_for_webhook(injects=True)
    # Without managedFields nobody knows when the annotation was written. The fix is the same.
    dated = "managedFields" in binding.account["metadata"]
    assert diagnose(binding).problems == ["pod-missed" if dated else "pod-older-than-annotation"]
