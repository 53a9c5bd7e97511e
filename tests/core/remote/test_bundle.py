from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from heartbeat_core.remote.bundle import pack


def test_what_a_host_of_a_cluster_judges_a_gpu_by_is_sent_with_the_engine() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack().data)) as tar:
        assert {"heartbeat_core/benchmark/gpus.txt", "heartbeat_core/benchmark/worker.py"} < set(tar.getnames())


@pytest.mark.parametrize("module", ["fleet.ray_host", "benchmark.worker", "benchmark.supervisor", "benchmark.statistics"])
def test_what_runs_on_a_host_imports_nothing_of_ours_that_is_not_sent(tmp_path: Path, module: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack().data)) as tar:
        for member in tar:  # extractall warns from Python 3.12 on, without an argument that older ones lack
            path = tmp_path / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]
    # without site, which would find the checkout
    search = [str(tmp_path), sysconfig.get_path("purelib")]
    code = f"import sys; sys.path[:0] = {search!r}; import heartbeat_core.{module} as found; print(found.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr
