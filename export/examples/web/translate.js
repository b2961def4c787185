// One picture through the network, as Zorse's Translator does it: at which size the network sees it, in one pass or in
// tiles, and back to the picture's own size. Knows nothing of browsers: the network is a function.
//
// A picture is { height, width, rgb: Uint8ClampedArray, alpha: Uint8ClampedArray or null }.

import { FITS, addChange, linearChange } from "./guided.js";
import { resize, resizeColumns, resizeRows } from "./resize.js";
import { throughNetwork } from "./tiles.js";

const MAX_ENLARGED = 4; // a long side is enlarged to this many times the wanted short side, not further
const STRIPS = { longest: 32, most: 64 }; // see zorse/runtime/strips.py
const LEAST_SIDE = 16; // of pages that an earlier version has written, whose models do not say it
const STRIP = 64; // rows that are worked on at a time: full-size numbers are what takes memory

/**
 * Translates a picture.
 *
 * @param picture what to translate; it is left as it is.
 * @param options.run (rgb, height, width) -> promise of the translated rgb: the network.
 * @param options.size "keep", or the short side in pixels at which the network sees the picture.
 * @param options.nativeSize the model's own short side in pixels.
 * @param options.leastSide shortest side that the network computes, in pixels: thinner pictures are padded to it.
 * @param options.keepsDetail whether the change is enlarged and added to the picture, or the translation itself taken.
 * @param options.maxPixels how many pixels the network may see at a time.
 * @param options.progress told after each tile: tiles that are done, tiles in all.
 * @returns promise of { rgb, height, width, tiles }: the translation at the picture's size; the size at which the
 *   network saw it; how many tiles that took.
 */
export async function translate(picture, options) {
  const { run, keepsDetail, maxPixels, progress = () => {} } = options;
  const [height, width] = workingSize(picture.height, picture.width, options);
  const seen = overWhite(picture);
  const small = resize(seen, picture.height, picture.width, height, width);
  const { rgb: after, tiles } = await throughNetwork(small, height, width, run, maxPixels, progress);
  const rgb = atFullSize(picture, seen, { before: small, after, height, width }, keepsDetail);
  return { rgb, height, width, tiles };
}

/** Height and width at which the network sees a picture; the options are those of `translate`. */
export function workingSize(height, width, { size, nativeSize, leastSide = LEAST_SIDE }) {
  if (size === "keep") return [height, width];
  let scale = size / Math.min(height, width);
  if (scale > 1) scale = Math.max(1, Math.min(scale, (MAX_ENLARGED * size) / Math.max(height, width)));
  scale *= stripScale(height, width, scale, Math.max(size, nativeSize), leastSide);
  return [height, width].map((side) => Math.max(1, roundHalfEven(side * scale)));
}

/** By how much a strip is seen smaller, so that its work stays in proportion to its pixels. */
function stripScale(height, width, scale, side, least) {
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  if (long <= STRIPS.longest * short) return 1;
  const most = Math.max(MAX_ENLARGED * side ** 2, Math.min(height * width, STRIPS.most * side ** 2));
  return Math.min(1, Math.sqrt(most / (short * scale * (long * scale))), most / (least * (long * scale)));
}

/** The translation at the picture's own size. */
function atFullSize(picture, seen, small, keepsDetail) {
  const { before, after, height, width } = small;
  const sameSize = height === picture.height && width === picture.width;
  if (sameSize && !picture.alpha) return after;
  if (keepsDetail && picture.height * picture.width > height * width) {
    const fits = linearChange(before, after, height, width);
    return enlarged(picture, fits, small, FITS, (target, strip, start) => {
      const end = start + target.length;
      addChange(target, picture.rgb.subarray(start, end), seen.subarray(start, end), strip);
    });
  }
  if (keepsDetail || sameSize) {
    const change = Float32Array.from(after, (level, i) => level - before[i]);
    return enlarged(picture, change, small, 3, (target, strip, start) => {
      for (let i = 0; i < target.length; i++) target[i] = picture.rgb[start + i] + strip[i];
    });
  }
  return enlarged(picture, Float32Array.from(after), small, 3, (target, strip) => target.set(strip));
}

/** What is known of each pixel of the small picture, at the picture's size, made a picture one strip after another. */
function enlarged(picture, values, { height, width }, channels, write) {
  const tall = resizeRows(values, height, width * channels, picture.height);
  const result = new Uint8ClampedArray(picture.rgb.length);
  for (let row = 0; row < picture.height; row += STRIP) {
    const rows = Math.min(STRIP, picture.height - row);
    const strip = tall.subarray(row * width * channels, (row + rows) * width * channels);
    const start = row * picture.width * 3;
    const target = result.subarray(start, start + rows * picture.width * 3);
    write(target, resizeColumns(strip, rows, width, picture.width, channels), start);
  }
  return result;
}

/** What a viewer sees on a white page: that is what the network is shown. */
function overWhite({ rgb, alpha }) {
  if (!alpha) return rgb;
  const seen = new Uint8ClampedArray(rgb.length);
  for (let i = 0; i < rgb.length; i++) seen[i] = 255 - (alpha[Math.floor(i / 3)] / 255) * (255 - rgb[i]);
  return seen;
}

function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
