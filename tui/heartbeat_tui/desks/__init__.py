"""What the app does for its panes, a file each: it owns what outlives a pane, and turns news into what the pane shows."""
