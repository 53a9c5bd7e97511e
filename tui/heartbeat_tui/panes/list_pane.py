"""A pane that is mostly one list, of which only the rows with the words sought are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from heartbeat_tui.panes.pane import Pane

if TYPE_CHECKING:
    from textual.widgets import Input

    from heartbeat_tui.widgets.lines_list import LinesList
    from heartbeat_tui.widgets.sought import Sought


class ListPane(Pane):
    """``draw`` keeps to what is ``sought``; the line it is typed on stands at the foot of ``PANEL``."""

    PANEL: ClassVar[str]
    MAY_BE_SOUGHT: ClassVar[str]  # in words, while nothing is typed

    def __init__(self, tabs: Iterable[tuple[str, str, str]], mode: str) -> None:
        super().__init__(tabs, mode)
        self.list: LinesList | None = None
        self.seeker: Sought | None = None
        self.sought = ""

    @property
    def seeking(self) -> bool:
        return bool(self.sought) or self.seeker is not None

    async def action_seek(self) -> None:
        # Input costs 30 ms to import; the first frame does without
        from heartbeat_tui.widgets.sought import Sought

        if self.seeker is None:
            self.seeker = Sought(self.sought, self.MAY_BE_SOUGHT)
            await self.query_one(self.PANEL).mount(self.seeker)
        self.seeker.focus()
        self.refresh_bindings()

    async def stop_seeking(self) -> None:
        """Seek nothing any more, and take the line away."""
        self.sought = ""
        if self.seeker is not None:
            seeker, self.seeker = self.seeker, None
            await seeker.remove()

    def refocus(self) -> None:
        if self.list is not None:
            self.list.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.sought = event.value
        self.draw()
        self.refresh_bindings()

    async def on_input_submitted(self) -> None:
        if not self.sought:
            await self.stop_seeking()
        self.refocus()

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()
