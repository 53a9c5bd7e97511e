"""What panes are made of: each draws what it is given."""
