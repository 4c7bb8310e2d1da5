"""What the Docker provider lacks: custom resources on an engine, served by a process of their own."""
