"""A page of a proxy instead of AWS's answer: final only where irsa has written nothing yet."""

import pytest

from irsa_cli.aws.errors import ForeignAwsAnswer, check_origin, translate
from irsa_cli.core.values.errors import Outcome

PAGE = b"<!DOCTYPE html>\n<HTML><body>Log in</body></HTML>"


def foreign(body: bytes, status: int = 200) -> ForeignAwsAnswer:
    with pytest.raises(ForeignAwsAnswer) as found:
        check_origin("DescribeCluster", status, body, {"ResponseMetadata": {}}, xml=False)
    return found.value


@pytest.mark.parametrize(
    ("service", "body", "status", "transient"),
    [
        ("eks", PAGE, 200, False),
        ("eks", PAGE, 502, True),
        ("eks", b"{}", 200, True),
        ("iam", PAGE, 200, True),
        ("sts", PAGE, 200, True),
    ],
)
def test_only_a_page_for_eks_is_not_asked_again(
    service: str, body: bytes, status: int, transient: bool
) -> None:
    error = translate(foreign(body, status), service, "DescribeCluster", "demo")
    assert error.transient is transient
    assert error.outcome is Outcome.UNKNOWN
    assert error.next_steps == ("log in to the proxy, or check HTTPS_PROXY and NO_PROXY",)
