"""The account of a run of the matrix: one line for each command, one for each way of breaking calls."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tests.faults.bench import Result
from tests.faults.cases import Case
from tests.faults.judge import Verdict

HEAD = (
    "cases",
    "done",
    "clean",
    "named",
    "cut off",
    "leaks",
    "lies",
    "harm",
    "not recovered",
    "seconds each",
)


def to_line(result: Result) -> dict[str, Any]:
    """A result as JSON, for a log."""
    return {
        "case": result.case.id,
        "verdict": result.verdict.name,
        "after": result.after,
        "recovered": result.recovered,
        "seconds": round(result.seconds, 2),
        "story": result.story,
    }


def from_line(line: dict[str, Any], case: Case) -> Result:
    """A result that was logged."""
    verdict = Verdict[line["verdict"]]
    return Result(case, verdict, line["after"], line["recovered"], line["seconds"], line["story"])


def counts(cases: int, results: Sequence[Result]) -> tuple[float, ...]:
    """The numbers of a line; a case can count as a leak and as not recovered."""

    def of(*verdicts: Verdict) -> int:
        return sum(result.verdict in verdicts for result in results)

    stuck = sum(not result.recovered or result.verdict is Verdict.STUCK for result in results)
    known = (of(Verdict.DONE), of(Verdict.CLEAN), of(Verdict.NAMED), of(Verdict.CUT))
    each = sum(result.seconds for result in results) / max(len(results), 1)
    return (cases, *known, of(Verdict.LEAK), of(Verdict.LIE), of(Verdict.HARM), stuck, round(each, 1))


def render(results: Sequence[Result], planned: int) -> Iterator[str]:
    """The table; `planned` is the size of the whole matrix."""
    yield f"{'':<28}" + "".join(f"{title:>15}" for title in HEAD)
    yield _line("all", counts(len(results), results))
    yield from _groups(results, lambda result: f"{result.case.stage} {result.case.command}")
    yield from _groups(results, lambda result: result.case.injection)
    yield from _groups(results, lambda result: "rollback" if result.case.broken else "forward")
    yield from _groups(results, lambda result: f"then {result.after}")
    if len(results) < planned:
        yield f"A sample: {len(results)} of {planned} cases."


def _groups(results: Sequence[Result], key: Callable[[Result], str]) -> Iterator[str]:
    yield ""
    for name in _unique(key(result) for result in results):
        group = [result for result in results if key(result) == name]
        yield _line(name, counts(len(group), group))


def _unique(names: Iterable[str]) -> list[str]:
    return sorted(set(names))


def _line(name: str, numbers: Sequence[float]) -> str:
    return f"{name:<28}" + "".join(f"{count:>15}" for count in numbers)
