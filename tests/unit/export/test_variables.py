"""Variables of roles: one for each ServiceAccount, whatever their names."""

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.export.variables import dotenv, role_variables

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,4}[a-z0-9])?/[a-z0-9]([-.a-z0-9]{0,4}[a-z0-9])?", fullmatch=True)


@given(st.sets(NAMES, max_size=6))
def test_each_has_a_variable_of_its_own(full_names: set[str]) -> None:
    arns = {
        name: f"arn:aws:iam::111122223333:role/{number}" for number, name in enumerate(sorted(full_names))
    }
    variables = role_variables(arns, alone=False)
    assert list(variables.values()) == list(arns.values())
    assert all(name.isidentifier() and name.isupper() for name in variables)


def test_a_variable_says_whose_it_is() -> None:
    arns = {"backend/s3-reader": "A", "a-b/c": "B", "a/b-c": "C"}
    assert dotenv(role_variables(arns, alone=False)).splitlines() == [
        "BACKEND_S3_READER_ROLE_ARN=A",
        "A_B_C_4E8471_ROLE_ARN=B",
        "A_B_C_B88F83_ROLE_ARN=C",
    ]
    assert role_variables({"a/b": "A"}, alone=True) == {"ROLE_ARN": "A"}
    assert role_variables({}, alone=True) == {}
