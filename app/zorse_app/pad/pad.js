// A sheet of paper to draw on. Its value is the drawing as a PNG data URL, or null while the paper is blank.
// Strokes are kept as points, so that undoing one is drawing the others again.

const WIDTHS = { pen: 4, brush: 36, eraser: 24 }; // in pixels of the paper
const PAUSE = 250; // milliseconds without a stroke's next point, after which the drawing is sent

const canvas = element.querySelector("canvas");
const paper = canvas.getContext("2d");
const lines = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d"); // the pen's, over all that is painted
const colour = element.querySelector("input");
const button = Object.fromEntries([...element.querySelectorAll("button")].map((it) => [it.dataset.tool, it]));
let strokes = [], undone = [], stroke = null, tool = "pen", mirrored = false, timer = null;

function line(sheet, points, width, ink) {
  sheet.strokeStyle = ink;
  sheet.lineWidth = width;
  sheet.lineCap = sheet.lineJoin = "round";
  sheet.beginPath();
  sheet.moveTo(...points[0]);
  // A curve through the middles of neighbouring points: the hand's path without its corners.
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i], [nextX, nextY] = points[i + 1];
    sheet.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  sheet.lineTo(...points.at(-1));
  sheet.stroke();
}

function draw({ points, tool, ink, mirrors }) {
  const ways = mirrors ? [points, points.map(([x, y]) => [canvas.width - x, y])] : [points];
  lines.globalCompositeOperation = tool === "eraser" ? "destination-out" : "source-over";
  for (const way of ways) {
    if (tool !== "pen") line(paper, way, WIDTHS[tool], ink);
    if (tool !== "brush") line(lines, way, WIDTHS[tool], ink);
  }
}

function redraw() {
  paper.fillStyle = "white";
  paper.fillRect(0, 0, canvas.width, canvas.height);
  lines.clearRect(0, 0, canvas.width, canvas.height);
  for (const each of strokes) draw(each);
  if (stroke) draw(stroke);
  paper.drawImage(lines.canvas, 0, 0);
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
  const ink = { pen: "black", brush: colour.value, eraser: "white" }[tool];
  stroke = { points: [place(event)], tool, ink, mirrors: mirrored };
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

function hold(name) {
  tool = name;
  for (const each in WIDTHS) button[each].ariaPressed = each === name;
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
for (const each in WIDTHS) button[each].addEventListener("click", () => hold(each));
colour.addEventListener("input", () => hold("brush"));
button.mirror.addEventListener("click", () => (button.mirror.ariaPressed = mirrored = !mirrored));
button.undo.addEventListener("click", () => change(() => undone.push(strokes.pop())));
button.redo.addEventListener("click", () => change(() => strokes.push(undone.pop())));
button.clear.addEventListener("click", () => change(() => (strokes = undone = [])));
redraw();
