"""The topic table of a deployment, with the topics that its pipeline definitions add."""

from runtime.settings import Settings
from schemas.topics import TopicTable
from state.pipelines.loader import command_topics, load_pipelines


def deployed_topics(settings: Settings) -> TopicTable:
    """Return the topic table with the topics of generic commands.

    Raises `ConfigurationError` for a wrong file of pipeline definitions.
    """
    topics = settings.topics()
    return command_topics(load_pipelines(settings.pipelines_file, topics), topics)
