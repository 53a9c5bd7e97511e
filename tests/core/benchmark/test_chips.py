from __future__ import annotations

import pytest

from heartbeat_core.benchmark.tpu_chips import CHIPS, chip_by_name, chip_by_pci


@pytest.mark.parametrize(("written", "name"), [("v6e", "v6e"), ("V5P", "v5p"), ("tpu7x", "7x"), ("TPU v6e", "v6e"), ("tpu-v5e", "v5e")])
def test_names_are_read_as_people_write_them(written: str, name: str) -> None:
    chip = chip_by_name(written)
    assert chip is not None
    assert chip.name == name


def test_v2_and_v3_differ_by_the_subsystem_alone() -> None:
    found = [chip_by_pci(0x0027, subsystem) for subsystem in (0x004E, 0x004F, 0x0050, None)]
    assert [chip and chip.name for chip in found] == ["v2", "v3", None, None]


def test_the_tables_keys_are_unique() -> None:
    for keys in (
        [chip.name for chip in CHIPS],
        [i for chip in CHIPS for i in chip.pci_ids],
    ):
        assert len(keys) == len(set(keys))
