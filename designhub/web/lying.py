"""How a part can lie on the bed, as pages show it: a picture, and what is measured of it then."""

from dataclasses import dataclass

from designhub.language import Lazy
from designhub.web.quote_words import ORIENTATIONS
from designs.facts import AS_MODELLED, MeshFacts, Pose
from designs.models import MeshRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to choose from."""

    orientation: str
    name: Lazy
    pose: Pose

    @property
    def down(self) -> str:
        """What looks down, as the viewer reads it."""
        return " ".join(f"{each:.6g}" for each in self.pose.down)


def ways(mesh: MeshRow) -> list[Way]:
    """Every way that was measured of a mesh; none of one that cannot be turned."""
    if mesh.facts is None:
        return []
    poses = {pose.name: pose for pose in MeshFacts.from_json(mesh.facts).poses}
    if "bottom" in poses:
        poses[AS_MODELLED] = poses["bottom"]
    return [
        Way(orientation=orientation, name=name, pose=poses[orientation])
        for orientation, name in ORIENTATIONS.items()
        if orientation in poses
    ]
