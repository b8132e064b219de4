"""Whether an explanation stays what it is, whatever the values are that can't be known."""

from irsa_cli.core.trust.evaluation import Answer, Explanation


def is_certain(found: Explanation) -> bool:
    return found.answer is not Answer.UNKNOWN
