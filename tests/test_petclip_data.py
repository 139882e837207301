"""What petclip-mini is trained on: photos and rendered pets with their captions, and what is withheld."""


import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from making_runs import assert_sentence

from petseg_utils.errors import DataError
from petseg_utils.petclip.breeds import LOOKS, WITHHELD, spoken
from petseg_utils.petclip.captions import breed_prompts, draw_caption
from petseg_utils.petclip.data import EMPTY_CAPTIONS, CaptionDataset, _cut, captioned_data
from petseg_utils.petclip.pretrain import texts_learned
from petseg_utils.petclip.vocabulary import check_words, tokenize, words_of


def test_withheld_breeds_and_other_parts_never_train(captioned):
    manifest = captioned.manifest
    train = manifest[manifest["part"] == "train"]
    assert not set(train["breed"]) & set(WITHHELD)
    assert not set(manifest["breed"][manifest["part"] == "val"]) & set(WITHHELD)
    assert set(train["split"]) == {"trainval"}
    assert set(WITHHELD) & set(manifest["breed"][manifest["part"] == "test"]) == {"Bombay", "shiba_inu"}
    real = captioned.manifest["caption"] == ""
    assert set(manifest["part"][~real]) <= {"train", "unused"}
    assert all(int(name.rsplit("_", 1)[1]) < 6 for name in train["name"][real[train.index]])  # test photos begin at 10


def test_no_caption_and_no_known_word_names_a_withheld_breed(captioned):
    rng = np.random.default_rng(0)
    captions = [draw_caption(breed, "dog", rng) for breed in LOOKS if breed not in WITHHELD for _ in range(40)]
    known = {word for text in texts_learned(captioned) for word in words_of(text)}
    for caption in captions:
        assert set(words_of(caption)) <= known, "a training caption has a word that the file would refuse"
    for breed in WITHHELD:
        name = spoken(breed)
        assert not any(name in caption for caption in captions)
        assert set(words_of(name)) - known, f"{breed} can be asked for by name"
        for prompt in breed_prompts(breed, "dog", named=False):
            check_words(prompt, frozenset(known))
            assert not set(words_of(prompt)) & set(words_of(name)) - {"bull", "terrier"}
    assert len({draw_caption("pug", "dog", rng) for _ in range(200)}) > 50, "captions vary"


def test_two_cats_and_four_dogs_are_withheld():
    assert sum(breed[0].isupper() for breed in WITHHELD) == 2 and len(WITHHELD) == 6 and len(LOOKS) == 37


def test_a_breed_without_words_is_refused(synthetic_data):
    with pytest.raises(DataError) as caught:
        captioned_data(synthetic_data, synthetic_data)
    assert_sentence(str(caught.value), "no description of breed", "Oxford-IIIT Pet")


def test_a_sample_depends_on_seed_epoch_and_photo_only(captioned):
    one, other = CaptionDataset(captioned, 3), CaptionDataset(captioned, 3)
    first = one[5]
    [other[i] for i in (0, 7, 2)]
    for a, b in zip(first, other[5], strict=True):
        assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    other.set_epoch(1)
    assert not torch.equal(first[0], other[5][0])
    assert not torch.equal(first[0], CaptionDataset(captioned, 4)[5][0])


def test_a_crop_is_where_its_affine_map_says():
    """The teacher's features are cut by the same map, through torch; a mirrored or shifted one would teach nonsense."""
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8), (128, 128))
    for crop in ([[0.6, 0, 0.2], [0, 0.5, -0.3]], [[-0.7, 0, 0.1], [0, 0.8, 0.15]], [[1.0, 0, 0], [0, 1.0, 0]]):
        affine = np.array(crop, dtype=np.float32)
        grid = F.affine_grid(torch.tensor(affine)[None], [1, 3, 112, 112], align_corners=False)
        theirs = F.grid_sample(torch.tensor(image).permute(2, 0, 1)[None].float(), grid, align_corners=False,
                               padding_mode="border")[0].permute(1, 2, 0).numpy()
        assert np.abs(theirs - _cut(image, affine)).mean() < 0.6


def test_background_is_captioned_where_there_is_no_pet(captioned):
    dataset = CaptionDataset(captioned, 0)
    empty = {tuple(row.tolist()) for row in tokenize(list(EMPTY_CAPTIONS))}
    found = 0
    for i, row in enumerate(dataset.rows):
        for epoch in range(8):
            dataset.set_epoch(epoch)
            _, text, _, crop, _ = dataset[i]
            if tuple(text.tolist()) not in empty:
                continue
            found += 1
            assert captioned.manifest["caption"].iloc[row], "only rendered pictures have such crops"
            (half_x, _, x), (_, half_y, y) = crop.tolist()
            left, right = sorted(round((x + sign * half_x + 1) * 64) for sign in (-1, 1))
            top, bottom = (round((y + sign * half_y + 1) * 64) for sign in (-1, 1))
            assert (captioned.masks[row][top:bottom, left:right] == 0).all()
    assert found > 5
