// The change that the network made to a small picture, brought to the large one along its own contours, as
// zorse.runtime.guided does it: around each place the change is fitted as a linear function of the colours there.
// (He and Sun 2015, Fast Guided Filter; what the fit leaves over stays in the offsets.)

const RADIUS = 2; // pixels of the small picture to each side that a fit looks at
const NOISE = 0.01; // variance of colours, in [-1, 1], below which a fit does not trust them
export const FITS = 12; // numbers of a place: for each channel an offset and three slopes

/**
 * @param before, after rgb of the small picture, height x width x 3 levels.
 * @returns height x width x 12: for each channel of the change, in [-1, 1], its offset and its slopes by r, g, b.
 */
export function linearChange(before, after, height, width) {
  const places = height * width;
  const colours = Float32Array.from(before, (level) => level / 127.5 - 1);
  const changes = Float32Array.from(after, (level, i) => level / 127.5 - 1 - colours[i]);
  const means = smoothed(colours, height, width, 3);
  const meanChanges = smoothed(changes, height, width, 3);
  const own = covariances(colours, colours, means, means, height, width);
  const shared = covariances(changes, colours, meanChanges, means, height, width);
  let slopes = new Float32Array(places * 9);
  for (let place = 0; place < places; place++) {
    const inverse = inverted(own.subarray(place * 9, place * 9 + 9));
    for (let channel = 0; channel < 3; channel++) {
      const [r, g, b] = shared.subarray(place * 9 + channel * 3, place * 9 + channel * 3 + 3);
      for (let colour = 0; colour < 3; colour++) {
        const row = colour * 3;
        slopes[place * 9 + channel * 3 + colour] = inverse[row] * r + inverse[row + 1] * g + inverse[row + 2] * b;
      }
    }
  }
  slopes = smoothed(slopes, height, width, 9);
  const result = new Float32Array(places * FITS);
  for (let place = 0; place < places; place++) {
    for (let channel = 0; channel < 3; channel++) {
      const to = place * FITS + channel * 4;
      result[to] = changes[place * 3 + channel];
      for (let colour = 0; colour < 3; colour++) {
        const slope = slopes[place * 9 + channel * 3 + colour];
        result[to + 1 + colour] = slope;
        result[to] -= slope * colours[place * 3 + colour];
      }
    }
  }
  return result;
}

/** Adds the change to some rows of the large picture: `fits` at their size, `seen` what the network is shown of them. */
export function addChange(target, rgb, seen, fits) {
  for (let pixel = 0; pixel * 3 < rgb.length; pixel++) {
    const start = pixel * 3;
    const [r, g, b] = [seen[start] / 127.5 - 1, seen[start + 1] / 127.5 - 1, seen[start + 2] / 127.5 - 1];
    for (let channel = 0; channel < 3; channel++) {
      const fit = pixel * FITS + channel * 4;
      const change = fits[fit] + fits[fit + 1] * r + fits[fit + 2] * g + fits[fit + 3] * b;
      target[start + channel] = rgb[start + channel] + 127.5 * change;
    }
  }
}

/** At each place, of each channel of the one with each of the other: height x width x 3 x 3. */
function covariances(one, other, meansOfOne, meansOfOther, height, width) {
  const products = (a, b) => {
    const result = new Float32Array(height * width * 9);
    for (let i = 0; i < result.length; i++) {
      const start = Math.floor(i / 9) * 3;
      result[i] = a[start + Math.floor((i % 9) / 3)] * b[start + (i % 3)];
    }
    return result;
  };
  const ofMeans = products(meansOfOne, meansOfOther);
  return smoothed(products(one, other), height, width, 9).map((value, i) => value - ofMeans[i]);
}

/** The inverse of a symmetric 3 x 3 matrix with NOISE added to its diagonal, by its cofactors. */
function inverted([a0, b, c, , d0, e, , , f0]) {
  const [a, d, f] = [a0 + NOISE, d0 + NOISE, f0 + NOISE];
  const [ca, cb, cc] = [d * f - e * e, c * e - b * f, b * e - c * d];
  const determinant = a * ca + b * cb + c * cc;
  const [cd, ce, cf] = [a * f - c * c, b * c - a * e, a * d - b * b];
  return [ca, cb, cc, cb, cd, ce, cc, ce, cf].map((cofactor) => cofactor / determinant);
}

/** The mean around each place; beyond the border the last place is repeated. */
function smoothed(values, height, width, channels) {
  const side = 2 * RADIUS + 1;
  const along = (source, count, step, length) => {
    // `count` lines of `length` places that lie `step` values apart
    const result = new Float32Array(source.length);
    for (let line = 0; line < count; line++) {
      const start = Math.floor(line / step) * step * length + (line % step);
      for (let place = 0; place < length; place++) {
        let sum = 0;
        for (let near = place - RADIUS; near <= place + RADIUS; near++) {
          sum += source[start + Math.min(Math.max(near, 0), length - 1) * step];
        }
        result[start + place * step] = sum / side;
      }
    }
    return result;
  };
  const rows = along(values, height * channels, channels, width);
  return along(rows, width * channels, width * channels, height);
}
