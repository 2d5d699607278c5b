"""The policy of the router's transform (`schemas.inbound.transform`), from its settings and pipelines."""

from runtime.settings import Settings
from schemas.errors import ConfigurationError
from schemas.public.registration import RegistrationPolicy
from state.pipelines.loader import load_pipelines


def registration_policy(settings: Settings) -> RegistrationPolicy:
    """Return the policy for registrations. Raises `ConfigurationError` for a wrong pipeline or unknown phases."""
    pipelines = load_pipelines(settings.pipelines_file, settings.topics())
    known = [phase.name for phase in pipelines.default.phases]
    unknown = [phase for phase in settings.default_phases if phase not in known]
    if unknown:
        raise ConfigurationError(
            f"DEFAULT_PHASES names phases that pipeline {pipelines.default_name}, the default, does not have: "
            f"{', '.join(unknown)}.",
            next_step=f"Choose from {', '.join(known)}.",
        )
    return RegistrationPolicy(
        pipelines=pipelines,
        peer_era=settings.peer_era,
        limits=settings.limits(),
        default_phases=settings.default_phases,
        topics=settings.topics(),
    )
