"""Every word of the tab that shows GANs at work."""

TAB = "GAN lab"
WAY_LIVE = "Watch one learn"
WAY_DIGITS = "Draw samples"

NOT_INSTALLED = (
    "**Watching GANs learn needs PyTorch**, which is not part of this installation. Whoever runs this page can add it: "
    "`pip install 'zorse[train]'`, then start the page again."
)
INTRO = (
    "Two networks play: the generator turns noise into points (orange), the discriminator tells them from real ones "
    "(blue dots). The paper is tinted by what the discriminator believes, blue where it takes points for real; the "
    "arrows show where it sends generated ones. Press *Play*."
)
METHOD = "Method"
METHODS = {
    "gan": "GAN, non-saturating",
    "minimax": "GAN, minimax",
    "lsgan": "LSGAN",
    "wgan": "WGAN (clipped weights)",
    "wgan_gp": "WGAN-GP",
    "sngan": "SNGAN (hinge, spectral norm)",
    "vae": "VAE (no game)",
}
"""By the beginnings of their presets' names."""
DISTRIBUTION = "Real points"
DISTRIBUTIONS = {"ring": "ring of 8", "grid": "grid of 25", "spiral": "spiral"}
SEED = "Seed"
SEED_HINT = "Of all chance: the same seed plays the same game."
PLAY, PAUSE, STEP, AGAIN = "Play", "Pause", "Step", "Restart"
ALT = "Real and generated points in the plane after {step} steps of {method}"
STATUS = "**Step {step}** · modes covered {covered} of {modes} · good points {good:.0%} · reverse KL {kl:.2f}"
LOSSES = "losses: {losses}"
STARTING = "Starting ..."
PAUSED = "Paused by itself after {seconds:.0f} seconds; press *Play* to go on."
ENDED = "This game has been played for {steps} steps, the most on this page. Begin another one."
FORGOTTEN = "This game has been forgotten, since others came. Press *Restart*."
ENDLESS = "The values are no longer numbers: this game has diverged. Begin another one."

NO_GENERATORS = (
    "**No generators here yet.** Train one, export it, and start the page with its folder:\n\n"
    "```sh\n"
    "zorse train cdcgan_digits --data mnist/ --out runs/digits\n"
    "zorse export runs/digits -o models/digits.onnx\n"
    "zorse ui --models models/\n"
    "```"
)
DIGITS_INTRO = "Every slider moves all samples the same way through the noise that they are drawn from."
GENERATOR = "Generator"
LABEL = "Class"
LABEL_EACH = "each its own"
CODE = "Discrete code"
CONTINUOUS = "Continuous code {number}"
DIRECTION = "Direction {number}"
SHEET_ALT = "Samples of {name}"
DESCRIBED = "**{name}**: {shows}. {training}"
