"""The metadata server: a VM told apart from everything else that may answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.metadata import Metadata, on_google, read_metadata, read_tpu_env

FLAVOR = {"Metadata-Flavor": "Google"}
TPU_ENV = "ACCELERATOR_TYPE: 'v6e-1'\nRUNTIME_VERSION: 'v2-alpha-tpuv6e'\nZONE: 'us-central1-b'\n"
TOLD = {
    "project/project-id": "llm",
    "instance/zone": "projects/7/zones/us-central1-b",
    "instance/service-accounts/default/email": "robot@llm.iam.gserviceaccount.com",
    "instance/service-accounts/default/scopes": "https://a\nhttps://b\n",
    "instance/attributes/tpu-env": TPU_ENV,
}


def read(server: Any) -> Metadata | None:
    return read_metadata({"GCE_METADATA_HOST": f"127.0.0.1:{server.port}"})


def test_a_tpu_vm_is_recognized(server: Any, answer: Any) -> None:
    def give(asked: Any) -> Any:
        assert asked.headers["Metadata-Flavor"] == "Google"
        told = TOLD.get(asked.path.removeprefix("/computeMetadata/v1/"))
        return answer(200 if told else 404, (told or "no").encode(), FLAVOR)

    server.say(give)
    metadata = read(server)
    assert metadata == Metadata(
        "llm", "us-central1-b", "robot@llm.iam.gserviceaccount.com", ("https://a", "https://b"), "v6e-1",
        {"ACCELERATOR_TYPE": "v6e-1", "RUNTIME_VERSION": "v2-alpha-tpuv6e", "ZONE": "us-central1-b"},
    )  # fmt: skip
    assert metadata.is_tpu_vm


def test_a_bare_vm_is_no_tpu_vm(server: Any, answer: Any) -> None:
    server.say(answer(404, headers=FLAVOR))
    metadata = read(server)
    assert metadata == Metadata()
    assert not metadata.is_tpu_vm


def test_something_else_that_answers_is_no_metadata_server(server: Any, answer: Any) -> None:
    server.say(answer(body=b"hello"))
    assert read(server) is None
    server.say(answer(raw=b"rubbish"))
    assert read(server) is None
    assert len(server.asked) == 2


def test_nothing_answers_off_google(free_port: int) -> None:
    assert read_metadata({"GCE_METADATA_HOST": f"127.0.0.1:{free_port}"}) is None
    assert read_metadata({"GCE_METADATA_HOST": "no host at all:x"}) is None
    assert read_metadata({"NO_GCE_CHECK": "true", "GCE_METADATA_HOST": "x"}) is None


def test_a_silent_server_is_given_up(server: Any, answer: Any) -> None:
    server.say(answer(hold=True))
    assert read_metadata({"GCE_METADATA_HOST": f"127.0.0.1:{server.port}"}, timeout_s=0.05) is None


def test_google_is_recognized_without_asking(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    product = tmp_path / "product_name"
    monkeypatch.setattr("heartbeat_core.cloud.metadata.PRODUCT", product)
    assert not on_google({})
    product.write_text("Google Compute Engine\n")
    assert on_google({})
    product.write_text("ThinkPad\n")
    assert not on_google({})
    assert on_google({"GCE_METADATA_HOST": "127.0.0.1"})


@given(st.text())
def test_any_tpu_env_is_read(words: str) -> None:
    assert all(isinstance(value, str) for value in read_tpu_env(words).values())
