"""What agents have in common and where they differ; as a function it is
``workflows.compare.compare``."""
