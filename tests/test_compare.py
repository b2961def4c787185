"""`zorse compare`: two results side by side."""

import json
from functools import cache

import numpy as np
import pytest

from zorse.metrics import figures
from zorse.metrics.compare import compare
from zorse.metrics.evaluation import Evaluation, Report, packed, unpacked
from zorse.metrics.figures import Sets, kid_figure, mean_figure, precision_recall_figures

REAL = np.random.default_rng(0).normal(size=(60, 6))
SOURCES = np.random.default_rng(1).normal(size=(50, 6))
SETS = Sets("sets", "50v60/0123abcd")


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Rough intervals are enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "N_RESAMPLES", 400)
        yield


class Eyes:
    name = identifier = description = "eyes"


@cache
def evaluation(shift=0.0, score=10.0, sets=SETS, direction="AtoB", name="model", seed=2):
    """Of a model that moves sources by `shift` too much, with a little chance of its own."""
    rng = np.random.default_rng(seed)
    fake = SOURCES + shift + 0.1 * rng.normal(size=SOURCES.shape)
    scores = score + SOURCES[:, 0] + 0.1 * rng.normal(size=len(SOURCES))
    measured = [
        kid_figure(Eyes, REAL, fake, sets),
        *precision_recall_figures(Eyes, REAL, fake, sets),
        mean_figure("PSNR (dB)", list(scores), sets, better="higher", identifier="psnr", description="PSNR"),
    ]
    return Evaluation(
        model=name,
        task="a to b",
        direction=direction,
        weights_sha256="",
        metrics=tuple(figure.metric for figure in measured),
        untouched=(),
        resamples={figure.metric.name: packed(figure.resamples) for figure in measured},
    )


def write(file, *evaluations):
    file.write_text(Report(zorse_version="1", evaluations=evaluations).model_dump_json())
    return file


def verdicts(comparison):
    (models,) = comparison.models
    return {figure.name: figure.verdict for figure in models.figures}


def test_better_and_worse_are_told_apart_whichever_way_a_figure_goes(tmp_path):
    good = write(tmp_path / "good.json", evaluation(0.2, 11, name="good"))
    bad = write(tmp_path / "bad.json", evaluation(0.9, 10.8, name="bad", seed=3))
    there, back = compare(good, bad), compare(bad, good)
    assert verdicts(there)["KID x 1000 (eyes)"] == "worse"
    assert verdicts(there)["PSNR (dB)"] == "worse"
    assert verdicts(back)["KID x 1000 (eyes)"] == "better"
    assert verdicts(back)["PSNR (dB)"] == "better"
    figure = there.models[0].figures[0]
    assert figure.difference == pytest.approx(figure.second - figure.first)
    assert 0 < figure.interval[0] < figure.difference < figure.interval[1]
    assert (there.models[0].first, there.models[0].second) == ("good", "bad")


def test_pairing_sees_differences_that_the_intervals_of_the_figures_hide(tmp_path):
    first, second = evaluation(score=11, name="first"), evaluation(score=10.9, seed=3)
    (before,), (after,) = ([m for m in each.metrics if m.name == "PSNR (dB)"] for each in (first, second))
    assert before.interval[0] < after.interval[1]  # They overlap by far.
    assert after.value > before.interval[0]
    files = write(tmp_path / "a.json", first), write(tmp_path / "b.json", second)
    assert verdicts(compare(*files))["PSNR (dB)"] == "worse"


def test_models_that_are_alike_are_undecided(tmp_path):
    first = write(tmp_path / "a.json", evaluation(0.3, name="first"))
    assert set(verdicts(compare(first, first)).values()) == {"undecided"}
    decided = 0
    for seed in range(10, 16):
        found = verdicts(compare(first, write(tmp_path / "b.json", evaluation(0.3, seed=seed))))
        decided += found["KID x 1000 (eyes)"] != "undecided"
    assert decided <= 1


def test_other_protocols_are_shown_but_not_compared(zorse, tmp_path):
    first = write(tmp_path / "a.json", evaluation())
    second = write(tmp_path / "b.json", evaluation(0.5, sets=Sets("others", "50v60/ffffffff")))
    code, out, err = zorse("compare", first, second)
    assert code == 1
    assert out.count("not comparable") == 4
    assert "50v60/0123abcd" in out
    assert "50v60/ffffffff" in out
    assert "No figure" in err
    assert "same pictures" in err


def test_results_of_older_versions_are_flagged(tmp_path):
    old = json.loads(write(tmp_path / "a.json", evaluation()).read_text())
    for field in ("missing", "resamples", "sets"):
        del old["evaluations"][0][field]
    for metric in old["evaluations"][0]["metrics"]:
        del metric["protocol_id"], metric["better"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    (models,) = compare(tmp_path / "old.json", tmp_path / "a.json").models
    assert models.n_comparable == 0
    assert "measure again" in models.figures[0].reason


def test_both_directions_of_a_run_find_their_counterparts(zorse, tmp_path):
    first = write(tmp_path / "a.json", evaluation(0.9, name="ab"), evaluation(0.1, direction="BtoA", name="ba"))
    second = write(tmp_path / "b.json", evaluation(0.1, direction="BtoA", name="BA"), evaluation(0.1, name="AB"))
    code, out, _ = zorse("compare", first, second, "--json")
    assert code == 0
    found = json.loads(out)["models"]
    assert [(each["first"], each["second"]) for each in found] == [("ab", "AB"), ("ba", "BA")]
    assert found[0]["figures"][0]["verdict"] == "better"
    assert found[1]["figures"][0]["verdict"] == "undecided"
    code, out, _ = zorse("compare", first, second)
    assert code == 0
    assert f"A: ab (AtoB), {first}" in out
    assert f"B: AB (AtoB), {second}" in out


def test_figures_of_one_result_only_are_named(tmp_path):
    full = evaluation()
    part = full.model_copy(update={"metrics": full.metrics[:-1]})
    comparison = compare(write(tmp_path / "a.json", full), write(tmp_path / "b.json", part))
    assert comparison.models[0].alone == ("PSNR (dB)",)


def test_what_compare_cannot_use_is_said_in_a_paragraph(zorse, tmp_path):
    good = write(tmp_path / "a.json", evaluation(), evaluation(direction="BtoA"))
    (tmp_path / "other.json").write_text('{"hello": 1}')
    (tmp_path / "broken.json").write_text("{")
    damaged = evaluation().model_copy(update={"resamples": {"PSNR (dB)": "???"}})
    for file, complaint in [
        (tmp_path / "no.json", "cannot be read"),
        (tmp_path, "is a folder"),
        (tmp_path / "other.json", "is something else"),
        (tmp_path / "broken.json", "is something else"),
        (write(tmp_path / "none.json"), "there is nothing to compare"),
        (write(tmp_path / "damaged.json", damaged), "damaged"),
    ]:
        code, out, err = zorse("compare", good, file)
        assert code == 1
        assert complaint in err
        assert out == ""


def test_resamples_survive_their_packing():
    values = np.random.default_rng(0).normal(size=100)
    np.testing.assert_allclose(unpacked(packed(values)), values, rtol=1e-6)
