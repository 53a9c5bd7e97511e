"""TPU VMs as places to beat at: reached through the user's own gcloud and ssh, set up, and measured on."""
