"""Every word on the page."""

from typing import Literal

NAME = "Zorse"
HEADING = "# Zorse\nTurn a picture into another one. It never leaves the computer that runs this page."

TAB_HORSES = "Horse ↔ Zebra"
TAB_PAINTINGS = "Photo ↔ Painting"
TAB_EDGES = "Edges → Photo"
TAB_OTHERS = "Your models"

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
EDGES_PHOTO_HINT = "Drop a photo here to see its edges\n- or -\nclick to choose one"

WAY_DRAW = "Draw"
WAY_SKETCH = "Use a sketch"
WAY_PHOTO = "Use a photo"
DETAIL = "Detail"
DETAIL_HINT = "Left: only the strongest edges. Right: nearly all."

MORE = "More"
STRENGTH = "Strength"
STRENGTH_HINT = "0 is your picture, 1 the translation."
SIZE = "Work at"
SIZE_HINT = "The result always has your picture's size. Larger than the model's own takes longer and changes less."
SIZES: list[tuple[str, str]] = [("the model's own size", "native"), ("512 px", "512"), ("full size", "keep")]

RESULT = "Before / after"
DOWNLOAD = "Download the result"
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
WORK_TOO_LARGE = (
    "Working at {size} pixels takes more memory than this page may use (at most {limit} million pixels). Under 'More', "
    "choose a smaller size; the result keeps your picture's size."
)
NOT_UPLOADED = "No picture came. Upload a file and try again."
UNEXPECTED = "Something went wrong that should not have. The terminal that runs the page shows the details."
