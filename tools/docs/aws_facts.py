"""Write docs/reference/aws-facts.md: what AWS answers, and what the sandbox and stock moto answer.

It asks both for all facts of tests/aws_facts, which takes half a minute. With `--check`, it fails when the
page is stale; the tests do that.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.aws_facts import asking  # noqa: E402 - the tests are no package that is installed
from tests.aws_facts.fact import Fact, Refusal  # noqa: E402
from tests.aws_facts.table import FACTS, PARTS  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "aws-facts.md"
VERDICTS: tuple[asking.Verdict, ...] = ("as AWS", "right code only", "not")
Verdicts = Mapping[str, asking.Verdict]
HEAD = """\
# Facts about AWS

<!-- Written by tools/docs/aws_facts.py from the table in tests/aws_facts: change it there. -->

Answers of IAM, STS and EKS that `irsa` depends on, each with its source, and whether the
[sandbox](../explanation/sandbox.md) and stock [moto](https://github.com/getmoto/moto) answer the same. A test
asks both for the whole table. No fact was tried on AWS by this project: the sources say who has.

An answer is *as AWS* if code, HTTP status, words and fields are the same, as far as the source tells them;
*right code only* if an error has the same code, but another status or other words.

A source has the answer's *words* (all of it, recorded on AWS or pasted by somebody), its *code only*, or is a
*rule of a guide* or of AWS's models. If it is *unknown* with which code AWS refuses, the sandbox still does.
"""
_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:#| PR #?|/issues/)\d+")
_OTHER_MAKERS = {
    "localstack/localstack, tests": "LocalStack (recorded on AWS)",
    "botocore": "botocore (AWS's models)",
    "docs.aws.amazon.com": "AWS's guides",
    "repost.aws": "AWS re:Post",
}


def asked() -> tuple[Verdicts, Verdicts]:
    """How the sandbox and moto answer, by the facts' ids."""
    answers = []
    # Stock moto comes first: the sandbox teaches it more.
    for target in (asking.moto, asking.sandbox):
        with target() as one:
            answers.append({fact.id: asking.ask(one, fact) for fact in FACTS})
    return answers[1], answers[0]


def page(sandbox: Verdicts, moto: Verdicts) -> str:
    """The whole page."""
    parts = (_counts(sandbox, moto), _evidence(sandbox), _makers(), _not_simulated(), _parts(sandbox, moto))
    return "\n".join([HEAD, *chain.from_iterable(parts)])


def _counts(sandbox: Verdicts, moto: Verdicts) -> Iterator[str]:
    yield "| | facts | as AWS | right code only | not |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, verdicts in (("sandbox", sandbox), ("stock moto", moto)):
        count = Counter(verdicts.values())
        yield f"| {name} | {len(FACTS)} | {' | '.join(str(count[verdict]) for verdict in VERDICTS)} |"
    yield ""


def _evidence(sandbox: Verdicts) -> Iterator[str]:
    yield "| the source has | facts | sandbox as AWS |"
    yield "| --- | ---: | ---: |"
    for evidence in ("words", "code only", "rule of a guide", "unknown"):
        ids = [fact.id for fact in FACTS if fact.evidence == evidence]
        as_aws = sum(sandbox[name] == "as AWS" for name in ids)
        yield f"| {evidence} | {len(ids)} | {as_aws} |"
    yield ""


def _makers() -> Iterator[str]:
    """The makers of the sources, those of most facts first."""
    counts: Counter[str] = Counter()
    for fact in FACTS:
        makers = {name for text, name in _OTHER_MAKERS.items() if text in fact.source}
        counts.update(makers | set(_REPOSITORY.findall(fact.source)))
    listed = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    text = ", ".join(f"{_text(name)} {count}" for name, count in listed)
    yield f"Sources, with their numbers of facts: {text}.\n"


def _not_simulated() -> Iterator[str]:
    yield "## Not simulated\n"
    for fact in FACTS:
        if fact.not_simulated:
            yield f"- {_text(fact.says)} Not simulated: {_text(fact.not_simulated)}."
    yield ""


def _parts(sandbox: Verdicts, moto: Verdicts) -> Iterator[str]:
    for title, facts in PARTS.items():
        yield f"## {title}\n"
        yield "| fact | AWS answers | source has | sandbox | moto | source |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for fact in facts:
            verdicts = (sandbox[fact.id], moto[fact.id])
            row = (_text(fact.says), _answer(fact), fact.evidence, *verdicts, _text(fact.source))
            yield f"| {' | '.join(row)} |"
        yield ""


def _answer(fact: Fact) -> str:
    if isinstance(fact.answer, Refusal) and not fact.answer.code:
        return "refuses it"
    if isinstance(fact.answer, Refusal):
        return f"`{fact.answer.code}`, {fact.answer.status}"
    return "accepts it"


def _text(text: str) -> str:
    """Plain text in a cell of a table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;").replace("[", "\\[")


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; prints the counts, and returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python tools/docs/aws_facts.py [--check]", file=sys.stderr)
        return 2
    sandbox, moto = asked()
    print("\n".join(_counts(sandbox, moto)))
    desired = page(sandbox, moto)
    if not arguments:
        PAGE.write_text(desired, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != desired:
        print("docs/reference/aws-facts.md is stale: python tools/docs/aws_facts.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
