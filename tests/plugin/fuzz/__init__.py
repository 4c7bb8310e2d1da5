"""What the fuzz tests share: requests to draw, a model of the protocol, and a world to watch."""
