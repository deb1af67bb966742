"""The adapters. Each folder exports ADAPTER; none imports a peer; all use the engine through `pipeline` alone."""
