"""A local Google Cloud: the REST of the APIs that heartbeat-tui and its gcloud commands call, with state that lives and changes."""
