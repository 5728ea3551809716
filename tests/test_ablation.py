"""The paper's ablations in short: what benchmarks/translate_ablation.py shows in half an hour, in seconds.

Pictures of 32 pixels, a smaller network, a higher learning rate, and a third of the weight on L1. Judged by
the IoU: a picture without its patterns has half the pixels right, but no class. Of five seeds at 300 steps
L1+cGAN came to 0.38 to 0.60, L1 to 0.25, the encoder-decoder to 0.05, the unconditional GAN to 0.03 to 0.11.
"""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # scripts, and no package

import translate_ablation as ablation
from regions import CLASSES, Score, regions, score, trained_scorer
from translate_ablation import CGAN, GAN, L1, L1_CGAN, L1_GAN, SEVERED, TABLES

SIDE, STEPS = 32, 300
SHORT = {"crop": SIDE, "width": 8, "batch": 8, "learning_rate": 1e-3, "field": "34", "l1_weight": 30.0}


@pytest.fixture(scope="module")
def real():
    return regions(300, SIDE, seed=0)


@pytest.fixture(scope="module")
def test():
    return regions(48, SIDE, seed=1)


@pytest.fixture(scope="module")
def scorer(real):
    return trained_scorer(real, 200)


@pytest.fixture(scope="module")
def overlap(real, test, scorer):
    """The IoU that a training comes to, by what it changes."""
    found = {}

    def overlap(changes):
        key = json.dumps(changes, sort_keys=True)
        if key not in found:
            options = ablation.options_for(SHORT | changes, 0, STEPS)
            found[key] = ablation.score_of(ablation.trained(options, real), scorer, test).overlap
        return found[key]

    return overlap


def test_the_scorer_tells_classes_by_their_patterns(scorer, test):
    assert score(scorer, test.pair.targets, test.classes).overlap > 0.85
    flat = torch.nn.functional.avg_pool2d(test.pair.targets, 13, 1, 6, count_include_pad=False)
    assert score(scorer, flat, test.classes).overlap < 0.35


def test_without_its_input_the_discriminator_teaches_nothing(overlap):
    assert overlap(GAN) < 0.15  # by chance it is 0.07


def test_a_discriminator_adds_what_the_mean_leaves_out(overlap):
    assert overlap(L1_CGAN) >= overlap(L1) + 0.05


def test_skips_carry_the_layout(overlap):
    assert overlap(L1) >= overlap(SEVERED | L1) + 0.05


# The benchmark's own parts


def test_pictures_are_a_function_of_seed_and_number():
    few, more = regions(2, 24, seed=3), regions(4, 24, seed=3)
    assert torch.equal(few.pair.targets, more.pair.targets[:2])
    assert torch.equal(few.classes, more.classes[:2])
    assert not torch.equal(few.classes, regions(2, 24, seed=4).classes)
    assert few.pair.targets.min() >= 0 and few.pair.targets.max() <= 1
    bits = (few.pair.inputs * torch.tensor([1, 2, 4]).view(1, 3, 1, 1)).sum(1)
    assert torch.equal(bits.long(), few.classes)


def test_score_by_hand():
    classes = torch.tensor([[[0, 0, 1, 1]]])

    def seen(images):  # 0, 1, 1, 1
        return torch.nn.functional.one_hot(torch.tensor([[[0, 1, 1, 1]]]), CLASSES).permute(0, 3, 1, 2)

    found = score(seen, torch.zeros(1, 3, 1, 4), classes)
    assert found.accuracy == 0.75
    assert found.overlap == pytest.approx((1 / 2 + 2 / 3) / CLASSES)


def test_results_are_kept_and_not_made_twice(tmp_path):
    path, asked = tmp_path / "results.json", []

    def measure(options):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(options)
        return Score(0.5, 0.25)

    with pytest.raises(KeyboardInterrupt):
        ablation.completed(path, [0], 7, measure)
    assert len(ablation.read(path)) == 3
    known = ablation.completed(path, [0], 7, lambda options: Score(0.75, 0.5))
    assert sorted(found.accuracy for found in known.values()) == [0.5] * 3 + [0.75] * 7
    rows = [row for rows in TABLES.values() for row in rows]
    assert {ablation.key_of(row.changes, 0, 7) for row in rows} == known.keys()
    assert ablation.key_of(L1, 1, 7) not in known


PAPER_LIKE = {
    ablation.key_of(changes, 0, 1): Score(accuracy, accuracy)
    for changes, accuracy in (
        (L1, 0.48),
        (GAN, 0.01),
        (CGAN, 0.46),
        (L1_GAN, 0.64),
        (L1_CGAN, 0.58),
        ({"field": "1"}, 0.5),
        ({"field": "34"}, 0.67),
        ({"field": "70"}, 0.51),
        (SEVERED | L1, 0.2),
        (SEVERED | L1_CGAN, 0.27),
    )
}


@pytest.mark.parametrize(
    ("changes", "accuracy", "holds"),
    [
        (L1, 0.48, True),
        (GAN, 0.11, False),
        (L1, 0.54, False),
        ({"field": "1"}, 0.68, False),
        ({"field": "70"}, 0.69, True),
        ({"field": "70"}, 0.71, False),
        (SEVERED | L1, 0.49, False),
    ],
)
def test_each_claim_can_fail(capsys, changes, accuracy, holds):
    found = PAPER_LIKE | {ablation.key_of(changes, 0, 1): Score(accuracy, accuracy)}
    results = lambda changed: found[ablation.key_of(changed, 0, 1)]  # noqa: E731
    assert ablation.print_claims(results) is holds
    assert capsys.readouterr().out.count("FAILS") == (not holds)
    ablation.print_tables(results, Score(0.99, 0.98))
    assert capsys.readouterr().out.count("\n") == 3 * 2 + 13 + 1
