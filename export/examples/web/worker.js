// The worker: reads a picture file, translates it with ONNX Runtime, writes a picture file. Nothing leaves it but
// messages to the page.

import { translate, workingSize } from "./translate.js";

// The script and, beside it, the WebAssembly file that it fetches. Only the one that is used is loaded.
const RUNTIMES = { wasm: "./ort/ort.wasm.min.mjs", webgpu: "./ort/ort.webgpu.min.mjs" };
const PROVIDERS = {
  wasm: "wasm",
  // In its own layout, ONNX Runtime 1.30 computes convolutions of 6 or 15 channels wrongly (its issue 29651).
  webgpu: { name: "webgpu", preferredLayout: "NCHW" },
};
const LEAST_PIXELS = 256 * 256; // smaller tiles are not tried

const MOST_DIFFERENCE = 1; // level of 255, on average, between graphics card and processor

/** Something that the visitor can do something about. */
class Complaint extends Error {}

let opened = null; // { key, session, Tensor, threads } of the model that was used last
const refused = new Map(); // model's file -> why the graphics card cannot be used for it: it is not tried again

self.onmessage = async ({ data: job }) => {
  try {
    const result = await answer(job, (stage) => self.postMessage({ stage }));
    self.postMessage({ result });
  } catch (error) {
    self.postMessage({ failure: error instanceof Complaint ? error.message : `Something went wrong: ${reason(error)}` });
  }
};

/**
 * @param job.file the picture, a File or Blob.
 * @param job.model an entry of models.json.
 * @param job.size "keep" or the short side in pixels.
 * @param job.device "wasm" or "webgpu".
 * @param job.maxPixels how many the network may see at a time.
 */
async function answer(job, tell) {
  tell({ text: "Reading the picture …" });
  const picture = await decode(job.file);
  tell({ text: "Loading the model …" });
  const { device, note } = await openSomewhere(job);
  const started = performance.now();
  const done = await withinMemory(job, device, picture, tell);
  const seconds = (performance.now() - started) / 1000;
  tell({ text: "Writing the picture …" });
  return {
    file: await encode(picture, done.rgb, job.file.type),
    seen: [done.width, done.height],
    whole: [picture.width, picture.height],
    tiles: done.tiles,
    seconds,
    device,
    threads: opened.threads,
    note,
  };
}

/** On the device that is wanted or, where that does not work, on the processor; `note` says why. */
async function openSomewhere({ model, device }) {
  if (device === "webgpu") {
    try {
      if (!refused.has(model.file)) {
        await open(model, device);
        return { device, note: "" };
      }
    } catch (error) {
      refused.set(model.file, reason(error));
    }
    await open(model, "wasm");
    return { device: "wasm", note: `The graphics card cannot be used: ${refused.get(model.file)}.` };
  }
  try {
    await open(model, device);
    return { device, note: "" };
  } catch (error) {
    throw new Complaint(`The model cannot be loaded (${reason(error)}). Check the connection, and reload the page.`);
  }
}

/** Where the memory does not suffice for as many pixels as hoped, fewer are tried at a time. */
async function withinMemory(job, device, picture, tell) {
  const sizes = { size: job.size, nativeSize: job.model.native_size, leastSide: job.model.least_side };
  const [height, width] = workingSize(picture.height, picture.width, sizes);
  for (let maxPixels = Math.min(job.maxPixels, height * width); ; maxPixels = Math.floor(maxPixels / 2)) {
    try {
      tell({ text: "Translating …" });
      return await translate(picture, {
        run,
        ...sizes,
        keepsDetail: job.model.keeps_detail,
        maxPixels,
        progress: (done, all) => tell({ text: `Translating: ${done} of ${all} tiles`, done, all }),
      });
    } catch (error) {
      if (!/alloc|memory|out of bounds/i.test(reason(error))) throw error;
      if (maxPixels / 2 < LEAST_PIXELS) throw new Complaint("This browser has too little memory for this model.");
      await close(opened); // after running out of memory a session is not to be trusted
      opened = null;
      await open(job.model, device);
    }
  }
}

const run = (rgb, height, width) => runIn(opened, rgb, height, width);

async function runIn({ session, Tensor }, rgb, height, width) {
  const pixels = new Uint8Array(rgb.buffer, rgb.byteOffset, rgb.length);
  const { translation } = await session.run({ image: new Tensor("uint8", pixels, [1, height, width, 3]) });
  const result = await translation.getData();
  translation.dispose();
  return new Uint8ClampedArray(result.buffer, result.byteOffset, result.length);
}

async function open(model, device) {
  const key = `${device} ${model.file}`;
  if (opened?.key === key) return;
  const { env, InferenceSession, Tensor } = await import(RUNTIMES[device]);
  // Threads share memory, which browsers allow only where the server isolates the page (COOP and COEP headers).
  const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
  env.wasm.numThreads = threads;
  env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  const create = (provider) =>
    InferenceSession.create(new URL(model.file, import.meta.url).href, { executionProviders: [provider] });
  const session = await create(PROVIDERS[device]);
  const fresh = { key, session, Tensor, threads };
  if (device === "webgpu") {
    try {
      await check(fresh, { session: await create(PROVIDERS.wasm), Tensor });
    } catch (error) {
      await close(fresh);
      throw error;
    }
  }
  await close(opened);
  opened = fresh;
}

/** Gives a session's memory back, whatever state it is in. */
async function close(one) {
  await one?.session.release().catch(() => {});
}

/** Whether the graphics card computes what the processor computes: its drivers and kernels are many. */
async function check(card, processor) {
  const side = 64;
  const test = Uint8ClampedArray.from({ length: side * side * 3 }, (_, i) => 127 + 127 * Math.sin((i * i) / 2000));
  let found, wanted;
  try {
    [found, wanted] = [await runIn(card, test, side, side), await runIn(processor, test, side, side)];
  } finally {
    await close(processor);
  }
  const difference = found.reduce((sum, level, i) => sum + Math.abs(level - wanted[i]), 0) / found.length;
  if (difference > MOST_DIFFERENCE) throw new Error(`its results are ${difference.toFixed(1)} levels off`);
}

async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Complaint(`This browser cannot read ${file.name ?? "this file"} as a picture. Save it as JPEG or PNG.`);
  }
  const { height, width } = bitmap;
  const pixels = pixelsOf(bitmap);
  const rgb = new Uint8ClampedArray(height * width * 3);
  const alpha = new Uint8ClampedArray(height * width);
  for (let i = 0; i < alpha.length; i++) {
    rgb[3 * i] = pixels[4 * i];
    rgb[3 * i + 1] = pixels[4 * i + 1];
    rgb[3 * i + 2] = pixels[4 * i + 2];
    alpha[i] = pixels[4 * i + 3];
  }
  return { height, width, rgb, alpha: alpha.every((value) => value === 255) ? null : alpha };
}

function pixelsOf(bitmap) {
  const { height, width } = bitmap;
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height).data;
  } catch {
    throw new Complaint(`A picture of ${width} × ${height} pixels is too large for this browser. Make it smaller first.`);
  } finally {
    bitmap.close();
  }
}

/** A JPEG stays a JPEG, where nothing is transparent; all else becomes a PNG. */
async function encode({ height, width, alpha }, rgb, type) {
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    image.data[4 * i] = rgb[3 * i];
    image.data[4 * i + 1] = rgb[3 * i + 1];
    image.data[4 * i + 2] = rgb[3 * i + 2];
    image.data[4 * i + 3] = alpha ? alpha[i] : 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const jpeg = type === "image/jpeg" && !alpha;
  return canvas.convertToBlob(jpeg ? { type: "image/jpeg", quality: 0.95 } : { type: "image/png" });
}

function reason(error) {
  return String(error?.message ?? error).trim().split("\n")[0];
}
