"""What the pages need: each area of the hub adds its own tables and columns below its name."""

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add them; nothing that is there changes."""
    _people()
    _designs()
    _printers()
    _router()


def _people() -> None:
    """Invitations, mail, notices."""


def _designs() -> None:
    """Models for the viewer, designs made by upload."""


def _printers() -> None:
    """Enrolment by code, hours, maintenance."""


def _router() -> None:
    """Messages."""
