"""How the CLI, its plugins, an engine and base images get onto a bare machine. Only the standard library."""
