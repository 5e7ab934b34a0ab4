"""How far a saliency map can be believed: one file a metric, found by name in ``METRICS``.

A metric is handed some states of a policy and a method's maps of them, and gives one number a
state. Files whose names begin with an underscore are no metrics: what the others share.
"""

from agentlens.metrics._base import METRICS as METRICS
from agentlens.metrics._base import Metric as Metric
from agentlens.metrics._base import Sample as Sample
from agentlens.metrics._states import States as States
