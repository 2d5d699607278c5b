"""The policy of the router's transform (`schemas.inbound.transform`), from its settings and pipelines."""

from runtime.settings import Settings
from schemas.errors import ConfigurationError
from schemas.public.registration import RegistrationPolicy
from state.pipelines.loader import load_pipelines


def registration_policy(settings: Settings) -> RegistrationPolicy:
    """Return the policy for registrations. Raises `ConfigurationError` for a wrong pipeline or unknown phases."""
    pipeline = load_pipelines(settings.pipelines_file, settings.topics())
    known = [phase.name for phase in pipeline.phases]
    unknown = [phase for phase in settings.default_phases if phase not in known]
    if unknown:
        raise ConfigurationError(
            f"DEFAULT_PHASES names phases that pipeline {pipeline.name} does not have: {', '.join(unknown)}.",
            next_step=f"Choose from {', '.join(known)}.",
        )
    return RegistrationPolicy(
        pipeline=pipeline,
        peer_era=settings.peer_era,
        limits=settings.limits(),
        default_phases=settings.default_phases,
        topics=settings.topics(),
    )
