"""From prompt scores to the tidy rows of results tables: one number a row."""

from typing import Any

import numpy as np

from petseg_utils.metrics.bootstrap import bootstrap_statistic
from petseg_utils.metrics.interactive import number_of_clicks, worst_drop
from petseg_utils.prompts.protocol import PromptScores

SIMULATED, SINGLE = "simulated clicks", "single clicks"
_SINGLE_CLICKS = ("centre", "random", "near border")


def prompt_rows(scores: PromptScores, seed: int = 0) -> list[dict[str, Any]]:
    """Every number that prompts are judged by, with its interval over photos (1000 resamples, 95 %).

    Returns:
        Rows with the keys prompt, border, reduction, class, metric, value, ci_low, ci_high: of the dialogue miou@1,
        miou@3, miou@5, noc@85, noc@90, the shares of photos that never reach .85 and .90 (failures@85, failures@90)
        and the worst drop of a photo's IoU at a click; of single clicks, no prompt and texts the mean IoU; and the
        spread, the largest less the smallest mean IoU of the three kinds of clicks on the pet.
    """
    asked = ~np.isnan(scores.dialogue[:, 0])
    dialogue = np.where(asked[:, None], scores.dialogue, 0)

    def of_dialogue(values: np.ndarray) -> np.ndarray:
        return np.where(asked, values, np.nan)

    columns: dict[tuple[str, str, str], np.ndarray] = {
        (SIMULATED, "pet", f"miou@{k}"): of_dialogue(dialogue[:, k - 1]) for k in (1, 3, 5)}
    for threshold in (85, 90):
        reached = np.asarray((dialogue >= threshold / 100).any(1))
        columns[SIMULATED, "pet", f"noc@{threshold}"] = of_dialogue(number_of_clicks(dialogue, threshold / 100))
        columns[SIMULATED, "pet", f"failures@{threshold}"] = of_dialogue(~reached)
    columns[SIMULATED, "pet", "worst_drop"] = of_dialogue(worst_drop(dialogue))
    columns |= {
        ("centre", "pet", "iou"): scores.centre, ("random", "pet", "iou"): scores.random,
        ("near border", "pet", "iou"): scores.rim, ("on background", "background", "iou"): scores.background,
        ("on background", "pet", "iou"): scores.astray, ("none", "pet", "iou"): scores.none,
        ("text", "pet", "iou"): scores.text, ("text of the other species", "", "selected"): scores.other_text,
    }
    values = np.stack(list(columns.values()), axis=1).astype(float)  # (N, K)
    there = ~np.isnan(values)
    sums = np.stack([np.where(there, values, 0), there], axis=2)  # (N, K, 2)
    keys = list(columns)
    singles = [keys.index((kind, "pet", "iou")) for kind in _SINGLE_CLICKS]
    found = dict(zip(keys, bootstrap_statistic(sums, _means, seed=seed), strict=True))
    (found[SINGLE, "pet", "spread"],) = bootstrap_statistic(sums[:, singles], _spread, seed=seed)
    return [{"prompt": prompt, "border": "ignore", "reduction": "image", "class": of, "metric": metric}
            | interval._asdict() for (prompt, of, metric), interval in found.items()]


def _means(sums: np.ndarray) -> np.ndarray:
    total, number = sums[..., 0], sums[..., 1]
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def _spread(sums: np.ndarray) -> np.ndarray:
    means = _means(sums)
    return (means.max(-1) - means.min(-1))[..., None]
