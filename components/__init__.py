"""Components of a data stack on Docker: one noun a file, each a pulumi.ComponentResource."""
