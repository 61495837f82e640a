// Makes what people pass on: before and after side by side, or a wipe that lasts three seconds.
// In: {id, task: "pair" | "gif" | "mp4" | "videos", photo, anime, aspect, name, style}.
// Out: {id, blob} or {id, error}; for "videos" {id, able}.

import { Gif, paletteOf } from "./gif.js";
import { mp4 } from "./mp4.js";

const SIDE = 1080; // pixels: the shorter side of a card, or the longer of one in the photo's own shape
const GIF_SIDE = 480; // pixels, longer side
const [WIPE_S, VIDEO_FPS, GIF_FPS] = [3, 30, 12.5];
const LINE = 1 / 240; // of the width: half of the white line, as in sakuga/video/wipe.py
const CODEC = "avc1.640028"; // H.264 High, level 4

/** Draw the middle of a picture so that it fills a rectangle. */
function cover(context, picture, left, top, width, height) {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [wide, high] = [width / scale, height / scale];
  context.drawImage(
    picture,
    (picture.width - wide) / 2, (picture.height - high) / 2, wide, high,
    left, top, width, height,
  );
}

const even = (length) => Math.max(2, 2 * Math.round(length / 2));

/** [width, height] of a card: of that aspect (width / height), or in the shape of what is on it. */
function sizeOf(aspect, shape, side) {
  const ratio = aspect ?? shape;
  if (aspect === null) return ratio > 1 ? [even(side), even(side / ratio)] : [even(side * ratio), even(side)];
  return ratio > 1 ? [even(side * ratio), even(side)] : [even(side), even(side / ratio)];
}

function newCanvas(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // behind pictures that have holes
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  return { canvas, context };
}

function sign(context, width, height) {
  const size = Math.round(Math.max(14, Math.min(width, height) / 32));
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textAlign = "right";
  context.textBaseline = "bottom";
  context.shadowColor = "rgb(0 0 0 / 70%)";
  context.shadowBlur = size / 3;
  context.fillStyle = "#fff";
  context.fillText("Sakuga", width - size * 0.7, height - size * 0.5);
}

/** Photo and painting beside each other, or above each other where that cuts less away. */
async function pair({ photo, anime, aspect, name }) {
  const shape = photo.width / photo.height;
  const beside = aspect === null || Math.abs(Math.log(aspect / 2 / shape)) <= Math.abs(Math.log((aspect * 2) / shape));
  const [width, height] = sizeOf(aspect, 2 * shape, aspect === null ? 2 * SIDE : SIDE);
  const { canvas, context } = newCanvas(width, height);
  const [wide, high] = beside ? [width / 2, height] : [width, height / 2];
  cover(context, photo, 0, 0, wide, high);
  cover(context, anime, beside ? wide : 0, beside ? 0 : high, wide, high);
  if (name) sign(context, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

/** The two pictures as layers of a wipe, and how to show it at a second. */
function layers({ photo, anime, aspect, name }, longest) {
  let [width, height] = sizeOf(aspect, photo.width / photo.height, SIDE);
  const scale = Math.min(1, longest / Math.max(width, height));
  [width, height] = [even(width * scale), even(height * scale)];
  const [before, after] = [photo, anime].map((picture) => {
    const layer = newCanvas(width, height);
    cover(layer.context, picture, 0, 0, width, height);
    if (name) sign(layer.context, width, height);
    return layer;
  });
  const { canvas, context } = newCanvas(width, height);
  const line = Math.max(1, Math.round(width * LINE));
  const edgeAt = (seconds) => Math.round(((1 - Math.cos((Math.PI * seconds) / WIPE_S)) / 2) * width);
  const show = (edge) => {
    context.drawImage(before.canvas, 0, 0);
    if (edge > 0) context.drawImage(after.canvas, 0, 0, edge, height, 0, 0, edge, height);
    if (edge > 0 && edge < width) context.fillRect(Math.max(0, edge - line), 0, 2 * line, height);
  };
  return { width, height, before, after, canvas, context, line, edgeAt, show };
}

async function gif(asked) {
  const { width, height, before, after, context, line, edgeAt, show } = layers(asked, GIF_SIDE);
  const both = new Uint8ClampedArray(width * height * 8);
  both.set(before.context.getImageData(0, 0, width, height).data);
  both.set(after.context.getImageData(0, 0, width, height).data, width * height * 4);
  const writer = new Gif(width, height, paletteOf(both));
  const last = Math.round(WIPE_S * GIF_FPS);
  let shown = 0;
  for (let n = 0; n <= last; n++) {
    const edge = edgeAt((n * WIPE_S) / last);
    show(edge);
    // Only what the line has passed since the last frame is drawn anew.
    const [from, to] = n === 0 ? [0, width] : [Math.max(0, shown - line), Math.min(width, edge + line)];
    const wide = Math.max(1, to - from);
    writer.add(context.getImageData(from, 0, wide, height).data, from, 0, wide, height, n === last ? 100 : 8);
    shown = edge;
  }
  return writer.file();
}

async function video(asked) {
  const { width, height, canvas, edgeAt, show } = layers(asked, 16 * 120);
  const frames = [];
  let [avcC, fault] = [null, null];
  const encoder = new VideoEncoder({
    output(chunk, about) {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      frames.push({ bytes, key: chunk.type === "key" });
      if (about?.decoderConfig?.description) avcC = new Uint8Array(about.decoderConfig.description);
    },
    error: (error) => (fault = error),
  });
  encoder.configure({
    codec: CODEC, width, height, framerate: VIDEO_FPS, bitrate: 5_000_000, avc: { format: "avc" }, latencyMode: "realtime",
  });
  const last = WIPE_S * VIDEO_FPS;
  for (let n = 0; n < last && fault === null; n++) {
    show(edgeAt((n * WIPE_S) / (last - 1)));
    const frame = new VideoFrame(canvas, { timestamp: (n * 1e6) / VIDEO_FPS });
    encoder.encode(frame, { keyFrame: n % VIDEO_FPS === 0 });
    frame.close();
    while (encoder.encodeQueueSize > 8) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (fault === null) await encoder.flush();
  if (fault !== null) throw fault;
  encoder.close();
  return mp4({ width, height, frames, framesPerSecond: VIDEO_FPS, avcC });
}

/** Whether this browser can make the video at all; plain http, and some browsers, cannot. */
async function videos() {
  const wanted = { codec: CODEC, width: SIDE, height: SIDE, avc: { format: "avc" } };
  if (!self.VideoEncoder) return false;
  return (await VideoEncoder.isConfigSupported(wanted)).supported;
}

addEventListener("message", async ({ data }) => {
  try {
    if (data.task === "videos") return postMessage({ id: data.id, able: await videos() });
    const [photo, anime] = await Promise.all([data.photo, data.anime].map((blob) => createImageBitmap(blob)));
    const blob = await { pair, gif, mp4: video }[data.task]({ ...data, photo, anime });
    for (const bitmap of [photo, anime]) bitmap.close();
    postMessage({ id: data.id, blob });
  } catch (error) {
    postMessage({ id: data.id, error: error.message });
  }
});
