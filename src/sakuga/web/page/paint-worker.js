// Runs styles with onnxruntime-web, away from the page's own thread.
// In: {id, task: "begin"}, {id, task: "open", style}, {id, task: "draft", file, style}, {id, task: "paint", file, style, draft},
// {id, task: "frame", bitmap, style}, {id, stop: true}.
// Out: {id, share, part}, then {id, how | blob | bitmap} or {id, error}.

import { readSpec } from "./onnx-spec.js";
import { redraw } from "./redraw.js";
import { placeTile, spans, windowPlanes } from "./tiling.js";
import { shrink, workingSize } from "./working.js";

// What is painted is small, so memory needs no tiles. Bands of the longer side show the first of it
// sooner, and cost the margins in which they overlap.
const BAND_PIXELS = 640;
const MOST_PIXELS = 100_000_000;
const MOST_WHOLE_PIXELS = 2048 * 2048; // for a style that must see the whole picture
const MOST_THREADS = 8;

let ort;
let provider;
const sessions = new Map(); // style -> promise of {session, spec}
const stopped = new Set(); // ids of calls that nobody waits for
let last = Promise.resolve(); // paintings run one after the other

/** Load the WebGPU build where there is a real GPU, else the smaller one for the CPU. */
async function begin() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  const gpu = adapter && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  provider = gpu ? "webgpu" : "wasm";
  ort = await import(gpu ? "./ort/ort.webgpu.min.mjs" : "./ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("ort/", import.meta.url).href;
  ort.env.logLevel = "error";
  // Threads need shared memory, which browsers give to pages that are isolated from others.
  const threads = crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
  ort.env.wasm.numThreads = threads;
  return { how: gpu ? "WebGPU" : threads === 1 ? "1 thread" : `${threads} threads` };
}

/** A style, loaded once. */
function load(style) {
  if (!sessions.has(style)) {
    sessions.set(style, open(style));
    sessions.get(style).catch(() => sessions.delete(style)); // so that it can be tried again
  }
  return sessions.get(style);
}

async function open(style) {
  const answer = await fetch(`styles/${style}.onnx`);
  if (!answer.ok) throw new Error(`the style ${style} is not there`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const spec = readSpec(bytes);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider] });
  return { session, spec };
}

/** Paint ImageData in place; `shows`: in parts, which are told of as they are done. */
async function paintImage(image, style, id, shows = true) {
  const { session, spec } = await load(style);
  const { width, height, data } = image;
  const local = spec.receptive_radius !== null;
  if (!local && width * height > MOST_WHOLE_PIXELS) {
    throw new Error(`the style ${style} must see the whole picture, and this one is too large`);
  }
  const cut = (extent, other) => {
    const band = shows && local && extent >= other ? BAND_PIXELS : null;
    return spans(extent, band, spec.receptive_radius ?? 0, spec.size_multiple, spec.minimum_side);
  };
  const rows = cut(height, width);
  const columns = rows.length > 1 ? cut(width, Infinity) : cut(width, height);
  const source = rows.length * columns.length > 1 ? data.slice() : data;
  let done = 0;
  for (const row of rows) {
    for (const column of columns) {
      if (stopped.delete(id)) throw new Error("stopped");
      const planes = windowPlanes(source, width, height, row, column);
      const shape = [1, 3, row.windowStop - row.windowStart, column.windowStop - column.windowStart];
      const photo = new ort.Tensor("float32", planes, shape);
      const { anime } = await session.run({ photo });
      placeTile(await anime.getData(), data, width, row, column);
      anime.dispose();
      const share = ++done / (rows.length * columns.length);
      postMessage({ id, share, part: share < 1 ? await fileOf(image) : null });
    }
  }
}

/** Decode a picture file into a canvas. */
async function decode(file) {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    throw new Error(`it has ${width} × ${height} pixels, more than ${MOST_PIXELS / 1e6} megapixels`);
  }
  return drawn(bitmap);
}

function drawn(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { canvas, context, image: context.getImageData(0, 0, canvas.width, canvas.height) };
}

async function fileOf(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Paint a large photo at its working size. */
async function draft({ id, file, style }) {
  const { image } = await decode(file);
  const small = shrunk(image);
  await paintImage(small, style, id);
  return { blob: await fileOf(small) };
}

function shrunk({ data, width, height }) {
  const [newWidth, newHeight] = workingSize(width, height);
  return new ImageData(shrink(data, width, height, newWidth, newHeight), newWidth, newHeight);
}

/** Paint a photo; a large one by bringing its draft, made here if there is none, to full size. */
async function paint({ id, file, style, draft: made }) {
  const { image } = await decode(file);
  const [width] = workingSize(image.width, image.height);
  if (width === image.width) await paintImage(image, style, id);
  else {
    const small = made ? (await decode(made)).image : shrunk(image);
    if (!made) await paintImage(small, style, id);
    redraw(small, image, (share) => postMessage({ id, share }));
  }
  return { blob: await fileOf(image) };
}

async function paintFrame({ id, bitmap, style }) {
  const { canvas, context, image } = drawn(bitmap);
  await paintImage(image, style, id, false);
  context.putImageData(image, 0, 0);
  return { bitmap: canvas.transferToImageBitmap() };
}

const TASKS = { begin, open: ({ style }) => load(style).then(() => ({})), draft, paint, frame: paintFrame };

addEventListener("message", ({ data }) => {
  if (data.stop) {
    stopped.add(data.id);
    return;
  }
  last = last.then(async () => {
    try {
      const result = await TASKS[data.task](data);
      postMessage({ ...result, id: data.id }, result.bitmap ? [result.bitmap] : []);
    } catch (error) {
      postMessage({ id: data.id, error: error.message });
    }
    stopped.delete(data.id);
  });
});
