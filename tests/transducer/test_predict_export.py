"""The commands for users of a trained transducer: complete a placeholder in a file, export, report."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from checkpoints.artefact import read_artefact
from tests.transducer import tiny
from transducer import TransducerModel, evaluate, export, predict, report
from transducer.commands import command_line
from transducer.prepare import Preparer

PLACEHOLDER = tiny.TASK.placeholder

PYTHON_TEST = f'''import shapes


def helper(value):
    return value


class TestShapes:
    def test_other(self):
        assert True

    def test_area(self):
        square = shapes.Square(3)
        value = helper(square.area())
        {PLACEHOLDER}

    def test_last(self):
        assert False
'''
PYTHON_FOCAL = '''class Square:
    def __init__(self, side):
        self.side = side

    def area(self):
        # größe
        return self.side ** 2
'''
JAVA_TEST = f'''package shapes;

public class SquareTest {{
    @Test
    public void testOther() {{ assertTrue(true); }}

    @Test
    public void testArea() {{
        Square square = new Square(3);
        int value = square.area();
        {PLACEHOLDER};
    }}

    private int area() {{
        return 9;
    }}
}}
'''
JAVA_FOCAL = '''class Square {
    private final int side;

    public int area() {
        return side * side;
    }
}
'''


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, text in (("test_shapes.py", PYTHON_TEST), ("shapes.py", PYTHON_FOCAL), ("SquareTest.java", JAVA_TEST),
                       ("Square.java", JAVA_FOCAL)):
        found[name] = tmp_path / name
        found[name].write_text(text, encoding="utf-8")
    return found


def predicted(run: Path, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict:
    capsys.readouterr()
    assert command_line(predict.main, ["--transducer", str(run / "transducer"), "--max-target-tokens", "12", "--json",
                                       *map(str, arguments)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def refused(capsys: pytest.CaptureFixture[str], run: Path, *arguments: str | Path) -> tuple[int, str]:
    capsys.readouterr()
    try:
        code = command_line(predict.main, ["--transducer", str(run / "transducer"), *map(str, arguments)])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1, captured.err
    return code, captured.err


# The model's input


def test_python_the_focal_function_is_the_last_one_called_that_is_defined(
        run: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted(run, capsys, files["test_shapes.py"], "--focal", files["shapes.py"])
    assert found["language"] == "python" and found["file"] == str(files["test_shapes.py"])
    assert found["source"] == f'''def test_area(self):
    square = shapes.Square(3)
    value = helper(square.area())
    {PLACEHOLDER}

def area(self):
    # größe
    return self.side ** 2
'''


def test_python_the_file_itself_is_searched_where_no_other_is_given(
        run: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    source = predicted(run, capsys, files["test_shapes.py"])["source"]
    assert source.startswith("def test_area(self):") and source.endswith(f"{PLACEHOLDER}\n\ndef helper(value):\n    return value\n")


@pytest.mark.parametrize("focal", [False, True])
def test_java(focal: bool, run: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted(run, capsys, files["SquareTest.java"], *(["--focal", files["Square.java"]] if focal else []))
    assert found["language"] == "java"
    test, _, function = found["source"].partition("\n\n")
    assert test.startswith("@Test\npublic void testArea() {") and test.endswith(f"{PLACEHOLDER};\n}}")
    assert "testOther" not in test
    assert function == ("public int area() {\n    return side * side;\n}\n" if focal else "private int area() {\n    return 9;\n}\n")


def test_several_focal_files(run: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    source = predicted(run, capsys, files["test_shapes.py"], "--focal", files["test_shapes.py"], files["shapes.py"])["source"]
    assert source.endswith("    return self.side ** 2\n")


def test_a_test_that_calls_nothing_known_stands_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(f"def test_it():\n    x = unknown(1)\n    {PLACEHOLDER}\n")
    assert predicted(run, capsys, path)["source"] == f"def test_it():\n    x = unknown(1)\n    {PLACEHOLDER}\n"


def test_statements_outside_of_any_function_are_taken_as_they_are(
        run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(f"x = 1\n{PLACEHOLDER}\n")
    assert predicted(run, capsys, path)["source"] == f"x = 1\n{PLACEHOLDER}\n"


def test_the_function_that_holds_the_placeholder_is_not_its_own_focal_function(
        run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(f"def test_it(n):\n    test_it(n - 1)\n    {PLACEHOLDER}\n")
    assert predicted(run, capsys, path)["source"].count("def test_it") == 1


# The answer


def test_the_answer_is_the_one_that_evaluation_gives(run: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted(run, capsys, files["SquareTest.java"], "--focal", files["Square.java"])
    model = TransducerModel.from_pretrained(run / "transducer")
    preparer = evaluate_preparer(model)
    assert found["answer"] == evaluate.predict(model, preparer, [(found["source"], "java")], beams=2)[0]


def evaluate_preparer(model: TransducerModel):
    """With the command's own limits but for the answer, which `predicted` cuts."""
    return Preparer(model.backbone, tiny.TASK, tiny.TASK.max_source_tokens, 12)


# Limits


def test_a_saved_transducer_keeps_the_limits_of_its_training(run: Path) -> None:
    model = TransducerModel.from_pretrained(run / "transducer")
    assert model.recorded["limits"] == {"max_source_tokens": tiny.TASK.max_source_tokens, "max_target_tokens": 12}
    model.recorded["limits"] = {"max_source_tokens": 30, "max_target_tokens": 9}
    for given, expected in (({}, (30, 9)), ({"max_source_tokens": 50}, (50, 9)), ({"max_target_tokens": 7}, (30, 7))):
        text = Preparer.for_model(model, **given).text
        assert (text.max_source_tokens, text.max_target_tokens) == expected
    model.recorded["limits"] = {}
    text = Preparer.for_model(model).text
    assert (text.max_source_tokens, text.max_target_tokens) == (tiny.TASK.max_source_tokens, tiny.TASK.max_target_tokens)


def test_commands_read_as_much_as_training_did_unless_told_otherwise(
        run: Path, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "transducer"
    TransducerModel.from_pretrained(run / "transducer").save_pretrained(folder, limits={"max_source_tokens": 24, "max_target_tokens": 8})

    def loss(*flags: str) -> float:
        capsys.readouterr()
        assert command_line(evaluate.main, ["--transducer", str(folder), "--data", f"file:{data_folder}", "--quiet", "--test-limit", "4",
                                            *flags]) == 0
        return json.loads(capsys.readouterr().out)["loss"]

    own = loss()
    assert own == loss("--max-source-tokens", "24", "--max-target-tokens", "8")
    assert own not in (loss("--max-source-tokens", "200"), loss("--max-target-tokens", "40"))


def test_it_is_printed_and_written_in_the_place_of_the_placeholder(
        run: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer, line in (("test_shapes.py", "assert value == 9", "        assert value == 9\n"),
                               ("SquareTest.java", "assertEquals(9, value);", "        assertEquals(9, value);\n")):
        monkeypatch.setattr("transducer.evaluate.predict", lambda *arguments, answer=answer, **named: [answer])
        before = files[name].read_text(encoding="utf-8")
        capsys.readouterr()
        assert command_line(predict.main, ["--transducer", str(run / "transducer"), str(files[name])]) == 0
        assert capsys.readouterr().out == answer + "\n"
        assert files[name].read_text(encoding="utf-8") == before
        assert command_line(predict.main, ["--transducer", str(run / "transducer"), str(files[name]), "--write"]) == 0
        after = files[name].read_text(encoding="utf-8").splitlines(keepends=True)
        expected = before.splitlines(keepends=True)
        place = next(index for index, text in enumerate(expected) if PLACEHOLDER in text)
        expected[place] = line
        assert after == expected


def test_writing_keeps_line_ends_and_permissions(
        run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transducer.evaluate.predict", lambda *arguments, **named: ["assert x"])
    path = tmp_path / "test_it.py"
    path.write_bytes(f"def test_it():\r\n    x = 'é'\r\n    {PLACEHOLDER}\r\n".encode())
    path.chmod(0o755)
    assert command_line(predict.main, ["--transducer", str(run / "transducer"), str(path), "--write"]) == 0
    assert path.read_bytes() == "def test_it():\r\n    x = 'é'\r\n    assert x\r\n".encode()
    assert path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["test_it.py"]


# What is refused


def test_an_unknown_suffix_needs_a_language(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test.txt"
    path.write_text(f"def f():\n    {PLACEHOLDER}\n")
    code, message = refused(capsys, run, path)
    assert code == 2 and "give --language, one of: python, java" in message
    assert predicted(run, capsys, path, "--language", "python")["source"] == f"def f():\n    {PLACEHOLDER}\n"
    code, message = refused(capsys, run, path, "--language", "pyton")
    assert code == 1 and "Did you mean 'python'?" in message


@pytest.mark.parametrize(("text", "expected"), [
    ("def f():\n    pass\n", "does not hold the placeholder"),
    (f"{PLACEHOLDER}\n{PLACEHOLDER}\n", "holds the placeholder 2 times"), ("", "does not hold the placeholder")])
def test_a_file_without_exactly_one_placeholder(
        text: str, expected: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text)
    code, message = refused(capsys, run, path, "--write")
    assert code == 1 and f"{path} {expected}" in message and path.read_text() == text


def test_files_that_cannot_be_read(run: Path, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no file" in refused(capsys, run, tmp_path / "absent.py")[1]
    assert "no file" in refused(capsys, run, files["test_shapes.py"], "--focal", tmp_path / "absent.py")[1]
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    assert "is no UTF-8 text file" in refused(capsys, run, tmp_path / "bytes.py")[1]
    (tmp_path / "folder.py").mkdir()
    assert "is no UTF-8 text file" in refused(capsys, run, tmp_path / "folder.py")[1]


def test_a_folder_without_a_transducer_or_another_model(
        run: Path, files: dict[str, Path], tmp_path: Path, other_model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(predict.main, ["--transducer", str(tmp_path), str(files["test_shapes.py"])]) == 1
    assert "no transducer_config.json" in capsys.readouterr().err
    code, message = refused(capsys, run, files["test_shapes.py"], "--model", other_model_folder)
    assert code == 1 and "was made for" in message and str(other_model_folder) in message


def test_the_backbone_may_lie_elsewhere(
        run: Path, files: dict[str, Path], model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "moved").symlink_to(model_folder)
    here = predicted(run, capsys, files["test_shapes.py"])
    assert predicted(run, capsys, files["test_shapes.py"], "--model", tmp_path / "moved")["answer"] == here["answer"]


# Export


def exported(run: Path, model: Path | str, to: Path, *flags: str) -> int:
    return command_line(export.main, ["--run", str(run), "--model", str(model), "--to", str(to), *flags])


def test_an_exported_transducer_is_the_runs_own(
        run: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mine"
    assert exported(run, model_folder, target) == 0
    assert f"for {model_folder}" in capsys.readouterr().out
    before, after = read_artefact(run / "transducer"), read_artefact(target)
    assert (target / "transducer.safetensors").read_bytes() == (run / "transducer" / "transducer.safetensors").read_bytes()
    assert after.config == before.config | {"run": after.config["run"]} and before.config["run"] == {} != after.config["run"]
    TransducerModel.from_pretrained(target)


def test_an_export_names_the_model_as_it_was_given(run: Path, model_folder: Path, tmp_path: Path) -> None:
    """So that the folder works where the model lies elsewhere than in training."""
    (tmp_path / "moved").symlink_to(model_folder)
    assert exported(run, tmp_path / "moved", tmp_path / "mine") == 0
    assert read_artefact(tmp_path / "mine").config["backbone"]["name"] == str(tmp_path / "moved")


def test_an_export_for_another_model_is_refused(
        run: Path, other_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(run, other_model_folder, tmp_path / "mine") == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "was made for" in message and not (tmp_path / "mine").exists()


@pytest.mark.parametrize("flag", ["", "--overwrite"])
def test_an_export_to_a_folder_that_exists(
        flag: str, run: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [flag] if flag else []
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    assert exported(run, model_folder, tmp_path / "foreign", *flags) == 1
    assert "it holds no transducer; give another" in capsys.readouterr().err
    assert (tmp_path / "foreign" / "notes.txt").read_text() == "mine"
    assert exported(run, model_folder, tmp_path / "mine") == 0
    (tmp_path / "mine" / "README.md").write_text("changed")
    assert exported(run, model_folder, tmp_path / "mine", *flags) == (0 if flag else 1)
    assert ((tmp_path / "mine" / "README.md").read_text() == "changed") == (not flag)


def test_an_export_of_no_run(run: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(tmp_path, model_folder, tmp_path / "mine") == 2
    assert "is no run folder" in capsys.readouterr().err
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.json").write_bytes((run / "config.json").read_bytes())
    assert exported(tmp_path / "unfinished", model_folder, tmp_path / "mine") == 1
    assert "no transducer_config.json" in capsys.readouterr().err


# Report


def test_the_report_repeats_the_table_of_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(report.main, [str(run)]) == 0
    assert capsys.readouterr().out.strip() == (run / "table.md").read_text(encoding="utf-8").strip()
    assert command_line(report.main, [str(run / "results.jsonl"), str(run)]) == 0
    assert "±0.000" in capsys.readouterr().out  # the same run twice


def test_the_report_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(report.main, [str(tmp_path)]) == 1
    assert "no results file" in capsys.readouterr().err
    (tmp_path / "rows.jsonl").write_text('{"method": "lora"}\n')
    assert command_line(report.main, [str(tmp_path / "rows.jsonl")]) == 1
    assert "holds no result rows of this release" in capsys.readouterr().err
