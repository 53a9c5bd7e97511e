"""The Readiness pane: the checklist, its target and its fixes."""
