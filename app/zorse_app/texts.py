"""Every word on the page."""

from typing import Literal

from zorse.imaging.edges import EdgeMethod

NAME = "Zorse"
HEADING = "# Zorse\nTurn a picture into another one. It never leaves the computer that runs this page."

TAB_HORSES = "Horse ↔ Zebra"
TAB_PAINTINGS = "Photo ↔ Painting"
TAB_EDGES = "Edges → Photo"
TAB_OTHERS = "Further models"

DIRECTION = "Direction"
MODEL = "Model"
WANTED = "Make it"
MODEL_TITLES = {
    "horse2zebra": "Horse → zebra",
    "zebra2horse": "Zebra → horse",
    "photo2monet": "Photo → painting",
    "monet2photo": "Painting → photo",
    "edges2shoes": "A shoe",
    "edges2clothes": "Clothes",
}
"""Names of models that the page has a place for; others are shown by their own name."""

PICTURE = "Your picture"
PICTURE_HINT = "Drop a picture here\n- or -\nclick to choose one"
SKETCH = "Your sketch"
SKETCH_HINT = "Drop a sketch here: drawn, scanned or photographed\n- or -\nclick to choose one"
CANVAS = "Draw here"
PAD_TOOLS = "Drawing tools"
PAD_PEN = "Pen"
PAD_ERASER = "Eraser"
PAD_MIRROR = "Symmetric"
PAD_UNDO = "Undo"
PAD_REDO = "Redo"
PAD_CLEAR = "Clear"
EDGES_PHOTO_HINT = "Drop a photo here to see its edges\n- or -\nclick to choose one"

WAY_DRAW = "Draw"
WAY_SKETCH = "Use a sketch"
WAY_PHOTO = "Use a photo"
DETAIL = "Detail"
DETAIL_HINT = "Left: only the strongest edges. Right: nearly all."
SHORTEST = "Shortest line"
SHORTEST_HINT = "Shorter ones are left out; in pixels of the small picture that the model works on."
LINES = "Its lines"
METHOD = "Kind of lines"
METHODS: list[tuple[str, EdgeMethod]] = [
    ("steps of brightness", "canny"),
    ("ink drawing", "xdog"),
    ("outlines", "contour"),
]

MORE = "More"
STRENGTH = "Strength"
STRENGTH_HINT = "0 is your picture, 1 the translation."
SIZE = "Work at"
SIZE_HINT = "The result always has your picture's size. Working at a larger one takes longer and changes finer things."
SIZES: list[tuple[str, str]] = [("automatic", "native"), ("512 px", "512"), ("the original's size", "keep")]

RESULT = "Before / after"
DOWNLOAD = "Download the result"
USE_AS_INPUT = "Use it as the next input"
STOP = "Stop"
STOPPED = "You stopped this. Your input is still there."
STOPPED_TITLE = "Stopped"
PROGRESS = "about {seconds:.0f} s left"
PICTURE_WAY = "Picture"
VIDEO_WAY = "Short video"
VIDEO = "Your video"
VIDEO_RESULT = "The translated video"
VIDEO_GO = "Translate the video"
VIDEO_TOO_LONG = (
    "The video has {frames} pictures; this page takes at most {limit}. Cut it shorter, or use 'zorse translate'."
)
EXAMPLES = "Or try one of these"

STATES: dict[Literal["release", "preview"], str] = {
    "release": "does its job on most pictures",
    "preview": "preview: does its job on some pictures only",
}
TOOK = "{seconds} s on the {device}"

MISSING = (
    "**Not here yet.** The models of this tab ({names}) are not part of this installation. Start the page with "
    "`zorse ui --models FOLDER` to use models of your own."
)
PARTLY_MISSING = "Not part of this installation: {names}."

NO_LINES = "No lines were found in this picture. Draw dark lines on a light ground, or choose more detail for a photo."
FILE_TOO_LARGE = "The file is larger than {limit} MB. Save the picture smaller or as a JPEG, then try again."
PICTURE_TOO_LARGE = "The picture has more than {limit} million pixels. Make it smaller, then try again."
NO_DRAWING = "The drawing is no PNG picture written as a data URL (data:image/png;base64,...). Draw it on the page."
DRAWING = "The drawing"
NOT_UPLOADED = "No picture came. Upload a file and try again."
UNEXPECTED = "Something went wrong that should not have. The terminal that runs the page shows the details."

BUSY = "Many pictures are waiting for their turn here, and there is no room for another one. Try again in a minute."
TIME_USED_UP = (
    "You have used up the {limit} seconds of work that one visitor may have in ten minutes. Try again in {wait} "
    "seconds."
)
WRONG_HOST = (
    "This page was started for this computer alone and answers only to its own address (127.0.0.1 or localhost). "
    "Behind a proxy, let the proxy call it by that address."
)
CROSS_SITE = "Another website tried to send something here. Open this page itself and try again."
PASSWORD_NEEDED = "A name and a password are needed here (HTTP Basic). Ask who runs this page for them."
CLOSED = "There is nothing here."
NO_ADDRESSES = "Files at other addresses are not fetched from here. Send the file itself: upload it, or as a data URL."
NO_DATA_URL = "The picture is not a data URL (data:image/jpeg;base64,...). Send the picture itself, written so."
REQUEST_TOO_LARGE = "The request is larger than {limit} MB. Send fewer or smaller files."

API_DESCRIPTION = (
    "Pictures in, pictures out. Everything that goes wrong is answered with a 4xx or 5xx status and one sentence in "
    "the field 'error' that says what to do."
)
API_EXAMPLE = """\
curl -F picture=@horse.jpg -F model=horse2zebra -o zebra.jpg \\
     http://127.0.0.1:7860{prefix}/translate"""
API_TRANSLATE = "Translate a picture"
API_MODELS = "Which models there are"
API_PICTURE = "JPEG, PNG, WebP, TIFF, GIF or BMP; of animations every frame is translated."
API_MODEL = "Name of a model."
API_SIZE = (
    "At which size the network works: auto (the model's own), keep (the picture's own), or a short side in pixels."
)
API_STRENGTH = "0 gives the picture, 1 the translation."
API_RESULT = "The translated picture, in the size and format of the picture."
API_FAILURES: dict[int | str, str] = {
    404: "There is no such model.",
    413: "The file or the picture is larger than this server takes.",
    422: "Not a picture, damaged, or a setting that makes no sense.",
    429: "You have used up your time for now; Retry-After says for how many seconds.",
    503: "Too many are waiting; try again later.",
}
API_MISUNDERSTOOD = (
    "The request was not understood ({problems}). Send a form (multipart/form-data) with the fields picture and model."
)
API_FIELDS = "Fields of the form"
API_ANSWERS = "Answers"
API_FILE = "file"
API_REQUIRED = "must be there"
API_OPTIONAL = "default {default}"
WORK_TOO_LARGE = (
    "Working at {size} pixels is more than this page does (at most {limit} million pixels). Choose a smaller size to "
    "work at; the result keeps your picture's size."
)

TAB_OWN_MODEL = "Your model"
OWN_FILE = "Your model: an .onnx or .safetensors file"
OWN_HINT = (
    "Drop a model that you trained or exported with Zorse. It is yours alone, and forgotten when you close this page."
)
OWN_MISSING = "There is no model yet, or it has been forgotten. Drop your .onnx or .safetensors file first."
OWN_PICKLE = (
    "{name} is a pickle file (.pth, .pt, .ckpt), which can run any program while it is read, so this page does not "
    "open it. Make a model file of it on your own computer with 'zorse models import {name} -o model.safetensors', and "
    "drop that."
)
OWN_NO_MODEL = (
    "{name} is not a model file: its name ends in neither .onnx nor .safetensors. 'zorse export' writes such files."
)
OWN_TOO_LARGE = "{name} is larger than {limit} MB, the most that this page takes. Use it with 'zorse translate'."
OWN_TOO_HUNGRY = (
    "{name} needs more memory for a tiny picture than this page gives to a model. Use it with 'zorse translate'."
)
OWN_TOO_SLOW = "Converting {name} took too long. Export it yourself, 'zorse export {name}', and drop the .onnx file."
OWN_NOT_CONVERTED = "{name} could not be converted. Export it yourself, 'zorse export {name}', and drop the .onnx file."
API_BRING_MODEL = (
    "Brings a model of your own, an .onnx or .safetensors file; it stays with this session. Answers with its card."
)
API_USE_OWN_MODEL = "Translates a picture with the model that this session has brought."
CARD_TASK = "Does"
CARD_DOMAINS = "From, to"
CARD_NETWORK = "Network"
CARD_DATA = "Learned from"
CARD_TRAINING = "Training"
CARD_LICENCE = "Licence"
CARD_NOTES = "Notes"
NO_SIZE = "The size {size!r} is none of 'auto', 'keep' and a short side in pixels. Leave it out for the model's own."

TAB_MANY = "Many pictures"
MANY_FILES = "Your pictures, or zips of them"
MANY_GO = "Translate all"
MANY_HINT = "You get one zip with all results, each under its picture's name and in its folder."
MANY_DOWNLOAD = "Download the zip"
MANY_DONE = "**{done} of {total} pictures are translated.**"
MANY_STOPPED = "You stopped this; what was done until then is in the zip."
MANY_FAILED = "Not in the zip: {count}"
MANY_FURTHER = "and {count} further ones"
MANY_NO_PICTURE = "not a picture by its name"
MANY_REST = "the remaining pictures"
MANY_TOO_MANY = "These are {count} pictures; at most {limit} are taken at once. Send them in parts."
API_MANY = "Translates many pictures and zips of pictures; answers with a report and a zip of the results."
API_PICTURES = (
    "Translates a picture with a model of this tab. Answers with small pictures of before and after, a line about the "
    "model in Markdown, and the result at full size in the format of the input."
)
API_VIDEO = "Translates a short video with a model of this tab; its sound is kept."
API_DRAW = "Turns a drawing, a PNG as a data URL, into a photo. Answers like the tabs for pictures."
API_SKETCH = "Turns a sketch, also a photographed one, into a photo. Answers like the tabs for pictures."
API_EDGES = "Finds the edges of a photo and turns them into another one. Answers with the edges as well."
