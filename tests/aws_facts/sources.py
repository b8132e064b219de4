"""Where the facts are known from. `recorded`: in a snapshot of a test, taken on AWS on that day."""

_TESTS = "localstack/localstack, tests/aws/services"


def recorded(day: str, of: str) -> str:
    """A snapshot of LocalStack's tests, such as `iam/test_iam_roles`."""
    return f"recorded on AWS {day} ({_TESTS}/{of}.snapshot.json)"


ROLES = recorded("2026-02-11", "iam/test_iam_roles")
ROLES_LATER = recorded("2026-02-19", "iam/test_iam_roles")
PROFILES = recorded("2026-02-12", "iam/test_iam_instance_profiles")
PROVIDERS = recorded("2026-02-17", "iam/test_iam_oidc")
PROVIDERS_LATER = recorded("2026-02-18", "iam/test_iam_oidc")
POLICIES = recorded("2026-02-10", "iam/test_iam_policies")
DOCUMENTS = recorded("2026-02-18", "iam/test_iam_policies")
MANAGED = recorded("2026-02-12", "iam/test_iam_managed_policies")
SUMMARY = recorded("2026-02-17", "iam/test_iam_account_summary")
DETAILS = recorded("2026-02-17", "iam/test_iam_account_authorization_details")
SIMULATED = recorded("2025-04-21", "iam/test_iam")
STS = recorded("2026-02-09", "sts/test_sts")
STS_OLD = recorded("2025-07-21", "sts/test_sts")
STS_TAGS = recorded("2025-04-10", "sts/test_sts")
STS_ROLE = recorded("2024-06-05", "sts/test_sts")


def model(service: str, what: str) -> str:
    """AWS's own model of a service, as botocore has it."""
    return f"botocore 1.44.8, model of {service}: {what}"


def guide(page: str) -> str:
    """A page of AWS's documentation, as of 2026-11-28."""
    return f"https://docs.aws.amazon.com/{page} (2026-11-28)"


def issue(name: str) -> str:
    """An issue or pull request in which AWS's answer is quoted."""
    return f"quoted in {name}"


def pasted(place: str, day: str) -> str:
    """Issues or pull requests into which somebody has pasted AWS's answer, the last of them on that day."""
    return f"quoted in {place} ({day})"
