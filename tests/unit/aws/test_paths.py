"""Names in the URLs of AWS stay in their place."""

import pytest

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.values.errors import Outcome, ServiceError


@pytest.mark.parametrize("name", ["..", "."])
def test_a_name_that_is_a_way_up_is_not_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DELETE …/pod-identity-associations/.. would be the path of the cluster."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    calls: list[object] = []
    session = AwsSession(region="eu-west-1", log=calls.append)
    with pytest.raises(ServiceError) as refused:
        call(
            session.client("eks").delete_pod_identity_association,
            clusterName="prod",
            associationId=name,
        )
    assert (refused.value.outcome, calls) == (Outcome.NOT_SENT, [])
    assert "is no associationId" in str(refused.value)
