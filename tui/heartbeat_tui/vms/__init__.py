"""The TPU VMs pane: the inventory, the dialogs, what is under way."""
