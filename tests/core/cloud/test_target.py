"""The target: which source wins, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.gcloud_config import GcloudConfig, SourcedValue, read_gcloud
from heartbeat_core.cloud.metadata import Metadata
from heartbeat_core.cloud.target import PARTS, Target, choose_target
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import CloudSettings, Settings

NOTHING = GcloudConfig(Path("/nowhere"), "default", {}, ())


def gcloud(**properties: str) -> GcloudConfig:
    found = {key.replace("_", "/", 1): SourcedValue(value, "gcloud configuration work") for key, value in properties.items()}
    return GcloudConfig(Path("/nowhere"), "work", found, ())


def settings(source: str, **values: str) -> Settings:
    sources = {f"cloud.{name}": source for name in values}
    return Settings(cloud=CloudSettings(**values), sources=sources)  # type: ignore[arg-type]


# From the strongest to the weakest, what each of them says of the project.
SOURCES = (
    ("flag", "--project"),
    ("HEARTBEAT_CLOUD_PROJECT", "HEARTBEAT_CLOUD_PROJECT"),
    ("PROJECT_ID", "PROJECT_ID"),
    ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT"),
    ("GCLOUD_PROJECT", "GCLOUD_PROJECT"),
    ("CLOUDSDK_CORE_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    ("file", "settings.toml"),
    ("gcloud", "gcloud configuration default"),
    ("demo", "the demo"),
    ("metadata", "the metadata server"),
)


@given(st.sets(st.sampled_from([name for name, _ in SOURCES])))
def test_the_strongest_source_wins(given_by: set[str]) -> None:
    environ = {name: f"from-{name}" for name in given_by if name.isupper() and not name.startswith("HEARTBEAT")}
    config = read_gcloud({"CLOUDSDK_CONFIG": "/nowhere", **environ})
    if "gcloud" in given_by:
        filed = {"core/project": SourcedValue("from-gcloud", "gcloud configuration default")}
        config = GcloudConfig(config.folder, config.name, {**filed, **config.properties}, ())
    merged = next((name for name in ("HEARTBEAT_CLOUD_PROJECT", "file") if name in given_by), None)
    chosen = choose_target(
        {"project": "from-flag" if "flag" in given_by else None},
        environ=environ,
        gcloud=config,
        settings=settings(dict(SOURCES)[merged], project=f"from-{merged}") if merged else None,
        metadata=Metadata(project="from-metadata") if "metadata" in given_by else None,
        demo_project=SourcedValue("from-demo", "the demo") if "demo" in given_by else None,
    )
    strongest = next(((name, source) for name, source in SOURCES if name in given_by), None)
    assert chosen.project == (SourcedValue(f"from-{strongest[0]}", strongest[1]) if strongest else SourcedValue(None, "not set anywhere"))


def test_the_handbooks_variables_are_read() -> None:
    environ = {
        "PROJECT_ID": "llm", "TPU_NAME": "mine", "ZONE": "us-east5-a", "ACCELERATOR_TYPE": "v5litepod-1",
        "RUNTIME_VERSION": "v2-alpha-tpuv5-lite",
    }  # fmt: skip
    target = choose_target({}, environ=environ, gcloud=gcloud(core_project="x", compute_zone="y"))
    assert target.known() == {
        "project": "llm", "zone": "us-east5-a", "accelerator_type": "v5litepod-1", "runtime_version": "v2-alpha-tpuv5-lite",
        "provisioning": "on-demand", "tpu_name": "mine", "region": "us-east5", "network": "default",
        "external_ip": "yes",
    }  # fmt: skip
    assert {target.project.source, target.zone.source, target.tpu_name.source} == {"PROJECT_ID", "ZONE", "TPU_NAME"}


def test_defaults_are_the_handbooks_and_say_so() -> None:
    target = choose_target({}, environ={"ZONE": ""}, gcloud=NOTHING)
    assert (target.project.value, target.project.source) == (None, "not set anywhere")
    assert (target.zone.value, target.zone.source, target.region) == ("us-central1-b", "default", "us-central1")
    assert (target.accelerator_type.value, target.model) == ("v6e-1", "on-demand")
    assert (target.runtime_version.value, target.runtime_version.source) == ("v2-alpha-tpuv6e", "goes with v6e-1")
    assert set(target.to_json()) == set(PARTS)
    assert target.to_json()["zone"] == {"value": "us-central1-b", "source": "default"}


def test_the_runtime_follows_the_accelerator() -> None:
    assert choose_target({"accelerator_type": "v5p-8"}, environ={}, gcloud=NOTHING).runtime_version.value == "v2-alpha-tpuv5"
    unknown = choose_target({"accelerator_type": "v9-1"}, environ={}, gcloud=NOTHING)
    assert (unknown.runtime_version.value, unknown.accelerator) == (None, None)


def test_on_a_tpu_vm_the_target_is_that_vm() -> None:
    metadata = Metadata("llm", "us-east5-b", accelerator_type="v6e-4", tpu_env={"RUNTIME_VERSION": "v2-alpha-tpuv6e"})
    target = choose_target({}, environ={}, gcloud=NOTHING, metadata=metadata)
    assert (target.zone.value, target.zone.source) == ("us-east5-b", "the metadata server")
    assert (target.accelerator_type.value, target.runtime_version.source) == ("v6e-4", "the metadata server")


def test_a_model_that_there_is_not_is_refused() -> None:
    with pytest.raises(HeartbeatError, match="no provisioning model"):
        choose_target({"provisioning": "cheap"}, environ={}, gcloud=NOTHING)
    assert choose_target({"provisioning": "spot"}, environ={}, gcloud=NOTHING).model == "spot"
    assert Target().model == "on-demand"


@pytest.mark.parametrize("zone", ["Bad_Zone!", "us central1", "US-CENTRAL1-B", "../x"])
def test_a_zone_that_cannot_be_one_is_refused_where_it_is_typed(zone: str) -> None:
    with pytest.raises(HeartbeatError, match="is no zone"):
        choose_target({"zone": zone}, environ={}, gcloud=NOTHING)
