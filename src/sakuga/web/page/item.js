// One picture of the studio: its photo, and what each style made of it.

import { blender } from "./blender.js";
import { engine } from "./engine.js";
import { workingSize } from "./working.js";

const HEAD_BYTES = 65_536; // what tells whether a file moves
const VECTOR_SIDE = 1600; // pixels of the longer side of a drawing that has no size of its own

export class Item {
  constructor(file, key) {
    this.file = file;
    this.key = key; // of the shelf; also the order
    this.name = (file.name || "picture").replace(/\.[^.]*$/, "");
    this.photo = null; // a Blob this browser shows
    this.address = null; // of the photo
    this.note = null; // what is said of it once
    this.paintings = new Map(); // style -> {blob, address, kept: {blob, address} or null}
    this.drafts = new Map(); // the same of a large photo, painted at its working size
    this.part = null; // {style, address} of a painting whose first parts are there
    this.error = null; // why it cannot be opened
    this.failures = new Map(); // style -> why it could not be painted
    this.passed = new Set(); // styles whose tile could not be painted
    this.share = 0; // of the painting that is under way
  }

  /** Decode, and learn the size. */
  async open() {
    await this.#asStill();
    this.photo = await engine.viewable(this.file);
    const bitmap = await createImageBitmap(this.photo);
    [this.width, this.height] = [bitmap.width, bitmap.height];
    bitmap.close();
    this.large = workingSize(this.width, this.height)[0] !== this.width;
    this.address = URL.createObjectURL(this.photo);
  }

  /** What is seen of a style's painting: itself, its draft, or nothing yet. */
  seen(style) {
    return this.paintings.get(style) ?? this.drafts.get(style) ?? null;
  }

  /** Take a painting, or a draft of one. */
  take(kind, style, blob) {
    this[kind].set(style, { blob, address: URL.createObjectURL(blob), kept: null });
  }

  /** Take what is painted so far of a style; no blob: it is needed no more. */
  takePart(style, blob) {
    URL.revokeObjectURL(this.part?.address);
    this.part = blob ? { style, address: URL.createObjectURL(blob) } : null;
  }

  /** What is seen of a painting in the photo's own colours, which a large photo takes at its working size. */
  async keepColours(style) {
    const painting = this.seen(style);
    if (painting.kept !== null) return painting.kept.blob;
    if (this.large && !this.drafts.has(style)) this.take("drafts", style, await engine.draft(this.photo, style));
    const draft = this.large ? this.drafts.get(style).blob : null;
    const { blob } = await blender.call({ task: "keep", photo: this.photo, anime: painting.blob, draft });
    painting.kept = { blob, address: URL.createObjectURL(blob) };
    return blob;
  }

  close() {
    URL.revokeObjectURL(this.address);
    this.takePart();
    for (const { address, kept } of [...this.paintings.values(), ...this.drafts.values()]) {
      URL.revokeObjectURL(address);
      if (kept) URL.revokeObjectURL(kept.address);
    }
  }

  /** Drawings made of shapes become pixels; of an animation the first frame is painted, and said so. */
  async #asStill() {
    const vector = this.file.type === "image/svg+xml";
    if (!vector && !(await isAnimation(this.file))) return;
    const image = new Image();
    image.src = URL.createObjectURL(this.file);
    try {
      await image.decode();
    } catch {
      throw new Error("this browser cannot read it; save it as JPEG or PNG first");
    }
    const [wide, high] = [image.naturalWidth || 1, image.naturalHeight || 1];
    const scale = vector ? VECTOR_SIDE / Math.max(wide, high) : 1;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.round(wide * scale), Math.round(high * scale)];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(image.src);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    this.file = new File([blob], `${this.name}.png`, { type: "image/png" });
    if (!vector) this.note = `${this.name} moves; this page paints its first frame. The command  sakuga paint  keeps all.`;
  }
}

/** The bytes of a file, or its first. */
async function read(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Error("it cannot be read; if it is a folder, choose the pictures in it");
  }
}

/** True for a GIF, WebP, PNG or AVIF that says it has several frames. */
async function isAnimation(file) {
  const head = await read(file.slice(0, HEAD_BYTES));
  const text = (at, length) => String.fromCharCode(...head.subarray(at, at + length));
  if (text(0, 4) === "GIF8") return hasFrames(await read(file));
  if (text(1, 3) !== "PNG") return (text(8, 8) === "WEBPVP8X" && (head[20] & 2) !== 0) || text(4, 8) === "ftypavis";
  const view = new DataView(head.buffer);
  for (let at = 8; at + 8 <= head.length && text(at + 4, 4) !== "IDAT"; at += 12 + view.getUint32(at)) {
    if (text(at + 4, 4) === "acTL") return true;
  }
  return false;
}

/** True for a GIF of more than one frame. */
function hasFrames(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0); // bytes of a palette
  let at = 13 + table(bytes[10]);
  for (let frames = 0; at < bytes.length; ) {
    const kind = bytes[at];
    if (kind === 0x2c && ++frames > 1) return true;
    if (kind === 0x2c) at += 11 + table(bytes[at + 9]); // the place of a frame, its palette
    else if (kind === 0x21) at += 2; // an extension and its kind
    else return false;
    while (bytes[at] > 0) at += bytes[at] + 1; // blocks, each after its length
    at++;
  }
  return false;
}
