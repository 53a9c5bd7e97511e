"""What TPU VMs cost: read from a list of prices, estimated, and never more certain than that."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.vms.pricing import Rates, cost_so_far, estimate, find_rates, load_prices, rate_of, read_skus, save

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
RATES = Rates(NOW, "Google's public price list", {"v6e us-east5 on-demand": 2.7, "v6e us-east5 spot": 1.4033})


def sku(description: str, *prices: tuple[str, int], usage: str = "OnDemand", group: str = "TPU", unit: str = "h") -> dict[str, Any]:
    rates = [{"unitPrice": {"units": units, "nanos": nanos}} for units, nanos in prices]
    expression = {"usageUnit": unit, "tieredRates": rates}
    return {
        "description": description, "serviceRegions": ["us-east5"], "pricingInfo": [{"pricingExpression": expression}],
        "category": {"resourceGroup": group, "usageType": usage},
    }  # fmt: skip


def node(state: str = "READY", kind: str = "v6e-4", created: str | None = "2026-11-24T09:00:00Z", **more: Any) -> Node:
    made = Node("n", "us-east5-a", state, None, None, kind, None, "on-demand", (), None, created, None, (), {})
    return replace(made, **more)


def test_only_prices_of_tpus_by_the_hour_are_read() -> None:
    found = read_skus(
        (
            sku("TpuV6e running in Columbus", ("2", 700_000_000)),
            sku("TpuV6e attached to Spot Preemptible VMs running in Columbus", ("1", 403_300_000), usage="Preemptible"),
            sku("TpuV5p running in Columbus", ("0", 0), ("4", 200_000_000)),
            sku("Reserved TpuV6e running in Columbus", ("1", 0)),
            sku("TpuV6e running in Columbus", ("9", 0), usage="Commit1Yr"),
            sku("TpuV5e running in Columbus", ("9", 0), group="GPU"),
            sku("DWS Defined Duration V6e running in Columbus", ("1", 350_000_000)),
            sku("TpuV5e running in Columbus", ("9", 0), unit="mo"),
            {},
        )
    )
    assert found == {
        "v6e us-east5 on-demand": 2.7,
        "v6e us-east5 spot": pytest.approx(1.4033),
        "v5p us-east5 on-demand": 4.2,
        "v6e us-east5 flex-start": 1.35,
    }


def test_an_estimate_counts_the_chips_and_says_what_is_not_known() -> None:
    found = rate_of(RATES, node())
    assert found is not None
    assert found.per_hour == pytest.approx(10.8)
    assert (found.chips, found.charged) == (4, True)
    assert rate_of(RATES, node("STOPPED")).charged is False  # type: ignore[union-attr]
    assert cost_so_far(RATES, node(), NOW) == pytest.approx(32.4)
    for unknown in (node(kind="v99-1"), node(kind="v5p-8"), node(zone="us-west4-a"), node(provisioning="reserved")):
        assert rate_of(RATES, unknown) is None
        assert cost_so_far(RATES, unknown, NOW) is None
    assert cost_so_far(RATES, node(created=None), NOW) is None
    assert estimate(None, "v6e-1", "us-east5-a", "on-demand") is None


@given(st.floats(0, 1e7), st.floats(0, 1e7), st.integers(1, 256))
def test_the_cost_so_far_only_grows(earlier_s: float, more_s: float, chips: int) -> None:
    asked = node(kind=f"v6e-{chips}")
    start = datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
    first = cost_so_far(RATES, asked, start + timedelta(seconds=earlier_s))
    second = cost_so_far(RATES, asked, start + timedelta(seconds=earlier_s + more_s))
    assert first is not None
    assert second is not None
    assert 0 <= first <= second


def test_the_emulators_prices_say_so_and_are_never_kept(opened: Any, tmp_path: Path) -> None:
    cloud, cache = opened(), tmp_path / "prices.json"
    rates = find_rates(cloud.session, cache)
    assert rates.find("v6e", "us-central1", "spot") == 1.0
    assert "EMULATED" in str(rates)
    assert not cache.exists()


class Google:
    """A session that is no emulator's to whoever asks, over the real one."""

    emulated = False

    def __init__(self, session: Any) -> None:
        self.session = session
        self.asked = 0

    def list(self, *asked: Any) -> Any:
        self.asked += 1
        return self.session.list(*asked)


def test_prices_are_fetched_once_and_kept_with_their_date(opened: Any, tmp_path: Path) -> None:
    google, cache = Google(opened().session), tmp_path / "deep" / "prices.json"
    rates = find_rates(google, cache)  # type: ignore[arg-type]
    again = find_rates(google, cache)  # type: ignore[arg-type]
    assert google.asked == 1
    assert again.per_chip == rates.per_chip
    assert again.at == rates.at.replace(microsecond=0)
    assert json.loads(cache.read_text())["currency"] == "USD"
    assert find_rates(google, cache, fresh=timedelta(0)).source == "Google's public price list"  # type: ignore[arg-type]
    assert google.asked == 2
    save(cache, replace(rates, at=rates.at + timedelta(days=400)))  # by a clock that was wrong
    assert find_rates(google, cache).at < rates.at + timedelta(days=1)  # type: ignore[arg-type]


def test_old_prices_have_to_do_where_new_ones_cannot_be_had(opened: Any, tmp_path: Path) -> None:
    google, cache = Google(opened("no-cloudbilling-api").session), tmp_path / "prices.json"
    google.list = lambda *_: (_ for _ in ()).throw(CloudError("refused", "off", status=403))  # type: ignore[method-assign]
    with pytest.raises(CloudError):
        find_rates(google, cache)  # type: ignore[arg-type]
    save(cache, replace(RATES, at=NOW - timedelta(days=400)))
    assert find_rates(google, cache).at == NOW - timedelta(days=400)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"at": "?", "per_chip": {}}', '{"at": "2026-11-24T12:00:00Z", "per_chip": 3}', "\xff"])
def test_a_cache_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text, encoding="latin-1")
    assert load_prices(path) is None
