"""The list of TPU VMs: one table of columns, and one of states."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import get_args

import pytest

from heartbeat_core.cloud.tpu import Endpoint, Node, QueuedResource
from heartbeat_core.columns import ColumnSpec, json_object, lay_out, row_texts, sort_rows, text_table, wanted_widths
from heartbeat_core.vms.columns import COLUMNS, VmRow, arranged, vm_rows
from heartbeat_core.vms.inventory import Inventory
from heartbeat_core.vms.pricing import Rates
from heartbeat_core.vms.vocabulary import NODE_STATES, QUEUED_STATES, STEPS, Step, VmState, step_text

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
RATES = Rates(NOON, "a test", {"v6e us-central1 on-demand": 2.0})
NODE = Node(
    "llm-tpu-vm", "us-central1-b", "READY", "HEALTHY", None, "v6e-16", "v2-alpha-tpuv6e", "on-demand",
    (Endpoint("10.0.0.2", "203.0.113.5"), Endpoint("10.0.0.3", "203.0.113.6")), None, "2026-11-24T10:00:00Z", None, (), {"team": "llm"},
)  # fmt: skip
SMALL = replace(NODE, id="small", accelerator_type="v6e-4", state="STOPPED", endpoints=())
QUEUED = QueuedResource("big", "us-east5-a", "ACCEPTED", ("v6e-8", "v6e-8"), ("big",), "spot", None)
ROWS = tuple(vm_rows(Inventory(NOON, "p", "-", (NODE, SMALL), (QUEUED,)), RATES, NOON))


def ids(rows: list[VmRow]) -> list[str]:
    return [row.id for row in rows]


def test_a_column_that_is_added_is_in_text_in_json_on_the_screen_and_sorts() -> None:
    hosts = ColumnSpec[VmRow]("hosts", "HOSTS", lambda row: str(hosts_of(row)), least=5, worth=20, sort=hosts_of, json=hosts_of)
    columns = (*COLUMNS, hosts)
    head, first, *_ = text_table(columns, ROWS)
    assert (head.split()[-1], first.split()[-1]) == ("HOSTS", "2")
    assert json_object(columns, ROWS[0])["hosts"] == 2
    assert row_texts(lay_out(columns, wanted_widths(columns, ROWS), 80), ROWS[0])[-1][0].strip() == "2"
    assert ids(sort_rows(columns, ROWS, ("hosts", True)))[0] == "llm-tpu-vm"


def hosts_of(row: VmRow) -> int:
    return len(row.node.endpoints) if row.node else 0


def test_cells_are_short_and_json_is_whole() -> None:
    text = list(text_table(COLUMNS, ROWS))
    assert "203.0.113.5 +1" in text[1]
    assert "≤ $64.00" in text[1]
    assert "32.00" in text[1]
    assert "$" not in text[2]
    assert "(queued) big" in text[3]
    assert "2×v6e-8" in text[3]
    found = json_object(COLUMNS, ROWS[0])
    assert found["external_ips"] == ["203.0.113.5", "203.0.113.6"]
    assert (found["per_hour_usd"], found["cost_at_most_usd"], found["age_s"]) == (32.0, 64.0, 7200.0)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, ("llm-tpu-vm", "us-central1-b", "! maintenance")),
        (120, ("nightly-v6e-16", "us-central1-b", "! maintenance", "≤ $64.00")),
        (160, ("nightly-v6e-16", "us-central1-b", "! maintenance", "≤ $64.00", "tpuv6e", "tpu-runner")),
    ],
)
def test_what_matters_is_whole_beside_a_long_state(width: int, shown: tuple[str, ...]) -> None:
    sick = replace(
        NODE, id="nightly-v6e-16", health="UNHEALTHY_MAINTENANCE", service_account="tpu-runner@a-project.iam.gserviceaccount.com"
    )
    waiting = replace(QUEUED, state="WAITING_FOR_RESOURCES")
    rows = tuple(vm_rows(Inventory(NOON, "p", "-", (sick, NODE), (waiting,)), RATES, NOON))
    layout = lay_out(COLUMNS, wanted_widths(COLUMNS, rows), width - 4)
    text = "\n".join("".join(cell for cell, _ in row_texts(layout, row)) for row in rows)
    assert [each for each in (*shown, "… WAITING") if each not in text] == []


def test_rows_are_filtered_by_all_words_and_sizes_sort_as_numbers() -> None:
    assert ids(arranged(ROWS, ("name", False), "team=llm stopped")) == ["small"]
    assert ids(arranged(ROWS, ("name", False), "QUEUED")) == ["big"]
    assert ids([row for row in arranged(ROWS, ("type", False)) if row.node]) == ["small", "llm-tpu-vm"]


@pytest.mark.parametrize("state", [*NODE_STATES.values(), *QUEUED_STATES.values()], ids=lambda state: state.name)
def test_every_state_has_a_glyph_and_a_sentence(state: VmState) -> None:
    assert len(state.glyph) == 1
    assert state.meaning.endswith(".")


def test_every_step_has_its_words() -> None:
    assert set(STEPS) | {"state"} == set(get_args(Step))
    assert step_text("state", "READY") == ("● READY", "ok")
    assert step_text("zone", "us-east5-b") == ("trying us-east5-b", "strong")
