"""What the form for a new TPU VM begins with."""

from __future__ import annotations

from heartbeat_core.cloud.accelerators import runtime_for
from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.target import Target
from heartbeat_core.vms.request import CreateRequest
from heartbeat_tui.vms.create_form import start_of

DEFAULTS = Target(
    project=SourcedValue("hearts", "PROJECT_ID"),
    zone=SourcedValue("us-central1-b", "default"),
    accelerator_type=SourcedValue("v6e-1", "default"),
    runtime_version=SourcedValue(runtime_for("v6e-1"), "goes with v6e-1"),
    provisioning=SourcedValue("on-demand", "default"),
    tpu_name=SourcedValue("llm-tpu-vm", "default"),
    network=SourcedValue("default", "default"),
    external_ip=SourcedValue("yes", "default"),
)
LAST = CreateRequest("hearts", "us-east5-b", "mine", "v6e-4", "v2-alpha-tpuv6e", "spot", network="vpc")


def test_without_a_request_before_it_begins_with_the_defaults() -> None:
    texts, sources = start_of(DEFAULTS, None)
    assert (texts["name"], texts["zone"], texts["provisioning"], texts["network"]) == ("llm-tpu-vm", "us-central1-b", "on-demand", "")
    assert sources == {
        **dict.fromkeys(("name", "zone", "accelerator_type", "provisioning"), "by default"),
        "runtime_version": "goes with v6e-1",
    }


def test_the_last_request_goes_before_the_defaults_and_what_was_chosen_before_both() -> None:
    chosen = Target(**{**vars(DEFAULTS), "zone": SourcedValue("us-east1-d", "ZONE"), "external_ip": SourcedValue("no", "chosen here")})
    texts, sources = start_of(chosen, LAST)
    assert (texts["zone"], sources["zone"]) == ("us-east1-d", "from ZONE")
    assert (texts["external_ip"], sources["external_ip"]) == ("no", "from chosen here")
    assert (texts["name"], texts["provisioning"], texts["network"]) == ("mine", "spot", "vpc")
    assert {sources[name] for name in ("name", "accelerator_type", "runtime_version", "provisioning", "network")} == {"as last time"}


def test_the_runtime_goes_with_a_type_that_was_chosen_since_the_last_request() -> None:
    chosen = Target(**{**vars(DEFAULTS), "accelerator_type": SourcedValue("v5litepod-4", "ACCELERATOR_TYPE")})
    texts, sources = start_of(chosen, LAST)
    assert texts["runtime_version"] == runtime_for("v5litepod-4")
    assert sources["runtime_version"] == "goes with v5litepod-4"
