"""Flags about RecapD: those that do not go together are refused, and what is left out is said."""


def test_flags_that_do_not_go_together(commands, captioned, tmp_path):
    out, recapd = tmp_path / "out", ["--recapd", captioned]
    mixes: list[tuple[tuple[object, ...], str]] = [
        ((), "name the captions that `regionforge recap` made with --recapd DIR"),
        ((*recapd, "--no-recapd"), "and --no-recapd leaves them out: give one"),
    ]
    for words, message in mixes:
        status, console = commands.finetune(out, *words)
        assert (status, message in console) == (2, True), console
    for recipe, message in (
        ("regiongpt_pretrain", "does not describe regions of 'v3det' in detail"),
        ("eval_coco", "the captions are of 'v3det', and the sources: coco"),
    ):
        where = ["--recipe", recipe, "--data-root", commands.world, "--output", out]
        status, console = commands("build", *where, *recapd)
        assert (status, message in console) == (2, True), console
    where = ["--source", "v3det", "--data-root", commands.world, "--output", out]
    path = f"v3det.recapd={captioned}/manifest.json"
    status, console = commands(
        "recap", *where, "--captioner=builtin", "--no-filter", "--path", path
    )
    assert (status, "recap makes captions, it reads none" in console) == (2, True), console
    assert not out.exists()


def test_a_mix_without_captions_says_so(commands, output_of, tmp_path):
    status, console = commands.finetune(tmp_path / "out", "--no-recapd")
    assert status == 0
    assert "v3det: without the detailed captions that the recipe asks for" in console
    output = output_of(tmp_path / "out")
    card = (output.folder / "README.md").read_text(encoding="utf-8")
    assert "\n- `v3det`: detailed captions are left out\n" in card
    tasks = {row["task"] for row in output.rows() if row["source"] == "v3det"}
    assert tasks == {"region_classification"}
