"""Entries are written into YAML files that keep every other byte; if that is impossible, they are refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.export.in_place import Edit, with_entries
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, STS_REGIONAL_ANNOTATION
from irsa_cli.core.values.errors import InvalidInput, Refused
from tests.support.thoroughness import examples

ARN = "arn:aws:iam::111122223333:role/irsa/demo/demo-backend-app-1a2b3c4d"
LINE = f"eks.amazonaws.com/role-arn: {ARN}"
FLOW = f'eks.amazonaws.com/role-arn: "{ARN}"'
JSON = f'"eks.amazonaws.com/role-arn": "{ARN}"'
PATH = ("serviceAccount", "annotations")


def written(text: str, **more: str) -> str:
    return with_entries(text, "values.yaml", [Edit(0, PATH, {ROLE_ARN_ANNOTATION: ARN, **more})])


CASES = {
    # before: after
    "": f"serviceAccount:\n  annotations:\n    {LINE}\n",
    "# all comments": f"# all comments\nserviceAccount:\n  annotations:\n    {LINE}\n",
    "---\n": f"---\nserviceAccount:\n  annotations:\n    {LINE}\n",
    "{}\n": f"{{serviceAccount: {{annotations: {{{FLOW}}}}}}}\n",
    "a: 1\n": f"a: 1\nserviceAccount:\n  annotations:\n    {LINE}\n",
    "a: 1\n\n# end\n": f"a: 1\nserviceAccount:\n  annotations:\n    {LINE}\n\n# end\n",
    "a: {}\n  # b: 1\n": f"a: {{}}\n  # b: 1\nserviceAccount:\n  annotations:\n    {LINE}\n",
    "a: 1\n...\n": f"a: 1\nserviceAccount:\n  annotations:\n    {LINE}\n...\n",
    "serviceAccount:": f"serviceAccount:\n  annotations:\n    {LINE}",
    "serviceAccount: {}": f"serviceAccount:\n  annotations:\n    {LINE}",
    "serviceAccount: ~ # none\n": f"serviceAccount: # none\n  annotations:\n    {LINE}\n",
    "serviceAccount: {create: true}\n": f"serviceAccount: {{create: true, annotations: {{{FLOW}}}}}\n",
    "serviceAccount:\n    create: true\n": "serviceAccount:\n    create: true\n"
    f"    annotations:\n        {LINE}\n",
    "serviceAccount:\n  annotations: {}  # none\n  name: a\n": "serviceAccount:\n  annotations:  # none\n"
    f"    {LINE}\n  name: a\n",
    "serviceAccount:\r\n  annotations: null\r\n  name: a\r\n": "serviceAccount:\r\n  annotations:\r\n"
    f"    {LINE}\r\n  name: a\r\n",
    "serviceAccount:\n  annotations:\n      # example: 1\n  name: a\n": "serviceAccount:\n  annotations:\n"
    f"      {LINE}\n      # example: 1\n  name: a\n",
    "serviceAccount:\n  annotations: {\n    # none\n  }\n": f"serviceAccount:\n  annotations: {{{FLOW}\n"
    "    # none\n  }\n",
    "serviceAccount:\n  annotations:\n    {}\n": f"serviceAccount:\n  annotations:\n    {{{FLOW}}}\n",
    "serviceAccount:\n  annotations:\n    a: b\n": f"serviceAccount:\n  annotations:\n    a: b\n    {LINE}\n",
    "serviceAccount:\n  annotations:\n    a: |\n      b": f"serviceAccount:\n  annotations:\n    {LINE}\n"
    "    a: |\n      b",
    "serviceAccount:\n  annotations:\n    a: |+\n      b\n\n\nc: 1\n": "serviceAccount:\n  annotations:\n"
    f"    a: |+\n      b\n\n\n    {LINE}\nc: 1\n",
    "serviceAccount:\n  annotations: {a: b}  # few\n": "serviceAccount:\n"
    f"  annotations: {{a: b, {FLOW}}}  # few\n",
    '{\n  "serviceAccount": {\n    "create": true\n  }\n}\n': '{\n  "serviceAccount": {\n'
    f'    "create": true,\n    "annotations": {{{JSON}}}\n  }}\n}}\n',
    "a: &b {c: d}\nserviceAccount:\n  annotations:\n    <<: *b\n": "a: &b {c: d}\nserviceAccount:\n"
    f"  annotations:\n    {LINE}\n    <<: *b\n",
    "a: &b 1\nserviceAccount: {create: *b}\n": "a: &b 1\n"
    f"serviceAccount: {{annotations: {{{FLOW}}}, create: *b}}\n",
    "\ufeffserviceAccount: {}\n": f"\ufeffserviceAccount:\n  annotations:\n    {LINE}\n",
    "😀: 1\nserviceAccount:\n  annotations: {}  # 😀\n": "😀: 1\nserviceAccount:\n  annotations:  # 😀\n"
    f"    {LINE}\n",
    "? serviceAccount\n: create: true\n": f"? serviceAccount\n: create: true\n  annotations:\n    {LINE}\n",
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), CASES.items())
def test_an_entry_is_added(before: str, after: str) -> None:
    assert written(before) == after
    assert written(after) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f" {ARN}"),
        (" # old", f" {ARN} # old"),
        (" arn:aws:iam::1:role/old # c", f" {ARN} # c"),
        (' "arn:aws:iam::1:role/old"', f' "{ARN}"'),
        (" 'old'", f" '{ARN}'"),
        (" true", f" {ARN}"),
        (f' "{ARN}"  ', f' "{ARN}"  '),
    ],
)
def test_the_value_of_an_entry_is_replaced_in_its_quotes(before: str, after: str) -> None:
    text = "serviceAccount:\n  annotations:\n    eks.amazonaws.com/role-arn:{}\n    a: b\n"
    assert written(text.format(before)) == text.format(after)


def test_several_entries_are_written_where_each_belongs() -> None:
    text = "serviceAccount:\n  annotations:\n    eks.amazonaws.com/role-arn: old\n    a: b\n"
    expected = (
        f'serviceAccount:\n  annotations:\n    {LINE}\n    a: b\n    {STS_REGIONAL_ANNOTATION}: "true"\n'
    )
    assert written(text, **{STS_REGIONAL_ANNOTATION: "true"}) == expected


def test_documents_and_items_are_told_apart() -> None:
    text = "a: 1\n---\n# empty\n---\nitems:\n- metadata: {}\n- metadata:\n    name: b\n"
    edits = [Edit(1, ("items", index, "metadata", "annotations"), {"c": "d"}) for index in (0, 1)]
    assert with_entries(text, "list.yaml", edits) == (
        'a: 1\n---\n# empty\n---\nitems:\n- metadata:\n    annotations:\n      c: "d"\n'
        '- metadata:\n    name: b\n    annotations:\n      c: "d"\n'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("serviceAccount: &a\n  annotations: {}\nb: *a\n", "an alias uses the same value elsewhere"),
        ("serviceAccount:\n  annotations: &a {}\nb: *a\n", "an alias uses the same value elsewhere"),
        ("a: &a {annotations: {}}\nserviceAccount: *a\n", "an alias uses the same value elsewhere"),
        ("a: &a {annotations: {b: c}}\nserviceAccount:\n  <<: *a\n", "a merge key (<<) may have annotations"),
        ("serviceAccount:\n  annotations: &a {}\n", "the present value has an anchor or a tag"),
        ("serviceAccount:\n  annotations: !!map {}\n", "the present value has an anchor or a tag"),
        ("serviceAccount: app\n", "this is no mapping"),
        ("- serviceAccount: {}\n", "this is no mapping"),
        ("serviceAccount: {}\nserviceAccount: {}\n", "serviceAccount is there twice"),
        ("serviceAccount: {{ toYaml .Values.sa }}\n", "it is a template: {{ }} stands for a value"),
        (
            "serviceAccount:\n  annotations:\n    eks.amazonaws.com/role-arn: >-\n      old\n",
            "the present value is no text in one line",
        ),
    ],
)
def test_what_can_not_be_written_alone_is_refused_with_the_lines(text: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        written(text)
    assert caught.value.reason == reason
    assert caught.value.details == ("write by hand, in serviceAccount.annotations:", f"  {LINE}")


def test_a_text_that_is_not_yaml_is_wrong_input() -> None:
    with pytest.raises(InvalidInput, match=r"values\.yaml:1:5"):
        written("a: b: c\n")


def test_ten_thousand_lines_are_written_at_once() -> None:
    one = "---\nkind: ServiceAccount\nmetadata:\n  name: a\n  # none\n  labels: {b: c}\n"
    text = one * 2_000
    edits = [Edit(index, ("metadata", "annotations"), {"d": "e"}) for index in range(2_000)]
    assert with_entries(text, "all.yaml", edits) == (one + '  annotations:\n    d: "e"\n') * 2_000


word = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True).filter(lambda text: text not in ("y", "n"))
scalars = ("1", "true", "''", '"a # b"', "'it''s'", "{}", "[]", "[a, {b: c}]", "{d: 'e'}", "~", "", "&x y")
scalar = word | st.sampled_from(scalars)
block_text = st.sampled_from(["|", "|-", ">", "|+"])
comment = st.sampled_from(["", "", "", " # why", "   #"])
Lines = list[tuple[int, str]]
"""Lines of a YAML text, each with its level of indentation."""


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> Lines:
    """A mapping in block style, with comments and blank lines between and behind its entries."""
    lines: Lines = []
    for key in draw(st.lists(word, min_size=1, max_size=3, unique=True)):
        lines += draw(noise)
        lines += draw(entries(key, depth))
    return lines


noise = st.sampled_from([[], [], [], [(0, "")], [(0, "# note")], [(2, "# deeper")], [(0, ""), (1, "#")]])


@st.composite
def entries(draw: st.DrawFn, key: str, depth: int) -> Lines:
    kind = draw(st.sampled_from(["scalar", "text", "list", "mapping"]))
    if kind == "text":
        return [(0, f"{key}: {draw(block_text)}"), (1, draw(word)), (1, draw(word))]
    if kind == "list":
        items = draw(st.lists(word, min_size=1, max_size=2))
        return [(0, f"{key}:"), *((1, f"- {item}{draw(comment)}") for item in items)]
    if kind == "mapping" and depth < 2:
        inner = draw(blocks(depth + 1))
        return [(0, f"{key}:{draw(comment)}"), *((level + 1, line) for level, line in inner)]
    return [(0, f"{key}: {draw(scalar)}{draw(comment)}")]


@st.composite
def targets(draw: st.DrawFn) -> Lines:
    """A ServiceAccount's settings as charts have them, or as nobody has them yet."""
    annotations = [(0, f"annotations:{draw(st.sampled_from(['', ' {}', ' null', ' ~']))}{draw(comment)}")]
    full = [(0, "annotations:"), *((level + 1, line) for level, line in draw(blocks(1)))]
    present = [
        (1, f"{ROLE_ARN_ANNOTATION}: {draw(st.sampled_from(['old', ARN, '', 'null']))}{draw(comment)}")
    ]
    own = draw(st.sampled_from([[], annotations, full, [*full, *present], [*full[:1], *present, *full[1:]]]))
    around = draw(blocks(1))
    inner = draw(st.sampled_from([[*around, *own], [*own, *around]]))
    return [(0, "serviceAccount:"), *((level + 1, line) for level, line in inner)]


@st.composite
def texts(draw: st.DrawFn) -> str:
    parts = [draw(blocks()), draw(targets()) if draw(st.booleans()) else [], draw(noise)]
    lines = [line for part in draw(st.permutations(parts)) for line in part]
    step, line_break = draw(st.sampled_from([2, 4, 3])), draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = line_break.join(" " * step * level + line for level, line in lines)
    return text + draw(st.sampled_from(["", line_break, line_break * 2]))


def data(text: str) -> Any:
    return yaml.safe_load(text)


def expected(text: str) -> Any:
    """What the text means with the annotation, by PyYAML's constructor instead of the nodes."""
    values = data(text) or {}
    settings_ = values.setdefault("serviceAccount", {})
    settings_["annotations"] = {**(settings_.get("annotations") or {}), ROLE_ARN_ANNOTATION: ARN}
    return values


def lines_lost(before: str, after: str) -> list[str]:
    """The lines of the text before that are not in the one after, in their order."""
    left = iter(after.splitlines())
    lost = []
    for line in before.splitlines():
        rest = list(left)
        if line in rest:
            left = iter(rest[rest.index(line) + 1 :])
        else:
            lost.append(line)
            left = iter(rest)
    return lost


@settings(max_examples=examples(400), deadline=None)
@given(texts())
def test_only_the_annotation_differs_whatever_the_file_looks_like(text: str) -> None:
    try:
        data(text)
    except yaml.YAMLError:  # Two random parts can have the same anchor, or a text at the end of another.
        return
    try:
        after = written(text)
    except Refused:
        after = ""
    if not after:
        assert "&" in text
        return
    assert data(after) == expected(text)
    assert written(after) == after
    if "\r\n" in text:
        assert "\n" not in after.replace("\r\n", "")
    lost = lines_lost(text, after)
    assert len(lost) <= 1
    assert all("annotations:" in line or ROLE_ARN_ANNOTATION in line for line in lost)
    assert all(line.partition("#")[2] in after for line in lost)
