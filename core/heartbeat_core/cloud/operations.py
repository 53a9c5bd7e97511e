"""Operations of the Cloud TPU API: what is under way, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.errors import ERROR_INFO, redact
from heartbeat_core.cloud.fields import flag, has, rows, segment, table, text, whole
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import PAGE, SERVICE, place
from heartbeat_core.errors import HeartbeatError


class OperationError(HeartbeatError):
    """What an operation ended with: ``code`` is gRPC's number, ``reason`` and ``metadata`` are those of google.rpc.ErrorInfo."""

    def __init__(
        self, message: str, code: int | None = None, *, reason: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        self.message, self.code = redact(message), code
        self.reason, self.metadata = reason, dict(metadata or {})
        super().__init__("the operation failed", self.message, exit_code=1)


@dataclass(frozen=True)
class Operation:
    """``target`` names the resource it is about; ``error`` is None while it runs and where it went well."""

    name: str
    done: bool
    verb: str | None
    target: str | None
    created: str | None
    ended: str | None
    detail: str | None
    error: OperationError | None


def get_operation(session: CloudSession, name: str) -> Operation:
    """Read one operation by its full name."""
    path = "/".join(segment(part) for part in name.split("/"))
    return operation_of(session.get(SERVICE, f"/v2/{path}"))


def list_operations(session: CloudSession, project: str, zone: str) -> tuple[Operation, ...]:
    """List the operations of a zone, those that have ended included for as long as Google keeps them."""
    found = session.list(SERVICE, f"{place(project, zone)}/operations", "operations", PAGE)
    return tuple(operation_of(item) for item in found.items)


def operation_of(answer: Any) -> Operation:
    return Operation(
        name=text(answer, "name") or "",
        done=flag(answer, "done") or False,
        verb=text(answer, "metadata", "verb"),
        target=text(answer, "metadata", "target"),
        created=text(answer, "metadata", "createTime"),
        ended=text(answer, "metadata", "endTime"),
        detail=text(answer, "metadata", "statusDetail"),
        error=error_of(answer.get("error")) if has(answer, "error") else None,
    )


def error_of(status: Any) -> OperationError:
    """Read a google.rpc.Status."""
    info = next((detail for detail in rows(status, "details") if detail.get("@type") == ERROR_INFO), {})
    metadata = {key: value for key, value in table(info, "metadata").items() if isinstance(value, str)}
    return OperationError(
        text(status, "message") or "Google does not say why", whole(status, "code"), reason=text(info, "reason"), metadata=metadata
    )
