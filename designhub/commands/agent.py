"""`designhub agent`: the printer side's own command."""

from printers.agent_cli import agent

__all__ = ["agent"]
