"""What the scenarios of `irsa verify` share: reading its document, changing a binding as somebody else."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.stage import Json, Ran, Stage

STEPS = ("token", "claims", "provider", "trust", "exchange", "identity")


def verify(stage: Stage, line: str = "reader -n $ns", code: int = 0, **expected: Any) -> Ran:
    """Run `irsa verify`, which changes nothing; no token and no secret is ever in what it says."""
    return stage.run(f"verify {line} -o json -v", code=code, silent="eyJ", changes="", **expected)


def statuses(document: Json) -> dict[str, str]:
    """Each step's status."""
    return {step["name"]: step["status"] for step in document["steps"]}


def all_ok(**others: str) -> dict[str, str]:
    """The statuses of a binding that works, but for these."""
    return {**dict.fromkeys(STEPS, "ok"), **others}


def all_but(*failed: str) -> dict[str, str]:
    """The statuses of a binding of which these steps and the exchange fail."""
    return all_ok(**dict.fromkeys((*failed, "exchange"), "failed"), identity="not-checked")


def step(document: Json, name: str) -> Json:
    """A step of the document."""
    found: Json = next(step for step in document["steps"] if step["name"] == name)
    return found


def open_checks(document: Json, name: str) -> list[str]:
    """The checks of a step that are not ok, by what they are of."""
    return [check["what"] for check in step(document, name)["checks"] if check["status"] != "ok"]


def change_trust(stage: Stage, arn: str, change: Callable[[Json], Any]) -> None:
    """Change the only statement of a role's trust policy (in place), or put what `change` returns."""
    iam, name = stage.iam(), arn.rsplit("/", 1)[-1]
    document = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    changed = change(document["Statement"][0])
    document["Statement"] = changed if isinstance(changed, list) else document["Statement"]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))


def also(stage: Stage, arn: str, **parts: Any) -> None:
    """Change parts of the only statement; `Condition` is demanded besides."""

    def change(statement: Json) -> list[Json]:
        condition = {**statement["Condition"], **parts.get("Condition", {})}
        return [{**statement, **parts, "Condition": condition}]

    change_trust(stage, arn, change)
