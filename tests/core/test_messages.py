"""Sentences for a person carry the code and the parameters that another language can be made from."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import shutil
import subprocess
from pathlib import Path
from string import Formatter

import pytest

from babymonitor.core.messages import Code, Message, PersonError, fill, message
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import AudioError

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "babymonitor" / "core" / "messages.py"


def sources() -> list[ast.Module]:
    return [
        ast.parse(path.read_text(encoding="utf-8"))
        for package in ("babymonitor", "trainer")
        for path in (ROOT / package).rglob("*.py")
        if path != CATALOGUE
    ]


def code_of(node: ast.AST) -> Code | None:
    is_code = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
    return Code[node.attr] if is_code and isinstance(node, ast.Attribute) else None


def some_parameters(code: Code) -> dict[str, str | float]:
    """A value for each placeholder: a number where the template says how a number is written."""
    parsed = [(name, spec) for _, name, spec, _ in Formatter().parse(code.value) if name]
    return {name: 2.5 if spec else "something" for name, spec in parsed}


def test_every_code_is_used_and_every_used_code_exists() -> None:
    used = {code for tree in sources() for node in ast.walk(tree) if (code := code_of(node))}
    assert {code.name for code in Code} == {code.name for code in used}


def test_where_a_code_is_used_its_parameters_are_given() -> None:
    for tree in sources():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not call.args or (code := code_of(call.args[0])) is None:
                continue
            function = call.func.id if isinstance(call.func, ast.Name) else ast.unparse(call.func)
            if function != "message" and not function.endswith("Error"):
                continue
            given = {keyword.arg for keyword in call.keywords}
            assert given == some_parameters(code).keys(), f"{code.name} in {ast.unparse(call)}"


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_every_template_takes_its_parameters(code: Code) -> None:
    sentence = message(code, **some_parameters(code))
    assert sentence
    assert "{" not in sentence
    assert sentence.code is code
    assert fill(code.value, sentence.parameters) == sentence


def test_a_missing_or_unknown_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match="SOUND_TOO_LONG"):
        message(Code.SOUND_TOO_LONG, path="a.wav")
    with pytest.raises(TypeError, match="SOUND_TOO_LONG"):
        message(Code.SOUND_TOO_LONG, path="a.wav", minutes=60, seconds=3600)


def test_a_message_is_its_english_sentence() -> None:
    sentence = message(Code.SOUND_TOO_LONG, path=Path("a.wav"), minutes=60.0)
    assert sentence == "a.wav is longer than 60 minutes."
    assert json.loads(json.dumps({"error": sentence})) == {"error": "a.wav is longer than 60 minutes."}
    assert sentence.parameters == {"path": "a.wav", "minutes": 60.0}
    for again in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert (again, again.code, again.parameters) == (sentence, sentence.code, sentence.parameters)


def test_an_error_keeps_its_message_as_text_and_between_processes() -> None:
    error = AudioError(Code.SOUND_MISSING, path="a.wav")
    for again in (error, pickle.loads(pickle.dumps(error)), AudioError(error.message)):
        text = str(again)
        assert isinstance(text, Message)
        assert (text, text.code) == ("a.wav holds no sound.", Code.SOUND_MISSING)


def test_what_core_raises_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(PersonError) as caught:
        read_wave(tmp_path)
    assert caught.value.message.code is Code.SOUND_IS_A_FOLDER


def test_lupdate_finds_every_template(tmp_path: Path) -> None:
    lupdate = shutil.which("pyside6-lupdate")
    if lupdate is None:
        pytest.skip("pyside6-lupdate is not installed: whether it finds the templates was not tested.")
    target = tmp_path / "messages.ts"
    subprocess.run([lupdate, str(CATALOGUE), "-ts", str(target)], check=True, capture_output=True)
    assert target.read_text(encoding="utf-8").count("<source>") == len(Code)
