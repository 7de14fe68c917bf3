"""What is shipped: the model's files, its manifest, its requirements, and the zip of them."""

from deploy_magics.model.archive import LIMITS, Archive, Limits, write_zip
from deploy_magics.model.manifest import Manifest
from deploy_magics.model.model import Model, settle
from deploy_magics.model.requirements import BLANKLY, Requirements, parse_lines

__all__ = [
    "BLANKLY",
    "LIMITS",
    "Archive",
    "Limits",
    "Manifest",
    "Model",
    "Requirements",
    "parse_lines",
    "settle",
    "write_zip",
]
