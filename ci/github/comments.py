"""One comment of a pull request, found again by a mark and updated; its frame and its length.

The result inside of it is irsa's own Markdown, in which texts of others are escaped already. Standard library
only.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

LIMIT = 65_536
"""Characters of a comment, as GitHub's database counts them."""
REPOSITORY = r"[\w.-]+/[\w.-]+"
PAGES = 50
TRIES = 3
PAUSE = 1.0
SECONDS = 10.0


class NoComment(Exception):
    """Why there is no comment."""


class NoPullRequest(NoComment):
    """The run is not about one, and nothing is wrong with that."""


def framed(command: str, outcome: str, text: str, env: Mapping[str, str], plan: str = "") -> str:
    """The result with a heading and the run that it is from. Of values only known forms are shown."""
    # irsa's own Markdown begins with how it ended.
    head = "" if text.startswith("#") else f"## irsa {_word(command)}: {_word(outcome).replace('-', ' ')}\n\n"
    if not text.strip():
        text = "There is no result; the log of the run has what irsa said.\n"
    told = []
    if where := _run_of(env):
        told.append(where)
    if commit := _commit(env):
        told.append(f"commit {commit[:12]}")
    if plan:
        told.append(f"plan {plan}")
    foot = f"\n<sub>{' · '.join(told)}</sub>\n" if told else ""
    return f"{head}{text.rstrip()}\n{foot}\n"


def _run_of(env: Mapping[str, str]) -> str:
    server, repository, run = (
        env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    known = (
        re.fullmatch(r"https://[\w.:-]+", server) and re.fullmatch(REPOSITORY, repository) and run.isdigit()
    )
    return f"[run {run}]({server}/{repository}/actions/runs/{run})" if known else ""


def _commit(env: Mapping[str, str]) -> str:
    """The commit that was looked at: of a pull request its head, not what GitHub merged."""
    head = (_event(env).get("pull_request") or {}).get("head") or {}
    commit = str(head.get("sha") or env.get("GITHUB_SHA", ""))
    return commit if re.fullmatch("[0-9a-f]{40,64}", commit) else ""


def _word(text: str) -> str:
    return text if re.fullmatch("[a-z-]+", text) else "run"


def shortened(text: str, limit: int) -> str:
    """The text within a limit, by whole lines, with what was opened in it closed again.

    irsa keeps the limit itself and says what it cut: this is for a text that it did not.
    """
    if length(text) <= limit:
        return text
    note = "\n\nThe rest is left out here: the log of the run has all of it.\n"
    kept: list[str] = []
    fence, depth, used = "", 0, length(note) + 200
    for line in text.splitlines():
        used += length(line) + 1
        if used > limit:
            break
        kept.append(line)
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        if not fence:
            depth += line.count("<details") - line.count("</details>")
    closing = ([fence] if fence else []) + ["", "</details>"] * max(0, depth)
    return "\n".join([*kept, *closing]) + note


def length(text: str) -> int:
    """Characters as counted in UTF-16."""
    return len(text.encode("utf-16-le", errors="replace")) // 2


def marker(env: Mapping[str, str]) -> str:
    """What tells this comment from others: the workflow, its job, and the id that was given."""
    names = [env.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB", "IRSA_ACTION_COMMENT_ID")]
    return f"<!-- irsa {hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]} -->"


def publish(env: Mapping[str, str], body: str, *, only_update: bool) -> str:
    """Update or create the comment; returns a message. Raises `NoComment`."""
    number = _pull_request(env)
    api = _Api(env)
    mark = marker(env)
    whole = f"{mark}\n{shortened(body, LIMIT - 500)}"
    author = env.get("IRSA_ACTION_COMMENT_AUTHOR", "")
    for found in api.comments(number):
        # A comment of somebody else with our mark is not ours: they could change its text.
        if str(found.get("body", "")).startswith(mark) and (found.get("user") or {}).get("login") == author:
            if found["body"].strip() == whole.strip():
                return "The comment says so already."
            api.send("PATCH", f"issues/comments/{int(found['id'])}", whole)
            return "The comment is updated."
    if only_update:
        return "There is nothing to do, and no comment that says otherwise."
    made = api.send("POST", f"issues/{number}/comments", whole)
    login = (made.get("user") or {}).get("login")
    if login != author:
        return (
            f"The author of the comment is {login!r}: set comment-author to it to update the comment later."
        )
    return "Comment created."


def _pull_request(env: Mapping[str, str]) -> int:
    """The number of the pull request that the event is about."""
    event = _event(env)
    about, issue = event.get("pull_request") or {}, event.get("issue") or {}
    number = about.get("number") or (issue.get("number") if issue.get("pull_request") else None)
    if not isinstance(number, int):
        raise NoPullRequest("this run is not about a pull request")
    return number


def _event(env: Mapping[str, str]) -> dict[str, Any]:
    with suppress(OSError, ValueError, KeyError):
        found = json.loads(Path(env["GITHUB_EVENT_PATH"]).read_text("utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is a failure: the token is for this server only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


class _Api:
    """GitHub's REST API, as far as comments need it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._token = env.get("IRSA_ACTION_TOKEN", "")
        repository = env.get("GITHUB_REPOSITORY", "")
        api = env.get("GITHUB_API_URL", "")
        if not self._token:
            raise NoComment("there is no token")
        if not re.fullmatch(REPOSITORY, repository):
            raise NoComment("GITHUB_REPOSITORY names no repository")
        place = urlsplit(api)
        if place.scheme != "https" and place.hostname not in ("127.0.0.1", "localhost"):
            raise NoComment("GITHUB_API_URL is no https address")
        self._base = f"{api.rstrip('/')}/repos/{repository}"
        self._opener = urllib.request.build_opener(_NoRedirect)

    def comments(self, number: int) -> Iterator[dict[str, Any]]:
        """All comments of a pull request, oldest first."""
        for page in range(1, PAGES + 1):
            query = urlencode({"per_page": 100, "page": page})
            found = self._call("GET", f"issues/{number}/comments?{query}")
            if not isinstance(found, list):
                raise NoComment("GitHub's answer is no list of comments")
            yield from (each for each in found if isinstance(each, dict))
            if len(found) < 100:
                return

    def send(self, method: str, path: str, body: str) -> dict[str, Any]:
        """Write a comment."""
        found = self._call(method, path, {"body": body})
        return found if isinstance(found, dict) else {}

    def _call(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> Any:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "User-Agent": "irsa-action",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        request = urllib.request.Request(
            f"{self._base}/{path}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers=headers,
        )
        for left in reversed(range(TRIES)):
            try:
                with self._opener.open(request, timeout=SECONDS) as answer:
                    return json.loads(answer.read(20_000_000))
            except urllib.error.HTTPError as error:
                # A POST whose answer failed may have worked: sent again it would be a second comment.
                if left and method != "POST" and (error.code >= 500 or error.code == 429):
                    time.sleep(PAUSE)
                    continue
                raise NoComment(_reason(error.code)) from None
            except (OSError, HTTPException, ValueError) as error:
                if left and method != "POST":
                    time.sleep(PAUSE)
                    continue
                raise NoComment(f"GitHub can't be reached: {type(error).__name__}") from None
        raise AssertionError


def _reason(status: int) -> str:
    if status in (401, 403, 404):
        return (
            f"the token may not comment (HTTP {status}). The job needs `permissions: pull-requests: write`; "
            "a pull request from a fork does not get it"
        )
    return f"GitHub answered HTTP {status}"
