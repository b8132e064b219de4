"""What an answer covers: exit 0 only for something, and for all of it."""

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.results.audit import of_risks
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.output.views.junit import as_junit
from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.results.scope import Allowance, AnswerScope, NotExamined, WhyNot, by_design, unanswered
from irsa_cli.core.results.unread import OPTIONAL, UnreadCall
from irsa_cli.core.values.errors import ExitCode, FailedCall, IrsaError, ServiceError
from irsa_cli.core.values.shown import plural

LEFT_OUT = st.builds(NotExamined, st.text(min_size=1), st.sampled_from(WhyNot), st.booleans())
SCOPES = st.builds(
    AnswerScope,
    st.text(),
    st.dictionaries(st.sampled_from(["role", "policy", "ServiceAccount with a role"]), st.integers(0, 9)),
    st.lists(LEFT_OUT, max_size=4).map(tuple),
    st.sampled_from(["", "No role is there."]),
)


@given(SCOPES, st.booleans(), st.booleans())
def test_exit_0_means_complete_or_accepted(scope: AnswerScope, partial: bool, empty: bool) -> None:
    code = Allowance(partial, empty).exit_code(scope)
    gap = any(item.matters for item in scope.not_examined)
    if code is ExitCode.DONE:
        assert partial or not gap
        assert empty or not scope.nothing
    assert (Allowance().exit_code(scope) is ExitCode.DONE) == (not gap and not scope.nothing)
    assert scope.to_json()["complete"] is not gap


@given(SCOPES)
def test_the_line_names_or_counts_all_that_was_left_out(scope: AnswerScope) -> None:
    apart = [item.text for item in scope.not_examined if item.why is WhyNot.BY_DESIGN]
    others = [item.matters for item in scope.not_examined if item.why is not WhyNot.BY_DESIGN]
    assert all(text in scope.left_out for text in apart)
    for count, what in (
        (others.count(True), "in the notes, which could change"),
        (others.count(False), "that can't change"),
    ):
        assert (f"{plural(count, 'item')} {what}" in scope.left_out) == bool(count)
    assert bool(scope.left_out) == bool(scope.not_examined)
    assert len(scope.to_json()["notExamined"]) == len(scope.not_examined)


def test_a_question_without_an_answer_is_never_complete() -> None:
    scope = unanswered("Who can?", IrsaError("no network"))
    assert not scope.is_complete
    assert "no network" in scope.not_examined[0].text
    assert Allowance(empty=True).exit_code(scope) is ExitCode.FAILED


def test_nothing_is_green_where_nothing_was_there_to_judge() -> None:
    nothing = LintReport()
    assert nothing.exit_code == ExitCode.EMPTY
    report = of_risks(nothing, Speaking("junit", quiet=False, verbose=False))
    assert 'errors="1"' in as_junit(report)
    assert report.is_good is None


def test_numbers_agree() -> None:
    assert [plural(n, "policy") for n in (0, 1, 2)] == ["0 policies", "1 policy", "2 policies"]
    assert [plural(2, what) for what in ("way", "ServiceAccount with a role")] == [
        "2 ways",
        "2 ServiceAccounts with a role",
    ]
    assert AnswerScope("q", {"role": 1, "cluster": 2}, by_design("SCPs")).sentence == (
        "Checked: 1 role, 2 clusters. Not checked: SCPs."
    )


def refused(service: str, operation: str, subject: str = "app") -> UnreadCall:
    """A refused read, as the client records it."""
    failed = FailedCall(service, operation, "AccessDenied", 403)
    name = f"{service} {operation} {subject}"
    details = (f"missing permission: {service}:{operation} on {subject}",)
    return UnreadCall.of(ServiceError(name, failed, reason="AccessDenied: no", details=details))


CALLS = st.lists(st.sampled_from([refused("iam", "GetRole"), refused("eks", "ListAddons")]), max_size=3)


@given(SCOPES, CALLS, st.booleans())
def test_a_read_on_the_record_is_a_gap_whatever_the_report_says(
    scope: AnswerScope, calls: list[UnreadCall], decide: bool
) -> None:
    whole = scope.with_unread(calls, decide=decide)
    assert whole.is_complete is (scope.is_complete and not calls)
    assert whole.is_decided is (whole.is_complete or not decide)
    for call in calls:
        assert any(gap.matters and call.is_named_in(gap.text) for gap in whole.not_examined)
    assert whole.with_unread(calls, decide=decide) == whole


def test_a_gap_that_names_a_read_is_said_once_and_could_change_the_answer() -> None:
    call = refused("iam", "GetRole")
    gap = NotExamined("shop/app: missing permission: iam:GetRole on app", matters=False)
    other = NotExamined("AccessDenied: no", matters=False)
    whole = AnswerScope(not_examined=(gap, other)).with_unread([call])
    assert [(item.matters, item.decides) for item in whole.not_examined] == [(True, True), (False, True)]


def test_an_optional_read_names_its_line_and_changes_no_exit_code() -> None:
    for optional in OPTIONAL:
        call = refused(optional.service, optional.operation)
        whole = AnswerScope().with_unread([call])
        assert (whole.is_complete, whole.is_decided) == (False, True)
        assert optional.line in whole.not_examined[0].text
