"""`irsa doctor` on a working binding, and on one broken in each of the ways: exactly that is named."""

from __future__ import annotations

import pytest

from tests.scenarios.breaking import Binding
from tests.scenarios.breaks import BREAKS, associate, no_provider
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


@pytest.mark.parametrize("what", BREAKS)
def test_exactly_the_cause_is_named(what: str, binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    cause, break_it = BREAKS[what]
    break_it(binding)
    document = doctor(binding, capsys, *of(binding))
    assert (problems(document), document["metadata"]["exitCode"]) == ([cause], 5)


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


def test_a_provider_for_which_there_is_no_room(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    no_provider(binding)
    iam = binding.aws("iam")
    for number in range(100):
        iam.create_open_id_connect_provider(Url=f"https://issuer.example/{number}", ClientIDList=["a"])
    assert problems(doctor(binding, capsys, *of(binding))) == ["provider-missing", "provider-quota"]


def test_a_statement_for_which_there_is_no_room(binding: Binding, capsys: pytest.CaptureFixture[str]) -> None:
    others = [f"system:serviceaccount:a:{number:040}" for number in range(24)]
    binding.conditions(StringEquals={"sub": others, "aud": "sts.amazonaws.com"})
    assert problems(doctor(binding, capsys, *of(binding))) == ["trust-subject", "trust-quota"]
