"""Which code of a notebook belongs to a model."""

from deploy_magics.notebook.log import ExecutedCell, ExecutionLog
from deploy_magics.notebook.slicing import Reason, Slice, slice_cells, slice_log

__all__ = ["ExecutedCell", "ExecutionLog", "Reason", "Slice", "slice_cells", "slice_log"]
