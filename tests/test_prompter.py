"""Encode once, prompt many: what clicks and texts select, on models whose right answer is known."""

import numpy as np
import pytest
import torch
from making_prompters import Painter
from making_runs import FLOAT32, assert_sentence

from petseg_utils.classes import CAT, DOG
from petseg_utils.errors import UsageError
from petseg_utils.models import build_model
from petseg_utils.models.prompt import average_under, match_clicked
from petseg_utils.petclip.breeds import LOOKS, WITHHELD, spoken
from petseg_utils.prompts.prompter import DialoguePrompter, OneClickPrompter, PromptlessPrompter, build_prompter
from petseg_utils.prompts.selection import as_logits, compose, cut_in_two, label_region, lean_on_seen, name_region
from petseg_utils.prompts.text import TextPrompts, build_texts

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
CAT_CLICK, DOG_CLICK, EMPTY_CLICK = (20, 30), (100, 60), (60, 90)  # (x, y) in the picture below


@pytest.fixture
def picture():
    """120 x 100 pixels: a cat at the left, a dog at the right, background between and below."""
    image = np.full((100, 120, 3), BLUE, dtype=np.uint8)
    image[10:70, 5:40], image[10:80, 80:115] = RED, GREEN
    return image


class NamedClasses:
    """Texts that are the classes' names."""

    def name_class(self, text):
        return ("background", "cat", "dog").index(text), 1.0


def ready(picture, planes=3, **options):
    prompter = build_prompter(Painter(planes) if planes else Painter(1).eval(), 64, FLOAT32, NamedClasses(), **options)
    prompter.set_image(picture)
    return prompter


@pytest.fixture(params=["several clicks", "one click", "none"])
def prompter(request, picture):
    if request.param == "none":
        made = PromptlessPrompter(_Blind(), 64, FLOAT32, NamedClasses())
        made.set_image(picture)
        return made
    return ready(picture, 3 if request.param == "several clicks" else 1)


class _Blind(torch.nn.Module):
    """The painter's classes, without its prompts."""

    def forward(self, images):
        return Painter(1)(images)


def truth(picture, colour):
    return (picture == colour).all(axis=2)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize(("click", "colour", "label"), [
    (CAT_CLICK, RED, "cat"), (DOG_CLICK, GREEN, "dog"), (EMPTY_CLICK, BLUE, "background")])
def test_a_click_selects_the_region_under_it_and_names_it(prompter, picture, click, colour, label):
    selection = prompter.predict([click], [1])
    assert overlap(selection.mask, truth(picture, colour)) > 0.9
    assert selection.label == label and selection.score > 0.9
    assert selection.mask.shape == selection.probabilities.shape == (100, 120) and selection.mask.dtype == bool
    assert selection.classes.shape == (3, 100, 120)
    np.testing.assert_allclose(selection.classes.sum(0), 1, atol=1e-3)


def test_clicks_add_up_and_a_click_out_carves_away(prompter, picture):
    cat, dog = truth(picture, RED), truth(picture, GREEN)
    assert overlap(prompter.predict([CAT_CLICK, DOG_CLICK], [1, 1]).mask, cat | dog) > 0.9
    assert overlap(prompter.predict([CAT_CLICK, DOG_CLICK, CAT_CLICK], [1, 1, 0]).mask, dog) > 0.9


def test_without_a_prompt_the_region_is_the_pet(prompter, picture):
    selection = prompter.predict()
    assert overlap(selection.mask, ~truth(picture, BLUE)) > 0.9


def test_a_text_selects_its_class_and_clicks_correct_it(prompter, picture):
    cat, dog = truth(picture, RED), truth(picture, GREEN)
    assert overlap(prompter.predict(text="dog").mask, dog) > 0.9
    assert overlap(prompter.predict([CAT_CLICK], [1], text="dog").mask, cat | dog) > 0.9
    assert overlap(prompter.predict([DOG_CLICK, CAT_CLICK], [0, 1], text="dog").mask, cat) > 0.9


def test_the_order_of_asking_changes_nothing(picture):
    points, labels = [CAT_CLICK, EMPTY_CLICK, DOG_CLICK], [1, 0, 1]
    torch.manual_seed(0)
    model = build_model("prompt", image_size=64, width=8).eval()
    one, other = (build_prompter(model, 64, FLOAT32) for _ in range(2))
    one.set_image(picture)
    other.set_image(picture)
    at_once = one.predict(points, labels)
    for n in (1, 3, 2, 3):  # with an undo
        in_steps = other.predict(points[:n], labels[:n])
    np.testing.assert_array_equal(at_once.probabilities, in_steps.probabilities)
    one.set_image(picture[::-1].copy())
    assert not np.array_equal(one.predict(points, labels).probabilities, at_once.probabilities), "an old photo's answer"


def test_what_was_asked_before_is_not_computed_again(picture):
    for planes in (3, 1):
        prompter = ready(picture, planes)
        prompter.predict([CAT_CLICK, DOG_CLICK], [1, 1])
        asked = prompter.model.asked
        prompter.predict([CAT_CLICK], [1])
        prompter.predict([CAT_CLICK, DOG_CLICK], [1, 1])
        assert prompter.model.asked == asked


def test_the_kind_of_prompter_follows_from_the_model():
    kinds = {"unet": PromptlessPrompter, "prompt-unet": OneClickPrompter, "prompt-clip": OneClickPrompter,
             "prompt": DialoguePrompter}
    for name, kind in kinds.items():
        assert type(build_prompter(build_model(name), 64, FLOAT32)) is kind


def test_a_control_may_ignore_clicks_or_keep_to_one_part(picture):
    picture[85:95, 5:40] = RED  # a second cat
    for components, share in ((True, 1.0), (False, 0.0)):
        prompter = PromptlessPrompter(_Blind(), 64, FLOAT32, components=components)
        prompter.set_image(picture)
        mask = prompter.predict([CAT_CLICK], [1]).mask
        first = truth(picture, RED)
        first[80:] = False
        assert (overlap(mask, first) > 0.9) == bool(share)
        assert bool(mask[90, 20]) != components


def test_the_part_under_the_click_is_that_of_the_likeliest_class_however_narrowly(picture):
    class Torn(torch.nn.Module):
        def forward(self, images):  # of a cat: .38 cat, .35 dog, .27 background
            logits = Painter(1)(images)
            return torch.where((logits.argmax(1) == 1)[:, None], torch.tensor([0.27, 0.38, 0.35]).log()[:, None, None],
                               logits)

    prompter = PromptlessPrompter(Torn(), 64, FLOAT32)
    prompter.set_image(picture)
    found = prompter.predict([CAT_CLICK], [1])
    assert overlap(found.mask, truth(picture, RED)) > 0.85 and found.label == "cat"


@pytest.mark.parametrize(("points", "labels", "parts"), [
    ([(130, 5)], [1], ["(130, 5)", "120 x 100"]),
    ([(-1, 5)], [1], ["(-1, 5)"]),
    ([(float("nan"), 5)], [1], ["nan"]),
    ([(1, 5)], [], ["1 points and 0 labels"]),
    ([(1, 5)], [2], ["[2]", "1 for a click in"]),
    ([(1, 2, 3), (4, 5, 6)], [1, 1, 1], ["(2, 3)", "one pair (x, y)"]),
    ([1, 5], [1], ["(2,)", "one pair (x, y)"]),
])
def test_a_wrong_click_is_refused_with_a_sentence(picture, points, labels, parts):
    with pytest.raises(UsageError) as caught:
        ready(picture).predict(points, labels)
    assert_sentence(str(caught.value), *parts)


def test_wrong_photos_and_wrong_orders_are_refused(picture):
    prompter = build_prompter(Painter(), 64, FLOAT32)
    with pytest.raises(UsageError, match="set_image first"):
        prompter.predict()
    for wrong in (picture.astype(float), picture[:, :, 0], np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(UsageError, match=r"give uint8 \(H, W, 3\)"):
            prompter.set_image(wrong)
    prompter.set_image(picture)
    with pytest.raises(UsageError, match="^the text 'cat' cannot be understood"):
        prompter.predict(text="cat")


# ---------------------------------------------------------------------------------------------- what a prompt means


def test_a_photo_cut_in_two_by_hand():
    region = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    classes = torch.tensor([[[0.0, 0.2, 1.0, 0.8]], [[0.6, 0.8, 0.0, 0.2]], [[0.4, 0.0, 0.0, 0.0]]])
    inside, outside = parts = label_region(region, classes)
    torch.testing.assert_close(inside, torch.tensor([0.1, 0.7, 0.2]), atol=1e-5, rtol=0)
    torch.testing.assert_close(outside, torch.tensor([0.9, 0.1, 0.0]), atol=1e-5, rtol=0)
    cut = cut_in_two(region, parts)
    assert cut.argmax(0).tolist() == [[1, 1, 0, 0]], "one class a part, though the first pixel alone is undecided"
    assert name_region(region, classes) == ("cat", pytest.approx(0.7, abs=1e-5))
    assert name_region(torch.zeros(1, 4), classes)[0] == "background"


def test_regions_compose_as_sets_do():
    a, b = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    assert compose([a, b], []).tolist() == [1, 1, 0]
    assert compose([a], [b]).tolist() == [1, 0, 0]
    assert compose([], [b], base=a).tolist() == [1, 0, 0]
    assert compose([b], [], base=torch.tensor([0.0, 0.0, 1.0])).tolist() == [0, 1, 1]


def test_products_drawn_into_the_weights_are_a_convolution_of_the_products():
    torch.manual_seed(0)
    features, heat, match = torch.randn(2, 5, 6, 7), torch.rand(2, 2, 6, 7), torch.nn.Linear(10, 5)
    heat[1, 1] = 0  # nobody has clicked out
    clicked = average_under(features, heat)
    torch.testing.assert_close(clicked[0, 0], (features[0] * heat[0, 0]).sum((1, 2)) / heat[0, 0].sum())
    assert (clicked[1, 1] == 0).all()
    products = (features[:, None] * clicked[..., None, None]).flatten(1, 2)
    torch.testing.assert_close(match_clicked(features, clicked, match),
                               torch.nn.functional.conv2d(products, match.weight[..., None, None], match.bias))


@torch.no_grad()
def test_a_first_click_out_carves_from_the_pet_and_a_first_click_in_begins_with_nothing(picture, monkeypatch):
    torch.manual_seed(0)
    prompter = build_prompter(build_model("prompt", image_size=64, width=8).eval(), 64, FLOAT32)
    prompter.set_image(picture)
    asked = []
    monkeypatch.setattr(prompter.model, "select", lambda _, prompts: asked.append(prompts) or torch.zeros(1, 4, 64, 64))
    prompter.predict([EMPTY_CLICK], [0])
    prompter.predict([CAT_CLICK], [1])
    torch.testing.assert_close(asked[0][0, 2], 1 - prompter._unprompted[0])
    assert asked[1][0, 2].max() == 0


@pytest.mark.parametrize(("x", "y", "means"), [(2.5, 3.5, "left"), (6.5, 3.5, "left"), (7.5, 3.5, "nothing seen"),
                                               (15.9, 7.9, "right")])
def test_a_first_click_on_a_pet_that_the_model_sees_means_that_pet_and_leaves_another_alone(x, y, means):
    pet, answer = torch.full((8, 16), 0.1), torch.full((8, 16), -2.0)
    pet[1:6, 0:5], pet[2:8, 12:16] = 0.9, 0.8  # the first one's edge is two pixels from column 6
    mean, found = (answer + as_logits(pet)) / 2, lean_on_seen(answer, pet, x, y)
    left, right = (torch.zeros(8, 16, dtype=torch.bool) for _ in range(2))
    left[1:6, 0:5], right[2:8, 12:16] = True, True
    alone = {"left": right, "right": left, "nothing seen": torch.ones(8, 16, dtype=torch.bool)}[means]
    torch.testing.assert_close(found, torch.where(alone, answer, mean))


@torch.no_grad()
def test_only_a_first_click_in_leans_on_what_is_seen(picture):
    torch.manual_seed(0)
    prompter = build_prompter(build_model("prompt", image_size=64, width=8).eval(), 64, FLOAT32, NamedClasses())
    prompter.set_image(picture)
    prompter._unprompted = torch.tensor([0.2, 0.7, 0.1])[:, None, None].expand(3, 64, 64)
    clicks, nothing, half = prompter._clicks([CAT_CLICK], [1]), torch.zeros(64, 64), torch.full((64, 64), 0.7)
    alone, after_text = prompter._answer(clicks, nothing).region, prompter._answer(clicks, half).region
    seen = as_logits(torch.full((64, 64), 0.8))
    torch.testing.assert_close(prompter._ask(clicks, None).region, (alone + seen) / 2)
    torch.testing.assert_close(prompter._ask(clicks, half).region, after_text)


# ---------------------------------------------------------------------------------------------- texts


@pytest.fixture(scope="module")
def texts() -> TextPrompts:
    return build_texts()


@pytest.mark.parametrize(("text", "code"), [
    ("background", 0), ("cat", 1), ("Dog ", 2), ("a siamese cat", 1), ("pug", 2), ("a photo of a beagle", 2),
    ("sphynx", 1), ("a giant dog", 2), ("cats", 1), ("Beagles", 2), ("a pet dog", 2),
    ("background without pets", 0)])
def test_a_text_is_brought_to_its_class(texts, text, code):
    found, probability = texts.name_class(text)
    assert found == code and 0.5 < probability <= 1


@pytest.mark.parametrize("text", ["pet", "Pets", "the animal", "pet!", "a photo of a pet", "a fluffy pet"])
def test_a_pet_of_no_species_is_refused_rather_than_taken_for_background(texts, text):
    with pytest.raises(UsageError) as caught:
        texts.name_class(text)
    assert_sentence(str(caught.value), text, "say cat or dog")
    assert texts.name_class("no pet")[0] == 0


@pytest.mark.parametrize("text", ["grass", "a photo", "large upright ears", "on a sofa", "tiny"])
def test_looks_and_places_alone_are_refused_since_they_were_learned_beside_a_species_only(texts, text):
    with pytest.raises(UsageError) as caught:
        texts.name_class(text)
    assert_sentence(str(caught.value), text, "names no species")
    for breed in ("cat", "dog", "persian", "pomeranian"):
        assert texts.name_class(f"{breed} {text}") == texts.name_class(breed)


def test_looks_and_places_beside_a_species_lead_no_breed_astray(texts):
    breeds = [breed for breed in LOOKS if breed not in WITHHELD]
    for said in ("a tiny {}", "a {} with long hair", "a black {} sitting on a sofa"):
        found = [texts.name_class(said.format(spoken(breed)))[0] for breed in breeds]
        assert found == [CAT if breed[0].isupper() else DOG for breed in breeds], said


@pytest.mark.parametrize(("text", "parts"), [("dgo", ["dgo", "dog"]), ("", ["no word"]), ("begle", ["beagle"]),
                                           ("Köter", ["'köter'"]), ("кот cat", ["'кот'"]), ("the", ["names nothing"]),
                                           ("dogs and cats", ["two species", "one at a time"]),
                                           ("a cat and no dog", ["what is not meant"]),
                                           ("a beagle without a collar", ["what is not meant"])])
def test_an_unknown_word_names_near_ones(texts, text, parts):
    with pytest.raises(UsageError) as caught:
        texts.name_class(text)
    assert_sentence(str(caught.value), *parts)
