"""`zorse train`: train from a preset or a TOML file."""

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from zorse.cli.command import app
from zorse.cli.options import AllowCodeOption
from zorse.cli.stopping import say_stopped
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse.training.planning.plan import Plan

LONGEST = 60 * 24 * 365
"""Minutes."""


@app.command()
def train(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(metavar="PRESET|CONFIG.toml", help="A preset's name or a TOML file.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; points in the plane need none.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/PRESET-DATE")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting, e.g. recipe.lambda_cycle=5. May be repeated."
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Start from a shipped or own model, a run, or a checkpoint of other programs. May be repeated.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the last checkpoint in --out, with its settings and those of --set."),
    ] = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")] = "auto",
    allow_code: AllowCodeOption = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Let the data doctor look at the pictures first.")
    ] = True,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=LONGEST,
            metavar="MINUTES",
            help="Train for about so long, evaluations not counted: a trial tells how many iterations that are.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only try two steps, and tell what the run would take: time, memory, disk."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Train pix2pix, CycleGAN or CUT on your own pictures, or a baseline GAN on points, digits or pictures.

    Presets: cyclegan_horse2zebra, cyclegan_photo2monet, cut_horse2zebra, fastcut_horse2zebra, pix2pix_edges2shoes,
    pix2pix_facades (as published, for a GPU), pix2pixhd_facades (its discriminators and losses around a ResNet-9, for
    a GPU), and compact_horse2zebra, compact_cut_horse2zebra, compact_photo2monet, compact_edges2shoes,
    compact_edges2clothes (for a CPU).

    Baseline GANs: gan_ring, wgan_gp_grid and so on train on points in the plane in a minute or a few, without data;
    cdcgan_digits and so on need the idx files of MNIST or Fashion-MNIST; dcgan_pictures and so on any folder.

    Ctrl-C saves a checkpoint, says how to go on, and ends with exit code 130.
    """
    require("Training", "train")
    from zorse.cli.gans.baselines import find_baseline, train_from_command
    from zorse.cli.presets import find_translator
    from zorse.data.doctor.before_training import check_before_training
    from zorse.training.config import with_overrides
    from zorse.training.custom_code import own_code
    from zorse.training.driver import check_new
    from zorse.training.files import RunFolder
    from zorse.training.planning.plan import iterations_within, make_plan
    from zorse.training.run import train as run_training
    from zorse.training.start import Start, settings_of, start_from

    given, models = settings or [], models or []
    _check_together(given, models, minutes, has_out=out is not None, resume=resume, plan=plan, as_json=as_json)
    folder = out or Path("runs") / f"{Path(preset).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    # Launched several times (torchrun), only the first process speaks.
    console = Console(soft_wrap=True, highlight=False, markup=False, quiet=os.environ.get("RANK", "0") != "0")
    if baseline := find_baseline(preset):
        if plan or models or minutes is not None:
            raise typer.BadParameter("--plan, --minutes and --from are for translators: leave them out.")
        train_from_command(baseline, given, data, folder, console, resume=resume, device=device)
        return
    source = find_translator(preset)
    if data is None:
        raise typer.BadParameter("--data is missing, the folder of the pictures.")
    if resume and out is not None:
        source = settings_of(RunFolder(out), source)

    context.with_resource(own_code(with_overrides(source, given)))  # What the user types is the user's own word.

    def configured(settings: list[str]) -> Start:
        config = with_overrides(source, settings)
        fixed_generator = any(setting.startswith("recipe.generator") for setting in settings)
        return start_from(config, models, fixed_generator=fixed_generator) if models else Start(config, ())

    try:
        config, remarks = configured(given)
        if minutes is not None:
            if not plan:  # What is wrong with folder or pictures is said before the trial, not after it.
                check_new(folder)
                if check:
                    check_before_training(config.data, data, console)
                check = False
            iterations = iterations_within(minutes, config, data, folder, device)
            config, remarks = configured([*given, f"training.iterations={iterations}"])
            remarks = (*remarks, f"{iterations} iterations take about {minutes:g} minutes, as a trial tells.")
        for remark in [] if as_json else remarks:
            console.print(remark)
        if plan:
            _say_plan(make_plan(config, data, folder, device), console, as_json=as_json)
            return
        console.print(f"Training {config.name} in {folder}")
        state = run_training(config, data, folder, resume=resume, device=device, console=console, check=check)
    except KeyboardInterrupt:  # Before the first step, or the second one during a step: the loop takes the first.
        if RunFolder(folder).last_checkpoint.exists():
            console.print(f"Stopped at once. Go on from the last checkpoint with: --out {folder} --resume")
        else:
            console.print("Stopped before anything was saved: the same command starts again.")
        raise typer.Exit(130) from None
    if state.interrupted:
        not_again = [option for option, value in (("--from", models), ("--minutes", minutes)) if value]
        say_stopped(state, folder, console, " and ".join(not_again))
    console.print(f"Done. Generators with their cards are in {folder / 'generators'}; next: zorse export {folder}")
    if (best := RunFolder(folder).best_generators).is_dir():
        console.print(f"The best ones by KID are in {best}: zorse export {folder} --checkpoint best")


def _check_together(
    settings: list[str],
    models: list[str],
    minutes: float | None,
    *,
    has_out: bool,
    resume: bool,
    plan: bool,
    as_json: bool,
) -> None:
    """Raises typer.BadParameter where options exclude each other."""
    if as_json and not plan:
        raise typer.BadParameter("--json goes with --plan.")
    if plan and resume:
        raise typer.BadParameter("--plan is for a run that has not begun: leave --resume out.")
    if resume and not has_out:
        raise typer.BadParameter("--resume needs --out, the folder of the run to go on with.")
    if resume and minutes is not None:
        raise typer.BadParameter("A run that goes on knows how long it is: leave --minutes out with --resume.")
    if minutes is not None and any(_sets_length(setting) for setting in settings):
        raise typer.BadParameter("--minutes and --set training.iterations or training.epochs exclude each other.")
    if minutes is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise typer.BadParameter("--minutes is for a single process: each of several would measure its own length.")
    if resume and models:
        raise typer.BadParameter("A run that goes on knows what it started from: leave --from out with --resume.")


def _sets_length(setting: str) -> bool:
    key, _, value = setting.partition("=")
    names = ("iterations", "epochs")
    return key.strip() in {f"training.{name}" for name in names} or (
        key.strip() == "training" and any(name in value for name in names)
    )


def _say_plan(plan: "Plan", console: Console, *, as_json: bool) -> None:
    from zorse.cli.planned import described

    if as_json:
        typer.echo(plan.model_dump_json(indent=2))
        return
    for line in described(plan):
        console.print(line)
