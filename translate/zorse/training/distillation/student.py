"""What became of a student: how near it comes to its teacher, and for how much of the time."""

from collections.abc import Iterator
from pathlib import Path

from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.errors import DatasetError
from zorse.metrics.evaluation import Evaluation, Instruments, evaluate, unpacked
from zorse.metrics.features import efficientnet_extractor
from zorse.metrics.latency import LatencyComparison
from zorse.metrics.resampling import interval
from zorse.model.architecture import Frozen
from zorse.model.card import Metric
from zorse.runtime.translator import Translator
from zorse.training.config import TrainConfig
from zorse.training.files import write_atomically
from zorse.training.observers.evaluation import fair_judge, picture_set


class Ratio(Frozen):
    """A figure of the student relative to its teacher's."""

    name: str
    value: float
    interval: tuple[float, float]
    """95 %, over the choice of test pictures: both models meet the same ones in each resample."""


class StudentReport(Frozen):
    """Teacher and student side by side; what a distillation leaves in distillation.json."""

    teacher: str
    student: str
    latency: LatencyComparison
    """The student first."""
    evaluations: tuple[Evaluation, ...] = ()
    """Of the student and of the teacher; none where the data holds no test set."""
    ratios: tuple[Ratio, ...] = ()

    @property
    def processor_share(self) -> float:
        """Processor time of the student relative to its teacher's."""
        return self.latency.processor_ratio(0, 1)


def report_student(
    config: TrainConfig, data: Path, student: Translator, teacher: Translator, latency: LatencyComparison
) -> StudentReport:
    """Measure both on the test pictures, through the network that did not teach.

    Args:
        config: of the distillation.
        data: folder of the pictures.
        student: at work.
        teacher: at work.
        latency: of both, the student first.

    Raises:
        DatasetError: a test picture that cannot be used.
    """
    names = {"teacher": teacher.card.name, "student": student.card.name}
    try:
        pictures = picture_set(config, data, student.card.direction, "test")
    except DatasetError:  # There is no test set: what was trained on would tell nothing.
        return StudentReport(**names, latency=latency)
    instruments = Instruments([efficientnet_extractor(fair_judge(config))], [])
    evaluations = tuple(evaluate(each, pictures, instruments=instruments) for each in (student, teacher))
    return StudentReport(**names, latency=latency, evaluations=evaluations, ratios=tuple(_ratios(*evaluations)))


def _ratios(student: Evaluation, teacher: Evaluation) -> Iterator[Ratio]:
    for mine, theirs in zip(student.metrics, teacher.metrics, strict=True):
        if mine.name.startswith("KID") and theirs.value > 0:
            resampled = unpacked(student.resamples[mine.name]) / unpacked(teacher.resamples[theirs.name])
            yield Ratio(name=mine.name, value=mine.value / theirs.value, interval=interval(resampled))


def keep_report(report: StudentReport, file: Path, generator: Path) -> None:
    """Write the report, and what was measured into the card of the student.

    Args:
        report: what was measured.
        file: to write it to, as JSON.
        generator: the student's .safetensors file.

    Raises:
        ZorseError: a file could not be written.
    """
    write_atomically(file, report.model_dump_json(indent=2).encode())
    network, card = load_generator(generator)
    save_generator(generator, network, card.model_copy(update={"metrics": _metrics(report), "notes": summary(report)}))


def _metrics(report: StudentReport) -> tuple[Metric, ...]:
    return report.evaluations[0].metrics if report.evaluations else ()


def summary(report: StudentReport) -> str:
    """The report in a sentence or two."""
    student, teacher = report.latency.latencies
    text = (
        f"Takes {report.processor_share:.2g} of the processor time of its teacher {report.teacher} "
        f"({1000 * student.processor_seconds:.0f} and {1000 * teacher.processor_seconds:.0f} ms for "
        f"{report.latency.side} x {report.latency.side} pixels, {report.latency.provider})."
    )
    for ratio in report.ratios:
        low, high = ratio.interval
        text += f" Its {ratio.name} is {ratio.value:.2f} times its teacher's (95 % interval {low:.2f} to {high:.2f})."
    return text
