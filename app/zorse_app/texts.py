"""Every word on the page and in its programming interface: a translation of Zorse's page is another file like this.

Sentences with values are templates for `str.format` with named fields. What Zorse itself says of pictures, models and
sets that cannot be used is not here: such messages are the same on the command line.
"""

from typing import Literal

from zorse.imaging.edges import EdgeMethod

# -------------------------------------------------------------------------------------------------- The page as a whole

NAME = "Zorse"
HEADING = "# Zorse\nTurn a picture into another one. It never leaves the computer that runs this page."

TAB_HORSES = "Horse ↔ Zebra"
TAB_PAINTINGS = "Photo ↔ Painting"
TAB_EDGES = "Edges → Photo"
TAB_OTHERS = "Further models"
TAB_OWN_MODEL = "Your model"
TAB_MANY = "Many pictures"
TAB_TRAIN = "Train"
TAB_LAB = "GAN lab"

MORE = "More"

# ---------------------------------------------------------------------------------------- What several tabs are made of

# Models

DIRECTION = "Direction"
MODEL = "Model"
WANTED = "Make it"
MODEL_TITLES = {
    "horse2zebra": "Horse → zebra",
    "zebra2horse": "Zebra → horse",
    "photo2monet": "Photo → Monet",
    "photo2vangogh": "Photo → Van Gogh",
    "monet2photo": "Monet → photo",
    "edges2shoes": "A shoe",
    "edges2clothes": "Clothes",
}
"""Names of models that the page has a place for; others are shown by their own name."""
MISSING = (
    "**Not here yet.** The models of this tab ({names}) are not part of this installation. Start the page with "
    "`zorse ui --models FOLDER` to use models of your own."
)
PARTLY_MISSING = "Not part of this installation: {names}."

# Pictures in

PICTURE = "Your picture"
PICTURE_HINT = "Drop a picture here\n- or -\nclick to choose one"
EXAMPLES = "Or try one of these"
EXAMPLE = "Example {number}"
STRENGTH = "Strength"
STRENGTH_HINT = "0 is your picture, 1 the translation."
SIZE = "Work at"
SIZE_HINT = "The result always has your picture's size. Working at a larger one takes longer and changes finer things."
SIZES: list[tuple[str, str]] = [("automatic", "native"), ("512 px", "512"), ("the original's size", "keep")]

# Results out

RESULT = "Before / after"
DIVIDER = "How much of before is shown"
ABOUT_RESULT = "About the result"
DOWNLOAD = "Download the result"
USE_AS_INPUT = "Use it as the next input"
CAPTION = "**{task}** · {state} · {took}"
STATES: dict[Literal["release", "preview"], str] = {
    "release": "does its job on most pictures",
    "preview": "preview: does its job on some pictures only",
}
VIDEO_NOTES = "Done, with changes"
READING_VIDEO = "Reading the video {name}"
VIDEO_DAMAGED = "The video is damaged: {damage}. What could be read is translated."
TOOK = "{seconds} s on the {device}"
GPU, CPU = "GPU", "CPU"

# On the way

PROGRESS = "about {seconds:.0f} s left"
STOP = "Stop"
STOPPED = "You stopped this. Your input is still there."

# ----------------------------------------------------------------------------------------- Tabs for pictures and videos

PICTURE_WAY = "Picture"
VIDEO_WAY = "Short video"
VIDEO = "Your video"
VIDEO_RESULT = "The translated video"
VIDEO_GO = "Translate the video"

# -------------------------------------------------------------------------------------------------------- Edges → Photo

WAY_DRAW = "Draw"
WAY_SKETCH = "Use a sketch"
WAY_PHOTO = "Use a photo"
SKETCH = "Your sketch"
SKETCH_HINT = "Drop a sketch here: drawn, scanned or photographed\n- or -\nclick to choose one"
EDGES_PHOTO_HINT = "Drop a photo here to see its edges\n- or -\nclick to choose one"
CANVAS = "Draw here"
PAD_HINT = "Draw the lines with the pen; say with brush or fill what colour things have."
PAD_LEAK = "The colour would run out there. Close the outline with the pen, then fill it again."
PAD_NARROW = "The lines leave no room to fill there. Take the brush."
PAD_TOOLS = "Drawing tools"
PAD_PEN = "Pen"
PAD_BRUSH = "Brush"
PAD_FILL = "Fill"
PAD_COLOUR = "Colour of brush and fill"
PAD_ERASER = "Eraser"
PAD_MIRROR = "Symmetric"
PAD_UNDO = "Undo"
PAD_REDO = "Redo"
PAD_CLEAR = "Clear"
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

# ----------------------------------------------------------------------------------------------------------- Your model

OWN_FILE = "Your model: an .onnx or .safetensors file"
OWN_HINT = (
    "Drop a model that you trained or exported with Zorse. It is yours alone, and forgotten when you close this page."
)
OWN_CARD = "What the model says of itself"
CARD_TASK = "Does"
CARD_DOMAINS = "From, to"
CARD_DOMAINS_ARE = "{source} → {target}"
CARD_NETWORK = "Network"
CARD_NETWORK_IS = "{kind}, {size} px"
CARD_DATA = "Learned from"
CARD_TRAINING = "Training"
CARD_LICENCE = "Licence"
CARD_NOTES = "Notes"

# -------------------------------------------------------------------------------------------------------- Many pictures

MANY_FILES = "Your pictures, or zips of them"
MANY_GO = "Translate all"
MANY_HINT = (
    "You get one zip with all results, each under its picture's name and in its folder. The file receipts.json in it "
    "says what was kept, converted or dropped."
)
MANY_REPORT = "What became of the pictures"
MANY_DOWNLOAD = "Download the zip"
MANY_DONE = "**Translated: {done} of {total} files.**"
MANY_STOPPED = "You stopped this; what was done until then is in the zip."
MANY_FAILED = "**Not in the zip: {count}**"
MANY_FAILURE = "{name}: {reason}"
MANY_FURTHER = "further ones: {count}"
MANY_NO_PICTURE = "not a picture by its name"

# ---------------------------------------------------------------------------------------------------------------- Train

TRAIN_NOT_INSTALLED = """### Teach Zorse something new

Training is not part of this installation: it needs PyTorch, about 2 GB. Stop the page, run

    pip install 'zorse[train,export]'

and start the page again. Everything else on this page works without it."""

TRAIN_NOT_FOR_STRANGERS = """### Teach Zorse something new

Other computers can reach this page without a password, and a training takes this computer's time and disk for hours.
Start the page with `--user NAME:PASSWORD`, or for this computer alone, to train here."""

TRAIN_INTRO = (
    "Show Zorse two kinds of pictures, and it learns to turn one into the other. It takes minutes to hours, goes on "
    "when you close this page, and can be paused at any time."
)
TRAIN_WAY_NEW = "New training"
TRAIN_WAY_MINE = "My trainings"

# Pictures

TRAIN_STEP_PICTURES = "### 1 · Your pictures"
TRAIN_KIND = "What do you have?"
TRAIN_KINDS = [("Two kinds of pictures", "unpaired"), ("Pairs: before and after", "paired"), ("Photos only", "edges")]
TRAIN_KIND_HINTS = {
    "unpaired": "Horses and zebras, summer and winter, photos and paintings: they need not belong together. About 200 "
    "of each work well; fewer are worth a try.",
    "paired": "The same thing twice, in the same place: a plan and its house, a sketch and its finished drawing. Send "
    "one zip of pictures with both halves side by side, or two zips whose files have the same names.",
    "edges": "Zorse draws the lines itself, and learns to turn a line drawing into such a photo.",
}
TRAIN_NAME_A = {"unpaired": "The first kind shows", "paired": "Before: what goes in", "edges": ""}
TRAIN_NAME_B = {"unpaired": "The second kind shows", "paired": "After: what comes out", "edges": "The photos show"}
TRAIN_NAME_A_EXAMPLE = {"unpaired": "horses", "paired": "sketches", "edges": ""}
TRAIN_NAME_B_EXAMPLE = {"unpaired": "zebras", "paired": "drawings", "edges": "shoes"}
TRAIN_DRAWN_LINES = "lines"
TRAIN_FILES_A = {"unpaired": "Pictures of the first kind", "paired": "Before, or pairs side by side", "edges": ""}
TRAIN_FILES_B = {
    "unpaired": "Pictures of the second kind",
    "paired": "After (leave empty if the first has both)",
    "edges": "Your photos",
}
TRAIN_FILES_HINT = (
    "A zip, or the pictures themselves, at most {limit} at once. Small ones will do: 512 pixels are plenty."
)
TRAIN_LOOK = "Look at my pictures"
TRAIN_LOOKING = "Looking at picture {done} of {total}"
TRAIN_UNPACKING = "Unpacking"
TRAIN_FIXING = "Making a clean copy: {done} of {total}"
TRAIN_FIX = "Fix it for me"
TRAIN_FIX_HINT = "Makes a clean copy on this computer without what cannot be used. Your own files stay as they are."

TRAIN_GOOD = "These pictures are ready."
TRAIN_SO_SO = "You can start. It will go better if you mend this:"
TRAIN_BAD = "Not yet: training would stop at some of these pictures."
TRAIN_BAD_FIXABLE = "Not yet, but this can be fixed for you."
TRAIN_COUNTS = "{n} pictures"
TRAIN_COUNTS_AB = "{name_a}: {a}, {name_b}: {b}"
TRAIN_FILES_MORE = "and {n} more"
TRAIN_LEFT_ASIDE = "{n} other files in what you sent were left aside ({names})."

TRAIN_FINDINGS: dict[str, tuple[str, str]] = {
    "unreadable": ("Training would stop at them.", "They are damaged or no pictures. They can be left out for you."),
    "unusable_shape": ("They are tiny.", "They can be left out for you."),
    "not_a_pair": ("A pair is one picture with two halves of the same size.", "They can be left out for you."),
    "unequal_sides": (
        "What belongs together must lie in the same place.",
        "Make both sides the same shape, or have these left out.",
    ),
    "resized_sides": ("The smaller side is enlarged while training.", "Nothing has to be done."),
    "unmatched": (
        "Pairs are found by their names, which must be the same on both sides.",
        "Rename them, or have them left out. If they are no pairs at all, choose 'Two kinds of pictures' above.",
    ),
    "ambiguous_name": ("It is unclear which of them belongs to the other side.", "They can be left out for you."),
    "constant": ("There is nothing to learn from an empty picture.", "They can be left out for you."),
    "leak": ("The result would look better in the figures than it is.", "They can be left out for you."),
    "copies": ("They count twice, and are learned by heart sooner.", "One of each can be kept for you."),
    "test_copies": ("They count twice when the result is measured.", "Nothing has to be done."),
    "in_both_domains": (
        "Zorse would learn that they should be changed, and also that they should stay.",
        "Take each out of the side where it does not belong.",
    ),
    "equal_sides": ("There is nothing to change between their sides.", "Find the missing side, or take them out."),
    "swapped": ("Before and after are mixed up.", "They can be turned round for you."),
    "mixed_order": ("Half of the pairs are the other way round.", "Turn one half round; only you know which."),
    "unrelated": (
        "Their sides do not seem to show the same thing, so what they teach is wrong.",
        "Look at them, and take out what does not belong together.",
    ),
    "unrelated_set": (
        "Before and after do not lie on each other, and from such pairs only a blur is learned.",
        "Look whether the names fit. If they are not the same things, choose 'Two kinds of pictures' above.",
    ),
    "grey": (
        "Zorse may learn that losing the colour is fine.",
        "Take them out if the results should be in colour.",
    ),
    "coloured": ("The others are grey: Zorse may add colour now and then.", "Make them grey, if all should be."),
    "grey_domain": (
        "Above all, Zorse will learn to take colour away, or to invent it.",
        "Fine if that is the idea; otherwise use colour on both sides.",
    ),
    "drawings": ("They are drawings of lines, unlike what is wanted here.", "Take them out."),
    "photos": ("They are no drawings, unlike the others.", "Take them out."),
    "alike": (
        "Both kinds look much the same to a simple program.",
        "Look whether the right pictures are in each field. If they differ in shape alone, go on.",
    ),
    "dark": (
        "Zorse takes what is stored in them for brightness, and hardly tells it from black.",
        "Make them visible first, on the command line: zorse data levels.",
    ),
    "label_maps": (
        "They have few colours, as maps do whose colours stand for classes.",
        "Nothing has to be done for files with a palette: their colours are kept.",
    ),
    "small": ("They have to be enlarged, and their blur is learned with them.", "Use larger ones if you have them."),
    "elongated": ("Only a square of them is seen at a time.", "Cut them to what matters."),
    "few": (
        "Few pictures are learned by heart soon; then it gets no better.",
        "Add more if you can, start from a finished model below, and do not train for long.",
    ),
    "imbalance": ("The smaller side is learned by heart sooner.", "Add pictures to the smaller side."),
    "no_test": (
        "The samples will show pictures that Zorse has learned from.",
        "Nothing has to be done. Who wants to know better puts folders 'train' and 'test' into the zips.",
    ),
    "skipped": ("They do not look like pictures by their names.", "Save them as .jpg or .png if they should count."),
    "rotated": ("They are turned upright while training.", "Nothing has to be done."),
    "transparent": ("They are put on white while training.", "Nothing has to be done."),
    "deep": ("Their finest shades are rounded.", "Nothing has to be done."),
    "cmyk": ("Colours made for print are turned into those of a screen.", "Nothing has to be done."),
    "animated": ("Only their first picture is used.", "Nothing has to be done."),
}
"""By the data doctor's names: what it means, and what to do."""

# How

TRAIN_STEP_HOW = "### 2 · How to learn"
TRAIN_START = "Start from"
TRAIN_START_HINT = "A finished model of something similar learns faster. Its first kind should be like your first kind."
TRAIN_SCRATCH = "nothing (from scratch)"
TRAIN_STARTS = {
    "horse2zebra": "horse ↔ zebra",
    "monet2photo": "painting ↔ photo",
    "edges2shoes": "lines → shoes",
    "edges2clothes": "lines → clothes",
}
TRAIN_SPEED = "How long?"
TRAIN_SPEED_NAMES = {"quick": "Quick", "normal": "Normal", "long": "Long"}
TRAIN_SPEED_NOTES = {
    "quick": "a first impression",
    "normal": "a usable result",
    "long": "the best that this method gives",
}
TRAIN_SPEED_CHOICE = "{name} · {time} · {note}"
TRAIN_SPEED_UNMEASURED = "{name} · {note}"
TRAIN_MEASURING = "Measuring how fast this computer learns from your pictures: two real steps …"
TRAIN_MEASURED = (
    "Measured on this computer ({device}) with your pictures just now: {step} per step. What else it does meanwhile "
    "makes it slower."
)
TRAIN_PER_STEP = "{n:.2g} s"
TRAIN_NOT_MEASURED = "How long it takes could not be measured: {reason}"
TRAIN_TOO_LARGE = "**This computer has too little memory or disk for it.** {advice}"
TRAIN_BESIDE = " Another training was running beside it, so this is rather too long."
TRAIN_GO = "Start training"
TRAIN_STARTED = "Started. You may close this page: it goes on, and you will find it under 'My trainings'."
TRAIN_QUEUED = "In the queue. It starts by itself when the training before it is over."

# Watching

TRAIN_NONE_YET = "### Nothing here yet\n\nStart your first training under 'New training'."
TRAIN_CHOOSE = "Your trainings"
TRAIN_BOTH_WAYS = "{a} ↔ {b}"
TRAIN_ONE_WAY = "{a} → {b}"
TRAIN_SET = "{a} and {b}"
TRAIN_ORIGIN = "sent by a visitor of the page"
TRAIN_CHOICE = "{title} · {state} · {day}"
TRAIN_DAY = "%d %b, %H:%M"
"""For `strftime`: when a training was sent in."""
TRAIN_STATES = {
    "queued": "waiting",
    "running": "learning",
    "pausing": "saving, then pausing",
    "stopping": "saving, then stopping",
    "paused": "paused",
    "stopped": "stopped",
    "done": "finished",
    "interrupted": "interrupted",
    "failed": "failed",
}
TRAIN_EXPLAINED = {
    "queued": "It is number {place} in the queue and starts by itself.",
    "running": "Step {iteration} of {total}{left}.",
    "preparing": "Getting ready: loading the networks and looking at the pictures. This takes a minute or two.",
    "measuring": "All {total} steps are done. How good the pictures are is being measured. This takes a minute or two.",
    "pausing": "Everything is being saved.",
    "stopping": "Everything is being saved.",
    "paused": "Saved at step {iteration} of {total}. 'Go on' continues exactly there.",
    "not_begun": "It was taken out of the queue before it began. 'Go on' puts it back.",
    "stopped": "Ended at step {iteration} of {total}. Try it below, or let it go on.",
    "done": "All {total} steps are done. Try it below.",
    "interrupted": "It was cut off at about step {iteration} of {total}, perhaps because the computer was switched "
    "off. 'Go on' continues from the last save, a few minutes back at most.",
    "failed": "It could not go on: {reason}",
}
TRAIN_LEFT = ", {time} left"
TRAIN_FACTS = "{speed} · from {start} · {n} pictures · {disk} on the disk ({free} free)"
TRAIN_PAUSE = "Pause"
TRAIN_RESUME = "Go on"
TRAIN_STOP = "Stop here"
TRAIN_CANCEL = "Take out of the queue"
TRAIN_DELETE = "Delete …"
TRAIN_DELETE_SURE = "Delete this training with its pictures and all its models? This cannot be undone."
TRAIN_DELETE_YES = "Yes, delete it"
TRAIN_DELETE_NO = "Keep it"

TRAIN_SAMPLES = "What it makes of the same pictures"
TRAIN_SAMPLES_CAPTIONS = {
    "unpaired": "From the left: {a}, made into {b}, and back again; {b}, made into {a}, and back again. Step {step}.",
    "paired": "From the left: {a}, what Zorse makes of it, and how it should be. Step {step}.",
    "edges": "From the left: {a}, what Zorse makes of it, and the photo itself. Step {step}.",
}
TRAIN_THEN_AND_NOW = "From the first steps to now"

TRAIN_CHART = "How it learns"
TRAIN_CHART_HINT = (
    "A painter and a judge learn from each other: the painter to fool the judge, the judge to see through it. "
    "Their curves wrestle and need not fall; trust the pictures. 'Lost detail' is how much of a picture does not "
    "survive; that one should fall."
)
TRAIN_LOSS_NAMES = {
    "G": "painter",
    "D": "judge",
    "other": "lost detail",
}
TRAIN_CHART_X = "step"
TRAIN_CHART_WHO = "whose"
TRAIN_CHART_Y = "trouble"

TRAIN_ALARMS = {
    "discriminator_overpowering": (
        "The judge is too strong",
        "It sees through every picture, so the painter learns little from it.",
        "More pictures help most. Otherwise stop here and try what was learned, or start anew from a finished model.",
    ),
    "vanishing_gradient": (
        "The painter has stopped learning",
        "What the judge says no longer reaches it.",
        "Zorse goes back to a healthy state by itself. If it happens again, start anew from a finished model.",
    ),
    "mode_collapse": (
        "Everything turns into the same picture",
        "The painter has found one picture that pleases the judge and always draws that one.",
        "Zorse goes back to a healthy state by itself. If it happens again, add more and more different pictures.",
    ),
    "colour_inversion": (
        "Light and dark change places",
        "The results look like negatives: to the method that seems as good as any.",
        "Zorse goes back to a healthy state by itself. If your two kinds are opposites (day and night), ignore this.",
    ),
    "checkerboard": (
        "A fine grid in the results",
        "Early on this is normal and goes away.",
        "If it stays to the end, train longer.",
    ),
    "identity_collapse": (
        "Nothing changes",
        "The painter hands your pictures back as they are, because that is the easiest.",
        "Look whether the two kinds really differ. A longer training sometimes helps.",
    ),
    "stagnation": ("It stands still", "The painter has not changed for a while.", "Stop here, and start anew."),
    "non_finite": (
        "The numbers ran wild",
        "A step led to values without bounds.",
        "Zorse goes back to a healthy state by itself. If it happens again, have the pictures fixed.",
    ),
    "rollback": (
        "Zorse went back a little",
        "The training had gone wrong, so it continues from a healthy state with smaller steps.",
        "Nothing has to be done.",
    ),
}
"""Title, cause and remedy, by the flight recorder's names."""
TRAIN_ALARM_AT = "step {iteration}"
TRAIN_ALARM_OVER = "step {iteration}, over"

# Trying, comparing, taking away

TRAIN_STEP_TRY = "### Try it"
TRAIN_TRY_PICTURE = "A picture of yours"
TRAIN_TRY_PICTURE_HINT = "Drop a picture here\n- or -\nclick to choose one"
TRAIN_MOMENT = "Which state?"
TRAIN_MOMENTS = {"last": "newest", "best": "best so far", "kept": "step {iteration}"}
TRAIN_MOMENT_HINT = "'Best' is the state whose results come nearest to your pictures by measure (KID)."
TRAIN_WAY = "Which way?"
TRAIN_COMPARE = "Compare all states"
TRAIN_COMPARE_HINT = "On your picture above or, without one, on some of the pictures that you sent."
TRAIN_COMPARED = "The same pictures, by all states"
TRAIN_ORIGINAL = "original"
TRAIN_STEP_TAKE = "### Take it with you"
TRAIN_TAKE_HINT = (
    "One file with everything in it (ONNX). Drop it into the tab for your own models, or use it in any program with "
    "ONNX Runtime."
)
TRAIN_EXPORT = "Make the model file"
TRAIN_EXPORTING = "Making the file and comparing it with the original"
TRAIN_EXPORT_DOWNLOAD = "Download {name}"
TRAIN_EXPORT_EMPTY = "Download"
TRAIN_EXPORTED = "{name}, {size}. It computes what the training's own network computes; that was checked."
TRAIN_EXPORT_MISSING = "To make model files, stop the page, run `pip install 'zorse[export]'`, and start it again."

# -------------------------------------------------------------------------------------------------------------- GAN lab

LAB_WAY_LIVE = "Watch one learn"
LAB_WAY_DIGITS = "Draw samples"

LAB_NOT_INSTALLED = (
    "**Watching GANs learn needs PyTorch**, which is not part of this installation. Whoever runs this page can add it: "
    "`pip install 'zorse[train]'`, then start the page again."
)
LAB_INTRO = (
    "Two networks play: the generator turns noise into points (orange), the discriminator tells them from real ones "
    "(blue dots). The paper is tinted by what the discriminator believes, blue where it takes points for real; the "
    "arrows show where it sends generated ones. Press *Play*."
)
LAB_METHOD = "Method"
LAB_METHODS = {
    "gan": "GAN, non-saturating",
    "minimax": "GAN, minimax",
    "lsgan": "LSGAN",
    "wgan": "WGAN (clipped weights)",
    "wgan_gp": "WGAN-GP",
    "sngan": "SNGAN (hinge, spectral norm)",
    "vae": "VAE (no game)",
}
"""By the beginnings of their presets' names."""
LAB_DISTRIBUTION = "Real points"
LAB_DISTRIBUTIONS = {"ring": "ring of 8", "grid": "grid of 25", "spiral": "spiral"}
LAB_SEED = "Seed"
LAB_SEED_HINT = "Of all chance: the same seed plays the same game."
LAB_PLAY, LAB_PAUSE, LAB_STEP, LAB_AGAIN = "Play", "Pause", "Step", "Restart"
LAB_ALT = "Real and generated points in the plane after {step} steps of {method}"
LAB_STATUS = "**Step {step}** · modes covered {covered} of {modes} · good points {good:.0%} · reverse KL {kl:.2f}"
LAB_LOSSES = "losses: {losses}"
LAB_STARTING = "Starting ..."
LAB_PAUSED = "Paused by itself after {seconds:.0f} seconds; press *Play* to go on."
LAB_ENDED = "This game has been played for {steps} steps, the most on this page. Begin another one."
LAB_ENDLESS = "The values are no longer numbers: this game has diverged. Begin another one."

LAB_NO_GENERATORS = (
    "**No generators here yet.** Train one, export it, and start the page with its folder:\n\n"
    "```sh\n"
    "zorse train cdcgan_digits --data mnist/ --out runs/digits\n"
    "zorse export runs/digits -o models/digits.onnx\n"
    "zorse ui --models models/\n"
    "```"
)
LAB_DIGITS_INTRO = "Every slider moves all samples the same way through the noise that they are drawn from."
LAB_GENERATOR = "Generator"
LAB_LABEL = "Class"
LAB_LABEL_EACH = "each its own"
LAB_CODE = "Discrete code"
LAB_CONTINUOUS = "Continuous code {number}"
LAB_DIRECTION = "Direction {number}"
LAB_SHEET_ALT = "Samples of {name}"
LAB_DESCRIBED = "**{name}**: {shows}. {training}"

# ------------------------------------------------------------------------------------------------------ Times and sizes

SECONDS = "{n:.0f} seconds"
MINUTES = "{n:.0f} minutes"
HOURS = "{n:.3g} hours"
DAYS = "{n:.0f} days"
RANGE = "{shortest} to {longest}"
MEGABYTES = "{n:.0f} MB"
GIGABYTES = "{n:.1f} GB"

# ----------------------------------------------------------------------------------------- What cannot be done, and why

# Anything

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
CROSS_SITE = (
    "Another website asked for this, or tried to send something here. Open this page itself and try again. Behind a "
    "proxy, let it pass on the header Host, or set X-Forwarded-Host."
)
PASSWORD_NEEDED = "A name and a password are needed here (HTTP Basic). Ask who runs this page for them."
CLOSING = (
    "This server is about to end, and takes nothing new. Try again in half a minute: it may have been started anew."
)
TOO_SLOW = "Nothing more of your request came for a minute. Send it again over a better connection."
TOO_MANY_GUESSES = (
    "Too many wrong names or passwords came from your address. Wait a moment, then try again with the right ones."
)
CLOSED = "There is nothing here."
NO_ADDRESSES = "Files at other addresses are not fetched from here. Send the file itself: upload it, or as a data URL."
REQUEST_TOO_LARGE = "The request is larger than {limit} MB. Send fewer or smaller files."

# Models and settings

NO_MODEL = "There is no model {name!r} on this page. Choose one of these: {known}."
NO_MODELS = "none"
NO_SIZE = "The size {size!r} is none of 'auto', 'keep' and a short side in pixels. Leave it out for the model's own."
NO_DETAIL = "The detail {detail!r} is not between 0 (the strongest edges) and 1 (nearly all)."
NO_METHOD = "The kind of lines {method!r} is none of {known}."
WORK_TOO_LARGE = (
    "Working at {size} pixels is more than this page does (at most {limit} million pixels). Choose a smaller size to "
    "work at; the result keeps your picture's size."
)

WORK_TOO_MUCH = (
    "This model would have to compute {came} million pixels for that; this page lets it compute at most {limit} "
    "million for one file. Choose a smaller size to work at, or send fewer frames."
)
TAKES_TOO_LONG = (
    "This would take about {seconds} seconds of work here, but one visitor may have {limit} in ten minutes. Choose a "
    "smaller size to work at; the result keeps your picture's size."
)

# Pictures and videos

NOT_UPLOADED = "No picture came. Upload a file and try again."
FILE_TOO_LARGE = "The file is larger than {limit} MB. Save the picture smaller or as a JPEG, then try again."
PICTURE_TOO_LARGE = "The picture has more than {limit} million pixels. Make it smaller, then try again."
TOO_MANY_FRAMES = (
    "The file has {count} frames or pages; this page takes at most {limit}. Cut it into parts, then try again."
)
SIDE_TOO_LONG = (
    "The picture is {width} x {height} pixels; this page takes sides of at most {limit} pixels. Make it smaller or cut "
    "it into parts, then try again."
)
NO_LINES = "No lines were found in this picture. Draw dark lines on a light ground, or choose more detail for a photo."
NO_DRAWING = "The drawing is not a PNG picture written as a data URL (data:image/png;base64,...). Draw it on the page."
DRAWING = "The drawing"
NO_DATA_URL = "The picture is not a data URL (data:image/jpeg;base64,...). Send the picture itself, written so."
SENT_PICTURE = "The picture"
VIDEO_TOO_LONG = (
    "The video has {frames} pictures; this page takes at most {limit}. Cut it shorter, or use 'zorse translate'."
)
MANY_TOO_MANY = "These are {count} files; at most {limit} are taken at once. Send them in parts."

# Zips

ZIP_TOO_MANY = "{name} holds {count:,} files; at most {limit:,} are unpacked. Make a smaller zip."
ZIP_WITHOUT_PICTURES = (
    "{name} should hold pictures, but there is {found} in it. Zip a folder of pictures ({kinds}) and send that."
)
ZIP_FOUND_NOTHING = "nothing"
ZIP_FOUND_OTHERS = "{count:,} files, none of them a picture"
ZIP_LOCKED = "{name} is locked with a password. Make the zip again without one."
ZIP_ENTRY_TOO_LARGE = (
    "{entry} in {name} unfolds to more than {limit} MB, which no picture here may take. Leave it out of the zip, or "
    "save it smaller."
)
ZIP_TOO_LARGE = "{name} unfolds to more than {limit} GB. Send fewer or smaller pictures; 512 pixels are plenty."
ZIP_IS_NONE = (
    "{name} is not a zip file, or only a part of one. Put the pictures into a folder, zip that (on most computers: "
    "right click, 'Compress'), and send the zip; .rar and .7z cannot be read."
)
ZIP_DAMAGED = "{name} is damaged ({reason}). Make the zip again."
ZIP_LEADS_OUT = (
    "{name} holds a file called {entry!r}, which would be written outside of its own folder. Zips made by usual "
    "programs have no such names; make it again from a plain folder of pictures."
)
ZIP_TOO_DEEP = (
    "{name} has folders in folders, more than {limit} deep, or with very long names. Zip the pictures' own folder."
)

# A visitor's own model

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
OWN_CONVERTING = "Using {name} here"
OWN_CONVERTED_TOO_SLOWLY = (
    "Converting {name} took too long. Export it yourself, 'zorse export {name}', and drop the .onnx file."
)
OWN_NOT_CONVERTED = "{name} could not be converted. Export it yourself, 'zorse export {name}', and drop the .onnx file."
OWN_FILE_TOO_LARGE = (
    "{name} has {size:.0f} MB; this page takes models of at most {limit} MB. Export it with --precision fp16 or int8, "
    "or use it with 'zorse translate'."
)
OWN_DAMAGED = "{name} is damaged or not an ONNX model. Export it again."
OWN_REFUSED = (
    "{name} is not run here: {problem}. This page runs networks of the usual operators whose weights are all in the "
    "one file, as 'zorse export' writes them."
)
OWN_CARD_TOO_LARGE = (
    "The model card in {name} describes a network that is larger than any: {size} blocks, channels or pixels. Export "
    "the model again."
)
OWN_DEFINES_OPERATORS = "it defines operators of its own"
OWN_TOO_MANY_OPERATIONS = "it has {count:,} operations, at most {limit:,} are run"
OWN_SPARSE = "it has sparse weights"
OWN_OPERATOR = "it uses the operator {operator!r}"
OWN_INNER_GRAPHS = "there are graphs in its graph"
OWN_WEIGHTS_ELSEWHERE = "the weights {name!r} are in another file"
OWN_WEIGHTS_KIND = "the weights {name!r} are of a kind that no network needs"
OWN_WEIGHTS_SHAPE = "the weights {name!r} have a shape that cannot be"
OWN_WEIGHTS_SIZE = "the weights {name!r} are not as large as they say"
OWN_TOO_SLOW = (
    "{name} takes longer than {seconds:.0f} seconds for a picture, and was stopped. Choose a smaller size, or use it "
    "with 'zorse translate'."
)
OWN_FAILED = "{name} cannot compute pictures ({reason}). Export the model again."
OWN_ENDED = "its process ended with status {status}"
OWN_WRONG_SHAPE = (
    "{name} turned a tensor of shape {given} into {result}; a picture of the same size was expected. Export the model "
    "again."
)

# Trainings

TRAIN_NOT_THERE = "This training is not there any more. Choose another one, or start a new one."
TRAIN_NO_PICTURES = "No pictures have come yet. Drop a zip of pictures into the first field, then try again."
TRAIN_SEND_FIRST = "Send pictures first, then start."
TRAIN_NO_KIND = "The kind {kind!r} is none of {known}."
TRAIN_NO_NAME_A = "Say in a word or two what the first pictures show, for example 'horses'."
TRAIN_NO_NAME_B = "Say in a word or two what the second pictures show, for example 'zebras'."
TRAIN_NO_SPEED = "There is no speed {speed!r}. Choose one of these: {known}."
TRAIN_NO_START = "A training of this kind cannot start from {start!r}."
TRAIN_NO_WAY = "The way {way!r} is neither AtoB nor BtoA."
TRAIN_NO_MOMENT = "This state of the training is not there. Choose another one from the list."
TRAIN_CANNOT_GO_ON = "This training cannot go on: it runs, waits for its turn, or has reached its end."
TRAIN_WAITS_NO_MORE = "This training does not wait any more. Pause or stop it instead."
TRAIN_RUNS = "This training runs. Stop it before you delete it."
TRAIN_DOES_NOT_RUN = "This training does not run at the moment."
TRAIN_STARTED_ALREADY = "This training was started already."
TRAIN_PICTURES_STAY = "This training was started already; its pictures stay as they are."
TRAIN_OTHER_PAGE = "Another page that uses the same folder of trainings does not answer. Try again in a minute."
TRAIN_TRIED_TOO_SLOWLY = (
    "Two steps took longer than {minutes:.0f} minutes: this computer is too slow for training, or busy with something "
    "else."
)
TRAIN_TRIED_BADLY = "A few steps were tried and did not go well: {reason}"
TRAIN_ENDED = "it ended with code {code}"
TRAIN_YOUR_SET = "your set"
TRAIN_YOUR_PICTURES = "your pictures"
TRAIN_ITSELF = "the training"
TRAIN_WHAT_YOU_SENT = "what you sent"
TRAIN_NOT_MENDED = (
    "The pictures cannot be put right here: none would be left that can be used. The list above says what is wrong "
    "with them; perhaps they are of another kind than was chosen."
)
TRAIN_DISK_FULL = (
    "The disk of the computer that runs this page is nearly full. Delete trainings that are not needed any more, under "
    "'My trainings', then try again."
)
TRAIN_NO_PICTURE = (
    "{name} is neither a zip nor a picture that can be read. Send a zip of pictures, or the pictures themselves "
    "({kinds})."
)
TRAIN_EXPORTED_TOO_SLOWLY = (
    "The export took longer than {minutes:.0f} minutes and was ended. Try again when no training runs."
)
TRAIN_NOT_EXPORTED = "The model file could not be made. {reason}"
TRAIN_NOTHING_TO_COMPARE = "There is nothing to compare yet. Wait for the first save, or choose another training."
TRAIN_NOTHING_TO_EXPORT = "There is nothing to export yet. Wait for the first save, or choose another training."

# The GAN lab

LAB_FORGOTTEN = "This game has been forgotten, since others came. Press *Restart*."
LAB_NO_GENERATOR = "There is no generator {name!r} on this page."
LAB_NO_METHOD = "The method {name!r} is none of {known}."
LAB_NO_DISTRIBUTION = "The distribution {name!r} is none of {known}."

# Starting the page: these come in the terminal

START_NEEDS = "The page"
START_FAILED = (
    "The page could not start on {host}, port {port} ({reason}). Choose others with --host and --port; behind a proxy, "
    "set the environment variable NO_PROXY=localhost,127.0.0.1."
)
START_NO_PORT = "Port {port} does not exist. Choose one from 1024 to 65535: zorse ui --port 7860"
START_PORT_TAKEN = (
    "Port {port} on {host} is in use by another program. Choose another with --port, for example {other}."
)
START_PORT_FORBIDDEN = "Port {port} needs special rights. Choose one above 1023: zorse ui --port 7860"
START_NO_ADDRESS = (
    "{host!r} is not an address of this computer ({reason}). Use 127.0.0.1 for this computer alone, or 0.0.0.0 to let "
    "others in."
)
START_NO_FOLDER = "The models folder {folder} is not a folder. Name one that holds .onnx files."
START_EMPTY_FOLDER = "The models folder {folder} holds no .onnx files. 'zorse export' writes them."
START_SAME_NAME = "{first} and {second} are both called {name!r} in their cards. Keep one of them."
START_NO_RUNS = "The folder for trainings, {folder}, cannot be made ({reason}). Name another one with --runs."

# -------------------------------------------------------------------------------------------- The programming interface

# Beside the page, under /api/v1

API_TITLE = "Zorse API"
API_DESCRIPTION = (
    "Pictures in, pictures out. Everything that goes wrong is answered with a 4xx or 5xx status and one sentence in "
    "the field 'error' that says what to do."
)
API_EXAMPLE = """\
curl -F picture=@horse.jpg -F model=horse2zebra -o zebra.jpg \\
     http://127.0.0.1:7860{prefix}/translate"""
API_TRANSLATE = "Translate a picture"
API_TRANSLATE_NOTE = (
    "The result has the size and format of the picture; its metadata, transparency and profile are kept. The header "
    "X-Zorse-Receipt says what was kept, converted or dropped: JSON in ASCII with the fields "
    "source_format, format and entries, each with what, outcome (kept, converted, dropped) and detail. Beyond 4000 "
    "letters, what was kept and then the details are left out, and the field shortened is true."
)
API_UNKNOWN_FIELD = "There is no field {field!r}.{guess} Known are: {known}."
API_MODELS = "Which models there are"
API_PICTURE = "JPEG, PNG, WebP, TIFF, GIF, BMP or AVIF; of animations every frame is translated."
API_MODEL = "Name of a model."
API_SIZE = (
    "At which size the network works: auto (the model's own), keep (the picture's own), or a short side in pixels."
)
API_STRENGTH = "0 gives the picture, 1 the translation."
API_RECEIPT = "What was kept, converted or dropped, as JSON in ASCII; at most 4000 letters."
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
API_PROBLEM = "{field}: {problem}"
API_FIELDS = "Fields of the form"
API_ANSWERS = "Answers"
API_FILE = "file"
API_REQUIRED = "must be there"
API_OPTIONAL = "default {default}"

# Gradio's endpoints, and the tool for language models

API_TRANSLATE_FILE = "Translates a picture file with any of the page's models."
API_TOOL = "Translates a picture with one of Zorse's models, for example a photo of a horse into one of a zebra."
API_DATA_URL = "The picture as a data URL: data:image/jpeg;base64,... Addresses and paths are not opened."
API_ONE_OF = "Name of a model: {names}."
API_PICTURES = (
    "Translates a picture with a model of this tab. Answers with small pictures of before and after, a line about the "
    "model in Markdown, and the result at full size in the format of the input."
)
API_VIDEO = "Translates a short video with a model of this tab; its sound is kept."
API_DRAW = (
    "Turns a drawing, a PNG as a data URL, into a photo; what is painted in it gets its colour where the model can do "
    "that. Answers like the tabs for pictures."
)
API_SKETCH = "Turns a sketch, also a photographed one, into a photo. Answers like the tabs for pictures."
API_EDGES = "Finds the edges of a photo and turns them into another one. Answers with the edges as well."
API_BRING_MODEL = (
    "Brings a model of your own, an .onnx or .safetensors file; it stays with this session. Answers with its card."
)
API_USE_OWN_MODEL = "Translates a picture with the model that this session has brought."
API_MANY = "Translates many pictures and zips of pictures; answers with a report and a zip of the results."
API_TRAIN_KEY = "Key of the training."
API_TRAIN_LOOK = (
    "Sends pictures to learn from, as zips or one by one; answers with the new training's key and a report."
)
API_TRAIN_REPORT = "The report on the pictures, as HTML"
API_TRAIN_FIX = "Replaces the pictures of a training that has not begun with a clean copy; answers with the new report."
API_TRAIN_MEASURE = "Says how long a training would take here: two real steps are tried."
API_TRAIN_SECONDS = "Seconds for each of quick, normal and long; empty where that cannot be known."
API_TRAIN_START = "Starts a training, or puts it into the queue."
API_TRAIN_SPEED = "How long to learn: quick, normal or long."
API_TRAIN_START_FROM = (
    "First of the shipped models to start from, for example horse2zebra; empty to start from scratch."
)
API_TRAIN_STATUS = "Says where a training is."
API_TRAIN_STATUS_IS = (
    "State, step, steps in all, seconds left, losses of the last step, names of alarms, and which states (moments) and "
    "ways (directions) can be tried."
)
API_TRAIN_PAUSE = "Saves a training and ends it for now."
API_TRAIN_RESUME = "Lets a training go on from its last save."
API_TRAIN_STOP = "Saves a training and ends it."
API_TRAIN_CANCEL = "Takes a training out of the queue."
API_TRAIN_DELETE = "Deletes a training with all its files."
API_TRAIN_MOMENT = "Which of its states: last, best, or the number of a step that was kept."
API_TRAIN_WAY = "Which way: AtoB or BtoA."
API_TRAIN_TRY = "Translates a picture with a state of a training."
API_TRAIN_COMPARE = "Translates a picture with all states of a training."
API_TRAIN_STATES = "The picture and its translations; the key of each is its state."
API_TRAIN_EXPORT = "Makes one ONNX file of a state of a training."
API_TRAIN_FILE = "The model file."
