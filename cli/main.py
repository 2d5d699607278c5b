"""The `bos` command: one typer application, composed of the sub-commands that each module of this package brings."""

import typer

app = typer.Typer(
    name="bos",
    help="A Kafka-native batch orchestrator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """A Kafka-native batch orchestrator."""


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
