"""Diagnose a failure from its text or exception. No input makes this raise."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.accelerators import runtime_for
from heartbeat_core.cloud.errors import CloudError, redact
from heartbeat_core.diagnosis.catalogue import DiagnosisRule, read_rules
from heartbeat_core.diagnosis.model import UNKNOWN, Alternative, Diagnosis, Origin, Remedy, Words
from heartbeat_core.diagnosis.pasted import REACH, find, one_line, readings, words_in
from heartbeat_core.errors import HeartbeatError

BY_KIND = {
    "unreachable": "unreachable",
    "cut": "cut",
    "timed out": "timed-out",
    "garbled": "garbled",
    "no credentials": "credentials-missing",
}
BY_STATUS = {401: "credentials-expired", 403: "forbidden", 404: "not-found", 409: "exists", 429: "too-many"}
BY_CLASS = {  # of the libraries below; a connection that timed out is both
    **dict.fromkeys(("Timeout", "TimeoutError", "DeadlineExceeded", "RetryError"), "timed-out"),
    **dict.fromkeys(("ConnectionError", "TransportError"), "unreachable"),
    "RefreshError": "credentials-expired",
    "DefaultCredentialsError": "credentials-missing",
}
GOOGLES_OWN = ("764086051850", "32555940559")  # the projects of gcloud's two logins
APIS = {
    "cloud tpu api": "tpu.googleapis.com",
    "compute engine api": "compute.googleapis.com",
    "identity and access management (iam) api": "iam.googleapis.com",
    "cloud quotas api": "cloudquotas.googleapis.com",
    "cloud billing api": "cloudbilling.googleapis.com",
    "cloud resource manager api": "cloudresourcemanager.googleapis.com",
    "service usage api": "serviceusage.googleapis.com",
}
VAGUE = ("permission", "quota-exhausted")  # their reasons are less specific than a text that is known
LONGEST_EVIDENCE = 300
BEFORE, AFTER = 100, 160  # characters of evidence around what was found
GOOGLE = re.compile(  # the wheels' addresses show nothing: each command of pip has them
    r"(?<!storage\.)googleapis\.com|storage\.googleapis\.com/(?!libtpu|jax|pytorch|tpu-pytorch)|googleapi\b|googleapiclient|\bgcloud\b"
    r"|google\.(?:rpc|api_core|auth|cloud)"
    r"|\bgoogle_(?:tpu|compute)|waiting to create Vm|Google Cloud|Cloud TPU|Compute Engine|cloud\.google\.com|\[EID",
    re.IGNORECASE,
)
STATUS_NAME = re.compile(r"[A-Z]+(?:_[A-Z]+)+")  # as a Google RPC names it, PERMISSION_DENIED; XLA's programs use the same names
LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}
PROGRAMS = re.compile(r"jax|xla|tensorflow|torch|vllm|grpc\.aio", re.IGNORECASE)
NAME = re.compile(r"\{(\w+)\}")
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


def diagnose_text(text: str, known: Words | None = None) -> Diagnosis | None:
    """Return the diagnosis of a text, None where the catalogue does not know it.

    ``known`` holds words for the remedies: the parts of a target, a principal. What the text names comes before them.
    """
    found = search(text)
    return make(found.rule, known or {}, {**found.names, **found.words}, found.evidence) if found else None


@dataclass(frozen=True)
class RuleMatch:
    """A rule, the words its pattern found, the names around them, and the sentence that holds them."""

    rule: DiagnosisRule
    words: Words
    names: Words
    evidence: str


def search(text: str, googles: bool = False) -> RuleMatch | None:
    """Return the most specific rule that a text matches; ``googles`` says that the text is certainly Google's."""
    vague = None
    for reading in readings(text):
        found = search_line(reading, googles)
        if found and not found.rule.vague:
            return found
        vague = vague or found
    return vague


def search_line(line: str, googles: bool) -> RuleMatch | None:
    lowered = line.lower()
    if len(lowered) != len(line):  # some letters become two
        lowered = line.translate(LOWER)
    for rule in read_rules().values():
        for pattern in rule.patterns:
            for match in find(pattern, line, lowered):
                if googles or not rule.googles or shows_google(line, match):
                    words = {name: value for name, value in match.groupdict().items() if value}
                    return RuleMatch(rule, words, words_in(line, match.start()), evidence_of(line, match))
    return None


def shows_google(line: str, match: re.Match[str]) -> bool:
    """Return whether the text around generic words shows that they are Google's."""
    around = line[max(0, match.start() - REACH) : match.end() + REACH]
    return bool(GOOGLE.search(around) or (STATUS_NAME.fullmatch(match[0]) and not PROGRAMS.search(around)))


def diagnose_exception(error: BaseException, origin: Origin = "call", known: Words | None = None) -> Diagnosis:
    """Return the diagnosis of an exception of any library; that of an unknown one holds its message.

    ``known`` may hold project_number: an API that is off in a project of another number is off in a foreign project.
    """
    known = known or {}
    message, reason = message_of(error), attribute(error, "reason", str)
    metadata = {str(key): str(value) for key, value in (attribute(error, "metadata", Mapping) or {}).items()}
    facts = {name: value for name in ("service", "permission", "uid") if (value := metadata.get(name))}
    if reason == "SERVICE_DISABLED" and foreign(metadata.get("consumer", ""), known):
        return make(read_rules()["quota-project-foreign"], known, facts, f"{reason}, {metadata.get('consumer')}: {message}")
    googles = isinstance(error, CloudError) or type(error).__module__.startswith("google.")
    by_text = search(message, googles)
    by_reason = next((rule for rule in read_rules().values() if reason in rule.reasons), None)
    if by_reason and not (by_text and (by_text.rule is by_reason or by_reason.id in VAGUE)):
        return make(by_reason, known, facts, f"{reason}: {message}")
    # "RESOURCE_EXHAUSTED" and the like are less specific than where they came from
    if by_text and not by_text.rule.vague:
        return make(by_text.rule, known, {**by_text.words, **facts}, by_text.evidence)
    if found := by_circumstances(error, origin):
        return make(read_rules()[found], known, facts, message)
    return make(by_text.rule, known, facts, by_text.evidence) if by_text else unknown(error, message)


def by_circumstances(error: BaseException, origin: Origin) -> str | None:
    """Return the id of the rule for this kind of failure, where its text matches none."""
    status = status_of(error)
    if status in (429, 8):  # 8 is gRPC's number for the same, which operations carry
        return "capacity-or-quota" if origin == "operation" else "too-many"
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status is not None and 500 <= status < 600:
        return "google-failed"
    if isinstance(error, CloudError):
        return BY_KIND.get(error.kind)
    names = {parent.__name__ for parent in type(error).__mro__}
    return next((id_ for name, id_ in BY_CLASS.items() if name in names), None)


def foreign(consumer: str, known: Words) -> bool:
    """Return whether ``consumer`` is certainly another project than the target's."""
    number = consumer.removeprefix("projects/").removeprefix("project:")
    if number in GOOGLES_OWN:
        return True
    ours = known.get("project_number") if number.isdigit() else known.get("project")
    return bool(number and ours and number != ours)


def message_of(error: BaseException) -> str:
    """Return the message of an exception, without secrets."""
    message = attribute(error, "message", str)
    if message is None:
        try:
            message = str(error)
        except Exception:  # noqa: BLE001  # __str__ of any library may raise
            message = ""
    return redact(message or type(error).__name__)


def status_of(error: BaseException) -> int | None:
    for name in ("status", "code"):
        status: int | None = attribute(error, name, int)
        if status is not None:
            return status
    return None


def attribute(error: BaseException, name: str, kind: Any) -> Any:
    """Read an attribute of Google's exceptions, None where it is missing or of another type."""
    try:
        value = getattr(error, name, None)
    except Exception:  # noqa: BLE001  # a property may raise anything
        return None
    return value if isinstance(value, kind) else None


def unknown(error: BaseException, message: str) -> Diagnosis:
    if isinstance(error, HeartbeatError):
        remedies = (Remedy(error.remedy),) if error.remedy else ()
        return Diagnosis(UNKNOWN, error.title, error.cause, shortened(message), remedies)
    return Diagnosis(UNKNOWN, "unknown error", f"A {type(error).__name__}.", shortened(message), ())


def make(rule: DiagnosisRule, known: Words, found: Words, evidence: str) -> Diagnosis:
    """Fill the words into a rule: title and cause use only what was found, remedies also what is known from elsewhere."""
    own = dict(found)
    if service := own.get("service_too") or APIS.get(own.get("api", "").lower()):
        own.setdefault("service", service)
    words = {**fitting(known, own), **own}
    if zone := words.get("zone"):
        words.setdefault("region", zone.rpartition("-")[0])
    return Diagnosis(
        rule.id,
        fill(rule.title, own),
        fill(rule.cause, own),
        shortened(evidence),
        tuple(remedy(words) for remedy in rule.remedies),
        rule.link,
        tuple(Alternative(other, fill(read_rules()[other].title, own)) for other in rule.instead),
        rule.tell_apart,
    )


def fitting(known: Words, found: Words) -> Words:
    """Return those of the known words that what was found does not contradict."""
    words = {name: value for name, value in known.items() if name not in found}
    if "zone" in found:
        words.pop("region", None)
    elif "region" in found and words.get("zone", "").rpartition("-")[0] != found["region"]:
        words.pop("zone", None)
    if accelerator := found.get("accelerator_type"):
        words.pop("runtime_version", None)
        if runtime := runtime_for(accelerator):
            words["runtime_version"] = runtime
    if found.get("project", known.get("project")) != known.get("project"):
        for name in ("project_number", "service_account"):
            words.pop(name, None)
    return words


def fill(text: str, words: Words) -> str:
    """Fill the words into a sentence; keep a part in brackets only where all its words are known."""

    def optional(match: re.Match[str]) -> str:
        return match[1] if all(name in words for name in NAME.findall(match[1])) else ""

    return NAME.sub(lambda match: words.get(match[1], ""), OPTIONAL.sub(optional, text))


def evidence_of(text: str, match: re.Match[str]) -> str:
    """Return the sentence around a match, shortened to the nearest words."""
    found_at, found_to = match.span()
    before = text[max(0, found_at - 2 * BEFORE) : found_at].rpartition(". ")[2]
    after, end, _ = text[found_to : found_to + 2 * AFTER].partition(". ")
    after += end.rstrip()
    if len(before) > BEFORE:
        before = f"…{before[-BEFORE:].partition(' ')[2]}"
    if len(after) > AFTER:
        after = f"{after[:AFTER].rpartition(' ')[0]}…"
    return redact(before + match[0] + after)


def shortened(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= LONGEST_EVIDENCE else text[: LONGEST_EVIDENCE - 1] + "…"
