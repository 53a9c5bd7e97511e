"""Google Cloud: a session, one module an API, answers as frozen dataclasses. Everything here can be imported cheaply."""
