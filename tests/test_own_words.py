"""Columns of words, flags and numbers that are names: the same whatever else is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_tables import Capture, records, run

import simdl

WORDS = {
    "flags": ("true", "false"),
    "FLAGS": ("TRUE", "FALSE"),
    "padded": ("01", "2"),
    "yes": ("yes", "no"),
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("gaps", ["new", "old"])
def test_words_mean_the_same_whatever_else_is_in_their_column(
    words: tuple[str, str], gaps: str, tmp_path: Path, capsys: Capture
) -> None:
    """A column with a gap in it is read as texts, one without might be read as flags or numbers."""
    full, gap, out = tmp_path / "full.csv", tmp_path / "gap.csv", tmp_path / "run"
    lines = [f"{words[i % 3 > 0]},{i},{'ab'[i % 2]}" for i in range(40)]
    full.write_text("\n".join(["word,size,kind", *lines]) + "\n", encoding="utf-8")
    lines[4] = ",4,a"
    gap.write_text("\n".join(["word,size,kind", *lines]) + "\n", encoding="utf-8")
    first, second = (full, gap) if gaps == "new" else (gap, full)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[data]\npath = "{first}"\ntarget = "kind"\ncategories = ["word"]\nmissing = "mean"\n'
        "[network]\nwidth = 4\n[training]\nepochs = 1\nbatch_size = 8\n",
        encoding="utf-8",
    )
    assert run("train", config, "--out", out) == 0
    assert simdl.load(out).encoder.form.columns[0].values == tuple(sorted(words))
    capsys.readouterr()
    assert run("predict", out, "--data", second) == 0, capsys.readouterr().err
    assert len(records(capsys.readouterr().out)) == 40


def test_classes_are_called_what_the_file_calls_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for words, names in (
        (("01", "02", "10"), ("01", "02", "10")),
        (("true", "false", "true"), ("false", "true")),
        (("0", "1", "2"), ("0", "1", "2")),
        (("-1.0", "1.0", "1.0"), ("-1", "1")),
    ):
        lines = [f"{i},{words[i % 3]}" for i in range(12)]
        path.write_text("\n".join(["size,target", *lines]) + "\n", encoding="utf-8")
        assert simdl.data.source(path).classes == names
    numbers = simdl.data.source(path, task="regression")
    assert numbers.classes is None and numbers.t[:3].tolist() == [[-1], [1], [1]]


def test_whole_numbers_with_gaps_name_the_same_in_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas

    path, names = tmp_path / "t.parquet", []
    for gap in (1, None):
        frame = pandas.DataFrame({"zone": [3, gap, 2, 1] * 5, "kind": list("abba") * 5})
        frame.to_parquet(path)
        options = {"target": "kind", "categories": "zone", "missing": "mean"}
        names.append(simdl.data.source(path, **options).feature_names)
    assert names[0] == names[1] == ("zone=1", "zone=2", "zone=3")
