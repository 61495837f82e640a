// Brings a small painting to full size with smooth and crisp contours: the same arithmetic as
// sakuga/painting/upscale.py, which says why.

const STEPS = 4; // of diffusion along contours
const STEP = 0.2;
const FLAT = 16; // squared grey levels over two pixels; what is flatter has no direction
const [FAINT, DISTINCT] = [6, 24]; // grey levels: from where on, and from where on wholly, it is sharpened
const RIM = 16; // grey levels that a pixel is calmed by at most
const STEEPNESS = 1.3;

/** Enlarge ImageData-like `small` into the RGB of `large`, whose alpha stays; `progress` hears shares. */
export function redraw(small, large, progress) {
  const { width: w, height: h } = small;
  const { width, height, data: out } = large;
  const planes = prepare(small.data, w, h); // 3 of the picture, 3 least, 3 greatest, 1 share
  const steepness = STEEPNESS * Math.sqrt((width / w) * (height / h));
  const [across, down] = [taps(width, w), taps(height, h)];
  const rows = planes.map(() => new Float32Array(w)); // of the planes, at the height of a line of the result
  const [at, spline, linear] = [across.at, across.spline, across.linear];
  for (let y = 0; y < height; y++) {
    planes.forEach((plane, p) => (p < 3 ? four(plane, w, down, y, rows[p]) : two(plane, w, down, y, rows[p])));
    const share = rows[9];
    for (let p = 0; p < 3; p++) {
      const line = rows[p];
      const low = rows[3 + p];
      const high = rows[6 + p];
      let to = y * width * 4 + p;
      for (let x = 0, i = 0, k = 0; x < width; x++, i += 4, k += 2, to += 4) {
        const b = at[i + 1];
        const c = at[i + 2];
        const l = linear[k];
        const r = linear[k + 1];
        const value =
          spline[i] * line[at[i]] + spline[i + 1] * line[b] + spline[i + 2] * line[c] + spline[i + 3] * line[at[i + 3]];
        const least = l * low[b] + r * low[c];
        const extent = l * high[b] + r * high[c] - least;
        let place = ((value - least) / (extent > 1 ? extent : 1) - 0.5) * steepness + 0.5; // 0: least, 1: greatest
        place = place < 0 ? 0 : place > 1 ? 1 : place;
        place *= place * (3 - 2 * place);
        out[to] = value + (l * share[b] + r * share[c]) * (least + place * extent - value);
      }
    }
    if (y % 256 === 255 || y === height - 1) progress?.((y + 1) / height);
  }
}

/** Line y of an enlarged plane: by the spline, or linearly. */
function four(plane, w, { at, spline }, y, line) {
  const [a, b, c, d] = at.subarray(4 * y, 4 * y + 4).map((row) => row * w);
  const [k, l, m, n] = spline.subarray(4 * y, 4 * y + 4);
  for (let x = 0; x < w; x++) line[x] = k * plane[a + x] + l * plane[b + x] + m * plane[c + x] + n * plane[d + x];
}

function two(plane, w, { at, linear }, y, line) {
  const [b, c] = [at[4 * y + 1] * w, at[4 * y + 2] * w];
  const [l, r] = linear.subarray(2 * y, 2 * y + 2);
  for (let x = 0; x < w; x++) line[x] = l * plane[b + x] + r * plane[c + x];
}

/** The picture smoothed along its contours, its ranges, and how much is to be sharpened: 10 planes. */
function prepare(rgba, w, h) {
  let picture = [0, 1, 2].map((c) => Float32Array.from({ length: w * h }, (_, i) => rgba[4 * i + c]));
  for (const step of [w, 1]) picture = picture.map((plane) => withoutRims(plane, w, h, step));
  picture = alongContours(picture, w, h);
  const least = picture.map((plane) => extreme(plane, w, h, Math.min));
  const greatest = picture.map((plane) => extreme(plane, w, h, Math.max));
  const share = new Float32Array(w * h);
  for (let i = 0; i < share.length; i++) {
    const contrast = Math.max(greatest[0][i] - least[0][i], greatest[1][i] - least[1][i], greatest[2][i] - least[2][i]);
    share[i] = Math.min(1, Math.max(0, (contrast - FAINT) / (DISTINCT - FAINT)));
  }
  return [...picture, ...least, ...greatest, share];
}

/** Call with each pixel's index and those of its neighbours along an axis; the border is repeated. */
function alongAxis(w, h, step, visit) {
  const last = step === 1 ? w - 1 : h - 1;
  for (let y = 0, i = 0; y < h; y++) {
    for (let x = 0; x < w; x++, i++) {
      const place = step === 1 ? x : y;
      visit(i, place > 0 ? i - step : i, place < last ? i + step : i);
    }
  }
}

/** Calm what is one pixel wide and faint. */
function withoutRims(plane, w, h, step) {
  const calm = new Float32Array(plane.length);
  alongAxis(w, h, step, (i, before, behind) => {
    const here = plane[i];
    const a = (plane[before] + here) / 2;
    const b = (here + plane[behind]) / 2;
    const between = Math.min(Math.max(here, Math.min(a, b)), Math.max(a, b));
    calm[i] = Math.min(Math.max(between, here - RIM), here + RIM);
  });
  return calm;
}

function extreme(plane, w, h, choose) {
  for (const step of [w, 1]) {
    const next = new Float32Array(plane.length);
    alongAxis(w, h, step, (i, before, behind) => {
      next[i] = choose(plane[before], plane[i], plane[behind]);
    });
    plane = next;
  }
  return plane;
}

function means(plane, w, h) {
  for (const step of [w, 1]) {
    for (let pass = 0; pass < 2; pass++) {
      const next = new Float32Array(plane.length);
      alongAxis(w, h, step, (i, before, behind) => {
        next[i] = (plane[before] + plane[behind] + 2 * plane[i]) / 4;
      });
      plane = next;
    }
  }
  return plane;
}

/** Diffuse along the contours of lightness; nothing leaves the range of the 3 x 3 pixels it was among. */
function alongContours(picture, w, h) {
  const lowest = picture.map((plane) => extreme(plane, w, h, Math.min));
  const highest = picture.map((plane) => extreme(plane, w, h, Math.max));
  const light = Float32Array.from(picture[0], (red, i) => 0.299 * red + 0.587 * picture[1][i] + 0.114 * picture[2][i]);
  const size = w * h;
  const [right, down] = [new Float32Array(size), new Float32Array(size)];
  alongAxis(w, h, 1, (i, before, behind) => (right[i] = light[behind] - light[before]));
  alongAxis(w, h, w, (i, before, behind) => (down[i] = light[behind] - light[before]));
  const xx = means(right.map((value) => value * value), w, h);
  const yy = means(down.map((value) => value * value), w, h);
  const xy = means(right.map((value, i) => value * down[i]), w, h);
  const [across, upright, slanted] = [xx, yy, xy]; // each pixel's weights take the place of its tensor
  for (let i = 0; i < size; i++) {
    const whole = xx[i] + yy[i];
    const smaller = (whole - Math.hypot(xx[i] - yy[i], 2 * xy[i])) / 2;
    const all = whole + 2 * FLAT;
    const toRight = (STEP * (yy[i] - smaller + FLAT)) / all;
    upright[i] = (STEP * (xx[i] - smaller + FLAT)) / all;
    across[i] = toRight;
    slanted[i] = (-STEP * xy[i]) / (2 * all);
  }
  return picture.map((plane, c) => {
    for (let step = 0; step < STEPS; step++) {
      const next = new Float32Array(size);
      for (let y = 0, i = 0; y < h; y++) {
        const [up, below] = [y > 0 ? -w : 0, y < h - 1 ? w : 0];
        for (let x = 0; x < w; x++, i++) {
          const left = x > 0 ? -1 : 0;
        const beside = x < w - 1 ? 1 : 0;
          const here = plane[i];
          next[i] =
            here +
            across[i] * (plane[i + beside] + plane[i + left] - 2 * here) +
            upright[i] * (plane[i + below] + plane[i + up] - 2 * here) +
            slanted[i] *
              (plane[i + below + beside] + plane[i + up + left] - plane[i + below + left] - plane[i + up + beside]);
        }
      }
      plane = next;
    }
    for (let i = 0; i < size; i++) plane[i] = Math.min(Math.max(plane[i], lowest[c][i]), highest[c][i]);
    return plane;
  });
}

/** How each pixel of a large axis is made of a small one: cubic B-spline of 4, linear of 2. */
function taps(large, small) {
  const at = new Int32Array(4 * large);
  const spline = new Float32Array(4 * large);
  const linear = new Float32Array(2 * large);
  for (let i = 0; i < large; i++) {
    const place = ((i + 0.5) * small) / large - 0.5;
    const before = Math.floor(place);
    for (let n = 0; n < 4; n++) {
      const near = before + n - 1;
      at[4 * i + n] = Math.min(Math.max(near, 0), small - 1);
      const far = Math.abs(place - near);
      spline[4 * i + n] = far < 1 ? 2 / 3 - far ** 2 + far ** 3 / 2 : (2 - Math.min(far, 2)) ** 3 / 6;
      if (n === 1 || n === 2) linear[2 * i + n - 1] = Math.max(0, 1 - far);
    }
  }
  return { at, spline, linear };
}
