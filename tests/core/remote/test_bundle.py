from __future__ import annotations

import io
import tarfile

from heartbeat_core.remote.bundle import pack


def test_what_a_host_of_a_cluster_judges_a_gpu_by_is_sent_with_the_engine() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack().data)) as tar:
        assert {"heartbeat_core/benchmark/gpus.txt", "heartbeat_core/benchmark/worker.py"} < set(tar.getnames())
