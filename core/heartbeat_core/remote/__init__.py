"""Benchmarks on TPU VMs: reached through the user's own gcloud and ssh, set up, and measured on."""
