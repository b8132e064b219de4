"""A journal that this irsa did not write: what it has left is found all the same.

How such journals are read, and that they hide no other, the unit tests of journals say.
"""

from __future__ import annotations

import json

from tests.scenarios.alone import small_alone as small_alone
from tests.scenarios.test_recover import ATTACHING, WISH, cut_off
from tests.support.stage import Stage


def test_the_remains_of_a_journal_that_is_not_understood_are_found_by_the_proposed_command(
    small: Stage,
) -> None:
    before = small.world()
    transaction = cut_off(small, "app", "apps", *WISH, at=ATTACHING)
    journal = small.folder / "state" / f"{transaction}.jsonl"
    header, *lines = journal.read_text().splitlines()
    said = json.loads(header)
    said["plan"][0][0]["kind"] = "PodIdentityAssociation"
    journal.write_text("\n".join([json.dumps(said), *lines]) + "\n")
    half = small.world()
    ran = small.irsa("recover", transaction, "-o", "json")
    assert small.world() == half
    (step,) = ran.error["next"]
    arguments = step.partition("  #")[0].split()[1:]
    listed = small.irsa(*arguments, "--min-age", "0", "-o", "json")
    assert [item["transaction"] for item in listed.items] == [transaction]
    assert small.irsa(*arguments, transaction, "--min-age", "0").code == 0
    assert small.world() == before
