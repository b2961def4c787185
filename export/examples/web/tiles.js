// A picture that is too large for the network at once: in overlapping tiles, whose borders are blended.
//
// Networks normalise by the statistics of what they see, so a tile comes out a little different from the same part of
// the whole picture. It is an approximation, and the page says so.

const OVERLAP = 1 / 4; // of a tile's side, at least

/**
 * @param run (rgb, height, width) -> promise of the translated rgb: the network.
 * @param maxPixels how many it may see at a time.
 * @param progress told after each tile: tiles that are done, tiles in all.
 * @returns promise of { rgb, tiles }: the translation, and how many tiles that took.
 */
export async function throughNetwork(rgb, height, width, run, maxPixels, progress) {
  const rows = spans(height, width, maxPixels);
  const columns = spans(width, height, maxPixels);
  const tiles = rows.length * columns.length;
  if (tiles === 1) return { rgb: await run(rgb, height, width), tiles };
  const result = new Uint8ClampedArray(rgb.length);
  let done = 0;
  for (const [i, down] of rows.entries()) {
    const strip = new Uint8ClampedArray((down.end - down.start) * width * 3);
    for (const [j, across] of columns.entries()) {
      const tile = await run(cut(rgb, width, down, across), down.end - down.start, across.end - across.start);
      const weight = rise(across.start, columns[j - 1]?.end);
      blend(strip, width, tile, { start: 0, end: down.end - down.start }, across, (_row, column) => weight(column));
      progress(++done, tiles);
    }
    const weight = rise(down.start, rows[i - 1]?.end);
    blend(result, width, strip, down, { start: 0, end: width }, (row) => weight(row));
  }
  return { rgb: result, tiles };
}

/** Divides a side into overlapping spans of equal length, so that tiles of them hold at most `maxPixels`. */
export function spans(side, otherSide, maxPixels) {
  if (side * otherSide <= maxPixels) return [{ start: 0, end: side }];
  const square = Math.max(1, Math.floor(Math.sqrt(maxPixels)));
  // A picture that is narrower than a square tile gets longer tiles.
  const length = Math.min(side, Math.max(square, Math.floor(maxPixels / otherSide)));
  const step = Math.max(1, length - Math.ceil(length * OVERLAP));
  const count = Math.ceil((side - length) / step) + 1;
  return Array.from({ length: count }, (_, i) => {
    const start = count === 1 ? 0 : Math.round((i * (side - length)) / (count - 1));
    return { start, end: start + length };
  });
}

/** How much a tile counts at a place: rising from 0 to 1 where it overlaps the one before, which ends at `end`. */
function rise(start, end = start) {
  return (place) => Math.min(1, (place - start + 0.5) / (end - start));
}

function cut(rgb, width, down, across) {
  const length = (across.end - across.start) * 3;
  const tile = new Uint8ClampedArray((down.end - down.start) * length);
  for (let row = down.start; row < down.end; row++) {
    const start = (row * width + across.start) * 3;
    tile.set(rgb.subarray(start, start + length), (row - down.start) * length);
  }
  return tile;
}

/** Puts a tile at its place, mixed with what is there already. */
function blend(target, width, tile, down, across, weight) {
  let from = 0;
  for (let row = down.start; row < down.end; row++) {
    for (let column = across.start; column < across.end; column++) {
      const share = weight(row, column);
      const to = (row * width + column) * 3;
      for (let channel = 0; channel < 3; channel++, from++) {
        target[to + channel] += share * (tile[from] - target[to + channel]);
      }
    }
  }
}
