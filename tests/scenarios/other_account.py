"""A second AWS account of the sandbox, beside the one of the clusters."""

from typing import Any

import boto3
import pytest

from tests.support.stage import Stage

OTHER = "222222222222"


@pytest.fixture(name="foreign")
def foreign_iam(stage: Stage) -> Any:
    """IAM of another account, as its administrator."""
    env = stage.sandbox.env(account=OTHER, region=stage.region)
    return boto3.client(
        "iam",
        endpoint_url=stage.sandbox.url,
        region_name=stage.region,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
