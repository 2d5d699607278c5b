"""What is checked before the api listens."""

from api.access.authenticate import Authenticator
from api.settings import ApiSettings
from schemas.errors import Code, ConfigurationError


def check_access(settings: ApiSettings) -> None:
    """Raise `ConfigurationError` for unreadable keys, or if the api would be open to the network without control."""
    Authenticator(settings)
    if settings.open_to_network and not settings.access_controlled and not settings.allow_anyone_on_the_network:
        raise ConfigurationError(
            f"The api would listen on {settings.host} without access control: whoever reaches it sees and controls "
            "every batch.",
            next_step="Set API_KEYS or JWT_JWKS, listen on 127.0.0.1, or set ALLOW_ANYONE_ON_THE_NETWORK=true where a "
            "gateway in front of it checks callers.",
            code=Code.OPEN_ACCESS,
        )
