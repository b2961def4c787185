"""Every word of the tab that trains models, in the same spirit as `texts`."""

TAB = "Train"

NOT_INSTALLED = """### Teach Zorse something new

Training is not part of this installation: it needs PyTorch, about 2 GB. Stop the page, run

    pip install 'zorse[train,export]'

and start the page again. Everything else on this page works without it."""

NOT_FOR_STRANGERS = """### Teach Zorse something new

Other computers can reach this page without a password, and a training takes this computer's time and disk for hours.
Start the page with `--user NAME:PASSWORD`, or for this computer alone, to train here."""

INTRO = (
    "Show Zorse two kinds of pictures, and it learns to turn one into the other. It takes minutes to hours, goes on "
    "when you close this page, and can be paused at any time."
)
WAY_NEW = "New training"
WAY_MINE = "My trainings"

# Pictures

STEP_PICTURES = "### 1 · Your pictures"
KIND = "What do you have?"
KINDS = [("Two kinds of pictures", "unpaired"), ("Pairs: before and after", "paired"), ("Photos only", "edges")]
KIND_HINTS = {
    "unpaired": "Horses and zebras, summer and winter, photos and paintings: they need not belong together. About 200 "
    "of each work well; fewer are worth a try.",
    "paired": "The same thing twice, in the same place: a plan and its house, a sketch and its finished drawing. Send "
    "one zip of pictures with both halves side by side, or two zips whose files have the same names.",
    "edges": "Zorse draws the lines itself, and learns to turn a line drawing into such a photo.",
}
NAME_A = {"unpaired": "The first kind shows", "paired": "Before: what goes in", "edges": ""}
NAME_B = {"unpaired": "The second kind shows", "paired": "After: what comes out", "edges": "The photos show"}
NAME_A_EXAMPLE = {"unpaired": "horses", "paired": "sketches", "edges": ""}
NAME_B_EXAMPLE = {"unpaired": "zebras", "paired": "drawings", "edges": "shoes"}
DRAWN_LINES = "lines"
FILES_A = {"unpaired": "Pictures of the first kind", "paired": "Before, or pairs side by side", "edges": ""}
FILES_B = {
    "unpaired": "Pictures of the second kind",
    "paired": "After (leave empty if the first has both)",
    "edges": "Your photos",
}
FILES_HINT = "A zip, or the pictures themselves, at most {limit} at once. Small ones will do: 512 pixels are plenty."
LOOK = "Look at my pictures"
LOOKING = "Looking at picture {done} of {total}"
UNPACKING = "Unpacking"
FIXING = "Making a clean copy: {done} of {total}"
FIX = "Fix it for me"
FIX_HINT = "Makes a clean copy on this computer without what cannot be used. Your own files stay as they are."

GOOD = "These pictures are ready."
SO_SO = "You can start. It will go better if you mend this:"
BAD = "Not yet: training would stop at some of these pictures."
BAD_FIXABLE = "Not yet, but this can be fixed for you."
COUNTS = "{n} pictures"
COUNTS_AB = "{name_a}: {a}, {name_b}: {b}"
FILES_MORE = "and {n} more"
LEFT_ASIDE = "{n} other files in what you sent were left aside ({names})."

FINDINGS: dict[str, tuple[str, str]] = {
    "unreadable": ("Training would stop at them.", "They are damaged or no pictures. They can be left out for you."),
    "unusable_shape": ("They are tiny, or long and thin as a ribbon.", "They can be left out for you."),
    "not_a_pair": ("A pair is one picture with two halves of the same size.", "They can be left out for you."),
    "unequal_sides": (
        "What belongs together must lie in the same place.",
        "Make both sides the same size, or have these left out.",
    ),
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

STEP_HOW = "### 2 · How to learn"
START = "Start from"
START_HINT = "A finished model of something similar learns faster. Its first kind should be like your first kind."
SCRATCH = "nothing (from scratch)"
STARTS = {
    "horse2zebra": "horse ↔ zebra",
    "monet2photo": "painting ↔ photo",
    "edges2shoes": "lines → shoes",
    "edges2clothes": "lines → clothes",
}
SPEED = "How long?"
SPEED_NAMES = {"quick": "Quick", "normal": "Normal", "long": "Long"}
SPEED_NOTES = {"quick": "a first impression", "normal": "a usable result", "long": "the best that this method gives"}
SPEED_CHOICE = "{name} · {time} · {note}"
SPEED_UNMEASURED = "{name} · {note}"
MEASURING = "Measuring how fast this computer learns from your pictures: two real steps …"
MEASURED = (
    "Measured on this computer ({device}) with your pictures just now: {step} per step. What else it does meanwhile "
    "makes it slower."
)
NOT_MEASURED = "How long it takes could not be measured: {reason}"
TOO_LARGE = "**This computer has too little memory or disk for it.** {advice}"
BESIDE = " Another training was running beside it, so this is rather too long."
GO = "Start training"
STARTED = "Started. You may close this page: it goes on, and you will find it under 'My trainings'."
QUEUED = "In the queue. It starts by itself when the training before it is over."

# Watching

NONE_YET = "### Nothing here yet\n\nStart your first training under 'New training'."
CHOOSE = "Your trainings"
CHOICE = "{title} · {state} · {day}"
STATES = {
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
EXPLAINED = {
    "queued": "It is number {place} in the queue and starts by itself.",
    "running": "Step {iteration} of {total}{left}.",
    "preparing": "Getting ready: loading the networks and looking at the pictures. This takes a minute or two.",
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
LEFT = ", {time} left"
FACTS = "{speed} · from {start} · {n} pictures · {disk} on the disk ({free} free)"
PAUSE = "Pause"
RESUME = "Go on"
STOP = "Stop here"
CANCEL = "Take out of the queue"
DELETE = "Delete …"
DELETE_SURE = "Delete this training with its pictures and all its models? This cannot be undone."
DELETE_YES = "Yes, delete it"
DELETE_NO = "Keep it"

SAMPLES = "What it makes of the same pictures"
SAMPLES_CAPTIONS = {
    "unpaired": "From the left: {a}, made into {b}, and back again; {b}, made into {a}, and back again. Step {step}.",
    "paired": "From the left: {a}, what Zorse makes of it, and how it should be. Step {step}.",
    "edges": "From the left: {a}, what Zorse makes of it, and the photo itself. Step {step}.",
}
THEN_AND_NOW = "From the first steps to now"

CHART = "How it learns"
CHART_HINT = (
    "A painter and a judge learn from each other: the painter to fool the judge, the judge to see through it. "
    "Their curves wrestle and need not fall; trust the pictures. 'Lost detail' is how much of a picture does not "
    "survive; that one should fall."
)
LOSS_NAMES = {
    "G": "painter",
    "D": "judge",
    "other": "lost detail",
}
CHART_X = "step"
CHART_WHO = "whose"
CHART_Y = "trouble"

ALARMS = {
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
ALARM_AT = "step {iteration}"
ALARM_OVER = "over"

# Trying, comparing, taking away

STEP_TRY = "### Try it"
TRY_PICTURE = "A picture of yours"
TRY_PICTURE_HINT = "Drop a picture here\n- or -\nclick to choose one"
MOMENT = "Which state?"
MOMENTS = {"last": "newest", "best": "best so far", "kept": "step {iteration}"}
MOMENT_HINT = "'Best' is the state whose results come nearest to your pictures by measure (KID)."
WAY = "Which way?"
WAY_CHOICE = "{source} → {target}"
COMPARE = "Compare all states"
COMPARE_HINT = "On your picture above or, without one, on some of the pictures that you sent."
COMPARED = "The same pictures, by all states"
ORIGINAL = "original"
NOTHING_TO_COMPARE = "There is nothing to compare yet. Wait for the first save, or choose another training."
NOTHING_TO_EXPORT = "There is nothing to export yet. Wait for the first save, or choose another training."
STEP_TAKE = "### Take it with you"
TAKE_HINT = (
    "One file with everything in it (ONNX). Drop it into the tab for your own models, or use it in any program with "
    "ONNX Runtime."
)
EXPORT = "Make the model file"
EXPORTING = "Making the file and comparing it with the original"
EXPORT_DOWNLOAD = "Download {name}"
EXPORT_EMPTY = "Download"
EXPORTED = "{name}, {size}. It computes what the training's own network computes; that was checked."
EXPORT_MISSING = "To make model files, stop the page, run `pip install 'zorse[export]'`, and start it again."

# Numbers

SECONDS = "{n:.0f} seconds"
MINUTES = "{n:.0f} minutes"
HOURS = "{n:.3g} hours"
DAYS = "{n:.0f} days"
RANGE = "{shortest} to {longest}"
PER_STEP = "{n:.2g} s"
