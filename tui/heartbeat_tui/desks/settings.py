"""The settings: shown, written into their file, and applied where that can be done at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.desks.desk import Desk
from heartbeat_tui.themes import DARK

if TYPE_CHECKING:
    from heartbeat_core.settings import Settings


class SettingsDesk(Desk):
    """``settings`` is what the program was started with; None where there is no file behind it."""

    settings: Settings | None = None

    async def action_settings(self) -> None:
        """Show every setting as it stands in file and environment now, with the flags of this start."""
        from heartbeat_core.settings import settings_file
        from heartbeat_tui.screens.settings import SettingsScreen

        if self.settings is not None:
            await self.push_screen(SettingsScreen(self.settings, settings_file(os.environ)), self.write_settings)

    def write_settings(self, changes: Mapping[str, str] | None) -> None:
        """Write what was changed, and apply the look of the screen; the rest holds from the next start."""
        from heartbeat_core.settings import COMMAND_LINE, load_settings, settings_file, write_settings

        if not changes or self.settings is None:
            return
        path, before = settings_file(os.environ), self.settings
        flags = {key: before[key] for key, source in before.sources.items() if source == COMMAND_LINE}
        try:
            write_settings(path, changes)
            self.settings = load_settings(flags)
        except HeartbeatError as error:
            self.tell(error)
            return
        screen = self.settings.screen
        self.theme = screen.theme if screen.theme in self.available_themes else DARK.name
        self.animation_level = "none" if screen.reduced_motion else "full"
        later = [key for key in changes if not key.startswith("screen.")]
        self.notify(f"Written to {path}." + (" It holds from the next start on." if later else ""), markup=False)
