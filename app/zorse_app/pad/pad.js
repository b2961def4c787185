// A sheet of paper to draw on. Its value is the drawing as a PNG data URL, or null while the paper is blank.
// Strokes are kept as points, and filled areas as pictures, so that undoing one is drawing the others again.

const WIDTHS = { pen: 4, brush: 36, eraser: 24 }; // in pixels of the paper
const TOOLS = [...Object.keys(WIDTHS), "fill"];
const GAP = 8; // in pixels of the paper: paint that fills an area does not run through smaller gaps
const PAUSE = 250; // milliseconds without a stroke's next point, after which the drawing is sent

const canvas = element.querySelector("canvas");
const paper = canvas.getContext("2d");
const lines = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d"); // the pen's, over all that is painted
const colour = element.querySelector("input");
const button = Object.fromEntries([...element.querySelectorAll("button")].map((it) => [it.dataset.tool, it]));
const hint = element.querySelector("p");
let strokes = [], undone = [], stroke = null, tool = "pen", mirrored = false, timer = null;
let pointer = null; // whose stroke it is: a palm or a second finger draws nothing into it

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

// A picture drawn once more all around itself, which makes it broader by `reach` on each side.
function broadened(picture, reach) {
  const sheet = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  sheet.drawImage(picture, 0, 0);
  for (let turn = 0; turn < 2 * Math.PI; turn += Math.PI / 8) {
    sheet.drawImage(picture, reach * Math.cos(turn), reach * Math.sin(turn));
  }
  return sheet;
}

// The pixel nearest to a point that is no wall, not farther than a wall reaches; undefined if there is none.
function nearestOpen([x, y], walls) {
  const { width, height } = canvas;
  let nearest, least = GAP ** 2;
  for (let row = Math.max(0, Math.ceil(y - GAP)); row < Math.min(height, y + GAP); row++) {
    for (let column = Math.max(0, Math.ceil(x - GAP)); column < Math.min(width, x + GAP); column++) {
      const distance = (column - x) ** 2 + (row - y) ** 2, at = row * width + column;
      if (distance < least && walls[4 * at + 3] <= 127) [nearest, least] = [at, distance];
    }
  }
  return nearest;
}

// What filling at a point gives: `paint` for what the lines enclose around it, a picture, or `said`, why there is none.
function poured(point, ink) {
  const { width, height } = canvas;
  const walls = broadened(lines.canvas, GAP / 2).getImageData(0, 0, width, height).data;
  const area = new ImageData(width, height);
  const start = nearestOpen(point, walls);
  if (start === undefined) return { said: props.narrow };
  const open = [start];
  while (open.length) {
    const at = open.pop();
    if (area.data[4 * at + 3] || walls[4 * at + 3] > 127) continue;
    if (at % width === 0 || at % width === width - 1 || at < width || at >= width * (height - 1)) return { said: props.leak };
    area.data[4 * at + 3] = 255;
    open.push(at - 1, at + 1, at - width, at + width);
  }
  const paint = new OffscreenCanvas(width, height).getContext("2d");
  paint.putImageData(area, 0, 0);
  const covered = broadened(paint.canvas, (GAP + WIDTHS.pen) / 2); // up to the middle of the lines, which lie over it
  covered.globalCompositeOperation = "source-in";
  covered.fillStyle = ink;
  covered.fillRect(0, 0, width, height);
  return { paint: covered.canvas };
}

function draw({ points, tool, ink, mirrors, paints }) {
  if (tool === "fill") return paints.forEach((paint) => paper.drawImage(paint, 0, 0));
  const ways = mirrors ? [points, points.map(mirror)] : [points];
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

function mirror([x, y]) {
  return [canvas.width - x, y];
}

function fill(point) {
  const results = (mirrored ? [point, mirror(point)] : [point]).map((it) => poured(it, colour.value));
  const paints = results.flatMap(({ paint }) => paint ?? []);
  hint.textContent = paints.length ? props.hint : results[0].said;
  if (!paints.length) return;
  undone = [];
  change(() => strokes.push({ tool, paints }));
}

function begin(event) {
  if (event.button !== 0 || stroke) return;
  if (tool === "fill") return fill(place(event));
  canvas.setPointerCapture(event.pointerId);
  pointer = event.pointerId;
  const ink = { pen: "black", brush: colour.value, eraser: "white" }[tool];
  stroke = { points: [place(event)], tool, ink, mirrors: mirrored };
  undone = [];
  redraw();
}

function go(event) {
  if (!stroke || event.pointerId !== pointer) return;
  const steps = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(steps.length ? steps : [event]).map(place));
  redraw();
  sendSoon();
}

function end(event) {
  if (!stroke || event.pointerId !== pointer) return;
  strokes.push(stroke);
  stroke = null;
  redraw();
  send();
}

function hold(name) {
  tool = name;
  hint.textContent = props.hint;
  for (const each of TOOLS) button[each].ariaPressed = each === name;
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
for (const each of TOOLS) button[each].addEventListener("click", () => hold(each));
colour.addEventListener("input", () => hold(tool === "fill" ? "fill" : "brush"));
button.mirror.addEventListener("click", () => (button.mirror.ariaPressed = mirrored = !mirrored));
button.undo.addEventListener("click", () => change(() => undone.push(strokes.pop())));
button.redo.addEventListener("click", () => change(() => strokes.push(undone.pop())));
button.clear.addEventListener("click", () => change(() => (strokes = undone = [])));
redraw();
