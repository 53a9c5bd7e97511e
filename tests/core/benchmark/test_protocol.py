from __future__ import annotations

import json
from array import array
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.protocol import (
    KINDS,
    PHASES,
    SCHEMA,
    ChipReading,
    Chips,
    Elapsed,
    Ended,
    Environment,
    Failed,
    HandbookClock,
    Health,
    Label,
    Pause,
    PeaksMeasured,
    Profiled,
    Proof,
    Record,
    Samples,
    Stage,
    Started,
    StreamError,
    Unknown,
    decode,
    encode,
)
from heartbeat_core.errors import without_controls

whole = st.integers(-(2**63), 2**63 - 1)
real = st.floats(allow_nan=False, allow_infinity=False) | whole
above = st.floats(min_value=1e-300, allow_infinity=False)
texts = st.text().map(without_controls)  # others are never read back as they were
json_values = st.recursive(
    st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)


def columns(rows: list[tuple[int, int]], split: bool) -> dict[str, array[int]]:
    total = array("q", [row[0] for row in rows])
    return {"total": total, "wait": array("q", [row[1] for row in rows])} if split else {"total": total}


every_record = st.one_of(
    st.builds(Started, whole, st.integers(0, SCHEMA), texts, whole, texts, json_objects),
    st.builds(Stage, whole, texts, st.none() | whole),
    st.builds(Environment, whole, json_objects),
    st.builds(Samples, whole, st.sampled_from(PHASES), whole, st.builds(columns, st.lists(st.tuples(whole, whole)), st.booleans())),
    st.builds(HandbookClock, whole, st.integers(1, 2**63 - 1), whole, whole, whole, whole),
    st.builds(Health, whole, whole, st.none() | real, st.none() | real, st.none() | real),
    st.builds(
        Chips,
        whole,
        texts,
        st.lists(st.builds(ChipReading, whole, st.none() | whole, st.none() | whole, st.none() | real)).map(tuple),
        st.none() | texts,
    ),
    st.builds(Pause, whole, whole, whole),
    st.builds(Proof, whole, whole, st.none() | real, texts, st.booleans(), st.none() | whole, st.none() | whole),
    st.builds(PeaksMeasured, whole, above, above, texts),
    st.builds(Elapsed, whole, whole, whole),
    st.builds(Profiled, whole, texts, json_objects, texts),
    st.builds(Failed, whole, texts, texts, texts, texts),
    st.builds(Ended, whole, texts),
    st.builds(Label, whole, texts, texts, st.lists(texts).map(tuple), texts),
    st.builds(lambda at, more: Unknown(at, {**more, "type": "telegram", "at_ns": at}), whole, json_objects),
)


@given(every_record)
def test_any_record_comes_back_from_its_line(record: Record) -> None:
    line = encode(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == record


def test_every_kind_of_record_is_tried() -> None:
    tried = {kind for kind in KINDS.values() if kind.__name__ in repr(every_record)}
    assert tried == set(KINDS.values())


@given(st.binary())
def test_any_bytes_are_a_record_or_distinguished_from_one(line: bytes) -> None:
    decode_or_refuse(line)


@given(every_record, st.data())
def test_a_damaged_line_is_a_record_or_reported_as_none(record: Record, data: st.DataObject) -> None:
    line = bytearray(encode(record))
    for _ in range(data.draw(st.integers(1, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    decode_or_refuse(bytes(line[: data.draw(st.integers(0, len(line)))]))


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_values_of_a_wrong_type_never_pass_for_right_ones(kind: str, data: st.DataObject) -> None:
    values = {f.name: data.draw(json_values) for f in fields(KINDS[kind])}
    record = decode_or_refuse(json.dumps({"type": kind, **values}).encode())
    if record is not None:
        assert decode(encode(record)) == record


def decode_or_refuse(line: bytes) -> Record | None:
    try:
        return decode(line)
    except StreamError:
        return None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Defaulting to PJRT_DEVICE=CPU\n",
        b"[]\n",
        b"null\n",
        b'{"type":"ended"}\n',
        b'{"type":"ended","at_ns":1.5,"reason":"done"}\n',
        b'{"type":"ended","at_ns":true,"reason":"done"}\n',
        b'{"type":"ended","at_ns":99999999999999999999,"reason":"done"}\n',
        b'{"type":"ended","at_ns":1}\n',
        b'{"type":"proof","at_ns":1,"row":0,"error":NaN,"implies":"","passed":true}\n',
        b'{"type":"proof","at_ns":1,"row":0,"error":1e999,"implies":"","passed":true}\n',
        b'{"type":"stage","at_ns":1,"name":5}\n',
        b'{"type":"environment","at_ns":1,"values":[]}\n',
        b'{"type":"label","at_ns":1,"tags":"tpu"}\n',
        b'{"type":"label","at_ns":1,"tags":[5]}\n',
        b'{"type":"handbook","at_ns":1,"products":0,"total_ns":1,"launched":0,"fence_ns":1,"idle_fence_ns":1}\n',
        b'{"type":"ceiling","at_ns":1,"flops_per_s":0,"bytes_per_s":1}\n',
        b'{"type":"samples","at_ns":1,"phase":"hot","start":0,"columns":{"total":""}}\n',
        b'{"type":"samples","at_ns":1,"phase":"cold","start":"0","columns":{"total":""}}\n',
        b'{"type":"samples","at_ns":1,"phase":"cold","start":0,"columns":{"wait":""}}\n',
        b'{"type":"samples","at_ns":1,"phase":"cold","start":0,"columns":{"total":"AAAA"}}\n',
        b'{"type":"samples","at_ns":1,"phase":"cold","start":0,"columns":{"total":"!"}}\n',
        b'{"type":"samples","at_ns":1,"phase":"cold","start":0,"columns":{"total":"AAAAAAAAAAA=","wait":""}}\n',
        b'{"type":"samples","at_ns":1,"phase":"cold","start":0,"columns":{"total":7}}\n',
        b'{"a":' * 100_000,
    ],
)
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(StreamError, match="the stream holds a line that is no record"):
        decode(line)


def test_foreign_text_is_quoted_short_and_without_control_characters() -> None:
    with pytest.raises(StreamError) as refused:
        decode(b"\x1b[31m\xff red" + b"x" * 1000)
    assert "\x1b" not in refused.value.title
    assert len(refused.value.title) < 250


def test_a_kind_of_a_newer_version_is_kept_as_it_is() -> None:
    line = b'{"type":"telegram","at_ns":5,"words":["stop"]}\n'
    record = decode(line)
    assert isinstance(record, Unknown)
    assert record.at_ns == 5
    assert encode(record) == line


def test_a_field_of_a_newer_version_is_left_out() -> None:
    assert decode(b'{"type":"ended","at_ns":5,"reason":"done","mood":"fine"}') == Ended(5, "done")


def test_a_field_with_a_default_may_be_missing() -> None:
    assert decode(b'{"type":"stage","at_ns":5,"name":"import"}') == Stage(5, "import")


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    values: dict[str, Any] = vars(Started(0, SCHEMA + 1, "9", 1, "2030-01-01T00:00:00+00:00", {}))
    with pytest.raises(StreamError, match=f"schema {SCHEMA + 1}") as refused:
        decode(json.dumps({"type": "started", **values}).encode())
    assert refused.value.remedy == "Update heartbeat-tui."


def test_numbers_no_json_has_are_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(Proof(0, 0, float("nan"), "", passed=False))
