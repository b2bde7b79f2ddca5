"""An agent with nothing to do, which asks a hub for work."""

from typing import Any

from werkzeug.test import TestResponse

from designhub.idle import PATH, IdleDesk
from tests.support.hubs import OpenHub


class Agent:
    """One agent of a shop, whose first word has been heard."""

    def __init__(self, hub: OpenHub) -> None:
        self.hub, self.shop = hub, hub.shop()
        self.header = hub.agent_token(self.shop.agent)
        self.client = hub.app.test_client()
        assert isinstance(hub.app.wsgi_app, IdleDesk)
        self.desk: IdleDesk = hub.app.wsgi_app
        self.ask()

    def state(self, **said: Any) -> dict[str, Any]:
        return {"printer": str(self.shop.printer), "ready": True, "text": "Operational"} | said

    def ask(self, *states: dict[str, Any], **more: Any) -> TestResponse:
        body = {"printers": list(states) or [self.state()]} | more
        return self.client.post(PATH, json=body, headers=self.header)

    def quickly(self, *states: dict[str, Any], **more: Any) -> bool:
        """Whether the desk itself answered."""
        before = self.desk.answered
        self.ask(*states, **more)
        return self.desk.answered > before
