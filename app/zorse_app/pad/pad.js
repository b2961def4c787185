// A sheet of paper to draw on. Its value is the drawing as a PNG data URL, or null while the paper is blank.
// Strokes are kept as points, so that undoing one is drawing the others again.

const PEN = 4, ERASER = 24; // widths in pixels of the paper
const PAUSE = 250; // milliseconds without a stroke's next point, after which the drawing is sent

const canvas = element.querySelector("canvas");
const paper = canvas.getContext("2d");
const button = Object.fromEntries([...element.querySelectorAll("button")].map((it) => [it.dataset.tool, it]));
let strokes = [], undone = [], stroke = null, erasing = false, mirrored = false, timer = null;

function line(points, width, colour) {
  paper.strokeStyle = paper.fillStyle = colour;
  paper.lineWidth = width;
  paper.lineCap = paper.lineJoin = "round";
  paper.beginPath();
  paper.moveTo(...points[0]);
  // A curve through the middles of neighbouring points: the hand's path without its corners.
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i], [nextX, nextY] = points[i + 1];
    paper.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  paper.lineTo(...points.at(-1));
  paper.stroke();
}

function draw({ points, erases, mirrors }) {
  const [width, colour] = erases ? [ERASER, "white"] : [PEN, "black"];
  line(points, width, colour);
  if (mirrors) line(points.map(([x, y]) => [canvas.width - x, y]), width, colour);
}

function redraw() {
  paper.fillStyle = "white";
  paper.fillRect(0, 0, canvas.width, canvas.height);
  for (const each of strokes) draw(each);
  if (stroke) draw(stroke);
  button.undo.disabled = button.clear.disabled = strokes.length === 0;
  button.redo.disabled = undone.length === 0;
}

function send() {
  clearTimeout(timer);
  props.value = strokes.length || stroke ? canvas.toDataURL("image/png") : null;
  trigger("input");
}

function sendSoon() {
  clearTimeout(timer);
  timer = setTimeout(send, PAUSE);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
}

function begin(event) {
  if (event.button !== 0 || stroke) return;
  canvas.setPointerCapture(event.pointerId);
  stroke = { points: [place(event)], erases: erasing, mirrors: mirrored };
  undone = [];
  redraw();
}

function go(event) {
  if (!stroke) return;
  const steps = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(steps.length ? steps : [event]).map(place));
  redraw();
  sendSoon();
}

function end() {
  if (!stroke) return;
  strokes.push(stroke);
  stroke = null;
  redraw();
  send();
}

function hold(eraser) {
  erasing = eraser;
  button.pen.ariaPressed = !eraser;
  button.eraser.ariaPressed = eraser;
}

function change(action) {
  action();
  redraw();
  send();
}

canvas.addEventListener("pointerdown", begin);
canvas.addEventListener("pointermove", go);
canvas.addEventListener("pointerup", end);
canvas.addEventListener("pointercancel", end);
button.pen.addEventListener("click", () => hold(false));
button.eraser.addEventListener("click", () => hold(true));
button.mirror.addEventListener("click", () => (button.mirror.ariaPressed = mirrored = !mirrored));
button.undo.addEventListener("click", () => change(() => undone.push(strokes.pop())));
button.redo.addEventListener("click", () => change(() => strokes.push(undone.pop())));
button.clear.addEventListener("click", () => change(() => (strokes = undone = [])));
redraw();
