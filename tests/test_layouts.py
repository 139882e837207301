"""Both disk layouts: what is listed, which species and split it gets, and which sentence a damaged list raises."""

import numpy as np
import pytest
from making_data import HEIGHT, TEST, TRAINVAL, WIDTH, trimap, write_coursework, write_oxford

from petseg_utils.data.decode import decode, read_mask, read_photo
from petseg_utils.data.layouts import read_layout
from petseg_utils.errors import DataError

SPLITS = ["trainval"] * len(TRAINVAL) + ["test"] * len(TEST)


def message_of(root) -> str:
    with pytest.raises(DataError) as caught:
        read_layout(root)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("folder", ["oxford-iiit-pet", "."])
def test_oxford_is_read_with_and_without_its_own_folder(tmp_path, folder):
    base = write_oxford(tmp_path, folder=folder)
    layout = read_layout(tmp_path)
    assert (layout.kind, layout.root) == ("oxford", base)
    assert [s.name for s in layout.samples] == [*TRAINVAL, *TEST]
    assert [s.split for s in layout.samples] == SPLITS
    assert [s.species for s in layout.samples] == [1, 1, 2, 2, 1, 2]
    assert [s.breed for s in layout.samples] == ["Birman", "Birman", "pug", "pug", "Birman", "pug"]
    assert layout.samples[2].image_path == base / "images" / "pug_1.jpg"
    assert layout.samples[2].mask_path == base / "annotations" / "trimaps" / "pug_1.png"
    assert read_layout(str(tmp_path)) == layout


def test_oxford_keeps_the_order_of_the_lists_and_reads_no_other_file(tmp_path):
    base = write_oxford(tmp_path, ("pug_1", "Birman_1"), ("pug_9",))
    (base / "annotations" / "list.txt").write_text("not read\n")
    (base / "images" / "stray_1.mat").write_text("not read")
    assert [s.name for s in read_layout(tmp_path).samples] == ["pug_1", "Birman_1", "pug_9"]


def test_a_breed_of_several_words_ends_at_the_number(tmp_path):
    write_oxford(tmp_path, ("american_pit_bull_terrier_31",), ("pug_1",))
    assert read_layout(tmp_path).samples[0].breed == "american_pit_bull_terrier"


def test_comments_blank_lines_and_foreign_line_ends_are_passed_over(tmp_path):
    listing = write_oxford(tmp_path) / "annotations" / "trainval.txt"
    lines = listing.read_text().splitlines()
    listing.write_bytes("\r\n".join(["#Image CLASS-ID SPECIES BREED ID", "# 2 3", "", *lines, "  ", ""]).encode())
    assert [s.name for s in read_layout(tmp_path).samples] == [*TRAINVAL, *TEST]


@pytest.mark.parametrize("line", ["pug_1 1 2", "pug_1 1 2 1 1", "pug_1 1 3 1", "pug_1 1 0 1", "pug_1 1 dog 1", "pug_1"])
def test_a_broken_line_is_named_by_file_number_and_text(tmp_path, line):
    listing = write_oxford(tmp_path) / "annotations" / "test.txt"
    listing.write_text(f"# comment\nBirman_3 1 1 1\n{line}\n")
    message = message_of(tmp_path)
    assert message.startswith(f"line 3 of {str(listing)!r} reads {line!r}")


def test_what_is_there_twice_is_named(tmp_path):
    listing = write_oxford(tmp_path / "a") / "annotations" / "test.txt"
    lines = listing.read_text().splitlines()
    listing.write_text("\n".join([*lines, lines[-1]]))
    assert f"line {len(lines) + 1} of {str(listing)!r} names {TEST[-1]!r} once more" in message_of(tmp_path / "a")
    write_coursework(tmp_path / "b")
    photo = next((tmp_path / "b" / "Test" / "color").glob("*.jpg"))
    photo.with_suffix(".png").write_bytes(b"another picture")
    message = message_of(tmp_path / "b")
    assert str(photo) in message and photo.with_suffix(".png").name in message


def test_a_list_that_is_not_text_is_named(tmp_path):
    listing = write_oxford(tmp_path) / "annotations" / "trainval.txt"
    listing.write_bytes(b"\x89PNG\xff\xfe\x80 1 \xff\n")
    assert str(listing) in message_of(tmp_path)


def test_a_missing_list_and_empty_lists_are_refused(tmp_path):
    annotations = write_oxford(tmp_path) / "annotations"
    (annotations / "test.txt").unlink()
    assert f"{str(annotations / 'test.txt')!r} is missing" in message_of(tmp_path)
    for split in ("trainval", "test"):
        (annotations / f"{split}.txt").write_text("# nothing\n")
    assert f"lists in {str(annotations)!r} name no photo" in message_of(tmp_path)


def test_a_missing_folder_a_file_and_a_folder_of_something_else_are_refused(tmp_path):
    assert f"{str(tmp_path / 'nowhere')!r} is not a folder" in message_of(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "is not a folder" in message_of(tmp_path / "file")
    (tmp_path / "photos").mkdir()
    assert "holds neither oxford-iiit-pet/annotations nor TrainVal/ and Test/" in message_of(tmp_path / "photos")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_oxford(tmp_path / "pets")
    assert len(read_layout("~/pets").samples) == 6


# ------------------------------------------------------------------------------------------------ oxford masks


def test_a_trimap_is_decoded_by_the_listed_species_not_by_name_or_place(tmp_path):
    base = write_oxford(tmp_path, ("tiger_1", "Fox_1"), ("pug_1",))
    (base / "annotations" / "trainval.txt").write_text("Fox_1 1 2 1\ntiger_1 2 1 1\n")  # dog first, cat second
    layout = read_layout(tmp_path)
    for sample, species in zip(layout.samples, (2, 1, 2), strict=True):
        assert sample.species == species
        mask = read_mask(layout, sample)
        assert mask.dtype == np.uint8 and mask.shape == (HEIGHT, WIDTH)
        np.testing.assert_array_equal(mask, np.choose(trimap() - 1, [species, 0, 3]))


@pytest.mark.parametrize("value", [0, 4, 128, 255])
def test_a_foreign_trimap_value_is_refused_and_named(tmp_path, value):
    write_oxford(tmp_path)
    layout = read_layout(tmp_path)
    raw = trimap()
    raw[3, 4] = value
    with pytest.raises(ValueError, match=rf"values \[{value}\] outside \{{1, 2, 3\}}"):
        layout.decode_mask(raw, layout.samples[0])


# -------------------------------------------------------------------------------------------------- coursework


def test_coursework_is_read_sorted_with_its_species_and_splits(tmp_path):
    write_coursework(tmp_path, ("pug_2", "Birman_1", "pug_1"), ("pug_3",))
    layout = read_layout(tmp_path)
    assert (layout.kind, layout.root) == ("coursework", tmp_path)
    rows = [(s.name, s.species, s.breed, s.split) for s in layout.samples]
    assert rows == [("Birman_1", 1, "Birman", "trainval"), ("pug_1", 2, "pug", "trainval"),
                    ("pug_2", 2, "pug", "trainval"), ("pug_3", 2, "pug", "test")]
    for sample in layout.samples:
        folder = "Test" if sample.split == "test" else "TrainVal"
        assert sample.image_path == tmp_path / folder / "color" / f"{sample.name}.jpg"
        assert sample.mask_path == tmp_path / folder / "label" / f"{sample.name}.png"
        np.testing.assert_array_equal(read_mask(layout, sample), np.choose(trimap() - 1, [sample.species, 0, 3]))
        assert read_photo(sample.image_path).shape == (HEIGHT, WIDTH, 3)


def test_coursework_with_one_of_its_folders_is_enough_and_with_none_filled_is_refused(tmp_path):
    write_coursework(tmp_path / "test", (), ("pug_3",))
    assert [s.name for s in read_layout(tmp_path / "test").samples] == ["pug_3"]
    (tmp_path / "empty" / "TrainVal" / "color").mkdir(parents=True)
    assert "holds no TrainVal/color/*.jpg" in message_of(tmp_path / "empty")


def test_coursework_lists_a_name_that_has_only_one_of_its_two_files(tmp_path):
    write_coursework(tmp_path)
    (tmp_path / "TrainVal" / "color" / "pug_1.jpg").unlink()
    (tmp_path / "Test" / "label" / "Birman_3.png").unlink()
    assert sorted(s.name for s in read_layout(tmp_path).samples) == sorted([*TRAINVAL, *TEST])


def test_coursework_photos_may_be_jpeg_or_png(tmp_path):
    write_coursework(tmp_path)
    color = tmp_path / "TrainVal" / "color"
    (color / "pug_1.jpg").rename(color / "pug_1.jpeg")
    (color / "pug_2.jpg").rename(color / "pug_2.PNG")
    names = {sample.name: sample.image_path.name for sample in read_layout(tmp_path).samples}
    assert names["pug_1"] == "pug_1.jpeg" and names["pug_2"] == "pug_2.PNG" and names["Birman_1"] == "Birman_1.jpg"


def test_a_masks_photo_in_another_format_is_named_as_it_lies_there(tmp_path):
    write_coursework(tmp_path)
    photo = tmp_path / "TrainVal" / "color" / "pug_1.jpg"
    photo.unlink()
    photo.with_suffix(".heic").write_bytes(b"as a phone writes it")
    layout = read_layout(tmp_path)
    (sample,) = [sample for sample in layout.samples if sample.name == "pug_1"]
    decoded, (defect,) = decode(layout, sample)
    assert decoded is None and "pug_1.heic" in str(defect) and "cannot be read" in str(defect)
