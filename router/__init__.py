"""The router: from a need to a machine, and from a job to at most one print."""
