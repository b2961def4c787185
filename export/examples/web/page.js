// The page: what is chosen, what is shown. The work is the worker's.

const GIGABYTE = 2 ** 30;
const MOST_MEMORY = 2 * GIGABYTE; // WebAssembly reaches 4, and fragments
const $ = (id) => document.getElementById(id);

const models = await (await fetch("models.json")).json();
let worker = null;
let working = false;
let picture = null; // the File that was chosen last
const addresses = { before: null, after: null };

function start() {
  for (const [index, model] of models.entries()) $("model").add(new Option(model.title, index));
  $("model-choice").hidden = models.length < 2;
  showModel();
  offerDevices();
  $("starting").hidden = true;
  $("settings").hidden = $("drop").hidden = $("about").hidden = false;
}

const model = () => models[$("model").value];
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;

function showModel() {
  const { title, native_size: native, card } = model();
  document.title = $("title").textContent = title;
  const sizes = [[native, `${native} px`], [2 * native, `${2 * native} px`], ["keep", "full size"]];
  $("sizes").replaceChildren(...sizes.map(([value, text]) => radio("size", value, text, value === native)));
  $("card").replaceChildren(...Object.entries(card).flatMap(([term, text]) => [element("dt", term), element("dd", text)]));
}

/** The graphics card is offered, and chosen, where the browser has one for us; a software one would be slower. */
async function offerDevices() {
  $("device-choice").hidden = true;
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter || adapter.info?.isFallbackAdapter) return;
  document.querySelector("input[value=webgpu]").checked = true;
  $("device-choice").hidden = false;
}

function translate() {
  if (!picture) return;
  stop();
  showWaiting();
  working = true;
  worker ??= newWorker();
  const size = chosen("size");
  worker.postMessage({
    file: picture,
    model: model(),
    size: size === "keep" ? size : Number(size),
    device: chosen("device"),
    maxPixels: Math.floor(memory() / model().bytes_per_pixel),
  });
}

/** It keeps the model that it has loaded, so it serves as long as nobody interrupts it. */
function newWorker() {
  const fresh = new Worker("worker.js", { type: "module" });
  fresh.onmessage = ({ data: { stage, result, failure } }) => {
    if (stage) showStage(stage);
    else if (result) showResult(result);
    else showProblem(failure);
  };
  fresh.onerror = () => showProblem("The page could not start its worker. A newer browser may help, or reloading.");
  return fresh;
}

/** Bytes that the network may take. Browsers that do not tell how much there is may be phones. */
function memory() {
  return Math.min(MOST_MEMORY, ((navigator.deviceMemory ?? 4) / 4) * GIGABYTE);
}

/** A network that runs cannot be interrupted: its worker is ended as a whole. */
function stop() {
  if (working) worker.terminate();
  if (working) worker = null;
  working = false;
}

function show(file) {
  if (!file) return;
  if (file.type && !file.type.startsWith("image/")) return showProblem(`${file.name} is not a picture.`);
  picture = file;
  $("before").src = address("before", file);
  translate();
}

function showWaiting() {
  $("drop").hidden = $("actions").hidden = true;
  $("compare").hidden = $("working").hidden = false;
  $("compare").classList.add("waiting");
  $("progress").removeAttribute("value");
}

function showStage({ text, done, all }) {
  say(text);
  if (all) Object.assign($("progress"), { value: done, max: all });
  else $("progress").removeAttribute("value");
}

function showResult(result) {
  working = false;
  $("working").hidden = true;
  $("after").src = $("download").href = address("after", result.file);
  const ending = result.file.type === "image/jpeg" ? "jpg" : "png";
  $("download").download = `${picture.name.replace(/\.[^.]*$/, "") || "picture"}_${model().name}.${ending}`;
  $("compare").classList.remove("waiting");
  $("actions").hidden = $("download").hidden = false;
  say(described(result));
}

/** What was done, and what the result is not. */
function described({ seen, whole, tiles, seconds, device, threads, note }) {
  const size = ([width, height]) => `${width} × ${height}`;
  const resized = size(seen) !== size(whole);
  const where = device === "webgpu" ? "graphics card" : `processor, ${threads} thread${threads > 1 ? "s" : ""}`;
  const back = model().keeps_detail
    ? `; the change was enlarged and added to your ${size(whole)} picture`
    : `; the result was enlarged or reduced to ${size(whole)}`;
  return [
    note,
    `Translated at ${size(seen)}${resized ? back : ""}, in ${seconds.toFixed(1)} s (${where}).`,
    tiles > 1
      ? `That did not fit into memory at once: ${tiles} tiles with blended borders, each with its own contrast, so ` +
        "colours and textures may vary across the picture. A smaller size works in one piece."
      : "",
  ].filter(Boolean).join(" ");
}

function showProblem(text) {
  stop();
  picture = null;
  reset();
  say(text);
  $("status").classList.add("problem");
}

function reset() {
  $("compare").hidden = $("working").hidden = $("actions").hidden = true;
  $("drop").hidden = false;
  $("file").value = "";
}

function say(text) {
  $("status").classList.remove("problem");
  $("status").textContent = text;
}

function address(which, file) {
  if (addresses[which]) URL.revokeObjectURL(addresses[which]);
  return (addresses[which] = URL.createObjectURL(file));
}

function radio(name, value, text, checked) {
  const label = element("label");
  const input = Object.assign(element("input"), { type: "radio", name, value, checked });
  label.append(input, element("span", text));
  return label;
}

const element = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });

$("model").addEventListener("change", showModel);
$("settings").addEventListener("change", translate);
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("file").addEventListener("change", () => show($("file").files[0]));
$("before").addEventListener("load", ({ target: { naturalWidth: width, naturalHeight: height } }) => {
  $("compare").style.setProperty("--ratio", width / height);
  $("compare").style.setProperty("--width", width);
});
$("divide").addEventListener("input", () => $("compare").style.setProperty("--divide", `${$("divide").value}%`));
$("cancel").addEventListener("click", () => {
  stop();
  $("working").hidden = $("download").hidden = true;
  $("actions").hidden = false;
  say("Cancelled. Another size is faster or finer; another picture can be chosen, too.");
  $("another").focus();
});
$("another").addEventListener("click", () => {
  picture = null;
  reset();
  say("");
  $("file").focus();
});
document.addEventListener("paste", (event) => show(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  show(event.dataTransfer.files[0]);
});

start();
