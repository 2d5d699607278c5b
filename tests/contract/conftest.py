"""Property tests take the same examples in every run, and as long as a busy machine needs."""

from hypothesis import HealthCheck, settings

settings.register_profile("wire", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wire")
