// An animated GIF (GIF89a) of one palette, endlessly repeated; each frame a part of the screen.

const COLOURS = 256;

/** Up to 256 colours for RGBA bytes, by median cut: the box of most pixels is halved at its longest side. */
export function paletteOf(rgba) {
  const counts = new Map(); // 15-bit colour -> pixels
  for (let i = 0; i < rgba.length; i += 4) {
    const colour = fifteenBits(rgba[i], rgba[i + 1], rgba[i + 2]);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  let boxes = [boxOf([...counts])];
  while (boxes.length < COLOURS) {
    boxes.sort((a, b) => b.weight - a.weight);
    const widest = boxes[0];
    if (widest.entries.length < 2) break;
    const { shift } = widest;
    const sorted = widest.entries.sort((a, b) => ((a[0] >> shift) & 31) - ((b[0] >> shift) & 31));
    let half = 0;
    let cut = 0;
    while (cut < sorted.length - 1 && half < widest.pixels / 2) half += sorted[cut++][1];
    boxes = [...boxes.slice(1), boxOf(sorted.slice(0, cut)), boxOf(sorted.slice(cut))];
  }
  const palette = boxes.map(({ entries, pixels }) =>
    [10, 5, 0].map((shift) => {
      const sum = entries.reduce((total, [colour, count]) => total + ((colour >> shift) & 31) * count, 0);
      return Math.min(255, Math.round((sum / pixels) * 8 + 4));
    }),
  );
  return palette;
}

const fifteenBits = (red, green, blue) => ((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3);

function boxOf(entries) {
  const pixels = entries.reduce((sum, [, count]) => sum + count, 0);
  let [longest, shift] = [-1, 0];
  for (const candidate of [10, 5, 0]) {
    const values = entries.map(([colour]) => (colour >> candidate) & 31);
    const extent = values.reduce((a, b) => Math.max(a, b), 0) - values.reduce((a, b) => Math.min(a, b), 31);
    if (extent > longest) [longest, shift] = [extent, candidate];
  }
  return { entries, pixels, shift, weight: longest > 0 ? pixels * longest : 0 };
}

/** Write frames one after the other; `file()` gives the Blob. */
export class Gif {
  constructor(width, height, palette) {
    const table = new Uint8Array(COLOURS * 3);
    palette.forEach((colour, index) => table.set(colour, index * 3));
    const screen = [...u16(width), ...u16(height), 0xf7, 0, 0];
    const loop = [0x21, 0xff, 11, ...text("NETSCAPE2.0"), 3, 1, 0, 0, 0];
    this.parts = [Uint8Array.from([...text("GIF89a"), ...screen, ...table, ...loop])];
    this.palette = palette;
    this.nearest = new Int16Array(1 << 15).fill(-1); // index of a 15-bit colour
  }

  /** Add RGBA bytes of width x height at (left, top), shown for so many hundredths of a second. */
  add(rgba, left, top, width, height, hundredths) {
    const control = [0x21, 0xf9, 4, 4, ...u16(hundredths), 0, 0];
    const place = [0x2c, ...u16(left), ...u16(top), ...u16(width), ...u16(height), 0];
    const indices = new Uint8Array(width * height);
    for (let i = 0; i < indices.length; i++) indices[i] = this.#index(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
    this.parts.push(Uint8Array.from([...control, ...place, 8]), blocks(compress(indices)));
  }

  file() {
    return new Blob([...this.parts, Uint8Array.of(0x3b)], { type: "image/gif" });
  }

  #index(red, green, blue) {
    const colour = fifteenBits(red, green, blue);
    if (this.nearest[colour] < 0) {
      let best = Infinity;
      this.palette.forEach(([r, g, b], index) => {
        const distance = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
        if (distance < best) [best, this.nearest[colour]] = [distance, index];
      });
    }
    return this.nearest[colour];
  }
}

/** LZW with codes of 9 to 12 bits, as in appendix F of the specification. */
function compress(indices) {
  const [clear, end] = [COLOURS, COLOURS + 1];
  const bytes = [];
  let [bits, held] = [0, 0];
  let [size, next] = [9, end + 1];
  let codes = new Map();
  const put = (code) => {
    held |= code << bits;
    bits += size;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  put(clear);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = prefix * COLOURS + indices[i];
    const known = codes.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    put(prefix);
    if (next < 4096) {
      if (next === 1 << size) size++;
      codes.set(key, next++);
    } else {
      put(clear);
      codes = new Map();
      [size, next] = [9, end + 1];
    }
    prefix = indices[i];
  }
  put(prefix);
  if (next === 1 << size && size < 12) size++; // the decoder has one more by then
  put(end);
  if (bits > 0) bytes.push(held & 255);
  return Uint8Array.from(bytes);
}

function blocks(bytes) {
  const out = new Uint8Array(bytes.length + Math.ceil(bytes.length / 255) + 1);
  let at = 0;
  for (let from = 0; from < bytes.length; from += 255) {
    const block = bytes.subarray(from, from + 255);
    out[at++] = block.length;
    out.set(block, at);
    at += block.length;
  }
  return out;
}

const u16 = (value) => [value & 255, value >>> 8];
const text = (letters) => Array.from(letters, (letter) => letter.charCodeAt(0));
