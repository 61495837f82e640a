// Cuts a picture into windows so that tiles equal the whole: the same as sakuga/painting/tiling.py.

const roundUp = (length, multiple) => Math.ceil(length / multiple) * multiple;

/** Cut one axis into [{start, stop, windowStart, windowStop}]; tile null: one tile. */
export function spans(extent, tile, margin, multiple, minimum) {
  const shortest = roundUp(minimum, multiple);
  const padded = Math.max(roundUp(extent, multiple), shortest);
  if (tile === null) return [{ start: 0, stop: extent, windowStart: 0, windowStop: padded }];
  const halo = roundUp(margin, multiple);
  tile = roundUp(tile, multiple);
  const count = padded <= tile + 2 * halo ? 1 : Math.ceil(extent / tile);
  const step = roundUp(Math.ceil(extent / count), multiple);
  const result = [];
  for (let start = 0; start < extent; start += step) {
    const stop = Math.min(start + step, extent);
    let windowStop = Math.min(roundUp(stop, multiple) + halo, padded);
    const windowStart = Math.max(0, Math.min(start - halo, windowStop - shortest));
    windowStop = Math.max(windowStop, windowStart + shortest);
    result.push({ start, stop, windowStart, windowStop });
  }
  return result;
}

/** The window of RGBA bytes as planes of float32 in [-1, 1]: 3 * height * width, mirrored outside. */
export function windowPlanes(rgba, width, height, row, column) {
  const rows = mirrored(row.windowStart, row.windowStop, height);
  const columns = mirrored(column.windowStart, column.windowStop, width);
  const plane = rows.length * columns.length;
  const planes = new Float32Array(3 * plane);
  let out = 0;
  for (const y of rows) {
    for (const x of columns) {
      const at = (y * width + x) * 4;
      planes[out] = rgba[at] / 127.5 - 1;
      planes[out + plane] = rgba[at + 1] / 127.5 - 1;
      planes[out + 2 * plane] = rgba[at + 2] / 127.5 - 1;
      out++;
    }
  }
  return planes;
}

/** Write the tile in the middle of a painted window into RGBA bytes; alpha is left alone. */
export function placeTile(planes, rgba, width, row, column) {
  const windowWidth = column.windowStop - column.windowStart;
  const plane = windowWidth * (row.windowStop - row.windowStart);
  for (let y = row.start; y < row.stop; y++) {
    for (let x = column.start; x < column.stop; x++) {
      const from = (y - row.windowStart) * windowWidth + (x - column.windowStart);
      const to = (y * width + x) * 4;
      // Writing to a Uint8ClampedArray rounds and clips.
      for (let c = 0; c < 3; c++) rgba[to + c] = (planes[from + c * plane] + 1) * 127.5;
    }
  }
}

/** Indices from..to of an endlessly reflected axis: extent 3 gives 0 1 2 1 0 1 2 1 ... */
function mirrored(from, to, extent) {
  const period = Math.max(1, 2 * extent - 2);
  return Int32Array.from({ length: to - from }, (_, i) => {
    const index = (from + i) % period;
    return Math.min(index, period - index) % extent;
  });
}
