// How much of the style, and whose colours: the same arithmetic as sakuga/painting/blending.py.
// Pictures are ImageData-like: RGBA bytes, rows from the top.

const BOX_RADIUS = 8; // three boxes of 17 are nearly a Gaussian of sigma 8.5 pixels
const BOX_WIDTH = 2 * BOX_RADIUS + 1;
const BOX_PASSES = 3;
const MARGIN = BOX_RADIUS * BOX_PASSES; // pixels the blur looks in each direction
const FRACTION = 16; // chroma is kept in sixteenths of a grey level
const STRIP_ROWS = 512; // bounds the memory of the blur

/** Mix into `anime`, in place: photo + strength * (anime + keep * (kept - anime) - photo). */
export function mix(photo, anime, kept, strength, keep) {
  for (let i = 0; i < photo.length; i += 4) {
    for (let c = i; c < i + 3; c++) {
      const painted = kept === null ? anime[c] : anime[c] + keep * (kept[c] - anime[c]);
      anime[c] = Math.round(photo[c] + strength * (painted - photo[c]));
    }
    anime[i + 3] = photo[i + 3];
  }
}

/** The anime picture with the photo's low-frequency chroma, in place of `anime`. */
export function keepChroma(photo, anime, width, height) {
  const source = height > STRIP_ROWS ? anime.slice() : anime;
  for (let top = 0; top < height; top += STRIP_ROWS) {
    const bottom = Math.min(top + STRIP_ROWS, height);
    const from = Math.max(0, top - MARGIN);
    const to = Math.min(height, bottom + MARGIN);
    const [cb, cr] = chromaDifference(photo, source, width, from, to);
    for (let i = top * width; i < bottom * width; i++) {
      const b = cb[i - from * width] / FRACTION;
      const r = cr[i - from * width] / FRACTION;
      const at = i * 4;
      // Writing to a Uint8ClampedArray rounds and clips.
      anime[at] = source[at] + 1.402 * r;
      anime[at + 1] = source[at + 1] - 0.344136 * b - 0.714136 * r;
      anime[at + 2] = source[at + 2] + 1.772 * b;
    }
  }
}

/** Blurred Cb and Cr of photo - anime for the rows from..to, in sixteenths. */
function chromaDifference(photo, anime, width, from, to) {
  const rows = to - from;
  const cb = new Int32Array(width * rows);
  const cr = new Int32Array(width * rows);
  for (let i = 0; i < cb.length; i++) {
    const at = (from * width + i) * 4;
    const red = photo[at] - anime[at];
    const green = photo[at + 1] - anime[at + 1];
    const blue = photo[at + 2] - anime[at + 2];
    const luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    cb[i] = Math.round(((blue - luma) / 1.772) * FRACTION);
    cr[i] = Math.round(((red - luma) / 1.402) * FRACTION);
  }
  for (const plane of [cb, cr]) {
    for (let column = 0; column < width; column++) blurLine(plane, column, width, rows);
    for (let row = 0; row < rows; row++) blurLine(plane, row * width, 1, width);
  }
  return [cb, cr];
}

let sums = new Float64Array(0);
let next = new Float64Array(0);

/** Three box means along a line, mirrored at its ends, rounded once. */
function blurLine(plane, start, step, length) {
  const padded = length + 2 * MARGIN;
  if (sums.length < padded) {
    sums = new Float64Array(padded);
    next = new Float64Array(padded);
  }
  const period = 2 * length;
  for (let i = 0; i < padded; i++) {
    const index = (((i - MARGIN) % period) + period) % period;
    sums[i] = plane[start + (index < length ? index : period - 1 - index) * step];
  }
  let size = padded;
  for (let pass = 0; pass < BOX_PASSES; pass++) {
    size -= BOX_WIDTH - 1;
    let sum = 0;
    for (let i = 0; i < BOX_WIDTH; i++) sum += sums[i];
    for (let i = 0; i < size; i++) {
      next[i] = sum;
      if (i + 1 < size) sum += sums[i + BOX_WIDTH] - sums[i];
    }
    [sums, next] = [next, sums];
  }
  const weight = BOX_WIDTH ** BOX_PASSES;
  for (let i = 0; i < length; i++) plane[start + i * step] = Math.floor((sums[i] + (weight >> 1)) / weight);
}
