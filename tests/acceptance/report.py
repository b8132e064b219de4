"""The report: built of what is safe to send in.

Of what services have said, there are only refusals without names and numbers, if their words are unknown.
"""

import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import botocore

import irsa_cli
from tests.acceptance.facts import Asked
from tests.acceptance.lateness import BUCKETS, Delays, histogram
from tests.acceptance.place import Json


@dataclass
class Step:
    """One step. `why` is made of this program's own words, codes and numbers."""

    name: str
    verdict: str = "not run"
    seconds: float = 0.0
    exit_codes: list[int] = field(default_factory=list)
    why: str = ""


@dataclass
class Report:
    """All that is known of a run."""

    steps: list[Step]
    kubernetes: str = ""
    region: str = ""
    outcome: str = "stopped"
    why: str = ""
    facts: Asked = field(default_factory=Asked)
    delays: Delays = field(default_factory=dict)
    left: int = 0
    seconds: float = 0.0
    calls: int = 0

    @property
    def passed(self) -> bool:
        """Whether every step has passed, no fact differed, and nothing was left."""
        steps = all(step.verdict in ("passed", "left out") for step in self.steps)
        return steps and not self.facts.codes and not self.left and self.outcome == "passed"

    def document(self) -> Json:
        """The report as JSON."""
        verdicts = list(self.facts.verdicts.values())
        return {
            "apiVersion": "irsa-acceptance/v1",
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "versions": {
                "irsa": irsa_cli.__version__,
                "boto3": boto3.__version__,
                "botocore": botocore.__version__,
                "python": platform.python_version(),
                "kubernetes": self.kubernetes,
            },
            "region": self.region,
            "outcome": self.outcome if self.outcome != "passed" or self.passed else "failed",
            "why": self.why,
            "seconds": round(self.seconds, 1),
            "calls": self.calls,
            "left": self.left,
            "steps": [
                {
                    "name": step.name,
                    "verdict": step.verdict,
                    "seconds": round(step.seconds, 1),
                    "exitCodes": step.exit_codes,
                    "why": step.why,
                }
                for step in self.steps
            ],
            "facts": {
                "asAWS": verdicts.count("as AWS"),
                "rightCodeOnly": verdicts.count("right code only"),
                "not": verdicts.count("not"),
                "notAsked": self.facts.not_asked,
                "wordsSeen": [{"id": name, "words": words} for name, words in self.facts.words.items()],
                "different": [
                    {"id": name, "verdict": self.facts.verdicts[name], "code": code}
                    for name, code in self.facts.codes.items()
                ],
            },
            "delays": {
                what: {"histogram": histogram(found), "longest": round(max(found), 3)}
                for what, found in self.delays.items()
            },
        }

    def markdown(self) -> str:
        """The report for people."""
        found = self.document()
        facts, versions = found["facts"], found["versions"]
        reason = f" ({found['why']})" if found["why"] else ""
        lines = [
            f"# irsa acceptance: {found['outcome']}{reason}",
            "",
            f"{found['date']} · {found['region']} · {found['seconds']} s · {found['calls']} calls · "
            f"{found['left']} objects left",
            "",
            *(f"- {name} {version}" for name, version in versions.items()),
            "",
            "| step | verdict | s | exit codes | |",
            "| --- | --- | --- | --- | --- |",
        ]
        for step in found["steps"]:
            codes = " ".join(map(str, step["exitCodes"]))
            lines.append(
                f"| {step['name']} | {step['verdict']} | {step['seconds']} | {codes} | {step['why']} |"
            )
        lines += [
            "",
            f"Facts: {facts['asAWS']} as in the table, {facts['rightCodeOnly']} with the right code only, "
            f"{facts['not']} not, {facts['notAsked']} not asked.",
            "",
            *(f"- `{item['id']}`: {item['verdict']} {item['code']}" for item in facts["different"]),
            "",
            *(
                f"- `{item['id']}`, whose words nobody has told: {item['words']}"
                for item in facts["wordsSeen"]
            ),
            "",
            f"| old state last seen, s | {' | '.join(name for name, _ in BUCKETS)} | longest |",
            f"| --- |{' --- |' * (len(BUCKETS) + 1)}",
        ]
        for what, item in found["delays"].items():
            lines.append(
                f"| {what} | {' | '.join(map(str, item['histogram'].values()))} | {item['longest']} |"
            )
        return "\n".join([*lines, ""])

    def write(self, markdown: Path | None, document: Path | None) -> None:
        """Write the files, which only their owner can read."""
        texts = {markdown: self.markdown(), document: json.dumps(self.document(), indent=2) + "\n"}
        for path, text in texts.items():
            if path is not None:
                path.unlink(missing_ok=True)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(text)
