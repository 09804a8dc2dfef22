"""`recommender completion`: what a shell needs to complete commands, options and ids."""

import click

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    epilog="Example: recommender completion bash >> ~/.bashrc",
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the script with which SHELL completes commands, options, model ids and runs.

    Put it where the shell reads it at its start: ~/.bashrc, ~/.zshrc, or
    ~/.config/fish/completions/recommender.fish.
    """
    from click.shell_completion import get_completion_class

    from recommender.cli import COMPLETING, cli

    completer = get_completion_class(shell)
    if completer is None:
        raise click.ClickException(f"click has no completion for {shell}")
    click.echo(completer(cli, {}, "recommender", COMPLETING).source())
    return 0
