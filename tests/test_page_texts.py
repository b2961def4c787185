"""All words of the page are in one file: nothing visible stands in the code, every template gets what it asks for."""

import ast
import re
import string
from pathlib import Path

import pytest

import zorse_app
from zorse_app import texts

APP = Path(zorse_app.__file__).parent
FILES = [file for file in sorted(APP.rglob("*.py")) if file != APP / "texts.py"]

WORDS = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}|[a-z]{2,}[.!?]( |$)")
"""Two words in a row, or the end of a sentence."""

SHOWN = {"label", "info", "placeholder", "title", "desc", "description", "summary", "alt", "api_description"}
"""Arguments that visitors see; one word is a word there."""

NOT_SHOWN = {
    "api.py": ("inline; filename",),  # headers of HTTP
    "api_page.py": (":root {",),  # a style sheet
    "guard.py": ("img-src", "media-src", "connect-src", "Basic realm"),  # headers of HTTP
    "launch.py": ("Segoe UI", "Noto Sans"),  # fonts
    "pad/__init__.py": ("pad.",),  # names of files
    "own/network_process.py": ("bad allocation", "allocate memory", "out of memory"),  # what ONNX Runtime says
    "tabs/lab.py": ("lab pixels",),  # classes of a style sheet
    "training_desk/desk.py": ("training desk",),  # the name of a thread
    "training_desk/places.py": ("Application Support",),  # a folder of macOS
}
"""By file: beginnings of what looks like words and is read by programs alone."""


def name_of(file):
    return file.relative_to(APP).as_posix()


def trees():
    return [(file, ast.parse(file.read_text(encoding="utf-8"))) for file in FILES]


def documentation(tree):
    """Strings that stand alone: docstrings."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def logged(tree):
    """What goes to the terminal's log, for who runs the page."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    logs = [call for call in calls if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "_log"]
    return {id(argument) for call in logs for argument in call.args}


def without_markup(text):
    """A piece of HTML without its tags, also those that begin or end in another piece."""
    return re.sub(r'^[^<>]*="?[^<>]*>|<[^>]*(>|$)', " ", text)


def visible_words(tree):
    """Strings in code that people would read."""
    unseen = documentation(tree) | logged(tree)
    shown = {
        id(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in SHOWN
    }
    shown |= {
        id(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.args
        and re.fullmatch(
            r"gr\.(Button|Markdown|Tab|Accordion|DownloadButton|Error|Info|Warning)", ast.unparse(node.func)
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unseen:
            is_word = id(node) in shown and re.search("[A-Za-z]{2}", node.value)
            if is_word or WORDS.search(without_markup(node.value)):
                yield node.value


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_words_stand_in_the_code(file):
    allowed = NOT_SHOWN.get(name_of(file), ())
    words = visible_words(ast.parse(file.read_text(encoding="utf-8")))
    assert [text for text in words if not text.strip().startswith(allowed)] == []


def test_words_in_code_would_be_found():
    for code in (
        'raise ImageError("No picture came.")',
        'raise ImageError(f"{name} is damaged. Send it again")',
        'gr.Button("Start")',
        'gr.Slider(label="Strength")',
        'x = "Drop it here"',
        "x = f\"<p class='a b'>No pictures</p>\"",
    ):
        assert list(visible_words(ast.parse(code))), code
    for code in (
        '"""What this does."""',
        '_log.exception("The page could not answer")',
        'x = "queue/join"',
        "f\"<p class='a b'>{x}</p>\"",
    ):
        assert not list(visible_words(ast.parse(code))), code


def fields(template):
    return {field for _, field, _, _ in string.Formatter().parse(template) if field}


def test_every_template_gets_what_it_asks_for():
    seen = set()
    for file, tree in trees():
        for call in ast.walk(tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "format"):
                continue
            text = re.fullmatch(r"texts\.([A-Z_]+)", ast.unparse(call.func.value))
            if text:
                given = {keyword.arg for keyword in call.keywords}
                assert given == fields(getattr(texts, text[1])), f"{name_of(file)}: {text[1]}"
                seen.add(text[1])
    assert len(seen) > 80


def test_every_text_is_used():
    code = "".join(file.read_text(encoding="utf-8") for file in FILES)
    names = [name for name in vars(texts) if re.fullmatch("[A-Z_]+", name)]
    assert [name for name in names if not re.search(rf"\btexts\.{name}\b", code)] == []


def test_the_drawing_pad_has_no_words_of_its_own():
    page = (APP / "pad" / "pad.html").read_text(encoding="utf-8")
    shown = re.sub(r"\$\{\w+\}", "", page)
    texts_between_tags = re.sub(r"<[^>]*>", "", shown).split()
    said = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', shown)
    assert (texts_between_tags, set(said)) == ([], {""})


@pytest.mark.parametrize("file", ["pad/pad.js", "page.js"])
def test_scripts_have_no_words_of_their_own(file):
    script = re.sub(r"//.*", "", (APP / file).read_text(encoding="utf-8"))
    assert not [text for text in re.findall(r'"([^"]*)"', script) if WORDS.search(text)]
