from __future__ import annotations

from pathlib import Path

from heartbeat_core.benchmark.host import cache_bytes


def test_the_largest_cache_counts(tmp_path: Path) -> None:
    assert cache_bytes(tmp_path) is None
    for index, size in enumerate(("32K", "1024K", "32768K")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(f"{size}\n")
    assert cache_bytes(tmp_path) == 32 * 2**20
