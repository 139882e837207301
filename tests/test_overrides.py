"""NAME=VALUE on the command line."""

from petseg_utils.overrides import parse_sets


def test_files_and_folders_in_settings_are_meant_from_where_the_user_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.py", "weights.pt"):
        (tmp_path / name).touch()
    sets = {"DATA_ROOT": "photos", "NATIVE_ROOT": "../native"}
    parsed = parse_sets(tuple(f"{name}={value}" for name, value in sets.items()))
    assert parsed == {"DATA_ROOT": str(tmp_path / "photos"), "NATIVE_ROOT": str(tmp_path.parent / "native")}
    for given, meant in (("mine.py", str(tmp_path / "mine.py")), ("random:mine.py", f"random:{tmp_path / 'mine.py'}"),
                         ("weights.pt:ViT-B-32", f"{tmp_path / 'weights.pt'}:ViT-B-32"),
                         ("openai:ViT-B-32", "openai:ViT-B-32"), ("petclip-mini", "petclip-mini"),
                         ("missing.py", "missing.py"), ("timm:resnet18", "timm:resnet18")):
        assert parse_sets((f"ENCODER={given}",)) == {"ENCODER": meant}
