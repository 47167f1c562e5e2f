"How many examples Hypothesis makes up: `CACHY_EXAMPLES`, else a few."
import os

from hypothesis import HealthCheck, settings

examples = int(os.environ.get('CACHY_EXAMPLES', 150))
many = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
