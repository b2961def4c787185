// Translates one picture with ONNX Runtime and sharp: node translate.mjs MODEL.onnx IN OUT [SHORT_SIDE]

import { access } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";

/** Something that the caller can mend. */
class Complaint extends Error {}

/** Waits for `work`; when it fails, says what could not be done, and why in one line. */
async function or(complaint, work) {
  try {
    return await work;
  } catch (error) {
    throw new Complaint(`${complaint}: ${String(error.message).trim().split("\n")[0]}`);
  }
}

async function openModel(file) {
  await or("The model cannot be opened", access(file));
  const session = await or(`${file} is not a model that ONNX Runtime can run`, InferenceSession.create(file));
  const [input] = session.inputMetadata;
  if (input.name !== "image" || input.type !== "uint8") {
    throw new Complaint(`${file} does not take 8-bit pictures. Export it again with 'zorse export', without --io float.`);
  }
  return session;
}

/** Upright RGB pixels: { data: Buffer of height x width x 3, info: { width, height } }. */
async function readPicture(file, shortSide) {
  await or("The picture cannot be opened", access(file));
  const picture = sharp(file).autoOrient().removeAlpha().toColourspace("srgb");
  if (shortSide) {
    // "outside" keeps the proportions and gives the shorter side this length.
    picture.resize(shortSide, shortSide, { fit: "outside" });
  }
  return or(`${file} is not a picture that can be read`, picture.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true }));
}

async function main(model, source, target, shortSide) {
  if (!target || !/^[1-9]\d*$/.test(shortSide ?? "1")) {
    throw new Complaint("Usage: node translate.mjs MODEL.onnx IN OUT [SHORT_SIDE]");
  }
  const session = await openModel(model);
  const { data, info } = await readPicture(source, shortSide && Number(shortSide));
  const image = new Tensor("uint8", data, [1, info.height, info.width, 3]);
  const { translation } = await or("The picture cannot be translated; a smaller one may be", session.run({ image }));
  const result = sharp(translation.data, { raw: { width: info.width, height: info.height, channels: 3 } });
  await or(`The result cannot be written to ${target}`, result.toFile(target));
  console.log(`${target}: ${info.width} x ${info.height}`);
}

try {
  await main(...process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Complaint)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
