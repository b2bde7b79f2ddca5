"""`designhub agent`."""

from printers import light  # noqa: F401 - first: what it leaves out would be loaded by the next
from printers.agent_cli import agent

__all__ = ["agent"]
