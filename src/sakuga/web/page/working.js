// The size a photo is painted at, for strokes of the right weight: the same as
// sakuga/painting/working_size.py with its stroke "auto"; and shrinking to it as Pillow does.

const AREA = 2 ** 20; // pixels
const TOLERANCE = 1.5; // times the area
const LOBES = 3; // of the Lanczos kernel

/** The [width, height] at which a photo of this size is painted, never larger. */
export function workingSize(width, height) {
  if (width * height <= TOLERANCE * AREA) return [width, height];
  const scale = Math.sqrt(AREA / (width * height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** RGBA bytes of width x height, shrunk by Lanczos' kernel; alpha becomes 255. */
export function shrink(rgba, width, height, newWidth, newHeight) {
  const across = weights(width, newWidth);
  const down = weights(height, newHeight);
  const narrow = new Uint8ClampedArray(newWidth * height * 3); // writing rounds and clips
  for (let y = 0; y < height; y++) {
    let out = y * newWidth * 3;
    for (const { from, shares } of across) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let at = (y * width + from) * 4;
      for (let i = 0; i < shares.length; i++, at += 4) {
        red += shares[i] * rgba[at];
        green += shares[i] * rgba[at + 1];
        blue += shares[i] * rgba[at + 2];
      }
      narrow[out++] = red;
      narrow[out++] = green;
      narrow[out++] = blue;
    }
  }
  const row = newWidth * 3;
  const sums = new Float64Array(row);
  const result = new Uint8ClampedArray(newWidth * newHeight * 4).fill(255);
  down.forEach(({ from, shares }, y) => {
    sums.fill(0);
    for (let i = 0; i < shares.length; i++) {
      const start = (from + i) * row;
      const share = shares[i];
      for (let x = 0; x < row; x++) sums[x] += share * narrow[start + x];
    }
    let out = y * newWidth * 4;
    for (let x = 0; x < row; x += 3, out += 4) {
      result[out] = sums[x];
      result[out + 1] = sums[x + 1];
      result[out + 2] = sums[x + 2];
    }
  });
  return result;
}

/** For each pixel of a shorter axis: the first pixel it is made of, and the share of each. */
function weights(length, newLength) {
  const scale = length / newLength;
  const support = LOBES * scale;
  return Array.from({ length: newLength }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const from = Math.max(0, Math.floor(centre - support + 0.5));
    const to = Math.min(length, Math.floor(centre + support + 0.5));
    const shares = Float64Array.from({ length: to - from }, (_, n) => lanczos((from + n - centre + 0.5) / scale));
    const sum = shares.reduce((total, share) => total + share, 0);
    return { from, shares: shares.map((share) => share / sum) };
  });
}

function lanczos(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}
