"""Option types: what a value becomes, and what is refused before anything is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.main import COMMANDS, module_of
from irsa_cli.cli.options.contradictions import Excludes, Needs, Wrong, check
from irsa_cli.cli.options.fields import Once, bound, group, many, once, switch
from irsa_cli.cli.options.kinds import DURATION, NAMESPACE, TEXT
from irsa_cli.cli.options.outputs import OutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, WhereFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.options.values import listed, pairs
from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput

WORDS = st.text("abc=, ", max_size=6)


def parsed(arguments: list[str], env: dict[str, str] | None = None, **option: Any) -> tuple[int, Any, str]:
    """The exit code, the value of `--x`, and what was said."""
    seen: list[Any] = []

    @click.command()
    @click.option("--x", cls=Once, **option)
    def command(x: Any) -> None:
        seen.append(x)

    result = CliRunner().invoke(command, arguments, env=env)
    return result.exit_code, seen[0] if seen else None, result.output


DURATIONS: dict[str, Any] = {"type": DURATION}
PATHS: dict[str, Any] = {"type": click.Path(file_okay=False), "envvar": "IRSA_TEST"}


@pytest.mark.parametrize(
    ("line", "option", "env", "expected"),
    [
        ("", {}, "", (0, None)),
        ("", {"default": "d"}, "", (0, "d")),
        ("", {"default": 300.0, **DURATIONS}, "", (0, 300.0)),
        ("--x 60s --x 1m", DURATIONS, "", (0, 60.0)),
        ("--x 60s --x 2m", DURATIONS, "", (2, None)),
        ("--x 0 --x 0", {"type": int, "default": 7}, "", (0, 0)),
        ("", PATHS, "/a/b", (0, "/a/b")),
        ("", PATHS, "/with space/b", (0, "/with space/b")),
        ("", PATHS, "/a:b/c", (0, "/a:b/c")),
        ("--x /other", PATHS, "/a:b/c", (0, "/other")),
    ],
)
def test_the_value_of_an_option(
    line: str, option: dict[str, Any], env: str, expected: tuple[int, object]
) -> None:
    """Given again, it must mean the same; a value of the environment is one value."""
    assert parsed(line.split(), {"IRSA_TEST": env} if env else {}, **option)[:2] == expected


@given(st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=3))
def test_an_option_given_again_must_say_the_same(values: list[str]) -> None:
    code, value, said = parsed([part for item in values for part in ("--x", item)], default="d")
    if len(set(values)) == 1:
        assert (code, value) == (0, values[0])
    else:
        assert (code, value) == (2, None)
        assert "--x" in said


def test_a_checked_option_speaks_in_the_rules_words() -> None:
    assert parsed(["--x", "backend"], type=NAMESPACE)[:2] == (0, "backend")
    code, _, said = parsed(["--x", "Back_End"], type=NAMESPACE)
    with pytest.raises(InvalidInput) as caught:
        names.namespace("Back_End")
    assert code == 2
    assert "--x" in said
    assert caught.value.message in " ".join(said.split())


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_read_as_go_writes_it(hours: int, minutes: int, seconds: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds
    texts = [f"{hours}h{minutes}m{seconds}s", str(total), f"{total}s", f"{total}.0s"]
    for text in texts:
        if total > 0:
            assert DURATION.convert(text, None, None) == total
        else:
            with pytest.raises(click.BadParameter):
                DURATION.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("25m", 1500), ("1h30m", 5400), ("1.5s", 1.5), ("24h", 86400), ("86400", 86400), ("0.1", 0.1)],
)
def test_durations(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "s",
            "m",
            "-1",
            "+1",
            "1d",
            "1m1h",
            "500ms",
            "1 m",
            " 1m",
            "1m\n",
            "1e3",
            "inf",
            "nan",
            "24h1s",
        ),
        *("86401", "9" * 400, "\u0661s", "1.5m"),
    ],
)
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        DURATION.convert(text, None, None)


@given(st.dictionaries(st.text("abc/.", min_size=1, max_size=4), st.text("xyz=", max_size=4), max_size=4))
def test_pairs_by_repetition_and_by_commas(expected: dict[str, str]) -> None:
    texts = [f"{key}={value}" for key, value in expected.items()]
    assert pairs("--tags", texts) == expected
    assert pairs("--tags", texts * 2) == expected
    assert pairs("--tags", [",".join(texts)], split=True) == expected
    assert list(pairs("--tags", texts)) == list(expected)


def test_a_comma_belongs_to_the_value_where_pairs_are_not_split() -> None:
    assert pairs("--annotation", ["k=a,b=c"]) == {"k": "a,b=c"}
    assert pairs("--tags", ["k=a,b=c", "d="], split=True) == {"k": "a", "b": "c", "d": ""}


@pytest.mark.parametrize("texts", [["a"], ["=b"], ["a=1", "a=2"], ["a=1,b"], ["a=1,a=2"]])
def test_what_is_no_pair_names_the_flag(texts: list[str]) -> None:
    with pytest.raises(click.BadParameter) as caught:
        pairs("--tags", texts, split=True)
    assert caught.value.param_hint == "--tags"


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "", " d "]), max_size=3), max_size=3))
def test_a_list_by_repetition_and_by_commas(values: list[list[str]]) -> None:
    flat = [item.strip() for part in values for item in part if item.strip()]
    found = listed([",".join(part) for part in values])
    assert found == tuple(dict.fromkeys(flat))
    assert found == listed(flat)


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    cluster: ClusterFlags = group(ClusterFlags)
    run: RunFlags = group(RunFlags)
    output: OutputFlags = group(OutputFlags)


def common(line: str) -> tuple[int, str, CommonOptions | None]:
    """Exit code and output of a command with the common options, and their values."""
    seen: list[CommonOptions] = []

    @click.command()
    @bound(CommonOptions)
    def command(options: CommonOptions) -> None:
        seen.append(options)

    ran = CliRunner().invoke(command, line.split())
    return ran.exit_code, ran.output, seen[0] if seen else None


@pytest.mark.parametrize(
    "line",
    [
        "-c -x",
        f"-c {'c' * 101}",
        "--issuer-url http://a",
        "--account 1",
        "--assume-role role",
        "--timeout 0",
        "--rollback-timeout 1d",
        "-o xml",
        "-o json -o yaml",
        "-c a --cluster b",
    ],
)
def test_the_common_options_refuse_what_can_not_be(line: str) -> None:
    code, output, seen = common(line)
    assert (code, seen) == (2, None)
    assert next(part for part in reversed(line.split()) if part.startswith("-")) in output


def test_the_common_options_have_their_defaults() -> None:
    code, _, seen = common("-c a --cluster a")
    assert (code, seen) == (0, CommonOptions(cluster=ClusterFlags(where=WhereFlags(cluster="a"))))
    run, output = RunFlags(), OutputFlags()
    assert (run.timeout, run.rollback_timeout, output.output) == (300.0, 60.0, "text")
    assert not any((run.dry_run, run.detailed_exitcode, run.yes, output.quiet, output.verbose))


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    size: float | None = once("--size", kind=DURATION)
    texts: tuple[str, ...] = many("--text", kind=TEXT)


@dataclass(frozen=True, kw_only=True)
class WholeOptions:
    part: PartOptions = group(PartOptions)
    loud: bool = switch("--loud")
    place: str = once("-p", "--the-place", kind=TEXT, default="here")


RULES = (
    Excludes("loud", ("size", "texts"), unless="place"),
    Needs(("texts",), "size"),
    Wrong[WholeOptions](lambda options: options.place == "there", "not there"),
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (WholeOptions(), None),
        (WholeOptions(place="", loud=True), None),
        (WholeOptions(place="", loud=True, part=PartOptions(texts=("a",))),
         "--loud and --text contradict each other"),
        (WholeOptions(place="", loud=True, part=PartOptions(size=1, texts=("a",))),
         "--loud and --size contradict each other"),
        (WholeOptions(loud=True, part=PartOptions(size=1)), None),
        (WholeOptions(loud=True, part=PartOptions(size=0, texts=("a",))), "--text needs --size"),
        (WholeOptions(part=PartOptions(size=1, texts=("a",))), None),
        (WholeOptions(place="there"), "not there"),
    ],
)  # fmt: skip
def test_a_rule_is_broken_by_the_flags_that_are_given(options: WholeOptions, message: str | None) -> None:
    if message is None:
        check(options, RULES)
        return
    with pytest.raises(click.UsageError) as caught:
        check(options, RULES)
    assert caught.value.message == message


def test_a_rule_of_a_command_names_fields_that_the_command_has() -> None:
    """A field that is not there would let everything pass."""
    checked = 0
    for name in COMMANDS:
        module = importlib.import_module(module_of(name))
        known = {param.name for param in module.command.params}
        for table in ("CONTRADICTIONS", "PERMISSIONS", "LIMITS"):
            for rule in getattr(module, table, ()):
                if isinstance(rule, Excludes):
                    assert {rule.flag, *rule.excluded, rule.unless or rule.flag} <= known, (name, rule)
                elif isinstance(rule, Needs):
                    assert {rule.needed, *rule.flags} <= known, (name, rule)
                checked += 1
    assert checked > 40
