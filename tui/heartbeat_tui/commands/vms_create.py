"""``heartbeat-tui vms create``: show quota, cost and command, ask, create, and watch."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

from heartbeat_core.checks.fix_plan import OPEN
from heartbeat_core.checks.registry import check_create
from heartbeat_core.checks.result import GLYPHS, CheckReport
from heartbeat_core.cloud.cancellation import Cancelled
from heartbeat_core.cloud.target import TargetOffers
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.errors import HeartbeatError, sanitize_line
from heartbeat_core.vms.columns import first
from heartbeat_core.vms.create import create
from heartbeat_core.vms.inventory import fetch_inventory
from heartbeat_core.vms.operation import PollPolicy, VmError
from heartbeat_core.vms.pricing import Estimate, estimate, why_unpriced
from heartbeat_core.vms.quota_headroom import QuotaHeadroom, find_headroom
from heartbeat_core.vms.request import CreateRequest, fetch_offers, first_request, keep_request, last_request
from heartbeat_core.vms.serialize import node_json, queued_json
from heartbeat_core.vms.vocabulary import Resource
from heartbeat_core.vms.zone_search import search_zones
from heartbeat_tui.commands.check import details
from heartbeat_tui.commands.console import WIDTH, Actions, add_action, agreed, check_tty, first_interrupt, folded, print_json, print_status
from heartbeat_tui.commands.options import add_vm_flags, duration
from heartbeat_tui.commands.vms_shared import (
    Progress,
    VmScope,
    add_scope_flags,
    attempt,
    error_json,
    open_scope,
    print_vm_error,
    try_rates,
)


def register(verbs: Actions) -> None:
    more = (
        "Check what it will use; show what it will be, the quota left for it, its cost and the gcloud command; ask; create "
        "it and watch it until it is READY. A request whose answer was lost is looked up by the TPU VM's name, so that there are never "
        "two. Exit 0 READY, 1 refused or failed, 2 bad usage, 3 could not tell, 130 interrupted."
    )
    parser = add_action(verbs, "create", run, "create a TPU VM, or queue for one", more)
    parser.add_argument("tpu_name", nargs="?", metavar="NAME", help="also TPU_NAME; default llm-tpu-vm")
    what = parser.add_argument_group("what", "otherwise: environment, settings, gcloud's configuration, a default")
    add_vm_flags(what)
    what.add_argument("--max-run-duration", dest="max_run_time", metavar="TIME", help="of Flex-start: 90m, 4h, at most 7d; default 4h")
    what.add_argument("--queued", action="store_true", help="as a queued resource, which waits for capacity")
    what.add_argument("--labels", type=labels, metavar="KEY=VALUE,…")
    what.add_argument("--startup-script", metavar="FILE", help="run by the TPU VM whenever it starts")
    what.add_argument("--again", action="store_true", help="like the last request, except for what is given")
    how = parser.add_argument_group("how")
    how.add_argument("--keep-trying", action="store_true", help="try --zones in turn until one has capacity, or until stopped")
    how.add_argument("--zones", type=names, default=(), metavar="A,B,C", help="the zones to try, one after the other")
    how.add_argument(
        "--timeout", type=duration, metavar="TIME", help="stop watching after that time, default 30m; --keep-trying: send no more requests"
    )
    how.add_argument("--no-wait", action="store_true", help="do not watch: end as soon as the request is accepted")
    how.add_argument("--skip-checks", action="store_true", help="do not run the readiness checks of what it will use first")
    how.add_argument("--yes", action="store_true", help="do not ask")
    how.add_argument("--dry-run", action="store_true", help="show what would be requested, and stop")
    add_scope_flags(
        parser, zone="also ZONE; default us-central1-b", as_json="print one object: schema, request, command, node, error, steps"
    )


def labels(text: str) -> dict[str, str]:
    """Return the labels of "a=b,c=d"; raise ArgumentTypeError."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not pairs or not all(sign for _, sign, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of labels; try team=llm,purpose=test")
    return {key: value for key, _, value in pairs}


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def run(args: argparse.Namespace) -> int:
    """Show, ask, create; return the exit code. Raise HeartbeatError for bad usage."""
    check_usage(args)
    with open_scope(args) as scope:
        request = make_request(args, scope)
        zones = tuple(dict.fromkeys((request.zone, *args.zones))) if args.keep_trying else ()
        known = show(scope, request, zones, checks=not args.skip_checks)
        failure = None if args.dry_run else refusal(known.checked, zones)
        if args.json and (args.dry_run or failure):
            print_json({**answer(scope, request, None, failure, Progress()), "checks": checks_json(known.checked)})
        if failure:
            print_vm_error(failure)
            return failure.exit_code
        if args.dry_run:
            return 0
        question = f"{'Queue for' if request.queued else 'Create'} it? It is charged from when it runs until it is deleted."
        if not agreed(args, question):
            print_status("Nothing was created.")
            return 1
        if not scope.session.emulated:
            keep_request(request)
        return carry_out(args, scope, request, zones)


def check_usage(args: argparse.Namespace) -> None:
    if args.zones and not args.keep_trying:
        raise HeartbeatError("--zones is for --keep-trying", "Without it one zone is tried, once.", "Add --keep-trying, or give --zone.")
    if args.keep_trying and args.no_wait:
        cause = "Whether there is capacity is known only at the end."
        raise HeartbeatError("--keep-trying cannot go with --no-wait", cause, "Give one of them.")
    if args.keep_trying and args.queued:
        raise HeartbeatError("--keep-trying cannot go with --queued", "A queued resource waits in one zone.", "Give one of them.")
    if not args.dry_run:
        check_tty(args, "A TPU VM costs money, so it is created only once confirmed.")


def make_request(args: argparse.Namespace, scope: VmScope) -> CreateRequest:
    """Return the request that the flags describe; raise HeartbeatError for its first problem."""
    request = first_request(scope.environment.target, last_request() if args.again else None)
    given = ("network", "labels", "startup_script", "max_run_time")
    changes: dict[str, Any] = {name: value for name in given if (value := getattr(args, name))}
    changes |= {"queued": True} if args.queued or request.provisioning == "flex-start" else {}
    changes |= {"external_ip": False} if args.external_ip else {}
    changes |= {"zone": args.zones[0]} if args.zones and not args.zone else {}
    request = replace(request, project=scope.project, **changes)
    for zone in (request.zone, *args.zones):
        for problem in replace(request, zone=zone).problems().values():
            raise problem
    return request


def show(scope: VmScope, request: CreateRequest, zones: tuple[str, ...], *, checks: bool) -> Prepared:
    """Show on stderr what is known beforehand, and return it; raise HeartbeatError for what the zone does not offer."""
    with first_interrupt(scope.session.cancel):
        known = prepare(scope, request, zones, checks=checks)
    wrong = request.problems(known.offers)
    if zones:  # another zone may have what this one lacks
        wrong = {name: found for name, found in wrong.items() if name == "runtime_version" and "driver" in found.title}
    for found in wrong.values():
        raise found
    print_status("\n".join(plan_lines(request, zones, known, scope.label)))
    return known


def refusal(checked: CheckReport | None, zones: tuple[str, ...]) -> VmError | None:
    """Return why nothing is created: checks fail. Of several zones another may have what the first one lacks."""
    failing = [result for result in (checked.failed if checked else ()) if not (zones and result.group in ("quota", "zone"))]
    if not failing:
        return None
    title = f"{len(failing)} readiness check{'s fail' if failing[1:] else ' fails'}: {', '.join(result.id for result in failing)}"
    why = f"{failing[0].title}: {failing[0].summary}."
    return VmError(title, why, "Fix that, as shown above, or go on with --skip-checks.", outcome="nothing")


def checks_json(checked: CheckReport | None) -> list[dict[str, Any]] | None:
    """Return the checks with something to fix or to find out; None where they were skipped."""
    return [result.to_json() for result in checked.results if result.status in OPEN] if checked else None


def carry_out(args: argparse.Namespace, scope: VmScope, request: CreateRequest, zones: tuple[str, ...]) -> int:
    session, progress = scope.session, Progress()
    policy = PollPolicy(total_s=args.timeout or (None if request.queued else PollPolicy().total_s))
    try:
        with first_interrupt(session.cancel):
            if zones:
                made: Resource = search_zones(session, request, zones, progress, limit_s=args.timeout)
            else:
                made = create(session, request, progress, policy, wait=not args.no_wait)
    except VmError as failure:
        if args.json:
            print_json(answer(scope, request, None, failure, progress))
        print_vm_error(failure)
        return failure.exit_code
    if args.json:
        print_json(answer(scope, request, made, None, progress))
    else:
        report(args, scope, made)
    return 0


def report(args: argparse.Namespace, scope: VmScope, made: Resource) -> None:
    """Print on stdout what was created, and on stderr the next commands; none in a demo, which ends here."""
    where = f"--zone={made.zone} --project={scope.project}{f' --endpoint={args.endpoint}' if args.endpoint else ''}"
    addresses = first(endpoint.external or endpoint.address for endpoint in getattr(made, "endpoints", ()))
    print(sanitize_line("  ".join((made.id, made.zone, made.state or "?", addresses))))
    if getattr(args, "demo", None) is None:
        print_status(f"To connect:    heartbeat-tui vms ssh {made.id} {where}")
        print_status(f"To delete it:  heartbeat-tui vms delete {made.id} {where}")


def answer(
    scope: VmScope, request: CreateRequest, made: Resource | None, failure: HeartbeatError | None, progress: Progress
) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    return {
        "emulated": scope.label or None,
        "request": asdict(request),
        "command": list(request.command()),
        "node": node_json(made, None, now) if isinstance(made, Node) else None,
        "queued_resource": queued_json(made, now) if made and not isinstance(made, Node) else None,
        "error": error_json(failure) if failure else None,
        "steps": progress.to_json(),
    }


CHECKS_LIMIT_S = 120.0  # each check has its own, much shorter limit


@dataclass(frozen=True)
class Prepared:
    """What is known before a request, by zone; ``notes`` are what could not be found out."""

    offers: TargetOffers
    headrooms: Mapping[str, tuple[QuotaHeadroom, ...]]
    prices: Mapping[str, Estimate | str]  # or why there is none
    checked: CheckReport | None  # of the first zone
    notes: tuple[str, ...]


def prepare(scope: VmScope, request: CreateRequest, zones: tuple[str, ...], *, checks: bool) -> Prepared:
    """Ask for everything in parallel; raise CloudError if that was cancelled, all other failures are notes."""
    requests = {zone: replace(request, zone=zone) for zone in zones or (request.zone,)}

    def headrooms() -> dict[str, tuple[QuotaHeadroom, ...]]:
        inventory = fetch_inventory(scope.session, scope.project)
        return {zone: find_headroom(scope.session, each, inventory) for zone, each in requests.items()}

    def check() -> CheckReport:
        return scope.session.cancellation.run(lambda: check_create(scope.environment, request.parts, "the request"), CHECKS_LIMIT_S)

    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="prepare") as pool:
        checking = pool.submit(check) if checks else None
        offered = pool.submit(fetch_offers, scope.session, scope.project, request.zone)
        priced = pool.submit(try_rates, scope.session)
        found, no_quota = attempt(headrooms)
        offers, no_offers = attempt(offered.result)
        rates, problem = priced.result()
        try:
            checked = checking.result() if checking else None
        except Cancelled:
            raise KeyboardInterrupt from None
    kind, model = request.accelerator_type, request.provisioning
    prices = {zone: estimate(rates, kind, zone, model) or problem or why_unpriced(kind, zone, model) for zone in requests}
    missing = {"the quota left": no_quota, f"what {request.zone} offers": no_offers}
    notes = tuple(f"{what} could not be found out: {why}" for what, why in missing.items() if why)
    return Prepared(offers or TargetOffers(), found or {}, prices, checked, notes)


INDENT = 12


def plan_lines(request: CreateRequest, zones: tuple[str, ...], known: Prepared, label: str) -> Iterator[str]:
    """Yield what it will be, the quota left for it, its cost, and the gcloud command."""
    if label:
        yield sanitize_line(label)
    kind = request.accelerator
    chips = f" ({kind.chips} chip{'s' * (kind.chips != 1)}, {kind.family.name})" if kind else ""
    yield from line("create", f"{request.name}: {request.accelerator_type}{chips}, {request.model}, runtime {request.runtime_version}")
    yield from line("where", f"project {request.project}, {'one of ' * (len(zones) > 1)}{', '.join(zones or (request.zone,))}")
    yield from line("network", f"{request.network or 'default'}{f', subnetwork {request.subnetwork}' * bool(request.subnetwork)}")
    yield from line("reached", request.reach())
    yield from line("account", request.service_account or "Compute Engine's default service account")
    if request.labels:
        yield from line("labels", ", ".join(f"{key}={value}" for key, value in request.labels.items()))
    if request.startup_script:
        yield from line("runs", f"{request.startup_script} whenever it starts")
    places = zones or (request.zone,)
    for headroom in (headroom for zone in places for headroom in known.headrooms.get(zone, ())):
        yield from line("quota", f"{headroom}{'' if headroom.enough is not False else ': NOT ENOUGH, Google will refuse'}")
    if known.headrooms and not any(known.headrooms.values()):
        yield from line("quota", f"not known: the name of the quota for {request.accelerator_type} is not known here")
    costs = {zone: cost(known.prices[zone]) for zone in places}
    for words in dict.fromkeys(costs.values()):
        where = ", ".join(zone for zone in places if costs[zone] == words)
        yield from line("cost", words if len(set(costs.values())) == 1 else f"{where}: {words}")
    for note in known.notes:
        yield from line("!", note)
    yield from check_lines(known.checked)
    for zone in places:
        yield f"{'command':<{INDENT}}{sanitize_line(shlex.join(replace(request, zone=zone).command()))}"


def check_lines(checked: CheckReport | None) -> Iterator[str]:
    """Yield the readiness checks that fail, with their fixes, and those that could not tell."""
    if checked is None:
        yield from line("checks", "skipped")
    elif checked.ready:
        yield from line("checks", "all readiness checks of what it uses pass")
    for result in checked.results if checked else ():
        if result.status in ("fail", "unknown", "blocked"):
            yield from line("checks", f"{GLYPHS[result.status]} {result.id}: {result.summary}")
            yield from details(result) if result.status == "fail" else ()


def cost(price: Estimate | str) -> str:
    if isinstance(price, str):
        return f"not known: {price}. A TPU VM costs as long as it is READY."
    return (
        f"about ${price.per_hour:,.2f} an hour, ${24 * price.per_hour:,.2f} a day, in US dollars, while it runs "
        f"(estimate by {price.rates}: ${price.per_chip:,.4g} a chip; without discounts, disk and traffic)"
    )


def line(label: str, text: str) -> Iterator[str]:
    return folded(text, f"{label:<{INDENT}}", " " * INDENT, WIDTH - INDENT)
