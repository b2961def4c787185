// Changing a picture's size, as zorse.imaging.tensor.resize does it: area average downwards, bicubic upwards, one axis
// after the other. Pixels are Uint8ClampedArray, which rounds to the nearest level (ties to even) and clips;
// other values are Float32Array. Either is height x width x channels, row by row.

/** Where each place of the new axis looks: `count` places of the old one from `first` on, with `weights`. */
function taps(oldSide, newSide) {
  return newSide < oldSide ? areaTaps(oldSide, newSide) : cubicTaps(oldSide, newSide);
}

function areaTaps(oldSide, newSide) {
  const scale = oldSide / newSide;
  return Array.from({ length: newSide }, (_, place) => {
    const start = place * scale;
    const end = start + scale;
    const length = Math.min(scale, oldSide - start);
    const last = Math.min(Math.floor(end), oldSide - 1);
    const first = Math.min(Math.ceil(start), last);
    const indices = [];
    const weights = [];
    const add = (index, share) => (indices.push(index), weights.push(Math.fround(share / length)));
    if (first - start > 1e-3) add(first - 1, first - start); // OpenCV leaves smaller shares out
    for (let index = first; index < last; index++) add(index, 1);
    if (end - last > 1e-3) add(last, Math.min(end - last, 1, length));
    return { indices, weights };
  });
}

/** Cubic convolution with a = -0.75; beyond the border the last place is repeated. */
function cubicTaps(oldSide, newSide) {
  const a = -0.75;
  const near = (x) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return Array.from({ length: newSide }, (_, place) => {
    const centre = (place + 0.5) * (oldSide / newSide) - 0.5;
    const before = Math.floor(centre);
    const x = centre - before;
    const weights = [far(x + 1), near(x), near(1 - x)];
    weights.push(1 - weights[0] - weights[1] - weights[2]);
    const indices = weights.map((_weight, offset) => Math.min(Math.max(before - 1 + offset, 0), oldSide - 1));
    return { indices, weights: weights.map(Math.fround) };
  });
}

/** Another number of rows; `rowLength` is width x channels. */
export function resizeRows(values, height, rowLength, newHeight) {
  if (height === newHeight) return values;
  const result = new values.constructor(newHeight * rowLength);
  const sum = new Float32Array(rowLength);
  taps(height, newHeight).forEach(({ indices, weights }, row) => {
    sum.fill(0);
    indices.forEach((index, tap) => {
      const weight = weights[tap];
      const start = index * rowLength;
      for (let i = 0; i < rowLength; i++) sum[i] += Math.fround(values[start + i] * weight);
    });
    result.set(sum, row * rowLength);
  });
  return result;
}

/** Another number of columns, for `height` rows. */
export function resizeColumns(values, height, width, newWidth, channels) {
  if (width === newWidth) return values;
  const result = new values.constructor(height * newWidth * channels);
  const plan = taps(width, newWidth);
  for (let row = 0, to = 0; row < height; row++) {
    const start = row * width * channels;
    for (const { indices, weights } of plan) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let tap = 0; tap < indices.length; tap++) {
          sum = Math.fround(sum + Math.fround(values[start + indices[tap] * channels + channel] * weights[tap]));
        }
        result[to++] = sum;
      }
    }
  }
  return result;
}

/** A picture of three channels at another size. */
export function resize(values, height, width, newHeight, newWidth) {
  return resizeColumns(resizeRows(values, height, width * 3, newHeight), newHeight, width, newWidth, 3);
}
