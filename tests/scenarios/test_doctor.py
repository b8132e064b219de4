"""`irsa doctor` where nothing is wrong; the breaks are in `test_doctor_cures`."""

from __future__ import annotations

import pytest

from tests.scenarios.breaking import Binding
from tests.scenarios.breaks import associate
from tests.scenarios.doctoring import doctor, of, problems, untold
from tests.support.eks_states import add_sts_endpoint


def test_nothing_is_wrong_with_a_working_binding(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.exchange()
    document = doctor(binding, capsys, *of(binding))
    assert (problems(document), document["metadata"]["exitCode"]) == ([], 0)


def test_nothing_is_wrong_with_a_working_pod_identity(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    binding.annotate(None)
    associate(binding)
    binding.new_pod()
    for endpoint in (False, True):
        document = doctor(binding, capsys, *of(binding))
        assert (problems(document), "pod-identity-endpoint" in untold(document)) == ([], endpoint)
        add_sts_endpoint(binding.stage.sandbox, binding.stage.cluster)


def test_a_pod_that_the_webhook_missed(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    binding.next_second()
    before = binding.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    binding.new_pod()
    binding.restore_webhook(before)
    binding.wait_for_webhook(injects=True)
    # Without managedFields nobody knows when the annotation was written. The fix is the same.
    dated = "managedFields" in binding.account["metadata"]
    expected = "pod-missed" if dated else "pod-older-than-annotation"
    assert problems(doctor(binding, capsys, *of(binding))) == [expected]
