"""The alarms: what must be seen in the signals, for how long, what it means, and what to do.

An alarm looks at the median of a signal over a window of several readings and iterations. It is raised once when the
median passes one threshold and cleared once when it comes back over another one. What an alarm knows is a function of
the signals alone, so a resumed run finds its alarms by reading its own log.

Which alarms make sense for which task:

- All of them watch unpaired recipes, whose translations keep the scene.
- Pairs may be anything, such as edges and photos or a negative and its print: there, dark may well become light, and
  the truth says what must change. `colour_inversion` and `identity_collapse` do not watch them.
- `discriminator_overpowering` needs a discriminator that decides; the critic of wgan_gp does not.
- A task that an alarm does not fit (day to night, for `colour_inversion`) silences it with `training.silence`.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from zorse.training.config import AlarmName

READINGS = 5
"""Fewest readings in a window."""
SPAN = 200
"""Fewest iterations between the first and the last reading of a window."""


@dataclass(frozen=True)
class Alarm:
    """A condition with its cause and its remedy, in plain words."""

    name: AlarmName
    signal: str
    """The signals watched begin with this; the rest of their names tells what the alarm is about."""
    side: Literal["above", "below"]
    """On which side of the threshold there is danger."""
    raise_at: float
    clear_at: float
    cause: str
    remedy: str
    collapse: bool = False
    """Whether the run will not recover by itself: `training.rollback` takes it back."""
    needs_scene: bool = False
    """Whether it makes sense only where output and input show the same things."""
    grace: int = 0
    """Iterations at the beginning in which what it looks for is normal."""
    grace_share: float = 0.0
    """Likewise, as a share of the run; the longer one counts."""
    relative: bool = False
    """Whether thresholds are shares of the highest median so far."""

    def passes(self, value: float, threshold: float) -> bool:
        """Whether a value is on the dangerous side of a threshold."""
        return value > threshold if self.side == "above" else value < threshold


ALARMS = (
    Alarm(
        name="discriminator_overpowering",
        signal="accuracy_",
        side="above",
        raise_at=0.985,
        clear_at=0.96,
        cause="The discriminator tells every generated picture from a real one. What it says about them hardly "
        "depends on how good they are, so the generator learns little from it.",
        remedy="Slow it down with a lower recipe.discriminator_learning_rate (try half), or let it see less at a "
        "time: more training pictures, augmentation, recipe.label_smoothing=0.1 with the lsgan objective.",
    ),
    Alarm(
        name="vanishing_gradient",
        signal="gradient_G",
        side="below",
        raise_at=1e-3,
        clear_at=1e-2,
        relative=True,
        collapse=True,
        cause="The gradient that reaches the generator has fallen to less than a thousandth of what it was. Its "
        "outputs are saturated, or the discriminator says the same whatever it is shown.",
        remedy='Take recipe.objective="lsgan" or "hinge", a lower recipe.learning_rate and a lower '
        "recipe.discriminator_learning_rate, and start from a checkpoint saved before.",
    ),
    Alarm(
        name="mode_collapse",
        signal="diversity_",
        side="below",
        raise_at=0.2,
        clear_at=0.35,
        collapse=True,
        grace=100,
        cause="The generator draws nearly the same picture whatever it is given, although its inputs and the real "
        "pictures differ.",
        remedy="Start from a checkpoint saved before with a lower recipe.learning_rate; tie the output closer to the "
        "input (a higher recipe.lambda_cycle, recipe.lambda_l1 or recipe.lambda_nce); check that the training "
        "pictures of this domain are not all alike (zorse data check).",
    ),
    Alarm(
        name="mode_collapse",
        signal="coverage_",
        side="below",
        raise_at=0.5,
        clear_at=0.7,
        relative=True,
        collapse=True,
        cause="The generator draws less and less of what there is: a good part of the real samples that had generated "
        "ones near them have none any more.",
        remedy="Start from a checkpoint saved before with a lower recipe.learning_rate; take wgan_gp or sngan in place "
        "of gan; let the discriminator see whole batches (recipe.discriminator.minibatch_kernels=16) or learn more "
        "often (recipe.tricks.d_steps).",
    ),
    Alarm(
        name="colour_inversion",
        signal="luma_correlation_",
        side="below",
        raise_at=-0.3,
        clear_at=0.0,
        collapse=True,
        needs_scene=True,
        grace=100,
        cause="What is light in the input is dark in the output. A cycle back undoes that as easily as it undoes "
        "nothing, so the cycle loss does not mind.",
        remedy="Raise recipe.lambda_identity (0.5 keeps colours), and start again or from a checkpoint saved before: "
        "an inverted generator rarely turns back. If the domains are meant to be inverse (photo negatives, day and "
        'night), set training.silence=["colour_inversion"].',
    ),
    Alarm(
        name="checkerboard",
        signal="checkerboard_",
        side="above",
        raise_at=0.015,
        clear_at=0.008,
        grace=500,
        cause="The outputs carry a regular pattern of 2 or 4 pixels that real pictures do not have. Early on that is "
        "normal; later, the upsampling layers overlap unevenly, or the discriminator does not see such detail.",
        remedy='Take a generator without transposed convolutions (recipe.generator={kind="compact"}), or add a '
        'discriminator that sees single pixels: a PatchGAN, {kind="patchgan"}, in recipe.discriminators.',
    ),
    Alarm(
        name="identity_collapse",
        signal="change_",
        side="below",
        raise_at=0.01,
        clear_at=0.02,
        needs_scene=True,
        grace=1000,
        grace_share=0.25,
        cause="The generator hands its input back unchanged: that costs it nothing but the adversarial loss, and the "
        "discriminator does not make it pay.",
        remedy="Lower recipe.lambda_identity and recipe.lambda_cycle (or recipe.lambda_nce), and check that the two "
        "domains really differ (zorse data check).",
    ),
    Alarm(
        name="stagnation",
        signal="movement_",
        side="below",
        raise_at=1e-6,
        clear_at=1e-5,
        cause="The generator has stopped moving although its learning rate is not zero: its losses and its outputs "
        "stay as they are. Its gradient is zero or not finite, or the learning rate is far too low.",
        remedy='Raise recipe.learning_rate (2e-4 is usual); with training.precision="fp16" take "bf16" or "fp32", '
        "since every step may be skipped for an overflow.",
    ),
)
"""All alarms that come from signals; `non_finite` comes from the loop, which stops there and names the pictures."""


@dataclass(frozen=True)
class Event:
    """An alarm that was raised or cleared."""

    iteration: int
    alarm: Alarm
    about: str
    """A discriminator, an optimizer, a generator or a picture, by its name."""
    raised: bool
    value: float
    """Of the signal, the median over the window; for relative alarms a share."""

    @property
    def seen(self) -> str:
        """What was seen, in words and a number."""
        measure = "of its highest value so far" if self.alarm.relative else "over the last readings"
        where = "above" if self.alarm.side == "above" else "below"
        threshold = self.alarm.raise_at if self.raised else self.alarm.clear_at
        now = f"{where} {threshold:g}" if self.raised else f"no longer {where} {threshold:g}"
        return f"{self.alarm.signal}{self.about} is {self.value:.3g} {measure}: {now}."


@dataclass
class _Watch:
    """One alarm watching one signal."""

    alarm: Alarm
    signal: str
    raised: Event | None = None
    """What raised the alarm, as long as it stands."""
    brewing: bool = False
    """Whether the newest reading alone would raise the alarm."""
    _window: deque[tuple[int, float]] = field(default_factory=deque)
    _highest: float = 0.0

    def update(self, iteration: int, value: float) -> Event | None:
        self._window.append((iteration, value))
        while len(self._window) > READINGS and iteration - self._window[1][0] >= SPAN:
            self._window.popleft()
        middle = median(seen for _, seen in self._window)
        full = len(self._window) >= READINGS and iteration - self._window[0][0] >= SPAN
        if full:
            self._highest = max(self._highest, middle)
        scale = self._highest if self.alarm.relative else 1.0
        self.brewing = scale > 0 and self.alarm.passes(value / scale, self.alarm.raise_at)
        if not full or not scale:
            return None
        threshold = self.alarm.clear_at if self.raised else self.alarm.raise_at
        now = self.alarm.passes(middle / scale, threshold)
        if now == (self.raised is not None):
            return None
        event = Event(iteration, self.alarm, self.signal.removeprefix(self.alarm.signal), now, middle / scale)
        self.raised = event if now else None
        return event


class AlarmBoard:
    """All alarms of a run.

    Args:
        keeps_scene: whether output and input show the same things.
        total: iterations of the run.
        silenced: alarms that shall not be raised.
        warm_up: first iterations, in which discriminators are meant to win, because the generators wait for them.
    """

    def __init__(self, keeps_scene: bool, total: int, silenced: Iterable[AlarmName] = (), warm_up: int = 0) -> None:
        quiet = set(silenced)
        self._alarms = [a for a in ALARMS if a.name not in quiet and (keeps_scene or not a.needs_scene)]
        self._total = total
        self._warm_up = warm_up
        self._watches: dict[tuple[str, str], _Watch] = {}

    def update(self, iteration: int, signals: Mapping[str, float]) -> list[Event]:
        """Take in a reading; gives the alarms that it raises or clears."""
        events = []
        for alarm in self._alarms if iteration > self._warm_up else []:
            if iteration <= max(alarm.grace, alarm.grace_share * self._total):
                continue
            for signal in signals:
                if signal.startswith(alarm.signal):
                    watch = self._watches.setdefault((alarm.name, signal), _Watch(alarm, signal))
                    events.append(watch.update(iteration, signals[signal]))
        return [event for event in events if event is not None]

    @property
    def healthy(self) -> bool:
        """Whether no collapse stands or is in sight, so that a checkpoint saved now is worth going back to."""
        return not any(w.alarm.collapse and (w.raised or w.brewing) for w in self._watches.values())

    @property
    def collapse(self) -> Event | None:
        """What raised an alarm of a collapse that stands, perhaps before the run was resumed; None if none does."""
        return next((w.raised for w in self._watches.values() if w.alarm.collapse and w.raised), None)
